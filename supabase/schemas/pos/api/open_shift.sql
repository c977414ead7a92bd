create function public.open_shift(p_register_id uuid, p_opening_cash bigint)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.open_shift(p_register_id, p_opening_cash)
$$;

comment on function public.open_shift(uuid, bigint) is
  'Begins a shift at a register, with what is in its drawer. For whoever works at a till, and the service role.';
