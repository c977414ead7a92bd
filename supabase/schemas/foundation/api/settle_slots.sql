create function public.settle_slots()
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'settled', interlock.settle_slots())
$$;

comment on function public.settle_slots() is
  'Brings the stock and the uses of hot products and codes up to date. For the service role.';
