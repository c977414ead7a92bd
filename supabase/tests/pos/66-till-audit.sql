-- Audits of tills: nothing where all is well, exactly what was broken where something was, and what can be corrected.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('66-till-audit ' || p_name)::uuid $$;
create table pg_temp.names (id uuid primary key, name text);
create function pg_temp.sale_id(p_name text)
returns uuid
language sql
as $$ select n.id from pg_temp.names n where n.name = p_name $$;

-- An audit, and every finding that is open after it, by names.
create function pg_temp.found(p_full boolean default false)
returns text
language plpgsql
as $$
begin
  perform interlock.audit_inventory(p_full);
  return (
    select coalesce(string_agg(
      concat_ws(' ', f.kind, p.name, l.name, s.name, f.expected, f.found),
      ', ' order by f.kind::text, p.name, s.name
    ), 'nothing')
    from interlock.inventory_findings f
    left join pg_temp.names p on p.id = f.product_id
    left join pg_temp.names l on l.id = f.location_id
    left join pg_temp.names s on s.id = f.subject_id
    where f.status <> 'resolved'
      and f.decided_by is distinct from 'before'
  );
end
$$;
-- Resolve each, and audit again. What cannot be is told.
create function pg_temp.resolved()
returns text
language plpgsql
as $$
declare
  v_id uuid;
  v_said text;
begin
  for v_id in select f.id from interlock.inventory_findings f where f.status = 'open' loop
    begin
      perform public.resolve_finding(v_id, 'tap mends');
    exception
      when sqlstate 'PT409' then
        v_said := concat_ws(' ', v_said, sqlerrm);
    end;
  end loop;
  return concat_ws(' ', v_said, pg_temp.found(), pg_temp.found(true));
end
$$;
-- Break the books: the statement runs with the triggers of the table off.
create function pg_temp.break(p_table text, p_sql text)
returns void
language plpgsql
as $$
begin
  set constraints all immediate;
  set constraints all deferred;
  execute format('alter table interlock.%I disable trigger user', p_table);
  execute p_sql;
  execute format('alter table interlock.%I enable trigger user', p_table);
end
$$;

-- What others have left is not ours.
select interlock.audit_inventory(true);
update interlock.inventory_findings
set status = 'accepted', decided_at = now(), reason = 'before', decided_by = 'before'
where status = 'open';

insert into interlock.products (id, name, price, currency, available_quantity, decimals, unit, stock_policy)
values
  (pg_temp.id('tea'), 'tea', 1000, 'EUR', 50, 3, 'kg', 'tracked'), (pg_temp.id('mug'), 'mug', 500, 'EUR', 50, 0, 'piece', 'tracked'),
  (pg_temp.id('bag'), 'bag', 10, 'EUR', 0, 0, 'piece', 'untracked');
insert into interlock.locations (id, name) values (pg_temp.id('store'), 'store');
insert into interlock.inventory (product_id, location_id, quantity)
values (pg_temp.id('tea'), pg_temp.id('store'), 11.52), (pg_temp.id('mug'), pg_temp.id('store'), 20);
insert into interlock.registers (id, location_id, name, currency)
values (pg_temp.id('front'), pg_temp.id('store'), 'front', 'EUR'), (pg_temp.id('web'), interlock.online_location(), 'web', 'EUR');
insert into pg_temp.names select pg_temp.id(n), n from unnest(array['tea', 'mug', 'bag', 'store', 'front', 'web', 'nobody']) n;
select public.open_shift(pg_temp.id(n), 0) is null from unnest(array['front', 'web']) n;

