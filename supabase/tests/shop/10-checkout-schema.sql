-- Products, orders, wallets, codes and their ledgers: names and shapes other people's
-- scripts rely on, and who may do what to every table.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(378);

-- Columns -----------------------------------------------------------------

-- A domain is told as what it is made of.
create function pg_temp.base_type(p_type oid, p_modifier int)
returns text
language sql
as $$
  select coalesce(format_type(nullif(d.typbasetype, 0), d.typtypmod), format_type(p_type, p_modifier))
  from pg_catalog.pg_type d
  where d.oid = p_type
$$;

select is(
  (
    select array_agg(format('%s %s%s', a.attname, pg_temp.base_type(a.atttypid, a.atttypmod),
      case when a.attnotnull then ' not null' else '' end) order by a.attnum)
    from pg_catalog.pg_attribute a
    where a.attrelid = t.name::regclass and a.attnum > 0 and not a.attisdropped and a.attname <> 'shop_id'
  ),
  t.columns,
  format('columns of %s', t.name)
)
from (values
  ('interlock.products', array[
    'id uuid not null', 'name text not null', 'price bigint not null', 'currency character(3) not null',
    'available_quantity integer not null', 'kind text not null', 'active boolean not null',
    'created_at timestamp with time zone not null', 'stock_slots integer not null',
    'tax_class text not null', 'stock_policy text not null', 'backorder_limit integer not null',
    'backordered integer not null', 'max_per_order integer', 'max_per_customer integer',
    'unit text not null', 'decimals integer not null', 'loyalty_class text not null', 'low_stock_at integer not null'
  ]),
  ('interlock.stock_movements', array[
    'id bigint not null', 'product_id uuid not null', 'location_id uuid not null', 'delta numeric not null', 'balance_after numeric',
    'reason text not null', 'reference_id uuid', 'reference text', 'actor uuid', 'created_at timestamp with time zone not null'
  ]),
  ('interlock.wallets', array[
    'user_id uuid not null', 'balance bigint not null', 'currency character(3) not null',
    'created_at timestamp with time zone not null'
  ]),
  ('interlock.wallet_movements', array[
    'id bigint not null', 'user_id uuid not null', 'delta bigint not null', 'balance_after bigint not null',
    'currency character(3) not null', 'reason text not null', 'reference_id uuid', 'reference text', 'actor uuid',
    'created_at timestamp with time zone not null'
  ]),
  ('interlock.orders', array[
    'id uuid not null', 'number bigint not null', 'user_id uuid', 'status text not null', 'fulfillment text not null', 'currency character(3) not null',
    'subtotal bigint not null', 'discount bigint not null', 'total bigint not null', 'shipping_method text', 'shipping bigint not null',
    'shipping_tax bigint not null', 'tax bigint not null', 'tax_included bigint not null',
    'payment_method text not null', 'wallet_amount bigint not null', 'promo_code_id uuid', 'cart_id uuid', 'counted_units integer',
    'payment_expires_at timestamp with time zone', 'proof_submitted_at timestamp with time zone',
    'created_at timestamp with time zone not null', 'paid_at timestamp with time zone',
    'shipped_at timestamp with time zone', 'tracking text', 'fulfilled_at timestamp with time zone',
    'cancelled_at timestamp with time zone',
    'refunded_at timestamp with time zone', 'refunded_outside boolean not null', 'refunded bigint not null'
  ]),
  ('interlock.order_items', array[
    'order_id uuid not null', 'product_id uuid not null', 'quantity integer not null',
    'unit_price bigint not null', 'name text not null', 'kind text not null', 'discount bigint not null',
    'tax bigint not null', 'tax_percent numeric', 'tax_inclusive boolean',
    'untracked boolean not null', 'backordered integer not null'
  ]),
  ('interlock.order_transfers', array[
    'id uuid not null', 'from_user_id uuid', 'to_user_id uuid', 'token_hash bytea', 'expires_at timestamp with time zone',
    'created_at timestamp with time zone not null', 'moved_at timestamp with time zone', 'orders integer not null',
    'amount bigint not null', 'currency character(3)', 'actor uuid'
  ]),
  ('interlock.order_refunds', array[
    'id uuid not null', 'order_id uuid not null', 'subtotal bigint not null', 'discount bigint not null', 'shipping bigint not null',
    'tax bigint not null', 'tax_included bigint not null', 'amount bigint not null', 'with_shipping boolean not null',
    'paid boolean not null', 'to_wallet bigint not null', 'to_card bigint not null', 'by_shop bigint not null', 'reason text',
    'actor uuid', 'created_at timestamp with time zone not null'
  ]),
  ('interlock.order_refund_items', array[
    'order_id uuid not null', 'product_id uuid not null', 'first_unit integer not null', 'refund_id uuid not null',
    'quantity integer not null', 'from_shelf integer not null', 'restocked integer not null', 'subtotal bigint not null',
    'discount bigint not null', 'tax bigint not null', 'tax_included bigint not null', 'amount bigint not null'
  ]),
  ('interlock.order_shipments', array[
    'id uuid not null', 'order_id uuid not null', 'tracking text', 'actor uuid', 'created_at timestamp with time zone not null'
  ]),
  ('interlock.order_shipment_items', array[
    'order_id uuid not null', 'product_id uuid not null', 'first_unit integer not null', 'shipment_id uuid not null',
    'quantity integer not null'
  ]),
  ('interlock.wallet_top_ups', array[
    'reference text not null', 'user_id uuid not null', 'amount bigint not null', 'currency character(3) not null',
    'created_at timestamp with time zone not null'
  ]),
  ('interlock.order_events', array[
    'id bigint not null', 'order_id uuid not null', 'event text not null', 'tracking text', 'actor uuid',
    'created_at timestamp with time zone not null',
    'transaction xid8 not null', 'request_id text'
  ]),
  ('interlock.product_codes', array[
    'id bigint not null', 'product_id uuid not null', 'code text not null', 'order_id uuid',
    'used_at timestamp with time zone', 'replaced_by bigint', 'replaced_at timestamp with time zone',
    'replaced_reason text', 'replaced_actor uuid', 'created_at timestamp with time zone not null'
  ]),
  ('interlock.payment_proofs', array[
    'id bigint not null', 'order_id uuid not null', 'object_path text', 'status text not null',
    'created_at timestamp with time zone not null', 'decided_at timestamp with time zone', 'reason text'
  ]),
  ('interlock.idempotency_keys', array[
    'user_id uuid not null', 'operation text not null', 'key text not null', 'request_hash bytea not null',
    'response text', 'created_at timestamp with time zone not null', 'expires_at timestamp with time zone not null'
  ])
) as t (name, columns);

