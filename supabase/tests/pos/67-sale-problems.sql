-- What is wrong with a sale, and nothing else; what is told outside of sales.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

-- The pointers of what is wrong with a request.
create function pg_temp.wrong(p_request jsonb)
returns text
language sql
as $$
  select string_agg(p ->> 'pointer', ' ' order by p ->> 'pointer')
  from jsonb_array_elements(interlock.find_sale_problems(
    '{"register_id": "67300000-0000-4000-8000-000000000001", "tenders": [{"type": "cash", "amount": 500}]}' || p_request, null
  )) p
$$;
select is(pg_temp.wrong(v.request::jsonb), v.pointers, v.request)
from (values
  ('{"lines": [1]}', '/lines/0'),
  ('{"lines": [{"barcode": "a", "quantity": 1, "discount": 5}]}', '/lines/0/discount'),
  ('{"lines": [{"barcode": "a", "quantity": 1, "discount": {"percent": 1.234, "reason": "x"}}]}', '/lines/0/discount/percent'),
  ('{"lines": [{"barcode": "a", "quantity": 1, "discount": {"percent": 1.23, "reason": "x"}}]}', null),
  ('{"lines": [{"barcode": "a", "quantity": 1}], "tenders": [1]}', '/tenders/0'),
  -- One thing alone, beside lines and tenders as most are.
  ('{"lines": [{"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1}]}', null),
  ('{"lines": [{"barcode": "a", "quantity": 1}], "tenders": [{"type": "cash", "amount": 1, "x": 1}]}', '/tenders/0/x'),
  ('{"lines": [{"barcode": "a", "quantity": 1}], "tenders": [{"type": "cheque", "amount": 1}]}', '/tenders/0/type'),
  ('{"lines": [{"barcode": "a", "quantity": 1}], "tenders": [{"type": "cash", "amount": 1.5}]}', '/tenders/0/amount'),
  ('{"lines": [{"barcode": "a", "quantity": 1}], "tenders": [{"type": "cash", "amount": 0}]}', '/tenders/0/amount'),
  ('{"lines": [{"barcode": "a", "quantity": 1}], "tenders": [{"type": "cash", "amount": 9007199254740992}]}', '/tenders/0/amount'),
  -- Names in a list are no fields.
  ('{"lines": [["product_id", "barcode", "unit_price", "discount"]]}', '/lines/0'),
  ('{"lines": [{"barcode": "a", "quantity": 1, "discount": ["amount", "percent"]}]}', '/lines/0/discount'),
  ('{"lines": [{"barcode": "a", "quantity": 1}], "tenders": [["reference"]]}', '/tenders/0'),
  ('{"returns": [["product_id", "barcode", "restock"]]}', '/returns/0'),
  ('{"returns": [{"barcode": "a", "quantity": 1, "reason": "x"}], "promo_code": "x"}', '/promo_code'),
  ('{"lines": [{"barcode": "a", "quantity": 1}], "client_time": "2026-01-01T00:00:00Z", "promo_code": "x"}', '/client_time /headers/idempotency-key'),
  ('{"lines": [{"barcode": "a", "quantity": 1}], "client_time": "2026-01-01T00:00:00Z", "customer": {"phone": "+496700001"},
    "tenders": [{"type": "wallet", "amount": 500}]}', '/client_time /headers/idempotency-key')
) as v (request, pointers);

insert into interlock.products (id, name, price, currency, available_quantity)
values ('67000000-0000-4000-8000-000000000001', 'mug', 500, 'EUR', 10);
insert into interlock.registers (id, location_id, name, currency)
values ('67300000-0000-4000-8000-000000000001', interlock.online_location(), 'tap67', 'EUR');
insert into interlock.shifts (register_id, opening_cash) values ('67300000-0000-4000-8000-000000000001', 0);
create temporary table sold on commit drop as select public.pos_sale(
  '67300000-0000-4000-8000-000000000001', '[{"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1}]',
  '[{"type": "cash", "amount": 500}]'
) #>> '{sale,id}' as id;
create function pg_temp.told()
returns text
language sql
as $$
  select string_agg(concat_ws(' ', e.type, e.payload ->> 'status'), ', ' order by e.id)
  from interlock.events e
  join sold s on s.id = e.subject
