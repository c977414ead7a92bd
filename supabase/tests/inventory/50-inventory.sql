-- Locations and their stock: what a row may be, one ledger for all of it, closed and added up by location, the views, and
-- decrement_inventory as incident report 001 calls it.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(143);

insert into auth.users (id, aud, role, email)
values
  ('50000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-50@example.com'),
  ('50000000-0000-4000-8000-0000000000bb', 'authenticated', 'authenticated', 'tap-50-staff@example.com');

-- Product n, location n, the row of both.
create function pg_temp.p(p_n int)
returns uuid
language sql
as $$ select ('50000000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;
create function pg_temp.l(p_n int)
returns uuid
language sql
as $$ select ('50100000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;
create function pg_temp.i(p_product int, p_location int)
returns uuid
language sql
as $$ select id from interlock.inventory where product_id = pg_temp.p(p_product) and location_id = pg_temp.l(p_location) $$;

insert into interlock.products (id, name, price, currency, available_quantity, kind, unit, decimals)
values
  (pg_temp.p(1), 'flower', 100, 'EUR', 10, 'physical', 'g', 3),
  (pg_temp.p(2), 'piece', 100, 'EUR', 100, 'physical', default, default),
  (pg_temp.p(3), 'digital', 100, 'EUR', 0, 'digital', default, default),
  (pg_temp.p(4), 'half', 100, 'EUR', 0, 'physical', 'kg', 1);
insert into interlock.locations (id, name) values (pg_temp.l(1), 'Store'), (pg_temp.l(2), 'Warehouse');

-- What refuses a statement, by name; null if nothing does.
create function pg_temp.refusal(p_sql text)
returns text
language plpgsql
as $$
declare
  v_constraint text;
  v_column text;
  v_table text;
begin
  execute regexp_replace(p_sql, '\{([pl])([0-9])\}', 'pg_temp.\1(\2)', 'g');
  return null;
exception
  when others then
    get stacked diagnostics v_constraint = constraint_name, v_column = column_name, v_table = table_name;
    return coalesce(nullif(v_constraint, ''), nullif(v_column, ''), case sqlstate when '23001' then v_table end, sqlstate);
end
$$;

create temporary table seen as select coalesce(max(id), 0) as id from interlock.stock_movements;
-- The ledger since the last look: `product location delta balance reason reference`.
create function pg_temp.ledger()
returns text
language sql
as $$
  with fresh as (
    select m.* from interlock.stock_movements m, seen s where m.id > s.id
  ),
  moved as (
    update seen set id = coalesce((select max(id) from fresh), id) returning 1
  )
  select string_agg(
    concat_ws(' ', right(product_id::text, 1), right(location_id::text, 1) || left(location_id::text, 3), delta, balance_after, reason, reference),
    ', ' order by product_id, id
  )
  from fresh, moved
$$;

-- Locations -------------------------------------------------------------------

select is((select name::text from interlock.locations where id = interlock.online_location()), 'Online', 'there is the web shop');
select is(pg_temp.refusal(t.sql), t.refused_by, t.sql)
from (values
  ('delete from interlock.locations where id = interlock.online_location()', 'locations_online_stays'),
  ('update interlock.locations set id = {l9} where id = {l1}', 'locations_identity_fixed'),
  ('truncate interlock.locations cascade', 'locations'),
  ($$update interlock.locations set name = 'Web', active = active where id = interlock.online_location()$$, null),
  ($$update interlock.locations set name = 'Store 1', id = id where id = {l1}$$, null),
  ($$insert into interlock.locations (name) values ('')$$, 'label_length'),
  ($$insert into interlock.locations (id, name) values ({l8}, 'Short-lived')$$, null),
  ('delete from interlock.locations where id = {l8}', null)
) as t (sql, refused_by);

-- Rows ------------------------------------------------------------------------

select is(pg_temp.refusal(t.sql), t.refused_by, t.sql)
from (values
  ('insert into interlock.inventory (product_id, location_id) values ({p1}, interlock.online_location())', 'inventory_not_online'),
  ('insert into interlock.inventory (product_id, location_id) values ({p3}, {l1})', 'inventory_not_digital'),
  ('insert into interlock.inventory (product_id, location_id) values ({p9}, {l1})', 'inventory_product_id_fkey'),
  ('insert into interlock.inventory (product_id, location_id) values ({p1}, {l9})', 'inventory_location_id_fkey'),
  ('insert into interlock.inventory (product_id, location_id, quantity) values ({p1}, {l1}, -0.001)', 'inventory_quantity_nonnegative'),
  ($$insert into interlock.inventory (product_id, location_id, quantity) values ({p1}, {l1}, 'NaN')$$, 'inventory_quantity_nonnegative'),
  ($$insert into interlock.inventory (product_id, location_id, quantity) values ({p1}, {l1}, 'Infinity')$$, '22003'),
  ('insert into interlock.inventory (product_id, location_id, quantity) values ({p1}, {l1}, 1e11)', '22003'),
  ('insert into interlock.inventory (product_id, location_id, quantity) values ({p2}, {l1}, 1.5)', 'inventory_decimals'),
  ('insert into interlock.inventory (product_id, location_id, quantity) values ({p4}, {l1}, 1.25)', 'inventory_decimals'),
  ('insert into interlock.inventory (product_id, location_id, version) values ({p1}, {l1}, 0)', 'row_version_positive'),
  ('insert into interlock.inventory (product_id) values ({p1})', 'location_id'),
  ('insert into interlock.inventory (location_id) values ({l1})', 'product_id'),
  ('insert into interlock.inventory (product_id, location_id, quantity) values ({p1}, {l1}, null)', 'quantity'),
  ('insert into interlock.inventory (product_id, location_id, version) values ({p1}, {l1}, null)', 'version'),
  ('insert into interlock.inventory (product_id, location_id, updated_at) values ({p1}, {l1}, null)', 'updated_at'),
  ('insert into interlock.inventory (id, product_id, location_id) values ({p1}, {p1}, {l1}), ({p1}, {p1}, {l2})', 'inventory_pkey'),
  ('insert into interlock.locations (id, name) values ({l1}, ''again'')', 'locations_pkey'),
  ('insert into interlock.locations (name) values (null)', 'name'),
  ('insert into interlock.locations (name, active) values (''x'', null)', 'active'),
  ('insert into interlock.locations (name, created_at) values (''x'', null)', 'created_at'),
  ('update interlock.products set unit = null where id = {p1}', 'unit'),
  ('update interlock.products set decimals = null where id = {p1}', 'decimals'),
  ('insert into interlock.stock_balances values ({p9}, {l9}, 1, 1), ({p9}, {l9}, 1, 1)', 'stock_balances_pkey'),
  ('insert into interlock.stock_balances values ({p9}, {l9}, null, 1)', 'closed_through'),
  ('insert into interlock.stock_balances values ({p9}, {l9}, 1, null)', 'quantity'),
  ('insert into interlock.stock_movements (product_id, location_id, delta, reason) values ({p9}, null, 1, ''x'')', 'location_id'),
  ('insert into interlock.inventory_conflicts (product_id, operation, rebased) values (null, ''set'', false)', 'product_id'),
  ('insert into interlock.inventory_conflicts (product_id, operation, rebased) values ({p1}, null, false)', 'operation'),
  ('insert into interlock.inventory_conflicts (product_id, operation, rebased) values ({p1}, ''set'', null)', 'rebased'),
  ('insert into interlock.inventory_conflicts (product_id, operation, rebased, created_at) values ({p1}, ''set'', true, null)', 'created_at'),
  ('insert into interlock.inventory_conflicts (id, product_id, operation, rebased) overriding system value values (-1, {p1}, ''set'', true), (-1, {p1}, ''set'', true)', 'inventory_conflicts_pkey'),
  ('insert into interlock.inventory_conflicts (id, product_id, operation, rebased) overriding system value values (-1, {p9}, ''set'', true)', null),
  ('update interlock.inventory_conflicts set rebased = false where id = -1', 'inventory_conflicts'),
  ('delete from interlock.inventory_conflicts where id = -1', 'inventory_conflicts'),
  ('truncate interlock.inventory_conflicts', 'inventory_conflicts'),
  ('insert into interlock.inventory (product_id, location_id, quantity) values ({p1}, {l1}, 11.52)', null),
  ('insert into interlock.inventory (product_id, location_id) values ({p1}, {l1})', 'inventory_product_location_key'),
  ('insert into interlock.inventory (product_id, location_id, quantity) values ({p4}, {l1}, 1.5), ({p2}, {l1}, 0), ({p2}, {l2}, 7)', null),
  ('update interlock.inventory set location_id = {l2} where product_id = {p1}', 'inventory_identity_fixed'),
  ('update interlock.inventory set product_id = {p1} where product_id = {p2} and location_id = {l2}', 'inventory_identity_fixed'),
  ('update interlock.inventory set id = {p9} where product_id = {p1}', 'inventory_identity_fixed'),
  ('update interlock.inventory set quantity = 1.25 where product_id = {p4}', 'inventory_decimals'),
  ('truncate interlock.inventory', 'inventory'),
  ('delete from interlock.products where id = {p4}', 'inventory_product_id_fkey'),
  ('delete from interlock.locations where id = {l2}', 'inventory_location_id_fkey'),
  ('update interlock.products set decimals = 0 where id = {p4}', 'products_decimals_kept'),
  ('update interlock.products set decimals = 1 where id = {p1}', 'products_decimals_kept'),
  ('update interlock.products set decimals = 2 where id = {p1}', null),
  ('update interlock.products set decimals = 3 where id = {p1}', null),
  ('update interlock.products set decimals = 0 where id = {p3}', null)
) as t (sql, refused_by);
select is(
  pg_temp.ledger(), '1 1501 11.52 11.52 opening, 2 2501 7 7 opening, 4 1501 1.5 1.5 opening',
  'what is there at first is in the ledger, with its location, and 0 is not'
);
select is((select array_agg(version::int) from interlock.inventory), '{1,1,1,1}', 'a row begins with version 1');

update interlock.inventory set updated_at = 'epoch';
update interlock.inventory set quantity = quantity + 1 where location_id = pg_temp.l(1);
update interlock.inventory set quantity = quantity;
select is(
  (select string_agg(right(product_id::text, 1) || ':' || version || ':' || (updated_at = now()), ' ' order by product_id, location_id) from interlock.inventory),
  '1:2:true 2:2:true 2:1:false 4:2:true', 'a change of the quantity, whoever makes it, is another version; anything else is none'
);
select is(
  pg_temp.ledger(), '1 1501 1 12.52 correction, 2 1501 1 1 correction, 4 1501 1 2.5 correction',
  'and is in the ledger'
);
select interlock.set_ledger_context('weighed', pg_temp.p(9)), set_config('interlock.reference', 'job 1', true);
update interlock.inventory set quantity = quantity - 1 where product_id in (pg_temp.p(1), pg_temp.p(2)) and location_id = pg_temp.l(1);
select is(
  (select array_agg(reference_id) from interlock.stock_movements m, seen s where m.id > s.id), array[pg_temp.p(9), pg_temp.p(9)],
  'with what it was for'
);
select is(
  pg_temp.ledger(), '1 1501 -1 11.52 weighed job 1, 2 1501 -1 0 weighed job 1', 'why, and under which reference'
);
delete from interlock.inventory where product_id = pg_temp.p(4);
insert into interlock.inventory (product_id, location_id, quantity) values (pg_temp.p(4), pg_temp.l(1), 2);
select interlock.set_ledger_context(null, null), set_config('interlock.reference', '', true);
delete from interlock.inventory where location_id = pg_temp.l(1) and product_id in (pg_temp.p(2), pg_temp.p(4));
select is(
  pg_temp.ledger(), '4 1501 -2.5 0 weighed, 4 1501 2 2 weighed job 1, 4 1501 -2 0 deleted',
  'what is removed leaves it, and nothing if there was nothing'
);
select is(pg_temp.refusal('delete from interlock.products where id = {p4}'), null, 'then the product can go');
select is_empty('select * from interlock.stock_differences', 'the ledger adds up');

-- Views -------------------------------------------------------------------------

select set_config('role', 'service_role', true);
select results_eq(
  $$select i.id, i.location_id, i.quantity_available::text, i.version from public.inventory_items i where i.product_id = pg_temp.p(1) order by i.location_id$$,
  $$
    select pg_temp.p(1), interlock.online_location(), '10', max(m.id) from interlock.stock_movements m
    where m.product_id = pg_temp.p(1) and m.location_id = interlock.online_location()
    union all
    values (pg_temp.i(1, 1), pg_temp.l(1), '11.52', 3::bigint)
  $$,
  'all stock by its inventory id; the version of the web shop''s is its latest movement'
);
select results_eq(
  $$
    select inventory_id, product::text, location::text, quantity::text, version, unit::text
    from public.inventory_levels where product_id = pg_temp.p(1) and location_id = pg_temp.l(1)
  $$,
  $$values (pg_temp.i(1, 1), 'flower', 'Store 1', '11.52', 3::bigint, 'g')$$,
  'and with names'
);
reset role;
update interlock.products set available_quantity = available_quantity - 1 where id = pg_temp.p(1);
select is(
  (select version from interlock.inventory_items where id = pg_temp.p(1)),
  (select max(m.id) from interlock.stock_movements m where m.product_id = pg_temp.p(1) and m.location_id = interlock.online_location()),
  'each sale is another version'
);
select is((select version from interlock.inventory_items where id = pg_temp.p(3)), 0::bigint, 'what never moved has 0');
select interlock.set_stock_slots(pg_temp.p(2), 2);
update interlock.counter_slots set used = 3 where owner_id = pg_temp.p(2) and slot = 0;
insert into interlock.stock_movements (product_id, delta, reason) values (pg_temp.p(2), -3, 'checkout');
select results_eq(
  format('select quantity_available::int, version from interlock.inventory_items where id = %L', pg_temp.p(2)),
  'values (97, null::bigint)', 'with slots the quantity is exact, and no version can be said without waiting'
);
select is_empty('select * from interlock.stock_differences', 'the ledger adds up');

alter table interlock.inventory disable trigger inventory_record;
update interlock.inventory set quantity = quantity + 0.5 where id = pg_temp.i(1, 1);
alter table interlock.inventory enable trigger inventory_record;
insert into interlock.stock_movements (product_id, location_id, delta, reason) values (pg_temp.p(9), pg_temp.l(2), 3, 'tap');
select results_eq(
  'select product_id, location_id, quantity::text, ledger_quantity::text from interlock.stock_differences order by 1',
  $$values (pg_temp.p(1), pg_temp.l(1), '12.02', '11.52'), (pg_temp.p(9), pg_temp.l(2), '0', '3')$$,
  'what does not add up is seen, with its location'
);
alter table interlock.inventory disable trigger inventory_record;
update interlock.inventory set quantity = quantity - 0.5 where id = pg_temp.i(1, 1);
alter table interlock.inventory enable trigger inventory_record;
insert into interlock.stock_movements (product_id, location_id, delta, reason) values (pg_temp.p(9), pg_temp.l(2), -3, 'tap');

-- Closed ledgers ------------------------------------------------------------------

select is(interlock.close_ledgers(), 0, 'what is new stays open');
select set_config('interlock.purging', 'stock_movements', true);
delete from interlock.stock_movements where product_id = pg_temp.p(1);
insert into interlock.stock_movements (product_id, location_id, delta, reason, created_at)
values
  (pg_temp.p(1), pg_temp.l(1), 12.25, 'tap', now() - interval '50 years'),
  (pg_temp.p(1), pg_temp.l(1), -0.75, 'tap', now() - interval '50 years'),
  (pg_temp.p(1), pg_temp.l(1), 0.02, 'tap', now() - interval '1 day'),
  (pg_temp.p(1), interlock.online_location(), 9, 'tap', now() - interval '50 years');
select set_config('interlock.purging', '', true);
update interlock.settings set close_ledgers_after = '49 years';
select set_eq('select interlock.ledgers_to_close()', array[pg_temp.p(1), pg_temp.i(1, 1)], 'what is due, of the web shop and of a location');
select is(interlock.close_ledgers(), 3, 'is closed');
select results_eq(
  format('select location_id, quantity::text from interlock.stock_balances where product_id = %L order by 1', pg_temp.p(1)),
  $$values (interlock.online_location(), '9'), (pg_temp.l(1), '11.50')$$, 'each by itself'
);
select is((select version from interlock.inventory_items where id = pg_temp.p(1)), b.closed_through, 'the version is what it was')
from interlock.stock_balances b where b.product_id = pg_temp.p(1) and b.location_id = interlock.online_location();
update interlock.settings set keep_stock_movements = '40 years';
select is(interlock.purge_history() ->> 'stock_movements', '3', 'and may go');
select is((select version from interlock.inventory_items where id = pg_temp.p(1)), b.closed_through, 'also then')
from interlock.stock_balances b where b.product_id = pg_temp.p(1) and b.location_id = interlock.online_location();
select is_empty('select * from interlock.stock_differences', 'the ledger adds up');
insert into interlock.stock_movements (product_id, location_id, delta, reason, created_at)
select pg_temp.p(1), pg_temp.l(1), d, 'tap', now() - interval '50 years' from unnest(array[1, -1]) d;
select is(interlock.close_ledger(pg_temp.i(1, 1), 1), 0, 'one that is young is not closed by itself');
select is(interlock.close_ledger(pg_temp.i(1, 1), 3), 3, 'with the next it is, to what was closed before');
select is_empty('select * from interlock.stock_differences', 'the ledger adds up');
update interlock.settings set close_ledgers_after = default, keep_stock_movements = default;

-- decrement_inventory ----------------------------------------------------------------

select pg_temp.ledger();
create temporary table callers (caller text primary key, role text, claims text);
insert into callers
values
  ('shop', 'service_role', '{"role": "service_role"}'),
  ('staff', 'authenticated',
    '{"role": "authenticated", "sub": "50000000-0000-4000-8000-0000000000bb", "app_metadata": {"role": "staff"}}'),
  ('buyer', 'authenticated', '{"role": "authenticated", "sub": "50000000-0000-4000-8000-0000000000aa"}'),
  ('nobody', 'authenticated', '{"role": "authenticated"}'),
  ('anon', 'anon', '{"role": "anon"}');

-- What a call says: its text, or code and details.
create function pg_temp.told(p_caller text, p_sql text)
returns text
language plpgsql
as $$
declare
  v_caller record;
  v_told text;
  v_detail text;
begin
  select * into v_caller from callers where caller = p_caller;
  begin
    perform set_config('role', v_caller.role, true), set_config('request.jwt.claims', v_caller.claims, true);
    execute p_sql into v_told;
  exception
    when others then
      get stacked diagnostics v_detail = pg_exception_detail;
      v_told := case
        when sqlstate like 'PT%' then concat_ws(' ', sqlerrm, nullif((v_detail::jsonb - 'message')::text, '{}'))
        else sqlstate
      end;
  end;
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
  return v_told;
end
$$;
create function pg_temp.decrement(p_id uuid, p_quantity text, p_caller text default 'shop', p_reference text default null)
returns text
language sql
as $$ select pg_temp.told(p_caller, format('select public.decrement_inventory(%L, %L, %L)', p_id, p_quantity, p_reference)) $$;

select is(
  pg_temp.decrement(pg_temp.i(1, 1), '5'),
  format('{"success" : true, "inventory_id" : "%s", "old_quantity" : 11.52, "new_quantity" : 6.52, "deducted" : 5}', pg_temp.i(1, 1)),
  'as report 001 prints it'
);
select is(pg_temp.ledger(), '1 1501 -5 6.52 decrement', 'in the ledger');
select is(pg_temp.decrement(pg_temp.i(1, 1), '0.520', 'staff')::jsonb ->> 'new_quantity', '6', 'staff may, and numbers are trimmed');
select matches(pg_temp.decrement(pg_temp.i(1, 1), '1', c.caller), c.told, c.caller || ' may not')
from (values ('buyer', '^FORBIDDEN'), ('nobody', '^UNAUTHENTICATED'), ('anon', '^42501')) as c (caller, told);
select is(
  pg_temp.decrement(pg_temp.i(1, 1), '6.001'),
  'INSUFFICIENT_INVENTORY '::text || jsonb_build_object('shortages', jsonb_build_array(jsonb_build_object(
    'inventory_id', pg_temp.i(1, 1), 'product_id', pg_temp.p(1), 'location_id', pg_temp.l(1), 'requested', 6.001, 'available', 6
  ))),
  'too much is refused with what there is'
);
select is(pg_temp.decrement(pg_temp.l(1), '1'), 'INVENTORY_NOT_FOUND '::text || jsonb_build_object('inventory_ids', array[pg_temp.l(1)]), 'an unknown id is named');
select is(
  pg_temp.decrement(pg_temp.i(1, 1), q.quantity),
  'VALIDATION_FAILED '::text || jsonb_build_object('problems', jsonb_build_array(jsonb_build_object('pointer', '/p_quantity', 'message', q.message))),
  coalesce(q.quantity, 'no quantity')
)
from (values
  (null, 'is required'), ('0', 'must be above 0'), ('-1', 'must be above 0'), ('-0', 'must be above 0'),
  ('NaN', 'must be a number below 100000000000'), ('Infinity', 'must be a number below 100000000000'),
  ('-Infinity', 'must be a number below 100000000000'), ('1e400', 'must be a number below 100000000000'),
  ('100000000000', 'must be a number below 100000000000'), ('0.0004', 'must have at most 3 decimals')
) as q (quantity, message);
select is(interlock.find_quantity_problem(-100000000000, -100000000000), 'must be a number below 100000000000', 'in either direction');
select is(interlock.find_quantity_problem(q, 0), m, 'a quantity that may be 0: ' || q)
from (values (0, null), (99999999999.999, null), (-0.001, 'must be at least 0')) as t (q, m);
select matches(pg_temp.decrement(null, null), '/p_inventory_id.*/p_quantity', 'every problem at once');
select matches(pg_temp.decrement(pg_temp.i(2, 2), '0.5'), '^VALIDATION_FAILED.*at most 0 decimals.*/p_quantity', 'finer than the product is');
select matches(pg_temp.decrement(pg_temp.i(2, 2), '8'), '^INSUFFICIENT_INVENTORY', 'nothing was taken');
select is(pg_temp.decrement(pg_temp.i(2, 2), '7')::jsonb ->> 'new_quantity', '0', 'the last may go');
select is(pg_temp.ledger(), '1 1501 -0.52 6 decrement, 2 2501 -7 0 decrement', 'refusals leave nothing in the ledger');

-- Of the web shop, with slots too.
select is(
  pg_temp.decrement(pg_temp.p(1), '4.000'),
  format('{"success" : true, "inventory_id" : "%s", "old_quantity" : 9, "new_quantity" : 5, "deducted" : 4}', pg_temp.p(1)),
  'the stock of the web shop'
);
select is(
  pg_temp.decrement(pg_temp.p(1), '6'),
  'INSUFFICIENT_INVENTORY '::text || jsonb_build_object('shortages', jsonb_build_array(jsonb_build_object(
    'inventory_id', pg_temp.p(1), 'product_id', pg_temp.p(1), 'location_id', interlock.online_location(), 'requested', 6, 'available', 5
  ))),
  'is as exact'
);
select is(pg_temp.decrement(pg_temp.p(2), '7')::jsonb ->> 'old_quantity', '97', 'with slots, too');
select matches(pg_temp.decrement(pg_temp.p(2), '91'), 'INSUFFICIENT_INVENTORY.*"available": 90', 'also in what it refuses');
select is(pg_temp.ledger(), '1 1000 -4 5 decrement, 2 1000 -7 decrement', 'and in the ledger');
select matches(pg_temp.decrement(pg_temp.p(1), q), 'whole units.*/p_quantity', q || ' units') from unnest(array['0.5', '1000000001']) q;
select matches(pg_temp.decrement(pg_temp.p(1), '1000000000'), '^INSUFFICIENT_INVENTORY', 'a billion can be asked for');
select matches(pg_temp.decrement(pg_temp.p(3), '1'), '^VALIDATION_FAILED.*digital.*/p_inventory_id', 'codes are claimed');
update interlock.products set stock_policy = 'backorder', backorder_limit = 3 where id = pg_temp.p(1);
select is(
  pg_temp.decrement(pg_temp.p(1), '7')::jsonb - 'inventory_id', '{"success": true, "old_quantity": 5, "new_quantity": -2, "deducted": 7}',
  'what is owed is less than nothing'
);
select is((select quantity_available::text from interlock.inventory_items where id = pg_temp.p(1)), '-2', 'in the view as well');
select is_empty('select * from interlock.stock_differences', 'the ledger adds up');
update interlock.products set stock_policy = 'untracked' where id = pg_temp.p(1);
select is(
  pg_temp.decrement(pg_temp.p(1), '7')::jsonb - 'inventory_id', '{"success": true, "old_quantity": -2, "new_quantity": -2, "deducted": 0}',
  'of an untracked product nothing is taken'
);

-- Once for each reference.
create temporary table first_answer as select pg_temp.decrement(pg_temp.i(1, 1), '2.50', 'shop', 'receipt 1') as told;
select is(current_setting('interlock.reference', true), '', 'the reference is for this call alone');
select is(pg_temp.decrement(pg_temp.i(1, 1), '2.5', 'staff', 'receipt 1'), told, 'the same call, by whomever, is answered the same, letter by letter') from first_answer;
select matches(pg_temp.decrement(pg_temp.i(1, 1), '2', 'shop', 'receipt 1'), '^IDEMPOTENCY_KEY_REUSED', 'another is refused');
select matches(pg_temp.decrement(pg_temp.i(1, 1), '2', 'shop', ''), '^VALIDATION_FAILED.*p_reference', 'a reference is text');
select is(pg_temp.decrement(pg_temp.i(1, 1), '1')::jsonb ->> 'new_quantity', '2.5', 'it acted once');
update interlock.inventory set quantity = 9 where id = pg_temp.i(1, 1);
select is(pg_temp.ledger(), '1 1000 -7 -2 decrement, 1 1501 -2.5 3.5 decrement receipt 1, 1 1501 -1 2.5 decrement, 1 1501 6.5 9 correction', 'the reference stands in the ledger, and no longer than that');
select is_empty('select * from interlock.stock_differences', 'the ledger adds up');

-- Who reads ---------------------------------------------------------------------------

create function pg_temp.rows(p_caller text, p_table text)
returns text
language sql
as $$ select pg_temp.told(p_caller, format('select count(*) from public.%I', p_table)) $$;
select is(
  concat_ws(' ', pg_temp.rows(c.caller, 'locations') = n.locations, pg_temp.rows(c.caller, 'inventory') = n.rows, pg_temp.rows(c.caller, 'inventory_items')), c.told, c.caller || ' reads'
)
from (select count(*)::text as locations, (select count(*)::text from interlock.inventory) as rows from interlock.locations) n
cross join (values ('staff', 't t 42501'), ('buyer', 'f f 42501')) as c (caller, told);
select is(pg_temp.rows('shop', 'inventory'), (select count(*)::text from interlock.inventory), 'the shop as well');
select is(pg_temp.rows('anon', t), '42501', 'nobody else: ' || t) from unnest(array['locations', 'inventory', 'inventory_items', 'inventory_levels']) t;
select is(pg_temp.told('shop', 'update public.inventory set quantity = 1'), '42501', 'and writes by functions only');
select is(pg_temp.told('shop', format('delete from public.locations where id = %L returning 1', pg_temp.l(1))), '23503', 'locations it may write');

select * from finish();
rollback;
