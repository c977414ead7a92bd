-- A till that was cut off: its sales are facts, each once under its key, in the shift that it was, with what was not there.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('65-offline ' || p_name)::uuid $$;

insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-65-' || n || '@example.com'
from unnest(array['ann', 'bob', 'nobody']) n;

create function pg_temp.is_till(p_name text, p_role text default 'cashier')
returns void
language sql
as $$
  select set_config('role', 'authenticated', true), set_config('request.jwt.claims', jsonb_build_object(
    'sub', pg_temp.id(p_name), 'role', 'authenticated', 'app_metadata', jsonb_build_object('role', p_role)
  )::text, true)
$$;
create function pg_temp.is_shop()
returns void
language sql
as $$ select set_config('role', 'none', true), set_config('request.jwt.claims', '', true) $$;

-- The stock of the web shop.
create function pg_temp.online()
returns uuid
language sql
as $$ select '00000000-0000-4000-8000-000000000001'::uuid $$;

-- The code of a refusal with its details, or the answer.
create function pg_temp.answer(p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform set_config('response.headers', '', true);
  execute 'select (' || p_sql || ')::jsonb' into v_answer;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('code', coalesce(sqlerrm, ''), 'details', case when v_detail ~ '^[{]' then v_detail::jsonb - 'message' - case sqlerrm when 'VALIDATION_FAILED' then '' else 'problems' end end);
end
$$;

insert into interlock.products (id, name, price, currency, available_quantity, decimals, stock_policy, backorder_limit)
values
  (pg_temp.id('mug'), 'mug', 500, 'EUR', 3, 0, 'tracked', 0),
  (pg_temp.id('hot'), 'hot', 100, 'EUR', 1000, 0, 'tracked', 0),
  (pg_temp.id('owed'), 'owed', 100, 'EUR', 1, 0, 'backorder', 5),
  (pg_temp.id('bag'), 'bag', 10, 'EUR', 0, 0, 'untracked', 0),
  (pg_temp.id('tea'), 'tea', 1000, 'EUR', 0, 3, 'tracked', 0),
  (pg_temp.id('new'), 'new', 1000, 'EUR', 0, 3, 'tracked', 0);
select interlock.set_stock_slots(pg_temp.id('hot'), 4);
insert into interlock.product_barcodes (barcode, product_id, units) values ('tap65-six', pg_temp.id('mug'), 6);
insert into interlock.locations (id, name) values (pg_temp.id('store'), 'Store');
insert into interlock.locations (id, name) values (pg_temp.id('shed'), 'Shed');
insert into interlock.inventory (id, product_id, location_id, quantity)
values
  (pg_temp.id('stock of tea'), pg_temp.id('tea'), pg_temp.id('store'), 1.52),
  (pg_temp.id('tea elsewhere'), pg_temp.id('tea'), pg_temp.id('shed'), 5), (pg_temp.id('mugs in store'), pg_temp.id('mug'), pg_temp.id('store'), 7);
insert into interlock.registers (id, location_id, name, currency)
values
  (pg_temp.id('web'), pg_temp.online(), 'web', 'EUR'), (pg_temp.id('till'), pg_temp.id('store'), 'store', 'EUR'),
  (pg_temp.id('off'), pg_temp.online(), 'off', 'EUR');
update interlock.registers set active = false where id = pg_temp.id('off');

-- A sale of a till that was cut off so many hours ago.
create function pg_temp.sell(
  p_till text, p_key text, p_hours numeric, p_lines text, p_cash int, p_more text default ''
)
returns jsonb
language sql
as $$
  select pg_temp.answer(format(
    'public.pos_sale(%L, %L, %L, p_client_time => %L, p_idempotency_key => %L%s)',
    pg_temp.id(p_till), p_lines, format('[{"type": "cash", "amount": %s}]', p_cash), now() - p_hours * interval '1 hour', p_key, p_more
  ))
$$;
create function pg_temp.line(p_product text, p_quantity numeric, p_more text default '')
returns text
language sql
as $$ select format('{"product_id": "%s", "quantity": %s%s}', pg_temp.id(p_product), p_quantity, p_more) $$;
create function pg_temp.lines(variadic p_lines text[])
returns text
language sql
as $$ select '[' || array_to_string(p_lines, ',') || ']' $$;

-- Three are sold in a slot.
select pg_temp.is_till('nobody', 'customer');
select lives_ok(format('select public.checkout(%L)', pg_temp.lines(pg_temp.line('hot', 3))), 'the web shop sells, too');

-- A shift that was opened while the till was cut off.
select pg_temp.is_till('ann');
create function pg_temp.open(p_till text, p_id text, p_cash int, p_hours numeric)
returns jsonb
language sql
as $$
  select pg_temp.answer(format(
    'public.open_shift(%L, %s, %L, %L)', pg_temp.id(p_till), p_cash, pg_temp.id(p_id), now() - p_hours * interval '1 hour'
  ))
$$;
select is(
  jsonb_path_query_array(pg_temp.answer(format('public.open_shift(%L, 0, p_client_time => %L)', pg_temp.id('web'), now() - v.ago)), '$.details.problems[*]'),
  v.problems::jsonb, 'when it was opened: ' || v.ago
)
from (values
  (interval '1 hour', '[{"pointer": "/p_shift_id", "message": "is required with p_client_time"}]'),
  ('-6 minutes', '[{"pointer": "/p_shift_id", "message": "is required with p_client_time"}, {"pointer": "/p_client_time", "message": "must not be in the future"}]'),
  ('31 days', '[{"pointer": "/p_shift_id", "message": "is required with p_client_time"}, {"pointer": "/p_client_time", "message": "must be in the last 30 days"}]')
) as v (ago, problems);
select is(pg_temp.open('web', 'first', 1000, 31 * 24) ->> 'code', 'VALIDATION_FAILED', 'an id does not help');
select is(pg_temp.open('off', 'first', 1000, 5) ->> 'code', 'REGISTER_NOT_FOUND', 'an inactive register opens none');
create temporary table opened on commit drop as select pg_temp.open('web', 'first', 1000, 10) as first;
select is(
  (select first from opened),
  jsonb_build_object('success', true, 'shift', jsonb_build_object(
    'id', pg_temp.id('first'), 'register_id', pg_temp.id('web'), 'opened_at', now() - interval '10 hours', 'opening_cash', 1000
  )),
  'it has the id and the time of the till'
);
select is(pg_temp.open('web', 'first', 1000, 10), (select first from opened), 'and is the same one again');
select is(pg_temp.open('web', 'first', 1001, 10) ->> 'code', 'IDEMPOTENCY_KEY_REUSED', 'but not with other cash');
select is(pg_temp.open('till', 'first', 1000, 10) ->> 'code', 'IDEMPOTENCY_KEY_REUSED', 'nor at another register');
select is(
  pg_temp.open('web', 'second', 0, 9) -> 'details' ->> 'shift_id', pg_temp.id('first')::text, 'a second one is told of the first'
);
select is(pg_temp.open('till', 'store', 0, 10) #>> '{shift,id}', pg_temp.id('store')::text, 'another register has its own');

-- What was there is taken, the rest is written down.
create temporary table sold (name text primary key, a jsonb) on commit drop;
insert into sold values ('mugs', pg_temp.sell('web', 'k1', 8, pg_temp.lines(
  pg_temp.line('mug', 2), '{"barcode": "tap65-six", "quantity": 1}', pg_temp.line('bag', 1), pg_temp.line('hot', 390), pg_temp.line('owed', 3)
), 44000));
select is(
  (select (a -> 'sale') - '{id,register_id,location_id,approved_by,lines,returns,returned,tenders,receipt}'::text[] from sold where name = 'mugs'),
  jsonb_build_object(
    'shift_id', pg_temp.id('first'), 'receipt_number', 1, 'status', 'completed', 'currency', 'EUR', 'subtotal', 43310, 'discount', 0,
    'tax', 0, 'tax_included', 0, 'total', 43310, 'change_due', 690, 'sold_at', now() - interval '8 hours', 'recorded_at', now(),
    'customer', null, 'promo_code', null, 'loyalty', null,
    'offline', true, 'late', false, 'needs_review', '[]'::jsonb, 'shortfalls', (
      select jsonb_agg(jsonb_build_object(
        'product_id', pg_temp.id(f.name), 'inventory_id', pg_temp.id(f.name), 'location_id', pg_temp.online(),
        'sold', f.sold, 'quantity', f.missing
      ) order by pg_temp.id(f.name))
      from (values ('mug', 8, 5), ('owed', 3, 2)) as f (name, sold, missing)
    )
  ),
  'a sale is recorded as it was, with what was not there, lines of a product together'
);
insert into sold values ('tea', pg_temp.sell('till', 'k1', 8, pg_temp.lines(pg_temp.line('tea', 2), pg_temp.line('new', 0.5)), 2500));
select is(
  (select a #> '{sale,shortfalls}' from sold where name = 'tea'),
  (
    select jsonb_agg(jsonb_build_object(
      'product_id', pg_temp.id(f.name), 'inventory_id', f.stock, 'location_id', pg_temp.id('store'), 'sold', f.sold, 'quantity', f.missing
    ) order by pg_temp.id(f.name))
    from (values ('tea', pg_temp.id('stock of tea'), 2, 0.48), ('new', null, 0.5, 0.5)) as f (name, stock, sold, missing)
  ),
  'in a store to the gram, and of what has never been there'
);
select is(
  (select (a #> '{sale,shortfalls}') from sold where name = 'tea'),
  (select jsonb_agg(jsonb_build_object(
    'product_id', f.product_id, 'inventory_id', f.inventory_id, 'location_id', f.location_id, 'sold', trim_scale(f.sold), 'quantity', trim_scale(f.quantity)
  ) order by f.product_id) from sale_shortfalls f where f.location_id = pg_temp.id('store')),
  'a till reads it'
);
select is(
  pg_temp.sell('till', 'bags', 8, pg_temp.lines(pg_temp.line('bag', 2)), 20) #> '{sale,shortfalls}', '[]'::jsonb, 'nothing is missing of what is not counted'
);
select pg_temp.is_shop();
select is(
  (select array_agg(available_quantity order by name) from interlock.products where id in (pg_temp.id('mug'), pg_temp.id('hot'), pg_temp.id('owed'))),
  array[607, 0, 0], 'the stock is what is left, never less than nothing'
);
select is((select backordered::int from interlock.products where id = pg_temp.id('owed')), 0, 'nothing is owed: it has left the shop');
select is(
  (select array[sum(granted), sum(used)] from interlock.counter_slots where owner_id = pg_temp.id('hot')), array[604, 0]::bigint[],
  'what slots had sold is counted, and they are shared out anew'
);
select is((select trim_scale(quantity) from interlock.inventory where id = pg_temp.id('stock of tea')), 0::numeric, 'to the gram');
select results_eq(
  $$select p.name::text, m.delta::numeric, m.reason::text from interlock.stock_movements m join interlock.products p on p.id = m.product_id
    where m.reference_id in (select (a #>> '{sale,id}')::uuid from sold) order by p.name$$,
  $$values ('hot', -390::numeric, 'pos_sale'), ('mug', -3, 'pos_sale'), ('owed', -1, 'pos_sale'), ('tea', -1.52, 'pos_sale')$$,
  'the ledger says what was taken'
);
select is(current_setting('interlock.reason', true), '', 'and says it of nothing else');
select is((select count(*) from interlock.stock_differences where product_id in (pg_temp.id('mug'), pg_temp.id('hot'), pg_temp.id('tea'))), 0::bigint, 'and agrees');
select is(
  (select jsonb_agg(e.payload -> 'shortfalls') from interlock.events e
   where e.type = 'stock.oversold_offline' and e.subject = (select a #>> '{sale,id}' from sold where name = 'tea')),
  (select jsonb_build_array(jsonb_agg(jsonb_build_object(
    'product_id', f.product_id, 'inventory_id', f.inventory_id, 'location_id', f.location_id, 'requested', trim_scale(f.sold),
    'available', trim_scale(f.sold - f.quantity)
  ) order by f.product_id)) from interlock.sale_shortfalls f where f.location_id = pg_temp.id('store')),
  'it is told'
);
select is((select count(*) from interlock.events e where e.type = 'stock.oversold_offline' and e.created_at = now()), 2::bigint, 'where something was missing');

-- Prices, discounts and products are as they were.
update interlock.products set price = 600 where id = pg_temp.id('mug');
update interlock.products set active = false where id = pg_temp.id('bag');
select pg_temp.is_till('ann');
select is(
  pg_temp.sell('web', v.key, 8, v.lines, v.cash, v.more) -> 'sale' -> v.member, v.expected::jsonb, 'what needs a look: ' || v.key
)
from (values
  ('price', pg_temp.lines(pg_temp.line('hot', 1, ', "unit_price": 90'), pg_temp.line('hot', 1, ', "unit_price": 100')), 190, '', 'needs_review', '[{"line": 0, "reason": "price"}]'),
  ('paid', pg_temp.lines(pg_temp.line('hot', 1, ', "unit_price": 90')), 90, '', 'total', '90'),
  ('inactive', pg_temp.lines(pg_temp.line('hot', 1), pg_temp.line('bag', 1)), 110, '', 'needs_review', '[{"line": 1, "reason": "inactive"}]'),
  ('discount', pg_temp.lines(pg_temp.line('hot', 1, ', "discount": {"percent": 11, "reason": "x"}'), pg_temp.line('hot', 1, ', "discount": {"percent": 10, "reason": "x"}')), 200, '',
    'needs_review', '[{"line": 0, "reason": "discount"}]'),
  ('gift', pg_temp.lines(pg_temp.line('hot', 1, ', "unit_price": 0')), 1, '', 'needs_review', '[{"line": 0, "reason": "price"}]'),
  ('total', pg_temp.lines(pg_temp.line('hot', 1)), 100, ', p_expected_total => 90', 'needs_review', '[{"line": null, "reason": "total"}]'),
  ('expected', pg_temp.lines(pg_temp.line('hot', 1)), 100, ', p_expected_total => 100', 'needs_review', '[]')
) as v (key, lines, cash, more, member, expected);
select pg_temp.is_till('bob', 'manager');
select is(
  pg_temp.sell('web', 'managed', 8, pg_temp.lines(pg_temp.line('hot', 1, ', "discount": {"percent": 50, "reason": "x"}')), 50) #> '{sale,needs_review}',
  '[]'::jsonb, 'a manager may take off more'
);
select pg_temp.is_till('ann');

-- What is refused all the same.
select is(pg_temp.sell('web', v.key, v.hours, v.lines, 1000, v.more) - 'hint', jsonb_build_object('code', v.code, 'details', v.details::jsonb), v.code || ': ' || coalesce(v.key, 'no key'))
from (values
  ('x', 8, '[{"barcode": "tap65-none", "quantity": 1}]', '', 'BARCODE_NOT_FOUND', '{"barcodes": ["tap65-none"]}'),
  ('x', 8, pg_temp.lines(pg_temp.line('none', 1)), '', 'PRODUCT_NOT_FOUND', jsonb_build_object('product_ids', array[pg_temp.id('none')])::text),
  ('x', 8, format('[{"inventory_id": "%s", "quantity": 1}]', pg_temp.id('none')), '', 'INVENTORY_NOT_FOUND', jsonb_build_object('inventory_ids', array[pg_temp.id('none')])::text),
  ('x', 8, pg_temp.lines(pg_temp.line('mug', 2)), '', 'UNDERPAID', '{"total": 1200, "paid": 1000, "missing": 200, "currency": "EUR"}'),
  ('x', 8, pg_temp.lines(pg_temp.line('hot', 1)), format(', p_shift_id => %L', pg_temp.id('store')), 'SHIFT_NOT_FOUND', jsonb_build_object('shift_id', pg_temp.id('store'))::text),
  ('x', 8, pg_temp.lines(pg_temp.line('hot', 1)), format(', p_shift_id => %L', pg_temp.id('none')), 'SHIFT_NOT_FOUND', jsonb_build_object('shift_id', pg_temp.id('none'))::text),
  ('x', -0.1, pg_temp.lines(pg_temp.line('hot', 1)), '', 'VALIDATION_FAILED', '{"problems": [{"pointer": "/client_time", "message": "must not be in the future"}]}'),
  ('x', 30 * 24 + 1, pg_temp.lines(pg_temp.line('hot', 1)), '', 'VALIDATION_FAILED', '{"problems": [{"pointer": "/client_time", "message": "must be in the last 30 days"}]}'),
  (null, 8, pg_temp.lines(pg_temp.line('hot', 0, ', "unit_price": -1')), '', 'VALIDATION_FAILED', '{"problems": [
    {"pointer": "/lines/0/quantity", "message": "must be a number above 0 and at most 1000000, with at most 3 decimals"},
    {"pointer": "/lines/0/unit_price", "message": "must be a whole number of minor units, 0 or more"},
    {"pointer": "/headers/idempotency-key", "message": "is required with client_time"}]}')
) as v (key, hours, lines, more, code, details);
select is(
  pg_temp.sell('web', 'clock', -0.05, pg_temp.lines(pg_temp.line('hot', 1)), 100) #>> '{sale,shift_id}', pg_temp.id('first')::text,
  'clocks may differ by minutes'
);
select is(
  pg_temp.answer(format('public.pos_sale(%L, %L, %L)', pg_temp.id('web'), pg_temp.lines(pg_temp.line('hot', 1, ', "unit_price": 1')), '[]')) #> '{details,problems}',
  '[{"pointer": "/lines/0/unit_price", "message": "is only for a sale with client_time: any other has the price of the database"}]'::jsonb,
  'who is not cut off sells at the price there is'
);
select is(
  pg_temp.answer(format('public.pos_sale(%L, %L, %L)', pg_temp.id('web'), pg_temp.lines(pg_temp.line('bag', 1)), '[]')) ->> 'code', 'PRODUCT_NOT_FOUND', 'and what is for sale'
);

-- One sale for each key of a register, for ever.
select is(
  pg_temp.sell('web', 'price', 8, pg_temp.lines(pg_temp.line('hot', 1, ', "unit_price": 80'), pg_temp.line('hot', 1, ', "unit_price": 100')), 190) #>> '{sale,total}',
  '190', 'what it was called besides is not what it was'
);
select is(current_setting('response.headers', true), '[{"Idempotent-Replayed": "true"}]', 'it says so');
select pg_temp.is_till('bob');
create temporary table receipts on commit drop as select last_receipt::int as n from interlock.registers where id = pg_temp.id('web');
select is(
  public.pos_sale(
    pg_temp.id('web'), pg_temp.lines(
      pg_temp.line('mug', 2), '{"barcode": "tap65-six", "quantity": 1}', pg_temp.line('bag', 1), pg_temp.line('hot', 390), pg_temp.line('owed', 3)
    )::jsonb, '[{"type": "cash", "amount": 44000}]', p_client_time => now() - interval '8 hours', p_shift_id => pg_temp.id('first'), p_idempotency_key => 'k1'
  )::jsonb,
  (select a from sold where name = 'mugs'), 'another cashier gets the answer that there was, whatever is true by now'
);
select pg_temp.is_shop();
update interlock.idempotency_keys set expires_at = now() - interval '1 second';
select pg_temp.is_till('bob');
select is(
  pg_temp.sell('web', 'k1', 8, pg_temp.lines(pg_temp.line('mug', 1)), 600) ->> 'code', 'IDEMPOTENCY_KEY_REUSED', 'another sale is none'
);
select is(
  pg_temp.sell('web', 'paid', 7, pg_temp.lines(pg_temp.line('hot', 1, ', "unit_price": 90')), 90) ->> 'code', 'IDEMPOTENCY_KEY_REUSED',
  'nor is the same at another time: two tabs that number alike'
);
select is(
  pg_temp.sell('web', 'k1', 8, '[{"barcode": "tap65-none", "quantity": 1}]', 600) ->> 'code', 'IDEMPOTENCY_KEY_REUSED', 'nor one that could not be'
);
select isnt(
  pg_temp.sell('till', 'paid', 8, pg_temp.lines(pg_temp.line('bag', 1)), 90) #>> '{sale,id}', null, 'another register has keys of its own'
);
-- Its answer was lost, and it comes again as a sale of a till that was cut off.
insert into sold values ('lost', pg_temp.answer(format(
  'public.pos_sale(%L, %L, %L, p_expected_total => 200, p_idempotency_key => %L)', pg_temp.id('web'), pg_temp.lines(pg_temp.line('hot', 2)),
  '[{"type": "cash", "amount": 200}]', 'lost'
)));
select pg_temp.is_till('ann');
select is(
  pg_temp.sell('web', 'lost', 0, pg_temp.lines(pg_temp.line('hot', 2, ', "unit_price": 100')), 200, format(', p_shift_id => %L', pg_temp.id('first'))),
  (select a from sold where name = 'lost'), 'what was sold before its answer was lost is sold once'
);
insert into sold values ('again', pg_temp.sell('web', 'again', 0, pg_temp.lines(pg_temp.line('hot', 1, ', "unit_price": 100')), 100));
select is(
  pg_temp.answer(format(
    'public.pos_sale(%L, %L, %L, p_idempotency_key => %L)', pg_temp.id('web'), pg_temp.lines(pg_temp.line('hot', 1)), '[{"type": "cash", "amount": 100}]', 'again'
  )),
  (select a from sold where name = 'again'), 'whichever comes first'
);
select is(
  (select last_receipt - (select n from receipts) from registers where id = pg_temp.id('web')), 2::bigint, 'receipts have no gaps'
);

-- The shift of then. The first one ends, later ones begin and end.
select is(
  pg_temp.answer(format('public.pos_sale(%L, %L, %L, p_shift_id => %L)', pg_temp.id('web'), pg_temp.lines(pg_temp.line('hot', 1)), '[{"type": "cash", "amount": 100}]', pg_temp.id('first'))) #>> '{sale,shift_id}',
  pg_temp.id('first')::text, 'a sale may say which shift'
);
create temporary table closed on commit drop as
  select pg_temp.answer(format('public.close_shift(%L, 45000)', pg_temp.id('first'))) as a;
select pg_temp.is_shop();
update interlock.shifts set closed_at = now() - interval '6 hours' where id = pg_temp.id('first');
select pg_temp.is_till('ann');
select is(
  pg_temp.answer(format('public.pos_sale(%L, %L, %L, p_shift_id => %L)', pg_temp.id('web'), pg_temp.lines(pg_temp.line('hot', 1)), '[{"type": "cash", "amount": 100}]', pg_temp.id('first'))) ->> 'code',
  'SHIFT_NOT_OPEN', 'which must be open'
);
select is(pg_temp.sell('web', 'gap', 5, pg_temp.lines(pg_temp.line('hot', 1)), 100) ->> 'code', 'SHIFT_NOT_OPEN', 'where there was none and is none, nothing is sold');
select is(pg_temp.open('web', 'second', 0, 4) #>> '{shift,id}', pg_temp.id('second')::text, 'another shift');
select is(pg_temp.open('web', 'first', 1000, 10), (select first from opened), 'the first is the same one still');
select is(
  jsonb_build_array(s #> '{sale,shift_id}', s #> '{sale,late}'), jsonb_build_array(pg_temp.id(v.shift), v.late), 'the shift of a sale: ' || v.key
)
from (values
  ('then', 8, '', 'first', true), ('gap', 5, '', 'second', false), ('now', 1, '', 'second', false),
  ('named', 1, format(', p_shift_id => %L', pg_temp.id('first')), 'first', true), ('its end', 6, '', 'second', false), ('its beginning', 10, '', 'first', true)
) as v (key, hours, more, shift, late)
cross join lateral pg_temp.sell('web', v.key, v.hours, pg_temp.lines(pg_temp.line('hot', 1)), 150, v.more) as s;
select is(pg_temp.answer(format('public.close_shift(%L, 45000)', pg_temp.id('first'))) -> 'shift' -> 'expected_cash', (select a #> '{shift,expected_cash}' from closed), 'a closing report stays as it was');
select is(
  (select to_jsonb(c) - '{opened_at,closed_at,register_id}'::text[] from shift_corrections c where c.register_id = pg_temp.id('web')),
  (select jsonb_build_object(
    'shift_id', pg_temp.id('first'), 'counted_cash', 45000, 'expected_cash', (a #>> '{shift,expected_cash}')::int,
    'difference', (a #>> '{shift,difference}')::int, 'late_sales', 3, 'late_total', 300, 'late_cash', 300,
    'corrected_expected_cash', (a #>> '{shift,expected_cash}')::int + 300, 'corrected_difference', (a #>> '{shift,difference}')::int - 300
  ) from closed),
  'and what came late is told beside it'
);
select is(
  pg_temp.answer(format('public.pos_sale(%L, %L, %L, p_client_time => %L, p_idempotency_key => %L)', pg_temp.id('web'), pg_temp.lines(pg_temp.line('hot', 1)),
    '[{"type": "card", "amount": 100}]', now() - interval '7 hours', 'card')) #>> '{sale,late}',
  'true', 'by card, too'
);
select is(
  (select jsonb_build_array(late_sales, late_total, late_cash) from shift_corrections where shift_id = pg_temp.id('first')), '[4, 400, 300]'::jsonb,
  'which is not in the drawer'
);

-- What was paid out without a network was taken out of the drawer.
select pg_temp.is_till('bob', 'manager');
select is(
  pg_temp.answer(format(
    'public.pos_sale(%L, p_tenders => %L, p_returns => %L, p_client_time => %L, p_idempotency_key => %L)', pg_temp.id('web'),
    '[{"type": "cash", "amount": 100}]',
    jsonb_build_array(jsonb_build_object(
      'sale_id', (select id from sales s where s.total = 190 and s.register_id = pg_temp.id('web')), 'line', 1, 'quantity', 1, 'reason', 'broken'
    )),
    now() - interval '7 hours', 'back'
  )) #>> '{sale,late}',
  'true', 'goods that come back are a sale as well'
);
select is(
  (select jsonb_build_array(late_sales, late_total, late_cash) from shift_corrections where shift_id = pg_temp.id('first')), '[5, 300, 200]'::jsonb,
  'and were paid out of the drawer'
);
select pg_temp.is_till('ann');

-- Voided, what was taken goes back.
select is(pg_temp.answer(format('public.close_shift(%L, 0)', pg_temp.id('second'))) ->> 'success', 'true', 'the second shift ends');
select pg_temp.is_till('ann');
insert into sold values ('void', pg_temp.sell('till', 'void', 1, pg_temp.lines(pg_temp.line('tea', 1), pg_temp.line('bag', 1)), 1010, ', p_customer => ''{"create": {"name": "Vi", "email": "tap-65-vi@example.com"}}'''));
select pg_temp.is_shop();
update interlock.inventory set quantity = 0.75 where id = pg_temp.id('stock of tea');
select pg_temp.is_till('ann');
insert into sold values ('half', pg_temp.sell('till', 'half', 1, pg_temp.lines(pg_temp.line('tea', 0.5), pg_temp.line('new', 2), pg_temp.line('tea', 0.5)), 3000));
select is(
  (select jsonb_path_query_array(a, '$.sale.shortfalls[*] ? (@.sold == 1).quantity') from sold where name = 'half'), '[0.25]', 'half of it is there, and none of another'
);
select is(
  pg_temp.answer(format('public.void_sale(%L, %L)', (select a #>> '{sale,id}' from sold where name = v), 'wrong')) #>> '{sale,status}', 'voided', 'voided: ' || v
)
from unnest(array['half', 'void']) v;
-- Two shifts at once, as one was opened elsewhere meanwhile: the later one.
select is(pg_temp.open('web', 'third', 0, 7) #>> '{shift,id}', pg_temp.id('third')::text, 'a third shift, which began in the first');
select is(
  pg_temp.sell('web', 'both', 6.5, pg_temp.lines(pg_temp.line('hot', 1)), 100) #>> '{sale,shift_id}', pg_temp.id('third')::text, 'of two the one that was opened later'
);
insert into sold values ('more mugs', pg_temp.sell('web', 'more mugs', 1, pg_temp.lines(pg_temp.line('mug', 1)), 600));
insert into sold values ('gone', pg_temp.sell('till', 'gone', 1, pg_temp.lines(pg_temp.line('new', 2)), 2000));
select pg_temp.is_shop();
select is((select trim_scale(quantity) from interlock.inventory where id = pg_temp.id('stock of tea')), 0.75, 'what was taken is back, no more');
select results_eq(
  $$select trim_scale(quantity) from interlock.inventory where id in (pg_temp.id('tea elsewhere'), pg_temp.id('mugs in store')) order by 1$$,
  'values (5::numeric), (7)', 'what is elsewhere, and what else is there, is left alone'
);

-- An audit files each, and only these.
create function pg_temp.found(p_full boolean default false)
returns text
language plpgsql
as $$
begin
  perform interlock.audit_inventory(p_full);
  return (
    select coalesce(string_agg(
      concat_ws(' ', f.kind, p.name, s.name, f.expected, f.found, nullif(f.status, 'open')), ', ' order by p.name, s.name
    ), 'nothing')
    from interlock.inventory_findings f
    left join interlock.products p on p.id = f.product_id
    left join sold s on s.a #>> '{sale,id}' = f.subject_id::text
    where f.status <> 'resolved'
      and f.product_id in (pg_temp.id('mug'), pg_temp.id('hot'), pg_temp.id('owed'), pg_temp.id('tea'), pg_temp.id('new'), pg_temp.id('bag'))
  );
end
$$;
create function pg_temp.finding(p_product text, p_sale text default null)
returns uuid
language sql
as $$
  select f.id from interlock.inventory_findings f
  where f.product_id = pg_temp.id(p_product) and f.kind = 'oversold_offline' and f.status <> 'resolved'
    and (p_sale is null or f.subject_id = (select (a #>> '{sale,id}')::uuid from sold where name = p_sale))
$$;
select is(
  pg_temp.found(true),
  'oversold_offline mug more mugs 1 0, oversold_offline mug mugs 8 3, oversold_offline new gone 2 0, oversold_offline new tea 0.5 0, '
    'oversold_offline owed mugs 3 1, oversold_offline tea tea 2 1.52',
  'exactly what was not there'
);
select is(pg_temp.found(), pg_temp.found(), 'and the next one follows it');
select is(
  (select concat_ws(' | ', f.location_id = pg_temp.id('store'), f.since, f.cause) from interlock.inventory_findings f where f.id = pg_temp.finding('tea')),
  concat_ws(' | ', true, now() - interval '8 hours', 'A till that was cut off has sold it, and the stock said that it was not there: count it.'), 'where, when, why'
);
select is(pg_temp.answer(format('public.resolve_finding(%L, %L)', pg_temp.finding('tea'), 'came late')) #>> '{finding,status}', 'resolved', 'it is taken from the stock, where there is some by now');
select is((select trim_scale(quantity) from interlock.inventory where id = pg_temp.id('stock of tea')), 0.27, 'to the gram');
select is(
  pg_temp.answer(format('public.resolve_finding(%L, %L)', pg_temp.finding(v.product, v.sale), 'x')), jsonb_build_object('code', 'INSUFFICIENT_INVENTORY', 'details', jsonb_build_object(
    'shortages', jsonb_build_array(jsonb_build_object(
      'inventory_id', case v.product when 'new' then null else pg_temp.id(v.product) end, 'product_id', pg_temp.id(v.product), 'location_id', v.location, 'requested', v.missing, 'available', 0
    ))
  )), 'where there is none it is not: ' || v.product
)
from (values ('new', 'tea', pg_temp.id('store'), 0.5), ('mug', 'mugs', pg_temp.online(), 5)) as v (product, sale, location, missing);
select is(pg_temp.answer(format('public.void_sale(%L, %L)', (select a #>> '{sale,id}' from sold where name = 'gone'), 'x')) #>> '{sale,status}', 'voided', 'a sale that is voided');
select is(pg_temp.answer(format('public.resolve_finding(%L, %L)', pg_temp.finding('new', 'gone'), 'x')) #>> '{finding,status}', 'resolved', 'has nothing to be taken for it');
select is(accept_finding(pg_temp.finding('owed'), 'counted', 'Ann Example') #>> '{finding,status}', 'accepted', 'or let it be');
select adjust_stock(pg_temp.id('mug'), 9, 'found');
select is(pg_temp.answer(format('public.resolve_finding(%L, %L)', pg_temp.finding('mug', 'more mugs'), 'they had come')) #>> '{finding,status}', 'resolved', 'in the web shop, too');
select is((select available_quantity from interlock.products where id = pg_temp.id('mug')), 8, 'for one sale');
select isnt(pg_temp.finding('mug', 'mugs'), null, 'the other one stays');
select is(pg_temp.answer(format('public.resolve_finding(%L, %L)', pg_temp.finding('mug', 'mugs'), 'they had come')) #>> '{finding,status}', 'resolved', 'until it is resolved');
select is((select available_quantity from interlock.products where id = pg_temp.id('mug')), 3, 'so many of them');
select is(
  (select concat_ws(' ', m.delta, m.reason, m.reference_id = (select (a #>> '{sale,id}')::uuid from sold where name = 'mugs')) from interlock.stock_movements m
   where m.product_id = pg_temp.id('mug') order by m.id desc limit 1),
  '-5 they had come t', 'and the ledger says which sale'
);
select is(pg_temp.found(), 'oversold_offline new tea 0.5 0, oversold_offline owed mugs 3 1 accepted', 'the rest is left');
select is(pg_temp.found(true), 'oversold_offline new tea 0.5 0, oversold_offline owed mugs 3 1 accepted', 'for whatever audit');
select is(pg_temp.answer(format('public.void_sale(%L, %L)', (select a #>> '{sale,id}' from sold where name = 'tea'), 'x')) #>> '{sale,status}', 'voided', 'a sale that is voided late');
select is((select trim_scale(quantity) from interlock.inventory where id = pg_temp.id('stock of tea')), 2.27, 'gives back what was taken late as well');

-- A person who is erased is in no answer.
select pg_temp.is_till('bob', 'manager');
insert into sold values ('eve', pg_temp.sell(
  'till', 'eve', 1, pg_temp.lines(pg_temp.line('tea', 0.01)), 10, ', p_customer => ''{"create": {"name": "Eve", "email": "tap-65-eve@example.com"}}'''
));
select is((select a #>> '{sale,customer,name}' from sold where name = 'eve'), 'Eve', 'a customer of a till that was cut off');
select is(
  pg_temp.answer(format('public.erase_customer(%L)', (select a #>> '{sale,customer,id}' from sold where name = 'eve'))) ->> 'success', 'true', 'who is erased'
);
select is(
  pg_temp.sell('till', 'eve', 1, pg_temp.lines(pg_temp.line('tea', 0.01)), 10, ', p_customer => ''{"create": {"name": "Eve", "email": "tap-65-eve@example.com"}}''')
    #- '{sale,customer}',
  (select a #- '{sale,customer}' from sold where name = 'eve'), 'is in no answer any more, which is the same without'
);
select pg_temp.is_shop();
select is((select count(*) from interlock.sale_keys k where k.answer ilike '%eve@%' or k.answer ilike '%"Eve"%'), 0::bigint, 'nor anywhere else');

select pg_temp.is_till('bob', 'manager');
select is(
  pg_temp.sell('till', 'void', 1, pg_temp.lines(pg_temp.line('tea', 1), pg_temp.line('bag', 1)), 1010, ', p_customer => ''{"create": {"name": "Vi", "email": "tap-65-vi@example.com"}}'''), (select a from sold where name = 'void'),
  'and every other answer stays as it was given, whatever became of the sale'
);
select pg_temp.is_shop();
select is(
  pg_temp.answer(format('to_jsonb(interlock.take_stock(array[%L::uuid], array[1000], %L, null))', pg_temp.id('mug'), v.reason)) #> '{details,shortages,0}',
  jsonb_build_object('product_id', pg_temp.id('mug'), 'requested', 1000, 'available', 3) || v.more, 'what is short: ' || v.reason
)
from (values
  ('pos_sale', jsonb_build_object('inventory_id', pg_temp.id('mug'), 'location_id', pg_temp.online())), ('checkout', '{}')
) as v (reason, more);

-- Who, and what stays.
select pg_temp.is_till('nobody', 'driver');
select is((select count(*) from sale_shortfalls) + (select count(*) from shift_corrections), 0::bigint, 'customers read none of it');
select is(pg_temp.sell('web', 'price', 8, '[]', 1) ->> 'code', 'FORBIDDEN', 'nor do they get an answer under a key');
select pg_temp.is_shop();
select throws_ok(v, '23001', null, 'nobody does: ' || v)
from unnest(array[
  'delete from interlock.sale_keys', 'truncate interlock.sale_keys', 'delete from interlock.sale_shortfalls', 'truncate interlock.sale_shortfalls',
  'update interlock.sale_shortfalls set quantity = 0.1', 'update interlock.sales set late = true', 'update interlock.sales set recorded_at = now() - interval ''1 day'''
]) v;
select throws_ok(
  format($$insert into interlock.sale_shortfalls (sale_id, product_id, location_id, sold, quantity) values (%L, %L, %L, 1, 2)$$,
    (select a #>> '{sale,id}' from sold where name = 'lost'), pg_temp.id('hot'), pg_temp.online()),
  '23514', null, 'no more is missing than was sold'
);

-- A row says all of it.
select throws_ok(v.sql, v.state, null, v.sql)
from (values
  ('insert into interlock.sale_keys (register_id, key) values (pg_temp.id(''web''), ''x'')', '23502'),
  ('insert into interlock.sale_keys (register_id, key, request_hash, sale_id) values (pg_temp.id(''web''), ''x'', '''', pg_temp.id(''none''))', '23503'),
  ('insert into interlock.sale_keys (register_id, key, request_hash) values (pg_temp.id(''web''), ''k1'', '''')', '23505'),
  ('insert into interlock.sale_shortfalls select sale_id, pg_temp.id(''bag''), null, null, 1, 1 from interlock.sale_shortfalls', '23502'),
  ('insert into interlock.sale_shortfalls select sale_id, pg_temp.id(''bag''), location_id, null, null, 1 from interlock.sale_shortfalls', '23502'),
  ('insert into interlock.sale_shortfalls select sale_id, pg_temp.id(''bag''), location_id, null, 1, null from interlock.sale_shortfalls', '23502'),
  ('insert into interlock.sale_shortfalls (sale_id, product_id, location_id, sold, quantity) values (pg_temp.id(''none''), pg_temp.id(''bag''), pg_temp.id(''store''), 1, 1)', '23503'),
  ('insert into interlock.sale_shortfalls select sale_id, product_id, location_id, null, 1, 1 from interlock.sale_shortfalls', '23505')
) as v (sql, state);

select * from finish();
rollback;
