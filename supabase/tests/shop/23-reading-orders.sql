-- Who reads orders, and how: a buyer their own rows through the views, by index; staff and the shop with
-- public.list_orders.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(73);

-- Cast --------------------------------------------------------------------

create function pg_temp.id(p_n int)
returns uuid
language sql
as $$ select ('23000000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;

insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-23-' || n || '@example.com' from generate_series(1, 4) n
union all
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-23-' || n || '@example.com' from generate_series(1001, 1050) n;

-- 1 and 2 buy, 3 is staff, 4 says that they are; and there are many others.
create function pg_temp.be(p_n int, p_more jsonb default '{}')
returns void
language sql
as $$
  select set_config(
    'request.jwt.claims', (jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id(p_n)) || p_more)::text, true
  )
$$;

insert into interlock.products (id, name, price, currency, available_quantity)
values (pg_temp.id(11), 'tap tea', 250, 'EUR', 100);
insert into interlock.products (id, name, price, currency, kind) values (pg_temp.id(12), 'tap song', 100, 'EUR', 'digital');
-- Orders made here come right before the many below, and after all that the database has, whatever made their ids.
create temporary sequence latest;
-- Where there are many shops, a function has the rights of a role of its own.
grant usage on sequence latest to public;
create or replace function interlock.new_id()
returns uuid
language sql
set search_path = ''
as $$ select ('fffffffe-0000-7000-8000-' || lpad(nextval('pg_temp.latest')::text, 12, '0'))::uuid $$;

insert into interlock.product_codes (product_id, code) select pg_temp.id(12), 'tap-code-' || n from generate_series(1, 9) n;
insert into interlock.wallets (user_id, balance, currency) values (pg_temp.id(1), 1000, 'EUR');

-- Of 1: a paid order of codes, one that waits for its payment with a proof; of 2: one of tea.
create temporary table named (name text primary key, id uuid);
select pg_temp.be(1);
insert into named
select o.name, (public.checkout(o.items::jsonb, p_payment_method => o.method) -> 'order' ->> 'id')::uuid
from (values
  ('paid', format('[{"product_id": "%s", "quantity": 2}]', pg_temp.id(12)), 'wallet'),
  ('pending', format('[{"product_id": "%s", "quantity": 1}, {"product_id": "%s", "quantity": 3}]', pg_temp.id(12), pg_temp.id(11)),
    'bank_transfer')
) as o (name, items, method);
select pg_temp.be(2);
insert into named
select 'tea', (public.checkout(
  jsonb_build_array(jsonb_build_object('product_id', pg_temp.id(11), 'quantity', 1)), p_payment_method => 'cash_on_delivery'
) -> 'order' ->> 'id')::uuid;
insert into interlock.payment_proofs (order_id, object_path) select id, 'tap/proof.png' from named where name = 'pending';
grant select on named to public;

-- And many more, so that looking at all of them costs something; five are of 2. They are the latest: no other
-- ids are as great.
create function pg_temp.many(p_n int)
returns uuid
language sql
as $$ select ('ffffffff-ffff-7fff-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;
insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, created_at)
select
  pg_temp.many(n), case when n <= 5 then pg_temp.id(2) else pg_temp.id(1001 + n % 50) end, 'confirmed', 'EUR', 1, 1,
  'cash_on_delivery', now() + make_interval(secs => n)
from generate_series(1, 3000) as n;
insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
select o.id, pg_temp.id(11), 1, 1, 'tap tea', 'physical' from interlock.orders o where o.id::text like 'ffffffff-ffff-7fff-%';
insert into interlock.payment_proofs (order_id, object_path)
select o.id, 'tap/proof.png' from interlock.orders o where o.id::text like 'ffffffff-ffff-7fff-%';
insert into interlock.product_codes (product_id, code) select pg_temp.id(12), 'tap-more-' || n from generate_series(1, 3000) n;
analyze interlock.orders, interlock.order_items, interlock.order_events, interlock.payment_proofs, interlock.product_codes;

create function pg_temp.plan(p_sql text)
returns text
language plpgsql
as $$
declare
  v_line text;
  v_plan text := '';
begin
  for v_line in execute 'explain (costs off) ' || p_sql loop
    v_plan := v_plan || v_line || e'\n';
  end loop;
  -- What no part is there for: empty.
  return regexp_replace(v_plan, 'Seq Scan on \w+_rest', 'rest', 'g');
end
$$;

-- A buyer -------------------------------------------------------------------

