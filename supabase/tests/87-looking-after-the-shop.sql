-- What the console's pages read: the shop's health, lists that are searched and paged, an order's whole story, and the request under which
-- each thing was done. Who may.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

create function pg_temp.id(p_n int)
returns uuid
language sql
as $$ select ('87000000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;

insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-87-' || n || '@example.com' from generate_series(1, 3) n;

-- 1 buys, 2 is staff, 3 drives.
create function pg_temp.be(p_n int, p_role text default null)
returns void
language sql
as $$
  select set_config(
    'request.jwt.claims',
    jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id(p_n), 'app_metadata', jsonb_build_object('role', p_role))::text, true
  )
$$;
create function pg_temp.under(p_header text)
returns void
language sql
as $$
  select set_config('request.headers', json_build_object('accept', '*/*', 'interlock-request-id', p_header)::text, true)
$$;

-- The request -----------------------------------------------------------------------

select is(interlock.request_id(), null, 'what no function has asked for has no request');
select results_eq(
  $$
    select v.header, (select interlock.request_id() from pg_temp.under(v.header))
    from (values ('mine'), (repeat('x', 128)), (repeat('x', 129)), ('two words'), ('schön'), (' '), ('')) v (header)
  $$,
  $$
    values
      ('mine', 'mine'), (repeat('x', 128), repeat('x', 128)), (repeat('x', 129), null), ('two words', null), ('schön', null), (' ', null),
      ('', null)
  $$,
  'an id is what a function sends, and nothing else'
);
select set_config('request.headers', '{"accept": "*/*"}', true);
select is(interlock.request_id(), null, 'nor has what was called directly');
select set_config('request.headers', '', true);
select is(interlock.request_id(), null, 'or by a session of the database itself');

-- The shop ----------------------------------------------------------------------------

insert into interlock.products (id, name, price, currency, available_quantity)
values (pg_temp.id(11), 'tap 87 tea', 250, 'EUR', 5), (pg_temp.id(12), 'tap 87 cup', 900, 'EUR', 0);
insert into interlock.locations (id, name) values (pg_temp.id(21), 'tap 87 store');
insert into interlock.inventory (product_id, location_id, quantity) values (pg_temp.id(11), pg_temp.id(21), 2);
insert into interlock.wallets (user_id, balance, currency) values (pg_temp.id(1), 1000, 'EUR');
insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses, active)
values (pg_temp.id(31), 'TAP87-10', 'percentage', 10, 1, true), (pg_temp.id(32), 'TAP87-20', 'percentage', 20, 1, false);
insert into interlock.webhook_endpoints (id, url, description) values (pg_temp.id(41), 'https://tap-87.example.com/', 'tap 87');
insert into interlock.drivers (user_id) values (pg_temp.id(3));
insert into interlock.batches (id, reference, status, driver_id, claimed_at, lease_expires_at)
values
  (pg_temp.id(51), 'tap 87 north', 'claimed', pg_temp.id(3), now() - interval '2 hours', now() - interval '1 hour'),
  (pg_temp.id(52), 'tap 87 south', 'available', null, null, null);

create temporary table placed (name text, id uuid);
select pg_temp.be(1), pg_temp.under('tap-87-wallet');
insert into placed
select 'wallet', (public.checkout(
  jsonb_build_array(jsonb_build_object('product_id', pg_temp.id(11), 'quantity', 1)), p_payment_method => 'wallet', p_promo_code => 'tap87-10'
) -> 'order' ->> 'id')::uuid;
select pg_temp.under('00000000-0000-4000-8000-000000000187');
insert into placed
select 'transfer', (public.checkout(
  jsonb_build_array(jsonb_build_object('product_id', pg_temp.id(11), 'quantity', 2)), p_payment_method => 'bank_transfer',
  p_contact => '{"email": "Tap-87-Guest@example.com"}'
) -> 'order' ->> 'id')::uuid;
select set_config('request.headers', '', true);
insert into interlock.payment_proofs (order_id, object_path) select id, 'tap/87.png' from placed where name = 'transfer';
insert into interlock.deliveries (position, transaction, endpoint_id, subject, state, ended_at, attempts)
select e.id, e.transaction, pg_temp.id(41), e.order_id, 'dead', now(), 3
from interlock.order_events e
where e.order_id = (select id from placed where name = 'wallet')
  and e.event = 'paid';
