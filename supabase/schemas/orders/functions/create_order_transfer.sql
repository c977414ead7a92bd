-- What public.create_order_transfer does, with its owner's rights: a token by which the account that the guest signs in to
-- takes over what the guest has, for settings.transfer_lifetime. It is told once and only its hash is kept; another one takes
-- the place of the one before.
--
-- Callers: authenticated and service_role, through public.create_order_transfer.
-- Locks: the guest's account, then their open transfer; two seconds at most.
-- Errors: UNAUTHENTICATED, NOT_A_GUEST; 55P03 is transient.
-- Security definer: nobody has the right to write transfers.
create function interlock.create_order_transfer()
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  -- Two of version 4: 244 random bits.
  v_token constant text := replace(concat(gen_random_uuid(), gen_random_uuid()), '-', '');
  v_expires_at timestamptz;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if auth.uid() is null or not interlock.lock_user(auth.uid()) then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  if not interlock.is_guest(auth.uid()) then
    perform interlock.raise_error('NOT_A_GUEST', jsonb_build_object('user_id', auth.uid()));
  end if;

  insert into interlock.order_transfers as t (from_user_id, token_hash, expires_at)
  select auth.uid(), sha256(v_token::bytea), interlock.clock() + s.transfer_lifetime
  from interlock.settings s
  on conflict (from_user_id) where moved_at is null do update
    set token_hash = excluded.token_hash,
        expires_at = excluded.expires_at
  returning t.expires_at into v_expires_at;

  return jsonb_build_object('success', true, 'token', v_token, 'expires_at', v_expires_at);
end
$$;
