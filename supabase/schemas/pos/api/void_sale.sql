create function public.void_sale(p_sale_id uuid, p_reason text)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.void_sale(p_sale_id, p_reason)
$$;

comment on function public.void_sale(uuid, text) is
  'Undoes a sale as long as its shift is open. For managers and staff, the cashier who sold, and the service role.';
