-- Remove what is older than interlock.settings has it kept, at most p_limit rows of each table; answers how many of each.
-- What somebody may still act on stays whatever its age: the history of an order or a batch that is not at its end, the
-- proofs of an order that is not paid for (they count towards settings.max_payment_proofs), an event that is to be delivered, a use of a promo code that is
-- held or redeemed, the scans of a picking session that is under way, a parked sale that waits, a customer's row of a code that counts a use or says when they may hold it again. Of the ledgers only
-- what is closed goes: its sum stays, in stock_balances and wallet_balances. Top-ups, orders and their lines are kept.
--
-- A history that has parts is purged part by part, and what goes as a whole is left to interlock.archive_history: interlock.purge_parts.
--
-- A customer's row of a code can go while they take a use: who finds none to count on begins again and makes one.
--
-- Nothing waits for it and it waits for nobody. What is left is the next call's: call it until it answers nothing but 0.
--
-- Callers: pg_cron, every night where it is present; service_role, also through public.purge_history.
-- Locks: the rows it deletes; those that somebody is using are passed over.
-- Security definer: nobody has the right to delete history, and interlock.refuse_change lets only this one do it.
create function interlock.purge_history(p_limit int default 1000)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_limit constant int := greatest(coalesce(p_limit, 1000), 0);
  v_now constant timestamptz := interlock.clock();
  v_keep interlock.settings;
  v_attempts int;
  v_holds int;
  v_batch_events int;
  v_order_events int;
  v_proofs int;
  v_uses int;
  v_events int;
  v_stock int;
  v_money int;
  v_conflicts int;
  v_deliveries int;
  v_told int;
  v_scans int;
  v_packing_conflicts int;
  v_parked int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  select s.* into v_keep from interlock.settings s;

  delete from interlock.promo_attempts
  where ctid = any (array(
    select a.ctid
    from interlock.promo_attempts a
    where a.attempted_at[cardinality(a.attempted_at)] < v_now - v_keep.keep_promo_attempts
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_attempts = row_count;

  delete from interlock.promo_redemptions
  where ctid = any (array(
    select r.ctid
    from interlock.promo_redemptions r
    where r.ended_at < v_now - v_keep.keep_promo_holds
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_holds = row_count;

  delete from interlock.promo_user_uses
  where ctid = any (array(
    select u.ctid
    from interlock.promo_user_uses u
    where u.used = 0
      and v_now - v_keep.keep_promo_holds > coalesce(u.held_since + 2 * v_keep.promo_hold_limit, '-infinity')
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_uses = row_count;

  perform set_config('interlock.purging', 'batch_events', true);
  delete from interlock.batch_events
  where ctid = any (array(
    select e.ctid
    from interlock.batch_events e
    where e.created_at < v_now - v_keep.keep_batch_events
      and not exists (select from interlock.deliveries d where d.position = e.id)
      and not exists (
        select
        from interlock.batches b
        where b.id = e.batch_id
          and b.status in ('available', 'claimed', 'in_progress')
      )
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_batch_events = row_count;

  v_order_events := interlock.purge_parts('order_events', v_limit);

  v_stock := interlock.purge_parts('stock_movements', v_limit);

  perform set_config('interlock.purging', 'wallet_movements', true);
  delete from interlock.wallet_movements
  where ctid = any (array(
    select m.ctid
    from interlock.wallet_balances b
    join interlock.wallet_movements m on m.user_id = b.user_id and m.id <= b.closed_through
    where m.created_at < v_now - v_keep.keep_wallet_movements
    limit case when v_keep.keep_wallet_movements is null then 0 else v_limit end
    for update of m skip locked
  ));
  get diagnostics v_money = row_count;

  perform set_config('interlock.purging', 'inventory_conflicts', true);
  delete from interlock.inventory_conflicts
  where ctid = any (array(
    select c.ctid
    from interlock.inventory_conflicts c
    where c.created_at < v_now - v_keep.keep_inventory_conflicts
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_conflicts = row_count;

  delete from interlock.deliveries
  where ctid = any (array(
    select d.ctid
    from interlock.webhook_endpoints w
    cross join lateral (
      select q.ctid
      from interlock.deliveries q
      where q.endpoint_id = w.id
        and q.ended_at < v_now - v_keep.keep_deliveries
      limit v_limit
      for update skip locked
    ) d
    limit v_limit
  ));
  get diagnostics v_deliveries = row_count;

  v_told := interlock.purge_parts('outbox', v_limit);

  perform set_config('interlock.purging', 'packing_scans', true);
  delete from interlock.packing_scans
  where ctid = any (array(
    select c.ctid
    from interlock.packing_scans c
    where c.created_at < v_now - v_keep.keep_packing_scans
      and not exists (select from interlock.deliveries d where d.position = c.id)
      and not exists (
        select
        from interlock.picking_sessions s
        where s.id = c.picking_session_id
          and s.ended_at is null
      )
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_scans = row_count;

  perform set_config('interlock.purging', 'packing_conflicts', true);
  delete from interlock.packing_conflicts
  where ctid = any (array(
    select c.ctid
    from interlock.packing_conflicts c
    where c.created_at < v_now - v_keep.keep_inventory_conflicts
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_packing_conflicts = row_count;
  perform set_config('interlock.purging', '', true);

  delete from interlock.parked_sales
  where ctid = any (array(
    select p.ctid
    from interlock.parked_sales p
    where p.ended_at < v_now - v_keep.keep_parked_sales
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_parked = row_count;

  delete from interlock.payment_proofs
  where ctid = any (array(
    select f.ctid
    from interlock.payment_proofs f
    where f.decided_at < v_now - v_keep.keep_payment_proofs
      and not exists (
        select
        from interlock.orders o
        where o.id = f.order_id
          and o.status = 'pending_payment'
      )
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_proofs = row_count;

  delete from interlock.payment_events
  where ctid = any (array(
    select e.ctid
    from interlock.payment_events e
    where e.created_at < v_now - v_keep.keep_payment_events
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_events = row_count;

  return jsonb_build_object(
    'promo_attempts', v_attempts,
    'promo_redemptions', v_holds,
    'promo_user_uses', v_uses,
    'batch_events', v_batch_events,
    'order_events', v_order_events,
    'stock_movements', v_stock,
    'wallet_movements', v_money,
    'payment_proofs', v_proofs,
    'payment_events', v_events,
    'inventory_conflicts', v_conflicts,
    'packing_conflicts', v_packing_conflicts,
    'packing_scans', v_scans,
    'parked_sales', v_parked,
    'deliveries', v_deliveries,
    'events', v_told
  );
end
$$;
