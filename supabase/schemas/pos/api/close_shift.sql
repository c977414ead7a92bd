create function public.close_shift(p_shift_id uuid, p_counted_cash bigint)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.close_shift(p_shift_id, p_counted_cash);
end
$$;

comment on function public.close_shift(uuid, bigint) is
  'Ends a shift with what was counted in its drawer, and answers what it adds up to. For whoever works at a till, and the service role.';
