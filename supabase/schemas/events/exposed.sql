-- What the shop reads of events over REST, where its name is free in public (interlock.expose).
select interlock.expose('events');
