create function public.list_orders(
  p_status text default null,
  p_user_id uuid default null,
  p_before uuid default null,
  p_limit int default 50,
  p_number bigint default null
)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.list_orders(p_status, p_user_id, p_before, p_limit, p_number);
end
$$;

comment on function public.list_orders(text, uuid, uuid, int, bigint) is
  'Orders with lines, history and payment proofs, the latest first, for staff and the service role; p_before is the id of the last one of the page before, p_number the number of the one that is wanted.';
