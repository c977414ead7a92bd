-- Carts: the same cart is the same request, and a price that was not shown is not charged.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(62);

-- Limits of customers have a file of their own: 31-open-orders.sql.
update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null, confirmation_window = null;

insert into auth.users (id, aud, role, email)
values
  ('7c300000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-cart-ann@example.com'),
  ('7c300000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'tap-cart-bob@example.com');

insert into interlock.products (id, name, price, currency, available_quantity)
values
  ('7d300000-0000-4000-8000-00000000000a', 'tap oil', 1299, 'EUR', 1000),
  ('7d300000-0000-4000-8000-00000000000b', 'tap beans', 899, 'EUR', 1000),
  ('7d300000-0000-4000-8000-00000000000c', 'tap flyer', 0, 'EUR', 1000);
insert into interlock.promo_codes (id, code, discount_type, discount_value)
values
  ('7e300000-0000-4000-8000-000000000001', 'TAPCART10', 'percentage', 10),
  ('7e300000-0000-4000-8000-000000000002', 'TAPCARTALL', 'percentage', 100);

-- A cart: `a2 b1@899` is two of product a, and one of b that was shown for 899.
create function pg_temp.cart(p_text text)
returns jsonb
language sql
as $$
  select jsonb_agg(
    jsonb_build_object(
      'product_id', '7d300000-0000-4000-8000-00000000000' || left(w.word, 1),
      'quantity', split_part(substr(w.word, 2), '@', 1)::int
    ) || case when w.word like '%@%'
      then jsonb_build_object('expected_unit_price', split_part(w.word, '@', 2)::jsonb) else '{}' end
    order by w.n
  )
  from regexp_split_to_table(p_text, ' ') with ordinality as w (word, n)
$$;

-- Calls the RPC as a signed-in user. The answer is the order, or code and details of the error.
create function pg_temp.buy(
  p_who text,
  p_cart text,
  p_key text default null,
  p_total bigint default null,
  p_method text default 'cash_on_delivery',
  p_promo text default null,
  p_cart_id uuid default null
)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub',
    case p_who when 'ann' then '7c300000-0000-4000-8000-000000000001' else '7c300000-0000-4000-8000-000000000002' end
  )::text, true);
  set local role authenticated;
  v_answer := public.checkout(pg_temp.cart(p_cart), p_promo, p_cart_id, p_method, p_key, p_total);
  reset role;
  return v_answer -> 'order';
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('code', sqlerrm, 'details', nullif(v_detail, '')::jsonb - 'message');
end
$$;

create function pg_temp.stock(p_letter text)
returns int
language sql
as $$
  select available_quantity from interlock.products where id = ('7d300000-0000-4000-8000-00000000000' || p_letter)::uuid
$$;

create temporary table answers (name text primary key, answer jsonb);

-- The same cart ------------------------------------------------------------

insert into answers values ('first', pg_temp.buy('ann', 'a2 b3', 'same'));
select is(answer ->> 'total', '5295', 'a cart of two products') from answers where name = 'first';
select is(
  pg_temp.buy('ann', t.cart, 'same', t.total), a.answer, 'the same cart under the same key is answered the same: ' || t.cart
)
from answers a
cross join (values
  ('b3 a2', null), ('b1 a1 a1 b2', null), ('b3@1 a2@1', null), ('a2 b3', 1)
) as t (cart, total)
where a.name = 'first';
select is(
  pg_temp.buy('ann', t.cart, 'same') ->> 'code', 'IDEMPOTENCY_KEY_REUSED', 'another cart is another request: ' || t.cart
)
from (values ('a2 b2'), ('a3 b3'), ('a2'), ('a2 c3'), ('a2 b3 c1')) as t (cart);
select is(
  pg_temp.buy('ann', 'a2 b3', 'same', null, 'bank_transfer') ->> 'code', 'IDEMPOTENCY_KEY_REUSED', 'another way to pay is, too'
);
select is(
  pg_temp.buy('ann', 'a2 b3', 'same', null, 'cash_on_delivery', 'TAPCART10') ->> 'code',
  'IDEMPOTENCY_KEY_REUSED',
  'and a promo code'
);
select is(
  pg_temp.buy(
    'ann', 'a2 b3', 'same', null, 'cash_on_delivery', null, 'ca300000-0000-4000-8000-000000000001'
  ) ->> 'code',
  'IDEMPOTENCY_KEY_REUSED',
  'and another name of the cart'
);

-- The price that was shown ------------------------------------------------

select is(
  pg_temp.buy('ann', t.cart, null, t.total) -> 'total', to_jsonb(t.paid), format('%s for %s', t.cart, t.total)
)
from (values
  ('a1', 1299, 1299), ('a1@1299', null, 1299), ('a1@1299 a1', null, 2598), ('a2@1299 b1', 3497, 3497),
  ('c1@0', 0, 0), ('a1@1299.0', null, 1299)
) as t (cart, total, paid);

