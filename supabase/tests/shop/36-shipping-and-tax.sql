-- What an order costs beside the goods: shipping and tax. The examples of docs/prices.md are here.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(138);

-- Limits of customers have a file of their own: 31-open-orders.sql.
update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null, confirmation_window = null;

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('36-shipping-and-tax ' || p_name)::uuid $$;
insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-' || n || '@example.com' from unnest(array['ann', 'bob']) n;
-- Ids in the order of their names.
create function pg_temp.p(p_n int)
returns uuid
language sql
as $$ select ('7d360000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;
insert into interlock.products (id, name, price, currency, available_quantity, tax_class)
values
  (pg_temp.p(1), 'tap oil', 1299, 'EUR', 1000, 'standard'),
  (pg_temp.p(2), 'tap bread', 333, 'EUR', 1000, 'reduced'),
  (pg_temp.p(3), 'tap mug', 1000, 'USD', 1000, 'standard'),
  (pg_temp.p(5), 'tap stamp', 85, 'EUR', 1000, 'none');
insert into interlock.products (id, name, price, currency, kind) values (pg_temp.p(4), 'tap song', 100, 'EUR', 'digital');
insert into interlock.product_codes (product_id, code) select pg_temp.p(4), 'tap-song-' || n from generate_series(1, 20) n;
insert into interlock.wallets (user_id, balance, currency) values (pg_temp.id('ann'), 1000000, 'EUR');
insert into interlock.promo_codes (code, discount_type, discount_value, max_uses_per_user)
values ('tap-ten', 'percentage', 10, 1000), ('tap-all', 'percentage', 100, 1000);

-- A cart: pairs of product and quantity.
create function pg_temp.cart(variadic p_pairs int[])
returns text
language sql
as $$
  select jsonb_agg(jsonb_build_object('product_id', pg_temp.p(p_pairs[i]), 'quantity', p_pairs[i + 1]))::text
  from generate_series(1, cardinality(p_pairs), 2) i
$$;
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
    else jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id(p_who))::text
  end, true);
  execute format('set local role %I', case p_who when 'shop' then 'service_role' when 'anon' then 'anon' else 'authenticated' end);
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
create function pg_temp.buy(p_cart text, p_rest text default '')
returns jsonb
language sql
as $$ select pg_temp.call('ann', format('public.checkout(%L%s)', p_cart, p_rest)) $$;
create function pg_temp.quote(p_cart text, p_rest text default '')
returns jsonb
language sql
as $$ select pg_temp.call('ann', format('public.quote_order(%L%s)', p_cart, p_rest)) $$;
-- The amounts of an answer as subtotal, discount, shipping, tax on it, tax, tax that is in the prices, total; and the taxes
-- of its lines.
create function pg_temp.amounts(p_answer jsonb)
returns text
language sql
as $$
  select concat_ws(' ', p ->> 'subtotal', '-' || (p ->> 'discount'), '+' || (p ->> 'shipping'), '(' || (p ->> 'shipping_tax') || ')',
    'tax ' || (p ->> 'tax'), '(' || (p ->> 'tax_included') || ')', '= ' || (p ->> 'total'),
    jsonb_path_query_array(coalesce(p -> 'items', p -> 'lines'), '$[*].tax')::text)
  from (select coalesce(p_answer -> 'order', p_answer) as p) a
  where p ? 'total'
$$;

-- A shop without -------------------------------------------------------------

select is((select taxed from interlock.settings), false, 'a shop without rates is not taxed');
select is(pg_temp.amounts(pg_temp.buy(pg_temp.cart(1, 1, 2, 1))), '1632 -0 +0 (0) tax 0 (0) = 1632 [0, 0]', 'nothing is added');
select is(pg_temp.amounts(pg_temp.quote(pg_temp.cart(1, 1, 2, 1))), '1632 -0 +0 (0) tax 0 (0) = 1632 [0, 0]', 'or shown');
select is(
  pg_temp.buy(pg_temp.cart(1, 1), ', p_shipping_method => ''post'''),
  '{"message": "SHIPPING_METHOD_NOT_AVAILABLE", "detail": {"shipping_method": "post", "available": []}}', 'there is no shipping'
);

-- Shipping -------------------------------------------------------------------

