-- Trigger: where an order loses its buyer, their address and contact go, with all that they ever were, and the mails about it.
--
-- Callers: trigger orders_forget_details. An order that is owed keeps its buyer (interlock.guard_order_change).
-- Locks: the order is locked by its update; its details, which nobody writes without that.
-- Security definer: whoever deletes an account has no right to write details.
create function interlock.forget_order_details()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  update interlock.order_details d
  set shipping_address = null,
      contact = null
  where d.order_id = new.id;

  update interlock.delivery_attempts a
  set answer = null
  where a.delivery_id in (select m.delivery_id from interlock.mails m where m.order_id = new.id)
    and a.answer is not null;
  delete from interlock.mails m where m.order_id = new.id;

  perform set_config('interlock.purging', 'order_detail_changes', true);
  delete from interlock.order_detail_changes c where c.order_id = new.id;
  perform set_config('interlock.purging', '', true);
  return null;
end
$$;
