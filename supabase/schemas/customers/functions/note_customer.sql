-- Write down that a customer was made or changed (customer.changed), for whoever keeps customers outside. The event has nothing
-- personal: that stays in one table.
--
-- Callers: whatever makes or changes a customer.
-- Locks: none.
create function interlock.note_customer(p_customer_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.note_event('customer.changed', p_customer_id::text, jsonb_build_object('customer_id', p_customer_id));
end
$$;
