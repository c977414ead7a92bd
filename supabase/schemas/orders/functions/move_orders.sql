-- What public.move_orders does, with its owner's rights: what a guest has moves to an account, by staff who know that both
-- are one person. Called again it moves what has come since.
--
-- Callers: authenticated (staff) and service_role, through public.move_orders.
-- Locks: as interlock.move_guest; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, USER_NOT_FOUND, NOT_A_GUEST, ACCOUNT_NEEDED, CURRENCY_MISMATCH, STOCK_LIMIT_EXCEEDED;
--   55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.move_orders(p_from_user_id uuid, p_to_user_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  if p_from_user_id is null then
    v_problems := v_problems || interlock.problem('/p_from_user_id', 'is required');
  end if;
  if p_to_user_id is null then
    v_problems := v_problems || interlock.problem('/p_to_user_id', 'is required');
  end if;
  perform interlock.refuse_problems(v_problems);

  return interlock.move_guest(p_from_user_id, p_to_user_id, null);
end
$$;
