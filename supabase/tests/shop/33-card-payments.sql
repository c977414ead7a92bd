-- Payment by card: attempts, signed events of the provider (twice, late, in any order, forged), money that comes too late
-- or is not what it should be, and what goes back.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(197);

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('33-card-payments ' || p_name)::uuid $$;

insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-card-' || n || '@example.com'
from unnest(array['ann', 'bob', 'cat', 'staff']) n;
insert into interlock.products (id, name, price, currency, available_quantity, kind)
values
  (pg_temp.id('oil'), 'tap oil', 1000, 'EUR', 100, 'physical'),
  (pg_temp.id('gift'), 'tap gift', 2500, 'EUR', 0, 'digital');
insert into interlock.product_codes (product_id, code) values (pg_temp.id('gift'), 'tap-card-1');
delete from interlock.payment_secrets;

-- What a call answers, as text: its order's status, the outcome of an event, or the code and what is known.
create function pg_temp.say(p_who text, p_sql text, p_path text[] default '{order,status}')
returns text
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform set_config('request.jwt.claims', case p_who
    when 'shop' then ''
    when 'staff' then jsonb_build_object(
      'role', 'authenticated', 'sub', pg_temp.id('staff'), 'app_metadata', jsonb_build_object('role', 'staff')
    )::text
    when 'anon' then '{"role": "anon"}'
    else jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id(p_who))::text
  end, true);
  execute 'select ' || p_sql into v_answer;
  perform set_config('request.jwt.claims', '', true);
  return coalesce(v_answer #>> p_path, v_answer ->> 'outcome');
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    perform set_config('request.jwt.claims', '', true);
    return concat_ws(' ', sqlerrm, nullif(nullif(v_detail, '')::jsonb - 'message' - 'retryable', '{}'));
end
$$;

create function pg_temp.latest(p_who text)
returns uuid
language sql
as $$ select id from interlock.orders where user_id = pg_temp.id(p_who) order by id desc limit 1 $$;

create function pg_temp.buy(p_who text, p_quantity int default 1, p_product text default 'oil')
returns uuid
language plpgsql
as $$
declare
  v_said constant text := pg_temp.say(p_who, format(
    $sql$public.checkout('[{"product_id": "%s", "quantity": %s}]', null, null, 'card')$sql$, pg_temp.id(p_product), p_quantity
  ));
begin
  assert v_said = 'pending_payment', v_said;
  return pg_temp.latest(p_who);
end
$$;

-- The attempt that is open, as the buyer is told.
create function pg_temp.attempt(p_who text, p_order uuid, p_path text default 'id')
returns text
language sql
as $$ select pg_temp.say(p_who, format('public.begin_card_payment(%L)', p_order), array['payment', p_path]) $$;

create function pg_temp.signature(p_body text, p_secret text default 'whsec_tap_one_0123', p_age interval default '0')
returns text
language sql
as $$
  select format('t=%s,v1=%s,v0=00', t, encode(interlock.hmac_sha256(convert_to(p_secret, 'UTF8'), convert_to(t || '.' || p_body, 'UTF8')), 'hex'))
  from (select extract(epoch from now() - p_age)::bigint as t) s
$$;

create function pg_temp.post(p_body text, p_signature text)
returns text
language sql
as $$ select pg_temp.say('anon', format('public.payment_webhook(''stripe'', %L, %L)', p_body, p_signature)) $$;

create function pg_temp.event(p_type text, p_object jsonb, p_id text, p_age interval default '0')
returns text
language sql
as $$
  select pg_temp.post(body, pg_temp.signature(body))
  from (
    select jsonb_build_object(
      'id', p_id, 'type', p_type, 'created', extract(epoch from now() - p_age)::bigint, 'data', jsonb_build_object('object', p_object)
    )::text as body
  ) b
$$;

-- An event about a payment of this order.
create function pg_temp.pay(
  p_order uuid,
  p_event text,
  p_type text default 'succeeded',
  p_more jsonb default '{}',
  p_pi text default null,
  p_age interval default '0'
)
returns text
language sql
as $$
  select pg_temp.event('payment_intent.' || p_type, jsonb_build_object(
    'id', coalesce(p_pi, 'pi_' || left(md5(p_order::text), 20)),
    'amount', o.total,
    'amount_received', case p_type when 'succeeded' then o.total else 0 end,
    'currency', lower(o.currency),
    'metadata', jsonb_build_object('order_id', o.id, 'payment_id', (
      select p.id from interlock.payments p where p.order_id = o.id order by p.attempt desc limit 1
    ))
  ) || p_more, p_event, p_age)
  from interlock.orders o
  where o.id = p_order
$$;

create function pg_temp.refund(p_order uuid, p_event text, p_refund text, p_amount bigint, p_status text, p_age interval default '0')
returns text
language sql
as $$
  select pg_temp.event('refund.updated', jsonb_build_object(
    'id', p_refund, 'payment_intent', 'pi_' || left(md5(p_order::text), 20), 'amount', p_amount, 'currency', 'eur', 'status', p_status
  ), p_event, p_age)
$$;

-- Order, and its payments with what has to go back and what has.
create function pg_temp.state(p_order uuid)
returns text
language sql
as $$
  select concat_ws(' | ', o.status, (
    select string_agg(concat_ws(' ', p.status, p.flag, p.amount, p.refund_asked, p.refunded), ', ' order by p.attempt)
    from interlock.payments p
    where p.order_id = o.id
  ))
  from interlock.orders o
  where o.id = p_order
$$;

create function pg_temp.oil()
returns int
language sql
as $$ select available_quantity from interlock.products where id = pg_temp.id('oil') $$;

-- The hash, by RFC 4231, cases 1, 2 and 6.
select is(
  encode(interlock.hmac_sha256(decode(repeat('0b', 20), 'hex'), 'Hi There'), 'hex'),
  'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7', 'HMAC: a short key'
);
select is(
  encode(interlock.hmac_sha256('Jefe', 'what do ya want for nothing?'), 'hex'),
  '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', 'HMAC: a word'
);
select is(
  encode(interlock.hmac_sha256(decode(repeat('aa', 131), 'hex'), 'Test Using Larger Than Block-Size Key - Hash Key First'), 'hex'),
  '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54', 'HMAC: a key that is longer than a block'
);

-- The order.
select is(
  pg_temp.say('ann', format($$public.checkout('[{"product_id": "%s", "quantity": 1}]', null, null, 'card')$$, pg_temp.id('oil'))),
  'PAYMENT_METHOD_NOT_ALLOWED {"allowed": ["wallet", "bank_transfer", "cash_on_delivery"], "payment_method": "card"}',
  'cards are taken once the shop says so'
);
update interlock.settings set payment_methods = payment_methods || '{card}', card_payment_window = '40 minutes', late_payments = 'reopen_expired';
create temporary table memo as select pg_temp.buy('ann', 3) as id;
select is(pg_temp.oil(), 97, 'an order by card takes its goods');
select is(
  (select payment_expires_at from interlock.orders where id = (select id from memo)), now() + interval '40 minutes',
  'and keeps them for settings.card_payment_window'
);

-- Attempts.
select is(
  pg_temp.say('ann', format('public.begin_card_payment(%L)', id), '{payment}')::jsonb - 'id',
  jsonb_build_object(
    'order_id', id, 'provider', 'stripe', 'provider_id', null, 'attempt', 1, 'status', 'open', 'amount', 3000, 'currency', 'EUR',
    'expires_at', to_jsonb(now() + interval '40 minutes')
  ), 'an attempt to pay it'
)
from memo;
select is(pg_temp.attempt('ann', id), pg_temp.attempt('ann', id), 'is the same in another tab') from memo;
create temporary table by_transfer as
select pg_temp.say('cat', format(
  $$public.checkout('[{"product_id": "%s", "quantity": 1}]', null, null, 'bank_transfer')$$, pg_temp.id('oil')
), '{order,id}')::uuid as id;
select matches(pg_temp.attempt('cat', id), '^ORDER_STATE_CONFLICT', 'is for an order that is paid by card') from by_transfer;
select is(pg_temp.say('cat', format('public.cancel_order(%L)', id)), 'cancelled', 'which another one is not') from by_transfer;
update interlock.orders set payment_expires_at = now() where id = (select id from memo);
select matches(pg_temp.attempt('ann', id), '^ORDER_STATE_CONFLICT', 'and in time') from memo;
update interlock.orders set payment_expires_at = now() + interval '40 minutes' where id = (select id from memo);
select is(pg_temp.attempt('bob', id), format('ORDER_NOT_FOUND {"order_id": "%s"}', id), 'is its buyer''s own') from memo;
select is(pg_temp.attempt('anon', id), 'UNAUTHENTICATED', 'is nobody else''s') from memo;
select matches(pg_temp.attempt('ann', null), 'VALIDATION_FAILED .*"/order_id"', 'asks for an order');
create temporary table other as select pg_temp.buy('cat') as id;
select is(pg_temp.attempt('cat', id, 'attempt'), '1', 'is one of many') from other;
select is(
  pg_temp.say('ann', format('public.store_card_payment(%L, ''pi_1'')', pg_temp.attempt('ann', id)), '{success}'), 'true', 'keeps the provider''s id'
)
from memo;
select is(pg_temp.attempt('cat', id, 'provider_id'), null, 'of this attempt only') from other;
select matches(
  pg_temp.say('cat', format('public.store_card_payment(%L, null)', pg_temp.attempt('cat', id))), 'VALIDATION_FAILED .*"/p_provider_id"', 'no id is none'
)
from other;
select is(
  pg_temp.say('ann', format('public.store_card_payment(%L, null, true)', pg_temp.attempt('ann', id)), '{success}'), 'true', 'what has an id'
)
from memo;
select is(pg_temp.attempt('ann', id, 'attempt'), '1', 'is not given up without it') from memo;
select is(
  pg_temp.say('cat', format('public.store_card_payment(%L, null, true)', pg_temp.attempt('cat', id)), '{success}'), 'true', 'what has none'
)
from other;
select is(pg_temp.attempt('cat', id, 'attempt'), '2', 'is') from other;
insert into interlock.payments (order_id, provider, attempt, amount, currency, status)
select other.id, 'stripe', n, 3000, 'EUR', 'canceled' from other, generate_series(3, 20) as n;
select is(pg_temp.attempt('cat', id, 'attempt'), '2', 'the attempt that is open stays') from other;
select pg_temp.say('cat', format('public.store_card_payment(%L, null, true)', pg_temp.attempt('cat', id)), '{success}') from other;
select is(
  pg_temp.attempt('cat', id), format('TOO_MANY_PAYMENT_ATTEMPTS {"order_id": "%s", "max_attempts": 20}', id), 'twenty are all'
)
from other;
select is(pg_temp.say('cat', format('public.cancel_order(%L)', id)), 'cancelled', 'the other order ends') from other;
select is(
  pg_temp.say('anon', format('public.store_card_payment(%L, ''pi_1'')', pg_temp.id('none'))), 'UNAUTHENTICATED', 'it is somebody''s'
);
select matches(
  pg_temp.say('ann', format('public.store_card_payment(%L, ''pi_1'')', pg_temp.id('none'))), '^PAYMENT_NOT_FOUND', 'there must be one'
);
select is(pg_temp.attempt('ann', id, 'provider_id'), 'pi_1', 'and answers it') from memo;
select is(
  pg_temp.say('ann', format('public.store_card_payment(%L, ''pi_2'')', pg_temp.attempt('ann', id)), '{success}'), 'true', 'another id'
)
from memo;
select is(pg_temp.attempt('ann', id, 'provider_id'), 'pi_1', 'changes nothing') from memo;
select matches(
  pg_temp.say('bob', format('public.store_card_payment(%L, ''pi_2'')', pg_temp.attempt('ann', id))), '^PAYMENT_NOT_FOUND', 'nor does somebody else'
)
from memo;
select matches(
  pg_temp.say('ann', format('public.store_card_payment(%L, ''nonsense'')', pg_temp.attempt('ann', id))), 'VALIDATION_FAILED .*"/p_provider_id"', 'nor nonsense'
)
from memo;
select is(
  pg_temp.say('ann', format('public.store_card_payment(%L, ''pi_1'', true)', pg_temp.attempt('ann', id)), '{success}'), 'true', 'one that the provider gave up'
)
from memo;
select is(pg_temp.attempt('ann', id, 'attempt'), '2', 'is followed by another') from memo;
select is(pg_temp.state(id), 'pending_payment | canceled 3000 0 0, open 3000 0 0', 'and the order waits on') from memo;

-- Signatures.
select is(pg_temp.pay(id, 'evt_x'), 'WEBHOOK_SIGNATURE_INVALID {"reason": "no_secret"}', 'without a secret nothing is believed') from memo;
select matches(pg_temp.say('ann', $$public.set_payment_secret('stripe', 'short')$$), 'VALIDATION_FAILED .*"/p_secret"', 'a secret is long');
select matches(pg_temp.say('shop', $$public.set_payment_secret('paypal', 'whsec_tap_one_0123')$$), 'VALIDATION_FAILED .*"/p_provider"', 'and a known provider''s');
select public.set_payment_secret('stripe', 'whsec_tap_one_0123');
select is(pg_temp.post('{}', null), 'WEBHOOK_SIGNATURE_INVALID {"reason": "missing"}', 'no signature');
select is(pg_temp.post('{}', ''), 'WEBHOOK_SIGNATURE_INVALID {"reason": "missing"}', 'an empty one');
select is(pg_temp.post('{}', s), 'WEBHOOK_SIGNATURE_INVALID {"reason": "malformed"}', 'nonsense: ' || left(s, 20))
from unnest(array[
  'nonsense', 't=1', 'v1=' || repeat('0', 64), 't=x,v1=' || repeat('0', 64), 't=1,v1=zz' || repeat('0', 62), 't=1,v1=00',
  't=1234567890123,v1=' || repeat('0', 64), repeat('t', 5000)
]) s;
select is(
  pg_temp.post('{}', format('t=%s,v1=%s', extract(epoch from now())::bigint, repeat('0', 64))),
  'WEBHOOK_SIGNATURE_INVALID {"reason": "mismatch"}', 'a signature of somebody else'
);
select is(pg_temp.post('{}', pg_temp.signature('{} ')), 'WEBHOOK_SIGNATURE_INVALID {"reason": "mismatch"}', 'one of another body');
select is(pg_temp.post('{}', pg_temp.signature('{}', 'whsec_tap_two_0123')), 'WEBHOOK_SIGNATURE_INVALID {"reason": "mismatch"}', 'one by another secret');
select is(
  pg_temp.post('{}', pg_temp.signature('{}', p_age => '301 seconds')), 'WEBHOOK_SIGNATURE_INVALID {"reason": "too_old"}', 'one that is old'
);
select is(
  pg_temp.post('{}', pg_temp.signature('{}', p_age => '-301 seconds')), 'WEBHOOK_SIGNATURE_INVALID {"reason": "in_the_future"}', 'one that is not yet'
);
select matches(pg_temp.post(b, pg_temp.signature(b, p_age => '299 seconds')), '^VALIDATION_FAILED', 'signed nonsense: ' || b)
from unnest(array[
  '', '7', '[]', '{', '{"id": "evt_1", "type": "x", "created": 1}', '{"id": 7, "type": "x", "created": 1, "data": {"object": {}}}',
  '{"id": "evt_1", "type": "x", "created": "soon", "data": {"object": {}}}', '{"id": "\u0000", "type": "x", "created": 1, "data": {"object": {}}}',
  '{"id": "' || repeat('e', 256) || '", "type": "x", "created": 1, "data": {"object": {}}}',
  '{"id": "evt_1", "type": 7, "created": 1, "data": {"object": {}}}',
  '{"id": "evt_1", "type": "", "created": 1, "data": {"object": {}}}',
  '{"id": "evt_1", "type": "' || repeat('x', 201) || '", "created": 1, "data": {"object": {}}}'
]) b;
select matches(
  pg_temp.say('anon', format('public.payment_webhook(''paypal'', ''{}'', %L)', pg_temp.signature('{}'))), 'VALIDATION_FAILED .*"/provider"', 'another provider'
);
select is((select count(*)::int from interlock.payment_events), 0, 'of all that nothing is kept');

-- Two secrets count, the third takes the place of the first.
select public.set_payment_secret('stripe', 'whsec_tap_two_0123');
select matches(pg_temp.post('{}', pg_temp.signature('{}')), '^VALIDATION_FAILED', 'the secret before counts');
select matches(pg_temp.post('{}', 'v1=' || repeat('0', 64) || ',' || pg_temp.signature('{}', 'whsec_tap_two_0123')), '^VALIDATION_FAILED', 'the new one too, beside a wrong signature');
select public.set_payment_secret('stripe', 'whsec_tap_one_0123');
select public.set_payment_secret('stripe', 'whsec_tap_new_0123');
select matches(pg_temp.post('{}', pg_temp.signature('{}')), '^VALIDATION_FAILED', 'one that is given again is the latest');
select is(pg_temp.post('{}', pg_temp.signature('{}', 'whsec_tap_two_0123')), 'WEBHOOK_SIGNATURE_INVALID {"reason": "mismatch"}', 'one that is two before does not count');

-- Failed, then paid: once, whatever comes again.
select is(
  pg_temp.pay(id, 'evt_1', 'payment_failed', '{"last_payment_error": {"code": "card_declined"}}'), 'noted', 'a card that was declined'
)
from memo;
select is(pg_temp.state(id), 'pending_payment | canceled 3000 0 0, open 3000 0 0', 'ends no order') from memo;
select is((select p.failure::text from interlock.payments p where p.order_id = memo.id and p.status = 'open'), 'card_declined', 'and is said') from memo;
select is(pg_temp.pay(id, 'evt_2'), 'paid', 'money') from memo;
select is(pg_temp.state(id), 'paid | canceled 3000 0 0, succeeded 3000 0 0', 'pays the order') from memo;
select is(pg_temp.pay(id, 'evt_2'), 'paid', 'the same event again') from memo;
select is(pg_temp.pay(id, 'evt_3'), 'noted', 'another event of the same money') from memo;
select is(pg_temp.pay(id, 'evt_4', 'canceled'), 'noted', 'a late event about it') from memo;
select is(pg_temp.state(id), 'paid | canceled 3000 0 0, succeeded 3000 0 0', 'change nothing') from memo;
select matches(pg_temp.attempt('ann', id), '^ORDER_STATE_CONFLICT .*"status": "paid"', 'a paid order is not paid again') from memo;
select is(pg_temp.pay(id, 'evt_5', p_pi => 'pi_second'), 'refund_due', 'other money for the same attempt') from memo;
select is(
  pg_temp.state(id), 'paid | canceled 3000 0 0, succeeded 3000 0 0, refund_due paid_otherwise 3000 3000 0', 'has to go back'
)
from memo;

-- Codes are delivered with the money.
update memo set id = pg_temp.buy('ann', 1, 'gift');
select is(pg_temp.pay(id, 'evt_10') || (
  select (used_at is not null)::text from interlock.product_codes where product_id = pg_temp.id('gift')
), 'paidfalse', 'before') from memo;
select isnt(used_at, null, 'the code is delivered') from interlock.product_codes where product_id = pg_temp.id('gift');

-- What is not what it should be.
update memo set id = pg_temp.buy('ann');
select is(pg_temp.pay(id, 'evt_20', p_more => '{"amount_received": 999}', p_pi => 'pi_20'), 'flagged', 'too little') from memo;
select is(pg_temp.pay(id, 'evt_21', p_more => '{"currency": "usd"}', p_pi => 'pi_21'), 'flagged', 'another currency') from memo;
select is(
  pg_temp.pay(id, 'evt_22', p_more => jsonb_build_object('metadata', jsonb_build_object('order_id', pg_temp.id('none'))), p_pi => 'pi_22'),
  'flagged', 'an order that is not there'
)
from memo;
select is(
  pg_temp.pay(id, 'evt_23', p_more => jsonb_build_object('metadata', jsonb_build_object('order_id', pg_temp.id('none'))), p_pi => 'pi_22'),
  'noted', 'once'
)
from memo;
select is(pg_temp.pay(id, 'evt_24', p_more => '{"metadata": {}}', p_pi => 'pi_24'), 'ignored', 'what is none of ours') from memo;
select is(pg_temp.event('invoice.paid', '{"id": "in_1"}', 'evt_25'), 'ignored', 'an event of another kind');
select is(pg_temp.state(id), 'pending_payment | flagged wrong_amount 999 0 0, flagged wrong_currency 1000 0 0', 'pays nothing') from memo;
select is(
  (select array_agg(p ->> 'flag' order by p ->> 'provider_id') from jsonb_array_elements(public.list_payments('flagged') -> 'payments') p),
  array['wrong_amount', 'wrong_currency', 'unknown_order'], 'and is in the list'
);
select is(
  (select array_agg((p ->> 'id')::uuid) from jsonb_array_elements(public.list_payments('flagged') -> 'payments') p),
  (select array_agg(p.id order by p.id) from interlock.payments p where p.status = 'flagged'), 'the oldest first'
);
select is(
  (public.list_payments('flagged', null, 1) #>> '{payments,0,id}')::uuid,
  (select p.id from interlock.payments p where p.status = 'flagged' order by p.id limit 1), 'also where there are more'
);
select matches(pg_temp.say('ann', 'public.list_payments()'), '^FORBIDDEN', 'of staff');
select matches(pg_temp.say('staff', $$public.list_payments('paid', null, 0)$$), 'VALIDATION_FAILED .*"/p_status".*"/p_limit"', 'which says what it does not know');
select is(pg_temp.pay(id, 'evt_26'), 'paid', 'the right money still pays') from memo;

-- The provider is deciding.
update memo set id = pg_temp.buy('ann');
select is(pg_temp.attempt('ann', id, 'status'), 'open', 'an attempt') from memo;
select is(pg_temp.pay(id, 'evt_30', 'processing', p_age => '10 seconds'), 'noted', 'the provider is deciding') from memo;
select is(
  (select payment_expires_at from interlock.orders where id = (select id from memo)), now() + interval '1 day', 'and the order waits for it'
);
select is(pg_temp.pay(id, 'evt_31', 'payment_failed', p_age => '20 seconds'), 'noted', 'an older event') from memo;
select is(pg_temp.attempt('ann', id, 'status'), 'processing', 'changes nothing') from memo;
select is(pg_temp.pay(id, 'evt_32', 'payment_failed', p_age => '5 seconds'), 'noted', 'it failed') from memo;
select is(
  (select payment_expires_at from interlock.orders where id = (select id from memo)), now() + interval '40 minutes', 'and the order has its own time again'
);
select is(pg_temp.attempt('ann', id, 'status'), 'open', 'for another try') from memo;

-- Late money.
update interlock.orders set status = 'expired' where id = (select id from memo);
select matches(pg_temp.attempt('ann', id), '^ORDER_STATE_CONFLICT .*"status": "expired"', 'an order that expired is not paid any more') from memo;
select is(pg_temp.pay(id, 'evt_40'), 'reopened', 'but money that comes brings it back') from memo;
select is(pg_temp.state(id), 'paid | succeeded 1000 0 0', 'paid') from memo;

update memo set id = pg_temp.buy('ann', 2);
update interlock.orders set status = 'expired' where id = (select id from memo);
update interlock.products set available_quantity = 1 where id = pg_temp.id('oil');
select is(pg_temp.pay(id, 'evt_41'), 'refund_due', 'without its goods the money has to go back') from memo;
select is(pg_temp.state(id) || ' ' || pg_temp.oil(), 'expired | refund_due late 2000 2000 0 1', 'and nothing is taken') from memo;
update interlock.products set available_quantity = 100 where id = pg_temp.id('oil');

update memo set id = pg_temp.buy('ann');
update interlock.orders set status = 'cancelled' where id = (select id from memo);
select is(pg_temp.pay(id, 'evt_42'), 'refund_due', 'a cancelled order stays cancelled') from memo;
update interlock.settings set late_payments = 'reopen';
update memo set id = pg_temp.buy('ann');
update interlock.orders set status = 'cancelled' where id = (select id from memo);
select is(pg_temp.pay(id, 'evt_43'), 'reopened', 'unless the shop has it otherwise') from memo;
update interlock.settings set late_payments = 'refund';
update memo set id = pg_temp.buy('ann');
update interlock.orders set status = 'expired' where id = (select id from memo);
select is(pg_temp.pay(id, 'evt_44'), 'refund_due', 'as it may have it that nothing comes back') from memo;

-- Paid otherwise.
update memo set id = pg_temp.buy('ann');
select is(pg_temp.say('staff', format('public.accept_payment(%L)', id)), 'paid', 'the shop has its money in another way') from memo;
select is(pg_temp.pay(id, 'evt_50'), 'refund_due', 'money by card has to go back') from memo;

-- What goes back.
update memo set id = pg_temp.buy('ann', 2);
select is(pg_temp.refund(id, 'evt_60', 're_0', 100, 'succeeded'), 'noted', 'a refund that is told before its payment') from memo;
select is(pg_temp.pay(id, 'evt_61'), 'paid', 'which comes') from memo;
select is(pg_temp.state(id), 'paid | succeeded 2000 0 100', 'is counted then') from memo;
create temporary table payment as select p.id from interlock.payments p where p.order_id = (select id from memo);
select is(
  pg_temp.say('staff', format('public.refund_payment(%L, 500, ''rma-7'')', id), '{payment,status}'), 'refund_due', 'a part has to go back'
)
from payment;
select is(
  pg_temp.say('staff', format('public.refund_payment(%L, 500, ''rma-7'')', id), '{payment,refund_asked}'), '500', 'once for its reference'
)
from payment;
select is(
  pg_temp.say('staff', format('public.refund_payment(%L, 1501)', id)),
  format('REFUND_EXCEEDS_PAYMENT {"amount": 1501, "currency": "EUR", "payment_id": "%s", "refundable": 1500}', id), 'never more than was paid'
)
from payment;
select matches(pg_temp.say('staff', format('public.refund_payment(%L, 0)', id)), 'VALIDATION_FAILED .*"/p_amount"', 'nor nothing') from payment;
select matches(pg_temp.say('ann', format('public.refund_payment(%L)', id)), '^FORBIDDEN', 'staff decide') from payment;
select matches(pg_temp.say('staff', format('public.refund_payment(%L)', pg_temp.id('none'))), '^PAYMENT_NOT_FOUND', 'about a payment');
select matches(pg_temp.say('staff', 'public.refund_payment(null)'), 'VALIDATION_FAILED .*"/p_payment_id"', 'that they name');
select is(pg_temp.refund(id, 'evt_62', 're_1', 400, 'pending'), 'noted', 'the provider is at it') from memo;
select is(pg_temp.state(id), 'paid | refund_due 2000 500 100', 'which is no money yet') from memo;
select is(pg_temp.refund(id, 'evt_63', 're_1', 400, 'succeeded'), 'noted', 'it is done') from memo;
select is(pg_temp.state(id), 'paid | refunded 2000 500 500', 'all that was asked') from memo;
select is(pg_temp.refund(id, 'evt_63a', 're_1', 400, 'pending', '1 minute'), 'noted', 'what was told before comes after it') from memo;
select is(pg_temp.state(id), 'paid | refunded 2000 500 500', 'and changes nothing') from memo;
select is(pg_temp.refund(id, 'evt_64', 're_1', 400, 'failed'), 'noted', 'it has failed after all') from memo;
select is(pg_temp.refund(id, 'evt_65', 're_1', 400, 'succeeded', '1 minute'), 'noted', 'whatever comes late') from memo;
select is(pg_temp.refund(id, 'evt_65a', 're_1', 400, 'succeeded', '-1 minute'), 'noted', 'or is told later') from memo;
select is(pg_temp.state(id), 'paid | refund_due 2000 500 100', 'and is due again') from memo;
select is(
  pg_temp.event('refund.updated', jsonb_build_object(
    'id', 're_bad', 'payment_intent', 'pi_' || left(md5(id::text), 20), 'amount', 1, 'currency', 'eur', 'status', 'succeeded'
  ) || bad, 'evt_bad_' || nr), 'ignored', 'a refund that is none: ' || left(bad::text, 30)
)
from memo, (values
  (1, '{"id": "re bad"}'::jsonb), (2, jsonb_build_object('id', repeat('r', 256))), (3, '{"amount": 0}'), (4, '{"amount": null}'),
  (5, '{"currency": "eu"}'), (6, '{"currency": null}')
) as b (nr, bad);
select is(pg_temp.say('staff', format('public.refund_order(%L)', id)), 'refunded', 'the whole order') from memo;
select is(pg_temp.state(id), 'refunded | refund_due 2000 2000 100', 'then all has to go back') from memo;
select is(pg_temp.refund(id, 'evt_66', 're_2', 1900, 'succeeded'), 'noted', 'which it does') from memo;
select is(pg_temp.state(id), 'refunded | refunded 2000 2000 2000', 'to the last cent') from memo;
create temporary table outside as select pg_temp.buy('ann') as id;
select is(pg_temp.pay(id, 'evt_67'), 'paid', 'another payment') from outside;
select is(pg_temp.say('staff', format('public.refund_order(%L, true)', id)), 'refunded', 'is given back in another way') from outside;
select is(pg_temp.state(id), 'refunded | succeeded 1000 0 0', 'and not a second time by the provider') from outside;

-- Disputes.
select is(
  pg_temp.event('charge.dispute.' || e, jsonb_build_object(
    'id', 'dp_1', 'payment_intent', 'pi_' || left(md5(id::text), 20), 'status', s
  ), 'evt_7' || e), 'noted', 'a dispute: ' || s
)
from memo, (values ('created', 'needs_response'), ('closed', 'lost'), ('updated', 'under_review')) d (e, s);
select is((select p.dispute::text from interlock.payments p where p.order_id = memo.id), 'lost', 'stands with its payment') from memo;
select is((select count(*)::int from interlock.payments p where p.dispute is not null), 1, 'and with no other');
-- Money that has not come: it is not given back, and nobody disputes it.
create temporary table waiting as select pg_temp.buy('cat') as id;
select is(
  pg_temp.say('cat', format('public.store_card_payment(%L, %L)', pg_temp.attempt('cat', id), 'pi_' || left(md5(id::text), 20)), '{success}'),
  'true', 'a payment that nobody has made'
)
from waiting;
select is(pg_temp.refund(id, 'evt_80', 're_80', 100, 'succeeded'), 'noted', 'a refund of it') from waiting;
select is(
  pg_temp.event('charge.dispute.created', jsonb_build_object(
    'id', 'dp_3', 'payment_intent', 'pi_' || left(md5(id::text), 20), 'status', 'needs_response'
  ), 'evt_81'), 'ignored', 'and a dispute'
)
from waiting;
select is(pg_temp.state(id), 'pending_payment | open 1000 0 0', 'change nothing') from waiting;
select is((select p.dispute::text from interlock.payments p where p.order_id = waiting.id), null, 'nor say that it is disputed') from waiting;
-- The shop gave it more time.
update interlock.orders set payment_expires_at = now() + interval '2 days' where id = (select id from waiting);
select is(pg_temp.pay(id, 'evt_82', 'payment_failed'), 'noted', 'a try that failed') from waiting;
select is(
  (select o.payment_expires_at from interlock.orders o where o.id = waiting.id), now() + interval '2 days', 'leaves its order the time that it has'
)
from waiting;
create temporary table deciding as select pg_temp.buy('cat') as id;
select is(pg_temp.attempt('cat', id, 'status'), 'open', 'another payment') from deciding;
select is(pg_temp.pay(id, 'evt_83', 'processing'), 'noted', 'a payment that is being decided') from deciding;
select is(
  (select o.payment_expires_at from interlock.orders o where o.id = waiting.id), now() + interval '2 days', 'gives more time to its own order only'
)
from waiting;
select is(
  (select o.payment_expires_at from interlock.orders o where o.id = deciding.id), now() + interval '1 day', 'which waits for it'
)
from deciding;

select is(pg_temp.event('charge.dispute.created', '{"id": "dp_2", "payment_intent": "pi_none", "status": "needs_response"}', 'evt_79'), 'ignored', 'one of others does not');

-- Whose money it is, only what is signed says: an id that somebody else has stored, or an attempt of another order, does not.
update memo set id = pg_temp.buy('ann');
create temporary table others as select pg_temp.buy('staff') as id;
select pg_temp.say('staff', format('public.store_card_payment(%L, ''pi_taken'')', pg_temp.attempt('staff', id)), '{success}') from others;
select is(pg_temp.pay(id, 'evt_90', p_pi => 'pi_taken'), 'paid', 'an id that somebody else has stored') from memo;
select is(
  pg_temp.state(memo.id) || ', ' || pg_temp.state(others.id), 'paid | succeeded 1000 0 0, pending_payment | open 1000 0 0', 'pays whose it is'
)
from memo, others;
update memo set id = pg_temp.buy('ann');
select is(
  pg_temp.pay(memo.id, 'evt_91', p_pi => 'pi_91', p_more => jsonb_build_object('metadata', jsonb_build_object(
    'order_id', memo.id, 'payment_id', pg_temp.attempt('staff', others.id)
  ))), 'paid', 'an attempt of another order'
)
from memo, others;
select is(
  pg_temp.state(memo.id) || ', ' || pg_temp.state(others.id), 'paid | succeeded 1000 0 0, pending_payment | open 1000 0 0', 'is not paid by it'
)
from memo, others;

-- What cannot be used is ignored, and too much is refused.
update memo set id = pg_temp.buy('ann');
select is(pg_temp.pay(id, 'evt_92', p_pi => 'pi 92'), 'ignored', 'a payment that nobody could name') from memo;
select is(pg_temp.state(id), 'pending_payment', 'pays nothing') from memo;
select matches(pg_temp.post(b, pg_temp.signature(b)), 'at most 64 KiB', 'a body of more than 64 KiB') from (select repeat(' ', 65537) as b) t;
select is(
  pg_temp.post('{}', pg_temp.signature('{}') || ',v0=' || repeat('0', 5000)), 'WEBHOOK_SIGNATURE_INVALID {"reason": "malformed"}',
  'a right signature in a header without end'
);
select is(
  (select array_agg(e.outcome::text order by e.event_id) from interlock.payment_events e where e.event_id in ('evt_2', 'evt_20', 'evt_24')),
  array['paid', 'flagged', 'ignored'], 'each event keeps its own outcome'
);

-- What only passes is not taken for a refusal: the event comes again.
create function pg_temp.is_locked()
returns trigger
language plpgsql
as $$ begin raise exception using errcode = '55P03', message = 'tap: somebody has it'; end $$;
update interlock.orders set status = 'expired' where id = (select id from memo);
update interlock.settings set late_payments = 'reopen_expired';
create trigger tap_is_locked before update on interlock.products for each row execute function pg_temp.is_locked();
select matches(pg_temp.pay(id, 'evt_93'), 'tap: somebody has it', 'goods that somebody has locked') from memo;
select is(pg_temp.state(id), 'expired', 'send no money back') from memo;
drop trigger tap_is_locked on interlock.products;
select is(pg_temp.pay(id, 'evt_93'), 'reopened', 'the same event pays when it comes again') from memo;

-- What the tables refuse, whatever code runs.
create function pg_temp.refusal(p_sql text)
returns text
language plpgsql
as $$
declare
  v_constraint text;
  v_table text;
begin
  execute replace(replace(p_sql, '{order}', (select quote_literal(id) from memo)), '{none}', quote_literal(pg_temp.id('none')));
  return null;
exception
  when others then
    get stacked diagnostics v_constraint = constraint_name, v_table = table_name;
    return coalesce(nullif(v_constraint, ''), v_table);
end
$$;
update memo set id = pg_temp.buy('ann');
create function pg_temp.row_of(p_columns text, p_values text)
returns text
language sql
as $$
  select format(
    'insert into interlock.payments (order_id, provider, attempt, amount, currency%s) values ({order}, ''stripe'', 9, 10, ''EUR''%s)',
    ', ' || nullif(p_columns, ''), ', ' || nullif(p_values, '')
  )
$$;
select is(pg_temp.refusal(sql), refused_by, 'refused by ' || refused_by)
from (values
  (replace(pg_temp.row_of('', ''), '{order}', '{none}'), 'payments_order_id_fkey'),
  (replace(pg_temp.row_of('', ''), '10', '0'), 'positive_amount_range'),
  (replace(pg_temp.row_of('', ''), '9', '0'), 'positive_count_range'),
  (pg_temp.row_of('status, succeeded_at, refund_asked', $$'succeeded', now(), 11$$), 'payments_refund_within_amount'),
  (pg_temp.row_of('refund_asked', '1'), 'payments_refund_of_money'),
  (pg_temp.row_of('status', $$'succeeded'$$), 'payments_money_has_time'),
  (pg_temp.row_of('succeeded_at', 'now()'), 'payments_money_has_time'),
  (pg_temp.row_of('refunded', '-1'), 'amount_nonnegative'),
  (pg_temp.row_of('', '') || ', ({order}, ''stripe'', 10, 10, ''EUR'')', 'payments_one_open'),
  (
    pg_temp.row_of('status, succeeded_at, provider_id', $$'succeeded', now(), 'pi_x'$$)
      || $$, ({none}, 'stripe', 10, 10, 'EUR', 'succeeded', now(), 'pi_x')$$,
    'payments_money'
  ),
  (pg_temp.row_of('created_at', 'null'), 'payments'),
  ('delete from interlock.payments', 'payments'),
  ('truncate interlock.payments', 'payments'),
  ($$insert into interlock.payment_secrets (provider, secret) values ('stripe', repeat('x', 20)), ('stripe', repeat('x', 20))$$, 'payment_secrets_once'),
  ($$insert into interlock.payment_events (provider, event_id, type, outcome) values ('stripe', 'evt_1', 'x', 'noted')$$, 'payment_events_pkey'),
  ($$insert into interlock.payment_refunds values ('stripe', 're_1', 'pi_1', 1, 'EUR', 'pending', now())$$, 'payment_refunds_pkey')
) r (sql, refused_by);
select set_eq(
  $$
    select format('%s.%s', c.relname, a.attname)
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attnotnull and not a.attisdropped
    where c.relnamespace = 'interlock'::regnamespace and c.relkind = 'r' and c.relname like 'payment%' and c.relname <> 'payment_proofs'
  $$,
  $$values
    ('payment_events.order_id'),
    ('payment_events.provider_payment_id'),
    ('payments.dispute'),
    ('payments.failure'),
    ('payments.flag'),
    ('payments.order_id'),
    ('payments.provider_id'),
    ('payments.succeeded_at'),
    ('payments.told_at')
  $$,
  'what may be empty'
);

-- What its buyer and others see.
set local role authenticated;
select set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id('ann'))::text, true);
select cmp_ok((select count(*)::int from public.payments), '>', 5, 'a buyer reads their own payments');
select set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id('bob'))::text, true);
select is((select count(*)::int from public.payments), 0, 'and nobody else''s');
reset role;

select * from finish();
rollback;
