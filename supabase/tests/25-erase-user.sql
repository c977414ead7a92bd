-- Accounts that go: what stands in the way, what is taken out of what stays, and that a token outlives nothing.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(83);

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('25-erase-user ' || p_name)::uuid $$;

insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-' || n || '@example.com'
from unnest(array['ann', 'bob', 'staff']) n;
insert into interlock.products (id, name, price, currency, available_quantity)
values (pg_temp.id('tea'), 'tap tea', 1000, 'EUR', 1000);
insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses)
values (pg_temp.id('ten'), 'ERASE-TEN', 'percentage', 10, 1000), (pg_temp.id('held'), 'ERASE-HELD', 'percentage', 10, 1000);
insert into interlock.promo_codes (id, code, discount_type, discount_value, user_id)
values (pg_temp.id('named'), 'ERASE-ANN', 'percentage', 10, pg_temp.id('ann')), (pg_temp.id('bobs'), 'ERASE-BOB', 'percentage', 10, pg_temp.id('bob'));
insert into interlock.drivers (user_id) values (pg_temp.id('ann')), (pg_temp.id('bob'));
insert into interlock.batches (id, status, driver_id, claimed_at, lease_expires_at)
values
  (pg_temp.id('batch'), 'claimed', pg_temp.id('ann'), now(), now() + interval '1 hour'),
  (pg_temp.id('other'), 'claimed', pg_temp.id('bob'), now(), now() + interval '1 hour');

-- What a call answers; an error as an object. A call is SQL with ids as {name}.
create function pg_temp.call(p_who text, p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_sql text := p_sql;
  v_name text;
  v_answer jsonb;
  v_detail text;
begin
  for v_name in select m[1] from regexp_matches(p_sql, '\{([a-z0-9]+)\}', 'g') m loop
    v_sql := replace(v_sql, '{' || v_name || '}', pg_temp.id(v_name)::text);
  end loop;
  perform set_config('request.jwt.claims', case p_who
    when 'shop' then '{"role": "service_role"}'
    when 'staff' then jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id(p_who), 'app_metadata', '{"role": "staff"}'::jsonb)::text
    else jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id(p_who))::text
  end, true);
  execute format('set local role %I', case p_who when 'shop' then 'service_role' else 'authenticated' end);
  execute format('select (%s)::jsonb', v_sql) into v_answer;
  reset role;
  perform set_config('request.jwt.claims', '', true);
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    perform set_config('request.jwt.claims', '', true);
    return jsonb_build_object(
      'state', sqlstate, 'message', sqlerrm,
      'detail', case when sqlstate like 'PT%' then nullif(v_detail, '')::jsonb - 'message' - 'retryable' end
    );
end
$$;

