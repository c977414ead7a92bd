-- A call touches what it is about and nothing else: neighbours of every kind stand beside it here,
-- of the same customer, the same code, the same key, the same driver.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(99);

-- Cast --------------------------------------------------------------------

delete from interlock.promo_redemptions;
delete from interlock.promo_user_uses;
delete from interlock.promo_attempts;
update interlock.batches set status = 'cancelled' where status in ('available', 'claimed', 'in_progress');

-- The id of whatever has this name.
create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('20-other-rows ' || p_name)::uuid $$;

insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-' || n || '@example.com'
from unnest(array['ann', 'bob', 'carl', 'dan']) n;

-- What a call answers, made by a signed-in user (or by the shop): its value, or the error as
-- `code detail`. A call is SQL with ids as {name}.
create function pg_temp.say(p_who text, p_sql text)
returns text
language plpgsql
as $$
declare
  v_sql text := p_sql;
  v_name text;
  v_answer text;
  v_detail text;
begin
  for v_name in select m[1] from regexp_matches(p_sql, '\{([a-z0-9]+)\}', 'g') m loop
    v_sql := replace(v_sql, '{' || v_name || '}', pg_temp.id(v_name)::text);
  end loop;
  perform set_config(
    'request.jwt.claims',
    case when p_who = 'shop' then '' else jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id(p_who))::text end,
    true
  );
  execute v_sql into v_answer;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return concat_ws(' ', case when sqlstate like 'PT%' then sqlerrm else sqlstate || ' ' || sqlerrm end, case when sqlstate like 'PT%' then nullif(nullif(v_detail, '')::jsonb - 'message' - 'retryable', '{}')::text else nullif(v_detail, '') end);
end
$$;

-- Batches -----------------------------------------------------------------

insert into interlock.drivers (user_id) select pg_temp.id(n) from unnest(array['ann', 'bob', 'carl', 'dan']) n;
insert into interlock.batches (id, status, driver_id, completed_at)
values (pg_temp.id('done'), 'completed', pg_temp.id('bob'), now());
insert into interlock.batches (id, status, driver_id, claimed_at, lease_expires_at, priority, created_at)
values
  (pg_temp.id('bobs'), 'claimed', pg_temp.id('bob'), now(), now() + interval '1 hour', 0, now()),
  (pg_temp.id('carls'), 'claimed', pg_temp.id('carl'), now() - interval '2 hours', now() - interval '1 hour', 0, now()),
  (pg_temp.id('anns'), 'claimed', pg_temp.id('ann'), now() - interval '2 hours', now() - interval '1 hour', 5, now());
insert into interlock.batches (id) values (pg_temp.id('free'));

select ok(
  pg_temp.say('bob', $$select public.claim_route('{free}')$$) like 'DRIVER_BUSY%' || pg_temp.id('bobs') || '%',
  'a busy driver is told the batch they hold, not one they completed'
);
select ok(
  pg_temp.say('bob', 'select public.claim_route()') like 'DRIVER_BUSY%' || pg_temp.id('bobs') || '%',
  'also when they ask for the next one'
);
select ok(
  pg_temp.say('ann', $$select public.claim_route('{free}')$$) like '{"batch"%',
  'a driver whose lease is over claims another batch'
);
select results_eq(
  $$select b.name, x.status::text, x.driver_id
    from unnest(array['anns', 'bobs', 'carls', 'free']) as b (name) join interlock.batches x on x.id = pg_temp.id(b.name)
    order by 1$$,
  $$values
    ('anns', 'available', null::uuid),
    ('bobs', 'claimed', pg_temp.id('bob')),
    ('carls', 'claimed', pg_temp.id('carl')),
    ('free', 'claimed', pg_temp.id('ann'))$$,
  'and gives back their own stale batch and no other'
);

