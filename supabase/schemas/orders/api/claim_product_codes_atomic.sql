create function public.claim_product_codes_atomic(
  p_product_id uuid,
  p_quantity int,
  p_order_id uuid,
  p_reference text default null
)
returns table (id bigint, code text)
language sql
security invoker
set search_path = ''
as $$
  select c.id, c.code
  from interlock.claim_product_codes_atomic(p_product_id, p_quantity, p_order_id, p_reference) as c
$$;

comment on function public.claim_product_codes_atomic(uuid, int, uuid, text) is
  'Gives exactly p_quantity codes of a digital product to an order, or none; once for each order, and each p_reference. For the service role.';
