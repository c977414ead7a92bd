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

  v_expires_at := interlock.clock() + (select s.transfer_lifetime from interlock.settings s);
  loop
    update interlock.order_transfers t
    set token_hash = sha256(v_token::bytea),
        expires_at = v_expires_at
    where t.from_user_id = auth.uid()
      and t.moved_at is null;
    exit when found;

    insert into interlock.order_transfers (from_user_id, token_hash, expires_at)
    values (auth.uid(), sha256(v_token::bytea), v_expires_at)
    on conflict do nothing;
    exit when found;
  end loop;

  return jsonb_build_object('success', true, 'token', v_token, 'expires_at', v_expires_at);
end
$$;