update interlock.batches set claimed_at = now() - interval '2 hours', lease_expires_at = now() - interval '1 hour'
where id = pg_temp.id('free');
update interlock.batches set status = 'cancelled' where id = pg_temp.id('anns');
update interlock.batches set priority = 9 where id = pg_temp.id('free');
select ok(
  pg_temp.say('dan', 'select public.claim_route()') like '%' || pg_temp.id('free') || '%',
  'of the leases that are over the most urgent is the next'
);
delete from interlock.drivers where user_id = pg_temp.id('carl');
select results_eq(
  $$select b.name, x.status::text from unnest(array['bobs', 'carls', 'free']) as b (name)
    join interlock.batches x on x.id = pg_temp.id(b.name) order by 1$$,
  $$values ('bobs', 'claimed'), ('carls', 'available'), ('free', 'claimed')$$,
  'a driver who goes gives back their own batch and no other'
);

-- Idempotency keys --------------------------------------------------------

insert into interlock.idempotency_keys (user_id, operation, key, request_hash, response, expires_at)
values
  (pg_temp.id('ann'), 'tap', 'same', '', 'theirs', now() + interval '1 day'),
  (pg_temp.id('bob'), 'tap', 'same', '', null, now() + interval '1 day');
select set_config('request.jwt.claims', jsonb_build_object('sub', pg_temp.id('bob'))::text, true);
select interlock.finish_idempotent('tap', 'same', 'mine');
select set_config('request.jwt.claims', '', true);
select results_eq(
  $$select response from interlock.idempotency_keys where operation = 'tap' order by 1$$, $$values ('mine'), ('theirs')$$,
  'an answer is stored under one''s own key, whoever else has one of that name'
);

insert into interlock.products (id, name, price, currency, available_quantity)
values
  (pg_temp.id('tea'), 'Tea', 700, 'USD', 100),
  (pg_temp.id('gift'), 'Gift', 0, 'USD', 100);
insert into interlock.products (id, name, price, currency, kind)
values (pg_temp.id('ebook'), 'Book', 900, 'USD', 'digital'), (pg_temp.id('song'), 'Song', 100, 'USD', 'digital');
insert into interlock.product_codes (product_id, code)
select p, 'code ' || n from unnest(array[pg_temp.id('ebook'), pg_temp.id('song')]) p, generate_series(1, 9) n;
insert into interlock.wallets (user_id, balance, currency)
values (pg_temp.id('ann'), 10000, 'USD'), (pg_temp.id('bob'), 10000, 'USD'), (pg_temp.id('carl'), 0, 'EUR');

create temporary table said (name text primary key, answer text);
insert into said
values
  ('ann', pg_temp.say('ann', $$select public.checkout('[{"product_id": "{tea}", "quantity": 1}]', p_payment_method => 'bank_transfer', p_idempotency_key => 'k')$$)),
  ('bob', pg_temp.say('bob', $$select public.checkout('[{"product_id": "{tea}", "quantity": 2}]', p_payment_method => 'bank_transfer', p_idempotency_key => 'k')$$)),
  ('book', pg_temp.say('bob', $$select public.checkout('[{"product_id": "{ebook}", "quantity": 2}]', p_payment_method => 'wallet', p_idempotency_key => 'b')$$));
