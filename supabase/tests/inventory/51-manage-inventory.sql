-- manage_inventory: stock of several products and locations read, adjusted, received, set under a version and counted,
-- all lines or none; what is refused, in which words, and that nothing has changed then.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(136);

insert into auth.users (id, aud, role, email)
values
  ('50000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-51@example.com'),
  ('50000000-0000-4000-8000-0000000000bb', 'authenticated', 'authenticated', 'tap-51-staff@example.com');

-- Product n, location n, the row of both.
create function pg_temp.p(p_n int)
returns uuid
language sql
as $$ select ('51000000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;
create function pg_temp.l(p_n int)
returns uuid
language sql
as $$ select case p_n when 0 then interlock.online_location() else ('51100000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid end $$;
create function pg_temp.i(p_product int, p_location int)
returns uuid
language sql
as $$ select id from interlock.inventory where product_id = pg_temp.p(p_product) and location_id = pg_temp.l(p_location) $$;

insert into interlock.products (id, name, price, currency, available_quantity, kind, unit, decimals)
values
  (pg_temp.p(1), 'flower', 100, 'EUR', 10, 'physical', 'g', 3),
  (pg_temp.p(2), 'hot', 100, 'EUR', 100, 'physical', default, default),
  (pg_temp.p(3), 'digital', 100, 'EUR', 0, 'digital', default, default),
  (pg_temp.p(4), 'owed', 100, 'EUR', 0, 'physical', default, default),
  (pg_temp.p(5), 'never moved', 100, 'EUR', 0, 'physical', 'kg', 1);
insert into interlock.locations (id, name, active)
values (pg_temp.l(1), 'Store', true), (pg_temp.l(2), 'Warehouse', true), (pg_temp.l(3), 'Closed', false);
insert into interlock.inventory (product_id, location_id, quantity)
values (pg_temp.p(1), pg_temp.l(1), 11.52), (pg_temp.p(2), pg_temp.l(1), 7), (pg_temp.p(2), pg_temp.l(3), 2);

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
-- A request in short, where p is a product, l a location, i a row of both ("1 1"), and what it is told in short: success with
-- `inventory old new version` of each line, or the code with its details.
create function pg_temp.lines(p_lines text)
returns jsonb
language plpgsql
as $$
declare
  v_match text[];
  v_lines text := p_lines;
begin
  for v_match in select regexp_matches(v_lines, '"([pli])": "([0-9])( [0-9])?"', 'g') loop
    v_lines := replace(v_lines, format('"%s": "%s%s"', v_match[1], v_match[2], coalesce(v_match[3], '')), case v_match[1]
      when 'p' then format('"product_id": "%s"', pg_temp.p(v_match[2]::int))
      when 'l' then format('"location_id": "%s"', pg_temp.l(v_match[2]::int))
      else format('"inventory_id": "%s"', coalesce(pg_temp.i(v_match[2]::int, v_match[3]::int), pg_temp.p(v_match[2]::int)))
    end);
  end loop;
  return v_lines;
end
$$;
create function pg_temp.name_of(p_inventory_id uuid)
returns text
language sql
as $$
  select coalesce(
    (select format('%s@%s', right(i.product_id::text, 1), right(i.location_id::text, 1)) from interlock.inventory i where i.id = p_inventory_id),
    right(p_inventory_id::text, 1) || '@0'
  )
$$;
create function pg_temp.asked(p_action text, p_lines text, p_more text default '', p_caller text default 'shop')
returns text
language sql
as $$
  select pg_temp.told(p_caller, format('select public.manage_inventory(%L, %L%s)', p_action, pg_temp.lines(p_lines), p_more))
$$;
create function pg_temp.short(p_told text)
returns text
language sql
as $$
  select case when p_told like '{"success"%' then (
    select string_agg(
      concat_ws(' ', pg_temp.name_of((l ->> 'inventory_id')::uuid), coalesce(l ->> 'old_quantity', l ->> 'quantity'), l ->> 'new_quantity',
        case when l ->> 'location_id' <> interlock.online_location()::text then l ->> 'version' end),
      ', ' order by n
    )
    from json_array_elements(p_told::json -> 'lines') with ordinality as e (l, n)
  ) else p_told end
$$;
create function pg_temp.manage(p_action text, p_lines text, p_more text default '', p_caller text default 'shop')
returns text
language sql
as $$ select pg_temp.short(pg_temp.asked(p_action, p_lines, p_more, p_caller)) $$;

-- Everything that could have changed.
create function pg_temp.state()
returns text
language sql
as $$
  select concat_ws(' ',
    (select md5(string_agg(i::text, ',' order by i.id)) from interlock.inventory i),
    (select md5(string_agg(p::text, ',' order by p.id)) from interlock.products p),
    (select md5(string_agg(c::text, ',' order by c.owner_id, c.slot)) from interlock.counter_slots c),
    (select count(*) from interlock.stock_movements), (select count(*) from interlock.idempotency_keys)
  )
$$;
create temporary table seen as select coalesce(max(id), 0) as id from interlock.stock_movements;
-- The ledger since the last look: `product@location delta balance reason reference`.
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
    concat_ws(' ', right(product_id::text, 1) || '@' || case location_id when interlock.online_location() then '0' else right(location_id::text, 1) end,
      delta, balance_after, reason, reference),
    ', ' order by product_id, id
  )
  from fresh, moved
$$;

-- get ---------------------------------------------------------------------------

select is(
  pg_temp.asked('get', '[{"i": "1 1"}]'),
  format('{"success" : true, "lines" : [{"inventory_id" : "%s", "product_id" : "%s", "location_id" : "%s", "quantity" : 11.52, "version" : 1}]}',
    pg_temp.i(1, 1), pg_temp.p(1), pg_temp.l(1)),
  'a stock with its version'
);
select is(
  pg_temp.asked('get', '[{"p": "5", "l": "2"}, {"p": "5"}]')::jsonb -> 'lines',
  jsonb_build_array(
    jsonb_build_object('inventory_id', null, 'product_id', pg_temp.p(5), 'location_id', pg_temp.l(2), 'quantity', 0, 'version', 0),
    jsonb_build_object('inventory_id', pg_temp.p(5), 'product_id', pg_temp.p(5), 'location_id', pg_temp.l(0), 'quantity', 0, 'version', 0)
  ),
  'where nothing has been is 0 with version 0, and without a location the web shop'
);
select is(pg_temp.manage('get', '[{"i": "1 0"}, {"p": "1", "l": "1"}, {"p": "1"}, {"p": "3"}]', '', 'staff'), '1@0 10, 1@1 11.52 1, 1@0 10, 3@0 0', 'line by line, also for staff');
select is(
  (pg_temp.asked('get', '[{"i": "1 0"}]')::jsonb #>> '{lines,0,version}')::bigint,
  (select max(id) from interlock.stock_movements where product_id = pg_temp.p(1) and location_id = pg_temp.l(0)),
  'the version of the web shop''s stock is its latest movement'
);
select interlock.set_stock_slots(pg_temp.p(2), 2);
update interlock.counter_slots set used = 3 where owner_id = pg_temp.p(2) and slot = 0;
insert into interlock.stock_movements (product_id, delta, reason) values (pg_temp.p(2), -3, 'checkout');
select is(
  pg_temp.asked('get', '[{"p": "2"}]')::jsonb #> '{lines,0}',
  jsonb_build_object('inventory_id', pg_temp.p(2), 'product_id', pg_temp.p(2), 'location_id', pg_temp.l(0), 'quantity', 97, 'version', max(id)),
  'with slots, too, exactly'
)
from interlock.stock_movements where product_id = pg_temp.p(2);
select is(
  pg_temp.manage('get', '[{"i": "1 1"}]', m), 'VALIDATION_FAILED {"problems": [{"message": "reads: it takes no reason, reference or key", "pointer": "/action"}]}', 'it takes nothing' || m
)
from unnest(array[$$, p_reason => 'x'$$, $$, p_reference => 'x'$$, $$, p_idempotency_key => 'x'$$]) m;

-- Who -------------------------------------------------------------------------------

select matches(pg_temp.manage('get', '[{"i": "1 1"}]', '', c.caller), c.told, c.caller || ' may not')
from (values ('buyer', '^FORBIDDEN'), ('nobody', '^UNAUTHENTICATED'), ('anon', '^42501')) as c (caller, told);

-- adjust and receive ------------------------------------------------------------------

select pg_temp.ledger();
select is(
  pg_temp.asked('adjust', '[{"i": "1 1", "delta": -0.52}]'),
  format('{"success" : true, "action" : "adjust", "lines" : [{"inventory_id" : "%s", "product_id" : "%s", "location_id" : "%s", "old_quantity" : 11.52, "new_quantity" : 11, "version" : 2}]}',
    pg_temp.i(1, 1), pg_temp.p(1), pg_temp.l(1)),
  'something went'
);
select is(
  pg_temp.manage('adjust', '[{"p": "2", "delta": -7}, {"p": "1", "l": "2", "delta": 2.5}, {"p": "1", "l": "1", "delta": 1}, {"i": "1 1", "delta": -3}]', $$, p_reason => 'spoilt'$$, 'staff'),
  '2@0 97 90, 1@2 0 2.5 2, 1@1 11 9 3', 'several at once; what names the same stock is added up, and a row is made where none was'
);
select is(
  pg_temp.ledger(), '1@1 -0.52 11 adjustment, 1@2 2.5 2.5 spoilt, 1@1 -2 9 spoilt, 2@0 -7 spoilt', 'the ledger says why'
);
select is(pg_temp.manage('receive', '[{"i": "1 0", "quantity": 5}, {"p": "4", "l": "1", "quantity": 3}]', $$, p_reference => 'delivery 1'$$), '1@0 10 15, 4@1 0 3 2', 'goods come in');
select is(pg_temp.ledger(), '1@0 5 15 received delivery 1, 4@1 3 3 received delivery 1', 'and the ledger says from where');
select is((select sum(granted)::int from interlock.counter_slots where owner_id = pg_temp.p(2)), 90, 'slots have their share');
select is(pg_temp.manage('adjust', '[{"i": "1 1", "delta": 5}, {"i": "1 1", "delta": -5}]'), '1@1 9 9 3', 'what comes to nothing changes nothing');
select is(pg_temp.ledger(), null, 'not even the ledger');

-- Of what is owed.
update interlock.products set stock_policy = 'backorder', backorder_limit = 9, backordered = 3 where id = pg_temp.p(4);
select is(pg_temp.manage('get', '[{"p": "4"}]'), '4@0 -3', 'what is owed is less than nothing');
select is(pg_temp.manage('adjust', '[{"p": "4", "delta": 1}]'), '4@0 -3 -2', 'what comes in fills it first');
select is(pg_temp.manage('receive', '[{"p": "4", "quantity": 7}]'), '4@0 -2 5', 'then there is something to sell');
select is((select array[available_quantity, backordered] from interlock.products where id = pg_temp.p(4)), '{5,0}', 'exactly that');

-- set -----------------------------------------------------------------------------------

select is(pg_temp.manage('set', '[{"i": "1 1", "quantity": 8.5, "expected_version": 3}]'), '1@1 9 8.5 4', 'by version');
select is(pg_temp.manage('set', '[{"i": "1 1", "quantity": 8.25, "expected_quantity": 8.50}]'), '1@1 8.5 8.25 5', 'by quantity');
select is(pg_temp.manage('set', '[{"i": "1 1", "quantity": 8, "expected_quantity": 8.25, "expected_version": 5}]'), '1@1 8.25 8 6', 'by both');
select is(pg_temp.manage('set', '[{"p": "5", "l": "2", "quantity": 1.5, "expected_version": 0}]'), '5@2 0 1.5 2', 'where nothing has been by version 0');
select is(pg_temp.manage('set', '[{"p": "2", "quantity": 95, "expected_quantity": 90}]'), '2@0 90 95', 'of the web shop');
select is(pg_temp.manage('set', format('[{"p": "2", "quantity": 96, "expected_version": %s}]', pg_temp.asked('get', '[{"p": "2"}]')::jsonb #> '{lines,0,version}')), '2@0 95 96', 'and by its version');
select is(pg_temp.manage('set', '[{"i": "1 1", "quantity": 8, "expected_version": 6.0}]'), '1@1 8 8 6', 'to what it is');
update interlock.products set available_quantity = 0, backordered = 3 where id = pg_temp.p(4);
select is(pg_temp.manage('set', '[{"p": "4", "quantity": 2, "expected_quantity": -3}]'), '4@0 -3 2', 'of what is owed, too');
select is((select array[available_quantity, backordered] from interlock.products where id = pg_temp.p(4)), '{2,0}', 'and that is there');
select is(
  pg_temp.ledger(),
  '1@1 -0.5 8.5 correction, 1@1 -0.25 8.25 correction, 1@1 -0.25 8 correction, 2@0 5 correction, 2@0 1 correction, 4@0 -3 -3 correction, 4@0 1 -2 adjustment, 4@0 7 5 received, 4@0 -8 -3 correction, 4@0 5 2 correction, 5@2 1.5 1.5 correction',
  'the ledger has the differences'
);

create temporary table before_conflicts as select pg_temp.state() as state;
select is(
  pg_temp.asked('set', '[{"i": "1 1", "quantity": 1, "expected_version": 5}, {"p": "2", "quantity": 9, "expected_quantity": 95}, {"p": "5", "l": "1", "quantity": 9, "expected_version": 1}, {"i": "5 2", "quantity": 9, "expected_version": 2}]',
    $$, p_idempotency_key => 'set 1', p_reference => 'set 1'$$)::jsonb - 'hint',
  jsonb_build_object('code', 'PT409', 'message', 'VERSION_CONFLICT', 'details', jsonb_build_object(
    'message', 'The stock is no longer what was read.',
    'conflicts', jsonb_build_array(
      jsonb_build_object('line', 0, 'inventory_id', pg_temp.i(1, 1), 'product_id', pg_temp.p(1), 'location_id', pg_temp.l(1),
        'expected_version', 5, 'expected_quantity', null, 'version', 6, 'quantity', 8),
      jsonb_build_object('line', 1, 'inventory_id', pg_temp.p(2), 'product_id', pg_temp.p(2), 'location_id', pg_temp.l(0),
        'expected_version', null, 'expected_quantity', 95, 'version', interlock.stock_version(pg_temp.p(2)), 'quantity', 96),
      jsonb_build_object('line', 2, 'inventory_id', null, 'product_id', pg_temp.p(5), 'location_id', pg_temp.l(1),
        'expected_version', 1, 'expected_quantity', null, 'version', 0, 'quantity', 0)
    )
  )::text),
  'every conflict is answered, with what there is'
);
select is(current_setting('response.status', true), '409', 'as 409');
select is(pg_temp.state(), state, 'nothing has changed, no key is used, no row was made') from before_conflicts;
select matches(pg_temp.asked('adjust', '[{"i": "1 1", "delta": -1, "expected_version": 5}]'), 'VERSION_CONFLICT', 'an adjustment may expect a version as well');
select matches(pg_temp.asked('set', '[{"i": "1 1", "quantity": 1, "expected_quantity": 8, "expected_version": 5}]', ', p_rebase => true'), 'VERSION_CONFLICT', 'both must be');
select is(pg_temp.state(), state, 'nothing has changed') from before_conflicts;
select results_eq(
  'select product_id, operation::text, hour, conflicts::int, rebased::int from public.inventory_conflict_rates where product_id in (pg_temp.p(1), pg_temp.p(2), pg_temp.p(5)) order by 1, 2',
  $$
    values (pg_temp.p(1), 'adjust', date_trunc('hour', now()), 1, 0), (pg_temp.p(1), 'set', date_trunc('hour', now()), 2, 1),
      (pg_temp.p(2), 'set', date_trunc('hour', now()), 1, 0), (pg_temp.p(5), 'set', date_trunc('hour', now()), 1, 0)
  $$,
  'they are counted'
);
select is(pg_temp.manage('adjust', '[{"i": "1 1", "delta": -1, "expected_version": 6}]'), '1@1 8 7 7', 'it works on what there is');

-- count ---------------------------------------------------------------------------------------

select is(pg_temp.ledger(), '1@1 -1 7 adjustment', 'so far');
update interlock.products set available_quantity = 20, stock_policy = 'tracked' where id = pg_temp.p(1);
select set_config('interlock.purging', 'stock_movements', true);
delete from interlock.stock_movements where product_id in (pg_temp.p(1), pg_temp.p(4));
insert into interlock.stock_movements (product_id, location_id, delta, reason, created_at)
select pg_temp.p(1), l, d, 'tap', now() - a
from (values
  (pg_temp.l(1), 12.0, interval '3 days'), (pg_temp.l(1), -1, '2 hours 1 second'), (pg_temp.l(1), -1, '59 minutes'),
  (pg_temp.l(1), -1.5, '1 hour'), (pg_temp.l(1), -1.5, '30 minutes'),
  (pg_temp.l(2), 2.5, '3 days'), (pg_temp.l(0), 21, '3 days'), (pg_temp.l(0), -1, '10 minutes')
) as m (l, d, a);
select set_config('interlock.purging', '', true);
insert into interlock.stock_movements (product_id, delta, reason, created_at) values (pg_temp.p(4), 2, 'tap', now() - interval '3 days');
select is(interlock.moved_since(pg_temp.p(1), pg_temp.l(1), now() - interval '1 hour'), -2.5, 'what came and went since an hour ago');
select is(interlock.moved_since(pg_temp.p(1), pg_temp.l(1), now() - interval '4 days'), 7.0, 'since the beginning');
select is(interlock.moved_since(pg_temp.p(1), pg_temp.l(1), now() - interval '45 minutes'), -1.5, 'an older one above a younger one is passed over');
select pg_temp.ledger();
select is(
  pg_temp.manage('count', format('[{"i": "1 1", "counted": 9.5}, {"p": "1", "counted": 18, "began_at": "%s"}]', to_char(now() - interval '1 minute', 'YYYY-MM-DD"T"HH24:MI:SSOF')), format(', p_began_at => %L', now() - interval '1 hour')),
  '1@1 7 7 7, 1@0 20 18', 'what was sold since counting began is taken off what was counted'
);
select is(pg_temp.manage('count', '[{"i": "1 1", "counted": 3}, {"i": "1 1", "counted": 2}]', ', p_began_at => now()', 'staff'), '1@1 7 5 8', 'in two places');
select is(pg_temp.ledger(), '1@0 -2 18 count, 1@1 -2 5 count', 'the ledger has the difference');
select is(
  pg_temp.manage('count', '[{"i": "1 1", "counted": 1}]', format(', p_began_at => %L', now() - interval '1 hour')),
  'INSUFFICIENT_INVENTORY '::text || jsonb_build_object('shortages', jsonb_build_array(jsonb_build_object(
    'inventory_id', pg_temp.i(1, 1), 'product_id', pg_temp.p(1), 'location_id', pg_temp.l(1), 'requested', 4.5, 'available', 1
  ))),
  'more was sold since than was counted'
);
update interlock.products set stock_policy = 'backorder', available_quantity = 0, backordered = 3 where id = pg_temp.p(4);
-- Two were there when counting began, and five were sold since.
select is(
  pg_temp.manage('count', '[{"p": "4", "counted": 6}]', format(', p_began_at => %L', now() - interval '1 minute')), '4@0 -3 1',
  'what was not owed yet when counting began is not filled twice'
);
update interlock.products set available_quantity = 0, backordered = 3 where id = pg_temp.p(4);
select is(pg_temp.manage('count', '[{"p": "4", "counted": 5}]', format(', p_began_at => %L', clock_timestamp())), '4@0 -3 2', 'what was owed then is filled from what was counted');
update interlock.products set available_quantity = 0, backordered = 3 where id = pg_temp.p(4);
select is(pg_temp.manage('count', '[{"p": "4", "counted": 0}]', format(', p_began_at => %L', clock_timestamp())), '4@0 -3 -3', 'or stays owed');
select is_empty($$select * from interlock.stock_differences where product_id in (pg_temp.p(2), pg_temp.p(5))$$, 'the ledger adds up');

-- The version of the web shop's stock is of that product there, whatever moved later elsewhere.
insert into interlock.stock_movements (product_id, location_id, delta, reason) values (pg_temp.p(9), pg_temp.l(0), 1, 'tap'), (pg_temp.p(1), pg_temp.l(2), 1, 'tap');
select is(interlock.stock_version(pg_temp.p(1)), (select max(id) from interlock.stock_movements where product_id = pg_temp.p(1) and location_id = pg_temp.l(0)), 'its own latest movement');
insert into interlock.stock_balances
select p, l, 4000000000000 + n, 0 from (values (1, pg_temp.p(1), pg_temp.l(0)), (2, pg_temp.p(1), pg_temp.l(2)), (3, pg_temp.p(9), pg_temp.l(0))) as b (n, p, l);
select is(interlock.stock_version(pg_temp.p(1)), 4000000000001, 'or the last that is closed and may be gone');
select is(interlock.stock_version(pg_temp.p(8)), 0::bigint, 'or none');
delete from interlock.stock_balances where closed_through > 4000000000000;

-- Once for each key and each reference --------------------------------------------------------------

create temporary table answers as
select pg_temp.asked('adjust', '[{"i": "5 2", "delta": 0.5}]', $$, p_reason => 'found', p_reference => 'job 7', p_idempotency_key => 'k 1'$$) as told;
select is(current_setting('interlock.reference', true), '', 'no reference is left behind');
select is(pg_temp.asked('adjust', '[{"i": "5 2", "delta": 0.5}]', $$, p_reason => 'found', p_reference => 'job 7', p_idempotency_key => 'k 1'$$), told, 'the same key is answered the same, letter by letter') from answers;
select is(pg_temp.asked('adjust', '[{"i": "5 2", "delta": 0.5}]', $$, p_reason => 'found', p_reference => 'job 7'$$, 'staff'), told, 'so is the same reference, whoever says it') from answers;
select is(pg_temp.asked('adjust', '[{"i": "5 2", "delta": 0.5}]', $$, p_reason => 'found', p_reference => 'job 7', p_idempotency_key => 'k 2'$$), told, 'also under a key that is new') from answers;
select is(pg_temp.asked('adjust', '[{"i": "5 2", "delta": 0.5}]', $$, p_reason => 'found', p_reference => 'job 7', p_idempotency_key => 'k 2'$$), told, 'which then has it, too') from answers;
select matches(pg_temp.asked('adjust', '[{"i": "5 2", "delta": 0.6}]', m), '^IDEMPOTENCY_KEY_REUSED', 'another request is refused' || m)
from unnest(array[
  $$, p_reason => 'found', p_reference => 'job 7', p_idempotency_key => 'k 1'$$, $$, p_reason => 'found', p_reference => 'job 7'$$,
  $$, p_reason => 'found', p_idempotency_key => 'k 1'$$
]) m;
select matches(pg_temp.asked('adjust', '[{"i": "5 2", "delta": 0.5}]', m), '^IDEMPOTENCY_KEY_REUSED', 'so is another reason or reference' || m)
from unnest(array[
  $$, p_reason => 'lost', p_reference => 'job 7'$$, $$, p_reason => 'found', p_reference => 'job 8', p_idempotency_key => 'k 1'$$
]) m;
select is(pg_temp.manage('receive', '[{"i": "5 2", "quantity": 1}]', $$, p_reference => 'job 7', p_idempotency_key => 'k 3'$$), '5@2 2 3 4', 'a reference counts for its action');
select matches(pg_temp.manage('count', '[{"i": "5 2", "counted": 1}]', $$, p_began_at => now(), p_idempotency_key => 'k 3'$$), '^IDEMPOTENCY_KEY_REUSED', 'a key for one request, whatever the action');
select is(pg_temp.manage('set', '[{"i": "5 2", "quantity": 4, "expected_quantity": 3, "expected_version": 4}]', $$, p_rebase => true, p_idempotency_key => 'k 4'$$), '5@2 3 4 5', 'what adds one');
select is(pg_temp.manage('set', '[{"i": "5 2", "quantity": 5, "expected_quantity": 4}]', $$, p_rebase => true, p_idempotency_key => 'k 4'$$), '5@2 3 4 5', 'adds it once, whatever it is added to');
select matches(pg_temp.manage('set', '[{"i": "5 2", "quantity": 6, "expected_quantity": 4}]', $$, p_rebase => true, p_idempotency_key => 'k 4'$$), '^IDEMPOTENCY_KEY_REUSED', 'and nothing else');

-- Refusals: all that is wrong, by name, and nothing changed ------------------------------------------------

create temporary table before_refusals as select pg_temp.state() as state;
select is(
  pg_temp.manage(t.action, t.lines, t.more), t.told, concat_ws(' ', t.action, t.lines, t.more)
)
from (
  select v.action, v.lines, v.more, 'VALIDATION_FAILED ' || jsonb_build_object('problems', (
    select jsonb_agg(jsonb_build_object('pointer', p[1], 'message', p[2]) order by n)
    from regexp_matches(v.problems, '(/[^ ]*) ([^;]+)', 'g') with ordinality as r (p, n)
  ))::text as told
  from (values
    ('sell', '[{"i": "1 1"}]', '', '/action must be one of get, adjust, receive, set, count, transfer, cancel, lose'),
    ('adjust', '{}', '', '/lines must be a list of 1 to 100 objects'),
    ('adjust', '[]', '', '/lines must have 1 to 100 lines'),
    ('adjust', '[1, {"i": "1 1", "delta": 1}, "x"]', '', '/lines/0 must be a JSON object;/lines/2 must be a JSON object'),
    ('adjust', '[{"delta": 1}]', '', '/lines/0/inventory_id is required, or product_id'),
    ('adjust', '[{"i": "1 1", "p": "1", "delta": 1}]', '', '/lines/0/inventory_id cannot go with product_id or location_id'),
    ('adjust', '[{"l": "1", "delta": 1}]', '', '/lines/0/product_id is required with location_id'),
    ('adjust', '[{"inventory_id": "x", "delta": 1}, {"product_id": 5, "location_id": {}, "delta": 1}]', '', '/lines/0/inventory_id must be a UUID;/lines/1/location_id must be a UUID;/lines/1/product_id must be a UUID'),
    ('adjust', '[{"inventory_id": "----", "delta": 1}]', '', '/lines/0/inventory_id must be a UUID'),
    ('adjust', '[{"inventory_id": "z0000000-0000-4000-8000-000000000001", "delta": 1}]', '', '/lines/0/inventory_id must be a UUID'),
    ('adjust', '[{"i": "1 1"}]', '', '/lines/0/delta is required'),
    ('adjust', '[{"i": "1 1", "delta": null}]', '', '/lines/0/delta is required'),
    ('adjust', '[{"i": "1 1", "delta": 0}]', '', '/lines/0/delta must not be 0'),
    ('adjust', '[{"i": "1 1", "delta": -0}]', '', '/lines/0/delta must not be 0'),
    ('adjust', '[{"i": "1 1", "delta": "1"}]', '', '/lines/0/delta must be a number'),
    ('adjust', '[{"i": "1 1", "delta": "NaN"}]', '', '/lines/0/delta must be a number'),
    ('adjust', '[{"i": "1 1", "delta": 1e400}]', '', '/lines/0/delta must be a number below 100000000000'),
    ('adjust', '[{"i": "1 1", "delta": -100000000000}]', '', '/lines/0/delta must be a number below 100000000000'),
    ('adjust', '[{"i": "1 1", "delta": 0.0004}]', '', '/lines/0/delta must have at most 3 decimals'),
    ('adjust', '[{"i": "1 1", "delta": 1, "a/b~": 1, "counted": 1}]', '', '/lines/0/a~1b~0 is not a field of this action;/lines/0/counted is not a field of this action'),
    ('adjust', '[{"i": "1 1", "delta": 1, "expected_version": 1.5}]', '', '/lines/0/expected_version must be a whole number from 0 to 9007199254740991'),
    ('adjust', '[{"i": "1 1", "delta": 1, "expected_version": -1}]', '', '/lines/0/expected_version must be a whole number from 0 to 9007199254740991'),
    ('adjust', '[{"i": "1 1", "delta": 1, "expected_version": 9007199254740992}]', '', '/lines/0/expected_version must be a whole number from 0 to 9007199254740991'),
    ('receive', '[{"i": "1 1", "quantity": 0}, {"i": "1 1", "quantity": -1}]', '', '/lines/0/quantity must be above 0;/lines/1/quantity must be above 0'),
    ('set', '[{"i": "1 1", "quantity": 1}]', '', '/lines/0/expected_version is required, or expected_quantity: what you have read'),
    ('set', '[{"i": "1 1", "quantity": -1, "expected_version": 1}]', '', '/lines/0/quantity must be at least 0'),
    ('set', '[{"i": "1 1", "quantity": 1, "expected_quantity": 1.0001}]', '', '/lines/0/expected_quantity must have at most 3 decimals'),
    ('set', '[{"i": "1 1", "quantity": 1, "expected_version": 1}]', ', p_rebase => true', '/lines/0/expected_quantity is required with rebase'),
    ('set', '[{"i": "1 1", "quantity": 1}, 1]', ', p_rebase => true', '/lines/0/expected_version is required, or expected_quantity: what you have read;/lines/1 must be a JSON object'),
    ('count', '[1]', '', '/lines/0 must be a JSON object'),
    ('adjust', '[{"i": "1 1", "delta": 1, "expected_version": 1}]', ', p_rebase => true', '/rebase is for set'),
    ('adjust', '[{"i": "1 1", "delta": 1}]', ', p_began_at => now()', '/began_at is for count'),
    ('adjust', '[{"i": "1 1", "delta": 1}]', ', p_transfer_id => gen_random_uuid(), p_in_transit => false', '/transfer_id is not for this action;/in_transit is not for this action'),
    ('adjust', '[{"i": "1 1", "delta": 1}]', $$, p_reason => ''$$, '/reason must be a text of 1 to 100 characters without control characters'),
    ('adjust', '[{"i": "1 1", "delta": 1}]', $$, p_reason => repeat('x', 101), p_reference => ''$$, '/reason must be a text of 1 to 100 characters without control characters;/reference must be 1 to 255 printable ASCII characters'),
    ('adjust', '[{"i": "1 1", "delta": 1}]', $$, p_reference => repeat('x', 256)$$, '/reference must be 1 to 255 printable ASCII characters'),
    ('count', '[{"i": "1 1", "counted": 1}]', '', '/lines/0/began_at is required: when counting began'),
    ('count', '[{"i": "1 1", "counted": -1}]', $$, p_began_at => now() + interval '1 hour'$$, '/began_at must not be in the future;/lines/0/counted must be at least 0'),
    ('count', '[{"i": "1 1", "counted": 1, "began_at": "2126-01-01T00:00:00Z"}]', '', '/lines/0/began_at must not be in the future'),
    ('count', '[{"i": "1 1", "counted": 1, "began_at": "2026-13-01T00:00:00Z"}]', '', '/lines/0/began_at must be a date with time and zone, as 2026-11-28T12:00:00Z'),
    ('count', '[{"i": "1 1", "counted": 1, "began_at": "2026-01-01"}, {"i": "1 1", "counted": 1, "began_at": 5}]', '', '/lines/0/began_at must be a date with time and zone, as 2026-11-28T12:00:00Z;/lines/1/began_at must be a date with time and zone, as 2026-11-28T12:00:00Z'),
    ('set', '[{"i": "1 1", "quantity": 1, "expected_version": 1}, {"p": "1", "l": "1", "quantity": 1, "expected_version": 1}]', '', '/lines/1/product_id names the same stock as line 0'),
    ('set', '[{"i": "1 1", "quantity": 1, "expected_version": 1}, {"i": "1 1", "quantity": 1, "expected_version": 1}]', '', '/lines/1/inventory_id names the same stock as line 0'),
    ('count', '[{"i": "1 1", "counted": 1}, {"i": "1 1", "counted": 1, "began_at": "2026-01-01T00:00:00Z"}]', ', p_began_at => now()', '/lines/1/began_at must be that of line 0, which counts the same stock'),
    ('adjust', '[{"p": "3", "delta": 1}, {"i": "3 0", "delta": 1}]', '', '/lines/0/product_id is a digital product: its stock is its codes;/lines/1/inventory_id is a digital product: its stock is its codes'),
    ('adjust', '[{"p": "1", "delta": 0.5}, {"p": "2", "l": "1", "delta": 0.5}, {"p": "5", "l": "1", "delta": 0.25}]', '',
      '/lines/0/delta must be a whole number: the web shop sells whole units;/lines/1/delta must have at most 0 decimals, as the product has;/lines/2/delta must have at most 1 decimals, as the product has'),
    ('receive', '[{"p": "5", "l": "1", "quantity": 0.25}]', '', '/lines/0/quantity must have at most 1 decimals, as the product has'),
    ('count', '[{"p": "5", "l": "1", "counted": 0.25}]', ', p_began_at => now()', '/lines/0/counted must have at most 1 decimals, as the product has')
  ) as v (action, lines, more, problems)
) t;
select is(
  pg_temp.manage('adjust', (select jsonb_agg('{"i": "1 1", "delta": 1}'::jsonb)::text from generate_series(1, n))), told, n || ' lines'
)
from (values (101, 'VALIDATION_FAILED {"problems": [{"message": "must have 1 to 100 lines", "pointer": "/lines"}]}')) as v (n, told);
select is(pg_temp.manage(null, null), 'VALIDATION_FAILED {"problems": [{"message": "must be one of get, adjust, receive, set, count, transfer, cancel, lose", "pointer": "/action"}, {"message": "must be a list of 1 to 100 objects", "pointer": "/lines"}]}', 'nothing');
select matches(pg_temp.manage('adjust', '[{"i": "1 1", "delta": 1}]', $$, p_idempotency_key => ''$$), '^VALIDATION_FAILED.*idempotency-key', 'a key is text');
select is(pg_temp.manage(t.action, t.lines), t.told, t.told)
from (values
  ('get', '[{"inventory_id": "51900000-0000-4000-8000-000000000002"}, {"inventory_id": "51900000-0000-4000-8000-000000000001"}, {"p": "9", "l": "9"}]',
    'INVENTORY_NOT_FOUND {"inventory_ids": ["51900000-0000-4000-8000-000000000001", "51900000-0000-4000-8000-000000000002"]}'),
  ('adjust', '[{"p": "9", "l": "9", "delta": 1}, {"p": "1", "l": "8", "delta": 1}]',
    'LOCATION_NOT_FOUND {"location_ids": ["51100000-0000-4000-8000-000000000008", "51100000-0000-4000-8000-000000000009"]}'),
  ('adjust', '[{"p": "9", "delta": 1}, {"p": "8", "l": "1", "delta": 1}]',
    'PRODUCT_NOT_FOUND {"product_ids": ["51000000-0000-4000-8000-000000000008", "51000000-0000-4000-8000-000000000009"]}'),
  ('receive', '[{"i": "2 3", "quantity": 1}]', 'LOCATION_NOT_FOUND {"location_ids": ["51100000-0000-4000-8000-000000000003"]}')
) as t (action, lines, told);
select is(
  pg_temp.manage('adjust', '[{"p": "1", "delta": -19}, {"i": "1 1", "delta": -3}, {"i": "1 1", "delta": -2.001}, {"p": "5", "l": "1", "delta": -1}, {"p": "2", "delta": -96}, {"i": "2 1", "delta": -7}]'),
  'INSUFFICIENT_INVENTORY '::text || jsonb_build_object('shortages', jsonb_build_array(
    jsonb_build_object('inventory_id', pg_temp.p(1), 'product_id', pg_temp.p(1), 'location_id', pg_temp.l(0), 'requested', 19, 'available', 18),
    jsonb_build_object('inventory_id', pg_temp.i(1, 1), 'product_id', pg_temp.p(1), 'location_id', pg_temp.l(1), 'requested', 5.001, 'available', 5),
    jsonb_build_object('inventory_id', null, 'product_id', pg_temp.p(5), 'location_id', pg_temp.l(1), 'requested', 1, 'available', 0)
  )),
  'every shortage at once, of what is added up'
);
select is(
  pg_temp.manage('receive', '[{"p": "1", "quantity": 999999983}, {"i": "1 1", "quantity": 99999999999}]'),
  'STOCK_LIMIT_EXCEEDED '::text || jsonb_build_object('product_ids', array[pg_temp.p(1)], 'limit', 1000000000), 'no room in the web shop'
);
select is(
  pg_temp.manage('receive', '[{"i": "1 1", "quantity": 99999999995}]'),
  'STOCK_LIMIT_EXCEEDED '::text || jsonb_build_object('product_ids', array[pg_temp.p(1)], 'limit', 99999999999.999), 'nor at a location'
);
select is(pg_temp.state(), state, 'nothing has changed') from before_refusals;

-- To the limits, 100 lines.
select is(pg_temp.manage('receive', '[{"p": "1", "quantity": 999999982}, {"i": "1 1", "quantity": 99999999994.999}]'), '1@0 18 1000000000, 1@1 5 99999999999.999 9', 'as much as there can be');
select is(pg_temp.manage('adjust', '[{"p": "1", "delta": -1000000000}, {"i": "1 1", "delta": -99999999999.999}]'), '1@0 1000000000 0, 1@1 99999999999.999 0 10', 'and all of it');
select is(pg_temp.manage('receive', (select jsonb_agg('{"i": "1 1", "quantity": 0.01}'::jsonb)::text from generate_series(1, 100))), '1@1 0 1 11', '100 lines');
select is(pg_temp.manage('adjust', '[{"i": "2 3", "delta": 1}, {"i": "2 3", "delta": -2}]'), '2@3 2 1 2', 'what is left at a closed location can be corrected');
select is(pg_temp.manage('get', (select jsonb_agg('{"i": "1 1"}'::jsonb)::text from generate_series(1, 100))) like '1@1 1 11, 1@1%', true, 'a hundred are read');

-- What was deleted while it was waited for is not passed over.
select throws_ok(
  format('select interlock.lock_inventory(%L)', jsonb_build_array(jsonb_build_object('line', 0, 'inventory_id', pg_temp.p(9), 'product_id', pg_temp.p(9), 'location_id', pg_temp.l(0)))),
  '55P03', null, 'what is gone by then is said to be passing'
);

select * from finish();
rollback;