select pg_temp.be(1);
set local role authenticated;
select set_eq('select id from public.orders', $$select id from named where name in ('paid', 'pending')$$, 'a buyer reads their own orders');
select set_eq(
  'select order_id, product_id, quantity::int from public.order_items',
  $$
    select n.id, pg_temp.id(i.product) as product_id, i.quantity
    from (values ('paid', 12, 2), ('pending', 12, 1), ('pending', 11, 3)) as i (name, product, quantity)
    join named n using (name)
  $$,
  'their lines'
);
select set_eq(
  'select order_id, event::text from public.order_events',
  $$select id, case name when 'paid' then 'paid' else 'pending_payment' end from named where name in ('paid', 'pending')$$,
  'their history'
);
select set_eq(
  'select order_id, object_path::text from public.payment_proofs',
  $$select id, 'tap/proof.png' from named where name = 'pending'$$, 'their proofs'
);
select set_eq(
  'select code::text from public.product_codes', array['tap-code-1', 'tap-code-2'], 'the codes that are paid'
);
select is((select balance::int from public.wallets), 800, 'their money');
select is((select count(*) from public.wallet_movements), 2::bigint, 'and what became of it');

select matches(pg_temp.plan(p.sql), p.plan, p.sql)
from (values
  ('select * from public.orders order by created_at desc limit 20', 'orders_by_user'),
  ('select * from interlock.orders order by created_at desc limit 20', 'orders_by_user'),
  ('select * from public.orders', 'orders_by_user'),
  ('select * from public.order_items', 'order_items_pkey'),
  ('select * from public.order_events', 'order_events_0_pkey'),
  ('select * from public.payment_proofs', 'payment_proofs_unique'),
  ('select * from public.product_codes', 'product_codes_by_order')
) as p (sql, plan);
select doesnt_match(pg_temp.plan(p.sql), 'Seq Scan', 'nothing is looked for from end to end: ' || p.sql)
from (values
  ('select * from public.orders order by created_at desc limit 20'),
  ('select * from public.orders'),
  ('select * from public.order_items'),
  ('select * from public.order_events'),
  ('select * from public.payment_proofs'),
  ('select * from public.product_codes')
) as p (sql);

-- Staff see what they see with a function, not by row security.
select pg_temp.be(3, '{"app_metadata": {"role": "staff"}}');
select is_empty('select id from public.orders', 'staff have no orders of their own');
select is_empty('select order_id from public.order_items', 'nor lines');
select is_empty('select order_id from public.order_events', 'nor history');
select is_empty('select order_id from public.payment_proofs', 'nor proofs');

-- Who may list ---------------------------------------------------------------

-- What a call raises: its SQLSTATE, code and problems; null if it answers.
create function pg_temp.refusal(p_sql text)
returns text
language plpgsql
as $$
declare
  v_detail text;
begin
  execute p_sql;
  return null;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return concat_ws(' ', sqlstate, sqlerrm, case when sqlstate = 'PT400' then v_detail::jsonb ->> 'problems' end);
end
$$;

select is(pg_temp.refusal('select public.list_orders()'), null, 'staff list orders');
select is(pg_temp.refusal('select interlock.list_orders(null, null, null, 1, null)'), null, 'however they call it');
select pg_temp.be(1);
select is(pg_temp.refusal('select public.list_orders()'), 'PT403 FORBIDDEN', 'a buyer does not');
select is(
  pg_temp.refusal(format('select public.list_orders(p_user_id => %L)', pg_temp.id(1))), 'PT403 FORBIDDEN', 'nor their own'
);
select is(
  pg_temp.refusal('select interlock.list_orders(null, null, null, 0, null)'), 'PT403 FORBIDDEN',
  'and is not told what is wrong with the rest'
);
select pg_temp.be(4, '{"user_metadata": {"role": "staff"}, "app_role": "staff"}');
select is(pg_temp.refusal('select public.list_orders()'), 'PT403 FORBIDDEN', 'nor does who only says that they are staff');
select pg_temp.be(4, '{"app_metadata": {"role": "STAFF"}}');
select is(pg_temp.refusal('select public.list_orders()'), 'PT403 FORBIDDEN', 'or something like it');
select set_config('request.jwt.claims', '{"role": "authenticated"}', true);
select is(pg_temp.refusal('select public.list_orders()'), 'PT401 UNAUTHENTICATED', 'or nobody');
reset role;
set local role anon;
select set_config('request.jwt.claims', '{"role": "anon"}', true);
select matches(pg_temp.refusal('select public.list_orders()'), '^42501', 'whoever is not signed in cannot even call it');
select matches(pg_temp.refusal('select interlock.list_orders(null, null, null, 1, null)'), '^42501', 'however');
reset role;
set local role service_role;
select set_config('request.jwt.claims', '{"role": "service_role"}', true);
select is(pg_temp.refusal('select public.list_orders()'), null, 'the shop does');

