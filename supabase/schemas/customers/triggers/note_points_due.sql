-- Trigger: an order that is paid, or of which something came back after that, has points to be booked, where its buyer is a customer
-- of the loyalty program.
--
-- Callers: trigger orders_points_due.
-- Locks: none beyond the row it inserts.
-- Security definer: nobody has insert on points_due.
create function interlock.note_points_due()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  -- Not the trigger's condition, whose text Postgres would read at every checkout.
  if new.paid_at is null then
    return null;
  end if;
  insert into interlock.points_due (order_id, user_id)
  select new.id, new.user_id
  where exists (select from interlock.customers c where c.user_id = new.user_id);
  return null;
end
$$;