insert into interlock.shipping_methods (code, name, price, currency, free_from, active)
values
  ('post', 'Post', 490, 'EUR', 5000, true), ('courier', 'Courier', 1250, 'EUR', null, true),
  ('pickup', 'Pick up', 0, 'EUR', null, true), ('old', 'Pigeon', 1, 'EUR', null, false), ('us', 'Mail', 900, 'USD', null, true);
select is(
  pg_temp.amounts(pg_temp.buy(pg_temp.cart(1, v.quantity), ', ' || v.rest)), v.amounts, v.what
)
from (values
  (1, $$p_shipping_method => 'post'$$, '1299 -0 +490 (0) tax 0 (0) = 1789 [0]', 'post'),
  (1, $$p_shipping_method => 'pickup'$$, '1299 -0 +0 (0) tax 0 (0) = 1299 [0]', 'what costs nothing'),
  (3, $$p_shipping_method => 'post'$$, '3897 -0 +490 (0) tax 0 (0) = 4387 [0]', 'not enough'),
  (4, $$p_shipping_method => 'post'$$, '5196 -0 +0 (0) tax 0 (0) = 5196 [0]', 'enough, it is free'),
  (4, $$'tap-ten', p_shipping_method => 'post'$$, '5196 -520 +490 (0) tax 0 (0) = 5166 [0]', 'less a discount it is not'),
  (9, $$p_shipping_method => 'courier'$$, '11691 -0 +1250 (0) tax 0 (0) = 12941 [0]', 'what is never free'),
  (1, $$'tap-all', p_shipping_method => 'post'$$, '1299 -1299 +490 (0) tax 0 (0) = 490 [0]', 'a code takes nothing off shipping')
) as v (quantity, rest, amounts, what);
update interlock.shipping_methods set free_from = 5196 where code = 'post';
select is(pg_temp.buy(pg_temp.cart(1, 4), ', p_shipping_method => ''post''') #> '{order,shipping}', '0', 'from exactly that value on');
select is(
  pg_temp.buy(pg_temp.cart(v.product, 1), format(', p_shipping_method => %L', v.method)),
  jsonb_build_object('message', 'SHIPPING_METHOD_NOT_AVAILABLE', 'detail', jsonb_build_object(
    'shipping_method', v.method, 'available', v.available::jsonb
  )),
  v.what
)
from (values
  (1, 'rocket', '["courier", "pickup", "post"]', 'an unknown method'), (1, 'old', '["courier", "pickup", "post"]', 'an inactive one'),
  (1, 'us', '["courier", "pickup", "post"]', 'one of another currency'), (3, 'post', '["us"]', 'and the other way round')
) as v (product, method, available, what);
select is(
  pg_temp.buy(pg_temp.cart(1, 1), format(', p_shipping_method => %L', v.method)) #> '{detail,problems,0,pointer}', '"/shipping_method"', v.what
)
from (values ('', 'no name'), (repeat('x', 41), 'too long a name'), (e'a\tb', 'what is no name')) as v (method, what);
select results_eq(
  $$select shipping_method::text, shipping::bigint, total from interlock.orders where user_id = pg_temp.id('ann') and shipping = 1250$$,
  $$values ('courier', 1250::bigint, 12941::bigint)$$, 'the order keeps it'
);
select is(pg_temp.buy(pg_temp.cart(1, 1)) #> '{order,shipping_method}', 'null', 'an order without may be placed');
update interlock.settings set shipping_required = true;
select is(
  pg_temp.buy(pg_temp.cart(1, 1, 4, 1)) -> 'detail', '{"shipping_method": null, "available": ["courier", "pickup", "post"]}', 'unless shipping is required'
);
select is(pg_temp.amounts(pg_temp.buy(pg_temp.cart(4, 1))), '100 -0 +0 (0) tax 0 (0) = 100 [0]', 'of what is sent');
select is(
  pg_temp.amounts(pg_temp.buy(pg_temp.cart(1, 1), $$, p_shipping_method => 'post', p_expected_total => 1789$$)),
  '1299 -0 +490 (0) tax 0 (0) = 1789 [0]', 'a total that is expected is that with shipping'
);
select is(
  pg_temp.buy(pg_temp.cart(1, 1), $$, p_shipping_method => 'post', p_expected_total => 1299$$) #- '{detail,lines}',
  '{"message": "PRICE_CHANGED", "detail": {"expected_total": 1299, "total": 1789, "subtotal": 1299, "currency": "EUR", "shipping": 490, "tax": 0}}',
  'another is refused, with what there is'
);
select is(
  (select array_agg(k order by k) from jsonb_object_keys(
    pg_temp.buy(pg_temp.cart(1, 1), $$, p_shipping_method => 'post', p_expected_total => 1299$$) #> '{detail,lines,0}') k),
  array['expected_unit_price', 'name', 'product_id', 'quantity', 'total', 'unit_price'], 'line by line as ever'
);
select is(
  pg_temp.buy(replace(pg_temp.cart(1, 1), '}', ', "expected_unit_price": 1}'), $$, p_shipping_method => 'post'$$) #> '{detail,total}', 'null',
  'a price that changed is told before the total is known'
);
update interlock.settings set shipping_required = false;

select is(
  pg_temp.quote(pg_temp.cart(1, 4)) -> 'shipping_methods',
  '[{"code": "pickup", "name": "Pick up", "shipping": 0, "free_from": null}, {"code": "post", "name": "Post", "shipping": 0, "free_from": 5196},
    {"code": "courier", "name": "Courier", "shipping": 1250, "free_from": null}]',
  'a quote tells what each method costs'
);
select is(
  jsonb_path_query_array(pg_temp.quote(pg_temp.cart(1, 4), ', ''tap-ten''') -> 'shipping_methods', '$[*].shipping'), '[0, 490, 1250]', 'for this cart'
);
select is(pg_temp.quote(pg_temp.cart(3, 1)) #> '{shipping_methods,0,code}', '"us"', 'in its currency');
update interlock.shipping_methods set active = false where currency = 'USD';
select is(pg_temp.quote(pg_temp.cart(3, 1)) -> 'shipping_methods', '[]', 'those that there are');

-- One key, one submission.
select is(pg_temp.buy(pg_temp.cart(1, 1), $$, p_idempotency_key => 'k', p_shipping_method => 'post'$$) #> '{order,total}', '1789', 'a submission');
update interlock.shipping_methods set price = 590 where code = 'post';
select is(
  pg_temp.buy(pg_temp.cart(1, 1), $$, p_idempotency_key => 'k', p_shipping_method => 'post', p_expected_total => 1$$) #> '{order,total}', '1789',
  'is answered with its order, whatever sending costs by then'
);
select is(
  pg_temp.buy(pg_temp.cart(1, 1), $$, p_idempotency_key => 'k'$$ || v.rest) ->> 'message', 'IDEMPOTENCY_KEY_REUSED', 'another way is another submission' || v.rest
)
from (values (''), (', p_shipping_method => ''pickup''')) as v (rest);
update interlock.shipping_methods set price = 490, free_from = 5000 where code = 'post';

-- Tax: the rule ----------------------------------------------------------------

select is(interlock.tax_of(v.amount, v.percent, v.inclusive), v.tax, format('%s %% %s %s', v.percent, case when v.inclusive then 'in' else 'on' end, v.amount))
from (values
  (0::bigint, 19, false, 0::bigint), (0, 19, true, 0), (100, 0, false, 0), (100, 0, true, 0),
  (1299, 19, false, 247), (1299, 19, true, 207), (50, 1, false, 1), (49, 1, false, 0), (333, 7, true, 22), (333, 7, false, 23),
  (100, 100, true, 50), (101, 100, true, 51), (100, 100, false, 100), (1000, 8.875, false, 89), (10000, 8.8749, false, 887),
  (1000000000000000000, 100, false, 1000000000000000000), (1000000000000000000, 25, true, 200000000000000000),
  (999999999999999999, 33.3333, true, 249999812499953125)
) as v (amount, percent, inclusive, tax);
select is(interlock.tax_of(100, null, null), null, 'without a rate there is none');

-- Inclusive ----------------------------------------------------------------------

insert into interlock.tax_rates (tax_class, country, name, percent, inclusive)
values
  ('standard', null, 'VAT 19 %', 19, true), ('reduced', null, 'VAT 7 %', 7, true),
  ('standard', 'FR', 'TVA 20 %', 20, true), ('reduced', 'FR', 'TVA 5,5 %', 5.5, true),
  ('standard', 'US', 'Sales tax', 8.875, false);
select is((select taxed from interlock.settings), true, 'a shop with rates is taxed');

create temporary table cases (n int, cart text, rest text, amounts text, what text);
insert into cases
values
  (1, pg_temp.cart(1, 1), '', '1299 -0 +0 (0) tax 207 (207) = 1299 [207]', 'tax that is in the price adds nothing'),
  (2, pg_temp.cart(1, 2, 2, 3), '', '3597 -0 +0 (0) tax 480 (480) = 3597 [415, 65]', 'each line has its class'),
  (3, pg_temp.cart(1, 1, 5, 1), '', '1384 -0 +0 (0) tax 207 (207) = 1384 [207, 0]', 'a class without a rate has no tax'),
  (4, pg_temp.cart(1, 1, 2, 1), ', ''tap-ten''', '1632 -163 +0 (0) tax 207 (207) = 1469 [187, 20]', 'on what is left after the discount'),
  (5, pg_temp.cart(1, 1, 2, 1), ', ''tap-all''', '1632 -1632 +0 (0) tax 0 (0) = 0 [0, 0]', 'on nothing there is none'),
  (6, pg_temp.cart(1, 1, 2, 1), $$, p_shipping_address => '{"country": "FR"}'$$, '1632 -0 +0 (0) tax 234 (234) = 1632 [217, 17]', 'of where it goes'),
  (7, pg_temp.cart(1, 1, 2, 1), $$, p_shipping_address => '{"country": "DE"}'$$, '1632 -0 +0 (0) tax 229 (229) = 1632 [207, 22]', 'or of everywhere'),
  (8, pg_temp.cart(1, 1, 2, 1), $$, p_shipping_address => '{"country": "US"}'$$, '1632 -0 +0 (0) tax 137 (22) = 1747 [115, 22]', 'added where it is added'),
  (9, pg_temp.cart(1, 1), $$, p_shipping_method => 'post'$$, '1299 -0 +490 (0) tax 207 (207) = 1789 [207]', 'shipping without a class has none');
select is(pg_temp.amounts(pg_temp.buy(cart, rest)), amounts, what) from cases order by n;
select is(pg_temp.amounts(pg_temp.quote(cart, rest)), amounts, 'a quote: ' || what) from cases order by n;
select is(
  pg_temp.amounts(pg_temp.buy(cart, rest || ', p_expected_total => ' || (pg_temp.quote(cart, rest) ->> 'total'))), amounts, 'the total of a quote is what is paid: ' || what
)
from cases order by n;
select is(pg_temp.buy(pg_temp.cart(1, 1), ', p_expected_total => 1298') #> '{detail,tax}', '207', 'another total is refused, with the tax');

update interlock.shipping_methods set tax_class = 'standard' where code in ('post', 'pickup');
truncate cases;
insert into cases
values
  (1, pg_temp.cart(1, 1), $$, p_shipping_method => 'post'$$, '1299 -0 +490 (78) tax 285 (285) = 1789 [207]', 'shipping with one has'),
  (2, pg_temp.cart(1, 1), $$, p_shipping_method => 'post', p_shipping_address => '{"country": "US"}'$$,
    '1299 -0 +490 (43) tax 158 (0) = 1947 [115]', 'added, too'),
  (5, pg_temp.cart(1, 1, 2, 1), $$, 'tap-ten', p_shipping_method => 'post'$$,
    '1632 -163 +490 (78) tax 285 (285) = 1959 [187, 20]', 'all of it together'),
  (3, pg_temp.cart(1, 4), $$, p_shipping_method => 'post'$$, '5196 -0 +0 (0) tax 830 (830) = 5196 [830]', 'free shipping has none'),
  (4, pg_temp.cart(4, 2), $$, p_payment_method => 'wallet', p_shipping_address => '{"country": "US"}'$$,
    '200 -0 +0 (0) tax 18 (0) = 218 [18]', 'what is digital is taxed as well');
select is(pg_temp.amounts(pg_temp.buy(cart, rest)), amounts, what) from cases order by n;
select results_eq(
  $$
    select distinct i.tax::bigint, i.tax_percent, i.tax_inclusive
    from interlock.order_items i join interlock.orders o on o.id = i.order_id
    where o.user_id = pg_temp.id('ann') and o.tax = 137
    order by 1 desc
  $$,
  $$values (115::bigint, 8.875, false), (22::bigint, 7::numeric, true)$$, 'a line keeps its rate'
);
select is_empty(
  $$
    select o.id
    from interlock.orders o
    join interlock.order_items i on i.order_id = o.id
    where o.user_id = pg_temp.id('ann')
    group by o.id, o.shipping, o.shipping_tax, o.tax, o.tax_included, o.total
    having sum(i.tax) + o.shipping_tax <> o.tax
      or sum(i.quantity * i.unit_price - i.discount + case when i.tax_inclusive then 0 else i.tax end) + o.shipping
        + case when o.tax_included = 0 then o.shipping_tax else 0 end <> o.total
        and o.shipping_tax = 0
  $$,
  'the parts sum to the whole'
);
update interlock.settings set tax_country = 'FR';
select is(pg_temp.buy(pg_temp.cart(1, 1)) #> '{order,tax}', '217', 'without an address it is the shop''s country');
select is(
  pg_temp.buy(pg_temp.cart(1, 1), $$, p_shipping_address => '{"country": "DE"}'$$) #> '{order,tax}', '207', 'with one it is not'
);
select is(pg_temp.buy(pg_temp.cart(1, 1), $$, p_shipping_address => '{"city": "Paris"}'$$) #> '{order,tax}', '217', 'unless it says none');
select is(
  pg_temp.buy(pg_temp.cart(1, 1), format(', p_shipping_address => %L', v.address)) #> '{detail,problems,0,pointer}', '"/shipping_address/country"',
  'a country is two capital letters: ' || v.address
)
from (values ('{"country": "de"}'), ('{"country": "Germany"}'), ('{"country": 1}'), ('{"country": ""}'), (e'{"country": "DE\\n"}')) as v (address);
update interlock.settings set tax_country = null;

-- Money ----------------------------------------------------------------------------

create temporary table paid as
select pg_temp.buy(pg_temp.cart(1, 1), $$, p_payment_method => 'wallet', p_shipping_method => 'post', p_shipping_address => '{"country": "US"}'$$) as answer;
select is((select balance from interlock.wallets where user_id = pg_temp.id('ann')), 1000000::bigint - 218 - 1947, 'the wallet pays the total');
select is(
  pg_temp.call('shop', format('public.refund_order(%L)', (select answer #>> '{order,id}' from paid))) #> '{order,total}', '1947', 'it is refunded'
);
select is((select balance from interlock.wallets where user_id = pg_temp.id('ann')), 1000000::bigint - 218, 'and gets the total back');
select is(
  pg_temp.buy(pg_temp.cart(1, 1), $$, 'tap-all', p_payment_method => 'bank_transfer', p_shipping_method => 'courier'$$) #> '{order,status}',
  '"pending_payment"', 'shipping alone is to be paid'
);
select is(
  pg_temp.buy(pg_temp.cart(1, 1), $$, 'tap-all', p_payment_method => 'bank_transfer', p_shipping_method => 'pickup'$$) #> '{order,status}',
  '"paid"', 'nothing is not'
);
select throws_ok(
  format('update interlock.orders set %s where id = %L', v.change, (select answer #>> '{order,id}' from paid)), '23514', null, 'an order keeps its terms: ' || v.change
)
from (values
  ('shipping = 1, total = total - 489'), ('shipping_tax = 1'), ('tax = 1'), ('tax_included = 1'), ('shipping_method = null'), ('shipping_method = ''us'''),
  ('tax = tax + 1, tax_included = tax_included + 1')
) as v (change);
select throws_ok(
  format(
    $$insert into interlock.orders (status, currency, subtotal, discount, shipping, tax, tax_included, total, payment_method)
      values ('confirmed', 'EUR', 100, 10, 20, 5, 2, %s, 'cash_on_delivery')$$, v.total
  ),
  v.state, null, 'a total that does not add up: ' || v.total
)
from (values (112, '23514'), (114, '23514'), (90, '23514')) as v (total, state);
select lives_ok(
  $$insert into interlock.orders (status, currency, subtotal, discount, shipping, tax, tax_included, total, payment_method)
    values ('confirmed', 'EUR', 100, 10, 20, 5, 2, 113, 'cash_on_delivery')$$, 'and one that does'
);

-- The tables -------------------------------------------------------------------

select throws_ok(v.sql, v.state, null, v.sql)
from (values
  ($$insert into interlock.tax_rates (tax_class, country, name, percent, inclusive) values ('standard', 'FR', 'x', 1, true)$$, '23505'),
  ($$insert into interlock.tax_rates (tax_class, name, percent, inclusive) values ('standard', 'x', 1, true)$$, '23505'),
  ($$insert into interlock.shipping_methods (code, name, price, currency) values ('post', 'x', 1, 'USD')$$, '23505'),
  ($$insert into interlock.shipping_methods (code, name, price, currency) values ('Post', 'x', 1, 'USD')$$, '23514')
) as v (sql, state);
select is(pg_temp.call('anon', $$(select jsonb_agg(code order by code) from public.shipping_methods)$$), '["courier", "pickup", "post"]', 'everybody reads the methods that are active');
select is(pg_temp.call('ann', $$(select jsonb_agg(name order by name) from public.tax_rates where country is null)$$), '["VAT 19 %", "VAT 7 %"]', 'and the rates');
select is(pg_temp.call('anon', $$(select to_jsonb(count(*)) from public.tax_rates)$$), '5', 'all of them');
delete from interlock.tax_rates where country is not null;
select is((select taxed from interlock.settings), true, 'as long as there are rates it is taxed');
delete from interlock.tax_rates;
select is((select taxed from interlock.settings), false, 'not any more');
select is(pg_temp.amounts(pg_temp.buy(pg_temp.cart(1, 1))), '1299 -0 +0 (0) tax 0 (0) = 1299 [0]', 'and nothing is charged');
insert into interlock.tax_rates (tax_class, name, percent, inclusive) values ('other', 'x', 1, true);
select is((select taxed from interlock.settings), true, 'again');
truncate interlock.tax_rates;
select is((select taxed from interlock.settings), false, 'all at once');

-- Quotes ---------------------------------------------------------------------------

select is(
  (select array_agg(k order by k) from jsonb_object_keys(pg_temp.quote(pg_temp.cart(1, 1))) k),
  array['currency', 'discount', 'lines', 'shipping', 'shipping_method', 'shipping_methods', 'shipping_tax', 'subtotal', 'success', 'tax', 'tax_included', 'total'],
  'a quote has these members'
);
select is(
  pg_temp.quote(pg_temp.cart(1, 2), ', ''tap-ten''') -> 'lines',
  jsonb_build_array(jsonb_build_object('product_id', pg_temp.p(1), 'quantity', 2, 'unit_price', 1299, 'discount', 260, 'tax', 0,
    'tax_percent', null, 'tax_inclusive', null, 'total', 2598)),
  'a line these'
);
select is(pg_temp.quote(v.cart, v.rest) ->> 'message', v.code, 'refused: ' || v.code || coalesce(v.rest, ''))
from (values
  (pg_temp.cart(9, 1), '', 'PRODUCT_NOT_FOUND'), (pg_temp.cart(1, 1, 3, 1), '', 'MIXED_CURRENCIES'), ('[]', '', 'VALIDATION_FAILED'),
  (pg_temp.cart(1, 1), ', ''no-such-code''', 'PROMO_NOT_FOUND'), (pg_temp.cart(1, 1), ', p_shipping_method => ''x''', 'SHIPPING_METHOD_NOT_AVAILABLE'),
  (pg_temp.cart(1, 1), ', p_shipping_method => ''''', 'VALIDATION_FAILED'), (pg_temp.cart(1, 1), ', p_shipping_address => ''1''', 'VALIDATION_FAILED')
) as v (cart, rest, code);
select is(
  jsonb_path_query_array(pg_temp.quote('[]', $$, p_shipping_address => '1', p_shipping_method => ''$$), '$.detail.problems[*].pointer'),
  '["/p_shipping_address", "/p_shipping_method"]', 'by the names of its arguments'
);
select is(pg_temp.call('nobody', format('public.quote_order(%L)', pg_temp.cart(1, 1))) ->> 'message', 'UNAUTHENTICATED', 'a quote is for who is signed in');
select is_empty(
  $$select 1 from interlock.promo_redemptions where status = 'held'$$, 'and holds nothing'
);

select * from finish();
rollback;
