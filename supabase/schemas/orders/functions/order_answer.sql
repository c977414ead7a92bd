-- The answer of the functions of an order's life: success, and the order.
create function interlock.order_answer(p_order_id uuid)
returns json
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object('success', true, 'order', interlock.order_to_json(p_order_id))::text::json;
end
$$;
