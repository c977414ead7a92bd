-- A file of stock that is brought in: what is wrong with it, by line; all or nothing; the same file again is nothing.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

create function pg_temp.p(p_n int)
returns uuid
language sql
as $$ select ('53000000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;
create function pg_temp.l(p_n int)
returns uuid
language sql
as $$ select ('53100000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;
insert into interlock.products (id, name, price, currency, available_quantity, kind, unit, decimals, stock_policy, backorder_limit)
values
  (pg_temp.p(1), 'tea', 100, 'EUR', 0, 'physical', 'kg', 3, 'tracked', 0),
  (pg_temp.p(2), 'hot', 100, 'EUR', 640, 'physical', default, default, 'tracked', 0),
  (pg_temp.p(3), 'digital', 100, 'EUR', 0, 'digital', default, default, 'tracked', 0),
  (pg_temp.p(4), 'owed', 100, 'EUR', 0, 'physical', default, default, 'backorder', 9);
select interlock.set_stock_slots(pg_temp.p(2), 4);
insert into interlock.locations (id, name, active)
values (pg_temp.l(1), 'Store', true), (pg_temp.l(2), 'Twin', true), (pg_temp.l(3), 'Twin', true), (pg_temp.l(4), 'Closed', false);
insert into interlock.inventory (product_id, location_id, quantity) values (pg_temp.p(2), pg_temp.l(1), 7);

-- Bring in lines `product|location|quantity`, numbered from 2 as in a file with headers.
create function pg_temp.stage(p_reference text, p_lines text[])
returns void
language sql
as $$
  select interlock.stage_stock(p_reference, (
    select jsonb_agg(jsonb_build_array(
      n + 1,
      case when split_part(l, '|', 1) ~ '^[0-9]$' then pg_temp.p(split_part(l, '|', 1)::int)::text else split_part(l, '|', 1) end,
      case when split_part(l, '|', 2) ~ '^[0-9]$' then pg_temp.l(split_part(l, '|', 2)::int)::text else split_part(l, '|', 2) end,
      split_part(l, '|', 3)
    ))
    from unnest(p_lines) with ordinality as x (l, n)
  ), true)
$$;
create function pg_temp.problems(p_answer jsonb)
returns text
language sql
as $$
  select string_agg(format('%s %s', p ->> 'line', p ->> 'message'), '; ' order by (p ->> 'line')::int)
  from jsonb_array_elements(p_answer -> 'problems') p
$$;
create function pg_temp.stock()
returns text
language sql
as $$
  select string_agg(format('%s@%s %s', right(v.product_id::text, 1), case v.location_id when interlock.online_location() then '0' else right(v.location_id::text, 1) end, v.quantity_available), ', ' order by v.product_id, v.location_id)
  from interlock.inventory_items v
  where v.product_id = any (array[pg_temp.p(1), pg_temp.p(2), pg_temp.p(4)])
$$;

select is(pg_temp.stock(), '1@0 0, 2@0 640, 2@1 7, 4@0 0', 'at first');

-- What is wrong ---------------------------------------------------------------------

select pg_temp.stage('bad', array[
  'x||1', '9||1', '3||1', '1|Nowhere|1', '1|Twin|1', '1|Closed|1', '1|4|1', '1||x', '1||', '1||NaN', '1|1|-1', '1|1|0.0004', '1|1|1e3',
  '1|1|100000000000', '1||1.5', '1||1000000001', '2|1|1.5', '4|Store|2', '4|1|3', '2||5', '2|1|8', '1| Store | 11.52 ', '1|2|1.25'
]);
select is(
  pg_temp.problems(interlock.import_stock('bad', false, false)),
  '2 product_id must be a UUID; 3 there is no such product; 4 is a digital product: its stock is its codes; 5 there is no such location; '
    || '6 several locations have this name: give its id; 7 the location is closed; 8 the location is closed; '
    || '9 quantity must be a number from 0 below 100000000000, with at most 3 decimals; 10 quantity must be a number from 0 below 100000000000, with at most 3 decimals; '
    || '11 quantity must be a number from 0 below 100000000000, with at most 3 decimals; 12 quantity must be a number from 0 below 100000000000, with at most 3 decimals; '
    || '13 quantity must be a number from 0 below 100000000000, with at most 3 decimals; 14 quantity must be a number from 0 below 100000000000, with at most 3 decimals; '
    || '15 quantity must be a number from 0 below 100000000000, with at most 3 decimals; 16 quantity must be a whole number: the web shop sells whole units; '
    || '17 quantity must be at most 1000000000; 18 quantity must have at most 0 decimals, as the product has; 20 names the same stock as line 19; '
    || '21 there are 640 already; 22 names the same stock as line 18; 23 names the same stock as line 12',
  'everything, by line'
);
select is(pg_temp.stock(), '1@0 0, 2@0 640, 2@1 7, 4@0 0', 'and nothing is done');
select is((select count(*) from interlock.inventory where product_id = pg_temp.p(1)), 0::bigint, 'no row is left');
select is(
  pg_temp.problems(interlock.import_stock('bad', true, true)), pg_temp.problems(interlock.import_stock('bad', true, false)), 'asked is as tried'
);
select unalike(pg_temp.problems(interlock.import_stock('bad', true, true)), '%already%', 'what is there may be replaced, if one says so');

-- What is right ----------------------------------------------------------------------

select pg_temp.stage('good', array['1||10', '1|Store|11.52', '1|2|1.25', '2||640', '2|1|7', '4|1|0']);
select is(
  interlock.import_stock('good', false, true),
  '{"success": true, "dry_run": true, "lines": 6, "changed": 3, "units": 22.77, "problems": []}', 'what it would do'
);
select is(pg_temp.stock(), '1@0 0, 2@0 640, 2@1 7, 4@0 0', 'asked, it does nothing');
select is(
  interlock.import_stock('good', false, false),
  '{"success": true, "dry_run": false, "lines": 6, "changed": 3, "units": 22.77, "problems": []}', 'what it has done'
);
select is(pg_temp.stock(), '1@0 10, 1@1 11.52, 1@2 1.25, 2@0 640, 2@1 7, 4@0 0, 4@1 0', 'is in the file');
select results_eq(
  $$select delta::numeric, reference from interlock.stock_movements where reason = 'import' order by delta$$,
  $$values (1.25, 'good'), (10, 'good'), (11.52, 'good')$$, 'and in the ledger'
);
select is(current_setting('interlock.reason'), '', 'what changes next is no import');
select is((select count(*) from interlock.stock_import_lines where reference = 'good'), 0::bigint, 'its lines are gone');
select interlock.decrement_inventory(pg_temp.p(1), 4, null);
select pg_temp.stage('good', array['1||10', '1|Store|11.52', '1|2|1.25', '2||640', '2|1|7', '4|1|0']);
select is(interlock.import_stock('good', false, true) -> 'again', 'true', 'again, it says so, when asked');
select is(interlock.import_stock('good', true, false) -> 'again', 'true', 'and when told');
select is((select available_quantity from interlock.products where id = pg_temp.p(1)), 6, 'and is nothing, whatever was sold since');
select is((select count(*) from interlock.stock_import_lines where reference = 'good'), 0::bigint, 'once more its lines are gone');

select interlock.set_ledger_context(null, null);
update interlock.products set available_quantity = 0, backordered = 3 where id = pg_temp.p(4);
select interlock.use_slot(pg_temp.p(2), 5, true);
insert into interlock.stock_movements (product_id, delta, reason) values (pg_temp.p(2), -5, 'tap');
select pg_temp.stage('more', array['2||320', '2|1|0', '4||5']);
select is(
  pg_temp.problems(interlock.import_stock('more', false, false)), '2 there are 635 already; 3 there are 7 already',
  'what is there is not overwritten; what slots have sold is not there'
);
select is(
  interlock.import_stock('more', true, false),
  '{"success": true, "dry_run": false, "lines": 3, "changed": 3, "units": 327, "problems": []}', 'over what is there'
);
select is(pg_temp.stock(), '1@0 6, 1@1 11.52, 1@2 1.25, 2@0 320, 2@1 0, 4@0 2, 4@1 0', 'what is owed is filled from it');
select is((select sum(granted) from interlock.counter_slots where owner_id = pg_temp.p(2)), 320::bigint, 'slots are shared out anew');
select is_empty('select * from interlock.stock_differences', 'the books agree');

-- Pieces, and what is left of files -------------------------------------------------------

select interlock.stage_stock('parts', jsonb_build_array(jsonb_build_array(2, pg_temp.p(1), '', '7')), true);
select interlock.stage_stock('parts', jsonb_build_array(jsonb_build_array(3, pg_temp.p(1), 'Store', '12')), false);
select is(interlock.import_stock('parts', true, true) ->> 'lines', '2', 'it comes in pieces');
update interlock.stock_import_lines set created_at = now() - interval '25 hours' where reference = 'bad';
select interlock.stage_stock('parts', jsonb_build_array(jsonb_build_array(2, pg_temp.p(1), '', '8')), true);
select is(
  (select string_agg(reference || line, ' ') from interlock.stock_import_lines), 'parts2', 'anew, what was left goes, also of yesterday'
);
select throws_ok($$select interlock.import_stock('ü', true, false)$$, 'PT400', 'VALIDATION_FAILED', 'a reference is ASCII');

select * from finish();
rollback;
