-- What comes back to a till: with a receipt and without, parts and their rounding, exchanges, what is paid out and in which way, voids,
-- and the closing report.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

insert into auth.users (id, aud, role, email)
values
  ('62000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-62-cashier@example.com'),
  ('62000000-0000-4000-8000-0000000000bb', 'authenticated', 'authenticated', 'tap-62-manager@example.com');
insert into interlock.products (id, name, price, currency, available_quantity, kind, decimals, tax_class, stock_policy)
values
  ('62000000-0000-4000-8000-000000000001', 'flower', 1000, 'EUR', 0, 'physical', 3, 'standard', default),
  ('62000000-0000-4000-8000-000000000002', 'mug', 500, 'EUR', 10, 'physical', 0, 'tap62', default),
  ('62000000-0000-4000-8000-000000000003', 'cup', 700, 'EUR', 1, 'physical', 0, 'tap62x', default),
  ('62000000-0000-4000-8000-000000000004', 'bag', 10, 'EUR', 0, 'physical', 0, 'standard', 'untracked'),
  ('62000000-0000-4000-8000-000000000005', 'dollar', 10, 'USD', 5, 'physical', 0, 'standard', default),
  ('62000000-0000-4000-8000-000000000006', 'never sold', 10, 'EUR', 0, 'physical', 0, 'standard', default);
insert into interlock.locations (id, name) values ('62100000-0000-4000-8000-000000000001', 'Store');
insert into interlock.inventory (id, product_id, location_id, quantity)
values ('62200000-0000-4000-8000-000000000001', '62000000-0000-4000-8000-000000000001', '62100000-0000-4000-8000-000000000001', 5);
insert into interlock.product_barcodes (barcode, product_id, units) values ('tap62-two', '62000000-0000-4000-8000-000000000002', 2);
insert into interlock.tax_rates (tax_class, name, percent, inclusive) values ('tap62', 'VAT', 19, true), ('tap62x', 'tax', 10, false);
insert into interlock.registers (id, location_id, name, currency, receipt_prefix)
values
  ('62300000-0000-4000-8000-000000000001', '62100000-0000-4000-8000-000000000001', 'store', 'EUR', null),
  ('62300000-0000-4000-8000-000000000002', interlock.online_location(), 'web', 'EUR', null),
  ('62300000-0000-4000-8000-000000000003', interlock.online_location(), 'dollars', 'USD', null);
insert into interlock.shifts (id, register_id, opening_cash)
values
  ('62400000-0000-4000-8000-000000000001', '62300000-0000-4000-8000-000000000001', 10000),
  ('62400000-0000-4000-8000-000000000002', '62300000-0000-4000-8000-000000000002', 10000),
  ('62400000-0000-4000-8000-000000000003', '62300000-0000-4000-8000-000000000003', 0);

create temporary table sold (name text primary key, a jsonb) on commit drop;
grant select, insert on sold to authenticated, service_role;

create function pg_temp.act_as(p_user text, p_role text)
returns void
language sql
as $$
  select
    set_config('role', 'authenticated', true),
    set_config('request.jwt.claims', json_build_object(
      'sub', '62000000-0000-4000-8000-0000000000' || p_user, 'role', 'authenticated',
      'app_metadata', json_build_object('role', p_role)
    )::text, true)
$$;

