-- A batch as its driver sees it.
--
-- Callers: interlock.claim_route.
create function interlock.batch_to_json(p_batch interlock.batches)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'id', p_batch.id,
    'status', p_batch.status,
    'driver_id', p_batch.driver_id,
    'claimed_at', p_batch.claimed_at,
    'lease_expires_at', p_batch.lease_expires_at,
    'started_at', p_batch.started_at,
    'completed_at', p_batch.completed_at,
    'priority', p_batch.priority,
    'version', p_batch.version,
    'reference', p_batch.reference,
    'created_at', p_batch.created_at
  );
end
$$;
