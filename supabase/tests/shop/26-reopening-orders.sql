-- An order that has expired and whose money is there after all: what it takes again, what it is refused for, and that it
-- counts once.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(33);

-- Limits of customers have a file of their own: 31-open-orders.sql.
update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null, confirmation_window = null;

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('26-reopening-orders ' || p_name)::uuid $$;

insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-' || n || '@example.com' from unnest(array['ann', 'bob']) n;
insert into interlock.products (id, name, price, currency, available_quantity, kind)
values
  (pg_temp.id('oil'), 'tap oil', 1000, 'EUR', 2, 'physical'),
  (pg_temp.id('gift'), 'tap gift', 2500, 'EUR', 0, 'digital');
insert into interlock.product_codes (product_id, code) values (pg_temp.id('gift'), 'tap-1');
insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses)
values (pg_temp.id('ten'), 'TAP-TEN', 'percentage', 10, 1);

-- What a call answers: the status of its order, or the code and what is known.
create function pg_temp.say(p_who text, p_sql text)
returns text
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform set_config(
    'request.jwt.claims',
    case when p_who <> 'shop' then jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id(p_who))::text else '' end, true
  );
  execute 'select ' || p_sql into v_answer;
  perform set_config('request.jwt.claims', '', true);
  return v_answer #>> '{order,status}';
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    perform set_config('request.jwt.claims', '', true);
    return concat_ws(' ', sqlerrm, nullif(nullif(v_detail, '')::jsonb - 'message', '{}'));
end
$$;

-- The latest order of somebody.
create function pg_temp.latest(p_who text)
returns uuid
language sql
as $$ select id from interlock.orders where user_id = pg_temp.id(p_who) order by id desc limit 1 $$;

-- Stock of oil, free gifts, uses of the code.
create function pg_temp.goods()
returns int[]
language sql
as $$
  select array[
    (select available_quantity from interlock.products where id = pg_temp.id('oil')),
    (select available_quantity from interlock.products where id = pg_temp.id('gift')),
    (select used_count from interlock.promo_codes where id = pg_temp.id('ten'))
  ]
$$;

-- Buys one oil and one gift with the code, in a cart of that name, by bank transfer; and lets the order expire.
create function pg_temp.let_expire(p_who text, p_cart text default 'cart')
returns uuid
language plpgsql
as $$
begin
  assert pg_temp.say(p_who, format(
    $sql$public.checkout('[{"product_id": "%s", "quantity": 1}, {"product_id": "%s", "quantity": 1}]', 'TAP-TEN', %L, 'bank_transfer')$sql$,
    pg_temp.id('oil'), pg_temp.id('gift'), pg_temp.id(p_cart)
  )) = 'pending_payment';
  update interlock.orders set status = 'expired' where id = pg_temp.latest(p_who);
  return pg_temp.latest(p_who);
end
$$;
create function pg_temp.reopen(p_order uuid, p_more text default '')
returns text
language sql
as $$ select pg_temp.say('shop', format('public.reopen_order(%L%s)', p_order, p_more)) $$;

create temporary table memo as select pg_temp.let_expire('ann') as id;
select is(pg_temp.goods(), array[2, 1, 0], 'an order that expired has nothing');
select is(pg_temp.say('shop', format('public.accept_payment(%L)', id)), format('ORDER_STATE_CONFLICT {"status": "expired", "order_id": "%s"}', id), 'its payment is not accepted')
from memo;
select is(pg_temp.say('ann', format('public.reopen_order(%L)', id)), 'FORBIDDEN', 'its buyer cannot reopen it') from memo;
select is(pg_temp.reopen(id), 'pending_payment', 'the shop can') from memo;
select is(pg_temp.goods(), array[1, 0, 1], 'it has again what it had');
select ok(
  payment_expires_at = now() + '24 hours' and cancelled_at is null and proof_submitted_at is null, 'and waits for its payment as at first'
)
from interlock.orders where id = (select id from memo);
select is(pg_temp.reopen(id), 'pending_payment', 'again: the same') from memo;
select is(pg_temp.goods(), array[1, 0, 1], 'and nothing is taken twice');
select is(
  (select array_agg(event::text order by id) from interlock.order_events where order_id = (select id from memo)),
  array['pending_payment', 'expired', 'pending_payment'], 'the history has it'
);
select is(
  (select count(*)::int from interlock.stock_movements where reference_id = (select id from memo) and reason = 'order_reopened'), 2,
  'so has the ledger, once for each product'
);
update interlock.orders set status = 'expired' where id = (select id from memo);
select is(pg_temp.goods(), array[2, 1, 0], 'it can expire again');
select throws_ok(
  format($$update interlock.orders set status = 'pending_payment', cancelled_at = null where id = %L$$, id), '23514', null,
  'nobody brings it back with nothing'
)
from memo;

