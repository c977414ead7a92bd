-- Whether the caller may upload a file of this path: it is one for an order of theirs that waits for its payment, and
-- the order has room for one more.
--
-- Callers: the policy interlock_payment_proofs_insert_own on the platform's storage.
-- Locks: as interlock.has_room_for_proof.
-- Errors: 55P03 after lock_timeout.
-- Security definer: so that it may lock the order, and see every file of it.
create function interlock.may_upload_proof(p_path text)
returns boolean
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  return interlock.is_proof_path(p_path)
    and exists (
      select
      from interlock.orders o
      where o.id::text = split_part(p_path, '/', 2)
        and o.user_id = auth.uid()
        and o.user_id::text = split_part(p_path, '/', 1)
        and o.status = 'pending_payment'
    )
    and interlock.has_room_for_proof(p_path);
end
$$;
