-- Whether anything of an order is still to be sent: a unit of a physical product that has not left and was not refunded.
--
-- Callers: interlock.ship_order_lines, interlock.take_off_order, interlock.complete_box, with the order locked.
-- Locks: none.
create function interlock.has_to_ship(p_order_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (select from interlock.order_rest(p_order_id) r where r.kind = 'physical' and r.on_shelf > 0);
end
$$;
