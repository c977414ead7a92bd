-- Store the answer with the reference.
--
-- Callers: every function that has called interlock.begin_reference.
-- Locks: the key's row, held already.
create function interlock.finish_reference(p_operation text, p_reference text, p_response jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  perform set_config('interlock.reference', '', true),
    interlock.finish_idempotent(p_operation, p_reference, p_response::text, true);
  return p_response;
end
$$;
