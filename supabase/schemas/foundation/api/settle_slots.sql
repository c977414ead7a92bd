create function public.settle_slots(p_owner_id uuid default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'settled', interlock.settle_slots(p_owner_id))
$$;

comment on function public.settle_slots(uuid) is
  'Brings the stock and the uses of hot products and codes, or of one of them, up to date. For the service role.';
