-- What tills wait for: each wait has what is left of the call's time, nothing is locked that is not needed, and what is made by several is
-- made in one order. And parked sales that expire, one by one.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select ('69' || p_name || '000-0000-4000-8000-000000000000')::uuid $$;
create function pg_temp.product(p_n int)
returns uuid
language sql
as $$ select pg_temp.id('00' || p_n)::uuid $$;
insert into interlock.products (id, name, price, currency, available_quantity)
select pg_temp.id('00' || n), 'tap69 ' || n, 500, 'EUR', 100 from generate_series(1, 6) n;
insert into interlock.locations (id, name) values (pg_temp.id('aaa'), 'Store'), (pg_temp.id('bbb'), 'Shed');
insert into interlock.inventory (product_id, location_id, quantity)
select pg_temp.id('00' || n), pg_temp.id(l), 10 from generate_series(1, 4) n, unnest(array['aaa', 'bbb']) l;
insert into interlock.registers (id, location_id, name, currency)
values (pg_temp.id('100'), pg_temp.id('aaa'), 'store', 'EUR'), (pg_temp.id('200'), interlock.online_location(), 'web', 'EUR');
insert into interlock.shifts (register_id, opening_cash) values (pg_temp.id('100'), 0), (pg_temp.id('200'), 0);
insert into auth.users (id, aud, role, email) values (pg_temp.id('ccc'), 'authenticated', 'authenticated', 'tap-69@example.com');
insert into interlock.sale_approvals (id, register_id, actions, reason, approved_by, approved_at, expires_at)
values (pg_temp.id('ddd'), pg_temp.id('100'), '{discount}', 'x', pg_temp.id('ccc'), now(), now() + interval '1 minute');

create temporary table limited (n int generated always as identity, by text) on commit drop;
-- Where there are many shops, a function has the rights of a role of its own.
grant insert on limited to public;
create or replace function interlock.limit_wait()
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_context text;
begin
  get diagnostics v_context = pg_context;
  -- The first line is this function's own, the second its caller's.
  insert into pg_temp.limited (by)
  select c.name[1] from regexp_matches(v_context, 'function interlock\.(\w+)', 'g') with ordinality as c (name, place)
  where c.place = 2;
  return true;
end
$$;
create temporary table answers (name text primary key, a jsonb) on commit drop;
-- Who limits a wait in a statement that has lasted a tenth of a second already, in order, each with how often. The answer is kept.
create function pg_temp.limits_of(p_name text, p_sql text)
returns text
language plpgsql
as $$
declare
  v_answer jsonb;
begin
  truncate limited;
  perform pg_sleep(0.11);
  execute 'select (' || p_sql || ')::jsonb' into v_answer;
  insert into answers values (p_name, v_answer);
  return (
    select string_agg(concat_ws(' ', l.by, nullif(l.times, 1)), ', ' order by l.n)
    from (select by, min(n) as n, count(*) as times from limited group by by) l
  );
end
$$;
create function pg_temp.sold(p_name text)
returns uuid
language sql
as $$ select coalesce(a #>> '{sale,id}', a #>> '{parked_sale,id}')::uuid from answers where name = p_name $$;
-- One of a product is sold, and one of the first line of a sale comes back.
create function pg_temp.sale(p_till text, p_product int, p_back text default null, p_more text default '')
returns text
language sql
as $$
  select format(
    'public.pos_sale(%L, %L, %L, %L%s)', pg_temp.id(p_till), jsonb_build_array(jsonb_build_object('product_id', pg_temp.product(p_product), 'quantity', 1)),
    case when p_back is null then '[{"type": "cash", "amount": 500}]' else '[]' end,
    case when p_back is not null then jsonb_build_array(jsonb_build_object('sale_id', pg_temp.sold(p_back), 'line', 0, 'quantity', 1, 'reason', 'x')) end, p_more
  )
$$;

select is(
  pg_temp.limits_of('sale', pg_temp.sale('100', 1, null, format(', p_approval_id => %L, p_idempotency_key => ''tap69''', pg_temp.id('ddd')))),
  'begin_sale, use_approval, take_sold_stock, make_sale', 'a sale limits each of its waits'
);
select is(
  pg_temp.limits_of('exchange', pg_temp.sale('100', 2, 'sale')), 'lock_sales, put_back, lock_sold_stock 2, take_sold_stock, make_sale',
  'an exchange locks what comes and goes first, there and nowhere else'
);
select pg_temp.limits_of('other sale', pg_temp.sale('100', 3));
select pg_temp.limits_of('other exchange', pg_temp.sale('100', 3, 'other sale'));
select is(
  pg_temp.limits_of('exchanged again', pg_temp.sale('100', 3, 'exchange')), 'lock_sales 2, put_back, lock_sold_stock 2, take_sold_stock, make_sale',
  'of what was exchanged before the sale with which it began is locked, too'
);
select is(
  pg_temp.limits_of('void', format('public.void_sale(%L, ''x'')', pg_temp.sold('exchanged again'))), 'lock_sales 3, lock_sold_stock 2, take_sold_stock, lock_register',
  'a void locks all of these, and no other sale'
);
select pg_temp.limits_of('web', pg_temp.sale('200', 1));
select is(
  pg_temp.limits_of('web exchange', pg_temp.sale('200', 2, 'web')), 'lock_sales, lock_stock 3, take_from_row, make_sale', 'of the web shop the same: one of it is locked again'
);
select is(
  pg_temp.limits_of('parked', format('public.park_sale(%L, ''tap69'', %L, p_hold => true)', pg_temp.id('100'), jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.product(1), 'quantity', 1), jsonb_build_object('product_id', pg_temp.product(2), 'quantity', 1)
  ))), 'take_sold_stock 2', 'what is parked'
);
select is(
  pg_temp.limits_of('discarded', format('public.discard_parked_sale(%L)', pg_temp.sold('parked'))), 'lock_parked_sale, lock_sold_stock 2', 'and given back'
);