select set_has(
  $$
    select conname::text
    from pg_catalog.pg_constraint
    where connamespace in ('public'::regnamespace, 'interlock'::regnamespace)
  $$,
  $$
    values
      ('products_available_quantity_nonnegative'), ('products_price_sane'), ('currency_code_format'),
      ('products_kind_known'), ('label_length'), ('quantity_change_range'),
      ('wallets_balance_nonnegative'), ('currency_code_format'), ('wallets_user_id_fkey'),
      ('amount_change_nonzero'), ('orders_status_known'), ('orders_number_key'),
      ('orders_payment_method_known'), ('orders_user_id_fkey'),
      ('order_items_pkey'), ('order_items_order_id_fkey'), ('positive_count_range'),
      ('product_codes_unique'), ('product_codes_delivered_has_order'), ('product_codes_order_id_fkey'),
      ('payment_proofs_unique'), ('idempotency_keys_pkey'), ('idempotency_key_format'),
      ('settings_payment_window_sane'), ('settings_idempotency_key_lifetime_sane')
  $$,
  'constraints have the names that documents and scripts use'
);

-- What columns of an order say of each other is checked by a trigger, under names as constraints have them.
insert into auth.users (id, email) values ('7d000000-0000-4000-8000-000000000001', 'whole@example.com') on conflict do nothing;
create function pg_temp.order_of(p_change jsonb)
returns text
language plpgsql
as $$
declare
  v_constraint text;
