create function public.accept_finding(p_finding_id uuid, p_reason text, p_name text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.accept_finding(p_finding_id, p_reason, p_name);
end
$$;

comment on function public.accept_finding(uuid, text, text) is
  'Lets be what an audit of the stock has found, by name, as long as its size stays the same. For staff and the service role.';
