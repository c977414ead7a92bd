-- What our functions bring with them, whoever calls: no search path, so that nobody can slip them
-- another table; at most two seconds for each lock; times in UTC; and what they leave to the next call: nothing.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(4);

create temporary view ours as
select p.oid::regprocedure::text as name, p.proconfig as settings
from pg_proc p
where p.pronamespace in ('public'::regnamespace, 'interlock'::regnamespace)
  and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e');

select is_empty(
  $$select name from ours where not coalesce(settings, '{}') @> '{"search_path=\"\""}'$$,
  'every function has an empty search path'
);

select results_eq(
  $$
    select (name || ': ' || string_agg(s, ', ' order by lower(s))) collate "default"
    from ours cross join unnest(settings) s
    where s not like 'search_path=%'
    group by name
    order by name collate "C"
  $$,
  $$
    values
      ('interlock.abandon_picking_session(uuid): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.abandon_stale_sessions(integer): lock_timeout=50ms'),
      ('interlock.accept_finding(uuid,text,text): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.accept_payment(uuid): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.add_shop(text): lock_timeout=2s'),
      ('interlock.adjust_points(uuid,text,text,bigint,bigint): lock_timeout=2s'),
      ('interlock.adjust_stock(uuid,integer,text,text): lock_timeout=2s'),
      ('interlock.adjust_wallet(uuid,bigint,text,text,text): lock_timeout=2s'),
      ('interlock.allow_email(text): lock_timeout=2s'),
      ('interlock.alpine_iq_sale(uuid): TimeZone=UTC'),
      ('interlock.approve_sale(uuid,text[],text): TimeZone=UTC'),
      ('interlock.archive_history(): lock_timeout=50ms'),
      ('interlock.assign_batch(uuid,uuid,text): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.audit_inventory(boolean): TimeZone=UTC'),
      ('interlock.begin_card_payment(uuid): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.bring_linked_changes(): lock_timeout=10s, plan_cache_mode=force_generic_plan'),
      ('interlock.bring_products(interlock.product_links,text[],numeric[],boolean): plan_cache_mode=force_generic_plan'),
      ('interlock.browse_shop(text,text,text,text,integer): plan_cache_mode=force_custom_plan, TimeZone=UTC'),
      ('interlock.cancel_order(uuid,text): lock_timeout=2s, plan_cache_mode=force_generic_plan, TimeZone=UTC'),
      ('interlock.checkout(jsonb,text,uuid,text,text,bigint,jsonb,jsonb,jsonb,text,uuid,uuid,bigint): lock_timeout=2s, plan_cache_mode=force_generic_plan, TimeZone=UTC'),
      ('interlock.checkout_line(jsonb,uuid,text,text,bigint,jsonb,jsonb,jsonb): lock_timeout=2s, plan_cache_mode=force_generic_plan, TimeZone=UTC'),
      ('interlock.claim_deliveries(text,integer): enable_seqscan=off, jit=off, lock_timeout=2s, TimeZone=UTC'),
      ('interlock.claim_picking(uuid,uuid[]): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.claim_product_codes_atomic(uuid,integer,uuid,text): lock_timeout=2s'),
      ('interlock.claim_route(uuid,text,text): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.close_ledger(uuid,integer): lock_timeout=50ms'),
      ('interlock.close_shift(uuid,bigint): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.correct_order(uuid,jsonb,jsonb,jsonb): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.count_stock(uuid,integer,integer,text,text): lock_timeout=2s'),
      ('interlock.create_order_transfer(): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.create_picking_session(uuid[],uuid,text): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.create_webhook_endpoint(text,text,text[],boolean): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.debit_wallet(uuid,bigint,text,text,text): lock_timeout=2s'),
      ('interlock.decrement_inventory(uuid,numeric,text): lock_timeout=2s'),
      ('interlock.decrement_product_quantity(uuid,integer,text): lock_timeout=2s'),
      ('interlock.delete_webhook_endpoint(uuid): lock_timeout=2s'),
      ('interlock.deliveries_due(): enable_seqscan=off, jit=off'),
      ('interlock.discard_parked_sale(uuid): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.erase_customer(uuid): lock_timeout=2s'),
      ('interlock.erase_user(uuid): lock_timeout=2s'),
      ('interlock.expire_cart_reservations(integer): lock_timeout=50ms'),
      ('interlock.expire_orders(integer): lock_timeout=50ms'),
      ('interlock.expire_parked_sales(integer): lock_timeout=50ms'),
      ('interlock.expire_promo_holds(integer): lock_timeout=50ms'),
      ('interlock.fill_customers(regclass,integer,boolean): lock_timeout=2s'),
      ('interlock.fill_link(regclass,integer,boolean): lock_timeout=2s'),
      ('interlock.fill_orders(regclass,integer,boolean): lock_timeout=2s'),
      ('interlock.find_crm_problems(jsonb): jit=off'),
      ('interlock.find_ledger_differences(uuid[]): jit=off'),
      ('interlock.fulfill_order(uuid): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.get_picking_session(uuid): TimeZone=UTC'),
      ('interlock.get_stock(uuid[]): plan_cache_mode=force_generic_plan'),
      ('interlock.guard_proof_upload(): lock_timeout=2s'),
      ('interlock.import_stock(text,boolean,boolean): lock_timeout=10s'),
      ('interlock.increment_packing_quantity(uuid,integer,integer,uuid,uuid): lock_timeout=2s'),
      ('interlock.increment_promo_usage(uuid,text): lock_timeout=2s'),
      ('interlock.link_customer(uuid,uuid): lock_timeout=2s'),
      ('interlock.link_customers(regclass,jsonb,text[],text,text,text,boolean,integer,text): lock_timeout=2s'),
      ('interlock.link_orders(regclass,jsonb,timestamp with time zone,boolean,integer,text): lock_timeout=2s'),
      ('interlock.link_products(regclass,jsonb,boolean,text,text,boolean,integer,text): lock_timeout=2s'),
      ('interlock.list_deliveries(uuid,text,bigint,integer): TimeZone=UTC'),
      ('interlock.list_orders(text,uuid,uuid,integer,bigint): plan_cache_mode=force_custom_plan, TimeZone=UTC'),
      ('interlock.list_payment_proofs(text,bigint,integer): TimeZone=UTC'),
      ('interlock.list_payments(text,uuid,integer): TimeZone=UTC'),
      ('interlock.list_shops(integer,integer): TimeZone=UTC'),
      ('interlock.list_wallet_movements(uuid,bigint,integer): TimeZone=UTC'),
      ('interlock.list_webhook_endpoints(): TimeZone=UTC'),
      ('interlock.mail_webhook(text,text): lock_timeout=2s'),
      ('interlock.make_deliveries(integer): plan_cache_mode=force_custom_plan'),
      ('interlock.make_history_parts(): lock_timeout=50ms'),
      ('interlock.manage_inventory(text,jsonb,text,text,uuid,boolean,timestamp with time zone,boolean,text): enable_hashjoin=off, enable_mergejoin=off, lock_timeout=2s, plan_cache_mode=force_generic_plan'),
      ('interlock.match_people(interlock.customer_links,text[],text[]): jit=off'),
      ('interlock.may_upload_proof(text): lock_timeout=2s'),
      ('interlock.merge_customers(uuid,uuid): lock_timeout=2s'),
      ('interlock.move_cash(uuid,text,bigint,text,text): lock_timeout=2s'),
      ('interlock.move_orders(uuid,uuid): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.new_events(integer): enable_seqscan=off, jit=off'),
      ('interlock.open_shift(uuid,bigint,uuid,timestamp with time zone): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.order_drift(regclass,timestamp with time zone): TimeZone=UTC'),
      ('interlock.order_row(interlock.order_links,interlock.orders,interlock.order_details,interlock.order_items[]): TimeZone=UTC'),
      ('interlock.order_story(uuid): TimeZone=UTC'),
      ('interlock.pack_item(uuid,uuid,uuid,text,integer,text,text,text): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.pack_units(uuid,uuid,uuid,integer,integer,uuid): lock_timeout=2s'),
      ('interlock.park_sale(uuid,text,jsonb,jsonb,boolean,timestamp with time zone,uuid,text): enable_hashjoin=off, enable_mergejoin=off, lock_timeout=2s, plan_cache_mode=force_generic_plan, TimeZone=UTC'),
      ('interlock.payment_webhook(text,text,text): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.pick_item(uuid,uuid,text,integer,integer,text,text,text): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.pos_sale(uuid,jsonb,jsonb,jsonb,jsonb,text,uuid,timestamp with time zone,uuid,uuid,bigint,text): enable_hashjoin=off, enable_mergejoin=off, lock_timeout=2s, plan_cache_mode=force_generic_plan, TimeZone=UTC'),
      ('interlock.process_order(uuid): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.put_order_row(interlock.order_links,jsonb): TimeZone=UTC'),
      ('interlock.quote_order(jsonb,text,text,jsonb,uuid): enable_hashjoin=off, enable_mergejoin=off, lock_timeout=2s, plan_cache_mode=force_generic_plan, TimeZone=UTC'),
      ('interlock.receipt_rows(uuid,text): jit=off'),
      ('interlock.record_delivery(bigint,uuid,integer,text,integer,integer,text): lock_timeout=2s'),
      ('interlock.redeem_order_transfer(text): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.redeem_points(bigint,text,text): lock_timeout=2s'),
      ('interlock.redeem_promo(uuid,text,uuid,uuid,text,jsonb): TimeZone=UTC'),
      ('interlock.refund_order(uuid,boolean): lock_timeout=2s, plan_cache_mode=force_generic_plan, TimeZone=UTC'),
      ('interlock.refund_order_lines(uuid,jsonb,text,boolean,boolean,boolean,text): lock_timeout=2s, plan_cache_mode=force_generic_plan, TimeZone=UTC'),
      ('interlock.refund_payment(uuid,bigint,text): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.reject_payment(uuid,text,boolean): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.release_cart(): lock_timeout=2s'),
      ('interlock.release_picking(uuid,uuid[]): lock_timeout=2s'),
      ('interlock.remove_order_from_session(uuid,uuid): lock_timeout=2s'),
      ('interlock.reopen_order(uuid,boolean): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.replace_product_code(bigint,text,text): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.reserve_cart(jsonb): enable_hashjoin=off, enable_mergejoin=off, lock_timeout=2s, plan_cache_mode=force_generic_plan, TimeZone=UTC'),
      ('interlock.resolve_finding(uuid,text): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.resume_parked_sale(uuid,uuid): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.retry_delivery(bigint,uuid,timestamp with time zone,timestamp with time zone): lock_timeout=2s'),
      ('interlock.roll_webhook_secret(uuid,integer): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.save_customer(jsonb,uuid): lock_timeout=2s'),
      ('interlock.send_test_event(uuid): lock_timeout=2s'),
      ('interlock.set_crm_mappings(jsonb,boolean): lock_timeout=2s'),
      ('interlock.set_crm_settings(text,boolean): lock_timeout=2s'),
      ('interlock.set_deliver_secret(text): lock_timeout=2s'),
      ('interlock.set_mail_settings(text,text,text,text[],text,interval,boolean): lock_timeout=2s'),
      ('interlock.set_mail_template(text,text,text,text,text): lock_timeout=2s'),
      ('interlock.set_mail_webhook_secret(text): lock_timeout=2s'),
      ('interlock.set_packed_quantity(uuid,integer,integer): lock_timeout=2s'),
      ('interlock.set_payment_secret(text,text): lock_timeout=2s'),
      ('interlock.set_promo_slots(uuid,integer): lock_timeout=2s'),
      ('interlock.set_shop(integer,text,integer,text): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.set_stock_slots(uuid,integer): lock_timeout=2s'),
      ('interlock.settle_customer_tier(uuid): lock_timeout=2s'),
      ('interlock.settle_points(integer): lock_timeout=2s'),
      ('interlock.settle_slots(uuid): lock_timeout=2s'),
      ('interlock.ship_order(uuid,text): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.ship_order_lines(uuid,jsonb,text,text): lock_timeout=2s, plan_cache_mode=force_generic_plan, TimeZone=UTC'),
      ('interlock.shop_health(boolean): TimeZone=UTC'),
      ('interlock.start_packing(uuid): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.store_card_payment(uuid,text,boolean): lock_timeout=2s'),
      ('interlock.submit_payment_proof(uuid,text): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.suppress_email(text,text): lock_timeout=2s'),
      ('interlock.take_packed_stock(interlock.picking_sessions,uuid): enable_hashjoin=off, enable_mergejoin=off'),
      ('interlock.top_up_wallet(uuid,bigint,text,text): lock_timeout=2s'),
      ('interlock.unlink_customers(regclass,boolean): lock_timeout=2s'),
      ('interlock.unlink_orders(regclass): lock_timeout=2s'),
      ('interlock.unlink_products(regclass,boolean): lock_timeout=2s'),
      ('interlock.update_webhook_endpoint(uuid,text,text,text[],boolean,boolean): lock_timeout=2s, TimeZone=UTC'),
      ('interlock.validate_promo(text,jsonb,bigint,uuid,boolean,text,text): enable_hashjoin=off, enable_mergejoin=off, lock_timeout=2s, plan_cache_mode=force_generic_plan, TimeZone=UTC'),
      ('interlock.void_sale(uuid,text,uuid): enable_hashjoin=off, enable_mergejoin=off, lock_timeout=2s, plan_cache_mode=force_generic_plan, TimeZone=UTC'),
      ('interlock.write_order_row(interlock.order_links,uuid): lock_timeout=100ms')
  $$,
  'those that lock give up after two seconds, a sweep much sooner, those that answer with times do so in UTC, and what is estimated wrong is neither compiled nor read whole'
);

-- Whoever locks says so at another isolation level, before anything else (and tests/areas/foundation asks each of them).
select is_empty(
  $$
    select p.oid::regprocedure
    from pg_proc p
    where p.pronamespace = 'interlock'::regnamespace
      and (
        p.proconfig && '{lock_timeout=2s,lock_timeout=50ms}'
        -- These wait for nobody, or for what another one waits for.
        or p.proname in ('audit_inventory', 'close_ledgers', 'purge_history', 'purge_idempotency_keys')
      )
      and p.prosrc !~ '^\n(declare\n.*?\n)?begin\n  if current_setting\(''transaction_isolation''\) <> ''read committed'' then\n    perform interlock\.raise_isolation_level\(\);\n  end if;\n'
  $$,
  'every function that locks refuses another isolation level first'
);

-- A connection is used for one call after another.
select is_empty(
  $$
    select p.oid::regprocedure
    from pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'interlock'::regnamespace)
      and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e')
      and p.prosrc ~ 'set_config\([^;]*, false\)'
  $$,
  'what a function sets ends with its transaction'
);

select * from finish();
rollback;
