-- Broadcast to drivers that a batch can be had now, or not any more: what a phone shows of it, and its version, so what comes late
-- or twice does no harm.
--
-- Callers: triggers batches_broadcast and batches_broadcast_change.
-- Locks: none.
-- Security definer: whoever changes a batch has no right to broadcast.
create function interlock.broadcast_batch()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_batch constant interlock.batches := case tg_op when 'DELETE' then old else new end;
begin
  perform interlock.broadcast('batches', 'batch.changed', jsonb_build_object(
    'batch_id', v_batch.id,
    'status', case tg_op when 'DELETE' then 'deleted' else v_batch.status::text end,
    'priority', v_batch.priority,
    'reference', v_batch.reference,
    'created_at', v_batch.created_at,
    -- Nothing comes after it.
    'version', v_batch.version + (tg_op = 'DELETE')::int
  ));
  return null;
end
$$;
