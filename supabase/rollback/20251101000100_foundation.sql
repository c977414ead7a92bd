set local lock_timeout = '5s';

drop function
  public.purge_idempotency_keys(),
  public.settle_slots();
drop table
  interlock.settings,
  interlock.idempotency_keys,
  interlock.counter_slots;
drop domain
  interlock.amount,
  interlock.positive_amount,
  interlock.amount_change,
  interlock.currency_code,
  interlock.unit_count,
  interlock.positive_count,
  interlock.unit_change,
  interlock.row_version,
  interlock.label,
  interlock.movement_reason,
  interlock.idempotency_key;
drop function
  interlock.acts_for_shop,
  interlock.begin_idempotent,
  interlock.begin_reference,
  interlock.call_in_slots,
  interlock.clock,
  interlock.conceal,
  interlock.cover_slots,
  interlock.error_body,
  interlock.expose,
  interlock.find_idempotent,
  interlock.finish_idempotent,
  interlock.finish_reference,
  interlock.grant_slots,
  interlock.is_staff,
  interlock.limit_wait,
  interlock.lock_slots,
  interlock.make_slots,
  interlock.problem,
  interlock.purge_idempotency_keys,
  interlock.raise_error,
  interlock.raise_isolation_level,
  interlock.refuse_problems,
  interlock.refuse_unless_shop,
  interlock.schedule_jobs,
  interlock.set_ledger_context,
  interlock.settle_slots,
  interlock.use_slot,
  interlock.count_orders_so_far,
  interlock.guard_slots,
  interlock.refuse_change,
  interlock.is_line,
  interlock.new_id,
  interlock.normal_text;
drop schema interlock;
