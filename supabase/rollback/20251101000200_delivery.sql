set local lock_timeout = '5s';

select interlock.conceal('batch_events');
select interlock.conceal('batches');
select interlock.conceal('drivers');
drop function
  public.assign_batch(uuid, uuid, text),
  public.claim_route(uuid, text, text);
drop view interlock.claimable_batches;
drop function
  interlock.act_on_held_batch,
  interlock.assign_batch,
  interlock.batch_state,
  interlock.batch_to_json,
  interlock.check_claim_route_arguments,
  interlock.claim_batch,
  interlock.claim_next_batch,
  interlock.claim_route,
  interlock.find_held_batch,
  interlock.give_back_stale_batch,
  interlock.is_claimable,
  interlock.lock_claimable_batch,
  interlock.lock_driver,
  interlock.lock_first_available_batch,
  interlock.lock_first_expired_batch,
  interlock.lock_next_claimable_batch,
  interlock.next_lease_end,
  interlock.take_batch;
drop table
  interlock.batches,
  interlock.batch_events,
  interlock.drivers;
drop domain
  interlock.batch_status,
  interlock.batch_event;
drop function
  interlock.broadcast_batch,
  interlock.give_back_batch_of_removed_driver,
  interlock.guard_batch_transition,
  interlock.record_batch_event;