$$;
select is(pg_temp.told(), 'sale.completed completed', 'a sale is told outside');
select public.void_sale((select id::uuid from sold), 'tap');
select is(pg_temp.told(), 'sale.completed completed, sale.voided voided', 'so is its void');


-- What only the database knows is told at once, too: each with its pointer, the first of them as the code.
insert into auth.users (id, aud, role, email)
values ('67500000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-67@example.com');
insert into interlock.products (id, name, price, currency, available_quantity, kind)
values
  ('67000000-0000-4000-8000-000000000002', 'dollar', 100, 'USD', 10, 'physical'),
  ('67000000-0000-4000-8000-000000000003', 'few', 500, 'EUR', 1, 'physical'),
  ('67000000-0000-4000-8000-000000000004', 'card', 500, 'EUR', 0, 'digital');
insert into interlock.locations (id, name) values ('67100000-0000-4000-8000-000000000001', 'Elsewhere');
insert into interlock.inventory (id, product_id, location_id, quantity)
values ('67200000-0000-4000-8000-000000000001', '67000000-0000-4000-8000-000000000001', '67100000-0000-4000-8000-000000000001', 5);
insert into interlock.registers (id, location_id, name, currency)
values ('67300000-0000-4000-8000-000000000002', interlock.online_location(), 'tap67-closed', 'EUR');
insert into interlock.customers (id, name, phone)
values ('67600000-0000-4000-8000-000000000001', 'Ada', '+496700001'), ('67600000-0000-4000-8000-000000000002', 'Ben', '+496700002');
insert into interlock.points_accounts (customer_id, balance) values ('67600000-0000-4000-8000-000000000001', 5);
insert into interlock.points_movements (customer_id, kind, points, balance_after)
values ('67600000-0000-4000-8000-000000000001', 'adjusted', 5, 5);
insert into interlock.points_values (currency, value) values ('EUR', 10) on conflict on constraint points_values_pkey do update set value = 10;
insert into interlock.promo_codes (code, discount_type, discount_value) values ('TAP67', 'percentage', 10);

-- A cashier's sale at the till with a shift (1) or the one without (2): the first problem's code, then pointer and code of each.
create function pg_temp.refused(p_till int, p_request jsonb)
returns text
language plpgsql
as $$
declare
  v_detail text;
begin
  perform set_config('request.jwt.claims', '{"sub": "67500000-0000-4000-8000-000000000001", "role": "authenticated", "app_metadata": {"role": "cashier"}}', true);
  set local role authenticated;
  perform public.pos_sale(
    ('67300000-0000-4000-8000-00000000000' || p_till)::uuid,
    p_request -> 'lines', p_request -> 'tenders', p_request -> 'returns', p_request -> 'customer', p_request ->> 'promo_code',
    p_parked_sale_id => (p_request ->> 'parked_sale_id')::uuid, p_shift_id => (p_request ->> 'shift_id')::uuid,
    p_approval_id => (p_request ->> 'approval_id')::uuid, p_expected_total => (p_request ->> 'expected_total')::bigint,
    p_client_time => (p_request ->> 'client_time')::timestamptz, p_idempotency_key => p_request ->> 'key'
  );
  reset role;
  return 'sold';
exception
  when others then
    reset role;
    get stacked diagnostics v_detail = pg_exception_detail;
    return sqlerrm || ':' || coalesce((
      select string_agg(' ' || coalesce(p ->> 'pointer', 'nowhere') || coalesce(' ' || (p ->> 'code'), ''), ',' order by n)
      from jsonb_array_elements(v_detail::jsonb -> 'problems') with ordinality as u (p, n)
    ), '');
end
$$;
create function pg_temp.detail(p_sql text)
returns text
language plpgsql
as $$
declare
  v_detail text;
