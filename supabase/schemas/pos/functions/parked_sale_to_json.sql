-- A parked sale as it is answered. Who it is for is an id alone: answers are stored under their references.
--
-- Callers: interlock.park_sale, interlock.resume_parked_sale, interlock.discard_parked_sale.
-- Locks: none.
create function interlock.parked_sale_to_json(p_parked interlock.parked_sales)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'id', p_parked.id,
    'location_id', p_parked.location_id,
    'register_id', p_parked.register_id,
    'name', p_parked.name,
    'lines', p_parked.lines,
    'customer_id', p_parked.customer_id,
    'hold', p_parked.hold,
    'status', p_parked.status,
    'parked_at', p_parked.parked_at,
    'expires_at', p_parked.expires_at,
    'sale_id', p_parked.sale_id
  );
end
$$;
