-- Take the person out of a customer, if that has not been done. Answers who it was: a customer who was merged is that one.
--
-- Callers: interlock.erase_customer, interlock.bring_customers.
-- Locks: as interlock.lock_points; the customer; the keys of their sales.
-- Errors: 55P03 after lock_timeout.
create function interlock.forget_customer(p_customer_id uuid)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_id constant uuid := (interlock.lock_points(p_customer_id)).customer_id;
begin
  update interlock.customers c
  set name = null,
      phone = null,
      email = null,
      user_id = null,
      marketing = false,
      erased_at = interlock.clock()
  where c.id = v_id
    and c.erased_at is null;
  if found then
    perform interlock.forget_buyer(v_id);
    perform interlock.note_customer(v_id);
  end if;
  return v_id;
end
$$;
