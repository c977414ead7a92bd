-- What becomes of an order: every transition, who may cause it, and that what an end gives
-- back comes back exactly once. Deadlines are aged, never the clock.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(159);
-- Else what refers to accounts waits, where there are many shops, and a table that waits is not altered.
set constraints all immediate;

-- Limits of customers have a file of their own: 31-open-orders.sql.
update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null, confirmation_window = null;

-- Cast --------------------------------------------------------------------

insert into auth.users (id, aud, role, email)
values
  ('7c000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-ann@example.com'),
  ('7c000000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'tap-bob@example.com'),
  ('7c000000-0000-4000-8000-000000000003', 'authenticated', 'authenticated', 'tap-staff@example.com');

create temporary table cast_of (name text primary key, role text, claims jsonb);
insert into cast_of
values
  ('ann', 'authenticated', '{"sub": "7c000000-0000-4000-8000-000000000001"}'),
  ('bob', 'authenticated', '{"sub": "7c000000-0000-4000-8000-000000000002"}'),
  ('staff', 'authenticated', '{"sub": "7c000000-0000-4000-8000-000000000003", "app_metadata": {"role": "staff"}}'),
  ('nameless', 'authenticated', '{}'),
  ('shop', 'service_role', '{}');

insert into interlock.products (id, name, price, currency, available_quantity, kind)
values
  ('7d000000-0000-4000-8000-000000000001', 'tap oil', 1000, 'EUR', 1000, 'physical'),
  ('7d000000-0000-4000-8000-000000000002', 'tap beans', 500, 'EUR', 1000, 'physical'),
  ('7d000000-0000-4000-8000-000000000003', 'tap gift', 2500, 'EUR', 0, 'digital');
insert into interlock.product_codes (product_id, code)
select '7d000000-0000-4000-8000-000000000003', 'tap-' || n from generate_series(1, 500) n;
insert into interlock.wallets (user_id, balance, currency)
values ('7c000000-0000-4000-8000-000000000001', 10000000, 'EUR');
insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses)
values ('7f000000-0000-4000-8000-0000000000bb', 'TAP-TEN', 'percentage', 10, 1000);

-- Nobody's order but ours is due.
update interlock.orders set payment_expires_at = now() + interval '1 day' where status = 'pending_payment';

-- Calls as somebody: the body, or the error as an object.
create function pg_temp.call(p_who text, p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_who cast_of;
  v_answer jsonb;
  v_detail text;
begin
  select * into strict v_who from cast_of where name = p_who;
  perform set_config('request.jwt.claims', (jsonb_build_object('role', v_who.role) || v_who.claims)::text, true);
  perform set_config('response.headers', '', true);
  execute format('set local role %I', v_who.role);
  execute format('select (%s)::jsonb', p_sql) into v_answer;
  reset role;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('message', sqlerrm, 'detail', nullif(nullif(v_detail, '')::jsonb - 'message' - 'retryable', '{}'));
end
$$;

-- Ann buys 2 oil, 1 beans and 1 gift with a promo code; the order's id.
create function pg_temp.buy(p_method text)
returns uuid
language plpgsql
as $$
declare
  v_answer constant jsonb := pg_temp.call('ann', format(
    $sql$
      public.checkout(
        '[{"product_id": "7d000000-0000-4000-8000-000000000001", "quantity": 2},
          {"product_id": "7d000000-0000-4000-8000-000000000002", "quantity": 1},
          {"product_id": "7d000000-0000-4000-8000-000000000003", "quantity": 1}]',
        'TAP-TEN', null, %L
      )
    $sql$,
    p_method
  ));
begin
  assert v_answer ? 'success', v_answer;
  return v_answer #>> '{order,id}';
end
$$;

-- An order of the given status, reached in the ordinary way.
create function pg_temp.order_in(p_status text, p_method text default null)
returns uuid
language plpgsql
as $$
declare
  v_id constant uuid := pg_temp.buy(coalesce(
    p_method,
    case
      when p_status in ('pending_payment', 'expired') then 'bank_transfer'
      when p_status = 'confirmed' then 'cash_on_delivery'
      else 'wallet'
    end
  ));