create function pg_temp.line(p_letter text, p_quantity int, p_price int, p_expected int)
returns jsonb
language sql
as $$
  select jsonb_build_object(
    'product_id', p.id, 'name', p.name, 'quantity', p_quantity, 'unit_price', p_price,
    'total', p_quantity * p_price, 'expected_unit_price', p_expected
  )
  from interlock.products p
  where p.id = ('7d300000-0000-4000-8000-00000000000' || p_letter)::uuid
$$;

create temporary table stock_before as
  select sum(available_quantity) as units from interlock.products where id::text like '7d300000-%';
select is(
  pg_temp.buy('ann', t.cart, null, t.total),
  jsonb_build_object('code', 'PRICE_CHANGED', 'details', jsonb_build_object(
    'expected_total', t.total, 'total', t.now, 'subtotal', t.now, 'currency', 'EUR', 'lines', t.lines
  )),
  format('not %s for %s', t.cart, t.total)
)
from (values
  ('a1', 1298, 1299, jsonb_build_array(pg_temp.line('a', 1, 1299, null))),
  ('a1', 1300, 1299, jsonb_build_array(pg_temp.line('a', 1, 1299, null))),
  ('b1 a2@1300', null, 3497, jsonb_build_array(pg_temp.line('a', 2, 1299, 1300), pg_temp.line('b', 1, 899, null))),
  ('b1 a2@1298', 3497, 3497, jsonb_build_array(pg_temp.line('a', 2, 1299, 1298), pg_temp.line('b', 1, 899, null))),
  ('a1@1299 b1@899 a1@1200', null, 3497, jsonb_build_array(pg_temp.line('a', 2, 1299, 1200), pg_temp.line('b', 1, 899, 899))),
  ('a1@1200 b1@899 a1@1299', null, 3497, jsonb_build_array(pg_temp.line('a', 2, 1299, 1200), pg_temp.line('b', 1, 899, 899))),
  ('a1@1400 a1@1299', null, 2598, jsonb_build_array(pg_temp.line('a', 2, 1299, 1400)))
) as t (cart, total, now, lines);
select is(
  pg_temp.buy('ann', 'a1@1200', null, 1299, 'cash_on_delivery', 'TAPCART10') #- '{details,lines}',
  '{"code": "PRICE_CHANGED", "details": {"expected_total": 1299, "total": null, "subtotal": 1299, "currency": "EUR"}}',
  'what a code takes off is not known when a price has changed'
);
select is(
  pg_temp.buy('ann', 'b2', null, 1798, 'cash_on_delivery', 'TAPCART10') #- '{details,lines}',
  '{"code": "PRICE_CHANGED", "details": {"expected_total": 1798, "total": 1618, "subtotal": 1798, "currency": "EUR"}}',
  'the total that is expected is that after the code'
);
select is(
  (select sum(available_quantity) from interlock.products where id::text like '7d300000-%'),
  (select units from stock_before),
  'nothing was sold at another price'
);
select is(
  pg_temp.buy('ann', 'b2', null, 1618, 'cash_on_delivery', 'TAPCART10') -> 'total', '1618', 'and it is sold for that'
);

insert into answers values ('priced', pg_temp.buy('ann', 'a1@1299', 'priced', 1299));
update interlock.products set price = 99900 where id = '7d300000-0000-4000-8000-00000000000a';
select is(
  pg_temp.buy('ann', 'a1@1299', 'priced', 1299), answer, 'a repeat after a change of the price is answered with the order'
)
from answers where name = 'priced';
select is(
  pg_temp.buy('ann', 'a1@1299', 'later', 1299),
  jsonb_build_object('code', 'PRICE_CHANGED', 'details', jsonb_build_object(
    'expected_total', 1299, 'total', 99900, 'subtotal', 99900, 'currency', 'EUR',
    'lines', jsonb_build_array(pg_temp.line('a', 1, 99900, 1299))
  )),
  'one that comes for the first time then is not charged the new one'
);
select is(pg_temp.buy('ann', 'a1@99900', 'later', 99900) -> 'total', '99900', 'once it was shown, it is');

select is(
  pg_temp.buy('ann', 'a1@' || t.price, null, t.total) #> '{details,problems}',
  t.problems,
  format('a1@%s for %s is no request', t.price, t.total)
)
from (values
  ('-1', null, '[{"pointer": "/cart_items/0/expected_unit_price", "message": "must be a whole number of minor units, 0 or more"}]'::jsonb),
  ('1.5', null, '[{"pointer": "/cart_items/0/expected_unit_price", "message": "must be a whole number of minor units, 0 or more"}]'),
  ('9007199254740992', null, '[{"pointer": "/cart_items/0/expected_unit_price", "message": "must be a whole number of minor units, 0 or more"}]'),
  ('null', null, '[{"pointer": "/cart_items/0/expected_unit_price", "message": "must be a whole number of minor units, 0 or more"}]'),
  ('"1"', null, '[{"pointer": "/cart_items/0/expected_unit_price", "message": "must be a whole number of minor units, 0 or more"}]'),
  ('[]', -1, '[{"pointer": "/cart_items/0/expected_unit_price", "message": "must be a whole number of minor units, 0 or more"}, {"pointer": "/expected_total", "message": "must be a whole number of minor units, 0 or more"}]')
) as t (price, total, problems);