create temporary table o (name text primary key, id uuid);
create function pg_temp.buy(p_name text, p_who text, p_rest text default '')
returns text
language plpgsql
as $$
declare
  v_answer constant jsonb := pg_temp.call(p_who, $sql$public.checkout('[{"product_id": "{tea}", "quantity": 1}]'$sql$ || p_rest || ')');
begin
  insert into o values (p_name, (v_answer #>> '{order,id}')::uuid);
  return coalesce(v_answer #>> '{order,status}', v_answer ->> 'message');
end
$$;
create function pg_temp.order(p_name text)
returns uuid
language sql
as $$ select id from o where name = p_name $$;

insert into interlock.wallets (user_id, balance, currency)
values (pg_temp.id('ann'), 5000, 'EUR'), (pg_temp.id('bob'), 5000, 'EUR');
select is(pg_temp.buy('paid', 'ann', $$, 'ERASE-TEN', p_payment_method => 'wallet', p_idempotency_key => 'k'$$), 'paid', 'ann buys');
select is(pg_temp.buy('bobs', 'bob', $$, 'ERASE-TEN', p_payment_method => 'wallet', p_idempotency_key => 'k'$$), 'paid', 'bob, too');
select is(pg_temp.buy('transfer', 'ann', $$, p_payment_method => 'bank_transfer'$$), 'pending_payment', 'a second order');
insert into interlock.payment_proofs (order_id, object_path, status, reason, decided_at)
select pg_temp.order('transfer'), pg_temp.id('ann') || '/' || pg_temp.order('transfer') || '/ann-smith.pdf', 'rejected', 'Not hers', now();
select is(
  pg_temp.call('ann', $$public.validate_promo('ERASE-HELD', p_subtotal => 1000, p_currency => 'EUR')$$) -> 'valid', 'true', 'a code is held'
);
select is(pg_temp.call('bob', $$public.validate_promo('ERASE-HELD', p_subtotal => 1000, p_currency => 'EUR')$$) -> 'valid', 'true', 'twice');
select is(
  pg_temp.call('ann', $$public.validate_promo('ERASE-LOST', p_subtotal => 1000, p_currency => 'EUR')$$) ->> 'message', 'PROMO_NOT_FOUND',
  'and a code is guessed'
);

insert into interlock.wallet_top_ups (reference, user_id, amount, currency)
values ('tap-ann', pg_temp.id('ann'), 1, 'EUR'), ('tap-bob', pg_temp.id('bob'), 1, 'EUR');

-- Ann was staff once, as Bob is: each has replaced a key of Ann's order.
insert into interlock.products (id, name, price, currency, kind) values (pg_temp.id('game'), 'tap game', 1000, 'EUR', 'digital');
insert into interlock.product_codes (product_id, code, order_id, used_at)
select pg_temp.id('game'), c, pg_temp.order('paid'), now() from unnest(array['a1', 'a2', 'a3', 'b1', 'b2']) c;
update interlock.product_codes o
set replaced_by = n.id, replaced_at = now(), replaced_reason = 'Used', replaced_actor = pg_temp.id(t.who)
from (values ('a1', 'a2', 'ann'), ('b1', 'b2', 'bob')) as t (old, new, who)
join interlock.product_codes n on n.product_id = pg_temp.id('game') and n.code = t.new
where o.product_id = pg_temp.id('game') and o.code = t.old;

-- And each has worked in the store: corrected an order of Bob's, sent stock, made and packed a session, with a lease on what is picked.
insert into interlock.order_detail_changes (order_id, actor) select pg_temp.order('bobs'), pg_temp.id(w) from unnest(array['ann', 'bob']) w;
insert into interlock.locations (id, name) values (pg_temp.id('store'), 'tap store');
insert into interlock.stock_transfers (from_location_id, to_location_id, actor, ended_at)
select pg_temp.id('store'), interlock.online_location(), pg_temp.id(w), now() from unnest(array['ann', 'bob']) w;
insert into interlock.picking_sessions (id, location_id, open_orders, created_by)
select pg_temp.id('session of ' || w), pg_temp.id('store'), 1, pg_temp.id(w) from unnest(array['ann', 'bob']) w;
insert into interlock.picking_session_orders (picking_session_id, order_id, position, status, closed_by, closed_at)
select pg_temp.id('session of ' || w), pg_temp.order('bobs'), 1, 'removed', pg_temp.id(w), now() from unnest(array['ann', 'bob']) w;
insert into interlock.picking_session_items (picking_session_id, product_id, quantity_needed, picker_id, picker_until)
select pg_temp.id('session of ' || w), pg_temp.id('tea'), 1, pg_temp.id(w), now() + interval '1 hour' from unnest(array['ann', 'bob']) w;
insert into interlock.packing_scans (picking_session_id, product_id, action, quantity, actor)
select pg_temp.id('session of ' || w), pg_temp.id('tea'), 'pick', 1, pg_temp.id(w) from unnest(array['ann', 'bob']) w;

-- At a till: a shift, money put in, a sale that was approved and voided, an approval, a parked sale, points given to somebody.
insert into interlock.registers (id, location_id, name, currency)
select pg_temp.id('till of ' || w), pg_temp.id('store'), 'till of ' || w, 'EUR' from unnest(array['ann', 'bob']) w;
insert into interlock.shifts (id, register_id, opened_by, opening_cash, closed_at, closed_by, counted_cash, expected_cash, report)
select pg_temp.id('shift of ' || w), pg_temp.id('till of ' || w), pg_temp.id(w), 0, now(), pg_temp.id(w), 0, 0, '{}' from unnest(array['ann', 'bob']) w;
insert into interlock.cash_movements (shift_id, kind, amount, reason, actor)
select pg_temp.id('shift of ' || w), 'paid_in', 100, 'Change', pg_temp.id(w) from unnest(array['ann', 'bob']) w;
insert into interlock.sales (
  id, register_id, shift_id, location_id, receipt_number, status, currency, subtotal, discount, tax, tax_included, total, cashier, approved_by,
  needs_review, voided_at, voided_by, void_reason
)
select
  pg_temp.id('sale of ' || w), pg_temp.id('till of ' || w), pg_temp.id('shift of ' || w), pg_temp.id('store'), 1, 'voided', 'EUR', 0, 0, 0, 0, 0,
  pg_temp.id(w), pg_temp.id(w), '[]', now(), pg_temp.id(w), 'Wrong'
from unnest(array['ann', 'bob']) w;
insert into interlock.sale_approvals (register_id, actions, reason, approved_by, expires_at)
select pg_temp.id('till of ' || w), array['void'], 'Wrong', pg_temp.id(w), now() from unnest(array['ann', 'bob']) w;
insert into interlock.parked_sales (location_id, register_id, name, lines, hold, parked_by)
select pg_temp.id('store'), pg_temp.id('till of ' || w), 'tap ' || w, '[]', false, pg_temp.id(w) from unnest(array['ann', 'bob']) w;
insert into interlock.customers (id, name, user_id)
select pg_temp.id('customer ' || w), 'tap ' || w, case w when 'cleo' then null else pg_temp.id(w) end from unnest(array['ann', 'bob', 'cleo']) w;
insert into interlock.points_movements (customer_id, kind, points, balance_after, actor)
select pg_temp.id('customer cleo'), 'adjusted', 1, 1, pg_temp.id(w) from unnest(array['ann', 'bob']) w;

-- Orders handed from one to another: two that were taken over, and one that waits.
insert into interlock.order_transfers (from_user_id, to_user_id, actor, moved_at)
select pg_temp.id(w), null::uuid, null::uuid, now() from unnest(array['ann', 'bob']) w
union all select null, pg_temp.id(w), pg_temp.id(w), now() from unnest(array['ann', 'bob']) w
union all select pg_temp.id(w), null, null, null from unnest(array['ann', 'bob']) w;

-- What an audit found: decided by each, and about the open orders of each.
insert into interlock.inventory_audits (
  whole, started_at, ended_at, transaction_id, oldest_transaction, next_transaction, last_movement, products, orders, new_findings, closed_findings,
  open_findings, open_units
)
values (true, now(), now(), '1', '1', '1', 0, 0, 0, 4, 0, 2, 0);
insert into interlock.inventory_findings (
  kind, subject_id, expected, found, cause, status, first_audit, last_audit, found_at, decided_at, reason, decided_by, actor
)
select f.*
from (select max(a.id) as id from interlock.inventory_audits a) a, unnest(array['ann', 'bob']) w, lateral (values
  ('totals', pg_temp.id('sale of ' || w), 1, 2, 'tap', 'accepted', a.id, a.id, now(), now(), 'Known', 'tap ' || w, pg_temp.id(w)),
  ('open_orders', pg_temp.id(w), 1, 2, 'tap', 'open', a.id, a.id, now(), null, null, null, null)
) as f;

-- Mail that comes back, of her account and of what an order of hers says.
insert into interlock.order_details (order_id, contact)
select pg_temp.order(o), jsonb_build_object('email', 'Tap-' || o || '@example.com') from unnest(array['paid', 'bobs']) o
on conflict on constraint order_details_pkey do update set contact = excluded.contact;
insert into interlock.mail_suppressions (email, reason)
select 'tap-' || n || '@example.com', 'bounced' from unnest(array['ann', 'bob', 'paid', 'bobs']) n;

-- What stands in the way ------------------------------------------------------

select is(pg_temp.call('ann', $$public.erase_user('{ann}')$$) ->> 'state', '42501', 'nobody erases but the shop');
select is(
  pg_temp.call('shop', $$public.erase_user('{ann}')$$) - 'state',
  jsonb_build_object('message', 'USER_HAS_OBLIGATIONS', 'detail', jsonb_build_object(
    'user_id', pg_temp.id('ann'),
    'open_orders', (
      select jsonb_agg(jsonb_build_object('order_id', id, 'status', case name when 'paid' then 'paid' else 'pending_payment' end) order by id)
      from o where name in ('paid', 'transfer')
    ),
    'wallet', '{"balance": 4100, "currency": "EUR"}'::jsonb
  )),
  'what is owed stands in the way'
);
-- Where there are many shops, what refers to the account says so at the end of the transaction.
select throws_ok(
  $$delete from auth.users where id = pg_temp.id('ann'); set constraints all immediate$$,
  case when interlock.serves_shops() then '23503' else '23001' end, null, 'of a plain deletion, too'
);
select throws_like(
  $$delete from auth.users where id = pg_temp.id('ann'); set constraints all immediate$$,
  case when interlock.serves_shops() then '%violates foreign key constraint%' else '%of user ' || pg_temp.id('ann') || '%' end,
  'with a sentence that says what'
);
select throws_like(
  format('update interlock.orders set user_id = null where id = %L', pg_temp.order('transfer')), 'order % is open (pending_payment)',
  'an open order keeps its buyer'
);
select throws_like(
  $$delete from interlock.wallets where user_id = pg_temp.id('ann')$$, 'the wallet of user % holds 4100 EUR', 'and money its wallet'
);
select is(
  (select string_agg(status, ' ' order by status) from interlock.orders where user_id = pg_temp.id('ann')), 'paid pending_payment',
  'and nothing has happened'
);
update interlock.orders set status = 'cancelled' where id = pg_temp.order('transfer');
select is(
  pg_temp.call('shop', $$public.erase_user('{ann}')$$) #> '{detail,open_orders}',
  jsonb_build_array(jsonb_build_object('order_id', pg_temp.order('paid'), 'status', 'paid')), 'one by one'
);
update interlock.orders set status = 'fulfilled' where id = pg_temp.order('paid');
select is(
  (pg_temp.call('shop', $$public.erase_user('{ann}')$$) -> 'detail') - 'user_id',
  '{"open_orders": [], "wallet": {"balance": 4100, "currency": "EUR"}}', 'until only money is left'
);
select throws_like(
  $$delete from auth.users where id = pg_temp.id('ann'); set constraints all immediate$$,
  case when interlock.serves_shops() then '%violates foreign key constraint%' else 'the wallet of user % holds 4100 EUR' end,
  'which is not lost'
);
update interlock.wallets set balance = 0 where user_id = pg_temp.id('ann');

-- What is erased ----------------------------------------------------------------

select is(interlock.prepare_storage(), to_regclass('storage.objects') is not null, 'where there is no storage nothing is prepared');
do $do$
begin
  if to_regclass('storage.objects') is null then
    create schema storage;
    create table storage.buckets (id text primary key, name text, public boolean, file_size_limit bigint, allowed_mime_types text[]);
    create table storage.objects (bucket_id text, name text);
  end if;
  perform interlock.prepare_storage();
  insert into storage.objects (bucket_id, name)
  select 'payment-proofs', pg_temp.id(n) || '/' || pg_temp.order('transfer') || '/' || n || '.pdf' from unnest(array['ann', 'bob']) n;
end
$do$;
insert into interlock.customer_open_orders (user_id) values (pg_temp.id('ann')), (pg_temp.id('bob')) on conflict do nothing;
select is(
  pg_temp.call('shop', $$public.erase_user('{ann}')$$),
  jsonb_build_object(
    'success', true, 'user_id', pg_temp.id('ann'), 'account_removed', true,
    'files', jsonb_build_array(pg_temp.id('ann') || '/' || pg_temp.order('transfer') || '/ann.pdf')
  ),
  'she is erased, and her files are named'
);
select is((select count(*) from auth.users where id = pg_temp.id('ann')), 0::bigint, 'the account is gone');
select isnt_empty(
  'select from interlock.customer_open_orders where user_id = pg_temp.id(''bob'')', 'the open orders of others are still counted'
);
-- Every column of ours that could name her.
create function pg_temp.traces(p_id uuid)
returns setof text
language plpgsql
as $$
declare
  v_column record;
  v_found bigint;
begin
  for v_column in
    select c.relname, a.attname
    from pg_catalog.pg_class c
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'interlock'::regnamespace
      and c.relkind in ('r', 'p')
  loop
    execute format('select count(*) from interlock.%I t where strpos(t.%I::text, $1::text) > 0', v_column.relname, v_column.attname)
    into v_found using p_id;
    if v_found > 0 then
      return next v_column.relname || '.' || v_column.attname;
    end if;
  end loop;
end
$$;
select is_empty($$select pg_temp.traces(pg_temp.id('ann'))$$, 'her id is nowhere any more');
select set_has(
  $$select pg_temp.traces(pg_temp.id('bob'))$$,
  $$values
    ('orders.user_id'), ('wallets.user_id'), ('wallet_movements.user_id'), ('wallet_movements.actor'), ('order_events.actor'),
    ('stock_movements.actor'), ('promo_redemptions.user_id'), ('wallet_top_ups.user_id'), ('promo_user_uses.user_id'), ('promo_codes.user_id'),
    ('idempotency_keys.user_id'), ('product_codes.replaced_actor'), ('drivers.user_id'), ('batches.driver_id'), ('batch_events.driver_id'),
    ('order_detail_changes.actor'), ('stock_transfers.actor'), ('packing_scans.actor'), ('picking_sessions.created_by'),
    ('picking_session_items.picker_id'), ('picking_session_orders.closed_by'), ('shifts.opened_by'), ('shifts.closed_by'), ('cash_movements.actor'),
    ('sales.cashier'), ('sales.approved_by'), ('sales.voided_by'), ('sale_approvals.approved_by'), ('parked_sales.parked_by'), ('customers.user_id'),
    ('points_movements.actor'), ('order_transfers.from_user_id'), ('order_transfers.to_user_id'), ('order_transfers.actor'),
    ('inventory_findings.actor'), ('inventory_findings.subject_id')
  $$,
  'his is wherever it was'
);
select is(
  (select array_agg(decided_by::text order by decided_by) from interlock.inventory_findings where cause = 'tap' and status = 'accepted'),
  array['tap bob', null], 'nor is her name with what she decided'
);
select is(
  (select count(distinct f.subject_id) from interlock.inventory_findings f
    where f.cause = 'tap' and f.subject_id in (select user_id from interlock.wallet_movements union all select pg_temp.id('bob'))),
  2::bigint, 'what was found of her orders is of the id that her ledger is told to be of'
);
select is(
  (select count(*) from interlock.order_transfers where moved_at is null and coalesce(from_user_id, pg_temp.id('bob')) = pg_temp.id('bob')), 1::bigint,
  'what she would have handed over waits no more, what he would does'
);
select is(
  (select array_agg(email::text order by email) from interlock.mail_suppressions where email like 'tap-%'),
  array['tap-bob@example.com', 'tap-bobs@example.com'], 'nobody remembers that her mail came back'
);
select is(
  (select concat_ws(' ', status, total, user_id) from interlock.orders where id = pg_temp.order('paid')), 'fulfilled 900',
  'her order is kept, of nobody'
);
select is((select count(*) from interlock.order_items where order_id = pg_temp.order('paid')), 1::bigint, 'with its lines');
select is(
  (select string_agg(event, ' ' order by id) from interlock.order_events where order_id = pg_temp.order('paid')), 'paid fulfilled',
  'and its history'
);
select is(
  (select string_agg(concat_ws(' ', code, replaced_reason, replaced_actor), ', ' order by code)
    from interlock.product_codes where product_id = pg_temp.id('game')),
  format('a1 Used, a2, a3, b1 Used %s, b2', pg_temp.id('bob')), 'the keys that she replaced stay so'
);
select is(
  (select concat_ws(' ', status, object_path, reason) from interlock.payment_proofs where order_id = pg_temp.order('transfer')), 'rejected',
  'her proof has no name'
);
select is(
  (select array_agg(delta::bigint order by id) from interlock.wallet_movements where reference_id = pg_temp.order('paid')), array[-900::bigint],
  'the ledger of her wallet is kept'
);
select is(
  (select count(distinct user_id) from interlock.wallet_movements m where not exists (select from interlock.wallets w where w.user_id = m.user_id)
    and m.user_id = (select user_id from interlock.wallet_movements where reference_id = pg_temp.order('paid'))),
  1::bigint, 'under one id'
);
select is(
  (select string_agg(concat_ws(' ', status, user_id), ', ' order by status) from interlock.promo_redemptions
    where promo_id in (pg_temp.id('ten'), pg_temp.id('held')) and user_id is distinct from pg_temp.id('bob')),
  'redeemed, released', 'her uses are nobody''s, and what she held is free'
);
select is((select used_count::int from interlock.promo_codes where id = pg_temp.id('held')), 1, 'once');
select is(
  (select string_agg(user_id::text, ' ' order by code) from interlock.promo_codes where code in ('ERASE-ANN', 'ERASE-BOB')),
  '00000000-0000-0000-0000-000000000000 ' || pg_temp.id('bob'), 'her own code is for nobody'
);
select is(
  (select string_agg(concat_ws(' ', status, driver_id), ', ' order by status) from interlock.batches where id in (pg_temp.id('batch'), pg_temp.id('other'))),
  'available, claimed ' || pg_temp.id('bob'), 'her batch is free'
);
select is(
  (select string_agg(concat_ws(' ', event, driver_id), ', ' order by id) from interlock.batch_events where batch_id = pg_temp.id('batch')),
  'created, released', 'its history has nobody'
);
insert into interlock.batch_events (batch_id, event, driver_id, actor_id, version)
values (pg_temp.id('batch'), 'released', pg_temp.id('ann'), pg_temp.id('bob'), 9);
select lives_ok(
  $$update interlock.batch_events set driver_id = null where driver_id = pg_temp.id('ann')$$, 'also where somebody is named who is still there'
);
select is(
  pg_temp.call('shop', $$public.erase_user('{ann}')$$) - 'files',
  jsonb_build_object('success', true, 'user_id', pg_temp.id('ann'), 'account_removed', false), 'again: the same'
);
select is(
  jsonb_array_length(pg_temp.call('shop', $$public.erase_user('{ann}')$$) -> 'files'), 1, 'with the files that are still there'
);
select is(
  pg_temp.call('shop', 'public.erase_user(' || t.id || ')') #>> '{detail,problems,0,pointer}', '/p_user_id', 'nobody is not erased: ' || t.id
)
from (values ('null'), ($$'00000000-0000-0000-0000-000000000000'$$)) as t (id);

-- Refunds -----------------------------------------------------------------------

select is(
  pg_temp.call('shop', format('public.refund_order(%L)', pg_temp.order('paid'))) - 'state',
  jsonb_build_object('message', 'WALLET_OWNER_GONE', 'detail', jsonb_build_object(
    'order_id', pg_temp.order('paid'), 'amount', 900, 'currency', 'EUR'
  )),
  'money of a wallet that is gone goes nowhere unsaid'
);
select is((select status from interlock.orders where id = pg_temp.order('paid')), 'fulfilled', 'and nothing has happened');
select is(
  pg_temp.call('shop', format('public.refund_order(%L, true)', pg_temp.order('paid'))) #>> '{order,status}', 'refunded',
  'the shop gives it back itself'
);
select is((select refunded_outside from interlock.orders where id = pg_temp.order('paid')), true, 'and says so');
select is(
  pg_temp.call('shop', format('public.refund_order(%L)', pg_temp.order('paid'))) #>> '{order,status}', 'refunded', 'once'
);
select is(
  pg_temp.call('shop', format('public.refund_order(%L, true)', pg_temp.order('bobs'))) #>> '{order,status}', 'refunded', 'so may others be'
);
select is((select balance from interlock.wallets where user_id = pg_temp.id('bob')), 4100::bigint, 'not into the wallet');
select is(pg_temp.buy('more', 'bob', $$, p_payment_method => 'wallet'$$), 'paid', 'bob buys more');
select is(
  pg_temp.call('shop', format('public.refund_order(%L, null)', pg_temp.order('more'))) #>> '{order,status}', 'refunded', 'null is no'
);
select is((select balance from interlock.wallets where user_id = pg_temp.id('bob')), 4100::bigint, 'the money is back');
select is(
  pg_temp.call('shop', format('public.refund_order(%L, true)', pg_temp.order('more'))) #>> '{order,status}', 'refunded', 'said too late'
);
select is((select refunded_outside from interlock.orders where id = pg_temp.order('more')), false, 'it changes nothing');

-- Tokens that outlive their users -------------------------------------------------

select is(
  pg_temp.call('ann', t.call) - 'detail' - 'state', '{"message": "UNAUTHENTICATED"}', 'nobody is signed in: ' || left(t.call, 60)
)
from (values
  ($$public.checkout('[{"product_id": "{tea}", "quantity": 1}]')$$),
  ($$public.checkout('[{"product_id": "{tea}", "quantity": 1}]', p_payment_method => 'wallet')$$),
  ($$public.checkout('[{"product_id": "{tea}", "quantity": 1}]', 'ERASE-TEN')$$),
  ($$public.validate_promo('ERASE-TEN', p_subtotal => 1000, p_currency => 'EUR')$$),
  ($$public.validate_promo('ERASE-LOST', p_subtotal => 1000, p_currency => 'EUR')$$),
  ($$public.validate_promo('ERASE-TEN', p_action => 'release')$$),
  ($$public.claim_route()$$),
  ($$public.claim_route('{batch}', 'release')$$),
  ($$public.cancel_order('{tea}')$$),
  ($$public.submit_payment_proof('{tea}', 'x')$$)
) as t (call);
delete from auth.users where id = pg_temp.id('staff');
select is(
  pg_temp.call('staff', t.call) ->> 'message', 'UNAUTHENTICATED', 'nor staff: ' || left(t.call, 60)
)
from (values
  (format('public.cancel_order(%L)', pg_temp.order('bobs'))), ('public.list_orders()'), ('public.list_payment_proofs()'),
  ($$public.assign_batch('{batch}', '{bob}')$$)
) as t (call);
-- A stored answer is for nobody any more.
update interlock.wallets set balance = 0 where user_id = pg_temp.id('bob');
delete from auth.users where id = pg_temp.id('bob');
select is(
  pg_temp.buy('again', 'bob', $$, 'ERASE-TEN', p_payment_method => 'wallet', p_idempotency_key => 'k'$$), 'UNAUTHENTICATED',
  'what was answered once is not answered again'
);
select is(
  pg_temp.call('shop', $$public.erase_user('{bob}')$$) -> 'account_removed', 'false', 'who was deleted in another way is erased, too'
);
select is_empty($$select pg_temp.traces(pg_temp.id('bob'))$$, 'and is nowhere any more');

-- History gives nobody away but those who are gone --------------------------------

insert into auth.users (id, aud, role, email) values (pg_temp.id('carl'), 'authenticated', 'authenticated', 'tap-carl@example.com');
insert into interlock.order_events (order_id, event, actor) values (pg_temp.order('paid'), 'paid', pg_temp.id('carl'));
update interlock.product_codes o
set replaced_by = n.id, replaced_at = now(), replaced_reason = 'Used', replaced_actor = pg_temp.id('carl')
from interlock.product_codes n
where o.product_id = pg_temp.id('game') and o.code = 'a2' and n.product_id = o.product_id and n.code = 'a3';
select throws_ok(
  format('update interlock.product_codes set %s where product_id = %L and code = ''a2''', t.change, pg_temp.id('game')), '23514',
  null, 'a key that was replaced: ' || t.change
)
from (values
  ('replaced_actor = null'), (format('replaced_actor = %L', pg_temp.id('staff'))),
  ('replaced_by = null, replaced_at = null, replaced_reason = null, replaced_actor = null')
) as t (change);
delete from auth.users where id = pg_temp.id('carl');
select throws_ok(
  format('update interlock.product_codes set replaced_actor = null, replaced_reason = ''x'' where product_id = %L and code = ''a2''', pg_temp.id('game')),
  '23514', null, 'nothing else goes with who is gone'
);
insert into auth.users (id, aud, role, email) values (pg_temp.id('carl'), 'authenticated', 'authenticated', 'tap-carl@example.com');
select throws_ok(t.sql, '23001', null, t.sql)
from (values
  ($$update interlock.order_events set actor = null where actor = pg_temp.id('carl')$$),
  ($$update interlock.order_events set actor = pg_temp.id('carl') where actor is null$$),
  ($$update interlock.order_events set event = 'paid' where actor is null$$),
  ($$update interlock.order_items set quantity = quantity$$)
) as t (sql);

select is_empty('select * from interlock.stock_differences', 'the stock ledger adds up');
select is_empty('select * from interlock.wallet_differences', 'the wallet ledger adds up');
select is_empty('select * from interlock.promo_differences', 'promo counters agree');

select * from finish();
rollback;
