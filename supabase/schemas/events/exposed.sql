-- What the shop reads of events over REST, where the name is free in public (interlock.expose).
select interlock.expose('events');