select is(
  pg_temp.say('ann', $$select public.checkout('[{"product_id": "{tea}", "quantity": 1}]', p_payment_method => 'bank_transfer', p_idempotency_key => 'k')$$),
  (select answer from said where name = 'ann'), 'a key of two customers has two answers'
);
select is(
  pg_temp.say('bob', $$select public.checkout('[{"product_id": "{tea}", "quantity": 2}]', p_payment_method => 'bank_transfer', p_idempotency_key => 'k')$$),
  (select answer from said where name = 'bob'), 'each their own'
);
select is(
  pg_temp.say('bob', $$select public.checkout('[{"product_id": "{ebook}", "quantity": 2}]', p_payment_method => 'wallet', p_idempotency_key => 'b')$$),
  (select answer from said where name = 'book'), 'an order of codes is replayed with the same codes'
);
insert into said
values ('cancel', pg_temp.say('ann', format('select public.cancel_order(%L, %L)', (select id from interlock.orders where user_id = pg_temp.id('ann')), 'k')));
select ok(
  (select answer from said where name = 'cancel') like '%"cancelled"%',
  'a key of one operation is another one''s too'
);
select is(
  pg_temp.say('ann', $$select public.checkout('[{"product_id": "{tea}", "quantity": 1}]', p_payment_method => 'bank_transfer', p_idempotency_key => 'k')$$),
  (select answer from said where name = 'ann'), 'and keeps the answer of the first'
);
select is(
  pg_temp.say('ann', $$select interlock.begin_idempotent('other', 'k', '{"n": 1}')$$), null, 'a key is taken'
);
select ok(
  pg_temp.say('ann', $$select interlock.begin_idempotent('other', 'k', '{"n": 1}')$$) like 'INTERNAL%',
  'a key that was taken and never answered is an error, not a licence to act twice'
);

-- Money and the reasons of movements --------------------------------------

select is(
  (select array_agg(balance order by balance) from interlock.wallets
    where user_id in (pg_temp.id('ann'), pg_temp.id('bob'))),
  array[8200, 10000]::bigint[], 'a buyer pays from their own wallet'
);
update interlock.wallets set balance = balance + 1 where user_id = pg_temp.id('bob');
select is(
  (select reason from interlock.wallet_movements where user_id = pg_temp.id('bob') order by id desc limit 1),
  'correction', 'what follows a checkout has a reason of its own'
);
select ok(
  pg_temp.say('shop', $$select public.top_up_wallet('{bob}', 500, 'USD')$$) like '%"success": true%', 'a top-up'
);
update interlock.wallets set balance = balance - 1 where user_id = pg_temp.id('bob');
select is(
  (select array_agg(reason::text order by id) from (
    select id, reason from interlock.wallet_movements where user_id = pg_temp.id('bob') order by id desc limit 2) m),
  array['top_up', 'correction'], 'what follows a top-up, too'
);
select ok(
  pg_temp.say('shop', format('select public.top_up_wallet(%L, 500, %L, %L)', pg_temp.id(w), 'USD', pg_temp.id(r))) like '%"success": true%',
  'payments have references'
) from (values ('ann', 'r1'), ('bob', 'r3'), ('ann', 'r2'), ('ann', 'r1')) v (w, r);
select ok(
  pg_temp.say('shop', format('select public.top_up_wallet(%L, 500, %L, %L)', pg_temp.id('bob'), 'USD',
    (select reference_id from interlock.wallet_movements where user_id = pg_temp.id('bob') and reason = 'checkout'))) like '%"success": true%',
  'an order is not one of them'
);
select results_eq(
  $$select w, (select balance from interlock.wallets where user_id = pg_temp.id(w)) from unnest(array['ann', 'bob']) w$$,
  $$values ('ann', 11000::bigint), ('bob', 9700)$$, 'each customer''s own'
);
insert into interlock.product_codes (product_id, code) values (pg_temp.id('song'), 'one more');
update interlock.products set available_quantity = available_quantity + 1 where id = pg_temp.id('tea');
select is(
  (select array_agg(reason::text order by id) from (select id, reason from interlock.stock_movements order by id desc limit 2) m),
  array['codes', 'correction'], 'what follows a change of codes, too'
);
update interlock.product_codes set order_id = null where id < 0;
select is(
  (select reason from interlock.stock_movements order by id desc limit 1), 'correction', 'no code changed, nothing moved'
);
select ok(
  pg_temp.say('carl', $$select public.checkout('[{"product_id": "{gift}", "quantity": 1}]', p_payment_method => 'wallet')$$)
    like '%"paid"%',
  'nothing to pay asks nothing of a wallet, whatever its currency'
);

-- Payments ----------------------------------------------------------------

