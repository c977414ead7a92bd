-- Bring one order to a status, once. An order that has it already stays as it is.
--
-- Locks: the order; then as interlock.settle_orders.
-- Errors: ORDER_NOT_FOUND, and p_refusal with the status if the order is in none of p_from.
create function interlock.move_order(p_order_id uuid, p_from text[], p_to text, p_refusal text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_status constant text := interlock.lock_order(p_order_id);
begin
  if v_status is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  elsif v_status = p_to then
    return;
  elsif v_status <> all (p_from) then
    perform interlock.raise_error(p_refusal, jsonb_build_object('order_id', p_order_id, 'status', v_status));
  end if;

  update interlock.orders o
  set status = p_to
  where o.id = p_order_id;
end
$$;