begin
  execute 'select ' || p_sql;
  return null;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return v_detail;
end
$$;
select is(pg_temp.refused(v.till, v.request::jsonb), v.problems, v.what)
from (values
  ('one problem, with its pointer', 1, '{"lines": [{"barcode": "tap67-no", "quantity": 1}]}',
    'BARCODE_NOT_FOUND: /lines/0/barcode BARCODE_NOT_FOUND'),
  ('lines that name nothing, each; what they cost is not known', 2, '{"lines": [
      {"barcode": "tap67-no", "quantity": 1}, {"inventory_id": "67200000-0000-4000-8000-0000000000ff", "quantity": 1},
      {"product_id": "67000000-0000-4000-8000-0000000000ff", "quantity": 1}, {"inventory_id": "67200000-0000-4000-8000-000000000001", "quantity": 1},
      {"product_id": "67000000-0000-4000-8000-000000000002", "quantity": 1}, {"product_id": "67000000-0000-4000-8000-000000000003", "quantity": 2},
      {"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1.5, "discount": {"percent": 50, "reason": "x"}}, {"barcode": "tap67-no", "quantity": 1}],
      "expected_total": 1}',
    'BARCODE_NOT_FOUND: /lines/0/barcode BARCODE_NOT_FOUND, /lines/7/barcode BARCODE_NOT_FOUND, /register_id SHIFT_NOT_OPEN,'
      || ' /lines/1/inventory_id INVENTORY_NOT_FOUND, /lines/2/product_id PRODUCT_NOT_FOUND, /lines/3/inventory_id STOCK_ELSEWHERE,'
      || ' /lines/6/quantity, /lines/4/product_id MIXED_CURRENCIES, /lines/6/discount DISCOUNT_NOT_ALLOWED, /lines/5/quantity INSUFFICIENT_INVENTORY'),
  ('too little money, no open shift, and more taken off than a cashier may', 2, '{"lines": [
      {"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1, "discount": {"percent": 50, "reason": "x"}}],
      "tenders": [{"type": "cash", "amount": 249}], "expected_total": 500}',
    'DISCOUNT_NOT_ALLOWED: /lines/0/discount DISCOUNT_NOT_ALLOWED, /register_id SHIFT_NOT_OPEN, /expected_total PRICE_CHANGED, /tenders UNDERPAID'),
  ('points beyond the balance, and not as many as whole ones', 2, '{"lines": [{"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1}],
      "customer": {"id": "67600000-0000-4000-8000-000000000001"}, "tenders": [{"type": "cash", "amount": 100}, {"type": "points", "amount": 60}]}',
    'UNDERPAID: /tenders UNDERPAID, /register_id SHIFT_NOT_OPEN, /tenders/1 INSUFFICIENT_POINTS'),
  ('a part of a point', 1, '{"lines": [{"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1}],
      "customer": {"id": "67600000-0000-4000-8000-000000000001"}, "tenders": [{"type": "cash", "amount": 500}, {"type": "points", "amount": 5}],
      "shift_id": "67400000-0000-4000-8000-0000000000ff"}',
    'VALIDATION_FAILED: /tenders/1/amount, /shift_id SHIFT_NOT_FOUND'),
  ('nobody, a code that there is not, an approval that there is not and a parked sale that there is not', 2, '{"lines": [
      {"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1}], "customer": {"phone": "+496700003"}, "promo_code": "TAP67-NO",
      "approval_id": "67800000-0000-4000-8000-0000000000ff", "parked_sale_id": "67700000-0000-4000-8000-0000000000ff"}',
    'APPROVAL_NOT_FOUND: /approval_id APPROVAL_NOT_FOUND, /register_id SHIFT_NOT_OPEN, /customer CUSTOMER_NOT_FOUND,'
      || ' /parked_sale_id PARKED_SALE_NOT_FOUND'),
  ('a code, and what is to be paid with it', 2, '{"lines": [{"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1}],
      "promo_code": "TAP67", "tenders": [{"type": "card", "amount": 451}]}',
    'OVERPAID: /tenders OVERPAID, /register_id SHIFT_NOT_OPEN'),
  ('a code that there is not, and no account', 2, '{"lines": [{"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1}],
      "promo_code": "TAP67-NO", "customer": {"id": "67600000-0000-4000-8000-000000000002"}}',
    'PROMO_NOT_FOUND: /promo_code PROMO_NOT_FOUND, /register_id SHIFT_NOT_OPEN'),
  ('without a receipt a cashier takes nothing back, least of all what there is not', 2, '{
      "returns": [{"barcode": "tap67-no", "quantity": 1, "reason": "x"}, {"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1, "reason": "x"}]}',
    'RETURN_NOT_ALLOWED: /returns RETURN_NOT_ALLOWED, /register_id SHIFT_NOT_OPEN, /returns/0/barcode BARCODE_NOT_FOUND'),
  ('of a sale that there is not', 2, '{"returns": [{"sale_id": "67900000-0000-4000-8000-0000000000ff", "line": 0, "quantity": 1, "reason": "x"}],
      "lines": [{"product_id": "67000000-0000-4000-8000-000000000004", "quantity": 1}]}',
    'VALIDATION_FAILED: /lines/0, /register_id SHIFT_NOT_OPEN, /returns/0/sale_id SALE_NOT_FOUND'),
  ('of a till that was cut off only what no time can make good', 2, format('{"key": "tap67", "client_time": "%s", "lines": [
      {"product_id": "67000000-0000-4000-8000-000000000003", "quantity": 2, "unit_price": 100, "discount": {"percent": 50, "reason": "x"}}],
      "tenders": [{"type": "cash", "amount": 99}], "expected_total": 1}', now() - interval '1 hour'),
    'UNDERPAID: /tenders UNDERPAID, /register_id SHIFT_NOT_OPEN')
) as v (what, till, request, problems);
select is(pg_temp.refused(1, '{"lines": [{"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1}],
  "tenders": [{"type": "card", "amount": 400, "reference": "tap67"}, {"type": "cash", "amount": 100}]}'), 'sold', 'a card pays once');
select is(pg_temp.refused(2, '{"lines": [{"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1}],
  "tenders": [{"type": "cash", "amount": 100}, {"type": "card", "amount": 300, "reference": "tap67"}]}'),
  'UNDERPAID: /tenders UNDERPAID, /register_id SHIFT_NOT_OPEN, /tenders/1/reference TENDER_REFERENCE_USED', 'it has paid already');
select is(pg_temp.refused(2, format('{"returns": [
    {"sale_id": "%1$s", "line": 0, "quantity": 1, "reason": "x"}, {"sale_id": "%1$s", "line": 0, "quantity": 0.5, "restock": false, "reason": "x"},
    {"sale_id": "%1$s", "line": 1, "quantity": 1, "reason": "x"}]}',
    (select s.id from interlock.sales s where s.register_id = '67300000-0000-4000-8000-000000000001' and s.status = 'completed')
  )::jsonb),
  'VALIDATION_FAILED: /returns/1/quantity, /returns/2/line, /register_id SHIFT_NOT_OPEN', 'what comes back');
