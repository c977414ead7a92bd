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
    '{"register_id": "67300000-0000-4000-8000-000000000001", "tenders": [{"type": "cash", "amount": 500}]}' || p_request, null, null
  )) p
$$;
select is(pg_temp.wrong(v.request::jsonb), v.pointers, v.request)
from (values
  ('{"lines": [1]}', '/lines/0'),
  ('{"lines": [{"barcode": "a", "quantity": 1, "discount": 5}]}', '/lines/0/discount'),
  ('{"lines": [{"barcode": "a", "quantity": 1, "discount": {"percent": 1.234, "reason": "x"}}]}', '/lines/0/discount/percent'),
  ('{"lines": [{"barcode": "a", "quantity": 1, "discount": {"percent": 1.23, "reason": "x"}}]}', null),
  ('{"lines": [{"barcode": "a", "quantity": 1}], "tenders": [1]}', '/tenders/0')
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

select * from finish();
rollback;