create temporary table o (name text primary key, id uuid);
insert into o
select n, (pg_temp.say(w, $$select public.checkout('[{"product_id": "{tea}", "quantity": 1}]', p_payment_method => 'bank_transfer')$$)::jsonb
  #>> '{order,id}')::uuid
from (values ('one', 'ann'), ('two', 'bob'), ('three', 'ann'), ('four', 'bob')) v (n, w);
insert into interlock.payment_proofs (order_id, object_path, status, decided_at)
values ((select id from o where name = 'one'), 'old', 'rejected', now() - interval '1 day');
insert into interlock.payment_proofs (order_id, object_path)
select id, 'new' from o where name in ('one', 'two');
select ok(
  pg_temp.say('shop', format('select public.accept_payment(%L)', (select id from o where name = 'one'))) like '%"paid"%',
  'a payment is accepted'
);
select results_eq(
  $$select o.name, p.object_path::text, p.status::text from interlock.payment_proofs p join o on o.id = p.order_id order by 1, 2$$,
  $$values ('one', 'new', 'accepted'), ('one', 'old', 'rejected'), ('two', 'new', 'submitted')$$,
  'its open proofs with it, neither those decided before nor those of another order'
);
update interlock.orders set payment_expires_at = now() - interval '2 hours' where id = (select id from o where name = 'four');
update interlock.orders set payment_expires_at = now() - interval '1 hour' where id in (select id from o where name in ('three'));
select is(pg_temp.say('shop', 'select interlock.expire_orders(1)'), '1', 'orders expire');
select results_eq(
  $$select o.name, x.status::text from interlock.orders x join o using (id) order by 1$$,
  $$values ('four', 'expired'), ('one', 'paid'), ('three', 'pending_payment'), ('two', 'pending_payment')$$,
  'the one that waited longest first'
);

select ok(
  pg_temp.say('shop', $$select public.submit_payment_proof('{o1}', 'x')$$) like 'UNAUTHENTICATED%', 'a proof is somebody''s'
);
select ok(
  pg_temp.say('ann', $$select public.submit_payment_proof(null, 'x')$$) like 'VALIDATION_FAILED%/p_order_id%', 'and of an order'
);
select ok(
  pg_temp.say('ann', format('select public.submit_payment_proof(%L, %L)', (select id from o where name = 'three'),
    pg_temp.id('ann') || '/' || (select id from o where name = 'three') || '/' || repeat('x', 450))) like 'VALIDATION_FAILED%/p_object_path%',
  'in a file whose name is not too long'
);

-- Product codes -----------------------------------------------------------

select is(
  pg_temp.say('shop', format('select count(*) from public.claim_product_codes_atomic(%L, 2, %L)',
    pg_temp.id('ebook'), (select id from o where name = 'one'))),
  '2', 'an order gets codes of a product'
);
update interlock.products set available_quantity = available_quantity + 1 where id = pg_temp.id('tea');
select is(
  (select array_agg(reason::text order by id) from (select id, reason from interlock.stock_movements order by id desc limit 2) m),
  array['codes', 'correction'], 'what follows has a reason of its own'
);
select is(
  pg_temp.say('shop', format('select count(*) from public.claim_product_codes_atomic(%L, 3, %L)',
    pg_temp.id('song'), (select id from o where name = 'one'))),
  '3', 'and of another one, as many as it asks for'
);
select is(
  pg_temp.say('shop', format('select count(*) from public.claim_product_codes_atomic(%L, 3, %L)',
    pg_temp.id('song'), (select id from o where name = 'one'))),
  '3', 'and the same again when asked again'
);

select ok(
  pg_temp.say('shop', format('select interlock.take_product_codes(array[%L, %L]::uuid[], array[100, 200], %L, %L, true)',
    pg_temp.id('song'), pg_temp.id('ebook'), (select id from o where name = 'two'), 'test')) like
  'INSUFFICIENT_INVENTORY {"shortages": [{%' || least(pg_temp.id('song'), pg_temp.id('ebook')) || '%}, {%'
    || greatest(pg_temp.id('song'), pg_temp.id('ebook')) || '%}]}',
  'codes that are not there are not taken, whatever the stock says'
);

-- Promo codes -------------------------------------------------------------

insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses, max_uses_per_user)
values
  (pg_temp.id('ten'), 'TAP20TEN', 'percentage', 10, 3, null),
  (pg_temp.id('once'), 'TAP20ONCE', 'percentage', 10, null, 1),
  (pg_temp.id('side'), 'TAP20SIDE', 'percentage', 10, null, null),
  (pg_temp.id('scoped'), 'TAP20SCOPED', 'percentage', 10, null, null);