begin
  insert into interlock.orders
  select o.*
  from jsonb_populate_record(null::interlock.orders, jsonb_build_object(
    'id', gen_random_uuid(), 'number', nextval('interlock.orders_number_seq'), 'user_id', '7d000000-0000-4000-8000-000000000001',
    'status', 'confirmed', 'fulfillment', 'unfulfilled', 'currency', 'USD', 'subtotal', 700, 'discount', 0, 'total', 700, 'shipping', 0,
    'shipping_tax', 0, 'tax', 0, 'tax_included', 0, 'payment_method', 'cash_on_delivery', 'wallet_amount', 0, 'created_at', now(),
    'refunded_outside', false, 'refunded', 0
  ) || p_change) o;
  return 'is written';
exception
  when check_violation then
    get stacked diagnostics v_constraint = constraint_name;
    return v_constraint;
end
$$;
select is(pg_temp.order_of(o.change), o.result, format('%s: %s', o.change, o.result))
from (values
  ('{}'::jsonb, 'is written'),
  ('{"total": 701}', 'orders_total_adds_up'),
  ('{"subtotal": 100, "discount": 200, "shipping": 100, "total": 0}', 'orders_discount_within_subtotal'),
  ('{"status": "pending_payment"}', 'orders_payment_deadline_matches_status'),
  ('{"paid_at": "2026-01-01T00:00:00Z"}', 'orders_times_match_status')
) as o (change, result);

select is(
  (select convalidated from pg_catalog.pg_constraint where conname = 'products_available_quantity_nonnegative'),
  true,
  'the check on stock is validated'
);
select is_empty(
  $$
    select conname
    from pg_catalog.pg_constraint
    where contype = 'f'
      and confrelid = 'interlock.products'::regclass
      and conrelid in ('interlock.order_items'::regclass, 'interlock.stock_movements'::regclass)
  $$,
  'what is written with every sale has no foreign key to products'
);

-- Functions ---------------------------------------------------------------

select function_returns('public', f.name, f.args, f.returns)
from (values
  ('checkout', array['jsonb', 'text', 'uuid', 'text', 'text', 'bigint', 'jsonb', 'jsonb', 'jsonb', 'text', 'uuid', 'uuid', 'bigint'], 'json'),
  ('adjust_stock', array['uuid', 'integer', 'text', 'text'], 'jsonb'),
  ('count_stock', array['uuid', 'integer', 'integer', 'text', 'text'], 'jsonb'),
  ('decrement_product_quantity', array['uuid', 'integer', 'text'], 'jsonb'),
  ('claim_product_codes_atomic', array['uuid', 'integer', 'uuid', 'text'], 'setof record'),
  ('top_up_wallet', array['uuid', 'bigint', 'text', 'text'], 'jsonb'),
  ('cancel_order', array['uuid', 'text'], 'json'),
  ('refund_order', array['uuid', 'boolean'], 'json'),
  ('refund_order_lines', array['uuid', 'jsonb', 'text', 'boolean', 'boolean', 'boolean', 'text'], 'json'),
  ('process_order', array['uuid'], 'json'),
  ('ship_order', array['uuid', 'text'], 'json'),
  ('ship_order_lines', array['uuid', 'jsonb', 'text', 'text'], 'json'),
  ('fulfill_order', array['uuid'], 'json'),
  ('accept_payment', array['uuid'], 'json'),
  ('reject_payment', array['uuid', 'text', 'boolean'], 'json'),
  ('expire_orders', array['integer'], 'jsonb'),
  ('submit_payment_proof', array['uuid', 'text'], 'json')
) as f (name, args, returns);

select is_empty(
  $$
    select proname
    from pg_catalog.pg_proc
    where pronamespace = 'public'::regnamespace
      and proname in (
        'adjust_stock', 'count_stock', 'replace_product_code', 'checkout', 'claim_route', 'cancel_order', 'refund_order', 'decrement_product_quantity',
        'claim_product_codes_atomic', 'top_up_wallet', 'expire_orders', 'submit_payment_proof', 'reject_payment'
      )
    group by proname
    having count(*) > 1
  $$,
  'every RPC has one signature: PostgREST cannot be in doubt'
);

-- Cast --------------------------------------------------------------------

