-- Who may do what with which table, and who may call which function. Row security decides about rows,
-- and this about the rest: a right that is not in these lists is a mistake, whether or not a policy
-- would still stand in its way.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(2);

select results_eq(
  $$
    select format('%s: %s', c.oid::regclass, string_agg(r.role || ' ' || r.rights, ', ' order by r.role))
    from pg_class c
    cross join lateral (
      select g.role, string_agg(p.name, '+' order by p.name) as rights
      from unnest(array['anon', 'authenticated', 'service_role']) as g (role)
      cross join unnest(array['delete', 'insert', 'references', 'select', 'trigger', 'truncate', 'update']) as p (name)
      where has_table_privilege(g.role, c.oid, p.name)
      group by g.role
    ) r
    where c.relkind in ('r', 'v', 'm', 'p', 'f')
      and c.relnamespace in ('public'::regnamespace, 'interlock'::regnamespace)
      and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e')
    group by c.oid
    order by c.oid::regclass::text collate "C"
  $$,
  $$
    values
      ('batch_events: authenticated select, service_role select'),
      ('batches: authenticated select, service_role delete+insert+select+update'),
      ('cart_reservation_lines: authenticated select, service_role select'),
      ('cart_reservations: authenticated select, service_role select'),
      ('code_differences: service_role select'),
      ('drivers: authenticated select, service_role delete+insert+select+update'),
      ('interlock.batch_events: authenticated select, service_role select'),
      ('interlock.batches: authenticated select, service_role delete+insert+select+update'),
      ('interlock.cart_reservation_lines: authenticated select, service_role select'),
      ('interlock.cart_reservations: authenticated select, service_role select'),
      ('interlock.code_differences: service_role select'),
      ('interlock.counter_slots: service_role select'),
      ('interlock.customer_open_orders: service_role select'),
      ('interlock.drivers: authenticated select, service_role delete+insert+select+update'),
      ('interlock.inventory_audits: authenticated select, service_role select'),
      ('interlock.inventory_findings: authenticated select, service_role select'),
      ('interlock.order_detail_changes: service_role select'),
      ('interlock.order_details: authenticated select, service_role select'),
      ('interlock.order_events: authenticated select, service_role select'),
      ('interlock.order_items: authenticated select, service_role select'),
      ('interlock.order_refund_items: authenticated select, service_role select'),
      ('interlock.order_refunds: authenticated select, service_role select'),
      ('interlock.order_shipment_items: authenticated select, service_role select'),
      ('interlock.order_shipments: authenticated select, service_role select'),
      ('interlock.order_transfers: service_role select'),
      ('interlock.orders: authenticated select, service_role select'),
      ('interlock.payment_events: service_role select'),
      ('interlock.payment_proofs: authenticated select, service_role select'),
      ('interlock.payment_refunds: service_role select'),
      ('interlock.payments: authenticated select, service_role select'),
      ('interlock.product_codes: authenticated select, service_role delete+insert+select+update'),
      ('interlock.products: anon select, authenticated select, service_role delete+insert+select+update'),
      ('interlock.promo_attempts: service_role delete+select'),
      ('interlock.promo_code_products: service_role delete+insert+select'),
      ('interlock.promo_codes: service_role delete+select'),
      ('interlock.promo_differences: service_role select'),
      ('interlock.promo_redemptions: service_role select'),
      ('interlock.promo_user_uses: service_role select'),
      ('interlock.settings: service_role select+update'),
      ('interlock.shipping_methods: anon select, authenticated select, service_role delete+insert+select+update'),
      ('interlock.stock_balances: service_role select'),
      ('interlock.stock_differences: service_role select'),
      ('interlock.stock_movements: service_role select'),
      ('interlock.tax_rates: anon select, authenticated select, service_role delete+insert+select+update'),
      ('interlock.wallet_balances: service_role select'),
      ('interlock.wallet_differences: service_role select'),
      ('interlock.wallet_movements: authenticated select, service_role select'),
      ('interlock.wallet_top_ups: service_role select'),
      ('interlock.wallets: authenticated select, service_role select'),
      ('inventory_audits: authenticated select, service_role select'),
      ('inventory_findings: authenticated select, service_role select'),
      ('order_detail_changes: service_role select'),
      ('order_details: authenticated select, service_role select'),
      ('order_events: authenticated select, service_role select'),
      ('order_items: authenticated select, service_role select'),
      ('order_refund_items: authenticated select, service_role select'),
      ('order_refunds: authenticated select, service_role select'),
      ('order_shipment_items: authenticated select, service_role select'),
      ('order_shipments: authenticated select, service_role select'),
      ('orders: authenticated select, service_role select'),
      ('payment_proofs: authenticated select, service_role select'),
      ('payments: authenticated select, service_role select'),
      ('product_codes: authenticated select, service_role delete+insert+select+update'),
      ('products: anon select, authenticated select, service_role delete+insert+select+update'),
      ('promo_code_products: service_role delete+insert+select'),
      ('promo_codes: service_role delete+select'),
      ('promo_differences: service_role select'),
      ('promo_redemptions: service_role select'),
      ('shipping_methods: anon select, authenticated select, service_role delete+insert+select+update'),
      ('stock_differences: service_role select'),
      ('stock_movements: service_role select'),
      ('tax_rates: anon select, authenticated select, service_role delete+insert+select+update'),
      ('wallet_differences: service_role select'),
      ('wallet_movements: authenticated select, service_role select'),
      ('wallets: authenticated select, service_role select')
  $$,
  'every role has these rights and no other'
);

