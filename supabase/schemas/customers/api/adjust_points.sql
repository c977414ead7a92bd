create function public.adjust_points(
  p_customer_id uuid,
  p_reason text,
  p_reference text,
  p_delta bigint default null,
  p_balance bigint default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.adjust_points(p_customer_id, p_reason, p_reference, p_delta, p_balance);
end
$$;

comment on function public.adjust_points(uuid, text, text, bigint, bigint) is
  'Corrects the points of a customer, by a difference or to a balance, once for each reference. For managers, staff and the service role.';
