-- Remove what is older than interlock.settings has it kept, at most p_limit rows of each table; answers how many of each.
-- What somebody may still act on stays whatever its age: the history of an order or a batch that is not at its end, the
-- proofs of an order that is not paid for (they count towards settings.max_payment_proofs), a use of a promo code that is
-- held, redeemed or returned. Stock, wallets, top-ups, orders and their lines are books, and are kept.
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
    where r.status in ('released', 'expired')
      and r.ended_at < v_now - v_keep.keep_promo_holds
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_holds = row_count;

  perform set_config('interlock.purging', 'batch_events', true);
  delete from interlock.batch_events
  where ctid = any (array(
    select e.ctid
    from interlock.batch_events e
    where e.created_at < v_now - v_keep.keep_batch_events
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

  perform set_config('interlock.purging', 'order_events', true);
  delete from interlock.order_events
  where ctid = any (array(
    select e.ctid
    from interlock.order_events e
    where e.created_at < v_now - v_keep.keep_order_events
      and not exists (
        select
        from interlock.orders o
        where o.id = e.order_id
          and interlock.is_owed_order(o.status)
      )
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_order_events = row_count;
  perform set_config('interlock.purging', '', true);

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

  return jsonb_build_object(
    'promo_attempts', v_attempts,
    'promo_redemptions', v_holds,
    'batch_events', v_batch_events,
    'order_events', v_order_events,
    'payment_proofs', v_proofs
  );
end
$$;
