-- Parts of orders: lines and units that are cancelled or refunded, what they come to, and where goods and money go. The
-- example of docs/prices.md is here.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(181);

-- Limits of customers are switched on where they are tested.
update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null, confirmation_window = null;

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('37-refunded-lines ' || p_name)::uuid $$;
insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-37-' || n || '@example.com'
from unnest(array['ann', 'bob', 'staff']) n;
-- Ids in the order of their names.
create function pg_temp.p(p_n int)
returns uuid
language sql
as $$ select ('7d370000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;
insert into interlock.products (id, name, price, currency, available_quantity, tax_class)
values
  (pg_temp.p(1), 'tap oil', 1299, 'EUR', 1000, 'standard'),
  (pg_temp.p(2), 'tap bread', 333, 'EUR', 1000, 'reduced'),
  (pg_temp.p(5), 'tap gift', 0, 'EUR', 1000, 'none');
insert into interlock.products (id, name, price, currency, kind) values (pg_temp.p(4), 'tap song', 100, 'EUR', 'digital');
insert into interlock.product_codes (product_id, code) select pg_temp.p(4), 'tap-37-' || n from generate_series(1, 20) n;
insert into interlock.wallets (user_id, balance, currency) values (pg_temp.id('ann'), 1000000, 'EUR');
insert into interlock.promo_codes (code, discount_type, discount_value, max_uses_per_user)
values ('tap-37', 'percentage', 10, 1000);

create function pg_temp.call(p_who text, p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform set_config('request.jwt.claims', case p_who
    when 'shop' then '{"role": "service_role"}'
    when 'nobody' then '{"role": "authenticated"}'
    when 'staff' then jsonb_build_object(
      'role', 'authenticated', 'sub', pg_temp.id('staff'), 'app_metadata', jsonb_build_object('role', 'staff')
    )::text
    else jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id(p_who))::text
  end, true);
  execute format('set local role %I', case p_who when 'shop' then 'service_role' else 'authenticated' end);
  execute format('select (%s)::jsonb', p_sql) into v_answer;
  reset role;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object(
      'message', sqlerrm,
      'detail', case when sqlstate like 'PT%' then nullif(nullif(v_detail, '')::jsonb - 'message' - 'retryable', '{}') end
    );
end
$$;
-- Lines: pairs of product and quantity.
create function pg_temp.lines(variadic p_pairs int[])
returns jsonb
language sql
as $$
  select coalesce(jsonb_agg(jsonb_build_object('product_id', pg_temp.p(p_pairs[i]), 'quantity', p_pairs[i + 1])), '[]')
  from generate_series(1, cardinality(p_pairs), 2) i
$$;
create temporary table bought (name text primary key, id uuid);
grant select on bought to authenticated, service_role;
-- Ann buys; the order is called by a name from then on.
create function pg_temp.buy(p_name text, p_lines jsonb, p_rest text default '')
returns text
language plpgsql
as $$
declare
  v_answer constant jsonb := pg_temp.call('ann', format('public.checkout(%L%s)', p_lines, p_rest));
begin
  insert into bought values (p_name, (v_answer #>> '{order,id}')::uuid)
  on conflict (name) do update set id = excluded.id;
  return coalesce(v_answer #>> '{order,status}', v_answer::text);
end
$$;
create function pg_temp.o(p_name text)
returns uuid
language sql
as $$ select id from bought where name = p_name $$;
create function pg_temp.refund(p_name text, p_lines jsonb, p_rest text default '', p_who text default 'shop')
returns jsonb
language sql
as $$
  select pg_temp.call(p_who, format('public.refund_order_lines(%L, %L%s)', pg_temp.o(p_name), p_lines, p_rest))
$$;
-- What was refunded last: subtotal, discount, shipping, tax (included), amount; where the money goes.
create function pg_temp.said(p_answer jsonb)
returns text
language sql
as $$
  select case when p_answer ? 'message' then p_answer::text else (
    select concat_ws(' ', p_answer #>> '{order,status}', r ->> 'subtotal', '-' || (r ->> 'discount'), '+' || (r ->> 'shipping'),
      'tax ' || (r ->> 'tax'), '(' || (r ->> 'tax_included') || ')', '= ' || (r ->> 'amount'),
      case when (r ->> 'paid')::boolean then concat_ws('/', r ->> 'to_wallet', r ->> 'to_card', r ->> 'by_shop') else 'unpaid' end)
    from jsonb_array_elements(p_answer #> '{order,refunds}') r
    where r ->> 'id' = p_answer ->> 'refund_id'
  ) end
$$;
create function pg_temp.stock(p_n int)
returns int
language sql
as $$ select available_quantity from interlock.products where id = pg_temp.p(p_n) $$;
create function pg_temp.balance()
returns bigint
language sql
as $$ select balance from interlock.wallets where user_id = pg_temp.id('ann') $$;
-- What nobody may ever find.
create function pg_temp.faults()
returns bigint
language sql
as $$
  select (select count(*) from interlock.stock_differences where product_id in (select pg_temp.p(n) from generate_series(1, 9) n))
    + (select count(*) from interlock.wallet_differences where user_id = pg_temp.id('ann'))
    + (select count(*) from interlock.code_differences)
    + (
      select count(*)
      from interlock.orders o
      where o.user_id = pg_temp.id('ann')
        and o.refunded <> (select coalesce(sum(r.amount), 0) from interlock.order_refunds r where r.order_id = o.id)
    )
$$;

-- The arithmetic -------------------------------------------------------------

select is(interlock.share_of(v.amount, v.part, v.whole), v.share, format('%s of %s for %s', v.part, v.whole, v.amount))
from (values
  (100, 1, 3, 33), (100, 2, 3, 67), (100, 3, 3, 100), (1, 1, 2, 1), (0, 1, 2, 0), (7, 0, 2, 0), (7, 0, 0, 0),
  (9007199254740991, 1, 1, 9007199254740991), (9007199254740991, 9007199254740990, 9007199254740991, 9007199254740990)
) as v (amount, part, whole, share);
select is(
  (
    select array_agg(concat_ws(' ', c.o_subtotal, c.o_discount, c.o_tax, c.o_tax_included, c.o_amount) order by n)
    from generate_series(0, 3) n
    cross join lateral interlock.line_through(n, 3, 1299, 390, 560, v.inclusive) c
  ),
  v.sums, format('a line of three, tax included: %s', v.inclusive)
)
from (values
  (true, array['0 0 0 0 0', '1299 130 187 187 1169', '2598 260 373 373 2338', '3897 390 560 560 3507']),
  (false, array['0 0 0 0 0', '1299 130 187 0 1356', '2598 260 373 0 2711', '3897 390 560 0 4067']),
  (null, array['0 0 0 0 0', '1299 130 187 0 1356', '2598 260 373 0 2711', '3897 390 560 0 4067'])
) as v (inclusive, sums);

-- A paid order in parts ------------------------------------------------------

insert into interlock.shipping_methods (code, name, price, currency, tax_class) values ('tap37', 'Post', 490, 'EUR', 'standard');
insert into interlock.tax_rates (tax_class, country, name, percent, inclusive)
values ('standard', null, 'VAT', 19, true), ('reduced', null, 'VAT', 7, false);

select is(pg_temp.buy('parts', pg_temp.lines(1, 3, 2, 2), $$, 'tap-37', null, 'wallet', p_shipping_method => 'tap37'$$), 'paid', 'paid from the wallet');
select is(
  (select concat_ws(' ', subtotal, discount, shipping, tax, tax_included, total) from interlock.orders where id = pg_temp.o('parts')),
  '4563 456 490 680 638 4639', 'what it cost'
);
create temporary table before as select pg_temp.balance() as balance, pg_temp.stock(1) as oil, pg_temp.stock(2) as bread;
select is(
  pg_temp.said(pg_temp.refund('parts', pg_temp.lines(1, 1), $$, 'broken'$$)),
  'paid 1299 -130 +0 tax 187 (187) = 1169 1169/0/0', 'one oil goes back'
);
select is(pg_temp.balance() - balance, 1169::bigint, 'the money is in the wallet') from before;
select is(pg_temp.stock(1) - oil, 1, 'and the oil on the shelf') from before;
select is(
  (select concat_ws(' ', delta, reason, reference_id = pg_temp.o('parts')) from interlock.wallet_movements where user_id = pg_temp.id('ann') order by id desc limit 1),
  '1169 lines_refunded t', 'the wallet knows why'
);
select is(
  (select concat_ws(' ', delta, reason) from interlock.stock_movements where reference_id = pg_temp.o('parts') order by id desc limit 1),
  '1 lines_refunded', 'so does the stock'
);
select is(
  (select concat_ws(' ', status, total, refunded, fulfillment) from interlock.orders where id = pg_temp.o('parts')),
  'paid 4639 1169 unfulfilled', 'the rest of the order stands'
);
select is(
  (select array_agg(event::text order by id) from interlock.order_events where order_id = pg_temp.o('parts')),
  array['paid', 'lines_refunded'], 'its history has it'
);
select is(
  pg_temp.said(pg_temp.refund('parts', pg_temp.lines(2, 1, 1, 1), ', p_restock => false')),
  'paid 1632 -163 +0 tax 207 (186) = 1490 1490/0/0', 'one of each, for the bin'
);
select is(row(pg_temp.stock(1) - oil, pg_temp.stock(2) - bread), row(1, 0), 'which are not sold again') from before;
select is(
  pg_temp.refund('parts', pg_temp.lines(1, 2, 2, 1)) ,
  jsonb_build_object('message', 'REFUND_EXCEEDS_ORDER', 'detail', jsonb_build_object(
    'order_id', pg_temp.o('parts'), 'shipping', 490, 'lines', jsonb_build_array(
      jsonb_build_object('product_id', pg_temp.p(1), 'requested', 2, 'refundable', 1)
    )
  )),
  'no unit twice'
);
select is(
  pg_temp.said(pg_temp.refund('parts', '[]', ', p_shipping => true')), 'paid 0 -0 +490 tax 78 (78) = 490 490/0/0', 'shipping alone'
);
select is(
  (pg_temp.refund('parts', pg_temp.lines(1, 1), ', p_shipping => true') -> 'detail') - 'order_id',
  '{"lines": [], "shipping": 0}', 'not twice'
);
select is(
  pg_temp.said(pg_temp.refund('parts', jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p(1), 'quantity', 1, 'restock', false),
    jsonb_build_object('product_id', pg_temp.p(2), 'quantity', 1, 'restock', null)
  ), ', p_restock => true')),
  'refunded 1632 -163 +0 tax 208 (187) = 1490 1490/0/0', 'the last of it ends the order'
);
select is(pg_temp.balance() - balance, 4639::bigint, 'all of the money is back, to the cent') from before;
select is(row(pg_temp.stock(1) - oil, pg_temp.stock(2) - bread), row(1, 1), 'a line''s own word counts') from before;
select is(
  (select concat_ws(' ', status, refunded = total, refunded_at is not null) from interlock.orders where id = pg_temp.o('parts')),
  'refunded t t', 'it is refunded'
);
select is(
  (select concat_ws(' ', sum(subtotal), sum(discount), sum(shipping), sum(tax), sum(tax_included), sum(amount)) from interlock.order_refunds where order_id = pg_temp.o('parts')),
  '4563 456 490 680 638 4639', 'the parts sum to the whole'
);
select is(
  (select status::text from interlock.promo_redemptions where order_id = pg_temp.o('parts')), 'returned', 'the use of the code came back with the last of it'
);
select is(
  pg_temp.refund('parts', pg_temp.lines(1, 1)) ->> 'message', 'ORDER_STATE_CONFLICT', 'there is nothing more'
);
select is(pg_temp.faults(), 0::bigint, 'nothing is lost');
select is(
  pg_temp.call('shop', format('public.refund_order(%L)', pg_temp.o('parts'))) #>> '{order,status}', 'refunded', 'refund_order does nothing more'
);
select is(pg_temp.balance() - balance, 4639::bigint, 'and gives nothing more') from before;

-- As the document has it.
select is(pg_temp.buy('document', pg_temp.lines(1, 3), $$, 'tap-37', null, 'wallet', p_shipping_method => 'tap37'$$), 'paid', 'three of oil');
select is(
  (
    select array_agg(pg_temp.said(pg_temp.refund('document', pg_temp.lines(1, 1)))) from generate_series(1, 3)
  ),
  array[
    'paid 1299 -130 +0 tax 187 (187) = 1169 1169/0/0', 'paid 1299 -130 +0 tax 186 (186) = 1169 1169/0/0',
    'refunded 1299 -130 +490 tax 265 (265) = 1659 1659/0/0'
  ],
  'go back one by one, with the last of them the shipping'
);

-- The rest at once -----------------------------------------------------------

select pg_temp.buy('rest', pg_temp.lines(1, 3, 4, 2), $$, 'tap-37', null, 'wallet', p_shipping_method => 'tap37'$$);
truncate before;
insert into before select pg_temp.balance(), pg_temp.stock(1), pg_temp.stock(4);
select is(
  pg_temp.said(pg_temp.refund('rest', pg_temp.lines(1, 2, 4, 1), ', p_shipping => true')),
  'paid 2698 -270 +490 tax 466 (466) = 2918 2918/0/0', 'a part'
);
select is(row(pg_temp.stock(1) - oil, pg_temp.stock(4) - bread), row(2, 0), 'a code that was seen is not sold again') from before;
select is(
  jsonb_array_length(pg_temp.call('ann', format('(select jsonb_agg(c.code) from product_codes c where c.order_id = %L)', pg_temp.o('rest')))),
  2, 'and stays with the buyer of the rest'
);
select is(pg_temp.call('shop', format('public.refund_order(%L)', pg_temp.o('rest'))) #>> '{order,status}', 'refunded', 'then the rest');
select is(
  pg_temp.balance() - balance, (select total from interlock.orders where id = pg_temp.o('rest')), 'gives back the rest alone'
) from before;
select is(pg_temp.stock(1) - oil, 3, 'of the goods, too') from before;
select pg_temp.buy('cancel', pg_temp.lines(1, 3), $$, null, null, 'wallet'$$);
truncate before;
insert into before select pg_temp.balance(), pg_temp.stock(1), 0;
select is(pg_temp.said(pg_temp.refund('cancel', pg_temp.lines(1, 1), ', p_restock => false')), 'paid 1299 -0 +0 tax 207 (207) = 1299 1299/0/0', 'a part');
select is(pg_temp.call('shop', format('public.cancel_order(%L)', pg_temp.o('cancel'))) #>> '{order,status}', 'cancelled', 'the shop cancels the rest');
select is(row(pg_temp.balance() - balance, pg_temp.stock(1) - oil), row(3897::bigint, 2), 'once') from before;
select is(pg_temp.faults(), 0::bigint, 'nothing is lost');

-- By the shop's own hand -----------------------------------------------------

select pg_temp.buy('outside', pg_temp.lines(1, 2), $$, null, null, 'wallet'$$);
truncate before;
insert into before select pg_temp.balance(), pg_temp.stock(1), 0;
select is(
  pg_temp.said(pg_temp.refund('outside', pg_temp.lines(1, 1), ', p_outside => true')),
  'paid 1299 -0 +0 tax 208 (208) = 1299 0/0/1299', 'the shop has given it back itself'
);
select is(pg_temp.balance(), balance, 'not into the wallet') from before;
select is(pg_temp.said(pg_temp.refund('outside', pg_temp.lines(1, 1))), 'refunded 1299 -0 +0 tax 207 (207) = 1299 1299/0/0', 'the rest is');
select is(pg_temp.balance() - balance, 1299::bigint, 'alone') from before;

select is(pg_temp.buy('cash', pg_temp.lines(1, 2, 2, 1)), 'confirmed', 'in cash');
select is(pg_temp.call('shop', format('public.fulfill_order(%L)', pg_temp.o('cash'))) #>> '{order,status}', 'fulfilled', 'handed over');
truncate before;
insert into before select pg_temp.balance(), pg_temp.stock(1), pg_temp.stock(2);
select is(
  pg_temp.said(pg_temp.refund('cash', pg_temp.lines(1, 1))), 'fulfilled 1299 -0 +0 tax 208 (208) = 1299 0/0/1299', 'one comes back'
);
select is(pg_temp.stock(1), oil, 'it is not on the shelf by itself') from before;
select is(pg_temp.said(pg_temp.refund('cash', pg_temp.lines(1, 1), ', p_restock => true')), 'fulfilled 1299 -0 +0 tax 207 (207) = 1299 0/0/1299', 'another');
select is(pg_temp.stock(1) - oil, 1, 'if the shop says so, it is') from before;
select is(pg_temp.said(pg_temp.refund('cash', pg_temp.lines(2, 1))), 'refunded 333 -0 +0 tax 23 (0) = 356 0/0/356', 'all');
select is(row(pg_temp.stock(1) - oil, pg_temp.stock(2) - bread), row(1, 0), 'an order that ends gives nothing back that has left') from before;
select is(pg_temp.faults(), 0::bigint, 'nothing is lost');

-- Before it is paid ----------------------------------------------------------

update interlock.settings set max_open_units_per_customer = 100;
select is(pg_temp.buy('unpaid', pg_temp.lines(1, 3, 4, 3), $$, 'tap-37', null, 'bank_transfer', p_shipping_method => 'tap37'$$), 'pending_payment', 'it waits');
truncate before;
insert into before select pg_temp.balance(), pg_temp.stock(1), pg_temp.stock(4);
select is(
  pg_temp.said(pg_temp.refund('unpaid', pg_temp.lines(1, 1, 4, 2))),
  'pending_payment 1499 -150 +0 tax 216 (216) = 1349 unpaid', 'it costs less'
);
select is(
  row(pg_temp.balance() - balance, pg_temp.stock(1) - oil, pg_temp.stock(4) - bread), row(0::bigint, 1, 2),
  'oil and codes are free again, and no money moves'
) from before;
select is(
  (select array_agg(distinct reason::text) from interlock.stock_movements where reference_id = pg_temp.o('unpaid') and delta > 0),
  array['lines_cancelled'], 'the ledger knows why'
);
select is(
  (select reason::text from interlock.stock_movements where product_id = pg_temp.p(4) order by id desc limit 1), 'lines_cancelled', 'of codes too'
);
update interlock.products set available_quantity = available_quantity + 1 where id = pg_temp.p(2);
select is(
  (select reason::text from interlock.stock_movements where product_id = pg_temp.p(2) order by id desc limit 1), 'correction', 'and of no more than that'
);
select is(
  (select id from interlock.product_codes where order_id = pg_temp.o('unpaid')),
  (
    select min(id) from interlock.product_codes
    where product_id = pg_temp.p(4) and (order_id is null or order_id = pg_temp.o('unpaid'))
  ),
  'it keeps the oldest code'
);
select is(
  (select row(orders, units)::text from interlock.customer_open_orders where user_id = pg_temp.id('ann')), '(1,3)', 'fewer units count'
);
select is(
  pg_temp.call('shop', 'public.list_payment_proofs()') ->> 'success', 'true', 'proofs are listed'
);
update interlock.orders set payment_expires_at = now() - interval '1 minute' where id = pg_temp.o('unpaid');
select interlock.expire_orders(100);
select is(
  row(pg_temp.stock(1) - oil, pg_temp.stock(4) - bread), row(3, 3), 'the rest expires'
) from before;
select is(
  (select row(orders, units)::text from interlock.customer_open_orders where user_id = pg_temp.id('ann')), '(0,0)', 'nothing counts'
);
select is(pg_temp.refund('unpaid', pg_temp.lines(1, 1)) ->> 'message', 'ORDER_STATE_CONFLICT', 'what has ended has no parts');
select is(pg_temp.call('shop', format('public.reopen_order(%L)', pg_temp.o('unpaid'))) #>> '{order,status}', 'pending_payment', 'opened again');
select is(
  row(pg_temp.stock(1) - oil, pg_temp.stock(4) - bread), row(1, 2), 'it takes the rest alone'
) from before;
select is(
  (select row(orders, units)::text from interlock.customer_open_orders where user_id = pg_temp.id('ann')), '(1,3)', 'which counts'
);
select is(pg_temp.call('shop', format('public.accept_payment(%L)', pg_temp.o('unpaid'))) #>> '{order,status}', 'paid', 'and is paid');
select is(
  (select count(*) from interlock.product_codes where order_id = pg_temp.o('unpaid') and used_at is not null), 1::bigint, 'with its one code'
);
select is(
  pg_temp.said(pg_temp.refund('unpaid', pg_temp.lines(1, 2, 4, 1))),
  'refunded 2698 -270 +490 tax 465 (465) = 2918 0/0/2918', 'and refunded'
);
select is(pg_temp.faults(), 0::bigint, 'nothing is lost');

select is(pg_temp.buy('all', pg_temp.lines(1, 1, 2, 1)), 'confirmed', 'another one');
select is(pg_temp.said(pg_temp.refund('all', pg_temp.lines(1, 1, 2, 1))), 'cancelled 1632 -0 +0 tax 230 (207) = 1655 unpaid', 'an order of nothing is cancelled');
select is(
  (select row(orders, units)::text from interlock.customer_open_orders where user_id = pg_temp.id('ann')), '(0,0)', 'nothing counts'
);
select is(pg_temp.buy('free', pg_temp.lines(2, 2, 4, 1, 5, 1)), 'confirmed', 'with a gift');
select is(pg_temp.said(pg_temp.refund('free', pg_temp.lines(2, 1, 5, 1))), 'confirmed 333 -0 +0 tax 24 (0) = 357 unpaid', 'without it');
select is(pg_temp.buy('gift', pg_temp.lines(2, 2, 5, 1)), 'confirmed', 'with a gift again');
select is(pg_temp.said(pg_temp.refund('gift', pg_temp.lines(2, 2))), 'paid 666 -0 +0 tax 47 (0) = 713 unpaid', 'what costs nothing any more is paid');
select is(
  (select row(orders, units)::text from interlock.customer_open_orders where user_id = pg_temp.id('ann')), '(1,2)', 'and counts no more'
);
select is(pg_temp.said(pg_temp.refund('gift', pg_temp.lines(5, 1))), 'refunded 0 -0 +0 tax 0 (0) = 0 0/0/0', 'and can be refunded');
select is(pg_temp.buy('song', pg_temp.lines(4, 2, 5, 1), ', p_payment_method => ''bank_transfer'''), 'pending_payment', 'songs with a gift');
select is(pg_temp.said(pg_temp.refund('song', pg_temp.lines(4, 2))), 'paid 200 -0 +0 tax 32 (32) = 200 unpaid', 'without songs');
select is((select count(*) from interlock.product_codes where order_id = pg_temp.o('song')), 0::bigint, 'no code is delivered with it');
insert into interlock.products (id, name, price, currency, kind) values (pg_temp.p(8), 'tap film', 100, 'EUR', 'digital');
insert into interlock.product_codes (product_id, code) values (pg_temp.p(8), 'tap-37-film');
select is(pg_temp.buy('film', pg_temp.lines(4, 2, 8, 1)), 'confirmed', 'songs and a film');
select is(pg_temp.said(pg_temp.refund('film', pg_temp.lines(8, 1))), 'confirmed 100 -0 +0 tax 16 (16) = 100 unpaid', 'without the film');
select is(pg_temp.stock(8), 1, 'whose code it was');
update interlock.settings set max_open_units_per_customer = null;
select is(pg_temp.buy('late', pg_temp.lines(1, 3)), 'confirmed', 'without a limit');
select is(pg_temp.said(pg_temp.refund('late', pg_temp.lines(1, 1))), 'confirmed 1299 -0 +0 tax 207 (207) = 1299 unpaid', 'less');
update interlock.settings set max_open_units_per_customer = 100;
select is(
  (select counted_units from interlock.orders where id = pg_temp.o('late'))::int, 2, 'a new limit counts what is left'
);
update interlock.settings set max_open_units_per_customer = null;
select is(pg_temp.faults(), 0::bigint, 'nothing is lost');

-- By card --------------------------------------------------------------------

update interlock.settings set payment_methods = payment_methods || '{card}';
delete from interlock.payment_secrets;
select pg_temp.call('shop', $$public.set_payment_secret('stripe', 'whsec_tap_37_0123')$$);
create function pg_temp.event(p_type text, p_object jsonb)
returns text
language sql
as $$
  select pg_temp.call('shop', format('public.payment_webhook(''stripe'', %L, %L)', body, format(
    't=%s,v1=%s', t, encode(interlock.hmac_sha256(convert_to('whsec_tap_37_0123', 'UTF8'), convert_to(t || '.' || body, 'UTF8')), 'hex')
  ))) ->> 'outcome'
  from (
    select extract(epoch from now())::bigint as t, jsonb_build_object(
      'id', 'evt_' || md5(random()::text), 'type', p_type, 'created', extract(epoch from now())::bigint,
      'data', jsonb_build_object('object', p_object)
    )::text as body
  ) b
$$;
create function pg_temp.pay(p_name text, p_amount bigint)
returns text
language sql
as $$
  select pg_temp.event('payment_intent.succeeded', jsonb_build_object(
    'id', 'pi_' || md5(p_name), 'amount_received', p_amount, 'currency', 'eur',
    'metadata', jsonb_build_object('order_id', pg_temp.o(p_name))
  ))
$$;
create function pg_temp.payment(p_name text)
returns text
language sql
as $$
  select string_agg(concat_ws(' ', status, amount, refund_asked, refunded, flag), '; ' order by attempt)
  from interlock.payments where order_id = pg_temp.o(p_name)
$$;
select is(pg_temp.buy('card', pg_temp.lines(1, 3), ', p_payment_method => ''card'''), 'pending_payment', 'by card');
select is(pg_temp.pay('card', 3897), 'paid', 'paid');
select is(pg_temp.said(pg_temp.refund('card', pg_temp.lines(1, 1))), 'paid 1299 -0 +0 tax 207 (207) = 1299 0/1299/0', 'a part goes back by card');
select is(pg_temp.payment('card'), 'refund_due 3897 1299 0', 'it is due');
select is(
  pg_temp.event('refund.updated', jsonb_build_object(
    'id', 're_37', 'payment_intent', 'pi_' || md5('card'), 'amount', 1299, 'currency', 'eur', 'status', 'succeeded'
  )), 'noted', 'the provider has done it'
);
select is(pg_temp.payment('card'), 'refunded 3897 1299 1299', 'done');
select is(
  pg_temp.said(pg_temp.refund('card', pg_temp.lines(1, 1), ', p_outside => true')),
  'paid 1299 -0 +0 tax 208 (208) = 1299 0/0/1299', 'another by hand'
);
select is(pg_temp.payment('card'), 'refunded 3897 1299 1299', 'is not asked for');
select is(pg_temp.call('shop', format('public.refund_order(%L)', pg_temp.o('card'))) #>> '{order,status}', 'refunded', 'the rest');
select is(pg_temp.payment('card'), 'refund_due 3897 2598 1299', 'is, and nothing twice');

select pg_temp.buy('asked', pg_temp.lines(1, 2), ', p_payment_method => ''card''');
select pg_temp.pay('asked', 2598);
select is(
  pg_temp.call('shop', format('public.refund_payment(%L, 1500)', (select id from interlock.payments where order_id = pg_temp.o('asked')))) #>> '{payment,status}',
  'refund_due', 'some of it was asked for before'
);
select is(pg_temp.said(pg_temp.refund('asked', pg_temp.lines(1, 1))), 'paid 1299 -0 +0 tax 208 (208) = 1299 0/1098/0', 'never more than was paid');
select is(pg_temp.said(pg_temp.refund('asked', pg_temp.lines(1, 1))), 'refunded 1299 -0 +0 tax 207 (207) = 1299 0/0/0', 'in all');
select is(pg_temp.payment('asked'), 'refund_due 2598 2598 0', 'all of it is due');

select pg_temp.buy('begun', pg_temp.lines(1, 2, 2, 1), ', p_payment_method => ''card''');
select is(
  pg_temp.call('ann', format('public.begin_card_payment(%L)', pg_temp.o('begun'))) #>> '{payment,amount}', '2954', 'an attempt has begun'
);
select is(pg_temp.said(pg_temp.refund('begun', pg_temp.lines(1, 1))), 'pending_payment 1299 -0 +0 tax 208 (208) = 1299 unpaid', 'a line is cancelled');
select is(
  pg_temp.event('payment_intent.succeeded', jsonb_build_object(
    'id', 'pi_begun37', 'amount_received', 2954, 'currency', 'eur', 'metadata', jsonb_build_object(
      'order_id', pg_temp.o('begun'), 'payment_id', (select id from interlock.payments where order_id = pg_temp.o('begun'))
    )
  )),
  'paid', 'the money is what it was when the attempt began'
);
select is(pg_temp.payment('begun'), 'refund_due 2954 1299 0', 'what is too much goes back');
select is(pg_temp.call('shop', format('public.refund_order(%L)', pg_temp.o('begun'))) #>> '{order,status}', 'refunded', 'with the rest');
select is(pg_temp.payment('begun'), 'refund_due 2954 2954 0', 'all goes back');
select pg_temp.buy('otherwise', pg_temp.lines(1, 3), ', p_payment_method => ''card''');
select pg_temp.call('ann', format('public.begin_card_payment(%L)', pg_temp.o('otherwise')));
select pg_temp.call('shop', format('public.accept_payment(%L)', pg_temp.o('otherwise')));
select is(
  pg_temp.said(pg_temp.refund('otherwise', pg_temp.lines(1, 1))), 'paid 1299 -0 +0 tax 207 (207) = 1299 0/0/1299', 'an attempt that is open gives nothing back'
);
select is(pg_temp.pay('otherwise', 2598), 'refund_due', 'money that comes as well');
select is(
  pg_temp.said(pg_temp.refund('otherwise', pg_temp.lines(1, 1))), 'paid 1299 -0 +0 tax 208 (208) = 1299 0/0/1299', 'is not the order''s'
);
select pg_temp.buy('less', pg_temp.lines(1, 2), ', p_payment_method => ''card''');
select pg_temp.refund('less', pg_temp.lines(1, 1));
select is(
  pg_temp.call('ann', format('public.begin_card_payment(%L)', pg_temp.o('less'))) #>> '{payment,amount}', '1299', 'a new attempt is for what is left'
);
select pg_temp.buy('own', pg_temp.lines(1, 2), ', p_payment_method => ''card''');
select pg_temp.refund('own', pg_temp.lines(1, 1));
select is(pg_temp.pay('own', 1299), 'paid', 'what is left pays it');
select is(pg_temp.payment('own'), 'succeeded 1299 0 0', 'nothing is due');
select pg_temp.buy('wrong', pg_temp.lines(1, 2), ', p_payment_method => ''card''');
select pg_temp.refund('wrong', pg_temp.lines(1, 1));
select is(pg_temp.pay('wrong', 2598), 'flagged', 'what it cost at first does not');
select is(pg_temp.faults(), 0::bigint, 'nothing is lost');

-- Who, and how often ---------------------------------------------------------

select pg_temp.buy('who', pg_temp.lines(1, 5), $$, null, null, 'wallet'$$);
select is(pg_temp.refund('who', pg_temp.lines(1, 1), '', 'ann') ->> 'message', 'FORBIDDEN', 'not the buyer');
select is(pg_temp.refund('who', pg_temp.lines(1, 1), '', 'nobody') ->> 'message', 'UNAUTHENTICATED', 'not nobody');
select is(pg_temp.said(pg_temp.refund('who', pg_temp.lines(1, 1), $$, 'too salty', p_reference => 'rma 1'$$, 'staff')), 'paid 1299 -0 +0 tax 207 (207) = 1299 1299/0/0', 'staff');
select is(
  (select concat_ws(' ', reason, actor = pg_temp.id('staff')) from interlock.order_refunds where order_id = pg_temp.o('who')), 'too salty t', 'who and why is kept'
);
select is(pg_temp.said(pg_temp.refund('who', pg_temp.lines(1, 1), $$, 'too salty', p_reference => 'rma 1'$$)), 'paid 1299 -0 +0 tax 207 (207) = 1299 1299/0/0', 'the same again');
select is((select count(*) from interlock.order_refunds where order_id = pg_temp.o('who')), 1::bigint, 'counts once');
select is(
  pg_temp.refund('who', pg_temp.lines(1, 2), $$, 'too salty', p_reference => 'rma 1'$$) ->> 'message', 'IDEMPOTENCY_KEY_REUSED', 'another under it does not'
);
select is(
  pg_temp.call(v.who, format('(select to_jsonb(count(*)) from public.%I where order_id = %L)', v.tab, pg_temp.o('who'))), v.found::text::jsonb, format('%s sees %s', v.who, v.tab)
)
from (values ('ann', 'order_refunds', 1), ('ann', 'order_refund_items', 1), ('bob', 'order_refunds', 0), ('bob', 'order_refund_items', 0), ('shop', 'order_refunds', 1), ('shop', 'order_refund_items', 1)) as v (who, tab, found);
select is(
  pg_temp.call('shop', format('public.list_orders(p_number => %s)', (select number from interlock.orders where id = pg_temp.o('who')))) #> '{orders,0,refunds,0,items}',
  jsonb_build_array(jsonb_build_object(
    'product_id', pg_temp.p(1), 'quantity', 1, 'from_shelf', 1, 'restocked', 1, 'subtotal', 1299, 'discount', 0, 'tax', 207,
    'tax_included', 207, 'amount', 1299
  )),
  'the shop reads it with the order'
);
select ok(not pg_temp.call('shop', format('public.list_orders(p_number => %s)', (select number from interlock.orders where id = pg_temp.o('rest')))) #> '{orders,0}' ? 'none', 'orders are read');
select is(
  pg_temp.call('shop', format('public.refund_order_lines(%s)', v.arguments)) - 'state',
  jsonb_build_object('message', 'VALIDATION_FAILED', 'detail', jsonb_build_object('problems', v.errors)), v.arguments
)
from (values
  ($$null, '[]'$$, '[{"pointer": "/p_order_id", "message": "is required"}, {"pointer": "/p_lines", "message": "must have 1 to 100 lines"}]'::jsonb),
  ($$gen_random_uuid()$$, '[{"pointer": "/p_lines", "message": "must have 1 to 100 lines"}]'),
  ($$gen_random_uuid(), null$$, '[{"pointer": "/p_lines", "message": "must be an array of 1 to 100 lines"}]'),
  ($$gen_random_uuid(), '{}', p_shipping => true$$, '[{"pointer": "/p_lines", "message": "must be an array of 1 to 100 lines"}]'),
  ($$gen_random_uuid(), (select jsonb_agg(1) from generate_series(1, 101))$$, '[{"pointer": "/p_lines", "message": "must have 1 to 100 lines"}]'),
  ($$gen_random_uuid(), '[]', '', p_shipping => true$$, '[{"pointer": "/p_reason", "message": "must have 1 to 200 characters"}]'),
  ($$gen_random_uuid(), '[]', p_shipping => true, p_reference => ''$$, '[{"pointer": "/p_reference", "message": "must be 1 to 255 printable ASCII characters"}]'),
  ($$gen_random_uuid(), '[1, {}, {"product_id": 1, "quantity": "1", "restock": 1, "a/b": 2}]'$$, '[
    {"pointer": "/p_lines/0", "message": "must be an object with product_id and quantity"},
    {"pointer": "/p_lines/1/product_id", "message": "must be a UUID"}, {"pointer": "/p_lines/1/quantity", "message": "must be an integer from 1 to 1000000"},
    {"pointer": "/p_lines/2/a~1b", "message": "is not a known field"}, {"pointer": "/p_lines/2/product_id", "message": "must be a UUID"},
    {"pointer": "/p_lines/2/quantity", "message": "must be an integer from 1 to 1000000"}, {"pointer": "/p_lines/2/restock", "message": "must be true or false"}
  ]'),
  ($$gen_random_uuid(), '[{"product_id": "7d370000-0000-4000-8000-00000000000a", "quantity": 0}, {"product_id": "7D370000-0000-4000-8000-00000000000A", "quantity": 1000001}, {"product_id": "7d370000-0000-4000-8000-00000000000b", "quantity": 1.5}, {"product_id": "x7d370000-0000-4000-8000-00000000000b", "quantity": 1}, {"product_id": "7d370000-0000-4000-8000-00000000000b1", "quantity": 1000000}]'$$, '[
    {"pointer": "/p_lines/0/quantity", "message": "must be an integer from 1 to 1000000"},
    {"pointer": "/p_lines/1/product_id", "message": "is named before"}, {"pointer": "/p_lines/1/quantity", "message": "must be an integer from 1 to 1000000"},
    {"pointer": "/p_lines/2/quantity", "message": "must be an integer from 1 to 1000000"},
    {"pointer": "/p_lines/3/product_id", "message": "must be a UUID"}, {"pointer": "/p_lines/4/product_id", "message": "must be a UUID"}
  ]')
) as v (arguments, errors);
select is(
  pg_temp.call('shop', $$public.refund_order_lines('7d370000-0000-4000-8000-00000000000a', '[]', p_shipping => true)$$),
  '{"message": "ORDER_NOT_FOUND", "detail": {"order_id": "7d370000-0000-4000-8000-00000000000a"}}', 'an order that is not there'
);
select is(
  pg_temp.refund('who', pg_temp.lines(2, 1)) #> '{detail,lines,0,refundable}', '0', 'nothing is left of what was not bought'
);
select is(
  jsonb_path_query_array(pg_temp.refund('who', pg_temp.lines(2, 1, 1, 99)), '$.detail.lines[*].refundable'), '[4, 0]', 'lines stand in the order of their products'
);
select is(
  (pg_temp.refund('who', '[]', ', p_shipping => true') -> 'detail') - 'order_id', '{"lines": [], "shipping": 0}', 'shipping that cost nothing'
);

-- An account that is gone.
select pg_temp.call('shop', format('public.erase_user(%L)', pg_temp.id('staff')));
select is((select count(*) from interlock.order_refunds where actor is not null), 0::bigint, 'who did it is taken out');
select is(pg_temp.call('shop', format('public.fulfill_order(%L)', pg_temp.o('who'))) #>> '{order,status}', 'fulfilled', 'it is handed over');
create temporary table owed as select id from interlock.orders where user_id = pg_temp.id('ann') and interlock.is_owed_order(status);
select pg_temp.call('shop', case when o.paid_at is null then format('public.cancel_order(%L)', o.id) else format('public.refund_order(%L)', o.id) end)
from interlock.orders o where o.id in (select id from owed);
update interlock.wallets set balance = 0 where user_id = pg_temp.id('ann');
select is(pg_temp.call('shop', format('public.erase_user(%L)', pg_temp.id('ann'))) ->> 'account_removed', 'true', 'her account is removed');
select is(
  pg_temp.refund('who', pg_temp.lines(1, 1)),
  jsonb_build_object('message', 'WALLET_OWNER_GONE', 'detail', jsonb_build_object('order_id', pg_temp.o('who'), 'amount', 1299, 'currency', 'EUR')),
  'there is no wallet'
);
select is(
  pg_temp.said(pg_temp.refund('who', pg_temp.lines(1, 1), ', p_outside => true')), 'fulfilled 1299 -0 +0 tax 208 (208) = 1299 0/0/1299', 'the shop can still do it'
);
select is(
  pg_temp.said(pg_temp.refund('who', pg_temp.lines(1, 3), ', p_outside => true')), 'refunded 3897 -0 +0 tax 622 (622) = 3897 0/0/3897', 'to the end'
);

-- What the tables refuse -----------------------------------------------------

create function pg_temp.refusal(p_sql text)
returns text
language plpgsql
as $$
declare
  v_constraint text;
begin
  execute p_sql;
  return 'done';
exception
  when others then
    get stacked diagnostics v_constraint = constraint_name;
    return coalesce(nullif(v_constraint, ''), sqlstate);
end
$$;
select is(pg_temp.refusal(v.sql), v.refused_by, v.sql)
from (values
  ($$update interlock.orders set refunded = total + 1 where id = pg_temp.o('card')$$, 'orders_total_adds_up'),
  ($$update interlock.orders set refunded = refunded - 1 where id = pg_temp.o('card')$$, 'orders_terms_fixed'),
  ($$update interlock.order_refunds set reason = 'x'$$, '23001'), ($$delete from interlock.order_refunds$$, '23001'),
  ($$truncate interlock.order_refunds cascade$$, '23001'), ($$truncate interlock.order_refund_items$$, '23001'),
  ($$insert into interlock.order_refunds (order_id, subtotal, discount, shipping, tax, tax_included, amount, with_shipping, paid)
     values (gen_random_uuid(), 0, 0, 0, 0, 0, 0, false, true)$$, 'order_refunds_order_id_fkey'),
  ($$insert into interlock.order_refund_items select order_id, pg_temp.p(9), 1, refund_id, 1, 1, 1, 1, 0, 0, 0, 1
     from interlock.order_refund_items where order_id = pg_temp.o('parts') limit 1$$, 'order_refund_items_line_fkey'),
  ($$insert into interlock.order_refund_items select order_id, product_id, 9, gen_random_uuid(), 1, 1, 1, 1, 0, 0, 0, 1
     from interlock.order_refund_items where order_id = pg_temp.o('parts') limit 1$$, 'order_refund_items_refund_id_fkey'),
  ($$update interlock.order_refund_items set restocked = 0$$, '23001'), ($$delete from interlock.order_refund_items$$, '23001')
) as v (sql, refused_by);

select is(
  pg_temp.refusal(format(
    'insert into interlock.order_refunds (order_id, subtotal, discount, shipping, tax, tax_included, amount, with_shipping, paid, by_shop) values (%L, %s)',
    pg_temp.o(v.of), v.row
  )), v.refused_by, v.row
)
from (values
  ('card', '1, 0, 0, 0, 0, 1, false, true, 1', 'done'),
  ('card', '1, 0, 0, 0, 0, 2, false, true, 0', 'order_refunds_amount_adds_up'),
  ('card', '1, 0, 0, 0, 0, 1, false, true, 2', 'order_refunds_money_within_amount'),
  ('card', '1, 0, 0, 0, 0, 1, false, false, 1', 'order_refunds_money_within_amount'),
  ('parts', '0, 0, 1, 0, 0, 1, true, true, 1', 'order_refunds_shipping_once')
) as v (of, row, refused_by);
select is(
  pg_temp.refusal(format(
    'insert into interlock.order_refund_items select order_id, product_id, %s, refund_id, %s from interlock.order_refund_items where order_id = %L limit 1',
    v.first_unit, v.row, pg_temp.o('parts')
  )), v.refused_by, v.row
)
from (values
  (1, '1, 1, 1, 1, 0, 0, 0, 1', 'order_refund_items_pkey'),
  (9, '1, 1, 1, 1, 0, 0, 0, 2', 'order_refund_items_amount_adds_up'),
  (9, '1, 2, 1, 1, 0, 0, 0, 1', 'order_refund_items_units_within_quantity'),
  (9, '1, 1, 2, 1, 0, 0, 0, 1', 'order_refund_items_units_within_quantity')
) as v (first_unit, row, refused_by);

select * from finish();
rollback;
