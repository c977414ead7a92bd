-- The bucket of payment proofs, and who may read and write in it: a buyer uploads to the folder of an order of theirs
-- and reads what is there, staff reads all. Nobody changes or deletes a proof. Made where the storage schema exists.
do $$
begin
  if to_regclass('storage.buckets') is null or to_regclass('storage.objects') is null then
    return;
  end if;

  insert into storage.buckets (id, name, public)
  values ('payment-proofs', 'payment-proofs', false)
  on conflict (id) do update set public = false;

  create policy interlock_payment_proofs_insert_own
    on storage.objects
    for insert
    to authenticated
    with check (
      bucket_id = 'payment-proofs'
      and split_part(name, '/', 1) = (select auth.uid())::text
      and exists (
        select 1
        from interlock.orders o
        where o.id::text = split_part(objects.name, '/', 2)
          and o.user_id = (select auth.uid())
      )
    );

  create policy interlock_payment_proofs_select_own_or_staff
    on storage.objects
    for select
    to authenticated
    using (
      bucket_id = 'payment-proofs'
      and (split_part(name, '/', 1) = (select auth.uid())::text or (select interlock.is_staff()))
    );
end
$$;