-- What they are told -----------------------------------------------------------

create temporary table listed as
select o.n, o.value
from jsonb_array_elements(public.list_orders(p_before => pg_temp.many(1), p_limit => 200) -> 'orders') with ordinality as o (value, n);
grant select on listed to public;
select is(
  (select count(*) from listed where value::text like '%tap-code-%'), 0::bigint, 'nobody but the buyer is told a code'
);
reset role;
select ok(
  (select interlock.order_to_json(id)::text like '%tap-code-1%' from named where name = 'paid'), 'as the buyer is'
);
select pg_temp.be(3, '{"app_metadata": {"role": "staff"}}');
set local role authenticated;
select is(
  (select jsonb_agg(value order by n) from listed),
  public.list_orders(p_before => pg_temp.many(1), p_limit => 200) -> 'orders', 'staff are told what the shop is'
);
reset role;
select is_empty(
  $$
    select value
    from listed
    where (select array_agg(k order by k) from jsonb_object_keys(value) k) is distinct from array[
      'cancelled_at', 'cart_id', 'codes', 'corrections', 'created_at', 'currency', 'discount', 'events', 'fulfilled_at', 'fulfillment', 'id', 'items', 'number', 'paid_at',
      'payment_expires_at', 'payment_method', 'payment_proofs', 'refunded_at', 'shipped_at', 'shipping', 'shipping_method', 'shipping_tax', 'status', 'subtotal', 'tax', 'tax_included', 'total', 'tracking', 'user_id'
    ]
  $$,
  'an order has these members'
);
select is(
  (select l.value - 'user_id' - 'events' - 'payment_proofs' - 'codes' - 'corrections' from listed l join named n on n.id::text = l.value ->> 'id' where n.name = 'paid'),
  (select interlock.order_to_json(id) - 'codes' from named where name = 'paid'),
  'those that its buyer is shown'
);
select results_eq(
  $$
    select
      n.name, (l.value ->> 'user_id')::uuid, jsonb_array_length(l.value -> 'items'),
      jsonb_path_query_array(l.value, '$.events[*].event'), jsonb_path_query_array(l.value, '$.payment_proofs[*].object_path')
    from listed l join named n on n.id::text = l.value ->> 'id'
    order by n.name
  $$,
  $$
    values
      ('paid', pg_temp.id(1), 1, '["paid"]'::jsonb, '[]'::jsonb),
      ('pending', pg_temp.id(1), 2, '["pending_payment"]', '["tap/proof.png"]'),
      ('tea', pg_temp.id(2), 1, '["confirmed"]', '[]')
  $$,
  'whose it is, its lines, history and proofs'
);
select is_empty(
  $$
    select e.value
    from listed l, jsonb_array_elements(l.value -> 'events') as e
    where (select array_agg(k order by k) from jsonb_object_keys(e.value) k)
      is distinct from array['actor', 'created_at', 'event', 'id', 'request_id', 'tracking']
  $$,
  'a row of its history has these members'
);
select is_empty(
  $$
    select p.value
    from listed l, jsonb_array_elements(l.value -> 'payment_proofs') as p
    where (select array_agg(k order by k) from jsonb_object_keys(p.value) k)
      is distinct from array['created_at', 'decided_at', 'id', 'object_path', 'reason', 'status']
  $$,
  'a proof has these'
);
set local timezone = 'Asia/Tokyo';
set local role authenticated;
select matches(
  public.list_orders(p_limit => 1) #>> '{orders,0,created_at}', '\+00:00$', 'times are in UTC, wherever one asks'
);
reset role;
set local timezone = 'UTC';
insert into interlock.order_events (order_id, event) select id, 'proof_submitted' from named where name = 'pending';
update interlock.orders set status = 'cancelled' where id = (select id from named where name = 'pending');
set local role authenticated;
select is(
  jsonb_path_query_array(public.list_orders('cancelled', pg_temp.id(1)), '$.orders[0].events[*].event'),
  '["pending_payment", "proof_submitted", "cancelled"]', 'history is in the order of time'
);

-- Which ones -----------------------------------------------------------------------

-- The ids of a page.
create function pg_temp.ids(p_page jsonb)
returns uuid[]
language sql
as $$
  select array_agg((o.value ->> 'id')::uuid order by o.n) from jsonb_array_elements(p_page -> 'orders') with ordinality as o (value, n)
$$;