-- pgTAP files look names up in `public`, so names without a schema are there.
select results_eq(
  $$
    select p.oid::regprocedure || ': ' || string_agg(g.role, ', ' order by g.role)
    from pg_proc p
    cross join unnest(array['anon', 'authenticated', 'service_role']) as g (role)
    where p.pronamespace in ('public'::regnamespace, 'interlock'::regnamespace)
      and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e')
      and has_function_privilege(g.role, p.oid, 'execute')
    group by p.oid
    order by p.oid::regprocedure::text collate "C"
  $$,
  $$
    values
      ('accept_finding(uuid,text,text): authenticated, service_role'),
      ('accept_payment(uuid): authenticated, service_role'),
      ('adjust_stock(uuid,integer,text,text): authenticated, service_role'),
      ('adjust_wallet(uuid,bigint,text,text,text): authenticated, service_role'),
      ('assign_batch(uuid,uuid,text): authenticated, service_role'),
      ('audit_inventory(boolean): service_role'),
      ('begin_card_payment(uuid): authenticated, service_role'),
      ('cancel_order(uuid,text): authenticated, service_role'),
      ('checkout(jsonb,text,uuid,text,text,bigint,jsonb,jsonb,jsonb,text,uuid,uuid,bigint): authenticated, service_role'),
      ('claim_product_codes_atomic(uuid,integer,uuid,text): service_role'),
      ('claim_route(uuid,text,text): authenticated, service_role'),
      ('close_ledgers(integer): service_role'),
      ('correct_order(uuid,jsonb,jsonb,jsonb): authenticated, service_role'),
      ('count_stock(uuid,integer,integer,text,text): authenticated, service_role'),
      ('create_order_transfer(): authenticated, service_role'),
      ('debit_wallet(uuid,bigint,text,text,text): authenticated, service_role'),
      ('decrement_product_quantity(uuid,integer,text): service_role'),
      ('erase_user(uuid): service_role'),
      ('expire_cart_reservations(integer): service_role'),
      ('expire_orders(integer): service_role'),
      ('expire_promo_holds(integer): service_role'),
      ('fulfill_order(uuid): authenticated, service_role'),
      ('get_stock(uuid[]): anon, authenticated, service_role'),
      ('increment_promo_usage(uuid,text): service_role'),
      ('interlock.accept_finding(uuid,text,text): authenticated, service_role'),
      ('interlock.accept_payment(uuid): authenticated, service_role'),
      ('interlock.adjust_stock(uuid,integer,text,text): authenticated, service_role'),
      ('interlock.adjust_wallet(uuid,bigint,text,text,text): authenticated, service_role'),
      ('interlock.assign_batch(uuid,uuid,text): authenticated, service_role'),
      ('interlock.audit_inventory(boolean): service_role'),
      ('interlock.begin_card_payment(uuid): authenticated, service_role'),
      ('interlock.cancel_order(uuid,text): authenticated, service_role'),
      ('interlock.checkout(jsonb,text,uuid,text,text,bigint,jsonb,jsonb,jsonb,text,uuid,uuid,bigint): authenticated, service_role'),
      ('interlock.claim_product_codes_atomic(uuid,integer,uuid,text): service_role'),
      ('interlock.claim_route(uuid,text,text): authenticated, service_role'),
      ('interlock.close_ledgers(integer): service_role'),
      ('interlock.correct_order(uuid,jsonb,jsonb,jsonb): authenticated, service_role'),
      ('interlock.count_stock(uuid,integer,integer,text,text): authenticated, service_role'),
      ('interlock.create_order_transfer(): authenticated, service_role'),
      ('interlock.debit_wallet(uuid,bigint,text,text,text): authenticated, service_role'),
      ('interlock.decrement_product_quantity(uuid,integer,text): service_role'),
      ('interlock.erase_user(uuid): service_role'),
      ('interlock.expire_cart_reservations(integer): service_role'),
      ('interlock.expire_orders(integer): service_role'),
      ('interlock.expire_promo_holds(integer): service_role'),
      ('interlock.fulfill_order(uuid): authenticated, service_role'),
      ('interlock.get_stock(uuid[]): anon, authenticated, service_role'),
      ('interlock.increment_promo_usage(uuid,text): service_role'),
      ('interlock.is_line(text,integer): service_role'),
      ('interlock.is_staff(): authenticated, service_role'),
      ('interlock.is_time_zone(text): service_role'),
      ('interlock.list_orders(text,uuid,uuid,integer,bigint): authenticated, service_role'),
      ('interlock.list_payment_proofs(text,bigint,integer): authenticated, service_role'),
      ('interlock.list_payments(text,uuid,integer): authenticated, service_role'),
      ('interlock.list_wallet_movements(uuid,bigint,integer): authenticated, service_role'),
      ('interlock.may_upload_proof(text): authenticated, service_role'),
      ('interlock.most_units(): service_role'),
      ('interlock.move_orders(uuid,uuid): authenticated, service_role'),
      ('interlock.new_id(): service_role'),
      ('interlock.normal_code(text): service_role'),
      ('interlock.normal_text(text): service_role'),
      ('interlock.payment_webhook(text,text,text): anon, authenticated, service_role'),
      ('interlock.process_order(uuid): authenticated, service_role'),
      ('interlock.promo_end(timestamp with time zone,date,text): service_role'),
      ('interlock.purge_history(integer): service_role'),
      ('interlock.purge_idempotency_keys(integer): service_role'),
      ('interlock.quote_order(jsonb,text,text,jsonb,uuid): authenticated, service_role'),
      ('interlock.redeem_order_transfer(text): authenticated, service_role'),
      ('interlock.refund_order(uuid,boolean): authenticated, service_role'),
      ('interlock.refund_order_lines(uuid,jsonb,text,boolean,boolean,boolean,text): authenticated, service_role'),
      ('interlock.refund_payment(uuid,bigint,text): authenticated, service_role'),
      ('interlock.reject_payment(uuid,text,boolean): authenticated, service_role'),
      ('interlock.release_cart(): authenticated, service_role'),
      ('interlock.reopen_order(uuid,boolean): authenticated, service_role'),
      ('interlock.replace_product_code(bigint,text,text): authenticated, service_role'),
      ('interlock.reserve_cart(jsonb): authenticated, service_role'),
      ('interlock.resolve_finding(uuid,text): authenticated, service_role'),
      ('interlock.set_payment_secret(text,text): service_role'),
      ('interlock.set_promo_slots(uuid,integer): service_role'),
      ('interlock.set_stock_slots(uuid,integer): service_role'),
      ('interlock.settle_slots(uuid): service_role'),
      ('interlock.ship_order(uuid,text): authenticated, service_role'),
      ('interlock.ship_order_lines(uuid,jsonb,text,text): authenticated, service_role'),
      ('interlock.store_card_payment(uuid,text,boolean): authenticated, service_role'),
      ('interlock.submit_payment_proof(uuid,text): authenticated, service_role'),
      ('interlock.top_up_wallet(uuid,bigint,text,text): service_role'),
      ('interlock.validate_promo(text,jsonb,bigint,uuid,boolean,text,text): authenticated, service_role'),
      ('list_orders(text,uuid,uuid,integer,bigint): authenticated, service_role'),
      ('list_payment_proofs(text,bigint,integer): authenticated, service_role'),
      ('list_payments(text,uuid,integer): authenticated, service_role'),
      ('list_wallet_movements(uuid,bigint,integer): authenticated, service_role'),
      ('move_orders(uuid,uuid): authenticated, service_role'),
      ('payment_webhook(text,text,text): anon, authenticated, service_role'),
      ('process_order(uuid): authenticated, service_role'),
      ('purge_history(integer): service_role'),
      ('purge_idempotency_keys(integer): service_role'),
      ('quote_order(jsonb,text,text,jsonb,uuid): authenticated, service_role'),
      ('redeem_order_transfer(text): authenticated, service_role'),
      ('refund_order(uuid,boolean): authenticated, service_role'),
      ('refund_order_lines(uuid,jsonb,text,boolean,boolean,boolean,text): authenticated, service_role'),
      ('refund_payment(uuid,bigint,text): authenticated, service_role'),
      ('reject_payment(uuid,text,boolean): authenticated, service_role'),
      ('release_cart(): authenticated, service_role'),
      ('reopen_order(uuid,boolean): authenticated, service_role'),
      ('replace_product_code(bigint,text,text): authenticated, service_role'),
      ('reserve_cart(jsonb): authenticated, service_role'),
      ('resolve_finding(uuid,text): authenticated, service_role'),
      ('set_payment_secret(text,text): service_role'),
      ('set_promo_slots(uuid,integer): service_role'),
      ('set_stock_slots(uuid,integer): service_role'),
      ('settle_slots(uuid): service_role'),
      ('ship_order(uuid,text): authenticated, service_role'),
      ('ship_order_lines(uuid,jsonb,text,text): authenticated, service_role'),
      ('store_card_payment(uuid,text,boolean): authenticated, service_role'),
      ('submit_payment_proof(uuid,text): authenticated, service_role'),
      ('top_up_wallet(uuid,bigint,text,text): service_role'),
      ('validate_promo(text,jsonb,bigint,uuid,boolean,text,text): authenticated, service_role')
  $$,
  'every role may call these functions and no other'
);

select * from finish();
rollback;
