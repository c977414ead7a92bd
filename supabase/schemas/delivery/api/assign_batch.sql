create function public.assign_batch(p_batch_id uuid, p_driver_user_id uuid, p_reason text default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.assign_batch(p_batch_id, p_driver_user_id, p_reason);
end
$$;

comment on function public.assign_batch(uuid, uuid, text) is
  'Gives a batch to a driver in one step, whoever has it; batch_events says from whom, to whom, by whom and why. For staff and the service role.';
