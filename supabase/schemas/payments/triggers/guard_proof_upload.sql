-- Refuse a file that an order has no room for (settings.max_payment_proofs), whoever uploads it: the platform asks the
-- policy before an upload, and writes the row of a finished one with rights of its own, so many at once would pass.
--
-- Callers: trigger interlock_payment_proofs_limit on the platform's storage.objects.
-- Locks: as interlock.has_room_for_proof.
-- Errors: TOO_MANY_PROOFS; 55P03 after lock_timeout.
-- Security definer: whoever uploads need not have rights here.
create function interlock.guard_proof_upload()
returns trigger
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if interlock.is_proof_path(new.name) and not interlock.has_room_for_proof(new.name) then
    perform interlock.raise_error('TOO_MANY_PROOFS', jsonb_build_object(
      'order_id', split_part(new.name, '/', 2),
      'max_payment_proofs', (select s.max_payment_proofs from interlock.settings s)
    ));
  end if;
  return new;
end
$$;
