-- Make the bucket of payment proofs, and say who may read and write in it, where the storage schema exists: a buyer
-- uploads to the folder of an order of theirs and reads what is there, staff reads all. Nobody changes or deletes a
-- proof. Returns whether storage is there; called again it changes nothing that the shop has set (a bucket of this name
-- is made private, and keeps the limits that it has). Called when this is installed; if storage comes later, call it
-- once yourself:
--
--   select interlock.prepare_storage();
--
-- Callers: the installation; postgres.
create function interlock.prepare_storage()
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if to_regclass('storage.buckets') is null or to_regclass('storage.objects') is null then
    return false;
  end if;

  execute $sql$
    insert into storage.buckets as b (id, name, public, file_size_limit, allowed_mime_types)
    values (
      'payment-proofs', 'payment-proofs', false, 10485760,
      array['application/pdf', 'image/jpeg', 'image/png', 'image/webp', 'image/heic']
    )
    on conflict (id) do update
      set public = false,
          file_size_limit = coalesce(b.file_size_limit, excluded.file_size_limit),
          allowed_mime_types = coalesce(b.allowed_mime_types, excluded.allowed_mime_types)
  $sql$;

  drop policy if exists interlock_payment_proofs_insert_own on storage.objects;
  create policy interlock_payment_proofs_insert_own
    on storage.objects
    for insert
    to authenticated
    with check (bucket_id = 'payment-proofs' and interlock.may_upload_proof(name));

  drop policy if exists interlock_payment_proofs_select_own_or_staff on storage.objects;
  create policy interlock_payment_proofs_select_own_or_staff
    on storage.objects
    for select
    to authenticated
    using (
      bucket_id = 'payment-proofs'
      and (split_part(name, '/', 1) = (select auth.uid())::text or interlock.reads_proof(name))
    );

  -- The policy alone lets many uploads at once pass (payments/triggers/guard_proof_upload.sql).
  if has_table_privilege('storage.objects', 'trigger') then
    create or replace trigger interlock_payment_proofs_limit
      before insert on storage.objects
      for each row
      when (new.bucket_id = 'payment-proofs')
      execute function interlock.guard_proof_upload();
  end if;

  return true;
end
$$;
