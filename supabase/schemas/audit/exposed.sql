-- What staff and the shop read of audits over REST, each where its name is free in public (interlock.expose).
select interlock.expose('inventory_audits');
select interlock.expose('inventory_findings');
