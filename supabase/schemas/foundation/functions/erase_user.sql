-- What public.erase_user does, with its owner's rights: remove an account and take the person out of all that stays.
--
-- Refused while something is owed: an open order, money in the wallet. The details say what, so that the shop can hand
-- over, cancel, refund or pay out, and ask again.
--
-- Removed: the account (auth.users, and with it what the platform keeps of it), the wallet, the driver (a batch that they
-- hold becomes available again), keys and guesses at promo codes; holds of promo codes and what they
-- have reserved are given back; address and contact of orders, and mails about them,
-- by trigger orders_forget_details; what was said of their addresses (mail_suppressions). Kept without the
-- person: orders with their lines, amounts and history, ledgers, uses of promo codes, proofs of payment without path and
-- reason. A ledger of a wallet needs an owner: it gets a new id that is nobody's. A promo code that was named for them is
-- for nobody.
--
-- Files are not ours to delete: the answer lists those in their folder of the bucket payment-proofs, for the Storage API.
-- Called again, also for an account that was deleted in another way, it does what is left to do and lists what is still
-- there. The histories have no index on persons (each would cost every sale), so they are read from end to end.
--
-- Where there are many shops, in each that knows them: what is owed in any of them refuses it.
--
-- Callers: service_role, through public.erase_user.
-- Locks: promo attempts of the customer; the account, against everything; then what a deletion of the account takes
--   (wallet, driver and the batch they hold, orders), proofs of the orders, promo as interlock.end_promo_uses says, codes
--   that they have replaced, their reservation and its stock rows by id, what they have a lease on in picking sessions. Keys that somebody is using are passed over: whoever does waits for the account, and is
--   refused. Each wait lasts two seconds at most.
-- Errors: VALIDATION_FAILED, USER_HAS_OBLIGATIONS; 55P03 and 40P01 are transient and nothing has happened.
-- Security definer: nobody has the right to write any of it.
create function interlock.erase_user(p_user_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_before constant text := coalesce(current_setting('interlock.shop', true), '');
  v_ledger constant uuid := interlock.new_id();
  v_shops int[];
  v_shop int;
  v_known boolean;
  v_order_ids jsonb := '{}'::jsonb;
  v_files text[] := array[]::text[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_user_id is null or p_user_id = '00000000-0000-0000-0000-000000000000' then
    perform interlock.refuse_problems(interlock.problem('/p_user_id', 'must be the id of a user'));
  end if;

  perform interlock.lock_promo_attempts(p_user_id);
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1 from interlock.accounts u where u.id = p_user_id for update;
  v_known := found;

  -- From here on nobody can place an order for them.
  v_shops := case when interlock.serves_shops() then interlock.shops_of_user(p_user_id) else '{1}' end;
  foreach v_shop in array v_shops loop
    perform set_config('interlock.shop', v_shop::text, true);
    v_order_ids := v_order_ids || jsonb_build_object(v_shop, interlock.erase_user_before(p_user_id));
  end loop;

  -- In an installation of one shop wallet, driver and the buyer of the orders go with the account.
  delete from interlock.accounts u where u.id = p_user_id;

  foreach v_shop in array v_shops loop
    perform set_config('interlock.shop', v_shop::text, true);
    v_files := v_files || interlock.erase_user_after(
      p_user_id, array(select e::uuid from jsonb_array_elements_text(v_order_ids -> v_shop::text) e), v_ledger
    );
  end loop;
  perform set_config('interlock.shop', v_before, true);

  -- Those of orders that they placed as a guest are in the guest's folder.
  v_files := array(select p.* from interlock.stored_proofs(p_user_id || '/', v_files) p);

  return jsonb_build_object(
    'success', true,
    'user_id', p_user_id,
    'account_removed', v_known,
    'files', coalesce(to_jsonb(v_files), '[]')
  );
end
$$;
