-- The peer's checkout where the API looks for functions.

create function public.bench_select_for_update(p_cart_items jsonb, p_idempotency_key text)
returns json
language sql
set search_path = ''
as $$
  select json_build_object(
    'order_id', bench_peers.checkout_select_for_update(p_cart_items, p_idempotency_key)
  )
$$;

grant execute on function public.bench_select_for_update(jsonb, text) to authenticated;

notify pgrst, 'reload schema';
