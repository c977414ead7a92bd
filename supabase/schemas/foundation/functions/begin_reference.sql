-- Take a reference of the shop's own code for this transaction, or answer what was answered under it: what a job
-- sends again after a lost answer acts once. A reference is the shop's, whoever signs the call; the same one under
-- another operation is another one. What stock moves until interlock.finish_reference has it in the ledger.
--
-- Callers: every function with p_reference, before it locks anything else.
-- Locks: as interlock.begin_idempotent.
-- Errors: as interlock.begin_idempotent. Null means: do the work, then call interlock.finish_reference.
create function interlock.begin_reference(p_operation text, p_reference text, p_request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_answer constant jsonb := interlock.begin_idempotent(p_operation, p_reference, p_request, null, true)::jsonb;
begin
  if v_answer is null then
    perform set_config('interlock.reference', coalesce(p_reference, ''), true);
  end if;
  return v_answer;
end
$$;
