-- What a guest has moves to the account they make later.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(84);

create function pg_temp.id(p_n int)
returns uuid
language sql
as $$
  select ('7c420000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid
$$;
-- 1 and 2 are guests, 3 and 4 have accounts, 5 is staff, 6 is a guest with a wallet in dollars, 9 nobody.
insert into auth.users (id, aud, role, email, is_anonymous)
select
  pg_temp.id(n), 'authenticated', 'authenticated', case when n in (3, 4, 5) then format('tap-guest-%s@example.com', n) end, n in (1, 2, 6)
from generate_series(1, 6) n;
insert into interlock.products (id, name, price, currency, available_quantity)
values (pg_temp.id(11), 'tap oil', 1000, 'EUR', 100);
insert into interlock.products (id, name, price, currency, kind) values (pg_temp.id(12), 'tap song', 300, 'EUR', 'digital');
insert into interlock.product_codes (product_id, code) values (pg_temp.id(12), 'tap-song-1');
insert into interlock.wallets (user_id, balance, currency)
values (pg_temp.id(1), 6000, 'EUR'), (pg_temp.id(3), 100, 'EUR'), (pg_temp.id(4), 5000, 'EUR'), (pg_temp.id(6), 0, 'USD');
insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses_per_user, max_uses, user_id)
values
  (pg_temp.id(21), 'GUEST-ONCE', 'percentage', 10, 1, 10, null),
  (pg_temp.id(22), 'GUEST-HELD', 'percentage', 10, null, 10, null),
  (pg_temp.id(23), 'GUEST-OWN', 'percentage', 10, null, 10, pg_temp.id(1)),
  (pg_temp.id(25), 'GUEST-TWO', 'percentage', 10, null, 10, null),
  (pg_temp.id(26), 'GUEST-NEW', 'percentage', 10, null, 10, null),
  (pg_temp.id(27), 'GUEST-OTHER', 'percentage', 10, null, 10, pg_temp.id(4));
insert into interlock.promo_codes (id, code, discount_type, discount_value, first_order_only)
values (pg_temp.id(24), 'GUEST-FIRST', 'percentage', 10, true);
update interlock.settings
set payment_methods = '{wallet,bank_transfer,cash_on_delivery,card}', max_open_orders_per_customer = 5, max_open_units_per_customer = null;

-- Who calls; 0 is the service role.
create function pg_temp.be(p_n int)
returns void
language plpgsql
as $$
begin
  reset role;
  if p_n = 0 then
    perform set_config('request.jwt.claims', '{"role": "service_role"}', true);
    set local role service_role;
  else
    perform set_config('request.jwt.claims', json_build_object(
      'role', 'authenticated', 'sub', pg_temp.id(p_n), 'is_anonymous', p_n in (1, 2, 6),
      'app_metadata', case when p_n = 5 then '{"role": "staff"}'::json else '{}' end
    )::text, true);
    set local role authenticated;
  end if;
end
$$;
create function pg_temp.buy(
  p_product int default 11, p_method text default null, p_key text default null, p_code text default null, p_cart int default null
)
returns jsonb
language sql
as $$
  select public.checkout(
    jsonb_build_array(jsonb_build_object('product_id', pg_temp.id(p_product), 'quantity', 1)),
    p_promo_code => p_code, p_cart_id => pg_temp.id(p_cart), p_payment_method => p_method, p_idempotency_key => p_key
  )::jsonb -> 'order'
