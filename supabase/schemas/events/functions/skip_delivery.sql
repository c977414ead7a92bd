-- End a delivery that is leased and not sent, and say why in its log.
--
-- Callers: interlock.write_mails, interlock.crm_calls.
-- Locks: the delivery, which the caller has.
create function interlock.skip_delivery(p_delivery_id bigint, p_state text, p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update interlock.deliveries d
  set state = p_state, lease = null, lease_until = null, ended_at = interlock.clock()
  where d.id = p_delivery_id;
  insert into interlock.delivery_attempts (delivery_id, error, duration_ms) values (p_delivery_id, left(p_reason, 200), 0);
end
$$;