begin
  if p_status in ('fulfilled') then
    update interlock.orders set status = 'fulfilled' where id = v_id;
  elsif p_status in ('cancelled', 'expired', 'refunded') then
    update interlock.orders set status = p_status where id = v_id;
  end if;
  assert (select status from interlock.orders where id = v_id) = p_status, p_status;
  return v_id;
end
$$;

-- What an end gives back: oil, beans, free gifts, ann's money, uses of the code.
create function pg_temp.goods()
returns bigint[]
language sql
as $$
  select array[
    (select available_quantity from interlock.products where id = '7d000000-0000-4000-8000-000000000001'),
    (select available_quantity from interlock.products where id = '7d000000-0000-4000-8000-000000000002'),
    (select available_quantity from interlock.products where id = '7d000000-0000-4000-8000-000000000003'),
    (select balance from interlock.wallets where user_id = '7c000000-0000-4000-8000-000000000001'),
    (select used_count from interlock.promo_codes where id = '7f000000-0000-4000-8000-0000000000bb')
  ]
$$;

create function pg_temp.change(p_before bigint[])
returns int[]
language sql
as $$
  select array_agg((a.v - b.v)::int order by a.n)
  from unnest(pg_temp.goods()) with ordinality a (v, n)
  join unnest(p_before) with ordinality b (v, n) using (n)
$$;

create temporary table memo (goods bigint[], id uuid, answer jsonb);
insert into memo values (null, null, null);

create function pg_temp.status()
returns text
language sql
as $$
  select status from interlock.orders where id = (select id from memo)
$$;

-- Every transition, with the table owner's own SQL ------------------------

create function pg_temp.try_transition(p_from text, p_to text)
returns text
language plpgsql
as $$
declare
  v_id uuid;
  v_constraint text;
begin
  v_id := pg_temp.order_in(p_from);
  begin
    update interlock.orders set status = p_to where id = v_id;
    raise exception using errcode = 'ZZUND';
  exception
    when sqlstate 'ZZUND' then
      return 'yes';
    when check_violation then
      get stacked diagnostics v_constraint = constraint_name;
      return v_constraint;
  end;
end
$$;

select is(
  pg_temp.try_transition(f.status, t.status),
  case
    when f.status = t.status then 'yes'
    when (f.status, t.status) in (
      ('pending_payment', 'paid'), ('pending_payment', 'cancelled'), ('pending_payment', 'expired'),
      ('confirmed', 'paid'), ('confirmed', 'cancelled'), ('confirmed', 'expired'),
      ('paid', 'fulfilled'), ('paid', 'cancelled'), ('paid', 'refunded'),
      ('fulfilled', 'refunded')
    ) then 'yes'
    else 'orders_transition_allowed'
  end,
  format('%s to %s', f.status, t.status)
)
from unnest(array['pending_payment', 'confirmed', 'paid', 'fulfilled', 'cancelled', 'expired', 'refunded']) with ordinality as f (status, n)
cross join unnest(array['pending_payment', 'confirmed', 'paid', 'fulfilled', 'cancelled', 'expired', 'refunded']) with ordinality as t (status, n)
order by f.n, t.n;

update memo set id = pg_temp.order_in('pending_payment');
select throws_ok(
  format('update interlock.orders set %s where id = (select id from memo)', t.change), '23514', null, t.change || ' is refused'
)
from (values
  ('total = total - 1'), ('subtotal = subtotal + 1'), ('discount = 0, total = subtotal'), ($$currency = 'USD'$$),
  ($$payment_method = 'wallet'$$), ('promo_code_id = null'), ($$user_id = '7c000000-0000-4000-8000-000000000002'$$),
  ('created_at = created_at - interval ''1 day''')
) as t (change);
select throws_ok(t.sql, t.state, null, t.sql)
from (values
  ('update interlock.order_items set quantity = 9', '23001'),
  ('delete from interlock.order_items', '23001'),
  ('update interlock.order_events set event = ''paid''', '23001'),
  ('delete from interlock.order_events', '23001'),
  ('truncate interlock.orders cascade', '23001'),
  ('delete from interlock.orders where id = (select id from memo)', '23503'),
  ($$insert into interlock.orders (status, currency, subtotal, total, payment_method) values ('lost', 'EUR', 0, 0, 'wallet')$$, '23514'),
  ($$insert into interlock.orders (status, currency, subtotal, total, payment_method, paid_at) values ('paid', 'EUR', 2, 1, 'wallet', now())$$, '23514'),
  ($$insert into interlock.orders (status, currency, subtotal, discount, total, payment_method, paid_at) values ('paid', 'EUR', 2, 3, -1, 'wallet', now())$$, '23514'),
  ($$insert into interlock.orders (status, currency, subtotal, total, payment_method) values ('paid', 'EUR', 1, 1, 'wallet')$$, '23514'),
  ($$insert into interlock.orders (status, currency, subtotal, total, payment_method) values ('pending_payment', 'EUR', 1, 1, 'bank_transfer')$$, '23514')
) as t (sql, state);

