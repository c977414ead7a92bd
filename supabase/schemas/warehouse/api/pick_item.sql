create function public.pick_item(
  p_session_id uuid,
  p_product_id uuid default null,
  p_barcode text default null,
  p_quantity int default null,
  p_short int default null,
  p_reason text default null,
  p_basket text default null,
  p_idempotency_key text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.pick_item(
    p_session_id, p_product_id, p_barcode, p_quantity, p_short, p_reason, p_basket, p_idempotency_key
  );
end
$$;

comment on function public.pick_item(uuid, uuid, text, int, int, text, text, text) is
  'Takes units from the shelf into the basket, or puts them back; says what the shelf had less of. For whoever works in the warehouse, and the service role.';