select is(pg_temp.refused(2, format('{"returns": [
    {"sale_id": "%1$s", "line": 0, "quantity": 2, "reason": "x"}], "lines": [{"barcode": "tap67-no", "quantity": 1}]}',
    (select s.id from interlock.sales s where s.register_id = '67300000-0000-4000-8000-000000000001' and s.status = 'completed')
  )::jsonb),
  'BARCODE_NOT_FOUND: /lines/0/barcode BARCODE_NOT_FOUND, /register_id SHIFT_NOT_OPEN, /returns/0/quantity RETURN_EXCEEDS_SOLD', 'more than was sold');
select is((select a.balance::int from interlock.points_accounts a where a.customer_id = '67600000-0000-4000-8000-000000000001'), 5, 'looking for problems takes no points');
select is((select used_count::int from interlock.promo_codes where code = 'TAP67'), 0, 'nor uses of a code');
select is(
  (select p from jsonb_array_elements((
    select d.detail::jsonb -> 'problems' from (select pg_temp.detail($$public.pos_sale('67300000-0000-4000-8000-000000000002',
      '[{"product_id": "67000000-0000-4000-8000-000000000003", "quantity": 2}]', '[{"type": "cash", "amount": 999}]')$$) as detail) d)) p
    where p ->> 'code' = 'UNDERPAID'),
  '{"pointer": "/tenders", "code": "UNDERPAID", "message": "The tenders are less than the total.",
    "details": {"total": 1000, "paid": 999, "missing": 1, "currency": "EUR"}}'::jsonb, 'each problem has its words and details'
);

