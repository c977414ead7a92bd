create function public.list_payments(p_status text default null, p_after uuid default null, p_limit int default 50)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.list_payments(p_status, p_after, p_limit);
end
$$;

comment on function public.list_payments(text, uuid, int) is
  'For staff and the service role: payments by card whose money has to go back or pays no order (or that have p_status), the oldest first; p_after is the id of the last one of the page before.';