update interlock.promo_codes set holds_per_user = 2 where code like 'TAP20%';
update interlock.settings set promo_hold_limit = '1 day';
insert into interlock.promo_codes (id, code, discount_type, discount_value, first_order_only)
values (pg_temp.id('first'), 'TAP20FIRST', 'percentage', 10, true);
insert into interlock.promo_code_products values (pg_temp.id('scoped'), pg_temp.id('tea')), (pg_temp.id('first'), pg_temp.id('gift')),
  (pg_temp.id('first'), pg_temp.id('tea'));

-- A hold on a code by somebody for a cart; its end in minutes from now.
create function pg_temp.hold(p_code text, p_who text, p_cart text, p_minutes int)
returns text
language sql
as $$
  select pg_temp.say(p_who, format(
    'select case when interlock.take_promo_use(%L, %L, %L, null, 70, %L, now() + interval %L) is not null then %L end',
    pg_temp.id(p_code), pg_temp.id(p_who), pg_temp.id(p_cart), 'USD', p_minutes || ' minutes', ''
  ))
$$;
create function pg_temp.age(p_code text, p_who text, p_cart text, p_minutes int)
returns void
language sql
as $$
  update interlock.promo_redemptions set held_until = now() + make_interval(mins => p_minutes)
  where promo_id = pg_temp.id(p_code) and user_id = pg_temp.id(p_who) and cart_id = pg_temp.id(p_cart)
$$;
-- Uses of a code: who, cart, status.
create function pg_temp.uses(p_code text)
returns text
language sql
as $$
  select string_agg(w || ' ' || c || ' ' || r.status, ', ' order by w, c, r.status)
  from interlock.promo_redemptions r
  join unnest(array['ann', 'bob', 'carl', 'dan']) w on r.user_id = pg_temp.id(w)
  join unnest(array['c1', 'c2', 'c3', 'c4', 'c5']) c on r.cart_id = pg_temp.id(c)
  where r.promo_id = pg_temp.id(p_code)
$$;

select is(
  pg_temp.say('ann', $$select public.validate_promo('TAP20TEN', p_subtotal => 1000, p_dry_run => true) ->> 'discount'$$),
  '100', 'the scope of another code is not this one''s'
);
select ok(
  pg_temp.say('ann', $$select public.validate_promo('TAP20SCOPED', '[{"product_id": "{gift}", "quantity": 1}]', p_dry_run => true)$$)
    like 'PROMO_NOT_APPLICABLE%products%',
  'nor do its products count here'
);
select is(
  pg_temp.say('dan', $$select public.validate_promo('TAP20FIRST', '[{"product_id": "{tea}", "quantity": 1}]', p_dry_run => true) ->> 'valid'$$),
  'true', 'the orders of others are not one''s own'
);

-- Neighbours: expired holds of another code, and of everybody.
select is(pg_temp.hold('side', w, 'c1', 60), '', 'a neighbour') from unnest(array['ann', 'bob', 'carl']) w;
select pg_temp.age('side', w, 'c1', -60) from unnest(array['ann', 'bob', 'carl']) w;

