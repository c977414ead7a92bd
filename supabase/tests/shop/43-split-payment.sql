-- A part from the wallet, the rest in another way.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(70);

create function pg_temp.id(p_n int)
returns uuid
language sql
as $$
  select ('7c430000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid
$$;
-- 1 buys, 2 is staff, 3 has dollars, 4 has no wallet.
insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', format('tap-split-%s@example.com', n) from generate_series(1, 4) n;
insert into interlock.products (id, name, price, currency, available_quantity)
values (pg_temp.id(11), 'tap oil', 1000, 'EUR', 100);
insert into interlock.products (id, name, price, currency, kind) values (pg_temp.id(12), 'tap song', 300, 'EUR', 'digital');
insert into interlock.product_codes (product_id, code) values (pg_temp.id(12), 'tap-song-1'), (pg_temp.id(12), 'tap-song-2');
insert into interlock.wallets (user_id, balance, currency) values (pg_temp.id(1), 5000, 'EUR'), (pg_temp.id(3), 5000, 'USD');
insert into interlock.promo_codes (code, discount_type, discount_value) values ('SPLIT-HALF', 'percentage', 50), ('SPLIT-ALL', 'percentage', 100);
update interlock.settings
set payment_methods = '{wallet,bank_transfer,cash_on_delivery,card}', max_open_orders_per_customer = 100, max_open_units_per_customer = null,
  late_payments = 'reopen';

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
      'role', 'authenticated', 'sub', pg_temp.id(p_n),
      'app_metadata', case when p_n = 2 then '{"role": "staff"}'::json else '{}' end
    )::text, true);
    set local role authenticated;
  end if;
end
$$;
create function pg_temp.buy(
  p_part bigint, p_method text default null, p_quantity int default 1, p_code text default null, p_key text default null, p_product int default 11
)
returns jsonb
language sql
as $$
  select public.checkout(
    jsonb_build_array(jsonb_build_object('product_id', pg_temp.id(p_product), 'quantity', p_quantity)),
    p_promo_code => p_code, p_payment_method => p_method, p_idempotency_key => p_key, p_wallet_amount => p_part
  )::jsonb -> 'order'