-- Two that make the same rows wait for each other in one order.
create temporary table made (n int generated always as identity, what text) on commit drop;
grant insert on made to public;
create function pg_temp.note_made()
returns trigger
language plpgsql
as $$
begin
  insert into pg_temp.made (what) values (coalesce(to_jsonb(new) ->> 'reference', (select p.name from interlock.products p where p.id::text = to_jsonb(new) ->> 'product_id')));
  return new;
end
$$;
create trigger made before insert on interlock.sale_tenders for each row execute function pg_temp.note_made();
create trigger made before insert on interlock.inventory for each row execute function pg_temp.note_made();
select public.pos_sale(
  pg_temp.id('100'), jsonb_build_array(jsonb_build_object('product_id', pg_temp.product(1), 'quantity', 1)),
  '[{"type": "card", "amount": 200, "reference": "tap69 b"}, {"type": "card", "amount": 300, "reference": "tap69 a"}]'
);
select is((select string_agg(what, ', ' order by n) from made), 'tap69 a, tap69 b', 'card payments are booked in the order of their references');
truncate made;
select public.pos_sale(
  pg_temp.id('100'), p_tenders => '[{"type": "cash", "amount": 1000}]', p_returns => jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.product(6), 'quantity', 1, 'reason', 'x'), jsonb_build_object('product_id', pg_temp.product(5), 'quantity', 1, 'reason', 'x')
  )
);
select is((select string_agg(what, ', ' order by n) from made where what like 'tap69 %'), 'tap69 5, tap69 6', 'and stock is made in that of its products');

-- Parked sales that are over: one that cannot be ended holds up no other.
create function pg_temp.park(p_name text, p_product int, p_hold boolean)
returns void
language sql
as $$
  insert into answers select p_name, public.park_sale(
    pg_temp.id('200'), p_name, jsonb_build_array(jsonb_build_object('product_id', pg_temp.product(p_product), 'quantity', 1)), p_hold => p_hold
  );
  update interlock.parked_sales set expires_at = interlock.clock() - interval '1 hour' where id = pg_temp.sold(p_name);
$$;
create function pg_temp.parked(variadic p_names text[])
returns text
language sql
as $$ select string_agg(p.status, ' ' order by p.name) from interlock.parked_sales p where p.name = any (p_names) $$;
set local client_min_messages = error;
select pg_temp.park('full', 1, true);
select pg_temp.park('room', 2, true);
update interlock.products set available_quantity = interlock.most_units() where id = pg_temp.product(1);
select is(interlock.expire_parked_sales(100), 1, 'what has room on the shelf is ended');
select is(pg_temp.parked('full', 'room'), 'parked expired', 'and what has none waits for it');
update interlock.products set available_quantity = 1 where id = pg_temp.product(1);
select is(interlock.expire_parked_sales(100), 1, 'then it is ended, too');

-- What becomes of the others between the look and the lock: while one is ended.
create temporary table ended (n int generated always as identity, lock_timeout text) on commit drop;
grant insert on ended to public;
create function pg_temp.meanwhile()
returns trigger
language plpgsql
as $$
begin
  insert into pg_temp.ended (lock_timeout) values (current_setting('lock_timeout'));
  update interlock.parked_sales p
  set status = case tg_argv[0] when 'discarded' then 'discarded' else p.status end,
      ended_at = case tg_argv[0] when 'discarded' then interlock.clock() end,
      expires_at = case tg_argv[0] when 'parked' then interlock.clock() + interval '1 hour' else p.expires_at end
  where tg_argv[0] <> 'expired'
    and p.id <> new.id
    and p.ended_at is null;
  return null;
end
$$;
select pg_temp.park(n, 3, false) from unnest(array['a', 'b']) n;
create trigger ended after update on interlock.parked_sales
  for each row when (old.status = 'parked' and new.status = 'expired') execute function pg_temp.meanwhile('expired');
select is(interlock.expire_parked_sales(100), 2, 'two are over');
select is((select string_agg(lock_timeout, ' ' order by n) from ended), '50ms 1ms', 'who holds one already waits as good as not at all for another');
drop trigger ended on interlock.parked_sales;
select pg_temp.park(n, 3, false) from unnest(array['c', 'd']) n;
create trigger ended after update on interlock.parked_sales
  for each row when (old.status = 'parked' and new.status = 'expired') execute function pg_temp.meanwhile('discarded');
select is(interlock.expire_parked_sales(100), 1, 'one of two that somebody discards meanwhile');
select is((select count(*) from interlock.parked_sales where name in ('c', 'd') and status = 'discarded'), 1::bigint, 'is discarded');
drop trigger ended on interlock.parked_sales;
select pg_temp.park(n, 3, false) from unnest(array['e', 'f']) n;
create trigger ended after update on interlock.parked_sales
  for each row when (old.status = 'parked' and new.status = 'expired') execute function pg_temp.meanwhile('parked');
select is(interlock.expire_parked_sales(100), 1, 'and one that somebody parks anew');
select is((select count(*) from interlock.parked_sales where name in ('e', 'f') and status = 'parked'), 1::bigint, 'is parked');

select * from finish();
rollback;