select is(
  pg_temp.ids(public.list_orders(p_before => pg_temp.many(3), p_limit => 5)),
  array[pg_temp.many(2), pg_temp.many(1)] || (select array_agg(id order by id desc) from named),
  'the latest orders come first'
);
select is(cardinality(pg_temp.ids(public.list_orders())), 50, 'fifty, if nothing else is said');
select is(cardinality(pg_temp.ids(public.list_orders(p_limit => n))), n, format('a page may have %s', n))
from unnest(array[1, 200]) n;
select is(
  pg_temp.refusal($$select public.list_orders('lost')$$),
  'PT400 VALIDATION_FAILED [{"message": "must be pending_payment, confirmed, paid, fulfilled, cancelled, expired or refunded", "pointer": "/p_status"}]',
  'a status is one that there is'
);
select is(
  pg_temp.refusal($$select public.list_orders('', p_limit => 0)$$),
  'PT400 VALIDATION_FAILED [{"message": "must be pending_payment, confirmed, paid, fulfilled, cancelled, expired or refunded", "pointer": "/p_status"}, {"message": "must be an integer from 1 to 200", "pointer": "/p_limit"}]',
  'all that is wrong is said'
);
select isnt(public.list_orders(s, p_limit => 1) -> 'orders', null, 'as ' || s)
from unnest(array['pending_payment', 'confirmed', 'paid', 'fulfilled', 'cancelled', 'expired', 'refunded']) s;
select is(
  pg_temp.refusal(format('select public.list_orders(p_limit => %L)', n::text)),
  'PT400 VALIDATION_FAILED [{"message": "must be an integer from 1 to 200", "pointer": "/p_limit"}]',
  format('but not %s', coalesce(n::text, 'null'))
)
from unnest(array[0, -1, 201, null]) n;

create temporary table pages (n int primary key, ids uuid[]);
do $$
declare
  v_before uuid;
  v_ids uuid[];
begin
  for n in 1..1000 loop
    v_ids := pg_temp.ids(public.list_orders(p_before => v_before, p_limit => 199));
    exit when v_ids is null;
    insert into pages values (n, v_ids);
    v_before := v_ids[cardinality(v_ids)];
  end loop;
end
$$;
reset role;
select is(
  (select array_agg(i.id order by p.n, i.n) from pages p, unnest(p.ids) with ordinality as i (id, n)),
  (select array_agg(id order by id desc) from interlock.orders),
  'page by page, before the last one of the page before, every order comes once'
);
set local role authenticated;
select is(
  public.list_orders(p_before => '00000000-0000-0000-0000-000000000000'), '{"success": true, "orders": []}',
  'after the last page there is an empty one'
);
select is(
  pg_temp.ids(public.list_orders('paid', p_limit => 1)), (select array[id] from named where name = 'paid'), 'those of one status'
);
select is_empty(
  $$
    select s from jsonb_path_query(public.list_orders('confirmed', p_limit => 200), '$.orders[*].status') as s
    where s <> '"confirmed"'
  $$,
  'and no other'
);
select is(
  pg_temp.ids(public.list_orders(p_user_id => pg_temp.id(2))),
  (select array[pg_temp.many(5), pg_temp.many(4), pg_temp.many(3), pg_temp.many(2), pg_temp.many(1), id] from named where name = 'tea'),
  'those of one buyer'
);
select is(
  pg_temp.ids(public.list_orders('confirmed', pg_temp.id(2), pg_temp.many(5), 2)), array[pg_temp.many(4), pg_temp.many(3)],
  'and all of it together'
);
select is(public.list_orders('paid', pg_temp.id(2)) -> 'orders', '[]', 'none, if none is like that');
reset role;
update interlock.orders set status = 'cancelled' where user_id = pg_temp.id(1) and interlock.is_owed_order(status);
update interlock.wallets set balance = 0 where user_id = pg_temp.id(1);
select interlock.erase_user(pg_temp.id(1));
set local role authenticated;
select is(
  jsonb_path_query_array(public.list_orders(p_before => pg_temp.many(1), p_limit => 3), '$.orders[*].user_id'),
  jsonb_build_array(pg_temp.id(2), null, null), 'an order of an account that is gone is nobody''s'
);
reset role;

-- History is of an order --------------------------------------------------------------

select throws_ok(
  format($$insert into interlock.order_events (order_id, event) values (%L, 'paid')$$, pg_temp.id(99)),
  '23503', null, 'history is of an order'
);
select fk_ok('interlock', 'order_events', 'order_id', 'interlock', 'orders', 'id');
select throws_ok(
  $$delete from interlock.orders where id = (select id from named where name = 'tea')$$, '23503', null,
  'which stays as long as it has one'
);

select * from finish();
rollback;