$$;
create function pg_temp.refusal(p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_message text;
  v_detail text;
  v_state text;
begin
  execute p_sql;
  return null;
exception
  when others then
    get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail, v_state = returned_sqlstate;
    if v_state !~ '^PT' then
      return to_jsonb(v_state);
    end if;
    return jsonb_build_object(v_message, v_detail::jsonb - 'message');
end
$$;
grant execute on all functions in schema pg_temp to public;
create temporary table answers (name text primary key, answer jsonb);
grant all on answers to public;
create function pg_temp.order(p_name text)
returns uuid
language sql
as $$
  select (answer ->> 'id')::uuid from answers where name = p_name
$$;
create function pg_temp.redeem(p_token text)
returns text
language sql
as $$
  select format('select public.redeem_order_transfer(%L)', answer ->> 'token') from answers where name = p_token
$$;
grant execute on all functions in schema pg_temp to public;

-- What others have: an order, uses of the same codes in carts of the same names, and what was theirs and has ended.

create function pg_temp.hold(p_code text, p_cart int, p_release boolean default false)
returns jsonb
language sql
as $$
  select public.validate_promo(
    p_code, case when not p_release then format('[{"product_id": "%s", "quantity": 1}]', pg_temp.id(11))::jsonb end,
    p_action => case when p_release then 'release' else 'apply' end, p_cart_id => pg_temp.id(p_cart)
  )::jsonb
$$;
grant execute on all functions in schema pg_temp to public;
select pg_temp.be(4);
insert into answers values ('others', pg_temp.buy()), ('others two', pg_temp.buy(p_method => 'wallet', p_code => 'GUEST-TWO', p_cart => 34));
select pg_temp.be(3);
insert into answers values ('ended', pg_temp.buy(p_cart => 31)), ('no hold', pg_temp.hold('GUEST-TWO', 34));
insert into answers values ('released', pg_temp.hold('GUEST-TWO', 34, true)), ('elsewhere', pg_temp.hold('GUEST-TWO', 35)), ('another', pg_temp.hold('GUEST-HELD', 34));
select public.cancel_order(pg_temp.order('ended'));

-- What the guest has -------------------------------------------------------------------

select pg_temp.be(1);
insert into answers values
  ('two', pg_temp.buy(p_method => 'wallet', p_code => 'GUEST-TWO', p_cart => 34)),
  ('new', pg_temp.buy(p_method => 'wallet', p_code => 'GUEST-NEW'));
insert into answers values
  ('wallet', pg_temp.buy(p_method => 'wallet', p_key => 'k', p_code => 'GUEST-ONCE', p_cart => 31)),
  ('song', pg_temp.buy(12, p_method => 'wallet')),
  ('cash', pg_temp.buy(p_cart => 32)),
  ('card', pg_temp.buy(p_method => 'card')),
  ('gone', pg_temp.buy(p_cart => 33));
select public.cancel_order(pg_temp.order('gone'));
insert into answers values
  ('held', to_jsonb(public.validate_promo('GUEST-HELD', format('[{"product_id": "%s", "quantity": 1}]', pg_temp.id(11))::jsonb)));
-- The account has an order of one of these carts, and holds the code for the other.
select pg_temp.be(3);
insert into answers values
  ('own', pg_temp.buy(p_cart => 32)),
  ('own hold', to_jsonb(public.validate_promo(
    'GUEST-ONCE', format('[{"product_id": "%s", "quantity": 1}]', pg_temp.id(11))::jsonb, p_cart_id => pg_temp.id(31)
  )));
reset role;

-- Tokens ------------------------------------------------------------------------------

set local role anon;
select is(pg_temp.refusal('select public.create_order_transfer()'), '"42501"', 'nobody is signed in: no token');
select is(pg_temp.refusal($$select public.redeem_order_transfer('x')$$), '"42501"', 'and nothing to redeem');
select pg_temp.be(3);
select is(
  pg_temp.refusal('select public.create_order_transfer()'),
  jsonb_build_object('NOT_A_GUEST', jsonb_build_object('user_id', pg_temp.id(3))), 'an account has no token'
);
select pg_temp.be(9);
select is(pg_temp.refusal('select public.create_order_transfer()'), '{"UNAUTHENTICATED": {}}', 'nor has nobody');
select is(pg_temp.refusal($$select public.redeem_order_transfer('x')$$), '{"UNAUTHENTICATED": {}}', 'who redeems none, either');
reset role;
select set_config('request.jwt.claims', '{"role": "service_role"}', true);
set local role service_role;
select is(pg_temp.refusal('select public.create_order_transfer()'), '{"UNAUTHENTICATED": {}}', 'the shop is no guest');
select pg_temp.be(1);
insert into answers values ('first', public.create_order_transfer());
insert into answers values ('token', public.create_order_transfer());
select matches((select answer ->> 'token' from answers where name = 'token'), '^[0-9a-f]{64}$', 'a guest has a token');
reset role;
select is(
  (select expires_at from interlock.order_transfers where from_user_id = pg_temp.id(1)),
  (select (answer ->> 'expires_at')::timestamptz from answers where name = 'token'), 'one, which ends'
);
select is(
  (select expires_at - interlock.clock() from interlock.order_transfers where from_user_id = pg_temp.id(1)), interval '1 hour', 'after an hour'
);
select is_empty(
  $$select from interlock.order_transfers t where strpos(t::text, (select answer ->> 'token' from answers where name = 'token')) > 0$$,
  'and stands nowhere'
);
select pg_temp.be(1);
select is(
  pg_temp.refusal(pg_temp.redeem('token')), jsonb_build_object('ACCOUNT_NEEDED', jsonb_build_object('user_id', pg_temp.id(1))),
  'a guest has no account to move to'
);
select pg_temp.be(3);
select is(pg_temp.refusal($$select public.redeem_order_transfer('x')$$), '{"TRANSFER_NOT_FOUND": {}}', 'there is no such token');
select is(pg_temp.refusal(pg_temp.redeem('first')), '{"TRANSFER_NOT_FOUND": {}}', 'the one before is gone');
select is(
  pg_temp.refusal('select public.redeem_order_transfer(null)') #> '{VALIDATION_FAILED,problems,0}',
  '{"pointer": "/p_token", "message": "is required"}', 'one is needed'
);
reset role;
update interlock.order_transfers set expires_at = interlock.clock() where from_user_id = pg_temp.id(1);
select pg_temp.be(3);
select is(pg_temp.refusal(pg_temp.redeem('token')), '{"TRANSFER_NOT_FOUND": {}}', 'its time is over');
reset role;
select is(interlock.purge_idempotency_keys(0), 0, 'a token that is over is not purged where nothing is');
select is(interlock.purge_idempotency_keys(), 1, 'but else');
select pg_temp.be(1);
update answers set answer = public.create_order_transfer() where name = 'token';
reset role;
select is(interlock.purge_idempotency_keys(), 0, 'one that is not over stays');
update auth.users set is_anonymous = false where id = pg_temp.id(1);
select pg_temp.be(3);
select is(
  pg_temp.refusal(pg_temp.redeem('token')), jsonb_build_object('NOT_A_GUEST', jsonb_build_object('user_id', pg_temp.id(1))),
  'who has made an account of the guest keeps what is theirs'
);
reset role;
update auth.users set is_anonymous = true where id = pg_temp.id(1);
update interlock.wallets set currency = 'USD' where user_id = pg_temp.id(6);
select pg_temp.be(6);
insert into answers values ('dollars', public.create_order_transfer());
select pg_temp.be(3);
select is(
  pg_temp.refusal(pg_temp.redeem('dollars')), '{"CURRENCY_MISMATCH": {"currency": "USD", "wallet_currency": "EUR"}}',
  'a wallet of another currency takes nothing'
);

-- It moves ------------------------------------------------------------------------------

insert into answers values ('moved', public.redeem_order_transfer((select answer ->> 'token' from answers where name = 'token')));
select is(
  (select answer - 'moved_at' - 'transfer_id' from answers where name = 'moved'),
  jsonb_build_object('success', true, 'from_user_id', pg_temp.id(1), 'orders', 7, 'amount', 3000, 'currency', 'EUR'), 'all of it'
);
select is((select count(*) from public.orders), 9::bigint, 'the account sees the orders');
select is((select count(*) from public.product_codes), 1::bigint, 'with the codes of digital products');
select is(
  (select array_agg(event || ' ' || actor order by id) from public.order_events where order_id = pg_temp.order('cash')),
  array['confirmed ' || pg_temp.id(1), 'moved ' || pg_temp.id(3)], 'and their history'
);
select is(
  public.redeem_order_transfer((select answer ->> 'token' from answers where name = 'token')),
  (select answer from answers where name = 'moved'), 'called again it is answered the same'
);
select pg_temp.be(4);
select is(pg_temp.refusal(pg_temp.redeem('token')), '{"TRANSFER_NOT_FOUND": {}}', 'to nobody else');
select pg_temp.be(1);
select is((select count(*) from public.orders), 0::bigint, 'the guest has none');
select is(
  pg_temp.refusal(format('select public.cancel_order(%L)', pg_temp.order('cash'))),
  jsonb_build_object('ORDER_NOT_FOUND', jsonb_build_object('order_id', pg_temp.order('cash'))), 'and ends none'
);
reset role;
select is(
  (select array_agg(concat_ws(' ', u.n, c.orders, c.units) order by u.n)
   from unnest(array[1, 3]) as u (n) join interlock.customer_open_orders c on c.user_id = pg_temp.id(u.n)),
  array['1 0 0', '3 3 3'], 'what is open counts for the account'
);
select is(
  (select array_agg(balance order by user_id) from interlock.wallets where user_id in (pg_temp.id(1), pg_temp.id(3))), array[0, 3100]::bigint[],
  'the money is the account''s'
);
select is(
  (select array_agg(concat_ws(' ', delta, balance_after, reason) order by delta) from interlock.wallet_movements
   where reference_id = (select (answer ->> 'transfer_id')::uuid from answers where name = 'moved')),
  array['-3000 0 moved', '3000 3100 moved'], 'and both ledgers say so'
);
select is(
  (select concat_ws(' ', from_user_id, to_user_id, orders, amount, currency, actor) from interlock.order_transfers where moved_at is not null),
  concat_ws(' ', pg_temp.id(1), pg_temp.id(3), 7, 3000, 'EUR', pg_temp.id(3)), 'support sees who has moved what'
);

-- Carts and keys --------------------------------------------------------------------------

select is((select cart_id from interlock.orders where id = pg_temp.order('wallet')), pg_temp.id(31), 'an order keeps its cart');
select is((select cart_id from interlock.orders where id = pg_temp.order('two')), pg_temp.id(34), 'whoever else has one of that name');
select is((select cart_id from interlock.orders where id = pg_temp.order('cash')), null, 'unless the account has an order of it');
select pg_temp.be(3);
select is(pg_temp.refusal('select pg_temp.buy(p_cart => 31)') ? 'CART_ALREADY_ORDERED', true, 'the guest''s cart is ordered');
select is(
  pg_temp.buy(p_method => 'wallet', p_key => 'k', p_code => 'GUEST-ONCE', p_cart => 31), (select answer from answers where name = 'wallet'),
  'the guest''s submission, sent again by the account, is the same order'
);
select pg_temp.be(1);
select is(
  pg_temp.buy(p_method => 'wallet', p_key => 'k', p_code => 'GUEST-ONCE', p_cart => 31), (select answer from answers where name = 'wallet'),
  'and by the guest'
);
reset role;

-- Promo codes ------------------------------------------------------------------------------

select is(
  (select array_agg(concat_ws(' ', n, u.used) order by n)
   from unnest(array[1, 3]) as n join interlock.promo_user_uses u on u.user_id = pg_temp.id(n) and u.promo_id = pg_temp.id(21)),
  array['1 0', '3 2'], 'uses count for the account, more than it could have had'
);
select is(
  (select concat_ws(' ', user_id, cart_id) from interlock.promo_redemptions where order_id = pg_temp.order('wallet')), pg_temp.id(3)::text,
  'a use loses the cart for which the account holds the code'
);
select is(
  (select concat_ws(' ', user_id, cart_id) from interlock.promo_redemptions where order_id = pg_temp.order('two')),
  concat_ws(' ', pg_temp.id(3), pg_temp.id(34)), 'and no other'
);
select is(
  (select concat_ws(' ', user_id, cart_id) from interlock.promo_redemptions where order_id = pg_temp.order('others two')),
  concat_ws(' ', pg_temp.id(4), pg_temp.id(34)), 'what others have used stays theirs'
);
select is(
  (select array_agg(user_id || ' ' || used order by user_id) from interlock.promo_user_uses where promo_id = pg_temp.id(25)),
  array[pg_temp.id(1) || ' 0', pg_temp.id(3) || ' 2', pg_temp.id(4) || ' 1'], 'and counts for them'
);
select is(
  (select used from interlock.promo_user_uses where promo_id = pg_temp.id(26) and user_id = pg_temp.id(3)), 1::interlock.unit_count,
  'a code that the account never used'
);
select is((select user_id from interlock.promo_codes where id = pg_temp.id(27)), pg_temp.id(4), 'a code of another customer''s own stays theirs');
select pg_temp.be(3);
select is(
  public.validate_promo('GUEST-ONCE', null, p_action => 'release', p_cart_id => pg_temp.id(31)) ->> 'released', 'true', 'a hold is given back'
);
select is(
  pg_temp.refusal('select pg_temp.buy(p_code => ''GUEST-ONCE'')'), '{"PROMO_EXHAUSTED": {"reason": "max_uses_per_user"}}', 'there is no further one'
);
select is(
  pg_temp.refusal('select pg_temp.buy(p_code => ''GUEST-FIRST'')'), '{"PROMO_NOT_APPLICABLE": {"reason": "first_order_only"}}',
  'the account''s next order is not its first'
);
select is(
  public.validate_promo('GUEST-OWN', format('[{"product_id": "%s", "quantity": 1}]', pg_temp.id(11))::jsonb, p_dry_run => true) ->> 'valid',
  'true', 'a code of the guest''s own is the account''s'
);
reset role;
select is(
  (select concat_ws(' ', status, user_id) from interlock.promo_redemptions where promo_id = pg_temp.id(22) and user_id = pg_temp.id(1)), 'released ' || pg_temp.id(1),
  'a hold ends'
);
select is((select used_count from interlock.promo_codes where id = pg_temp.id(22)), 1::interlock.unit_count, 'and its use is free');

-- What becomes of the orders -----------------------------------------------------------------

select pg_temp.be(1);
select is(
  pg_temp.refusal(format('select public.begin_card_payment(%L)', pg_temp.order('card'))),
  jsonb_build_object('ORDER_NOT_FOUND', jsonb_build_object('order_id', pg_temp.order('card'))), 'the guest pays none'
);
select pg_temp.be(3);
select is(public.begin_card_payment(pg_temp.order('card')) #>> '{payment,amount}', '1000', 'the account pays');
select is(public.cancel_order(pg_temp.order('cash')) #>> '{order,status}', 'cancelled', 'and cancels');
reset role;
select is((select orders from interlock.customer_open_orders where user_id = pg_temp.id(3)), 2::interlock.unit_count, 'which no longer counts');
select pg_temp.be(0);
select is(public.refund_order(pg_temp.order('wallet')) #>> '{order,status}', 'refunded', 'the shop refunds');
reset role;
select is((select balance from interlock.wallets where user_id = pg_temp.id(3)), 4000::bigint, 'into the wallet of the account');
select is(
  (select used from interlock.promo_user_uses where user_id = pg_temp.id(3) and promo_id = pg_temp.id(21)), 0::interlock.unit_count, 'whose use comes back'
);
update interlock.settings set max_open_orders_per_customer = 1;
select pg_temp.be(3);
select is(pg_temp.refusal('select pg_temp.buy()') ? 'TOO_MANY_OPEN_ORDERS', true, 'above its limit the account has no more');
reset role;

-- By staff ------------------------------------------------------------------------------------

select is((select concat(orders, ' ', units) from interlock.customer_open_orders where user_id = pg_temp.id(4)), '1 1', 'nobody else has more or less');
delete from interlock.customer_open_orders where user_id = pg_temp.id(4);
update interlock.settings set max_open_orders_per_customer = 5;
select pg_temp.be(2);
insert into answers values ('twos', pg_temp.buy(p_key => 'twos'));
select pg_temp.be(4);
select is(
  pg_temp.refusal(format('select public.move_orders(%L, %L)', pg_temp.id(2), pg_temp.id(4))), '{"FORBIDDEN": {}}', 'a buyer moves nothing by name'
);
select pg_temp.be(5);
create temporary table moves (p_from int, p_to int, refusal text);
insert into moves values
  (9, 4, 'USER_NOT_FOUND'), (2, 9, 'USER_NOT_FOUND'), (3, 4, 'NOT_A_GUEST'), (2, 1, 'ACCOUNT_NEEDED'), (2, 2, 'ACCOUNT_NEEDED');
select is(
  (select jsonb_object_agg(k.key, k.value ->> 'user_id')
   from jsonb_each(pg_temp.refusal(format('select public.move_orders(%L, %L)', pg_temp.id(p_from), pg_temp.id(p_to)))) k),
  jsonb_build_object(refusal, pg_temp.id(case when refusal = 'ACCOUNT_NEEDED' or p_to = 9 then p_to else p_from end)),
  concat_ws(' ', p_from, p_to, refusal)
)
from moves;
select is(
  array(select p ->> 'pointer' from jsonb_array_elements(pg_temp.refusal('select public.move_orders(null, null)') #> '{VALIDATION_FAILED,problems}') p),
  array['/p_from_user_id', '/p_to_user_id'], 'both are needed'
);
select is(
  (public.move_orders(pg_temp.id(2), pg_temp.id(4)) - 'moved_at' - 'transfer_id'),
  jsonb_build_object('success', true, 'from_user_id', pg_temp.id(2), 'orders', 1, 'amount', 0, 'currency', null), 'staff move what a guest has'
);
select is(public.move_orders(pg_temp.id(2), pg_temp.id(4)) ->> 'orders', '0', 'again there is nothing');
reset role;
select is((select concat(orders, ' ', units) from interlock.customer_open_orders where user_id = pg_temp.id(4)), '1 1', 'it counts for who had none');
update interlock.order_transfers set expires_at = now() - interval '1 day' where moved_at is not null;
select is(interlock.purge_idempotency_keys(), 0, 'what has moved is not purged');
select is(
  (select actor from interlock.order_events where order_id = pg_temp.order('twos') and event = 'moved'), pg_temp.id(5), 'the history says who did it'
);
select is(
  (select count(*) from interlock.idempotency_keys where user_id = pg_temp.id(4) and key = 'twos'), 1::bigint, 'a key is copied'
);
update interlock.idempotency_keys set expires_at = interlock.clock() where user_id in (pg_temp.id(2), pg_temp.id(4));
delete from interlock.idempotency_keys where user_id = pg_temp.id(4);
select pg_temp.be(0);
select is(public.move_orders(pg_temp.id(2), pg_temp.id(4)) ->> 'success', 'true', 'so does the shop');
reset role;
select is(
  (select count(*) from interlock.idempotency_keys where user_id = pg_temp.id(4)), 0::bigint, 'a key that is over is not'
);
select throws_ok(
  format('update interlock.orders set user_id = %L where id = %L', pg_temp.id(3), pg_temp.order('twos')), '23514', null,
  'SQL alone does not move an order'
);

-- The books, and the persons in them ------------------------------------------------------------

select is_empty('select * from interlock.wallet_differences', 'the ledgers add up');
select is_empty('select * from interlock.promo_differences', 'so do the uses');
select pg_temp.be(6);
insert into answers values ('last', public.create_order_transfer());
reset role;
update interlock.wallets set balance = 0 where user_id = pg_temp.id(3);
delete from interlock.wallets where user_id = pg_temp.id(6);
select is(interlock.erase_user(pg_temp.id(6)) ->> 'success', 'true', 'a guest is erased');
select is((select count(*) from interlock.order_transfers where moved_at is null), 0::bigint, 'with the token');
select is(interlock.erase_user(pg_temp.id(1)) ->> 'success', 'true', 'and one whose orders have moved');
select is(interlock.erase_user(pg_temp.id(5)) ->> 'success', 'true', 'and staff');
select is(
  (select array_agg(concat_ws(' ', from_user_id, to_user_id, actor) order by id) from interlock.order_transfers),
  array[concat_ws(' ', pg_temp.id(3), pg_temp.id(3))] || array_fill(concat_ws(' ', pg_temp.id(2), pg_temp.id(4)), array[3]),
  'what has moved is kept without them'
);
select is(
  (select user_id from interlock.orders where id = pg_temp.order('card')), pg_temp.id(3), 'the orders stay the account''s'
);

select * from finish();
rollback;