-- One cart, one order -----------------------------------------------------

create function pg_temp.ordered(p_order jsonb)
returns jsonb
language sql
as $$
  select jsonb_build_object('code', 'CART_ALREADY_ORDERED', 'details', jsonb_build_object(
    'order_id', p_order ->> 'id', 'status', p_order ->> 'status'
  ))
$$;
create function pg_temp.buy_cart(
  p_who text, p_cart text, p_key text default null, p_method text default 'cash_on_delivery', p_promo text default null,
  p_cart_id uuid default 'ca300000-0000-4000-8000-000000000002', p_total bigint default null
)
returns jsonb
language sql
as $$
  select pg_temp.buy(p_who, p_cart, p_key, p_total, p_method, p_promo, p_cart_id)
$$;

update interlock.products set available_quantity = 5 where id = '7d300000-0000-4000-8000-00000000000b';
insert into answers values ('cart', pg_temp.buy_cart('ann', 'b1', 'one'));
select is(answer ->> 'cart_id', 'ca300000-0000-4000-8000-000000000002', 'a cart with a name') from answers where name = 'cart';
select is(pg_temp.buy_cart('ann', 'b1', 'one'), a.answer, 'under its key it is answered the same')
from answers a where a.name = 'cart';
select is(pg_temp.buy_cart('ann', t.cart, t.key, t.method, t.promo, p_total => t.total), pg_temp.ordered(a.answer), t.what)
from answers a
cross join (values
  ('b1', null, 'cash_on_delivery', null, null, 'without a key it is ordered already'),
  ('b1', 'two', 'cash_on_delivery', null, null, 'under another key, too'),
  ('b2 c1', 'two', 'cash_on_delivery', null, null, 'and with something else in it'),
  ('b1', 'two', 'wallet', null, null, 'before anybody asks for money'),
  ('b1', 'two', 'cash_on_delivery', 'TAPCART10', null, 'or for a promo code'),
  ('b6', 'two', 'cash_on_delivery', null, null, 'or for more than there is'),
  ('b1', 'two', 'cash_on_delivery', null, 1, 'or tells of a price')
) as t (cart, key, method, promo, total, what)
where a.name = 'cart';
select is(pg_temp.stock('b'), 4, 'and nothing more is sold');
select is(pg_temp.buy_cart('bob', 'b1') ->> 'status', 'confirmed', 'the name is its buyer''s own');
select is(
  pg_temp.buy_cart('ann', 'b1', p_cart_id => 'ca300000-0000-4000-8000-000000000003') ->> 'status',
  'confirmed',
  'another cart is another order'
);
select throws_ok(
  $$insert into interlock.orders (user_id, status, currency, subtotal, total, payment_method, cart_id)
    values ('7c300000-0000-4000-8000-000000000001', 'confirmed', 'EUR', 1, 1, 'cash_on_delivery',
      'ca300000-0000-4000-8000-000000000002')$$,
  '23505', null, 'no SQL makes it two'
);

create function pg_temp.end_order(p_status text, p_times text)
returns text
language plpgsql
as $$
begin
  reset role;
  perform set_config('request.jwt.claims', '{"role": "service_role"}', true);
  execute format('update interlock.orders set status = %L %s where user_id = %L and cart_id = %L and status <> all (%L)',
    p_status, p_times, '7c300000-0000-4000-8000-000000000001', 'ca300000-0000-4000-8000-000000000002',
    array['cancelled', 'expired', 'refunded']);
  return p_status;
end
$$;
select is(pg_temp.end_order('cancelled', ''), 'cancelled', 'the order ends');
insert into answers values ('again', pg_temp.buy_cart('ann', 'b1', 'three', 'bank_transfer'));
select is(answer ->> 'status', 'pending_payment', 'and the cart is ordered again') from answers where name = 'again';
select is(pg_temp.buy_cart('ann', 'b1'), pg_temp.ordered(answer), 'once') from answers where name = 'again';
select is(pg_temp.end_order('expired', ''), 'expired', 'it expires');
insert into answers values ('free', pg_temp.buy_cart('ann', 'c1'));
select is(answer ->> 'status', 'paid', 'and is ordered again') from answers where name = 'free';
select is(pg_temp.buy_cart('ann', 'b1'), pg_temp.ordered(answer), 'a paid order stands, too') from answers where name = 'free';
select is(pg_temp.end_order('refunded', ''), 'refunded', 'it is refunded');
select is(pg_temp.buy_cart('ann', 'b1') ->> 'status', 'confirmed', 'and is ordered once more');
select is(pg_temp.buy('ann', 'c1') ->> 'status', 'paid', 'a cart without a name is ordered');
select is(pg_temp.buy('ann', 'c1') ->> 'status', 'paid', 'as often as one likes');

select * from finish();
rollback;
