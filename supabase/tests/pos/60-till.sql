-- A day at a till: shifts and their cash, sales from the stock of a store and of the web shop, discounts, taxes, tenders, voids, the
-- closing report; and who may do what.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

insert into auth.users (id, aud, role, email)
values
  ('60000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-60-cashier@example.com'),
  ('60000000-0000-4000-8000-0000000000bb', 'authenticated', 'authenticated', 'tap-60-manager@example.com'),
  ('60000000-0000-4000-8000-0000000000cc', 'authenticated', 'authenticated', 'tap-60@example.com'),
  ('60000000-0000-4000-8000-0000000000dd', 'authenticated', 'authenticated', 'tap-60-other-cashier@example.com');

insert into interlock.products (id, name, price, currency, available_quantity, kind, decimals, tax_class, stock_policy)
values
  ('60000000-0000-4000-8000-000000000001', 'flower', 1299, 'EUR', 0, 'physical', 3, 'standard', default),
  ('60000000-0000-4000-8000-000000000002', 'mug', 500, 'EUR', 10, 'physical', 0, 'tap60', default),
  ('60000000-0000-4000-8000-000000000003', 'card', 500, 'EUR', 0, 'digital', 0, 'standard', default),
  ('60000000-0000-4000-8000-000000000004', 'bag', 10, 'EUR', 0, 'physical', 0, 'standard', 'untracked'),
  ('60000000-0000-4000-8000-000000000005', 'dollar', 10, 'USD', 5, 'physical', 0, 'standard', default),
  ('60000000-0000-4000-8000-000000000006', 'gone', 10, 'EUR', 5, 'physical', 0, 'standard', default);
update interlock.products set active = false where id = '60000000-0000-4000-8000-000000000006';
insert into interlock.locations (id, name) values ('60100000-0000-4000-8000-000000000001', 'Store'), ('60100000-0000-4000-8000-000000000002', 'Other');
insert into interlock.inventory (id, product_id, location_id, quantity)
values
  ('60200000-0000-4000-8000-000000000001', '60000000-0000-4000-8000-000000000001', '60100000-0000-4000-8000-000000000001', 11.52),
  ('60200000-0000-4000-8000-000000000002', '60000000-0000-4000-8000-000000000001', '60100000-0000-4000-8000-000000000002', 1);
insert into interlock.product_barcodes (barcode, product_id, units)
values ('tap60-mug', '60000000-0000-4000-8000-000000000002', 1), ('tap60-six', '60000000-0000-4000-8000-000000000002', 6);
insert into interlock.tax_rates (tax_class, name, percent, inclusive) values ('tap60', 'VAT', 19, true);
insert into interlock.registers (id, location_id, name, currency, receipt_prefix)
values
  ('60300000-0000-4000-8000-000000000001', '60100000-0000-4000-8000-000000000001', 'store', 'EUR', 'TAP60'),
  ('60300000-0000-4000-8000-000000000002', interlock.online_location(), 'web', 'EUR', null);

create function pg_temp.act_as(p_user text, p_role text)
returns void
language sql
as $$
  select
    set_config('role', case when p_user is null then 'service_role' else 'authenticated' end, true),
    set_config('request.jwt.claims', case
      when p_user is null then '{"role": "service_role"}'
      else json_build_object(
        'sub', '60000000-0000-4000-8000-0000000000' || p_user, 'role', 'authenticated',
        'app_metadata', json_build_object('role', p_role)
      )::text
    end, true)
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

-- A sale at the store (s) or the web shop's till (w).
create function pg_temp.sell(p_till text, p_lines text, p_tenders text, p_more text default '')
returns jsonb
language sql
as $$
  select pg_temp.answer(format(
    'public.pos_sale(%L, %L, %L%s)',
    '60300000-0000-4000-8000-00000000000' || case p_till when 's' then 1 else 2 end, p_lines, p_tenders, p_more
  ))
$$;

