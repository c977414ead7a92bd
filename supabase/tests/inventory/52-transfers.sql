-- Transfers between locations: at once, or sent and received in parts; what is refused, and what the books say.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

insert into auth.users (id, aud, role, email)
values
  ('50000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-52@example.com'),
  ('50000000-0000-4000-8000-0000000000bb', 'authenticated', 'authenticated', 'tap-52-staff@example.com');

-- Product n, location n.
create function pg_temp.p(p_n int)
returns uuid
language sql
as $$ select ('52000000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;
create function pg_temp.l(p_n int)
returns uuid
language sql
as $$ select case p_n when 0 then interlock.online_location() else ('52100000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid end $$;

insert into interlock.products (id, name, price, currency, available_quantity, kind, unit, decimals, stock_policy, backorder_limit)
values
  (pg_temp.p(1), 'tea', 100, 'EUR', 10, 'physical', 'kg', 3, 'tracked', 0),
  (pg_temp.p(2), 'hot', 100, 'EUR', 640, 'physical', default, default, 'tracked', 0),
  (pg_temp.p(3), 'digital', 100, 'EUR', 0, 'digital', default, default, 'tracked', 0),
  (pg_temp.p(4), 'owed', 100, 'EUR', 1, 'physical', default, default, 'backorder', 9);
select interlock.set_stock_slots(pg_temp.p(2), 4);
insert into interlock.locations (id, name, active)
values (pg_temp.l(1), 'Store', true), (pg_temp.l(2), 'Warehouse', true), (pg_temp.l(3), 'Closed', false);
insert into interlock.inventory (product_id, location_id, quantity)
values (pg_temp.p(1), pg_temp.l(1), 11.52), (pg_temp.p(2), pg_temp.l(3), 2), (pg_temp.p(4), pg_temp.l(1), 5);

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
-- What a request is told in short: of each line `product@location old new`, or the code with its details.
create function pg_temp.short(p_told text)
returns text
language sql
as $$
  select regexp_replace(regexp_replace(
    case when p_told like '{"success"%' then coalesce((
      select string_agg(
        format('%s@%s %s %s', right(l ->> 'product_id', 1),
          case l ->> 'location_id' when interlock.online_location()::text then '0' else right(l ->> 'location_id', 1) end,
          l ->> 'old_quantity', l ->> 'new_quantity'),
        ', ' order by n
      )
      from json_array_elements(p_told::json -> 'lines') with ordinality as x (l, n)
    ), 'done') else p_told end,
    '52[01]00000-0000-4000-8000-00000000000', '', 'g'
  ), '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]+', 'ID', 'g')
$$;
-- A request in short, products p and locations f (from), t (to) and l by number.
create function pg_temp.asked(p_action text, p_lines text, p_more text default '', p_caller text default 'shop')
returns text
language plpgsql
as $$
declare
  v_lines text := p_lines;
  v_match text[];
begin
  for v_match in select regexp_matches(v_lines, '"([pftl])": ([0-9])', 'g') loop
    v_lines := replace(v_lines, format('"%s": %s', v_match[1], v_match[2]), format('"%s": "%s"',
      case v_match[1] when 'p' then 'product_id' when 'f' then 'from_location_id' when 't' then 'to_location_id' else 'location_id' end,
      case v_match[1] when 'p' then pg_temp.p(v_match[2]::int) else pg_temp.l(v_match[2]::int) end));
  end loop;
  return pg_temp.told(p_caller, format('select public.manage_inventory(%L, %L%s)', p_action, v_lines, p_more));
end
$$;
create function pg_temp.manage(p_action text, p_lines text, p_more text default '', p_caller text default 'shop')
returns text
language sql
as $$ select pg_temp.short(pg_temp.asked(p_action, p_lines, p_more, p_caller)) $$;
-- Send, by a name; and what becomes of it.
create temporary table sent (name text primary key, id uuid);
create function pg_temp.send(p_name text, p_lines text, p_more text default '')
returns text
language plpgsql
as $$
declare
  v_told constant text := pg_temp.asked('transfer', p_lines, ', p_in_transit => true' || p_more);
begin
  if v_told like '{"success"%' then
    insert into sent values (p_name, (v_told::json ->> 'transfer_id')::uuid);
  end if;
  return pg_temp.short(v_told);
end
$$;
create function pg_temp.of(p_name text, p_action text, p_lines text default '[]', p_more text default '')
returns text
language sql
as $$
  select pg_temp.manage(p_action, p_lines, format(', p_transfer_id => %L', s.id) || p_more)
  from sent s where s.name = p_name
$$;
create function pg_temp.state(p_name text)
returns text
language sql
as $$
  select concat_ws(' ', string_agg(
    format('%s: %s = %s + %s + %s + %s', right(l.product_id::text, 1), l.sent, l.received, l.lost, l.returned, l.in_transit), ', '
    order by l.product_id
  ), case when t.ended_at is not null then 'ended' end, case when t.cancelled then 'cancelled' end)
  from sent s
  join interlock.stock_transfers t on t.id = s.id
  join interlock.stock_transfer_lines l on l.transfer_id = t.id
  where s.name = p_name
  group by t.id, t.ended_at, t.cancelled
$$;
-- Differences, and what an audit finds.
create function pg_temp.audited()
returns text
language plpgsql
as $$
begin
  perform interlock.audit_inventory(false);
  return (select count(*) from interlock.stock_differences d where d.product_id::text like '52000000-%') || ' ' || (
    select coalesce(string_agg(
      concat_ws(' ', f.kind, right(f.product_id::text, 1), right(f.location_id::text, 1), s.name, f.expected, f.found), ', '
      order by f.kind::text, f.location_id, f.expected, f.found
    ), 'nothing')
    from interlock.inventory_findings f
    left join sent s on s.id = f.subject_id
    where f.status = 'open'
  );
end
$$;

-- What others have left is not ours.
select interlock.audit_inventory(true);
update interlock.inventory_findings
set status = 'accepted', decided_at = now(), reason = 'before', decided_by = 'before'
where status = 'open';

-- At once --------------------------------------------------------------------------

create temporary table answer as
select pg_temp.asked('transfer', '[{"p": 1, "f": 1, "t": 2, "quantity": 1.52}]') as told;
select is(
  a.told,
  (
    select format(
      '{"success" : true, "action" : "transfer", "lines" : [{"inventory_id" : "%s", "product_id" : "%s", "location_id" : "%s", "old_quantity" : 11.52, "new_quantity" : 10, "version" : 2}, '
        || '{"inventory_id" : "%s", "product_id" : "%s", "location_id" : "%s", "old_quantity" : 0, "new_quantity" : 1.52, "version" : 2}]}',
      f.id, f.product_id, f.location_id, t.id, t.product_id, t.location_id
    )
    from interlock.inventory f
    join interlock.inventory t on t.product_id = f.product_id and t.location_id = pg_temp.l(2)
    where f.location_id = pg_temp.l(1) and f.product_id = pg_temp.p(1)
  ),
  'both rows are answered; where there is none one is made'
)
from answer a;
select results_eq(
  $$
    select concat_ws(' ', m.delta, m.reason, m.reference_id = t.id)
    from interlock.stock_movements m, interlock.stock_transfers t
    where m.product_id = pg_temp.p(1) and t.to_location_id = pg_temp.l(2) and m.reason like 'transfer%'
    order by m.id
  $$,
  $$values ('-1.52 transfer_out t'), ('1.52 transfer_in t')$$,
  'the ledger says what it was'
);
select is(
  pg_temp.manage(
    'transfer',
    '[{"p": 1, "f": 1, "t": 2, "quantity": 1}, {"p": 1, "f": 2, "t": 1, "quantity": 1.5}, {"p": 1, "f": 1, "t": 2, "quantity": 1}]',
    ', p_reason => $$moving$$'
  ),
  '1@1 10 9.5, 1@2 1.52 2.02', 'both ways at once, lines of one stock are added up'
);
select is(
  (select string_agg(concat_ws(' ', m.delta, m.reason), ', ' order by m.id) from interlock.stock_movements m where m.reason = 'moving'),
  '-2 moving, 2 moving, -1.5 moving, 1.5 moving', 'with a reason of its own'
);
select is(pg_temp.manage('transfer', '[{"p": 2, "f": 0, "t": 1, "quantity": 40}]'), '2@0 640 600, 2@1 0 40', 'from the web shop, with slots');
select is((select sum(granted) from interlock.counter_slots where owner_id = pg_temp.p(2)), 600::bigint, 'that are shared out anew');
select is(pg_temp.manage('transfer', '[{"p": 2, "f": 1, "t": 0, "quantity": 10}]'), '2@1 40 30, 2@0 600 610', 'and to it');
select is(pg_temp.manage('transfer', '[{"p": 2, "f": 3, "t": 1, "quantity": 2}]'), '2@3 2 0, 2@1 30 32', 'what is left at a closed one moves away');
select is(
  pg_temp.manage('transfer', '[{"p": 1, "f": 1, "t": 2, "quantity": 0.5}, {"p": 2, "f": 1, "t": 0, "quantity": 1}]'),
  '1@1 9.5 9, 1@2 2.02 2.52, 2@1 32 31, 2@0 610 611', 'several ways, answered in the order of their lines'
);
select is(
  pg_temp.manage('transfer', '[{"p": 2, "f": 0, "t": 1, "quantity": 1}, {"p": 1, "f": 2, "t": 1, "quantity": 0.5}]'),
  '2@0 611 610, 2@1 31 32, 1@2 2.52 2.02, 1@1 9 9.5', 'back'
);
update interlock.products set available_quantity = 0, backordered = 3 where id = pg_temp.p(4);
select is(pg_temp.manage('transfer', '[{"p": 4, "f": 1, "t": 0, "quantity": 5}]'), '4@1 5 0, 4@0 -3 2', 'what is owed is filled first');
select is(pg_temp.audited(), '0 nothing', 'the books agree');

-- In parts ---------------------------------------------------------------------------

select is(
  pg_temp.send('a', '[{"p": 1, "f": 1, "t": 2, "quantity": 4}, {"p": 2, "f": 1, "t": 2, "quantity": 10}, {"p": 1, "f": 1, "t": 2, "quantity": 1}]'),
  '1@1 9.5 4.5, 2@1 32 22', 'sent, it is taken'
);
select is(pg_temp.state('a'), '1: 5 = 0 + 0 + 0 + 5, 2: 10 = 0 + 0 + 0 + 10', 'and in transit');
select is(pg_temp.audited(), '0 nothing', 'as the books say');
select is(pg_temp.of('a', 'receive', '[{"p": 1, "quantity": 1.5}, {"p": 1, "quantity": 0.5}]'), '1@2 2.02 4.02', 'a part comes');
select is(
  pg_temp.of('a', 'receive', '[{"p": 1, "quantity": 3.5}, {"p": 2, "quantity": 10}, {"p": 4, "quantity": 1}]'),
  'TRANSFER_EXCEEDED {"lines": [{"lost": 0, "sent": 5, "received": 2, "requested": 3.5, "product_id": "1"}, '
    || '{"lost": 0, "sent": 0, "received": 0, "requested": 1, "product_id": "4"}], "transfer_id": "ID"}',
  'never more than is in transit, every line at once'
);
select is(pg_temp.of('a', 'lose', '[{"p": 1, "quantity": 1}]', ', p_reason => $$fell off$$'), 'done', 'some never arrives');
select is(
  (select l.lost_reason::text from interlock.stock_transfer_lines l join sent s on s.id = l.transfer_id where l.product_id = pg_temp.p(1) and s.name = 'a'),
  'fell off', 'for a reason'
);
select is(pg_temp.of('a', 'receive', '[{"p": 2, "quantity": 10}, {"p": 1, "quantity": 2}]'), '2@2 0 10, 1@2 4.02 6.02', 'the rest does');
select is(pg_temp.state('a'), '1: 5 = 4 + 1 + 0 + 0, 2: 10 = 10 + 0 + 0 + 0 ended', 'then it has ended');
select is(
  pg_temp.of('a', 'receive', '[{"p": 2, "quantity": 10}]'),
  'TRANSFER_EXCEEDED {"lines": [{"lost": 0, "sent": 10, "received": 10, "requested": 10, "product_id": "2"}], "transfer_id": "ID"}',
  'what has come does not come again'
);
select matches(pg_temp.of('a', 'cancel'), '^TRANSFER_ENDED .*"cancelled": false', 'nor back');
select is(pg_temp.send('other', '[{"p": 1, "f": 2, "t": 1, "quantity": 0.02}]'), '1@2 6.02 6', 'another one is on its way all the while');
select is(
  pg_temp.send('two', '[{"p": 1, "f": 2, "t": 1, "quantity": 1}, {"p": 2, "f": 2, "t": 1, "quantity": 1}]'), '1@2 6 5, 2@2 10 9', 'of two things'
);
select is(pg_temp.of('two', 'receive', '[{"p": 2, "quantity": 1}]'), '2@1 22 23', 'one comes');
select is(pg_temp.of('two', 'cancel'), '1@2 5 6', 'and the other comes back, alone');
select is(pg_temp.manage('transfer', '[{"p": 2, "f": 1, "t": 2, "quantity": 1}]'), '2@1 23 22, 2@2 9 10', 'that one, too, by another way');
select is(pg_temp.send('b', '[{"p": 2, "f": 0, "t": 2, "quantity": 100}]'), '2@0 610 510', 'from the web shop');
select is(pg_temp.of('b', 'receive', '[{"p": 2, "quantity": 30}]'), '2@2 10 40', 'a part');
select is(pg_temp.of('b', 'cancel'), '2@0 510 580', 'and what has not come is back');
select is(pg_temp.state('b'), '2: 100 = 30 + 0 + 70 + 0 ended cancelled', 'at its end');
select is(
  (select string_agg(concat_ws(' ', m.delta, m.reason), ', ' order by m.id) from interlock.stock_movements m join sent s on s.id = m.reference_id where s.name = 'b'),
  '-100 transfer_out, 30 transfer_in, 70 transfer_returned', 'as the ledger says'
);
select is((select sum(granted) from interlock.counter_slots where owner_id = pg_temp.p(2)), 580::bigint, 'in the slots, too');
select matches(pg_temp.of('b', v.action, v.lines), '^TRANSFER_ENDED .*"cancelled": true', v.action || ' of what was cancelled')
from (values ('receive', '[{"p": 2, "quantity": 1}]'), ('lose', '[{"p": 2, "quantity": 1}]'), ('cancel', '[]')) as v (action, lines);
select is(pg_temp.send('c', '[{"p": 2, "f": 2, "t": 0, "quantity": 5}]'), '2@2 40 35', 'to the web shop');
select is(pg_temp.of('c', 'receive', '[{"p": 2, "quantity": 5}]'), '2@0 580 585', 'where it is sold');
select is(
  pg_temp.of('c', 'lose', '[{"p": 2, "quantity": 1}]'),
  'TRANSFER_EXCEEDED {"lines": [{"lost": 0, "sent": 5, "received": 5, "requested": 1, "product_id": "2"}], "transfer_id": "ID"}', 'what has come is not lost'
);
select is(pg_temp.send('d', '[{"p": 2, "f": 2, "t": 1, "quantity": 5}]'), '2@2 35 30', 'one more');
select is(pg_temp.of('d', 'lose', '[{"p": 2, "quantity": 5}]'), 'done', 'that is lost');
select is(pg_temp.state('d'), '2: 5 = 0 + 5 + 0 + 0 ended', 'has ended');
select is(
  (select l.lost_reason::text from interlock.stock_transfer_lines l join sent s on s.id = l.transfer_id where s.name = 'd'), 'lost', 'without a word'
);
select is(pg_temp.state('other'), '1: 0.02 = 0 + 0 + 0 + 0.02', 'what is on its way is, whatever becomes of others');
select is(pg_temp.of('other', 'cancel'), '1@2 6 6.02', 'until it ends');
select is(pg_temp.audited(), '0 nothing', 'the books agree');

-- Once -----------------------------------------------------------------------------------

select is(
  pg_temp.send('e', '[{"p": 2, "f": 2, "t": 1, "quantity": 1}]', ', p_reference => $$tap-52$$, p_idempotency_key => $$tap-52$$'), '2@2 30 29',
  'under a reference and a key'
);
select is(
  pg_temp.asked('transfer', '[{"p": 2, "f": 2, "t": 1, "quantity": 1}]', ', p_in_transit => true' || v.more)::json ->> 'transfer_id',
  (select id::text from sent where name = 'e'), 'it is sent once'
)
from (values (', p_reference => $$tap-52$$'), (', p_reference => $$tap-52$$, p_idempotency_key => $$tap-52$$')) as v (more);
select is((select quantity from interlock.inventory where product_id = pg_temp.p(2) and location_id = pg_temp.l(2)), 29.000, 'and taken once');
select matches(
  pg_temp.asked('transfer', '[{"p": 2, "f": 2, "t": 1, "quantity": 1}]', ', p_reference => $$tap-52$$'), '^IDEMPOTENCY_KEY_REUSED', 'at once is something else'
);
select is((select t.reference from interlock.stock_transfers t join sent s on s.id = t.id where s.name = 'e'), 'tap-52', 'the transfer has the reference');
select is(pg_temp.of('e', 'receive', '[{"p": 2, "quantity": 1}]', ', p_reference => $$tap-52 came$$'), '2@1 22 23', 'received')
from generate_series(1, 2);
select matches(
  pg_temp.of('a', 'receive', '[{"p": 2, "quantity": 1}]', ', p_reference => $$tap-52 came$$'), '^IDEMPOTENCY_KEY_REUSED', 'of this transfer'
);

-- What is refused -------------------------------------------------------------------------

select is(
  pg_temp.manage('transfer', '[{"p": 1, "f": 1, "t": 2, "quantity": 4}, {"p": 1, "f": 1, "t": 0, "quantity": 1}, {"p": 1, "f": 3, "t": 1, "quantity": 1}, {"p": 1, "f": 2, "t": 1, "quantity": 6.02}]'),
  'INSUFFICIENT_INVENTORY {"shortages": [{"available": 4.5, "requested": 5, "product_id": "1", "location_id": "1", "inventory_id": "ID"}, '
    || '{"available": 0, "requested": 1, "product_id": "1", "location_id": "3", "inventory_id": null}]}',
  'every shortage, added up; what comes in does not go out again'
);
select is(
  pg_temp.manage('transfer', '[{"p": 2, "f": 0, "t": 1, "quantity": 586}]'),
  'INSUFFICIENT_INVENTORY {"shortages": [{"available": 585, "requested": 586, "product_id": "2", "location_id": "00000000-0000-4000-8000-000000000001", "inventory_id": "2"}]}',
  'of the web shop as well'
);
update interlock.products set available_quantity = 999999999 where id = pg_temp.p(1);
select is(
  pg_temp.manage('transfer', '[{"p": 1, "f": 1, "t": 0, "quantity": 2}]'), 'STOCK_LIMIT_EXCEEDED {"limit": 1000000000, "product_ids": ["1"]}', 'no room in the web shop'
);
update interlock.products set available_quantity = 10 where id = pg_temp.p(1);
update interlock.inventory set quantity = 99999999999 where product_id = pg_temp.p(1) and location_id = pg_temp.l(2);
select is(
  pg_temp.manage('transfer', '[{"p": 1, "f": 1, "t": 2, "quantity": 1}]'), 'STOCK_LIMIT_EXCEEDED {"limit": 99999999999.999, "product_ids": ["1"]}', 'or elsewhere'
);
update interlock.inventory set quantity = 6.02 where product_id = pg_temp.p(1) and location_id = pg_temp.l(2);
select is(pg_temp.manage('transfer', v.lines), v.said, v.lines)
from (values
  ('[{"p": 1, "f": 1, "t": 3, "quantity": 1}]', 'LOCATION_NOT_FOUND {"location_ids": ["3"]}'),
  ('[{"p": 1, "f": 1, "t": 8, "quantity": 1}, {"p": 1, "f": 9, "t": 1, "quantity": 1}]', 'LOCATION_NOT_FOUND {"location_ids": ["9"]}'),
  ('[{"p": 1, "f": 1, "t": 8, "quantity": 1}]', 'LOCATION_NOT_FOUND {"location_ids": ["8"]}'),
  ('[{"p": 9, "f": 1, "t": 2, "quantity": 1}]', 'PRODUCT_NOT_FOUND {"product_ids": ["9"]}')
) as v (lines, said);
-- Problems, as `pointer message`.
create function pg_temp.problems(p_action text, p_lines text, p_more text default '')
returns text
language sql
as $$
  select case when a.told like 'VALIDATION_FAILED%' then (
    select string_agg(concat_ws(' ', p ->> 'pointer', p ->> 'message'), '; ' order by n)
    from jsonb_array_elements(substring(a.told from '\{.*')::jsonb -> 'problems') with ordinality as x (p, n)
  ) else a.told end
  from (select pg_temp.manage(p_action, p_lines, p_more) as told) a
$$;
select is(pg_temp.problems(v.action, v.lines, v.more), v.said, concat_ws(' ', v.action, v.lines, v.more))
from (values
  ('transfer', '[{"p": 1, "f": 1, "t": 1, "quantity": 1}]', '', '/lines/0/to_location_id must be another location than from_location_id'),
  ('transfer', '[{}]', '', '/lines/0/from_location_id is required; /lines/0/product_id is required; /lines/0/quantity is required; /lines/0/to_location_id is required'),
  ('transfer', '[{"p": 1, "f": 1, "t": 2, "quantity": "1", "inventory_id": "x"}]', '',
    '/lines/0/inventory_id is not a field of this action; /lines/0/quantity must be a number'),
  ('transfer', '[{"p": 1, "f": 1, "t": 2, "quantity": 0}, {"p": 1, "f": 1, "t": 2, "quantity": -1}, {"p": 1, "f": 1, "t": 2, "quantity": 0.0004}]', '',
    '/lines/0/quantity must be above 0; /lines/1/quantity must be above 0; /lines/2/quantity must have at most 3 decimals'),
  ('transfer', '[{"p": 2, "f": 1, "t": 2, "quantity": 1.5}]', '', '/lines/0/quantity must have at most 0 decimals, as the product has'),
  ('transfer', '[{"p": 1, "f": 1, "t": 0, "quantity": 1.5}]', '', '/lines/0/quantity must be a whole number: the web shop sells whole units'),
  ('transfer', '[{"p": 3, "f": 0, "t": 1, "quantity": 1}]', '', '/lines/0/product_id is a digital product: its stock is its codes'),
  ('transfer', '[{"p": 1, "f": 1, "t": 2, "quantity": 1}, {"p": 2, "f": 2, "t": 1, "quantity": 1}]', ', p_in_transit => true',
    '/lines/1/from_location_id must be that of line 0: what is in transit has one way; /lines/1/to_location_id must be that of line 0: what is in transit has one way'),
  ('transfer', '[{"p": 1, "f": 1, "t": 2, "quantity": 1}]', ', p_transfer_id => gen_random_uuid()', '/transfer_id is not for this action'),
  ('receive', '[{"p": 1, "l": 1, "quantity": 1}]', ', p_transfer_id => gen_random_uuid(), p_in_transit => true',
    '/in_transit is not for this action; /lines/0/location_id is not a field of this action'),
  ('receive', '[{"inventory_id": "52000000-0000-4000-8000-000000000001", "quantity": 1}]', ', p_transfer_id => gen_random_uuid()',
    '/lines/0/inventory_id is not a field of this action; /lines/0/product_id is required'),
  ('lose', '[{"p": 1, "quantity": 1}]', '', '/transfer_id is required: what was answered when the goods were sent'),
  ('lose', '[]', ', p_transfer_id => gen_random_uuid()', '/lines must have 1 to 100 lines'),
  ('cancel', '[{"p": 1, "quantity": 1}]', '',
    '/transfer_id is required: what was answered when the goods were sent; /lines must be empty: all that is in transit comes back')
) as v (action, lines, more, said);
select is(
  pg_temp.manage(v.action, v.lines, ', p_transfer_id => ' || quote_literal(pg_temp.p(7))), 'STOCK_TRANSFER_NOT_FOUND {"transfer_id": "7"}',
  v.action || ' of what is not there'
)
from (values ('receive', '[{"p": 1, "quantity": 1}]'), ('lose', '[{"p": 1, "quantity": 1}]'), ('cancel', '[]')) as v (action, lines);
select is(pg_temp.manage('transfer', '[{"p": 1, "f": 1, "t": 2, "quantity": 1}]', '', v.who), v.said, v.who || ' moves nothing')
from (values ('buyer', 'FORBIDDEN'), ('nobody', 'UNAUTHENTICATED')) as v (who, said);
select is(pg_temp.manage('transfer', '[{"p": 1, "f": 1, "t": 2, "quantity": 1}]', '', 'staff'), '1@1 4.5 3.5, 1@2 6.02 7.02', 'staff do');
select is(
  (select actor from interlock.stock_transfers order by id desc limit 1), '50000000-0000-4000-8000-0000000000bb'::uuid, 'by name'
);
select is(pg_temp.told('staff', format('select count(*) > 3 from %I', t)), 'true', 'they read ' || t)
from unnest(array['stock_transfers', 'stock_transfer_lines']) t;
select is(pg_temp.told('buyer', format('select count(*) from %I', t)), '0', 'others read no ' || t)
from unnest(array['stock_transfers', 'stock_transfer_lines']) t;
select is(pg_temp.told('shop', v), '42501', 'the shop does not: ' || v)
from unnest(array[
  'delete from interlock.stock_transfers', 'update interlock.stock_transfer_lines set sent = 1', 'select from interlock.stock_import_lines'
]) v;
select throws_ok(v, '23001', null, 'nobody does: ' || v)
from unnest(array[
  'delete from interlock.stock_transfers', 'delete from interlock.stock_transfer_lines', 'truncate interlock.stock_transfer_lines',
  'truncate interlock.stock_transfers cascade'
]) v;
select throws_ok(v.sql, '23514', null, v."constraint")
from (values
  ('update interlock.stock_transfer_lines set received = sent + 1', 'stock_transfer_lines_within_sent'),
  ('update interlock.stock_transfer_lines set lost = -1', 'stock_transfer_lines_within_sent'),
  ('update interlock.stock_transfer_lines set sent = 0, received = 0, lost = 0, returned = 0', 'stock_transfer_lines_within_sent'),
  ('update interlock.stock_transfers set to_location_id = from_location_id', 'stock_transfers_two_locations'),
  ('update interlock.stock_transfers set cancelled = true, ended_at = null', 'stock_transfers_cancelled_ended')
) as v (sql, "constraint");
select throws_ok(format('update interlock.stock_transfer_lines set %I = null', c), '23502', null, c || ' is said')
from unnest(array['sent', 'received', 'lost', 'returned']) c;
select is(pg_temp.audited(), '0 nothing', 'at the end the books agree');

-- What an audit finds -----------------------------------------------------------------------

create function pg_temp.resolved()
returns text
language plpgsql
as $$
begin
  perform public.resolve_finding(f.id, 'tap mends') from interlock.inventory_findings f where f.status = 'open';
  return pg_temp.audited();
end
$$;
select is(pg_temp.send('f', '[{"p": 2, "f": 1, "t": 2, "quantity": 9}, {"p": 1, "f": 1, "t": 2, "quantity": 1}]'), '2@1 23 14, 1@1 3.5 2.5', 'sent');
select is(pg_temp.of('f', 'receive', '[{"p": 2, "quantity": 4}]'), '2@2 29 33', 'received in part');
select is(pg_temp.audited(), '0 nothing', 'what is in transit is no finding');
update interlock.stock_transfer_lines l set received = 6 from sent s where s.id = l.transfer_id and s.name = 'f' and l.product_id = pg_temp.p(2);
select is(pg_temp.audited(), '0 transfers 2 2 f 6 4', 'more received than the ledger has');
select is(pg_temp.resolved(), '0 nothing', 'is put on the shelf');
select is((select quantity from interlock.inventory where product_id = pg_temp.p(2) and location_id = pg_temp.l(2)), 35.000, 'there');
update interlock.stock_transfer_lines l set sent = 8 from sent s where s.id = l.transfer_id and s.name = 'f' and l.product_id = pg_temp.p(2);
select is(pg_temp.audited(), '0 transfers 2 1 f -8 -9', 'less sent than the ledger has');
select is(pg_temp.resolved(), '0 nothing', 'is back where it was');
update interlock.stock_transfer_lines l set sent = 1000 from sent s where s.id = l.transfer_id and s.name = 'f' and l.product_id = pg_temp.p(2);
select is(pg_temp.audited(), '0 transfers 2 1 f -1000 -8', 'more sent than there is');
select throws_ok('select pg_temp.resolved()', 'PT409', 'INSUFFICIENT_INVENTORY', 'cannot be taken');
update interlock.settings set keep_stock_movements = '1 day';
update interlock.stock_transfers t set created_at = created_at - interval '2 days' from sent s where s.id = t.id and s.name = 'f';
select is(pg_temp.audited(), '0 nothing', 'of what the ledger need not have any more nothing is asked');
update interlock.settings set keep_stock_movements = null;
update interlock.stock_transfers t set created_at = now() from sent s where s.id = t.id and s.name = 'f';
update interlock.stock_transfer_lines l set sent = 8 from sent s where s.id = l.transfer_id and s.name = 'f' and l.product_id = pg_temp.p(2);
select is(pg_temp.audited(), '0 nothing', 'put right by hand it is no finding');
alter table interlock.stock_transfers disable trigger user;
alter table interlock.stock_transfer_lines disable trigger user;
delete from interlock.stock_transfer_lines l using sent s where s.id = l.transfer_id and s.name = 'f';
delete from interlock.stock_transfers t using sent s where s.id = t.id and s.name = 'f';
alter table interlock.stock_transfers enable trigger user;
alter table interlock.stock_transfer_lines enable trigger user;
select is(pg_temp.audited(), '0 transfers 2 1 f 0 -8, transfers 1 1 f 0 -1, transfers 2 2 f 0 6', 'a transfer that is gone');
select is(pg_temp.resolved(), '0 nothing', 'has moved nothing');

select * from finish();
rollback;
