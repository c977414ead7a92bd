-- What customers, tills and the shop read of customers over REST, each where its name is free in public (interlock.expose).
select interlock.expose('customers');
select interlock.expose('points_rules');
select interlock.expose('points_values');
select interlock.expose('tiers');
select interlock.expose('points_accounts');
select interlock.expose('points_movements');