-- Shifts.
select pg_temp.act_as('cc', 'driver');
select is(pg_temp.answer($$public.open_shift('60300000-0000-4000-8000-000000000001', 0)$$) ->> 'code', 'FORBIDDEN', 'who does not work at a till opens no shift');
select is(pg_temp.sell('s', '[]', '[]') ->> 'code', 'FORBIDDEN', 'nor sells');
select is(pg_temp.answer($$public.close_shift('60300000-0000-4000-8000-000000000001', 0)$$) ->> 'code', 'FORBIDDEN', 'nor closes one');
select is(pg_temp.answer($$public.move_cash('60300000-0000-4000-8000-000000000001', 'paid_in', 1, 'x', 'x')$$) ->> 'code', 'FORBIDDEN', 'nor moves cash');
select is(pg_temp.answer($$public.void_sale('60300000-0000-4000-8000-000000000001', 'x')$$) ->> 'code', 'FORBIDDEN', 'nor voids a sale');
select is_empty('select 1 from interlock.registers', 'nor sees registers');

select pg_temp.act_as('aa', 'cashier');
select isnt_empty('select 1 from interlock.registers', 'a cashier sees registers');
select is(
  pg_temp.answer('public.open_shift(null, -1)') #> '{details,problems}',
  '[{"pointer": "/p_register_id", "message": "is required"}, {"pointer": "/p_opening_cash", "message": "must be a whole number of minor units, 0 or more"}]'::jsonb,
  'a shift has a register and its cash'
);
select is(pg_temp.answer($$public.open_shift('60300000-0000-4000-8000-0000000000ff', 0)$$) ->> 'code', 'REGISTER_NOT_FOUND', 'an unknown register');
select is(pg_temp.sell('s', '[{"barcode": "tap60-mug", "quantity": 1}]', '[]') ->> 'code', 'INSUFFICIENT_INVENTORY', 'the store has no mugs');
select is(
  pg_temp.sell('w', '[{"barcode": "tap60-mug", "quantity": 1}]', '[{"type": "cash", "amount": 500}]') ->> 'code', 'SHIFT_NOT_OPEN',
  'nothing is sold without a shift'
);
create temporary table shift on commit drop as
  select pg_temp.answer($$public.open_shift('60300000-0000-4000-8000-000000000001', 10000)$$) -> 'shift' as store,
    pg_temp.answer($$public.open_shift('60300000-0000-4000-8000-000000000002', 0)$$) -> 'shift' as web;
select is((select store ->> 'opening_cash' from shift), '10000', 'a shift is opened');
select is(
  pg_temp.answer($$public.open_shift('60300000-0000-4000-8000-000000000001', 0)$$) #>> '{details,shift_id}', (select store ->> 'id' from shift),
  'a second one is told of it'
);
reset role;
select throws_ok(
  $$insert into interlock.shifts (register_id, opening_cash) values ('60300000-0000-4000-8000-000000000001', 0)$$, '23505',
  null, 'nor is there another way to two'
);
update interlock.registers set active = false where id = '60300000-0000-4000-8000-000000000002';
select pg_temp.act_as('aa', 'cashier');
select is(pg_temp.answer($$public.open_shift('60300000-0000-4000-8000-000000000002', 0)$$) ->> 'code', 'REGISTER_NOT_FOUND', 'an inactive register opens none');

-- Sales.
create temporary table sold on commit drop as
  select pg_temp.sell('s', '[{"inventory_id": "60200000-0000-4000-8000-000000000001", "quantity": 1.52, "discount": {"percent": 10, "reason": "bruised"}},
    {"product_id": "60000000-0000-4000-8000-000000000004", "quantity": 2}]', '[{"type": "cash", "amount": 2000}]', $$, p_idempotency_key => 'k'$$) as a;