-- An approval that cannot be used allows nothing, whatever it is for.
insert into interlock.sale_approvals (id, register_id, actions, reason, approved_by, approved_at, expires_at, used_at)
values
  ('67800000-0000-4000-8000-000000000001', '67300000-0000-4000-8000-000000000002', '{discount}', 'of the other till',
    '67500000-0000-4000-8000-000000000001', now(), now() + interval '1 minute', null),
  ('67800000-0000-4000-8000-000000000002', '67300000-0000-4000-8000-000000000001', '{discount}', 'used',
    '67500000-0000-4000-8000-000000000001', now(), now() + interval '1 minute', now()),
  ('67800000-0000-4000-8000-000000000003', '67300000-0000-4000-8000-000000000001', '{discount}', 'too late',
    '67500000-0000-4000-8000-000000000001', now() - interval '6 minutes', now() - interval '1 minute', null);
select is(
  pg_temp.refused(1, format('{"lines": [{"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1, "discount": {"percent": 50, "reason": "x"}}],
    "tenders": [{"type": "cash", "amount": 500}], "approval_id": "%s"}', a.id)::jsonb),
  'APPROVAL_NOT_FOUND: /approval_id APPROVAL_NOT_FOUND, /lines/0/discount DISCOUNT_NOT_ALLOWED', a.reason
)
from interlock.sale_approvals a
where a.id::text like '67800000-%'
order by a.id;

insert into interlock.sale_approvals (id, register_id, actions, reason, approved_by, approved_at, expires_at)
values ('67800000-0000-4000-8000-000000000004', '67300000-0000-4000-8000-000000000001', '{return_without_receipt}', 'lost',
  '67500000-0000-4000-8000-000000000001', now(), now() + interval '1 minute');

-- One thing does not hide another.
update interlock.customers set user_id = '67500000-0000-4000-8000-000000000001' where id = '67600000-0000-4000-8000-000000000002';
create temporary table paid as
  select s.id from interlock.sales s where s.register_id = '67300000-0000-4000-8000-000000000001' and s.status = 'completed';
select is(pg_temp.refused(v.till, replace(v.request, 'PAID', paid.id::text)::jsonb), v.problems, v.what)
from paid, (values
  ('a parked sale is asked for though a line names nothing', 1,
    '{"lines": [{"barcode": "tap67-no", "quantity": 1}], "parked_sale_id": "67700000-0000-4000-8000-0000000000ff"}',
    'BARCODE_NOT_FOUND: /lines/0/barcode BARCODE_NOT_FOUND, /parked_sale_id PARKED_SALE_NOT_FOUND'),
  ('a code, too', 1, '{"lines": [{"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1}],
      "promo_code": "TAP67-NO", "approval_id": "67800000-0000-4000-8000-0000000000ff"}',
    'APPROVAL_NOT_FOUND: /approval_id APPROVAL_NOT_FOUND, /promo_code PROMO_NOT_FOUND'),
  ('nobody gets nothing into a wallet, nor more than was paid with it', 1, '{"returns": [{"sale_id": "PAID", "line": 0, "quantity": 1, "reason": "x"}],
      "tenders": [{"type": "wallet", "amount": 500}], "approval_id": "67800000-0000-4000-8000-0000000000ff"}',
    'APPROVAL_NOT_FOUND: /approval_id APPROVAL_NOT_FOUND, /customer, /tenders REFUND_EXCEEDS_PAID'),
  ('more cash than was paid in cash', 1, '{"returns": [{"sale_id": "PAID", "line": 0, "quantity": 1, "reason": "x"}],
      "tenders": [{"type": "cash", "amount": 500}], "approval_id": "67800000-0000-4000-8000-0000000000ff"}',
    'APPROVAL_NOT_FOUND: /approval_id APPROVAL_NOT_FOUND, /tenders REFUND_EXCEEDS_PAID'),
  ('the reference of a card is no matter of cash', 2, '{"lines": [{"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1}],
      "tenders": [{"type": "cash", "amount": 400, "reference": "tap67"}]}',
    'UNDERPAID: /tenders UNDERPAID, /register_id SHIFT_NOT_OPEN'),
  ('a wallet that has too little', 1, '{"lines": [{"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1}],
      "customer": {"id": "67600000-0000-4000-8000-000000000002"}, "tenders": [{"type": "wallet", "amount": 500}],
      "approval_id": "67800000-0000-4000-8000-0000000000ff"}',
    'APPROVAL_NOT_FOUND: /approval_id APPROVAL_NOT_FOUND, /tenders/0 INSUFFICIENT_FUNDS'),
  ('what is short of two lines is told once', 1, '{"lines": [{"product_id": "67000000-0000-4000-8000-000000000003", "quantity": 1},
      {"product_id": "67000000-0000-4000-8000-000000000003", "quantity": 1}], "tenders": [{"type": "cash", "amount": 1000}]}',
    'INSUFFICIENT_INVENTORY: /lines/0/quantity INSUFFICIENT_INVENTORY'),
  ('where it is sold, not where it comes back', 1, '{"lines": [{"product_id": "67000000-0000-4000-8000-000000000003", "quantity": 3}],
      "returns": [{"product_id": "67000000-0000-4000-8000-000000000003", "quantity": 1, "reason": "x"}], "tenders": [{"type": "cash", "amount": 1000}],
      "approval_id": "67800000-0000-4000-8000-000000000004"}',
    'INSUFFICIENT_INVENTORY: /lines/0/quantity INSUFFICIENT_INVENTORY')
) as v (what, till, request, problems);

