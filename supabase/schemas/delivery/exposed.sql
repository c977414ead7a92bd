-- What apps and the shop read of delivery over REST, each where its name is free in public (interlock.expose).
select interlock.expose('drivers');
select interlock.expose('batches');
select interlock.expose('batch_events');
