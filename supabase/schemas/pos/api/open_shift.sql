create function public.open_shift(
  p_register_id uuid,
  p_opening_cash bigint,
  p_shift_id uuid default null,
  p_client_time timestamptz default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.open_shift(p_register_id, p_opening_cash, p_shift_id, p_client_time);
end
$$;

comment on function public.open_shift(uuid, bigint, uuid, timestamptz) is
  'Begins a shift at a register, with what is in its drawer; with p_shift_id it is the same one when it is called again. For whoever works at a till, and the service role.';
