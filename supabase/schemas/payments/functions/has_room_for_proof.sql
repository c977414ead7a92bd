-- Whether the folder of an order has fewer files than settings.max_payment_proofs.
--
-- Callers: interlock.may_upload_proof, interlock.guard_proof_upload, with a path that interlock.is_proof_path takes.
-- Locks: the folder, advisory, waiting, until the transaction ends: of two uploads at once the second counts the first.
-- Errors: 55P03 after lock_timeout.
create function interlock.has_room_for_proof(p_path text)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_folder constant text := left(p_path, 74);
  v_files bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('interlock payment proofs ' || v_folder, 0));

  select count(*) into v_files from interlock.stored_proofs(v_folder) p where p <> p_path;

  return v_files < (select s.max_payment_proofs from interlock.settings s);
end
$$;