insert into auth.users (id, aud, role, email)
values
  ('7c000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-buyer@example.com'),
  ('7c000000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'tap-other@example.com'),
  ('7c000000-0000-4000-8000-000000000003', 'authenticated', 'authenticated', 'tap-staff@example.com');

insert into interlock.products (id, name, price, currency, available_quantity, kind, active)
values
  ('7d000000-0000-4000-8000-000000000001', 'tap visible', 100, 'EUR', 10, 'physical', true),
  ('7d000000-0000-4000-8000-000000000002', 'tap hidden', 100, 'EUR', 10, 'physical', false),
  ('7d000000-0000-4000-8000-000000000003', 'tap digital', 100, 'EUR', 0, 'digital', true);

insert into interlock.product_codes (product_id, code)
values
  ('7d000000-0000-4000-8000-000000000003', 'tap-1'),
  ('7d000000-0000-4000-8000-000000000003', 'tap-2'),
  ('7d000000-0000-4000-8000-000000000003', 'tap-3');

insert into interlock.wallets (user_id, balance, currency)
values ('7c000000-0000-4000-8000-000000000001', 1000, 'EUR');

-- The buyer has a paid order with a code, and one that waits for its payment with another.
select set_config(
  'request.jwt.claims', '{"role": "authenticated", "sub": "7c000000-0000-4000-8000-000000000001"}', true
);
set local role authenticated;
create temporary table tap_orders as
  select
    o.name,
    (public.checkout(
      '[{"product_id": "7d000000-0000-4000-8000-000000000003", "quantity": 1}]',
      p_payment_method => o.method
    ) -> 'order' ->> 'id')::uuid as id
  from (values ('paid', 'wallet'), ('pending', 'bank_transfer')) as o (name, method);
reset role;

-- Where there is a storage schema a proof has to be uploaded first.
do $$
begin
  if to_regclass('storage.objects') is not null then
    insert into storage.objects (bucket_id, name)
    select 'payment-proofs', '7c000000-0000-4000-8000-000000000001/' || id || '/proof.png'
    from tap_orders;
  end if;
end
$$;

set local role authenticated;
select public.submit_payment_proof(
  id, '7c000000-0000-4000-8000-000000000001/' || id || '/proof.png'
)
from tap_orders
where name = 'pending';
reset role;
grant select on tap_orders to public;

create temporary table callers (caller text primary key, role text, claims jsonb);
insert into callers
values
  ('anon', 'anon', '{}'),
  ('buyer', 'authenticated', '{"sub": "7c000000-0000-4000-8000-000000000001"}'),
  ('other', 'authenticated', '{"sub": "7c000000-0000-4000-8000-000000000002"}'),
  ('staff', 'authenticated',
    '{"sub": "7c000000-0000-4000-8000-000000000003", "app_metadata": {"role": "staff"}}'),
  ('pretender', 'authenticated',
    '{"sub": "7c000000-0000-4000-8000-000000000002", "user_metadata": {"role": "staff"}, "role": "staff"}'),
  ('service', 'service_role', '{}');

-- Runs a statement as a caller. Answers the number of rows, or the SQLSTATE. What it did
-- is undone unless p_keep: a refusal that refuses nothing must leave a trace.
create function pg_temp.attempt(p_caller text, p_sql text, p_keep boolean)
returns text
language plpgsql
as $$
declare
  v_caller callers;
  v_rows bigint;
begin
  select * into strict v_caller from callers where caller = p_caller;
  perform set_config('request.jwt.claims', (jsonb_build_object('role', v_caller.role) || v_caller.claims)::text, true);
  begin
    execute format('set local role %I', v_caller.role);
    execute p_sql;
    get diagnostics v_rows = row_count;
    reset role;
    if not p_keep then
      raise exception using errcode = 'ZZUND', message = v_rows::text;
    end if;
    return v_rows::text;
  exception
    when sqlstate 'ZZUND' then
      return sqlerrm;
    when others then
      return sqlstate;
  end;
end
$$;

create function pg_temp.fingerprint()
returns text
language sql
as $$
  select md5(concat(
    (select string_agg(t::text, ';' order by t.id) from interlock.products t),
    (select string_agg(t::text, ';' order by t.id) from interlock.stock_movements t),
    (select string_agg(t::text, ';' order by t.user_id) from interlock.wallets t),
    (select string_agg(t::text, ';' order by t.id) from interlock.wallet_movements t),
    (select string_agg(t::text, ';' order by t.id) from interlock.orders t),
    (select string_agg(t::text, ';' order by t.order_id, t.product_id) from interlock.order_items t),
    (select string_agg(t::text, ';' order by t.id) from interlock.order_events t),
    (select string_agg(t::text, ';' order by t.id) from interlock.product_codes t),
    (select string_agg(t::text, ';' order by t.id) from interlock.payment_proofs t),
    (select string_agg(t::text, ';' order by t.key) from interlock.idempotency_keys t)
  ))
$$;

-- Tables ------------------------------------------------------------------

create temporary table statements (tbl text, verb text, sql text, primary key (tbl, verb));
insert into statements
select t.tbl, v.verb, format(v.template, t.tbl, t.mine, t.col)
from (values
  ('interlock.products', 'id::text like ''7d000000%''', 'name'),
  ('interlock.stock_movements', 'product_id::text like ''7d000000%''', 'reason'),
  ('interlock.wallets', 'user_id::text like ''7c000000%''', 'balance'),
  ('interlock.wallet_movements', 'user_id::text like ''7c000000%''', 'reason'),
  ('interlock.orders', 'id in (select id from tap_orders)', 'status'),
  ('interlock.order_items', 'order_id in (select id from tap_orders)', 'quantity'),
  ('interlock.order_events', 'order_id in (select id from tap_orders)', 'event'),
  ('interlock.product_codes', 'product_id::text like ''7d000000%''', 'code'),
  ('interlock.payment_proofs', 'order_id in (select id from tap_orders)', 'status'),
  ('interlock.idempotency_keys', 'true', 'response'),
  ('interlock.stock_differences', 'true', 'product_id'),
  ('interlock.wallet_differences', 'true', 'user_id'),
  ('interlock.code_differences', 'true', 'product_id')
) as t (tbl, mine, col)
cross join (values
  ('select', 'select * from %1$s where %2$s'),
  ('insert', 'insert into %1$s overriding system value select * from %1$s where false'),
  ('update', 'update %1$s set %3$s = %3$s where false'),
  ('delete', 'delete from %1$s where false'),
  ('truncate', 'truncate %1$s')
) as v (verb, template)
where v.verb = 'select' or t.tbl !~ 'differences';

-- What is allowed, with the number of rows. Everything else is 42501.
create temporary table allowed (caller text, tbl text, verb text, rows text, primary key (caller, tbl, verb));
insert into allowed
values
  ('anon', 'interlock.products', 'select', '2'),
  ('buyer', 'interlock.products', 'select', '2'),
  ('other', 'interlock.products', 'select', '2'),
  ('pretender', 'interlock.products', 'select', '2'),
  ('staff', 'interlock.products', 'select', '2'),
  ('service', 'interlock.products', 'select', '3'),
  ('service', 'interlock.products', 'insert', '0'),
  ('service', 'interlock.products', 'update', '0'),
  ('service', 'interlock.products', 'delete', '0'),
  ('service', 'interlock.stock_movements', 'select', '5'),
  ('buyer', 'interlock.wallets', 'select', '1'),
  ('other', 'interlock.wallets', 'select', '0'),
  ('pretender', 'interlock.wallets', 'select', '0'),
  ('staff', 'interlock.wallets', 'select', '0'),
  ('service', 'interlock.wallets', 'select', '1'),
  ('buyer', 'interlock.wallet_movements', 'select', '2'),
  ('other', 'interlock.wallet_movements', 'select', '0'),
  ('pretender', 'interlock.wallet_movements', 'select', '0'),
  ('staff', 'interlock.wallet_movements', 'select', '0'),
  ('service', 'interlock.wallet_movements', 'select', '2'),
  ('buyer', 'interlock.orders', 'select', '2'),
  ('other', 'interlock.orders', 'select', '0'),
  ('pretender', 'interlock.orders', 'select', '0'),
  ('staff', 'interlock.orders', 'select', '0'),
  ('service', 'interlock.orders', 'select', '2'),
  ('buyer', 'interlock.order_items', 'select', '2'),
  ('other', 'interlock.order_items', 'select', '0'),
  ('pretender', 'interlock.order_items', 'select', '0'),
  ('staff', 'interlock.order_items', 'select', '0'),
  ('service', 'interlock.order_items', 'select', '2'),
  ('buyer', 'interlock.order_events', 'select', '3'),
  ('other', 'interlock.order_events', 'select', '0'),
  ('pretender', 'interlock.order_events', 'select', '0'),
  ('staff', 'interlock.order_events', 'select', '0'),
  ('service', 'interlock.order_events', 'select', '3'),
  -- The reserved code of the pending order is not the buyer's yet.
  ('buyer', 'interlock.product_codes', 'select', '1'),
  ('other', 'interlock.product_codes', 'select', '0'),
  ('pretender', 'interlock.product_codes', 'select', '0'),
  ('staff', 'interlock.product_codes', 'select', '0'),
  ('service', 'interlock.product_codes', 'select', '3'),
  ('service', 'interlock.product_codes', 'insert', '0'),
  ('service', 'interlock.product_codes', 'update', '0'),
  ('service', 'interlock.product_codes', 'delete', '0'),
  ('buyer', 'interlock.payment_proofs', 'select', '1'),
  ('other', 'interlock.payment_proofs', 'select', '0'),
  ('pretender', 'interlock.payment_proofs', 'select', '0'),
  ('staff', 'interlock.payment_proofs', 'select', '0'),
  ('service', 'interlock.payment_proofs', 'select', '1'),
  ('service', 'interlock.stock_differences', 'select', '0'),
  ('service', 'interlock.wallet_differences', 'select', '0'),
  ('service', 'interlock.code_differences', 'select', '0');

create temporary table before_refusals as select pg_temp.fingerprint() as fingerprint;

select is(
  pg_temp.attempt(c.caller, s.sql, a.rows is null),
  coalesce(a.rows, '42501'),
  format('%s: %s %s', c.caller, s.verb, s.tbl)
)
from callers c
cross join statements s
left join allowed a using (caller, tbl, verb)
order by c.caller, s.tbl, s.verb;

select is(
  pg_temp.fingerprint(),
  (select fingerprint from before_refusals),
  'no refused statement changed a row'
);

-- Columns of idempotency keys and of functions that only the shop may call are covered by
-- 05-rights.sql; here: what the callers who may call checkout cannot do with it.

select is(pg_temp.attempt(t.caller, t.sql, true), t.answer, format('%s: %s', t.caller, t.sql))
from (values
  ('anon', $$select public.checkout('[]')$$, '42501'),
  ('service', $$select public.checkout('[]')$$, 'PT401'),
  ('buyer', $$select public.decrement_product_quantity('7d000000-0000-4000-8000-000000000001', 1)$$, '42501'),
  ('buyer', $$select public.adjust_stock('7d000000-0000-4000-8000-000000000001', 1)$$, 'PT403'),
  ('buyer', $$select public.count_stock('7d000000-0000-4000-8000-000000000001', 9, 5)$$, 'PT403'),
  ('buyer', $$select public.top_up_wallet('7c000000-0000-4000-8000-000000000001', 100, 'EUR')$$, '42501'),
  ('buyer', $$select public.refund_order(id) from tap_orders$$, 'PT403'),
  ('buyer', $$select public.accept_payment(id) from tap_orders$$, 'PT403'),
  ('buyer', $$select public.claim_product_codes_atomic('7d000000-0000-4000-8000-000000000003', 1, id) from tap_orders$$, '42501'),
  ('buyer', $$select interlock.take_stock('{}', '{}', 'x', null)$$, '42501'),
  ('buyer', $$select interlock.credit_wallet('7c000000-0000-4000-8000-000000000001', 100, 'EUR', 'x', null)$$, '42501'),
  ('staff', $$select public.refund_order(id) from tap_orders$$, 'PT409'),
  ('staff', $$select public.top_up_wallet('7c000000-0000-4000-8000-000000000003', 100, 'EUR')$$, '42501'),
  ('other', $$select public.cancel_order(id) from tap_orders$$, 'PT404'),
  ('pretender', $$select public.cancel_order(id) from tap_orders$$, 'PT404'),
  ('other', $$select public.submit_payment_proof(id, 'x') from tap_orders$$, 'PT404')
) as t (caller, sql, answer);

select is(
  pg_temp.fingerprint(),
  (select fingerprint from before_refusals),
  'no refused call changed a row'
);

select * from finish();
rollback;