-- Points that what comes back had earned do not pay for what is taken instead.
delete from interlock.points_rules;
insert into interlock.points_rules (currency, per_amount, points) values ('EUR', 100, 1);
create temporary table earned on commit drop as select public.pos_sale(
  '67300000-0000-4000-8000-000000000001', '[{"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 1}]',
  '[{"type": "cash", "amount": 500}]', p_customer => '{"id": "67600000-0000-4000-8000-000000000001"}'
)::jsonb as a;
select is((select a #>> '{sale,loyalty,balance}' from earned), '10', 'five points, and five that are earned');
select is(
  pg_temp.refused(1, format('{"returns": [{"sale_id": "%s", "line": 0, "quantity": 1, "reason": "x"}],
    "lines": [{"product_id": "67000000-0000-4000-8000-000000000001", "quantity": 2}],
    "tenders": [{"type": "points", "amount": 60}, {"type": "cash", "amount": 439}]}', a #>> '{sale,id}')::jsonb),
  'UNDERPAID: /tenders UNDERPAID, /tenders/0 INSUFFICIENT_POINTS', 'with the sale that earned them they are gone'
)
from earned;

-- Who only wants to know what else is wrong waits for nobody.
set local lock_timeout = '2s';
select interlock.find_sale_refusals(
  'UNDERPAID', '{}', '{"register_id": "67300000-0000-4000-8000-000000000001", "lines": [{"barcode": "tap67-no", "quantity": 1}], "tenders": []}', null, 'manager'
);
select cmp_ok(current_setting('lock_timeout')::interval, '<=', interval '50 milliseconds', 'no longer than a moment');
set local lock_timeout = 0;

select * from finish();
rollback;
