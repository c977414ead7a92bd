create function public.pack_item(
  p_session_id uuid,
  p_order_id uuid,
  p_product_id uuid default null,
  p_barcode text default null,
  p_quantity int default null,
  p_action text default null,
  p_tracking text default null,
  p_idempotency_key text default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.pack_item(
    p_session_id, p_order_id, p_product_id, p_barcode, p_quantity, p_action, p_tracking, p_idempotency_key
  );
end
$$;

comment on function public.pack_item(uuid, uuid, uuid, text, int, text, text, text) is
  'One scan at the packing table: pack, unpack, short, or complete an order. For whoever works in the warehouse, and the service role.';