-- The code of a refusal with its details, or the answer.
create function pg_temp.answer(p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  execute 'select (' || p_sql || ')::jsonb' into v_answer;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('code', coalesce(sqlerrm, ''), 'details', case when v_detail ~ '^[{]' then v_detail::jsonb - 'message' - case sqlerrm when 'VALIDATION_FAILED' then '' else 'problems' end end);
end
$$;

-- A sale at the store (s), the web shop's till (w) or that of dollars (d); {name} is the id of a sale that was kept under that name.
create function pg_temp.ask(p_till text, p_lines text, p_returns text, p_tenders text, p_more text default '')
returns jsonb
language plpgsql
as $$
declare
  v_returns text := p_returns;
  v_sold record;
begin
  for v_sold in select s.name, s.a #>> '{sale,id}' as id from sold s loop
    v_returns := replace(v_returns, '{' || v_sold.name || '}', v_sold.id);
  end loop;
  return pg_temp.answer(format(
    'public.pos_sale(%L, %L, %L, %L%s)',
    '62300000-0000-4000-8000-00000000000' || case p_till when 's' then 1 when 'w' then 2 else 3 end, p_lines, p_tenders, v_returns, p_more
  ));
end
$$;
create function pg_temp.keep(p_name text, p_till text, p_lines text, p_returns text, p_tenders text)
returns jsonb
language sql
as $$
  insert into sold values (p_name, pg_temp.ask(p_till, p_lines, p_returns, p_tenders)) returning a
$$;
create function pg_temp.stock(p_name text)
returns numeric
language sql
security definer
as $$
  select coalesce((select sum(i.quantity) from interlock.inventory i where i.product_id = p.id), 0) + p.available_quantity
  from interlock.products p where p.name = p_name and p.id::text like '62000000-%'
$$;
create function pg_temp.void(p_name text)
returns jsonb
language sql
as $$ select pg_temp.answer(format('public.void_sale(%L, %L)', (select a #>> '{sale,id}' from sold where name = p_name), 'wrong')) $$;

select pg_temp.act_as('bb', 'manager');

-- Three units for 10.00, by the gram: parts sum to what the line had cost.
select is(
  pg_temp.keep('three', 's', '[{"inventory_id": "62200000-0000-4000-8000-000000000001", "quantity": 1.5, "discount": {"amount": 501, "reason": "x"}},
    {"product_id": "62000000-0000-4000-8000-000000000004", "quantity": 3}]', null, '[{"type": "cash", "amount": 2000}]') #>> '{sale,total}',
  '1029', 'something is sold'
);
select is(
  (pg_temp.keep('first', 's', null, '[{"sale_id": "{three}", "line": 0, "quantity": 0.5, "reason": "too much"}]', '[{"type": "cash", "amount": 333}]') -> 'sale')
    - '{id,shift_id,sold_at,returns,location_id,recorded_at,offline,late,needs_review,shortfalls,customer,promo_code,loyalty,approved_by}'::text[],
  '{"register_id": "62300000-0000-4000-8000-000000000001", "receipt_number": 2, "receipt": "000002", "status": "completed", "currency": "EUR",
    "lines": [], "subtotal": 0, "discount": 0, "tax": 0, "tax_included": 0, "returned": 333, "total": -333, "change_due": 0,
    "tenders": [{"type": "cash", "amount": 333, "reference": null}]}'::jsonb,
  'a third of it comes back for a third of what it had cost, and is paid out'
);
select is(
  (select (a #> '{sale,returns,0}') - 'sale_id' from sold where name = 'first'),
  '{"n": 0, "line": 0, "product_id": "62000000-0000-4000-8000-000000000001", "inventory_id": "62200000-0000-4000-8000-000000000001", "name": "flower",
    "quantity": 0.5, "unit_price": 1000, "tax": 0, "amount": 333, "restock": true, "reason": "too much"}'::jsonb, 'the answer says what came back'
);
select is(pg_temp.stock('flower'), 4.000, 'it is on the shelf again');
select is(current_setting('interlock.reason', true), '', 'and nothing else is of that return');
select is(
  pg_temp.keep('second', 's', null, '[{"sale_id": "{three}", "line": 0, "quantity": 0.25, "restock": false, "reason": "x"},
    {"sale_id": "{three}", "line": 0, "quantity": 0.25, "reason": "y"}, {"sale_id": "{three}", "line": 1, "quantity": 1, "reason": "y"}]',
    '[{"type": "cash", "amount": 343}]') #> '{sale,returns}' ,
  jsonb_build_array(
    jsonb_build_object('n', 0, 'sale_id', (select a #>> '{sale,id}' from sold where name = 'three'), 'line', 0, 'product_id', '62000000-0000-4000-8000-000000000001',
      'inventory_id', null, 'name', 'flower', 'quantity', 0.25, 'unit_price', 1000, 'tax', 0, 'amount', 167, 'restock', false, 'reason', 'x'),
    jsonb_build_object('n', 1, 'sale_id', (select a #>> '{sale,id}' from sold where name = 'three'), 'line', 0, 'product_id', '62000000-0000-4000-8000-000000000001',
      'inventory_id', '62200000-0000-4000-8000-000000000001', 'name', 'flower', 'quantity', 0.25, 'unit_price', 1000, 'tax', 0, 'amount', 166, 'restock', true, 'reason', 'y'),
    jsonb_build_object('n', 2, 'sale_id', (select a #>> '{sale,id}' from sold where name = 'three'), 'line', 1, 'product_id', '62000000-0000-4000-8000-000000000004',
      'inventory_id', null, 'name', 'bag', 'quantity', 1, 'unit_price', 10, 'tax', 0, 'amount', 10, 'restock', true, 'reason', 'y')
  ),
  'parts of one line come in one request, and of an untracked product nothing goes into the stock'
);
select is(pg_temp.stock('flower'), 4.250, 'what is damaged does not go back');
select is(
  pg_temp.ask('s', null, '[{"sale_id": "{three}", "line": 0, "quantity": 0.501, "reason": "x"}, {"sale_id": "{three}", "line": 1, "quantity": 3, "reason": "y"}]', '[]'),
  jsonb_build_object('code', 'RETURN_EXCEEDS_SOLD', 'details', jsonb_build_object(
    'sale_id', (select a #>> '{sale,id}' from sold where name = 'three'),
    'lines', '[{"line": 0, "sold": 1.5, "returned": 1, "requested": 0.501}, {"line": 1, "sold": 3, "returned": 1, "requested": 3}]'::jsonb
  )), 'no more comes back than was sold, and every such line is told'
);
select is(
  pg_temp.ask('s', null, '[{"sale_id": "{three}", "line": 0, "quantity": 0.3, "reason": "x"}, {"sale_id": "{three}", "line": 0, "quantity": 0.3, "reason": "x"}]', '[]')
    #> '{details,lines,0,requested}', '0.6'::jsonb, 'entries of one line are added up'
);
select is(
  pg_temp.keep('third', 's', null, '[{"sale_id": "{three}", "line": 0, "quantity": 0.5, "reason": "x"}]', '[{"type": "cash", "amount": 333}]') #>> '{sale,total}',
  '-333', 'the last part'
);
reset role;
select results_eq(
  $$select trim_scale(l.returned_quantity), l.returned_amount::bigint, l.total::bigint from interlock.sale_lines l
    where l.sale_id = (select (a #>> '{sale,id}')::uuid from sold where name = 'three') and line = 0$$,
  $$values (1.5, 999::bigint, 999::bigint)$$, 'the parts are the whole'
);
select results_eq(
  $$select trim_scale(m.delta), m.reason::text, m.reference_id from interlock.stock_movements m
    where m.product_id = '62000000-0000-4000-8000-000000000001' and m.reason = 'pos_return' order by m.id limit 1$$,
  $$select 0.5, 'pos_return', (a #>> '{sale,id}')::uuid from sold where name = 'first'$$, 'the ledger says that it came back, with which sale'
);

-- A return that was the wrong one is voided: it may come back anew, for what is left.
select pg_temp.act_as('bb', 'manager');
select is(pg_temp.void('three') ->> 'code', 'SALE_RETURNED', 'a sale of which something came back stays');
select is(pg_temp.void('three') #> '{details,lines}', '[{"line": 0, "returned": 1.5}, {"line": 1, "returned": 1}]'::jsonb, 'and is told what');
select is(pg_temp.void('second') #>> '{sale,status}', 'voided', 'a return is voided');
select is(pg_temp.void('second') #>> '{sale,status}', 'voided', 'once');
select is(pg_temp.stock('flower'), 4.500, 'what had come back is gone again');
select is(
  pg_temp.keep('second again', 's', null, '[{"sale_id": "{three}", "line": 0, "quantity": 0.5, "reason": "x"}]', '[{"type": "cash", "amount": 333}]') #>> '{sale,total}',
  '-333', 'and may come back anew'
);
select is(pg_temp.stock('flower'), 5.000, 'to the shelf');
-- Nothing is left of it: of a tiny amount parts may have cost more than their share.
select pg_temp.keep('tiny', 's', '[{"product_id": "62000000-0000-4000-8000-000000000004", "quantity": 10, "discount": {"amount": 10, "reason": "x"}}]', null,
  '[{"type": "cash", "amount": 90}]');
select pg_temp.keep('cent', 's', '[{"inventory_id": "62200000-0000-4000-8000-000000000001", "quantity": 1, "discount": {"amount": 999, "reason": "x"}}]', null,
  '[{"type": "cash", "amount": 1}]');
select pg_temp.keep('cent 1', 's', null, '[{"sale_id": "{cent}", "line": 0, "quantity": 0.4, "reason": "x"}]', '[]');
select pg_temp.keep('cent 2', 's', null, '[{"sale_id": "{cent}", "line": 0, "quantity": 0.2, "reason": "x"}]', '[{"type": "cash", "amount": 1}]');
select is((select array_agg(a #>> '{sale,total}' order by name) from sold where name in ('cent 1', 'cent 2')), array['0', '-1'], 'a cent comes back with the half that has it');
select is(pg_temp.void('cent 1') #>> '{sale,status}', 'voided', 'what came back for nothing is voided');
select is(
  pg_temp.ask('s', null, '[{"sale_id": "{cent}", "line": 0, "quantity": 0.1, "reason": "x"}, {"sale_id": "{cent}", "line": 0, "quantity": 0.7, "reason": "x"}]', '[]')
    #> '{sale,returned}', '0'::jsonb, 'and no part costs less than nothing'
);

-- An exchange at the web shop's till: one receipt, one balance, and the last unit of its kind.
select pg_temp.keep('cup', 'w', '[{"product_id": "62000000-0000-4000-8000-000000000003", "quantity": 1}]', null,
  '[{"type": "card", "amount": 770, "reference": "tap62-1"}]');
select is(pg_temp.stock('cup'), 0::numeric, 'the last one is sold');
select is(
  (pg_temp.keep('same', 'w', '[{"product_id": "62000000-0000-4000-8000-000000000003", "quantity": 1}]',
    '[{"sale_id": "{cup}", "line": 0, "quantity": 1, "reason": "colour"}]', '[]') -> 'sale') - '{id,shift_id,sold_at,returns,location_id,lines,register_id,receipt,receipt_number,recorded_at,offline,late,needs_review,shortfalls,customer,promo_code,loyalty,approved_by}'::text[],
  '{"status": "completed", "currency": "EUR", "subtotal": 700, "discount": 0, "tax": 70, "tax_included": 0, "returned": 770, "total": 0, "change_due": 0, "tenders": []}'::jsonb,
  'the last one for itself, and nothing to pay'
);
select is(pg_temp.stock('cup'), 0::numeric, 'the shelf is as it was');
select is(
  pg_temp.ask('w', '[{"product_id": "62000000-0000-4000-8000-000000000003", "quantity": 2}]', '[{"sale_id": "{same}", "line": 0, "quantity": 1, "reason": "x"}]',
    '[{"type": "cash", "amount": 770}]') #> '{details,shortages}',
  '[{"product_id": "62000000-0000-4000-8000-000000000003", "requested": 2, "available": 1, "inventory_id": "62000000-0000-4000-8000-000000000003",
    "location_id": "00000000-0000-4000-8000-000000000001"}]'::jsonb, 'but it is not there twice'
);
select is(
  pg_temp.ask('w', '[{"product_id": "62000000-0000-4000-8000-000000000002", "quantity": 2}]', '[{"sale_id": "{same}", "line": 0, "quantity": 1, "reason": "x"}]',
    '[{"type": "cash", "amount": 229}]') -> 'details',
  '{"total": 230, "paid": 229, "missing": 1, "currency": "EUR"}'::jsonb, 'what is dearer is paid'
);
select is(
  pg_temp.ask('w', '[{"product_id": "62000000-0000-4000-8000-000000000002", "quantity": 2}]', '[{"sale_id": "{same}", "line": 0, "quantity": 1, "reason": "x"}]',
    '[{"type": "cash", "amount": 300}]', ', p_expected_total => 231') #> '{details,total}', '230'::jsonb, 'the balance is what was expected'
);
select is(
  pg_temp.keep('dearer', 'w', '[{"product_id": "62000000-0000-4000-8000-000000000002", "quantity": 2}]', '[{"sale_id": "{same}", "line": 0, "quantity": 1, "reason": "x"}]',
    '[{"type": "cash", "amount": 300}]') #> '{sale,change_due}', '70'::jsonb, 'with change'
);

-- What is paid out is what was paid, in the same way, through every exchange.
select is(
  pg_temp.ask('w', null, '[{"sale_id": "{dearer}", "line": 0, "quantity": 2, "reason": "x"}]', '[{"type": "cash", "amount": 1000}]') -> 'details',
  '{"total": -1000, "currency": "EUR", "tenders": [{"type": "card", "requested": 0, "refundable": 770}, {"type": "cash", "requested": 1000, "refundable": 230}]}'::jsonb,
  'a card payment does not come back as cash'
);
select is(
  pg_temp.ask('w', null, '[{"sale_id": "{dearer}", "line": 0, "quantity": 2, "reason": "x"}]', '[{"type": "cash", "amount": 999}]') -> 'details',
  '{"total": -1000, "paid": 999, "missing": 1, "currency": "EUR"}'::jsonb, 'all of it is paid out'
);
select is(
  pg_temp.ask('w', null, '[{"sale_id": "{dearer}", "line": 0, "quantity": 2, "reason": "x"}]', '[{"type": "cash", "amount": 1001}]') -> 'details',
  '{"total": -1000, "paid": 1001, "excess": 1, "currency": "EUR"}'::jsonb, 'and no more'
);
select is(
  pg_temp.ask('w', null, '[{"sale_id": "{dearer}", "line": 0, "quantity": 2, "reason": "x"}]', '[{"type": "cash", "amount": 230}, {"type": "card", "amount": 770}]',
    ', p_expected_total => 1000') ->> 'code', 'PRICE_CHANGED', 'an expected total has a sign'
);
select is(
  pg_temp.keep('mug', 'w', null, '[{"sale_id": "{dearer}", "line": 0, "quantity": 1, "restock": false, "reason": "x"}]',
    '[{"type": "card", "amount": 500, "reference": "tap62-2"}]') #>> '{sale,total}', '-500', 'a part goes back to the card'
);
select is((select (a #> '{sale,returns,0,tax}') from sold where name = 'mug'), '80'::jsonb, 'with its share of the tax in the price');
select is(
  pg_temp.ask('w', null, '[{"sale_id": "{dearer}", "line": 0, "quantity": 1, "reason": "x"}]', '[{"type": "card", "amount": 500}]') #> '{details,tenders}',
  '[{"type": "card", "requested": 500, "refundable": 270}, {"type": "cash", "requested": 0, "refundable": 230}]'::jsonb, 'no more goes back in one way than is left of it'
);
select is(
  pg_temp.keep('rest', 'w', null, '[{"sale_id": "{dearer}", "line": 0, "quantity": 1, "reason": "x"}]',
    '[{"type": "card", "amount": 270}, {"type": "cash", "amount": 230}]') #>> '{sale,total}', '-500', 'the rest in both'
);
select is(
  pg_temp.ask('w', null, '[{"sale_id": "{dearer}", "line": 0, "quantity": 1, "reason": "x"}]', '[{"type": "cash", "amount": 500}]') ->> 'code',
  'RETURN_EXCEEDS_SOLD', 'once'
);
reset role;
select is(
  (select trim_scale(returned_tax::numeric) from interlock.sale_lines where sale_id = (select (a #>> '{sale,id}')::uuid from sold where name = 'dearer')),
  (select tax::numeric from interlock.sale_lines where sale_id = (select (a #>> '{sale,id}')::uuid from sold where name = 'dearer')), 'the tax has come back, too'
);
select is(
  (select array_agg(root_sale_id = (select (a #>> '{sale,id}')::uuid from sold where name = 'cup') order by receipt_number) from interlock.sales
    where shift_id = '62400000-0000-4000-8000-000000000002'),
  array[null, true, true, true, true], 'each says with which sale it began'
);

-- Voids of exchanges.
select pg_temp.act_as('bb', 'manager');
select is(pg_temp.void('dearer') ->> 'code', 'SALE_RETURNED', 'an exchange of which something came back stays');
select is(pg_temp.void('rest') #>> '{sale,status}', 'voided', 'its last return is voided');
select is(pg_temp.void('mug') #>> '{sale,status}', 'voided', 'and the one before');
select is(pg_temp.void('dearer') #>> '{sale,status}', 'voided', 'then so is the exchange');
select is(array[pg_temp.stock('mug'), pg_temp.stock('cup')], array[10::numeric, 0::numeric], 'the stock is as before it');
select is(
  pg_temp.ask('w', null, '[{"sale_id": "{dearer}", "line": 0, "quantity": 1, "reason": "x"}]', '[]') -> 'code', '"SALE_VOIDED"'::jsonb, 'of what is voided nothing comes back'
);
select is(
  pg_temp.keep('back', 'w', null, '[{"sale_id": "{same}", "line": 0, "quantity": 1, "reason": "x"}]', '[{"type": "card", "amount": 770}]') #>> '{sale,total}',
  '-770', 'and the cup may come back again'
);
select pg_temp.keep('gone', 'w', '[{"product_id": "62000000-0000-4000-8000-000000000003", "quantity": 1}]', null, '[{"type": "cash", "amount": 770}]');
select is(pg_temp.void('back') ->> 'code', 'INSUFFICIENT_INVENTORY', 'what came back and was sold again cannot be taken out');
-- A sale that was both: it gives and takes of one product.
select pg_temp.keep('both', 'w', '[{"product_id": "62000000-0000-4000-8000-000000000003", "quantity": 1}]', '[{"sale_id": "{gone}", "line": 0, "quantity": 1, "reason": "x"}]', '[]');
select is(pg_temp.void('both') #>> '{sale,status}', 'voided', 'an exchange of the last one is voided');

-- Another till, of another location: the goods stay where they come back.
select is(
  pg_temp.keep('moved', 's', null, '[{"sale_id": "{gone}", "line": 0, "quantity": 1, "reason": "x"}]', '[{"type": "cash", "amount": 770}]') #>> '{sale,total}', '-770',
  'what the web shop''s till has sold comes back to the store'
);
reset role;
select is(
  (select trim_scale(i.quantity) from interlock.inventory i where i.product_id = '62000000-0000-4000-8000-000000000003' and i.location_id = '62100000-0000-4000-8000-000000000001'),
  1::numeric, 'and is on its shelf, where there was none'
);
select pg_temp.act_as('bb', 'manager');
select is(
  pg_temp.ask('s', '[{"product_id": "62000000-0000-4000-8000-000000000004", "quantity": 1}]',
    '[{"product_id": "62000000-0000-4000-8000-000000000006", "quantity": 1, "restock": false, "reason": "broken"}]', '[]') #> '{sale,lines,0,inventory_id}', 'null'::jsonb,
  'what is not counted has no shelf'
);
reset role;
select is_empty(
  $$select from interlock.inventory i where i.product_id in ('62000000-0000-4000-8000-000000000004', '62000000-0000-4000-8000-000000000006')$$,
  'nor has what comes back broken'
);
select pg_temp.act_as('bb', 'manager');
select is(
  pg_temp.keep('swap', 's', '[{"product_id": "62000000-0000-4000-8000-000000000006", "quantity": 1}]',
    '[{"product_id": "62000000-0000-4000-8000-000000000006", "quantity": 1, "reason": "x"}]', '[]') #>> '{sale,total}', '0',
  'what was never at a location can be exchanged there'
);

-- Without a receipt.
select pg_temp.act_as('aa', 'cashier');
select is(
  pg_temp.ask('w', null, '[{"barcode": "tap62-two", "quantity": 1, "reason": "gift"}]', '[{"type": "cash", "amount": 1000}]') ->> 'code', 'RETURN_NOT_ALLOWED',
  'a cashier takes nothing back without a receipt'
);
select pg_temp.act_as('bb', 'manager');
select is(
  pg_temp.ask('w', null, '[{"barcode": "tap62-two", "quantity": 1, "reason": "gift"}]', '[{"type": "card", "amount": 1000}]') #> '{details,tenders}',
  '[{"type": "card", "requested": 1000, "refundable": 0}, {"type": "cash", "requested": 0, "refundable": 1000}]'::jsonb, 'without a receipt cash is paid out'
);
select is(
  pg_temp.keep('gift', 'w', null, '[{"barcode": "tap62-two", "quantity": 1, "reason": "gift"}, {"product_id": "62000000-0000-4000-8000-000000000003", "quantity": 1, "restock": false, "reason": "x"}]',
    '[{"type": "cash", "amount": 1770}]') #> '{sale,returns}',
  '[{"n": 0, "sale_id": null, "line": null, "product_id": "62000000-0000-4000-8000-000000000002", "inventory_id": "62000000-0000-4000-8000-000000000002", "name": "mug",
     "quantity": 2, "unit_price": 500, "tax": 160, "amount": 1000, "restock": true, "reason": "gift"},
    {"n": 1, "sale_id": null, "line": null, "product_id": "62000000-0000-4000-8000-000000000003", "inventory_id": null, "name": "cup",
     "quantity": 1, "unit_price": 700, "tax": 70, "amount": 770, "restock": false, "reason": "x"}]'::jsonb,
  'a manager does, at the present price with its tax; a scan may be several units'
);
select is(pg_temp.stock('mug'), 12::numeric, 'they are on the shelf');
select is(
  pg_temp.keep('gift for gift', 'w', '[{"product_id": "62000000-0000-4000-8000-000000000002", "quantity": 3}]', '[{"barcode": "tap62-two", "quantity": 1, "reason": "gift"}]',
    '[{"type": "card", "amount": 500, "reference": "tap62-3"}]') #>> '{sale,total}', '500', 'an exchange without a receipt'
);
select is(
  pg_temp.ask('w', null, '[{"sale_id": "{gift for gift}", "line": 0, "quantity": 3, "reason": "x"}]', '[{"type": "card", "amount": 501}, {"type": "cash", "amount": 999}]')
    #> '{details,tenders}',
  '[{"type": "card", "requested": 501, "refundable": 500}, {"type": "cash", "requested": 999, "refundable": 1000}]'::jsonb, 'of which the gift counts as cash'
);

select pg_temp.keep('only back', 'd', null, '[{"product_id": "62000000-0000-4000-8000-000000000005", "quantity": 1, "reason": "x"}]', '[{"type": "cash", "amount": 10}]');

-- Refusals.
select is(pg_temp.ask(l.till, null, l.returns, '[]') - 'hint', jsonb_build_object('code', l.code, 'details', l.details::jsonb), l.code || ': ' || l.returns)
from (values
  ('w', '[{"sale_id": "62000000-0000-4000-8000-0000000000ff", "line": 0, "quantity": 1, "reason": "x"}]', 'SALE_NOT_FOUND', '{"sale_id": "62000000-0000-4000-8000-0000000000ff"}'),
  ('d', '[{"sale_id": "{three}", "line": 0, "quantity": 1, "reason": "x"}]', 'MIXED_CURRENCIES', '{"currencies": ["EUR", "USD"]}'),
  ('d', '[{"barcode": "tap62-two", "quantity": 1, "reason": "x"}]', 'MIXED_CURRENCIES', '{"currencies": ["EUR", "USD"]}'),
  ('w', '[{"barcode": "tap62-no", "quantity": 1, "reason": "x"}]', 'BARCODE_NOT_FOUND', '{"barcodes": ["tap62-no"]}'),
  ('w', '[{"inventory_id": "62000000-0000-4000-8000-0000000000ff", "quantity": 1, "reason": "x"}]', 'INVENTORY_NOT_FOUND', '{"inventory_ids": ["62000000-0000-4000-8000-0000000000ff"]}'),
  ('w', '[{"product_id": "62000000-0000-4000-8000-0000000000ff", "quantity": 1, "reason": "x"}]', 'PRODUCT_NOT_FOUND', '{"product_ids": ["62000000-0000-4000-8000-0000000000ff"]}'),
  ('w', '[{"inventory_id": "62200000-0000-4000-8000-000000000001", "quantity": 1, "reason": "x"}]', 'STOCK_ELSEWHERE',
    '{"inventory_ids": ["62200000-0000-4000-8000-000000000001"], "location_id": "00000000-0000-4000-8000-000000000001"}'),
  ('w', '[{"product_id": "62000000-0000-4000-8000-000000000002", "quantity": 1.5, "reason": "x"}]', 'VALIDATION_FAILED',
    '{"problems": [{"pointer": "/returns/0/quantity", "message": "must be a whole number: the web shop''s stock is sold in whole units"}]}'),
  ('w', '[{"sale_id": "{cent}", "line": 0, "quantity": 0.2, "reason": "x"}, {"sale_id": "{cent}", "line": 7, "quantity": 1, "reason": "x"}]', 'VALIDATION_FAILED',
    '{"problems": [{"pointer": "/returns/0/quantity", "message": "must be a whole number: it goes to the web shop''s stock, which is in whole units"},
      {"pointer": "/returns/1/line", "message": "is no line of the sale"}]}'),
  ('w', '[{"sale_id": "{tiny}", "line": 0, "quantity": 0.2, "reason": "x"}]', 'VALIDATION_FAILED',
    '{"problems": [{"pointer": "/returns/0/quantity", "message": "must have at most 0 decimals, as the product has"}]}'),
  ('w', '[{"sale_id": "{cent}", "line": 0, "quantity": 0.2, "restock": false, "reason": "x"}, {"sale_id": "{cent}", "line": 0, "quantity": 1.2, "restock": false, "reason": "x"}]',
    'RETURN_EXCEEDS_SOLD', (select format('{"sale_id": "%s", "lines": [{"line": 0, "sold": 1, "returned": 1, "requested": 1.4}]}', a #>> '{sale,id}') from sold where name = 'cent')),
  ('w', '{}', 'VALIDATION_FAILED', '{"problems": [{"pointer": "/returns", "message": "must be an array of 1 to 100 entries"}]}'),
  ('w', '[]', 'VALIDATION_FAILED', '{"problems": [{"pointer": "/returns", "message": "must be an array of 1 to 100 entries"}]}'),
  ('w', null, 'VALIDATION_FAILED', '{"problems": [{"pointer": "/lines", "message": "must be an array of 1 to 100 lines"}]}')
) as l (till, returns, code, details);
select is(
  jsonb_path_query_array(pg_temp.ask('w', null, '[{"sale_id": "{cent}", "line": 0, "quantity": 1, "reason": "x"}, 1, {"quantity": 0, "gift": 1},
    {"sale_id": "{three}", "line": 100, "quantity": 1.0001, "restock": 1, "reason": ""}, {"sale_id": "x", "barcode": "a b", "line": 0.5, "quantity": "1", "reason": "x"},
    {"product_id": "x", "line": 1, "quantity": 1000001, "reason": 1}, {"sale_id": "{cent}", "quantity": 1, "reason": "x", "inventory_id": 1, "restock": null}]', '[]'),
    '$.details.problems[*].pointer'),
  '["/returns/1", "/returns/2", "/returns/2/gift", "/returns/2/quantity", "/returns/2/reason", "/returns/2/sale_id",
    "/returns/3/line", "/returns/3/quantity", "/returns/3/reason", "/returns/3/restock", "/returns/3/sale_id",
    "/returns/4", "/returns/4/barcode", "/returns/4/line", "/returns/4/quantity", "/returns/4/sale_id", "/returns/4/sale_id",
    "/returns/5/line", "/returns/5/product_id", "/returns/5/quantity", "/returns/5/reason", "/returns/5/sale_id",
    "/returns/6", "/returns/6/inventory_id", "/returns/6/line", "/returns/6/restock"]'::jsonb,
  'every problem of what comes back is told'
);

-- The close: sales and returns, what was paid out, and the drawer.
select is(
  (pg_temp.answer($$public.close_shift('62400000-0000-4000-8000-000000000002', 10000)$$) -> 'shift') - '{id,opened_at,closed_at,register_id}'::text[],
  '{"opening_cash": 10000, "sales": 4, "returns": 4, "voided": 4, "first_receipt": 1, "last_receipt": 10, "subtotal": 3600, "discount": 0, "tax": 449, "returned": 4310,
    "total": -500, "tenders": {"cash": -1000, "card": 500, "wallet": 0, "points": 0}, "parked": 0, "paid_in": 0, "paid_out": 0, "expected_cash": 9000, "counted_cash": 10000, "difference": 1000}'::jsonb,
  'the report has what came back, and what was paid out'
);

reset role;
select is((select count(*) from interlock.stock_differences where product_id::text like '62000000-%'), 0::bigint, 'the books agree');
select throws_ok($$delete from interlock.products where id = '62000000-0000-4000-8000-000000000005'$$, '23503', null, 'what came back to a till is not deleted');
select throws_ok('update interlock.sale_returns set amount = amount + 1', '23001', null, 'what came back stays as it was written');
select throws_ok('delete from interlock.sale_returns', '23001', null, 'and is not deleted');
select throws_ok('truncate interlock.sale_returns', null, null, 'at all');
select throws_ok('update interlock.sale_lines set ' || c || ' where returned_quantity > 0', '23514', null, 'no more comes back of a line than it has: ' || c)
from unnest(array['returned_quantity = quantity + 1', 'returned_quantity = -1', 'returned_amount = total + 1', 'returned_tax = tax + 1']) as c;
select throws_ok(format('update interlock.sales set %I = %s', c.name, c.value), '23001', null, c.name || ' of a sale stays')
from (values ('returned', 'returned + 1'), ('returns', 'returns + 1'), ('root_sale_id', 'id')) as c (name, value);
select throws_ok(
  $$insert into interlock.sale_returns (sale_id, n, original_sale_id, product_id, name, quantity, unit_price, amount, restock, reason)
    select id, 9, id, id, 'x', 1, 1, 1, true, 'x' from interlock.sales limit 1$$,
  -- Where there are many shops a check says it, as `match full` does else.
  case when interlock.serves_shops() then '23514' else '23503' end, null, 'a line has its sale'
);

select * from finish();
rollback;
