-- An order that staff or the shop place for a customer.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(34);

create function pg_temp.id(p_n int)
returns uuid
language sql
as $$
  select ('7c410000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid
$$;
-- 1 and 2 buy, 3 is staff, 4 is nobody.
insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', format('tap-behalf-%s@example.com', n) from generate_series(1, 3) n;
insert into interlock.products (id, name, price, currency, available_quantity)
values (pg_temp.id(11), 'tap oil', 1000, 'EUR', 100);
insert into interlock.products (id, name, price, currency, kind) values (pg_temp.id(12), 'tap song', 300, 'EUR', 'digital');
insert into interlock.product_codes (product_id, code) values (pg_temp.id(12), 'tap-song-1'), (pg_temp.id(12), 'tap-song-2');
insert into interlock.wallets (user_id, balance, currency) values (pg_temp.id(1), 5000, 'EUR'), (pg_temp.id(3), 5000, 'EUR');
insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses_per_user)
values (pg_temp.id(21), 'BEHALF-TEN', 'percentage', 10, 1);
update interlock.settings set max_open_orders_per_customer = 3;

-- Who calls; 0 is the service role.
create function pg_temp.be(p_n int)
returns void
language plpgsql
as $$
begin
  if p_n = 0 then
    perform set_config('request.jwt.claims', '{"role": "service_role"}', true);
    set local role service_role;
  else
    perform set_config('request.jwt.claims', json_build_object(
      'role', 'authenticated', 'sub', pg_temp.id(p_n),
      'app_metadata', case when p_n = 3 then '{"role": "staff"}'::json else '{}' end
    )::text, true);
    set local role authenticated;
  end if;
end
$$;
create function pg_temp.buy(
  p_for int, p_product int default 11, p_quantity int default 1, p_method text default null, p_key text default null,
  p_code text default null, p_cart int default null
)
returns jsonb
language sql
as $$
  select public.checkout(
    jsonb_build_array(jsonb_build_object('product_id', pg_temp.id(p_product), 'quantity', p_quantity)),
    p_promo_code => p_code, p_cart_id => pg_temp.id(p_cart), p_payment_method => p_method, p_idempotency_key => p_key,
    p_on_behalf_of => pg_temp.id(p_for)
  )::jsonb -> 'order'
$$;
create function pg_temp.refusal(p_sql text)
returns text
language plpgsql
as $$
declare
  v_message text;
begin
  execute p_sql;
  return null;
exception
  when others then
    get stacked diagnostics v_message = message_text;
    return v_message;
end
$$;
grant execute on all functions in schema pg_temp to public;
create temporary table answers (name text primary key, answer jsonb);
grant all on answers to public;

-- Who may -------------------------------------------------------------------------

select pg_temp.be(1);
select is(pg_temp.refusal('select pg_temp.buy(2)'), 'FORBIDDEN', 'a buyer orders for nobody else');
select is(pg_temp.refusal('select pg_temp.buy(1)'), 'FORBIDDEN', 'nor for themselves in this way');
select is(pg_temp.refusal('select pg_temp.buy(4)'), 'FORBIDDEN', 'and is not told who exists');
reset role;
select pg_temp.be(4);
select is(pg_temp.refusal('select pg_temp.buy(2)'), 'UNAUTHENTICATED', 'a token without an account is nobody''s');
reset role;
select pg_temp.be(3);
select is(pg_temp.refusal('select pg_temp.buy(4, p_quantity => 1000)'), 'USER_NOT_FOUND', 'there is no such customer');
select is(pg_temp.refusal('select pg_temp.buy(4, p_code => ''nothing'')'), 'USER_NOT_FOUND', 'nothing is counted for nobody');

-- Whose it is -----------------------------------------------------------------------

insert into answers values ('cash', pg_temp.buy(1, p_key => 'k'));
reset role;
select is(
  (select user_id from interlock.orders where id = (select (answer ->> 'id')::uuid from answers where name = 'cash')),
  pg_temp.id(1), 'the order is the customer''s'
);
select is(
  (select array_agg(concat(event, ' ', actor)) from interlock.order_events where order_id = (select (answer ->> 'id')::uuid from answers where name = 'cash')),
  array['confirmed ' || pg_temp.id(3)], 'the history says who placed it'
);
select is(
  (select concat(orders, ' ', units) from interlock.customer_open_orders where user_id = pg_temp.id(1)), '1 1', 'it counts against the customer''s limits'
);
select is(
  (select count(*) from interlock.customer_open_orders where user_id = pg_temp.id(3)), 0::bigint, 'and not against those of staff'
);
select pg_temp.be(1);
select is((select count(*) from public.orders), 1::bigint, 'the customer sees it');
select is(
  public.cancel_order((select (answer ->> 'id')::uuid from answers where name = 'cash')) #>> '{order,status}', 'cancelled', 'and may cancel it'
);
reset role;

-- The key is the caller's -----------------------------------------------------------