$$;
create function pg_temp.refusal(p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_message text;
  v_detail text;
begin
  execute p_sql;
  return null;
exception
  when others then
    get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail;
    return jsonb_build_object(v_message, v_detail::jsonb - 'message');
end
$$;
create temporary table answers (name text primary key, answer jsonb);
grant all on answers to public;
create function pg_temp.order(p_name text)
returns uuid
language sql
as $$
  select (answer ->> 'id')::uuid from answers where name = p_name
$$;
create function pg_temp.shown(p_name text)
returns text
language sql
as $$
  select concat_ws(' ', answer ->> 'status', answer ->> 'total', answer ->> 'wallet_amount') from answers where name = p_name
$$;
-- What is in the buyer's wallet.
create function pg_temp.balance()
returns bigint
language sql
security definer
as $$
  select balance from interlock.wallets where user_id = pg_temp.id(1)
$$;
-- The movements of an order.
create function pg_temp.moved(p_name text)
returns text[]
language sql
security definer
as $$
  select array_agg(delta || ' ' || reason order by id) from interlock.wallet_movements where reference_id = pg_temp.order(p_name)
$$;
grant execute on all functions in schema pg_temp to public;

-- What is asked --------------------------------------------------------------------------

select pg_temp.be(1);
select is(
  pg_temp.refusal('select pg_temp.buy(-1)') #> '{VALIDATION_FAILED,problems}',
  '[{"pointer": "/wallet_amount", "message": "must be a whole number of minor units, 0 or more"}]', 'a part is not less than nothing'
);
select is(
  pg_temp.refusal('select pg_temp.buy(5001, p_quantity => 6)'),
  '{"INSUFFICIENT_FUNDS": {"amount": 5001, "balance": 5000, "currency": "EUR"}}', 'nor more than there is'
);
select pg_temp.be(3);
select is(
  pg_temp.refusal('select pg_temp.buy(100)'), '{"CURRENCY_MISMATCH": {"currency": "EUR", "wallet_currency": "USD"}}', 'nor in another currency'
);
select pg_temp.be(4);
select is(
  pg_temp.refusal('select pg_temp.buy(100)'),
  '{"INSUFFICIENT_FUNDS": {"amount": 100, "balance": 0, "currency": "EUR"}}', 'nor without a wallet'
);
insert into answers values ('none', pg_temp.buy(0));
select is(pg_temp.shown('none'), 'confirmed 1000', 'nothing is no part');
reset role;
update interlock.settings set payment_methods = '{cash_on_delivery}';
select pg_temp.be(1);
select is(
  pg_temp.refusal('select pg_temp.buy(100)'),
  '{"PAYMENT_METHOD_NOT_ALLOWED": {"allowed": ["cash_on_delivery"], "payment_method": "wallet"}}', 'where wallets do not pay they pay no part'
);
select is(
  pg_temp.refusal('select pg_temp.buy(100, ''card'')') #>> '{PAYMENT_METHOD_NOT_ALLOWED,payment_method}', 'card', 'the rest is asked about first'
);
select is(pg_temp.buy(0) ->> 'status', 'confirmed', 'which does not touch who asks for none');
reset role;
update interlock.settings set payment_methods = '{wallet,bank_transfer,cash_on_delivery,card}';

-- The order --------------------------------------------------------------------------------

select pg_temp.be(1);
insert into answers values
  ('cash', pg_temp.buy(300)), ('bank', pg_temp.buy(400, 'bank_transfer')), ('card', pg_temp.buy(600, 'card', p_key => 'k'));
select is(pg_temp.shown('cash'), 'confirmed 1000 300', 'cash for the rest');
select is(pg_temp.shown('bank'), 'pending_payment 1000 400', 'a bank transfer');
select is(pg_temp.shown('card'), 'pending_payment 1000 600', 'a card');
select is(pg_temp.balance(), 3700::bigint, 'the parts are paid');
select is(pg_temp.moved('cash'), array['-300 checkout'], 'and the ledger says for which order');
select is(pg_temp.buy(600, 'card', p_key => 'k'), (select answer from answers where name = 'card'), 'sent again it is the same order');
select is(
  pg_temp.refusal('select pg_temp.buy(601, ''card'', p_key => ''k'')'), '{"IDEMPOTENCY_KEY_REUSED": {"operation": "checkout"}}',
  'another part is another request'
);
insert into answers values ('all', pg_temp.buy(1200, 'card')), ('wallet', pg_temp.buy(100, 'wallet')), ('half', pg_temp.buy(200, p_code => 'SPLIT-HALF'));
select is(pg_temp.shown('all'), 'paid 1000 1000', 'no more than it costs is taken, and then it is paid');
select is(pg_temp.shown('wallet'), 'paid 1000', 'where the wallet pays alone there is no part');
select is(pg_temp.shown('half'), 'confirmed 500 200', 'of what it costs with a code');
select is(pg_temp.balance(), 1500::bigint, 'that is what has been taken');
insert into answers values ('free', pg_temp.buy(200, p_code => 'SPLIT-ALL'));
select is(pg_temp.shown('free'), 'paid 0', 'of nothing there is no part');
reset role;
select is(
  (select orders from interlock.customer_open_orders where user_id = pg_temp.id(1))::int, 5, 'what waits for its rest is open'
);
select throws_ok(
  format('update interlock.orders set wallet_amount = 1 where id = %L', pg_temp.order('cash')), '23514', null, 'a part never changes'
);
select throws_ok(
  $$insert into interlock.orders (status, currency, subtotal, total, payment_method, wallet_amount) values ('confirmed', 'EUR', 1, 1, 'cash_on_delivery', 2)$$,
  '23514', null, 'nor is it more than the order costs'
);

-- The rest ---------------------------------------------------------------------------------

select pg_temp.be(1);
insert into answers values ('attempt', public.begin_card_payment(pg_temp.order('card')) -> 'payment');
select is((select answer ->> 'amount' from answers where name = 'attempt'), '400', 'the card is asked for the rest');
reset role;
create function pg_temp.pay(p_name text, p_amount int, p_event text)
returns text
language sql
as $$
  select (interlock.apply_payment_event('stripe', 'payment_intent.succeeded', jsonb_build_object(
    'id', 'pi_tap_' || p_event, 'amount_received', p_amount, 'currency', 'eur', 'metadata', jsonb_build_object('order_id', pg_temp.order(p_name))
  ), now())).outcome
$$;
select is(pg_temp.pay('card', 1000, 'too_much'), 'flagged', 'all of it is not the rest');
select is(
  (interlock.apply_payment_event('stripe', 'payment_intent.succeeded', jsonb_build_object(
    'id', 'pi_tap_card', 'amount_received', 400, 'currency', 'eur', 'metadata', jsonb_build_object(
      'order_id', pg_temp.order('card'), 'payment_id', (select answer ->> 'id' from answers where name = 'attempt')
    )
  ), now())).outcome,
  'paid', 'the rest pays it'
);
select is((select status from interlock.orders where id = pg_temp.order('card')), 'paid', 'as it does with cash');
select pg_temp.be(0);
select is(public.accept_payment(pg_temp.order('bank')) #>> '{order,status}', 'paid', 'or by bank transfer');

-- What goes back ---------------------------------------------------------------------------

select is(public.refund_order(pg_temp.order('card')) #>> '{order,status}', 'refunded', 'a refund');
reset role;
select is(pg_temp.moved('card'), array['-600 checkout', '600 order_refunded'], 'gives the wallet its part');
select is(
  (select concat_ws(' ', status, refund_asked) from interlock.payments where provider_id = 'pi_tap_card'), 'refund_due 400', 'and the card the rest'
);
select pg_temp.be(0);
select is(public.refund_order(pg_temp.order('bank'), true) #>> '{order,status}', 'refunded', 'the shop gives all back itself');
reset role;
select is(pg_temp.moved('bank'), array['-400 checkout'], 'so the wallet gets nothing');
select pg_temp.be(1);
select is(public.cancel_order(pg_temp.order('cash')) #>> '{order,status}', 'cancelled', 'a buyer cancels');
select is(pg_temp.moved('cash'), array['-300 checkout', '300 order_cancelled'], 'the part of an unpaid order comes back');
insert into answers values ('expires', pg_temp.buy(250, 'bank_transfer'));
reset role;
update interlock.orders set payment_expires_at = now() where id = pg_temp.order('expires');
select is(interlock.expire_orders(1), 1, 'an order expires');
select is(pg_temp.moved('expires'), array['-250 checkout', '250 order_expired'], 'as well');

-- Taken again --------------------------------------------------------------------------------

select pg_temp.be(0);
select is(public.reopen_order(pg_temp.order('expires')) #>> '{order,status}', 'pending_payment', 'it is opened again');
select is(pg_temp.moved('expires'), array['-250 checkout', '250 order_expired', '-250 order_reopened'], 'for the part');
reset role;
update interlock.orders set payment_expires_at = now() where id = pg_temp.order('expires');
select is(interlock.expire_orders(1), 1, 'it expires again');
create temporary table had as select pg_temp.balance() as balance;
update interlock.wallets set balance = 249 where user_id = pg_temp.id(1);
select pg_temp.be(0);
select is(
  pg_temp.refusal(format('select public.reopen_order(%L)', pg_temp.order('expires'))),
  '{"INSUFFICIENT_FUNDS": {"amount": 250, "balance": 249, "currency": "EUR"}}', 'without the part it is not'
);
reset role;
select is((select status from interlock.orders where id = pg_temp.order('expires')), 'expired', 'but stays as it is');
update interlock.wallets set balance = 2000 where user_id = pg_temp.id(1);
select pg_temp.be(1);
insert into answers values ('late', pg_temp.buy(100, 'card')), ('too late', pg_temp.buy(1900, 'card', 3));
reset role;
update interlock.orders set status = 'expired' where id in (pg_temp.order('late'), pg_temp.order('too late'));
select is(pg_temp.balance(), 2000::bigint, 'the parts come back');
select is(pg_temp.pay('late', 900, 'late'), 'reopened', 'late money buys it again, with the part');
select is(pg_temp.balance(), 1900::bigint, 'which is paid again');
update interlock.wallets set balance = 0 where user_id = pg_temp.id(1);
select is(pg_temp.pay('too late', 1100, 'too_late'), 'refund_due', 'and not without it');

-- Parts ---------------------------------------------------------------------------------------

update interlock.wallets set balance = 10000 where user_id = pg_temp.id(1);
select pg_temp.be(1);
insert into answers values
  ('lines', pg_temp.buy(1500, 'card', 4)), ('unpaid lines', pg_temp.buy(1500, 'bank_transfer', 4)), ('outside', pg_temp.buy(1500, 'bank_transfer', 4));
reset role;
select is(pg_temp.pay('lines', 2500, 'lines'), 'paid', 'four units, 2500 by card and 1500 from the wallet');
create function pg_temp.take_off(p_name text, p_quantity int, p_outside boolean default false)
returns text
language plpgsql
as $$
declare
  v_refund_id uuid;
begin
  perform set_config('request.jwt.claims', '', true);
  v_refund_id := public.refund_order_lines(
    pg_temp.order(p_name), jsonb_build_array(jsonb_build_object('product_id', pg_temp.id(11), 'quantity', p_quantity)), p_outside => p_outside
  ) ->> 'refund_id';
  return (select concat_ws(' ', f.to_wallet, f.to_card, f.by_shop) from interlock.order_refunds f where f.id = v_refund_id);
end
$$;
select is(pg_temp.take_off('lines', 2), '0 2000 0', 'what came by card goes back first');
select is(pg_temp.take_off('lines', 1), '500 500 0', 'then what is left of it, and of the wallet''s part');
select is(pg_temp.take_off('lines', 1), '1000 0 0', 'at last the rest of that');
select is((select status from interlock.orders where id = pg_temp.order('lines')), 'refunded', 'nothing is left');
select is(pg_temp.moved('lines'), array['-1500 checkout', '500 lines_refunded', '1000 lines_refunded'], 'it sums to the part');
select is(
  (select concat_ws(' ', amount, refund_asked) from interlock.payments where provider_id = 'pi_tap_lines'), '2500 2500', 'and to the rest'
);
select is(pg_temp.take_off('unpaid lines', 2), '0 0 0', 'an unpaid order costs less, by the rest first');
select is(pg_temp.take_off('unpaid lines', 1), '500 0 0', 'then the wallet gets some of its part back');
select is((select status from interlock.orders where id = pg_temp.order('unpaid lines')), 'paid', 'what is left is paid');
select pg_temp.be(0);
select is(public.refund_order(pg_temp.order('unpaid lines')) #>> '{order,status}', 'refunded', 'and refunded');
reset role;
select is(
  pg_temp.moved('unpaid lines'), array['-1500 checkout', '500 lines_cancelled', '1000 order_refunded'], 'the whole part has come back, once'
);
select is(pg_temp.take_off('outside', 1), '0 0 0', 'three are left to pay, for 3000');
update interlock.orders set payment_expires_at = now() where id = pg_temp.order('outside');
select is(interlock.expire_orders(1), 1, 'not in time');
select pg_temp.be(0);
select is(public.reopen_order(pg_temp.order('outside'), true) #>> '{order,status}', 'paid', 'but late');
reset role;
select is(
  pg_temp.moved('outside'), array['-1500 checkout', '1500 order_expired', '-1500 order_reopened'], 'the wallet pays its part again'
);
select is(pg_temp.take_off('outside', 2, true), '0 0 2000', 'the shop gives two back itself');
select is(pg_temp.take_off('outside', 1), '1000 0 0', 'and the last one comes into the wallet');
select pg_temp.be(1);
insert into answers values ('nothing', pg_temp.buy(1500, 'bank_transfer', 4));
reset role;
select is(pg_temp.take_off('nothing', 4), '1500 0 0', 'an unpaid order that is cancelled line by line');
select is(
  (select concat_ws(' ', status, refunded) from interlock.orders where id = pg_temp.order('nothing')), 'cancelled 4000', 'is cancelled'
);
select is(pg_temp.moved('nothing'), array['-1500 checkout', '1500 lines_cancelled'], 'and gives its part back once');
select is_empty('select * from interlock.wallet_differences', 'the ledgers add up');

-- Whose account is gone ------------------------------------------------------------------------

select pg_temp.be(1);
insert into answers values ('gone', pg_temp.buy(200, 'cash_on_delivery'));
select pg_temp.be(0);
select public.fulfill_order(pg_temp.order('gone'));
reset role;
update interlock.orders set status = 'cancelled' where user_id = pg_temp.id(1) and status in ('confirmed', 'pending_payment');
update interlock.orders set status = 'refunded' where user_id = pg_temp.id(1) and status = 'paid';
update interlock.wallets set balance = 0 where user_id = pg_temp.id(1);
select interlock.erase_user(pg_temp.id(1));
select pg_temp.be(0);
select is(
  pg_temp.refusal(format('select public.refund_order(%L)', pg_temp.order('gone'))),
  jsonb_build_object('WALLET_OWNER_GONE', jsonb_build_object('order_id', pg_temp.order('gone'), 'amount', 200, 'currency', 'EUR')),
  'a part cannot go back into a wallet that is gone'
);
select is(public.refund_order(pg_temp.order('gone'), true) #>> '{order,status}', 'refunded', 'but in another way');

select * from finish();
rollback;
