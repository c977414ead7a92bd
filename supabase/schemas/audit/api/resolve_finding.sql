create function public.resolve_finding(p_finding_id uuid, p_reason text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.resolve_finding(p_finding_id, p_reason);
end
$$;

comment on function public.resolve_finding(uuid, text) is
  'Corrects what an audit of the stock has found, with a reason that stands in the ledger. For staff and the service role.';
