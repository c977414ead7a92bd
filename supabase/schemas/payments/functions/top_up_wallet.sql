-- What public.top_up_wallet does, with its owner's rights. With a reference a top-up counts once, for good: the same
-- call again adds nothing and answers the balance; another user, amount or currency under the reference is refused.
--
-- Callers: service_role, through public.top_up_wallet.
-- Locks: the account, the reference, then the wallet's row; two seconds at most for each.
-- Errors: VALIDATION_FAILED, USER_NOT_FOUND, CURRENCY_MISMATCH, IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has insert or update on wallets.
create function interlock.top_up_wallet(p_user_id uuid, p_amount bigint, p_currency text, p_reference text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_booked boolean := false;
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
  if not interlock.is_line(p_reference, 200) then
    v_problems := v_problems || interlock.problem(
      '/p_reference', 'must be 1 to 200 characters, without control characters'
    );
  end if;
  perform interlock.refuse_problems(v_problems);

  if not interlock.lock_user(p_user_id) then
    perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_user_id));
  end if;

  if p_reference is not null then
    insert into interlock.wallet_top_ups (reference, user_id, amount, currency)
    values (p_reference, p_user_id, p_amount, p_currency)
    on conflict do nothing;
    v_booked := not found;
  end if;

  if v_booked then
    perform 1
    from interlock.wallet_top_ups t
    where t.reference = p_reference
      and (t.user_id, t.amount, t.currency) = (p_user_id, p_amount, p_currency);
    if not found then
      perform interlock.raise_error('IDEMPOTENCY_KEY_REUSED', jsonb_build_object('reference', p_reference));
    end if;
    select w.* into v_wallet from interlock.wallets w where w.user_id = p_user_id;
  else
    v_wallet := interlock.credit_wallet(p_user_id, p_amount, p_currency, 'top_up', null, p_reference);
  end if;

  return jsonb_build_object(
    'success', true,
    'user_id', p_user_id,
    'balance', v_wallet.balance,
    'currency', v_wallet.currency
  );
end
$$;
