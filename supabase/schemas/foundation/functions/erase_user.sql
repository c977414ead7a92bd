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
-- Callers: service_role, through public.erase_user.
-- Locks: promo attempts of the customer; the account, against everything; then what a deletion of the account takes
--   (wallet, driver and the batch they hold, orders), proofs of the orders, promo as interlock.end_promo_uses says, codes
--   that they have replaced, their reservation and its stock rows by id. Keys that somebody is using are passed over: whoever does waits for the account, and is
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
  v_nobody constant uuid := uuid '00000000-0000-0000-0000-000000000000';
  v_ledger constant uuid := interlock.new_id();
  v_known boolean;
  v_open jsonb;
  v_customer_id uuid;
  v_wallet jsonb;
  v_order_ids uuid[];
  v_files text[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_user_id is null or p_user_id = v_nobody then
    perform interlock.refuse_problems(interlock.problem('/p_user_id', 'must be the id of a user'));
  end if;

  perform interlock.lock_promo_attempts(p_user_id);
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1 from interlock.accounts u where u.id = p_user_id for update;
  v_known := found;

  -- From here on nobody can place an order for them or end one, nor move their money.
  select jsonb_agg(jsonb_build_object('order_id', o.id, 'status', o.status) order by o.id)
  into v_open
  from interlock.orders o
  where o.user_id = p_user_id
    and interlock.is_owed_order(o.status);

  select jsonb_build_object('balance', w.balance, 'currency', w.currency)
  into v_wallet
  from interlock.wallets w
  where w.user_id = p_user_id
    and w.balance <> 0;

  if num_nonnulls(v_open, v_wallet) > 0 then
    perform interlock.raise_error('USER_HAS_OBLIGATIONS', jsonb_build_object(
      'user_id', p_user_id, 'open_orders', coalesce(v_open, '[]'), 'wallet', v_wallet
    ));
  end if;

  -- The customer that they were at a till.
  select c.id into v_customer_id from interlock.customers c where c.user_id = p_user_id;
  if v_customer_id is not null then
    perform interlock.erase_customer(v_customer_id);
  end if;

  v_order_ids := array(select o.id from interlock.orders o where o.user_id = p_user_id);
  v_files := array(
    select f.object_path
    from interlock.payment_proofs f
    where f.order_id = any (v_order_ids)
      and f.object_path is not null
  );
  -- Those of orders that they placed as a guest are in the guest's folder.
  v_files := array(select p.* from interlock.stored_proofs(p_user_id || '/', v_files) p);

  delete from interlock.mail_suppressions s
  where s.email = (select interlock.normal_email(u.email) from interlock.accounts u where u.id = p_user_id)
    or s.email in (
      select interlock.normal_email(d.contact ->> 'email')
      from interlock.order_details d
      where d.order_id = any (v_order_ids)
    );

  -- Wallet, driver and the buyer of the orders go with the account.
  delete from interlock.accounts u where u.id = p_user_id;

  update interlock.payment_proofs f
  set object_path = null,
      reason = null
  where f.order_id = any (v_order_ids);

  perform interlock.lock_promo_users(array_agg(u.promo_id), array_agg(u.user_id))
  from interlock.promo_user_uses u
  where u.user_id = p_user_id;
  perform interlock.end_promo_uses(
    array(select r.id from interlock.promo_redemptions r where r.user_id = p_user_id and r.status = 'held'),
    'held',
    'released'
  );
  update interlock.promo_redemptions r set user_id = null where r.user_id = p_user_id;
  delete from interlock.promo_user_uses u where u.user_id = p_user_id;

  perform 1 from interlock.promo_codes p where p.user_id = p_user_id order by p.id for no key update;
  update interlock.promo_codes p set user_id = v_nobody where p.user_id = p_user_id;

  perform interlock.end_reservation(p_user_id, 'cart_released');
  delete from interlock.cart_reservations r where r.user_id = p_user_id;
  delete from interlock.customer_open_orders c where c.user_id = p_user_id;
  delete from interlock.promo_attempts a where a.user_id = p_user_id;
  delete from interlock.idempotency_keys
  where ctid = any (array(
    select k.ctid from interlock.idempotency_keys k where k.user_id = p_user_id for update skip locked
  ));

  update interlock.wallet_top_ups t set user_id = v_ledger where t.user_id = p_user_id;
  update interlock.wallet_movements m set user_id = v_ledger where m.user_id = p_user_id;
  update interlock.wallet_balances b set user_id = v_ledger where b.user_id = p_user_id;
  update interlock.wallet_movements m set actor = null where m.actor = p_user_id;
  update interlock.inventory_findings f set actor = null, decided_by = null where f.actor = p_user_id;
  update interlock.inventory_findings f
  set subject_id = v_ledger
  where f.kind = 'open_orders'
    and f.subject_id = p_user_id;
  update interlock.order_events e set actor = null where e.actor = p_user_id;
  update interlock.order_refunds r set actor = null where r.actor = p_user_id;
  update interlock.order_shipments s set actor = null where s.actor = p_user_id;
  update interlock.stock_movements m set actor = null where m.actor = p_user_id;
  update interlock.sales s
  set cashier = nullif(s.cashier, p_user_id),
      voided_by = nullif(s.voided_by, p_user_id),
      approved_by = nullif(s.approved_by, p_user_id)
  where p_user_id in (s.cashier, s.voided_by, s.approved_by);
  update interlock.sale_approvals a
  set approved_by = null
  where a.approved_by = p_user_id;
  update interlock.parked_sales p
  set parked_by = null
  where p.parked_by = p_user_id;
  update interlock.shifts s
  set opened_by = nullif(s.opened_by, p_user_id),
      closed_by = nullif(s.closed_by, p_user_id)
  where p_user_id in (s.opened_by, s.closed_by);
  update interlock.cash_movements m set actor = null where m.actor = p_user_id;
  update interlock.points_movements m set actor = null where m.actor = p_user_id;
  update interlock.batch_events e set driver_id = null where e.driver_id = p_user_id;
  update interlock.product_codes c set replaced_actor = null where c.replaced_actor = p_user_id;
  update interlock.batch_events e set actor_id = null where e.actor_id = p_user_id;

  delete from interlock.order_transfers t where t.from_user_id = p_user_id and t.moved_at is null;
  update interlock.order_transfers t
  set from_user_id = nullif(t.from_user_id, p_user_id),
      to_user_id = nullif(t.to_user_id, p_user_id),
      actor = nullif(t.actor, p_user_id)
  where p_user_id in (t.from_user_id, t.to_user_id, t.actor);

  return jsonb_build_object(
    'success', true,
    'user_id', p_user_id,
    'account_removed', v_known,
    'files', coalesce(to_jsonb(v_files), '[]')
  );
end
$$;
