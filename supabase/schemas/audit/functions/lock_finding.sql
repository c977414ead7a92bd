-- Lock a finding that somebody decides on.
--
-- Callers: interlock.resolve_finding, interlock.accept_finding.
-- Locks: the finding, waiting.
-- Errors: FINDING_NOT_FOUND; 55P03 after lock_timeout.
create function interlock.lock_finding(p_finding_id uuid)
returns interlock.inventory_findings
language plpgsql
set search_path = ''
as $$
declare
  v_finding interlock.inventory_findings;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select f.* into v_finding from interlock.inventory_findings f where f.id = p_finding_id for no key update;
  if not found then
    perform interlock.raise_error('FINDING_NOT_FOUND', jsonb_build_object('finding_id', p_finding_id));
  end if;
  return v_finding;
end
$$;