select is(pg_temp.hold('ten', 'ann', 'c1', 60), '', 'ann holds one of three');
select is(pg_temp.hold('ten', 'ann', 'c2', 90), '', 'and two');
select is(pg_temp.hold('ten', 'bob', 'c3', 60), '', 'bob holds the last');
select is(pg_temp.hold('side', 'carl', 'c5', 60), '', 'carl holds another code');
select is(
  pg_temp.hold('ten', 'carl', 'c4', 60), 'PROMO_EXHAUSTED {"reason": "max_uses"}',
  'what is held, or over, of another code is no matter of this one'
);
select ok(
  pg_temp.hold('ten', 'ann', 'c4', 60) like 'PROMO_ALREADY_APPLIED%' || pg_temp.id('c2') || '%',
  'who holds two is told of the one that ends last'
);
select is(
  pg_temp.say('shop', format('select interlock.end_promo_uses(array(select id from interlock.promo_redemptions where promo_id = %L), %L, %L)',
    pg_temp.id('ten'), 'held', 'expired')),
  '0', 'a hold that is not over cannot expire'
);
select pg_temp.age('ten', 'ann', 'c1', -30), pg_temp.age('ten', 'bob', 'c3', -60);
select is(pg_temp.hold('ten', 'carl', 'c4', 60), '', 'a use that is over is taken');
select is(
  pg_temp.uses('ten'), 'ann c1 held, ann c2 held, bob c3 expired, carl c4 held', 'from who has had it longest'
);
select is(
  pg_temp.say('ann', $$select interlock.release_promo_hold('{ten}', '{ann}', '{c2}')$$), 'true', 'a hold is released'
);
select is(
  pg_temp.uses('ten'), 'ann c1 held, ann c2 released, bob c3 expired, carl c4 held', 'that one and no other'
);
select is(
  (select string_agg(concat_ws(' ', n, p.used_count), ', ' order by n)
    from unnest(array['ten', 'side']) n join interlock.promo_codes p on p.id = pg_temp.id(n)),
  'side 3, ten 2', 'one use of one code comes back'
);
select is(
  (select string_agg(concat_ws(' ', n, w, u.used), ', ' order by n, w)
    from unnest(array['ten', 'side']) n, unnest(array['ann', 'bob', 'carl']) w, interlock.promo_user_uses u
    where u.promo_id = pg_temp.id(n) and u.user_id = pg_temp.id(w)),
  'side ann 1, side bob 1, side carl 1, ten ann 1, ten bob 0, ten carl 1', 'of one customer'
);

-- One use for each customer.
select is(pg_temp.hold('once', 'bob', 'c1', 60), '', 'bob holds his');
select pg_temp.age('once', 'bob', 'c1', -60);
select is(pg_temp.hold('once', 'ann', 'c1', 60), '', 'ann holds hers');
select ok(
  pg_temp.hold('once', 'ann', 'c2', 60) like 'PROMO_ALREADY_APPLIED%' || pg_temp.id('c1') || '%',
  'what is over of somebody else is not ann''s'
);
select pg_temp.age('once', 'ann', 'c1', -60);
select is(pg_temp.hold('once', 'ann', 'c2', 60), '', 'what is over of hers is');
select ok(
  pg_temp.hold('once', 'ann', 'c3', 60) like 'PROMO_ALREADY_APPLIED%' || pg_temp.id('c2') || '%',
  'what has ended is not over once more'
);
select is(
  pg_temp.say('ann', $$select interlock.take_promo_use('{once}', '{ann}', '{c2}', '{o1}', 70, 'USD', null)$$), null, 'ann buys'
);
select is(
  pg_temp.hold('once', 'ann', 'c3', 60), 'PROMO_EXHAUSTED {"reason": "max_uses_per_user"}',
  'who holds nothing is told that it is used up'
);

