create function public.claim_picking(p_session_id uuid, p_product_ids uuid[] default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.claim_picking(p_session_id, p_product_ids);
end
$$;

comment on function public.claim_picking(uuid, uuid[]) is
  'Has products of a picking session for oneself for a while; without a list all that nobody has. For whoever works in the warehouse.';