insert into interlock.delivery_attempts (delivery_id, status, duration_ms)
select d.id, 503, 12 from interlock.deliveries d where d.endpoint_id = pg_temp.id(41);
insert into interlock.inventory_conflicts (product_id, operation, rebased) values (pg_temp.id(11), 'set', false);

select pg_temp.be(2, 'staff');

-- An order's story ----------------------------------------------------------------------

create temporary table story as
select p.name, public.order_story(p.id) as answer from placed p;
select is(
  (select answer #>> '{order,events,0,request_id}' from story where name = 'wallet'), 'tap-87-wallet', 'the request that placed it'
);
select is(
  (select answer #>> '{order,events,0,request_id}' from story where name = 'transfer'), '00000000-0000-4000-8000-000000000187', 'and another one'
);
select is((select answer #>> '{order,user_id}' from story where name = 'wallet'), pg_temp.id(1)::text, 'its buyer');
select is((select answer #>> '{promo_code}' from story where name = 'wallet'), 'TAP87-10', 'its code');
select results_eq(
  $$
    select m ->> 'product', m ->> 'location', (m ->> 'delta')::numeric, m ->> 'reason'
    from story, jsonb_array_elements(answer -> 'stock_movements') m
    where name = 'wallet'
  $$,
  $$values ('tap 87 tea', (select l.name::text from interlock.locations l where l.id = interlock.online_location()), -1.0, 'checkout')$$,
  'what it took from the stock'
);
select is((select answer #>> '{wallet_movements,0,delta}' from story where name = 'wallet'), '-225', 'and from the wallet');
select results_eq(
  $$
    select d ->> 'event', d ->> 'endpoint', d ->> 'state', (d #>> '{last,status}')::int
    from story, jsonb_array_elements(answer -> 'deliveries') d
    where name = 'wallet'
  $$,
  $$values ('paid', 'tap 87', 'dead', 503)$$, 'what was told of it'
);
select is((select answer #>> '{order,payment_proofs,0,object_path}' from story where name = 'transfer'), 'tap/87.png', 'its proofs');
select throws_ok($$select public.order_story(pg_temp.id(99))$$, 'PT404', 'ORDER_NOT_FOUND', 'an order that is not there');
select throws_ok($$select public.order_story(null)$$, 'PT400', 'VALIDATION_FAILED', 'no order');

-- Lists -------------------------------------------------------------------------------------

create function pg_temp.found(p_list text, p_search text, p_state text default null)
returns text[]
language sql
as $$
  select array(
    select coalesce(p.name, r ->> 'reference', r ->> 'code', r ->> 'product', r ->> 'email', r ->> 'endpoint')
    from jsonb_array_elements(public.browse_shop(p_list, p_search, p_state) -> 'rows') r
    left join placed p on p.id::text = r ->> 'id'
    order by 1
  )
$$;
select is(pg_temp.found('orders', v.search), v.found, 'orders by ' || v.by)
from (values
  ('id', (select id::text from placed where name = 'wallet'), '{wallet}'::text[]),
  ('number', (select o.number::text from interlock.orders o join placed p on p.id = o.id and p.name = 'wallet'), '{wallet}'),
  ('number with its sign', (select '#' || o.number from interlock.orders o join placed p on p.id = o.id and p.name = 'wallet'), '{wallet}'),
  ('request', 'tap-87-wallet', '{wallet}'),
  ('request of ours', '00000000-0000-4000-8000-000000000187', '{transfer}'),
  ('buyer', pg_temp.id(1)::text, '{transfer,wallet}'),
  ('the buyer''s address', ' TAP-87-1@example.com ', '{transfer,wallet}'),
  ('the address in it', 'tap-87-guest@example.com', '{transfer}'),
  ('nothing there is', 'tap-87', '{}')
) v (by, search, found);
select is(pg_temp.found('orders', pg_temp.id(1)::text, v.state), v.found, 'orders: ' || v.state)
from (values ('paid', '{wallet}'::text[]), ('pending_payment', '{transfer}'), ('proof', '{transfer}'), ('money', '{}')) v (state, found);
select is(pg_temp.found('batches', 'TAP 87'), '{"tap 87 north","tap 87 south"}', 'batches by a part of their reference');
select is(pg_temp.found('batches', pg_temp.id(3)::text), '{"tap 87 north"}', 'by driver');
select is(pg_temp.found('batches', 'tap 87', 'lapsed'), '{"tap 87 north"}', 'whose lease is over');
select is(pg_temp.found('batches', 'tap 87', 'available'), '{"tap 87 south"}', 'by status');
select is(pg_temp.found('drivers', 'TAP-87', 'active'), '{tap-87-3@example.com}', 'drivers');
select is(
  (public.browse_shop('drivers', pg_temp.id(3)::text) #>> '{rows,0,batch_id}'), pg_temp.id(51)::text, 'and what they hold'
);
select is(pg_temp.found('stock', 'tap 87'), '{"tap 87 cup","tap 87 tea","tap 87 tea"}', 'stock, at each location');
select is(pg_temp.found('stock', '87 store'), '{"tap 87 tea"}', 'of one location');
select is(pg_temp.found('stock', 'tap 87', 'empty'), '{"tap 87 cup"}', 'that is empty');
select is(pg_temp.found('stock', 'tap_87'), '{}', 'a search has no wildcards');
select is(public.browse_shop('stock', pg_temp.id(11)::text) #>> '{rows,0,quantity}' = '2', true, 'and how much there is');
select is(pg_temp.found('promos', 'tap87'), '{TAP87-10,TAP87-20}', 'promo codes');
select is(pg_temp.found('promos', 'tap87', 'used_up'), '{TAP87-10}', 'of which nothing is left');
select is(pg_temp.found('promos', 'tap87', 'inactive'), '{TAP87-20}', 'or which are shut');
select is(pg_temp.found('deliveries', (select id::text from placed where name = 'wallet'), 'dead'), '{"tap 87"}', 'deliveries of an order');
-- An order took nothing from the stock that it has.
insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
select id, pg_temp.id(12), 1, 1, 'tap 87 cup', 'physical' from placed where name = 'wallet';
select set_config('request.jwt.claims', '', true);
select interlock.audit_inventory(true);
select pg_temp.be(2, 'staff');
select is(pg_temp.found('findings', (select id::text from placed where name = 'wallet'), 'open'), '{"tap 87 cup"}', 'findings by subject');
select is(pg_temp.found('findings', 'tap 87 cup', 'resolved'), '{}', 'and status');
select is(
  (public.create_picking_session(array(select id from placed where name = 'wallet')) ->> 'success')::boolean, true, 'a session'
);
select is(
  jsonb_array_length(public.browse_shop('sessions', (select id::text from placed where name = 'wallet'), 'open') -> 'rows'), 1, 'sessions by order'
);
select is(
  public.order_story((select id from placed where name = 'wallet')) #>> '{picking_sessions,0,status}', 'picking', 'which the order tells, too'
);

-- Pages ------------------------------------------------------------------------------------

create function pg_temp.pages(p_list text, p_search text)
returns text[]
language plpgsql
as $$
declare
  v_page jsonb;
  v_after text;
  v_ids text[] := '{}';
begin
  loop
    v_page := public.browse_shop(p_list, p_search, null, v_after, 1);
    v_ids := v_ids || array(select r ->> 'id' from jsonb_array_elements(v_page -> 'rows') r);
    v_after := v_page ->> 'next';
    exit when v_after is null;
  end loop;
  return v_ids;
end
$$;
select is(
  pg_temp.pages(v.list, v.search), array(select r ->> 'id' from jsonb_array_elements(public.browse_shop(v.list, v.search) -> 'rows') r),
  'page by page as at once: ' || v.list
)
from (values
  ('orders', pg_temp.id(1)::text), ('batches', 'tap 87'), ('drivers', 'tap-87'), ('stock', 'tap 87'), ('promos', 'tap87'), ('findings', 'tap 87'),
  ('sessions', 'P'), ('deliveries', (select id::text from placed where name = 'wallet'))
) v (list, search);
select is(pg_temp.pages('orders', 'none'), '{}', 'nothing has no page after it');
select throws_ok(v.query, 'PT400', 'VALIDATION_FAILED', v.query)
from (values
  ($$select public.browse_shop('everything')$$), ($$select public.browse_shop(null)$$), ($$select public.browse_shop('orders', p_state => 'lapsed')$$),
  ($$select public.browse_shop('orders', p_after => '7')$$), ($$select public.browse_shop('deliveries', p_after => 'x')$$),
  ($$select public.browse_shop('orders', p_limit => 0)$$), ($$select public.browse_shop('orders', p_limit => 101)$$),
  ($$select public.browse_shop('orders', repeat('x', 201))$$)
) v (query);

-- Health -----------------------------------------------------------------------------------

create temporary table health as select public.shop_health() as answer, public.shop_health(true) as compared;
select set_eq(
  $$select q ->> 'queue', (q ->> 'overdue')::bigint from health, jsonb_array_elements(answer -> 'queues') q$$,
  'select q.queue, q.overdue from interlock.queues q', 'what waits, and for too long'
);
select cmp_ok((select (answer #>> '{findings,open}')::int from health), '>=', 1, 'findings that are open');
select is((select answer ->> 'differences' from health), null, 'books are compared only when that is asked for');
select cmp_ok((select (compared #>> '{differences,stock}')::int from health), '>=', 0, 'and then each of them');
select ok(
  exists (select from health, jsonb_array_elements(answer -> 'hot') h where h ->> 'product' like 'tap 87%'), 'what moves is hot'
);
select cmp_ok((select (answer #>> '{conflicts,stock,hour}')::int from health), '>=', 1, 'conflicts');
update interlock.webhook_endpoints set failing_since = now() where id = pg_temp.id(41);
select ok(
  exists (select from jsonb_array_elements(public.shop_health() -> 'endpoints') w where w ->> 'name' = 'tap 87'), 'an endpoint that fails'
);
select ok((select (answer #>> '{database,committed}')::bigint >= 0 from health), 'the database');

-- Who may ----------------------------------------------------------------------------------

create function pg_temp.asked(p_call text, p_role text, p_n int, p_rights text)
returns text
language plpgsql
as $$
declare
  v_answer jsonb;
begin
  perform set_config(
    'request.jwt.claims',
    jsonb_build_object('role', p_role, 'sub', pg_temp.id(p_n), 'app_metadata', jsonb_build_object('role', p_rights))::text, true
  );
  execute format('set local role %I', p_role);
  execute 'select ' || p_call into v_answer;
  reset role;
  return v_answer ->> 'success';
exception
  when others then
    return sqlerrm;
end
$$;
select is(pg_temp.asked(c.call, w.role, w.n, w.rights), coalesce(w.answer, c.denied), c.call || ' by ' || w.who)
from (values
  ($$public.shop_health()$$, 'permission denied for function shop_health'),
  ($$public.browse_shop('orders')$$, 'permission denied for function browse_shop'),
  (format($$public.order_story(%L)$$, (select id from placed where name = 'wallet')), 'permission denied for function order_story')
) c (call, denied)
cross join (values
  ('staff', 'authenticated', 2, 'staff', 'true'),
  ('the shop', 'service_role', null, null, 'true'),
  ('a buyer', 'authenticated', 1, null, 'FORBIDDEN'),
  ('a manager of a till', 'authenticated', 1, 'manager', 'FORBIDDEN'),
  ('staff whose account is gone', 'authenticated', 98, 'staff', 'UNAUTHENTICATED'),
  ('nobody', 'anon', null, null, null)
) w (who, role, n, rights, answer);

select * from finish();
rollback;