-- What an end gives back --------------------------------------------------

-- oil, beans, gifts, money, uses
create function pg_temp.gives_back(p_status text, p_end text, p_method text default null)
returns int[]
language plpgsql
as $$
declare
  v_id constant uuid := pg_temp.order_in(p_status, p_method);
  v_before constant bigint[] := pg_temp.goods();
begin
  update interlock.orders set status = p_end where id = v_id;
  return pg_temp.change(v_before);
end
$$;

select is(pg_temp.gives_back(t.status, t.ended), t.goods, format('%s to %s', t.status, t.ended))
from (values
  ('pending_payment', 'cancelled', array[2, 1, 1, 0, -1]),
  ('pending_payment', 'expired', array[2, 1, 1, 0, -1]),
  ('confirmed', 'cancelled', array[2, 1, 1, 0, -1]),
  -- The gift has been seen: its code is not sold again.
  ('paid', 'cancelled', array[2, 1, 0, 4500, -1]),
  ('paid', 'refunded', array[2, 1, 0, 4500, -1]),
  -- The goods have left.
  ('fulfilled', 'refunded', array[0, 0, 0, 4500, -1])
) as t (status, ended, goods);

-- Several orders in one statement.
create temporary table several as select pg_temp.buy('cash_on_delivery') as id from generate_series(1, 3);
update memo set goods = pg_temp.goods();
update interlock.orders set status = 'cancelled' where id in (select id from several);
select is((select pg_temp.change(goods) from memo), array[6, 3, 3, 0, -3], 'several orders that end in one statement');
select is(
  (select count(distinct reference_id)::int from interlock.stock_movements where reference_id in (select id from several) and delta > 0),
  3,
  'the ledger says for each which order it was'
);

update memo set goods = pg_temp.goods();
update interlock.orders set cart_id = gen_random_uuid(), status = status where id in (select id from several);
select is((select pg_temp.change(goods) from memo), array[0, 0, 0, 0, 0], 'another change of an order that has ended gives nothing back');

-- cancel_order ------------------------------------------------------------

create function pg_temp.cancel(p_who text, p_key text default null)
returns jsonb
language sql
as $$
  select pg_temp.call(p_who, format('public.cancel_order(%L, %L)', id, p_key)) from memo
$$;

