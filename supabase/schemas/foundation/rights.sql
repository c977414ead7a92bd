-- Who may call what of the foundation. What is not here belongs to its owner: Postgres lets everybody execute a new
-- function, so each area takes that away for the schema as a whole before it grants by name.
revoke execute on all functions in schema interlock from public;

-- The shop inserts rows whose ids are made by this.
grant execute on function interlock.new_id to service_role;

-- And are checked and found by these.
grant execute on function interlock.normal_text, interlock.is_line, interlock.most_units to service_role;

-- A trigger's condition asks, as whoever writes.
grant execute on function interlock.has_realtime to service_role;

-- A policy of the platform's storage asks.
grant execute on function interlock.is_staff to authenticated, service_role;

revoke all on function
  public.arrange_history(),
  public.close_ledgers(int),
  public.erase_user(uuid),
  public.purge_history(int),
  public.purge_idempotency_keys(int),
  public.settle_slots(uuid)
from public, anon, authenticated, service_role;

grant execute on function
  public.arrange_history(), interlock.make_history_parts, interlock.archive_history,
  public.close_ledgers(int), interlock.close_ledgers,
  public.erase_user(uuid), interlock.erase_user,
  public.purge_history(int), interlock.purge_history,
  public.purge_idempotency_keys(int), interlock.purge_idempotency_keys,
  public.settle_slots(uuid), interlock.settle_slots
to service_role;
