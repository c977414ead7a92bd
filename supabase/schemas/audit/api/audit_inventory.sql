create function public.audit_inventory(p_full boolean default false)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.audit_inventory(p_full);
end
$$;

comment on function public.audit_inventory(boolean) is
  'Compares the books of the stock and files what does not agree in inventory_findings: of what has moved since the audit before, or of everything (p_full). For the service role.';