update memo set id = pg_temp.buy('cash_on_delivery'), goods = pg_temp.goods();
update memo set goods = pg_temp.goods();
select is(pg_temp.cancel('bob') ->> 'message', 'ORDER_NOT_FOUND', 'somebody else''s order is not found');
select is(pg_temp.cancel('nameless') ->> 'message', 'UNAUTHENTICATED', 'nobody is signed in');
select is(pg_temp.status(), 'confirmed', 'and nothing has happened');
update memo set answer = pg_temp.cancel('ann', 'key-1');
select is((select answer #>> '{order,status}' from memo), 'cancelled', 'the buyer cancels an unpaid order');
select is((select pg_temp.change(goods) from memo), array[2, 1, 1, 0, -1], 'everything comes back');
select is(pg_temp.cancel('ann', 'key-1'), (select answer from memo), 'the same key replays');
select is(current_setting('response.headers')::jsonb, '[{"Idempotent-Replayed": "true"}]', 'and says so');
select is(pg_temp.cancel('ann'), (select answer from memo), 'without a key the second call answers the same');
select is(pg_temp.cancel('ann', 'key-2'), (select answer from memo), 'so does another key');
select is(pg_temp.cancel('shop', 'key-2'), (select answer from memo), 'and somebody else');
select set_config('response.headers', '', true);
select is(pg_temp.cancel('ann', 'key-2'), (select answer from memo), 'as often as they ask');
select is(current_setting('response.headers'), '', 'which replays nothing');
insert into interlock.idempotency_keys (user_id, operation, key, request_hash, response, expires_at)
select u.id, u.operation, u.key, '', '{}', now() + interval '1 day'
from (values
  ('00000000-0000-0000-0000-000000000000'::uuid, 'cancel_order', 'key-3'),
  ('7c000000-0000-4000-8000-000000000001', 'checkout', 'key-3'),
  ('7c000000-0000-4000-8000-000000000001', 'cancel_order', 'key-4')
) as u (id, operation, key);
select is(pg_temp.cancel('ann', 'key-3'), (select answer from memo), 'beside other keys');
select is(pg_temp.cancel('shop', 'key-5'), (select answer from memo), 'also the shop');
select is(pg_temp.cancel('nameless', 'key-3') ->> 'message', 'UNAUTHENTICATED', 'who has no name is not answered under a key of the shop');
select results_eq(
  $$
    select right(k.user_id::text, 1), k.operation, k.key::text
    from interlock.idempotency_keys k
    where k.key like 'key-_'
    order by 2, 3
  $$,
  $$values ('1', 'cancel_order', 'key-1'), ('0', 'cancel_order', 'key-3'), ('1', 'cancel_order', 'key-4'), ('1', 'checkout', 'key-3')$$,
  'and only a key under which something was done is kept'
);
select is((select pg_temp.change(goods) from memo), array[2, 1, 1, 0, -1], 'nothing comes back twice');
select is(
  (select count(*)::int from interlock.stock_movements where reference_id = (select id from memo) and reason = 'order_cancelled'),
  3,
  'the ledger has it once for each product'
);
select is(
  (select string_agg(event || ' ' || right(actor::text, 1), ', ' order by id) from interlock.order_events where order_id = (select id from memo)),
  'confirmed 1, cancelled 1',
  'and the history once'
);
update memo set id = pg_temp.buy('bank_transfer');
select is(
  pg_temp.cancel('ann', 'key-1') ->> 'message', 'IDEMPOTENCY_KEY_REUSED', 'the key of another order is refused'
);
select is(pg_temp.cancel('ann') #>> '{order,status}', 'cancelled', 'a transfer that is not paid can be cancelled');

update memo set id = pg_temp.buy('wallet');
update memo set goods = pg_temp.goods();
select is(
  pg_temp.cancel('ann'),
  (select jsonb_build_object('message', 'ORDER_NOT_CANCELLABLE', 'detail', jsonb_build_object('order_id', id, 'status', 'paid', 'fulfillment', 'unfulfilled')) from memo),
  'the buyer cannot cancel a paid order'
);
select is((select pg_temp.change(goods) from memo), array[0, 0, 0, 0, 0], 'and nothing comes back');
select is(pg_temp.cancel('staff') #>> '{order,status}', 'cancelled', 'staff can');
select is((select pg_temp.change(goods) from memo), array[2, 1, 0, 4500, -1], 'and the money comes back');
select is(
  (select string_agg(event || ' ' || right(actor::text, 1), ', ' order by id) from interlock.order_events where order_id = (select id from memo)),
  'paid 1, cancelled 3',
  'the history says who'
);
update memo set id = pg_temp.buy('wallet');
select is(pg_temp.cancel('shop') #>> '{order,status}', 'cancelled', 'so can the shop');
update memo set id = pg_temp.order_in('fulfilled');
select is(pg_temp.cancel('shop') ->> 'message', 'ORDER_NOT_CANCELLABLE', 'what was handed over is refunded, not cancelled');
select is(
  pg_temp.call('ann', 'public.cancel_order(null)') ->> 'message', 'VALIDATION_FAILED', 'an order is named'
);
select is(
  pg_temp.call('ann', 'public.cancel_order(gen_random_uuid())') ->> 'message', 'ORDER_NOT_FOUND', 'an unknown order'
);

-- refund_order, fulfill_order ---------------------------------------------

create function pg_temp.shop(p_what text)
returns jsonb
language sql
as $$
  select pg_temp.call('shop', format('public.%I(%L)', p_what, id)) from memo
$$;

update memo set id = pg_temp.buy('wallet');
update memo set goods = pg_temp.goods();
update memo set answer = pg_temp.shop('refund_order');
select is((select answer #>> '{order,status}' from memo), 'refunded', 'a paid order is refunded');
select is((select answer -> 'order' ? 'codes' from memo), false, 'its codes are no longer shown');
select is(pg_temp.shop('refund_order'), (select answer from memo), 'again: the same answer');
select is((select pg_temp.change(goods) from memo), array[2, 1, 0, 4500, -1], 'everything came back once');
select is(
  pg_temp.shop('cancel_order') ->> 'message', 'ORDER_NOT_CANCELLABLE', 'an order that has ended does not end again'
);
update memo set id = pg_temp.buy('wallet');
select is(pg_temp.shop('fulfill_order') #>> '{order,status}', 'fulfilled', 'a paid order is handed over');
select is(pg_temp.shop('fulfill_order') #>> '{order,status}', 'fulfilled', 'again: the same');
select is(pg_temp.shop('refund_order') #>> '{order,status}', 'refunded', 'and can still be refunded');
update memo set id = pg_temp.buy('cash_on_delivery');
select is(
  pg_temp.shop(t.what),
  (select jsonb_build_object('message', 'ORDER_STATE_CONFLICT', 'detail', jsonb_build_object('order_id', id, 'status', 'confirmed')) from memo),
  t.what || ' of an order that is not paid'
)
from (values ('refund_order'), ('reject_payment')) as t (what);
select is(
  pg_temp.call('shop', format('public.%I(gen_random_uuid())', t.what)) ->> 'message', 'ORDER_NOT_FOUND', t.what || ' of an unknown order'
)
from (values ('refund_order'), ('fulfill_order'), ('accept_payment'), ('reject_payment'), ('cancel_order')) as t (what);

-- A wallet whose account is gone.
update memo set id = gen_random_uuid();
insert into interlock.orders (id, status, currency, subtotal, total, payment_method)
select id, 'confirmed', 'EUR', 1, 1, 'cash_on_delivery' from memo;
select is(pg_temp.cancel('ann') ->> 'message', 'ORDER_NOT_FOUND', 'an order without owner is nobody''s');
select is(pg_temp.cancel('shop') #>> '{order,status}', 'cancelled', 'but the shop''s');

-- Payment: proofs, accept, reject, expiry ---------------------------------

create function pg_temp.submit(p_who text, p_path text)
returns jsonb
language sql
as $$
  select pg_temp.call(p_who, format('public.submit_payment_proof(%L, %L)', id, replace(p_path, 'ORDER', id::text))) from memo
$$;

update memo set id = pg_temp.buy('bank_transfer');
select is(
  pg_temp.submit('ann', t.path) #>> '{detail,problems,0,pointer}', '/p_object_path', 'no proof: ' || coalesce(t.path, 'null')
)
from (values
  (null),
  (''),
  ('proof.png'),
  ('7c000000-0000-4000-8000-000000000002/ORDER/proof.png'),
  ('7c000000-0000-4000-8000-000000000001/7e000000-0000-4000-8000-000000000001/proof.png'),
  ('7c000000-0000-4000-8000-000000000001/ORDER/'),
  ('7c000000-0000-4000-8000-000000000001/ORDER/../x'),
  ('7c000000-0000-4000-8000-000000000001/ORDER/a/b')
) as t (path);
select is(
  pg_temp.submit('bob', '7c000000-0000-4000-8000-000000000002/ORDER/proof.png') ->> 'message',
  'ORDER_NOT_FOUND',
  'for somebody else''s order'
);
select is((select count(*)::int from interlock.payment_proofs where order_id = (select id from memo)), 0, 'refusals store nothing');

-- Where there is a storage schema a proof has to be uploaded first.
create function pg_temp.upload(p_name text)
returns void
language plpgsql
as $$
begin
  if to_regclass('storage.objects') is not null then
    insert into storage.objects (bucket_id, name)
    select 'payment-proofs', '7c000000-0000-4000-8000-000000000001/' || id || '/' || p_name
    from memo;
  end if;
end
$$;

select pg_temp.upload('proof 1.png');
update interlock.orders set payment_expires_at = now() - interval '1 second' where id = (select id from memo);
select is(
  pg_temp.submit('ann', '7c000000-0000-4000-8000-000000000001/ORDER/proof 1.png') #>> '{order,status}',
  'pending_payment',
  'a proof is handed in'
);
select is(
  pg_temp.submit('ann', '7c000000-0000-4000-8000-000000000001/ORDER/proof 1.png') #>> '{order,status}',
  'pending_payment',
  'the same again answers the same'
);
select is((select count(*)::int from interlock.payment_proofs where order_id = (select id from memo)), 1, 'and is one proof');

create temporary table due as select pg_temp.buy('bank_transfer') as id from generate_series(1, 3);
update interlock.orders set payment_expires_at = now() where id in (select id from due);
update memo set goods = pg_temp.goods();
select is(
  pg_temp.call('shop', 'public.expire_orders(2)'), '{"success": true, "expired": 2}', 'orders expire, at most so many at a time'
);
select is(pg_temp.call('shop', 'public.expire_orders()'), '{"success": true, "expired": 1}', 'the rest next time');
select is(pg_temp.call('shop', 'public.expire_orders()'), '{"success": true, "expired": 0}', 'and each once');
select is((select pg_temp.change(goods) from memo), array[6, 3, 3, 0, -3], 'everything comes back once');
select is(pg_temp.status(), 'pending_payment', 'an order whose proof waits for the shop does not expire');
select is(
  (select array_agg(distinct reason::text) from interlock.stock_movements where reference_id in (select id from due) and delta > 0),
  array['order_expired'],
  'the ledger knows why'
);

update memo set answer = pg_temp.shop('accept_payment');
select is((select answer #>> '{order,status}' from memo), 'paid', 'the shop accepts the payment');
select is((select jsonb_array_length(answer #> '{order,codes}') from memo), 1, 'and the code is delivered');
select is(pg_temp.shop('accept_payment'), (select answer from memo), 'again: the same answer');
select is((select status from interlock.payment_proofs where order_id = (select id from memo)), 'accepted', 'the proof is accepted');
select is(pg_temp.shop('reject_payment') ->> 'message', 'ORDER_STATE_CONFLICT', 'what is paid is not rejected');
update memo set id = pg_temp.buy('cash_on_delivery');
select is(pg_temp.shop('accept_payment') #>> '{order,status}', 'paid', 'cash that has come');

update memo set id = pg_temp.buy('bank_transfer');
insert into interlock.payment_proofs (order_id, object_path) select id, 'x' from memo;
update memo set goods = pg_temp.goods();
update memo set answer = pg_temp.call('shop', format('public.reject_payment(%L, p_cancel => true)', id));
select is((select answer #>> '{order,status}' from memo), 'cancelled', 'the shop rejects the payment for good');
select is(pg_temp.shop('reject_payment'), (select answer from memo), 'again: the same answer');
select is((select pg_temp.change(goods) from memo), array[2, 1, 1, 0, -1], 'everything came back once');
select is((select status from interlock.payment_proofs where order_id = (select id from memo)), 'rejected', 'the proof is rejected');
select is(pg_temp.shop('accept_payment') ->> 'message', 'ORDER_STATE_CONFLICT', 'what was rejected is not accepted');
select pg_temp.upload('late.png');
select is(
  pg_temp.submit('ann', '7c000000-0000-4000-8000-000000000001/ORDER/late.png') ->> 'message',
  'ORDER_STATE_CONFLICT',
  'a proof that is late'
);

-- And the books -----------------------------------------------------------

select is_empty('select * from interlock.stock_differences', 'the stock ledger adds up');
select is_empty('select * from interlock.wallet_differences', 'the wallet ledger adds up');
select is_empty('select * from interlock.code_differences', 'stock and free codes agree');
select is_empty('select * from interlock.promo_differences', 'promo counters agree');

select * from finish();
rollback;