-- A sale by name.
create function pg_temp.sell(p_name text, p_till text, p_lines jsonb, p_cash bigint, p_returns jsonb default null)
returns void
language sql
as $$
  insert into pg_temp.names
  select (public.pos_sale(
    pg_temp.id(p_till),
    (
      select jsonb_agg(jsonb_build_object('product_id', pg_temp.id(l.key), 'quantity', l.value))
      from jsonb_each(p_lines) l
    ),
    case when p_cash > 0 then jsonb_build_array(jsonb_build_object('type', 'cash', 'amount', p_cash)) end,
    p_returns
  ) #>> '{sale,id}')::uuid, p_name
$$;

-- All is well --------------------------------------------------------------------

select is(pg_temp.found(), 'nothing', 'at first there is nothing');
select lives_ok($$
  select pg_temp.sell('a', 'front', '{"tea": 1.52, "mug": 2, "bag": 3}', 5000);
  select pg_temp.sell('b', 'web', '{"mug": 2}', 1000);
  select pg_temp.sell('void', 'front', '{"mug": 4, "tea": 1}', 3000);
  select public.void_sale(pg_temp.sale_id('void'), 'tap');
  select pg_temp.sell('returned', 'front', null, 500, jsonb_build_array(
    jsonb_build_object('sale_id', pg_temp.sale_id('a'), 'line', (
      select l.line from interlock.sale_lines l where l.sale_id = pg_temp.sale_id('a') and l.product_id = pg_temp.id('mug')
    ), 'quantity', 1, 'reason', 'chipped')
  ));
  select pg_temp.sell('broken', 'front', null, 500, jsonb_build_array(
    jsonb_build_object('sale_id', pg_temp.sale_id('b'), 'line', 0, 'quantity', 1, 'reason', 'broken', 'restock', false)
  ));
  select pg_temp.sell('unreturned', 'web', null, 500, jsonb_build_array(
    jsonb_build_object('sale_id', pg_temp.sale_id('b'), 'line', 0, 'quantity', 1, 'reason', 'chipped')
  ));
  select public.void_sale(pg_temp.sale_id('unreturned'), 'tap');
$$, 'whatever tills do');
select is(pg_temp.found(), 'nothing', 'is no finding');
select is(pg_temp.found(true), 'nothing', 'nor when everything is looked at');

-- Sales against the ledger --------------------------------------------------------

select pg_temp.break('sale_lines', $$
  update interlock.sale_lines set quantity = 5 where sale_id = pg_temp.sale_id('a') and product_id = pg_temp.id('mug')
$$);
select is(pg_temp.found(), 'till_sales mug store a 5 2', 'a line that was changed');
select is(
  (select concat_ws(' | ', f.size, f.since = now(), f.cause) from interlock.inventory_findings f where f.status = 'open'),
  '-3 | t | The sale, its lines or the ledger were changed past the functions.', 'by how much, since when, why'
);
select is(pg_temp.resolved(), 'nothing nothing', 'is taken from the stock');
select is(
  (select concat_ws(' ', i.quantity::int, m.delta::int, m.reason, m.reference_id = pg_temp.sale_id('a'))
   from interlock.inventory i
   join interlock.stock_movements m on m.product_id = i.product_id and m.location_id = i.location_id
   where i.product_id = pg_temp.id('mug') and i.location_id = pg_temp.id('store') order by m.id desc limit 1),
  '16 -3 tap mends t', 'so many of them'
);
select pg_temp.break('sale_returns', $$
  update interlock.sale_returns set quantity = 3 where sale_id = pg_temp.sale_id('returned')
$$);
select is(pg_temp.found(), 'till_sales mug store returned -3 -1', 'what came back');
select is(pg_temp.resolved(), 'nothing nothing', 'goes to the stock');
select pg_temp.break('sales', $$
  update interlock.sales set status = 'voided', voided_at = now(), void_reason = 'tap' where id = pg_temp.sale_id('b')
$$);
select matches(pg_temp.found(), '^till_sales mug b 0 2$', 'a sale that was voided past the functions');
select is(pg_temp.resolved(), 'nothing nothing', 'gives back what it took');
select is((select available_quantity from interlock.products where id = pg_temp.id('mug')), 50, 'to the web shop');
select pg_temp.break('stock_movements', $$
  insert into interlock.stock_movements (product_id, location_id, delta, reason, reference_id)
  values
    (pg_temp.id('tea'), pg_temp.id('store'), -0.5, 'tap', pg_temp.sale_id('a')), (pg_temp.id('tea'), pg_temp.id('store'), 0.5, 'tap', null),
    (pg_temp.id('mug'), pg_temp.id('store'), -1, 'pos_sale', pg_temp.id('nobody')), (pg_temp.id('mug'), pg_temp.id('store'), 1, 'tap', null)
$$);
select is(
  pg_temp.found(), 'till_sales mug store nobody 0 1, till_sales tea store a 1.52 2.02', 'movements for what a sale has not sold, and for none'
);
select is(
  (select f.cause from interlock.inventory_findings f where f.status = 'open' and f.subject_id = pg_temp.id('nobody')),
  'The ledger has taken units for a sale that is not there: it was removed by hand.', 'which is told'
);
select is(pg_temp.resolved(), 'nothing nothing', 'are given back');
select pg_temp.break('stock_movements', $$
  insert into interlock.stock_movements (product_id, location_id, delta, reason, reference_id)
  values
    (pg_temp.id('tea'), pg_temp.id('store'), -0.5, 'tap', pg_temp.sale_id('a')), (pg_temp.id('tea'), pg_temp.id('store'), 0.5, 'tap', null),
    (pg_temp.id('mug'), pg_temp.id('store'), -2, 'tap', pg_temp.sale_id('a')), (pg_temp.id('mug'), pg_temp.id('store'), 2, 'tap', null),
    (pg_temp.id('mug'), interlock.online_location(), -1, 'tap', pg_temp.sale_id('a')), (pg_temp.id('mug'), interlock.online_location(), 1, 'tap', null)
$$);
select is((select count(*) from string_to_table(pg_temp.found(), ',')), 3::bigint, 'several products and places of a sale');
select is(pg_temp.resolved(), 'nothing nothing', 'are corrected each for itself');
update interlock.inventory set quantity = 0 where product_id = pg_temp.id('mug') and location_id = pg_temp.id('store');
select pg_temp.break('sale_lines', $$
  update interlock.sale_lines set quantity = 9 where sale_id = pg_temp.sale_id('a') and product_id = pg_temp.id('mug')
$$);
select is(pg_temp.found(), 'till_sales mug store a 9 5', 'what is not there');
select is(
  pg_temp.resolved(), 'INSUFFICIENT_INVENTORY till_sales mug store a 9 5 till_sales mug store a 9 5', 'is not taken'
);
select pg_temp.break('sale_lines', $$
  update interlock.sale_lines set quantity = 5 where sale_id = pg_temp.sale_id('a') and product_id = pg_temp.id('mug')
$$);
select is(pg_temp.found(), 'nothing', 'until it is put right');

-- Money ---------------------------------------------------------------------------------

select pg_temp.break('sale_tenders', $$
  update interlock.sale_tenders set amount = amount - 100 where sale_id = pg_temp.sale_id('a')
$$);
select is(pg_temp.found(), 'tenders a 5000 4900', 'what was paid was changed');
select is(pg_temp.resolved(), 'FINDING_NOT_CORRECTABLE tenders a 5000 4900 tenders a 5000 4900', 'is for people');
select pg_temp.break('sale_tenders', $$
  update interlock.sale_tenders set amount = amount + 100 where sale_id = pg_temp.sale_id('a');
  delete from interlock.sale_tenders where sale_id = pg_temp.sale_id('returned')
$$);
select is(pg_temp.found(), 'tenders returned 500 0', 'or was removed, also of what was paid out');
select pg_temp.break('sale_tenders', $$
  insert into interlock.sale_tenders (sale_id, n, type, amount) values (pg_temp.sale_id('returned'), 0, 'cash', 500)
$$);
select is(pg_temp.found(), 'nothing', 'until it is put right');
select pg_temp.break('sale_lines', $$
  update interlock.sale_lines set subtotal = subtotal - 50, total = total - 50
  where sale_id = pg_temp.sale_id('a') and product_id = pg_temp.id('mug')
$$);
select is(pg_temp.found(), 'totals a 2500 2550', 'what its lines come to was changed');
select pg_temp.break('sale_lines', $$
  update interlock.sale_lines set subtotal = subtotal + 50, total = total + 50
  where sale_id = pg_temp.sale_id('a') and product_id = pg_temp.id('mug')
$$);
select pg_temp.break('sale_returns', $$
  update interlock.sale_returns set amount = amount - 50 where sale_id = pg_temp.sale_id('returned')
$$);
select is(pg_temp.found(), 'totals returned -450 -500', 'or what came back was worth');
select pg_temp.break('sale_returns', $$
  update interlock.sale_returns set amount = amount + 50 where sale_id = pg_temp.sale_id('returned')
$$);
select is(pg_temp.found(), 'nothing', 'until it is put right');

-- Receipts ------------------------------------------------------------------------------

update interlock.registers set last_receipt = last_receipt + 2 where id = pg_temp.id('front');
select is(pg_temp.found(), 'receipts front 6 4', 'numbers without a sale');
select is(pg_temp.resolved(), 'FINDING_NOT_CORRECTABLE receipts front 6 4 receipts front 6 4', 'are for people');
update interlock.registers set last_receipt = last_receipt - 2 where id = pg_temp.id('front');
select is(pg_temp.found(), 'nothing', 'until they are put right');
select pg_temp.break('sales', $$
  update interlock.sales set receipt_number = 7 where id = pg_temp.sale_id('broken')
$$);
select is(pg_temp.found(), 'receipts front 4 4', 'a number that was never given out');
select is(
  (select f.cause from interlock.inventory_findings f where f.status = 'open'), 'The register has counted to 4, and there is a receipt 7.', 'is told'
);
select pg_temp.break('sales', $$
  update interlock.sales set receipt_number = 4 where id = pg_temp.sale_id('broken')
$$);
select is(pg_temp.found(), 'nothing', 'until it is put right');

-- Of what retention has taken away nothing is asked.
select pg_temp.break('sale_lines', $$
  update interlock.sale_lines set quantity = 9 where sale_id = pg_temp.sale_id('a') and product_id = pg_temp.id('mug')
$$);
update interlock.settings set keep_stock_movements = '1 day';
select is(pg_temp.found(true), 'till_sales mug store a 9 5', 'a sale of today');
select pg_temp.break('sales', $$
  update interlock.sales set recorded_at = recorded_at - interval '2 days' where id = pg_temp.sale_id('a')
$$);
select is(pg_temp.found(true), 'nothing', 'is compared with the ledger as long as that is kept');

select * from finish();
rollback;
