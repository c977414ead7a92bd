-- What public.accept_finding does, with its owner's rights: let a difference be, by name, as long as its size stays the same.
-- Nothing is corrected. Called again for what is accepted it answers the first decision.
--
-- Callers: authenticated (staff) and service_role, through public.accept_finding.
-- Locks: the finding, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, FINDING_NOT_FOUND, FINDING_RESOLVED; 55P03 is transient.
-- Security definer: nobody has the right to write findings.
create function interlock.accept_finding(p_finding_id uuid, p_reason text, p_name text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_finding interlock.inventory_findings;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();
  if p_finding_id is null then
    v_problems := v_problems || interlock.problem('/p_finding_id', 'is required');
  end if;
  if interlock.is_line(p_reason, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must have 1 to 200 characters');
  end if;
  if interlock.is_line(p_name, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_name', 'must have 1 to 200 characters: who accepts it');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_finding := interlock.lock_finding(p_finding_id);
  if v_finding.status = 'resolved' then
    perform interlock.raise_error('FINDING_RESOLVED', jsonb_build_object('finding_id', v_finding.id));
  end if;
  if v_finding.status = 'open' then
    update interlock.inventory_findings f
    set status = 'accepted',
        decided_at = clock_timestamp(),
        reason = p_reason,
        decided_by = p_name,
        actor = auth.uid()
    where f.id = p_finding_id
    returning f.* into v_finding;
  end if;
  return jsonb_build_object('success', true, 'finding', interlock.finding_to_json(v_finding));
end
$$;
