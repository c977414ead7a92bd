create function public.increment_packing_quantity(
  p_progress_id uuid,
  p_quantity_needed int,
  p_picked_quantity int,
  p_session_id uuid,
  p_product_id uuid
)
returns table (
  id uuid,
  picking_session_id uuid,
  order_id uuid,
  product_id uuid,
  quantity_needed int,
  quantity_packed int,
  created_at timestamptz,
  updated_at timestamptz
)
language sql
security invoker
set search_path = ''
as $$
  select p.*
  from interlock.increment_packing_quantity(p_progress_id, p_quantity_needed, p_picked_quantity, p_session_id, p_product_id) p
$$;

comment on function public.increment_packing_quantity(uuid, int, int, uuid, uuid) is
  'Packs one unit more of a line: never more than it needs, never more than was picked. For whoever works in the warehouse, and the service role.';