-- What is missing is said, and nothing is taken.
update interlock.products set available_quantity = 0 where id = pg_temp.id('oil');
select is(
  pg_temp.reopen(id), format('INSUFFICIENT_INVENTORY {"shortages": [{"available": 0, "requested": 1, "product_id": "%s"}]}', pg_temp.id('oil')),
  'stock that is gone'
)
from memo;
select is(pg_temp.goods(), array[0, 1, 0], 'nothing is taken');
update interlock.products set available_quantity = 2 where id = pg_temp.id('oil');
select is(
  pg_temp.say('bob', $$public.validate_promo('TAP-TEN', p_subtotal => 1000)$$), null, 'somebody else holds the use of the code'
);
select is(pg_temp.reopen(id), 'PROMO_EXHAUSTED {"reason": "max_uses"}', 'a use that is gone') from memo;
select is(pg_temp.goods(), array[2, 1, 1], 'nothing is taken');
select pg_temp.say('bob', $$public.validate_promo('TAP-TEN', p_action => 'release')$$);
select is(
  pg_temp.say('ann', format(
    $$public.checkout('[{"product_id": "%s", "quantity": 1}]', null, %L, 'bank_transfer')$$, pg_temp.id('oil'), pg_temp.id('cart')
  )), 'pending_payment', 'the cart is ordered again'
);
select is(
  pg_temp.reopen(id), format('CART_ALREADY_ORDERED {"status": "pending_payment", "order_id": "%s"}', pg_temp.latest('ann')),
  'a cart that has an order'
)
from memo;
update interlock.orders set status = 'cancelled' where id = pg_temp.latest('ann') and id <> (select id from memo);

-- A code for first orders, and another order meanwhile.
update interlock.promo_codes set first_order_only = true where id = pg_temp.id('ten');
select is(
  pg_temp.say('ann', format($$public.checkout('[{"product_id": "%s", "quantity": 1}]')$$, pg_temp.id('oil'))), 'confirmed', 'she orders in cash'
);
select is(pg_temp.reopen(id), 'PROMO_NOT_APPLICABLE {"reason": "first_order_only"}', 'what was her first order no longer is') from memo;
update interlock.orders set status = 'cancelled' where id = pg_temp.latest('ann') and id <> (select id from memo);

-- With the money.
select is(pg_temp.reopen(id, ', true'), 'paid', 'with p_paid it is paid at once') from memo;
select is(pg_temp.goods(), array[1, 0, 1], 'with all of it');
select isnt(used_at, null, 'and its code is delivered') from interlock.product_codes where product_id = pg_temp.id('gift');
select is(pg_temp.reopen(id, ', true'), 'paid', 'once') from memo;

update interlock.orders set status = 'refunded' where id = (select id from memo);
select is(
  pg_temp.reopen(id), format('ORDER_STATE_CONFLICT {"status": "refunded", "order_id": "%s"}', id), 'what has ended in another way stays so'
)
from memo;
select is(
  pg_temp.reopen(pg_temp.id('none')), format('ORDER_NOT_FOUND {"order_id": "%s"}', pg_temp.id('none')), 'an order that is not there'
);

-- In cash nobody waits for a payment: it waits for the shop as a new one would.
create function pg_temp.let_expire_in_cash()
returns uuid
language plpgsql
as $$
begin
  assert pg_temp.say('bob', format(
    $sql$public.checkout('[{"product_id": "%s", "quantity": 1}]')$sql$, pg_temp.id('oil')
  )) = 'confirmed';
  update interlock.orders set status = 'expired' where id = pg_temp.latest('bob');
  return pg_temp.latest('bob');
end
$$;
update interlock.products set available_quantity = 2 where id = pg_temp.id('oil');
create temporary table cash as select pg_temp.let_expire_in_cash() as id;
select is(
  pg_temp.reopen(id) || coalesce(' ' || (select o.payment_expires_at::text from interlock.orders o where o.id = cash.id), ''),
  'confirmed', 'an order in cash has no deadline again where the shop gives none'
)
from cash;
update interlock.orders set status = 'expired' where id = (select id from cash);
update interlock.settings set confirmation_window = '3 days';
select is(
  pg_temp.reopen(id), 'confirmed', 'and is reopened with one where the shop gives one'
)
from cash;
select is(
  (select payment_expires_at from interlock.orders where id = (select id from cash)), now() + interval '3 days',
  'which is that of a new order in cash'
);

-- An order of an account that is gone.
update interlock.orders set status = 'expired' where user_id = pg_temp.id('bob') and status = 'confirmed';
select interlock.erase_user(pg_temp.id('bob'));
select is(
  pg_temp.reopen(id), format('ORDER_OWNER_GONE {"order_id": "%s"}', id), 'nobody has no order, in cash'
)
from cash;
select is((select status::text from interlock.orders where id = (select id from cash)), 'expired', 'it stays at its end');
select is(pg_temp.reopen(id, ', true'), format('ORDER_OWNER_GONE {"order_id": "%s"}', id), 'nor with the money') from cash;

select * from finish();
rollback;