select pg_temp.be(3);
select is(pg_temp.buy(1, p_key => 'k'), (select answer from answers where name = 'cash'), 'sent again it is the same order');
select is(pg_temp.refusal('select pg_temp.buy(2, p_key => ''k'')'), 'IDEMPOTENCY_KEY_REUSED', 'for another customer it is another request');
select is(
  pg_temp.refusal(format($$select public.checkout('[{"product_id": "%s", "quantity": 1}]', p_idempotency_key => 'k')$$, pg_temp.id(11))),
  'IDEMPOTENCY_KEY_REUSED', 'and for oneself'
);
reset role;
select is(
  (select array_agg(user_id) from interlock.idempotency_keys where operation = 'checkout' and key = 'k'), array[pg_temp.id(3)],
  'the customer has no such key'
);

-- Wallet, promo, cart ------------------------------------------------------------------

select pg_temp.be(3);
insert into answers values ('wallet', pg_temp.buy(1, p_method => 'wallet', p_code => 'BEHALF-TEN', p_cart => 31));
select is((select concat(answer ->> 'status', ' ', answer ->> 'total') from answers where name = 'wallet'), 'paid 900', 'paid from a wallet');
reset role;
select is(
  (select array_agg(balance order by user_id) from interlock.wallets where user_id in (pg_temp.id(1), pg_temp.id(3))),
  array[4100, 5000]::bigint[], 'the customer''s'
);
select is(
  (select concat(reason, ' ', actor) from interlock.wallet_movements where user_id = pg_temp.id(1) order by id desc limit 1),
  'checkout ' || pg_temp.id(3), 'whose ledger says who did it'
);
select is(
  (select array_agg(user_id) from interlock.promo_user_uses where promo_id = pg_temp.id(21)), array[pg_temp.id(1)], 'the use is the customer''s'
);
select pg_temp.be(3);
select is(pg_temp.refusal('select pg_temp.buy(1, p_code => ''BEHALF-TEN'')'), 'PROMO_EXHAUSTED', 'who has no other');
select is(pg_temp.buy(2, p_code => 'BEHALF-TEN') ->> 'discount', '100', 'another customer has');
select is(pg_temp.buy(1, p_code => 'nothing'), null, 'an unknown code is answered');
reset role;
select is((select array_agg(user_id) from interlock.promo_attempts where user_id between pg_temp.id(1) and pg_temp.id(9)), array[pg_temp.id(1)], 'and counted for the customer');
select pg_temp.be(1);
select is(
  pg_temp.refusal(format($$select public.checkout('[{"product_id": "%s", "quantity": 1}]', p_cart_id => '%s')$$, pg_temp.id(11), pg_temp.id(31))),
  'CART_ALREADY_ORDERED', 'the customer''s cart is ordered'
);
reset role;
select pg_temp.be(3);
select is(pg_temp.refusal('select pg_temp.buy(1, p_cart => 31)'), 'CART_ALREADY_ORDERED', 'for staff, too');
select is(
  public.checkout(format('[{"product_id": "%s", "quantity": 1}]', pg_temp.id(11))::jsonb, p_cart_id => pg_temp.id(31)) #>> '{order,status}',
  'confirmed', 'of their own cart of that name they may have an order'
);
reset role;

-- The limit is the customer's ---------------------------------------------------------

update interlock.settings set max_open_orders_per_customer = 1;
select pg_temp.be(3);
select is(pg_temp.refusal('select pg_temp.buy(2)'), 'TOO_MANY_OPEN_ORDERS', 'a customer at their limit has no more');

-- Codes -------------------------------------------------------------------------------

insert into answers values ('song', pg_temp.buy(1, p_product => 12, p_method => 'wallet', p_key => 'song'));
select is((select answer ->> 'status' from answers where name = 'song'), 'paid', 'a digital product');
select ok((select not answer ? 'codes' from answers where name = 'song'), 'its code is not for staff');
select ok(not pg_temp.buy(1, p_product => 12, p_method => 'wallet', p_key => 'song') ? 'codes', 'nor sent again');
reset role;
select pg_temp.be(1);
select is((select count(*) from public.product_codes), 1::bigint, 'the customer reads it');
reset role;

-- The shop -----------------------------------------------------------------------------

select pg_temp.be(0);
insert into answers values ('shop', pg_temp.buy(1, p_method => 'wallet', p_key => 'k'));
reset role;
select is(
  (select concat(o.user_id, ' ', e.actor) from interlock.orders o join interlock.order_events e on e.order_id = o.id
   where o.id = (select (answer ->> 'id')::uuid from answers where name = 'shop')),
  concat(pg_temp.id(1), ' '), 'the shop orders for a customer, and the history has no name'
);
select is(
  (select count(*) from interlock.idempotency_keys where operation = 'checkout' and key = 'k'), 2::bigint, 'under a key of its own'
);

select * from finish();
rollback;