select is(
  (select (a -> 'sale') - '{id,shift_id,sold_at,recorded_at,offline,late,needs_review,shortfalls,lines}'::text[] from sold),
  '{"register_id": "60300000-0000-4000-8000-000000000001", "location_id": "60100000-0000-4000-8000-000000000001", "receipt_number": 1,
    "receipt": "TAP60-000001", "status": "completed", "currency": "EUR", "subtotal": 1994, "discount": 197, "tax": 0, "tax_included": 0,
    "returns": [], "returned": 0, "total": 1797, "tenders": [{"type": "cash", "amount": 2000, "reference": null}], "change_due": 203, "customer": null, "promo_code": null, "loyalty": null, "approved_by": null}'::jsonb,
  'what is weighed is rounded by line, and change is given of cash'
);
select is(
  (select a #> '{sale,lines}' from sold),
  '[{"line": 0, "product_id": "60000000-0000-4000-8000-000000000001", "inventory_id": "60200000-0000-4000-8000-000000000001", "name": "flower",
     "quantity": 1.52, "unit_price": 1299, "subtotal": 1974, "discount": 197, "promo_discount": 0, "tax": 0, "total": 1777},
    {"line": 1, "product_id": "60000000-0000-4000-8000-000000000004", "inventory_id": null, "name": "bag", "quantity": 2, "unit_price": 10,
     "subtotal": 20, "discount": 0, "promo_discount": 0, "tax": 0, "total": 20}]'::jsonb,
  'line by line'
);
select is(
  pg_temp.sell('s', '[{"inventory_id": "60200000-0000-4000-8000-000000000001", "quantity": 1.52, "discount": {"percent": 10, "reason": "bruised"}},
    {"product_id": "60000000-0000-4000-8000-000000000004", "quantity": 2}]', '[{"type": "cash", "amount": 2000}]', $$, p_idempotency_key => 'k'$$),
  (select a from sold), 'under its key it is one sale'
);
reset role;
update interlock.products set active = false where id = '60000000-0000-4000-8000-000000000004';
select pg_temp.act_as('aa', 'cashier');
select is(
  pg_temp.sell('s', '[{"inventory_id": "60200000-0000-4000-8000-000000000001", "quantity": 1.52, "discount": {"percent": 10, "reason": "bruised"}},
    {"product_id": "60000000-0000-4000-8000-000000000004", "quantity": 2}]', '[{"type": "cash", "amount": 2000}]', $$, p_idempotency_key => 'k'$$),
  (select a from sold), 'though one of it is not sold any more'
);
reset role;
update interlock.products set active = true where id = '60000000-0000-4000-8000-000000000004';
select pg_temp.act_as('aa', 'cashier');
select is(
  (pg_temp.sell('w', '[{"barcode": "tap60-six", "quantity": 1}, {"barcode": "tap60-mug", "quantity": 1, "discount": {"amount": 50, "reason": "x"}}]',
    '[{"type": "card", "amount": 3000, "reference": "tap60"}, {"type": "cash", "amount": 1000}]') -> 'sale')
    - '{id,shift_id,sold_at,recorded_at,offline,late,needs_review,shortfalls,lines,tenders,register_id,location_id}'::text[],
  '{"receipt_number": 1, "receipt": "000001", "status": "completed", "currency": "EUR", "subtotal": 3500, "discount": 50, "tax": 551,
    "tax_included": 551, "returns": [], "returned": 0, "total": 3450, "change_due": 550, "customer": null, "promo_code": null, "loyalty": null, "approved_by": null}'::jsonb,
  'a scan may be several units, and taxes are those of the web shop'
);
reset role;
select is((select trim_scale(quantity) from interlock.inventory where id = '60200000-0000-4000-8000-000000000001'), 10.00, 'the store''s stock is taken');
select is((select available_quantity from interlock.products where id = '60000000-0000-4000-8000-000000000002'), 3, 'and the web shop''s');
select results_eq(
  $$select delta::numeric, reason::text, reference_id, actor from interlock.stock_movements
    where product_id = '60000000-0000-4000-8000-000000000001' and reason = 'pos_sale'$$,
  $$select -1.52, 'pos_sale', (select (a #>> '{sale,id}')::uuid from sold), '60000000-0000-4000-8000-0000000000aa'::uuid$$,
  'the ledger says which sale, and who'
);
select is(current_setting('interlock.reason', true), '', 'and says it of nothing else');
select is((select cashier from interlock.sales where id = (select (a #>> '{sale,id}')::uuid from sold)), '60000000-0000-4000-8000-0000000000aa', 'so does the sale');

-- Refusals; each with what is known, and nothing has changed.
select pg_temp.act_as('aa', 'cashier');
select is(pg_temp.sell('w', l.lines, l.tenders, l.more) - 'hint', jsonb_build_object('code', l.code, 'details', l.details::jsonb), l.code || ': ' || l.lines)
from (values
  ('[{"barcode": "tap60-none", "quantity": 1}, {"barcode": "tap60-mug", "quantity": 1}]', '[]', '', 'BARCODE_NOT_FOUND', '{"barcodes": ["tap60-none"]}'),
  ('[{"inventory_id": "60200000-0000-4000-8000-0000000000ff", "quantity": 1}]', '[]', '', 'INVENTORY_NOT_FOUND',
    '{"inventory_ids": ["60200000-0000-4000-8000-0000000000ff"]}'),
  ('[{"product_id": "60000000-0000-4000-8000-0000000000ff", "quantity": 1}, {"product_id": "60000000-0000-4000-8000-000000000006", "quantity": 1}]', '[]', '',
    'PRODUCT_NOT_FOUND', '{"product_ids": ["60000000-0000-4000-8000-000000000006", "60000000-0000-4000-8000-0000000000ff"]}'),
  ('[{"inventory_id": "60200000-0000-4000-8000-000000000001", "quantity": 1}]', '[]', '', 'STOCK_ELSEWHERE',
    '{"inventory_ids": ["60200000-0000-4000-8000-000000000001"], "location_id": "00000000-0000-4000-8000-000000000001"}'),
  ('[{"product_id": "60000000-0000-4000-8000-000000000003", "quantity": 1}, {"barcode": "tap60-mug", "quantity": 1.5},
     {"barcode": "tap60-mug", "quantity": 1, "discount": {"amount": 501, "reason": "x"}}]', '[]', '', 'VALIDATION_FAILED',
    '{"problems": [{"message": "is a digital product, which is not sold at a till", "pointer": "/lines/0"},
       {"message": "must be a whole number: the web shop''s stock is sold in whole units", "pointer": "/lines/1/quantity"},
       {"message": "must be at most 500, which is what the line costs", "pointer": "/lines/2/discount"},
       {"code": "DISCOUNT_NOT_ALLOWED", "details": {"limit_percent": 10}, "message": "A cashier may not take off that much.", "pointer": "/lines/2/discount"}]}'),
  ('[{"product_id": "60000000-0000-4000-8000-000000000005", "quantity": 1}]', '[]', '', 'MIXED_CURRENCIES', '{"currencies": ["EUR", "USD"]}'),
  ('[{"barcode": "tap60-mug", "quantity": 1, "discount": {"percent": 11, "reason": "x"}}]', '[]', '', 'DISCOUNT_NOT_ALLOWED', '{"limit_percent": 10}'),
  ('[{"barcode": "tap60-mug", "quantity": 2}, {"product_id": "60000000-0000-4000-8000-000000000002", "quantity": 2}]', '[]', '', 'INSUFFICIENT_INVENTORY',
    '{"shortages": [{"inventory_id": "60000000-0000-4000-8000-000000000002", "product_id": "60000000-0000-4000-8000-000000000002",
      "location_id": "00000000-0000-4000-8000-000000000001", "requested": 4, "available": 3}]}'),
  ('[{"barcode": "tap60-mug", "quantity": 1}]', '[{"type": "cash", "amount": 300}, {"type": "card", "amount": 100}]', '', 'UNDERPAID',
    '{"total": 500, "paid": 400, "missing": 100, "currency": "EUR"}'),
  ('[{"barcode": "tap60-mug", "quantity": 1}]', '[{"type": "cash", "amount": 100}, {"type": "card", "amount": 510}]', '', 'OVERPAID',
    '{"total": 500, "paid": 610, "excess": 10, "currency": "EUR"}'),
  ('[{"barcode": "tap60-mug", "quantity": 1}]', '[{"type": "card", "amount": 500, "reference": "tap60"}]', '', 'TENDER_REFERENCE_USED', '{"references": ["tap60"]}'),
  ('[{"barcode": "tap60-mug", "quantity": 1}]', '[{"type": "cash", "amount": 500}]', ', p_expected_total => 400', 'PRICE_CHANGED',
    '{"expected_total": 400, "total": 500, "subtotal": 500, "currency": "EUR", "lines": [{"product_id": "60000000-0000-4000-8000-000000000002",
      "name": "mug", "quantity": 1, "unit_price": 500, "total": 500, "expected_unit_price": null}]}')
) as l (lines, tenders, more, code, details);
select is(
  jsonb_path_query_array(
    pg_temp.sell('w', '[{"barcode": "tap60-mug", "quantity": 1}, {"product_id": "60000000-0000-4000-8000-000000000004", "quantity": 1}]', '[]', ', p_expected_total => 500'),
    '$.details.lines[*].name'
  ),
  '["mug", "bag"]'::jsonb, 'what a sale comes to is told line by line'
);
select is(
  (select array_agg(p #>> '{}' order by n) from jsonb_array_elements(jsonb_path_query_array(
    pg_temp.sell('w', '[1, {"quantity": 0, "discount": 1}, {"barcode": "a b", "product_id": "x", "quantity": 1.0001, "gift": 1},
      {"inventory_id": "x", "quantity": "1", "discount": {"amount": 0, "x": 1}}, {"barcode": "a", "quantity": 1, "discount": {"percent": 0.001, "reason": ""}}]',
      '[1, {"type": "gold", "amount": 0, "reference": "", "x": 1}]', ', p_idempotency_key => chr(7)'), '$.details.problems[*].pointer')) with ordinality as u (p, n)),
  array['/lines/0', '/lines/1', '/lines/1/discount', '/lines/1/quantity', '/lines/2', '/lines/2/barcode', '/lines/2/gift', '/lines/2/product_id',
    '/lines/2/quantity', '/lines/3/discount/amount', '/lines/3/discount/reason', '/lines/3/discount/x', '/lines/3/inventory_id', '/lines/3/quantity',
    '/lines/4/discount/percent', '/lines/4/discount/reason', '/tenders/0', '/tenders/1/amount', '/tenders/1/reference', '/tenders/1/type', '/tenders/1/x',
    '/headers/idempotency-key'],
  'every problem of a request is told'
);
select is(pg_temp.sell('w', '{}', '{}') #> '{details,problems}',
  '[{"pointer": "/lines", "message": "must be an array of 1 to 100 lines"}, {"pointer": "/tenders", "message": "must be an array of at most 20 tenders"}]'::jsonb, 'both are lists');
