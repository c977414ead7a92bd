-- The state of a batch as a refused driver may see it: never who holds it.
create function interlock.batch_state(p_batch interlock.batches)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'batch_id', p_batch.id,
    'status', p_batch.status,
    'lease_expires_at', p_batch.lease_expires_at
  );
end
$$;
