-- What public.top_up_wallet does, with its owner's rights. With a reference a top-up counts once for that user:
-- the same call again answers the same and adds nothing; another amount under the same reference is refused.
--
-- Callers: service_role, through public.top_up_wallet.
-- Locks: the wallet's row, two seconds at most.
-- Errors: VALIDATION_FAILED, USER_NOT_FOUND, CURRENCY_MISMATCH, IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has insert or update on wallets.
create function interlock.top_up_wallet(p_user_id uuid, p_amount bigint, p_currency text, p_reference uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_booked interlock.wallet_movements;
  v_wallet interlock.wallets;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_user_id is null then
    v_problems := v_problems || interlock.problem('/p_user_id', 'is required');
  end if;
  if p_amount is null or p_amount not between 1 and 1000000000000 then
    v_problems := v_problems || interlock.problem('/p_amount', 'must be an integer from 1 to 1000000000000');
  end if;
  if p_currency is null or p_currency !~ '^[A-Z]{3}$' then
    v_problems := v_problems || interlock.problem('/p_currency', 'must be three capital letters');
  end if;
  perform interlock.refuse_problems(v_problems);

  if not exists (select 1 from auth.users u where u.id = p_user_id) then
    perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_user_id));
  end if;

  -- The wallet is locked before the look for an earlier booking, so that of two equal
  -- calls the second sees the first; a wallet that both of them make collides instead.
  insert into interlock.wallets (user_id, currency)
  values (p_user_id, p_currency)
  on conflict (user_id) do nothing;
  v_wallet := interlock.lock_wallet(p_user_id);

  if p_reference is not null then
    select m.*
    into v_booked
    from interlock.wallet_movements m
    where m.user_id = p_user_id
      and m.reference_id = p_reference
      and m.reason = 'top_up';
  end if;

  if v_booked.id is null then
    v_wallet := interlock.credit_wallet(p_user_id, p_amount, p_currency, 'top_up', p_reference);
  elsif (v_booked.delta, v_booked.currency) is distinct from (p_amount, p_currency::char(3)) then
    perform interlock.raise_error('IDEMPOTENCY_KEY_REUSED', jsonb_build_object('reference', p_reference));
  end if;

  return jsonb_build_object(
    'success', true,
    'user_id', p_user_id,
    'balance', v_wallet.balance,
    'currency', v_wallet.currency
  );
end
$$;
