create function public.update_packing_progress_atomic(
  p_session_id uuid,
  p_order_id uuid,
  p_product_id uuid,
  p_store_id uuid default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.update_packing_progress_atomic(p_session_id, p_order_id, p_product_id, p_store_id);
end
$$;

comment on function public.update_packing_progress_atomic(uuid, uuid, uuid, uuid) is
  'Packs one unit of a product into an order: never more than it needs, never more than was picked. For whoever works in the warehouse, and the service role.';
