-- A finding as the API tells it.
--
-- Callers: interlock.resolve_finding, interlock.accept_finding.
create function interlock.finding_to_json(p_finding interlock.inventory_findings)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'id', p_finding.id,
    'kind', p_finding.kind,
    'product_id', p_finding.product_id,
    'location_id', p_finding.location_id,
    'subject_id', p_finding.subject_id,
    'expected', p_finding.expected,
    'found', p_finding.found,
    'size', p_finding.size,
    'since', p_finding.since,
    'cause', p_finding.cause,
    'status', p_finding.status,
    'found_at', p_finding.found_at,
    'decided_at', p_finding.decided_at,
    'reason', p_finding.reason,
    'decided_by', p_finding.decided_by
  );
end
$$;
