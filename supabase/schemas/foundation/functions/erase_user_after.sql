-- The part of interlock.erase_user once the account is gone, in the present shop: the person is taken out of all that stays, which is told to be of p_ledger
-- where it needs an owner. Answers the paths of what they had uploaded, which are forgotten here.
--
-- Callers: interlock.erase_user.
-- Locks: orders, wallet, driver with their batch and customer, unless they went with the account; proofs of the orders; promo as interlock.end_promo_uses
--   says; codes that they have replaced; their reservation and its stock rows by id; what they have a lease on in picking sessions. Keys that somebody is using are passed over, and so
--   are points that somebody is booking.
-- Errors: 55P03 and 40P01 are transient.
create function interlock.erase_user_after(p_user_id uuid, p_order_ids uuid[], p_ledger uuid)
returns text[]
language plpgsql
set search_path = ''
as $$
declare
  v_nobody constant uuid := uuid '00000000-0000-0000-0000-000000000000';
  v_files text[];
begin
  -- Where there are many shops an account takes none of this with it.
  update interlock.orders o set user_id = null where o.user_id = p_user_id;
  update interlock.customers c set user_id = null where c.user_id = p_user_id;
  delete from interlock.drivers d where d.user_id = p_user_id;
  delete from interlock.wallets w where w.user_id = p_user_id;

  v_files := array(
    select f.object_path
    from interlock.payment_proofs f
    where f.order_id = any (p_order_ids)
      and f.object_path is not null
  );
  update interlock.payment_proofs f
  set object_path = null,
      reason = null
  where f.order_id = any (p_order_ids);

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

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
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

  -- Points of somebody who is no customer any more. Who holds one deletes it.
  delete from interlock.points_due
  where id = any (array(
    select d.id from interlock.points_due d where d.user_id = p_user_id for update skip locked
  ));

  update interlock.wallet_top_ups t set user_id = p_ledger where t.user_id = p_user_id;
  update interlock.wallet_movements m set user_id = p_ledger where m.user_id = p_user_id;
  update interlock.wallet_balances b set user_id = p_ledger where b.user_id = p_user_id;
  update interlock.wallet_movements m set actor = null where m.actor = p_user_id;
  update interlock.inventory_findings f set actor = null, decided_by = null where f.actor = p_user_id;
  update interlock.inventory_findings f
  set subject_id = p_ledger
  where f.kind = 'open_orders'
    and f.subject_id = p_user_id;
  update interlock.order_events e set actor = null where e.actor = p_user_id;
  update interlock.order_detail_changes d set actor = null where d.actor = p_user_id;
  update interlock.order_refunds r set actor = null where r.actor = p_user_id;
  update interlock.order_shipments s set actor = null where s.actor = p_user_id;
  update interlock.stock_movements m set actor = null where m.actor = p_user_id;
  update interlock.stock_transfers t set actor = null where t.actor = p_user_id;
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
  update interlock.packing_scans s set actor = null where s.actor = p_user_id;
  update interlock.picking_sessions s set created_by = null where s.created_by = p_user_id;
  update interlock.picking_session_items i
  set picker_id = null,
      picker_until = null
  where i.picker_id = p_user_id;
  update interlock.picking_session_orders o set closed_by = null where o.closed_by = p_user_id;
  update interlock.batch_events e set driver_id = null where e.driver_id = p_user_id;
  update interlock.product_codes c set replaced_actor = null where c.replaced_actor = p_user_id;
  update interlock.batch_events e set actor_id = null where e.actor_id = p_user_id;

  delete from interlock.order_transfers t where t.from_user_id = p_user_id and t.moved_at is null;
  update interlock.order_transfers t
  set from_user_id = nullif(t.from_user_id, p_user_id),
      to_user_id = nullif(t.to_user_id, p_user_id),
      actor = nullif(t.actor, p_user_id)
  where p_user_id in (t.from_user_id, t.to_user_id, t.actor);

  return v_files;
end
$$;