update interlock.promo_codes set max_uses_per_user = 2 where id = pg_temp.id('once');
select is(pg_temp.hold('once', 'ann', 'c3', 60), '', 'the shop grants another one');
select pg_temp.age('once', 'ann', 'c3', -60);
update interlock.promo_codes set max_uses_per_user = 1 where id = pg_temp.id('once');
select is(
  pg_temp.hold('once', 'ann', 'c4', 60), 'PROMO_EXHAUSTED {"reason": "max_uses_per_user"}',
  'and takes it back: a hold that is over is none to wait for'
);

-- Holds expire a few at a time, the oldest first; what has ended does not stand in the way.
select is(pg_temp.say('shop', 'select interlock.expire_promo_holds(1)'), '1', 'one hold expires') from generate_series(1, 4);
select is(
  (select count(*) from interlock.promo_redemptions where status = 'held' and held_until <= now()), 1::bigint, 'one is left of five'
);

-- One cart, two codes.
select is(pg_temp.hold(c, 'ann', 'c5', m), '', 'ann holds two codes for a cart') from (values ('side', 60), ('scoped', 30)) v (c, m);
select is(pg_temp.hold('side', 'ann', 'c5', 90), '', 'refreshes one');
create function pg_temp.minutes()
returns text
language sql
as $$
  select string_agg(n || ' ' || extract(epoch from r.held_until - now())::int / 60, ', ' order by n)
  from unnest(array['scoped', 'side']) n
  join interlock.promo_redemptions r
    on r.promo_id = pg_temp.id(n) and r.user_id = pg_temp.id('ann') and r.cart_id = pg_temp.id('c5') and r.status = 'held'
$$;
select is(pg_temp.minutes(), 'scoped 30, side 90', 'and not the other');
select is(pg_temp.say('ann', $$select interlock.release_promo_hold('{scoped}', '{ann}', '{c5}')$$), 'true', 'lets one go');
select is(pg_temp.minutes(), 'side 90', 'and not the other');