select is(pg_temp.answer('public.pos_sale(null, ''[{"barcode": "a", "quantity": 1}]'')') #>> '{details,problems,0,pointer}', '/register_id', 'a sale has a register');
reset role;
select is((select last_receipt::bigint from interlock.registers where id = '60300000-0000-4000-8000-000000000002'), 1::bigint, 'what is refused leaves no gap');
select is((select available_quantity from interlock.products where id = '60000000-0000-4000-8000-000000000002'), 3, 'and takes nothing');
update interlock.settings set max_cashier_discount = null;
select pg_temp.act_as('aa', 'cashier');
select is(pg_temp.sell('w', '[{"barcode": "tap60-mug", "quantity": 1, "discount": {"percent": 100, "reason": "gift"}}]', '[]') #>> '{sale,total}', '0',
  'without a limit a cashier gives all of it; nothing is paid for nothing');
reset role;
update interlock.settings set max_cashier_discount = 10;
select pg_temp.act_as('bb', 'manager');
select is(pg_temp.sell('w', '[{"barcode": "tap60-mug", "quantity": 1, "discount": {"percent": 50, "reason": "x"}}]', '[{"type": "cash", "amount": 250}]') #>> '{sale,total}', '250',
  'a manager may take off more');

-- Cash beside sales.
select pg_temp.act_as('aa', 'cashier');
create temporary table store on commit drop as select (store ->> 'id')::uuid as id from shift;
grant select on store, shift, sold to authenticated, service_role;
select is(
  jsonb_path_query_array(pg_temp.answer('public.move_cash(null, ''x'', 0, '''', null)'), '$.details.problems[*].pointer'),
  '["/p_shift_id", "/p_kind", "/p_amount", "/p_reason", "/p_reference"]'::jsonb, 'what is moved is told whole'
);
select is(pg_temp.answer($$public.move_cash('60300000-0000-4000-8000-0000000000ff', 'paid_in', 1, 'x', 'tap60-0')$$) ->> 'code', 'SHIFT_NOT_FOUND', 'an unknown shift');
select is(pg_temp.answer($$public.move_cash((select id from store), 'paid_out', 11798, 'bank', 'tap60-1')$$) -> 'details' ->> 'expected_cash', '11797', 'no more is taken out than is there');
select is(pg_temp.answer($$public.move_cash((select id from store), 'paid_out', 1797, 'bank', 'tap60-1')$$) ->> 'expected_cash', '10000', 'the day''s cash is taken out');
select is(pg_temp.answer($$public.move_cash((select id from store), 'paid_out', 1797, 'bank', 'tap60-1')$$) ->> 'expected_cash', '10000', 'once for its reference');
select is(pg_temp.answer($$public.move_cash((select id from store), 'paid_in', 5, 'found', 'tap60-2')$$) ->> 'expected_cash', '10005', 'and some is put in');
select is(current_setting('interlock.reference', true), '', 'the reference is that of nothing else');

-- Voids.
create temporary table wrong on commit drop as
  select pg_temp.sell('s', '[{"inventory_id": "60200000-0000-4000-8000-000000000001", "quantity": 2}]', '[{"type": "cash", "amount": 3000}]') as a;
grant select on wrong to authenticated, service_role;
select is(
  jsonb_path_query_array(pg_temp.answer('public.void_sale(null, null)'), '$.details.problems[*].pointer'), '["/p_sale_id", "/p_reason"]'::jsonb, 'a void has a reason'
);
select is(pg_temp.answer($$public.void_sale('60300000-0000-4000-8000-0000000000ff', 'x')$$) ->> 'code', 'SALE_NOT_FOUND', 'an unknown sale');
select pg_temp.act_as('dd', 'cashier');
select is(pg_temp.answer($$public.void_sale((select (a #>> '{sale,id}')::uuid from wrong), 'x')$$) ->> 'code', 'FORBIDDEN', 'another cashier''s sale');
select pg_temp.act_as('aa', 'cashier');
select is(pg_temp.answer($$public.void_sale((select (a #>> '{sale,id}')::uuid from wrong), 'wrong')$$) #>> '{sale,status}', 'voided', 'one''s own is voided');
select is(pg_temp.answer($$public.void_sale((select (a #>> '{sale,id}')::uuid from wrong), 'wrong')$$) #>> '{sale,status}', 'voided', 'and again the same');
reset role;
select is((select trim_scale(quantity) from interlock.inventory where id = '60200000-0000-4000-8000-000000000001'), 10.00, 'its goods are back, once');
select is(
  (select array[void_reason, voided_by::text] from interlock.sales where status = 'voided' and register_id = '60300000-0000-4000-8000-000000000001'),
  array['wrong', '60000000-0000-4000-8000-0000000000aa'], 'with who did it and why'
);
select is((select reason::text from interlock.stock_movements where product_id = '60000000-0000-4000-8000-000000000001' order by id desc limit 1), 'pos_void', 'the ledger says so');
select pg_temp.act_as('bb', 'manager');
select is(pg_temp.answer($$public.void_sale((select id from interlock.sales where total = 3450), 'x')$$) #>> '{sale,status}', 'voided', 'a manager voids anybody''s');
select is((select available_quantity from interlock.products where id = '60000000-0000-4000-8000-000000000002'), 8, 'the web shop has its mugs back');

-- The close.
select is(
  jsonb_path_query_array(pg_temp.answer('public.close_shift(null, -1)'), '$.details.problems[*].pointer'), '["/p_shift_id", "/p_counted_cash"]'::jsonb, 'what was counted is told'
);
select is(pg_temp.answer($$public.close_shift('60300000-0000-4000-8000-0000000000ff', 0)$$) ->> 'code', 'SHIFT_NOT_FOUND', 'an unknown shift');
create temporary table closed on commit drop as select pg_temp.answer($$public.close_shift((select id from store), 10000)$$) as a;
grant select on closed to authenticated, service_role;
select is(
  (select (a -> 'shift') - '{id,opened_at,closed_at}'::text[] from closed),
  '{"register_id": "60300000-0000-4000-8000-000000000001", "opening_cash": 10000, "sales": 1, "returns": 0, "voided": 1, "first_receipt": 1, "last_receipt": 2,
    "subtotal": 1994, "discount": 197, "tax": 0, "returned": 0, "total": 1797, "tenders": {"cash": 1797, "card": 0, "wallet": 0, "points": 0}, "parked": 0, "paid_in": 5, "paid_out": 1797,
    "expected_cash": 10005, "counted_cash": 10000, "difference": -5}'::jsonb,
  'the report adds up'
);
select is(pg_temp.answer($$public.close_shift((select id from store), 10000)$$), (select a from closed), 'closed again it is the same');
select is(pg_temp.answer($$public.close_shift((select id from store), 10001)$$) #>> '{details,counted_cash}', '10000', 'but not with another count');
select is(pg_temp.answer($$public.move_cash((select id from store), 'paid_in', 1, 'x', 'tap60-3')$$) ->> 'code', 'SHIFT_CLOSED', 'a closed drawer stays closed');
select is(pg_temp.answer($$public.void_sale((select (a #>> '{sale,id}')::uuid from sold), 'x')$$) ->> 'code', 'SHIFT_CLOSED', 'and its sales stay');
select is(
  (pg_temp.answer($$public.close_shift((select (web ->> 'id')::uuid from shift), 250)$$) -> 'shift') - '{id,opened_at,closed_at,register_id}'::text[],
  '{"opening_cash": 0, "sales": 2, "returns": 0, "voided": 1, "first_receipt": 1, "last_receipt": 3, "subtotal": 1000, "discount": 750, "tax": 40, "returned": 0, "total": 250,
    "tenders": {"cash": 250, "card": 0, "wallet": 0, "points": 0}, "parked": 0, "paid_in": 0, "paid_out": 0, "expected_cash": 250, "counted_cash": 250, "difference": 0}'::jsonb,
  'that of the other till, too'
);
reset role;
select is(
  (select array[closed_by::text, counted_cash::text, expected_cash::text] from interlock.shifts where id = (select id from store)),
  array['60000000-0000-4000-8000-0000000000bb', '10000', '10005'], 'the shift says who closed it, at what'
);
select throws_ok($$delete from interlock.products where id = '60000000-0000-4000-8000-000000000004'$$, '23503', null, 'what was sold at a till is not deleted');
select is((select count(*) from interlock.stock_differences where product_id::text like '60000000-%'), 0::bigint, 'the books agree');

-- Books are not rewritten.
select throws_ok(format('update interlock.%I set %I = %I + 1', t.name, t.col, t.col), null, null, t.name || ' stays as it was written')
from (values ('sale_lines', 'quantity'), ('sale_tenders', 'amount'), ('cash_movements', 'amount'), ('sales', 'total')) as t (name, col);
select throws_ok(format('delete from interlock.%I', t.name), null, null, t.name || ' are not deleted')
from (values ('sale_lines'), ('sale_tenders'), ('cash_movements'), ('sales')) as t (name);

select * from finish();
rollback;
