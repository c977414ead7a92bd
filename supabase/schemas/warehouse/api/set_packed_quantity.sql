create function public.set_packed_quantity(p_progress_id uuid, p_expected int, p_new int)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.set_packed_quantity(p_progress_id, p_expected, p_new);
end
$$;

comment on function public.set_packed_quantity(uuid, int, int) is
  'Sets the number of packed units of a line, if it is still the expected one. For whoever works in the warehouse, and the service role.';