-- A checkout with a code.
select is(
  pg_temp.say('dan', $$select public.checkout('[{"product_id": "{tea}", "quantity": 1}]', 'TAP20SCOPED') #>> '{order,discount}'$$),
  '70', 'an order takes its own discount'
);
select is(
  (select promo_code_id from interlock.orders where user_id = pg_temp.id('dan')), pg_temp.id('scoped'), 'and names its own code'
);
select ok(
  pg_temp.say('dan', $$select public.checkout('[{"product_id": "{tea}", "quantity": 1}]', 'NO SUCH CODE')$$) like '%"PROMO_NOT_FOUND"%',
  'an unknown code is answered'
);
select is(
  (select cardinality(attempted_at) from interlock.promo_attempts where user_id = pg_temp.id('dan')), 1, 'and counted'
);

-- What an end gives back, and what it does not ----------------------------

select ok(
  pg_temp.say('shop', format('select public.refund_order(%L)', (select id from o where name = 'one'))) like '%"refunded"%',
  'an order paid by bank transfer is refunded'
);
select is(
  (select balance from interlock.wallets where user_id = pg_temp.id('ann')), 11000::bigint, 'not into the wallet'
);
update interlock.products set available_quantity = available_quantity + 1 where id = pg_temp.id('tea');
select is(
  (select array_agg(reason::text order by id) from (select id, reason from interlock.stock_movements order by id desc limit 2) m),
  array['order_refunded', 'correction'], 'what follows an end has a reason of its own'
);
select ok(
  pg_temp.say('shop', format('select public.refund_order(%L)', (select id from interlock.orders where user_id = pg_temp.id('carl'))))
    like '%"refunded"%',
  'an order that cost nothing is refunded, whatever the wallet''s currency'
);
select is(
  pg_temp.say('bob', $$select public.checkout('[{"product_id": "{song}", "quantity": 1}]', p_payment_method => 'wallet') #>> '{order,status}'$$),
  'paid', 'bob buys a song'
);
update interlock.product_codes set order_id = (select id from interlock.orders where user_id = pg_temp.id('bob') and total = 100)
where id = (select min(id) from interlock.product_codes where product_id = pg_temp.id('song') and order_id is null);
select is(
  (select jsonb_array_length(interlock.order_to_json(id) -> 'codes') from interlock.orders where user_id = pg_temp.id('bob') and total = 100),
  1, 'a code that is only reserved is not shown'
);
-- Where files are stored, it is one of them.
do $$
begin
  if to_regclass('storage.objects') is not null then
    insert into storage.objects (bucket_id, name)
    select 'payment-proofs', pg_temp.id('ann') || '/' || id || '/proof.pdf' from o where name = 'three';
  end if;
end
$$;
select ok(
  pg_temp.say('ann', format('select public.submit_payment_proof(%L, %L)', (select id from o where name = 'three'),
    pg_temp.id('ann') || '/' || (select id from o where name = 'three') || '/proof.pdf')) like '%"success": true%',
  'a proof is handed in'
);
select is(
  (select proof_submitted_at from interlock.orders where id = (select id from o where name = 'two')), null, 'for that order only'
);
do $$
begin
  if to_regclass('storage.objects') is null then
    create schema storage;
    create table storage.objects (bucket_id text, name text);
  end if;
end
$$;
select ok(
  pg_temp.say('ann', format('select public.submit_payment_proof(%L, %L)', (select id from o where name = 'three'),
    pg_temp.id('ann') || '/' || (select id from o where name = 'three') || '/other.pdf')) like 'VALIDATION_FAILED%uploaded%',
  'where files are stored, a proof is one of them'
);
select is(
  (select event from interlock.order_events where order_id = (select id from o where name = 'three') order by id desc limit 1),
  'proof_submitted', 'and is in the history'
);
insert into said
values ('bobs', (select id::text from interlock.orders where user_id = pg_temp.id('bob') and total = 100));
update interlock.orders set status = 'fulfilled' where id::text = (select answer from said where name = 'bobs');
update interlock.orders set status = 'cancelled' where user_id = pg_temp.id('bob') and interlock.is_owed_order(status);
update interlock.wallets set balance = 0 where user_id = pg_temp.id('bob');
-- Where there are many shops an account takes nothing along: interlock.erase_user does.
update interlock.orders set user_id = null where user_id = pg_temp.id('bob') and interlock.serves_shops();
delete from interlock.wallets where user_id = pg_temp.id('bob') and interlock.serves_shops();
delete from auth.users where id = pg_temp.id('bob');
select ok(
  pg_temp.say('shop', format('select public.refund_order(%L)', (select answer from said where name = 'bobs')))
    like 'WALLET_OWNER_GONE%',
  'an order whose buyer is gone is not refunded to nobody'
);
select ok(
  pg_temp.say('shop', format('select public.refund_order(%L, true)', (select answer from said where name = 'bobs')))
    like '%"refunded"%',
  'but in another way'
);
select is(
  (select count(*) from interlock.orders where refunded_outside and user_id is not null), 0::bigint, 'for that order only'
);
insert into interlock.products (id, name, price, currency) values (pg_temp.id('none'), 'None', 1, 'USD');
select lives_ok($$delete from interlock.products where id = pg_temp.id('none')$$, 'a product without stock can go');
update interlock.batches set claimed_at = now() - interval '2 hours', lease_expires_at = now() - interval '1 hour'
where id = pg_temp.id('free');
update interlock.batches set driver_id = pg_temp.id('ann') where id = pg_temp.id('free');
select is(
  (select event from interlock.batch_events where batch_id = pg_temp.id('free') order by id desc limit 1),
  'claimed', 'a stale batch that the shop hands to another driver is claimed by them'
);
select is(pg_temp.say('ann', $$select interlock.return_promos(array['{o1}'::uuid])$$), '1', 'an order gives its promo use back');
select is(pg_temp.uses('once'), 'ann c1 expired, ann c2 returned, ann c3 expired, bob c1 expired', 'and only that');

select * from finish();
rollback;
