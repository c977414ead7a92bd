-- What public.redeem_order_transfer does, with its owner's rights: whoever holds a guest's token and is signed in to an
-- account takes over what the guest has. Called again by the same account it answers the same.
--
-- Callers: authenticated and service_role, through public.redeem_order_transfer.
-- Locks: as interlock.move_guest; two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, TRANSFER_NOT_FOUND (no such token, its time is over, or another account has
--   used it), NOT_A_GUEST, ACCOUNT_NEEDED, CURRENCY_MISMATCH, STOCK_LIMIT_EXCEEDED, USER_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write orders. Nothing here trusts an argument for who is calling: the token
--   proves whose orders they are, auth.uid() whose they become.
create function interlock.redeem_order_transfer(p_token text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_transfer interlock.order_transfers;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.require_user();
  if p_token is null then
    perform interlock.refuse_problems(interlock.problem('/p_token', 'is required'));
  end if;

  -- A look: under the locks it is asked again.
  select t.* into v_transfer from interlock.order_transfers t where t.token_hash = sha256(convert_to(p_token, 'UTF8'));
  if v_transfer.from_user_id is null then
    perform interlock.raise_error('TRANSFER_NOT_FOUND');
  end if;
  if v_transfer.to_user_id = auth.uid() then
    return interlock.transfer_answer(v_transfer);
  end if;

  return interlock.move_guest(v_transfer.from_user_id, auth.uid(), v_transfer.token_hash);
end
$$;
