-- Parked sales: with and without their goods kept, resumed by one till, parked again, sold, discarded and expired; and what a manager allows.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

insert into auth.users (id, aud, role, email)
values
  ('63000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-63-cashier@example.com'),
  ('63000000-0000-4000-8000-0000000000bb', 'authenticated', 'authenticated', 'tap-63-manager@example.com'),
  ('63000000-0000-4000-8000-0000000000cc', 'authenticated', 'authenticated', 'tap-63@example.com'),
  ('63000000-0000-4000-8000-0000000000dd', 'authenticated', 'authenticated', 'tap-63-other@example.com');
insert into interlock.products (id, name, price, currency, available_quantity, kind, decimals, stock_policy)
values
  ('63000000-0000-4000-8000-000000000001', 'flower', 1000, 'EUR', 0, 'physical', 3, default),
  ('63000000-0000-4000-8000-000000000002', 'mug', 500, 'EUR', 5, 'physical', 0, default),
  ('63000000-0000-4000-8000-000000000003', 'bag', 10, 'EUR', 0, 'physical', 0, 'untracked'),
  ('63000000-0000-4000-8000-000000000004', 'never here', 10, 'EUR', 0, 'physical', 0, default);
insert into interlock.locations (id, name) values ('63100000-0000-4000-8000-000000000001', 'Store');
insert into interlock.inventory (id, product_id, location_id, quantity)
values ('63200000-0000-4000-8000-000000000001', '63000000-0000-4000-8000-000000000001', '63100000-0000-4000-8000-000000000001', 2.5);
insert into interlock.registers (id, location_id, name, currency)
values
  ('63300000-0000-4000-8000-000000000001', '63100000-0000-4000-8000-000000000001', 'store', 'EUR'),
  ('63300000-0000-4000-8000-000000000002', '63100000-0000-4000-8000-000000000001', 'store 2', 'EUR'),
  ('63300000-0000-4000-8000-000000000003', interlock.online_location(), 'web', 'EUR');
insert into interlock.shifts (id, register_id, opening_cash)
select ('63400000-0000-4000-8000-00000000000' || n)::uuid, ('63300000-0000-4000-8000-00000000000' || n)::uuid, 0 from generate_series(1, 3) n;

create temporary table kept (name text primary key, a jsonb) on commit drop;
grant select, insert, update on kept to authenticated, service_role;

create function pg_temp.act_as(p_user text, p_role text)
returns void
language sql
as $$
  select
    set_config('role', 'authenticated', true),
    set_config('request.jwt.claims', json_build_object(
      'sub', '63000000-0000-4000-8000-0000000000' || p_user, 'role', 'authenticated',
      'app_metadata', json_build_object('role', p_role)
    )::text, true)
$$;
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
create function pg_temp.register(p_n int)
returns uuid
language sql
as $$ select ('63300000-0000-4000-8000-00000000000' || p_n)::uuid $$;
create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select coalesce(a #>> '{parked_sale,id}', a #>> '{sale,id}', a #>> '{approval,id}')::uuid from kept where name = p_name $$;
create function pg_temp.park(p_name text, p_till int, p_lines text, p_more text default '')
returns jsonb
language sql
as $$
  insert into kept values (p_name, pg_temp.answer(format('public.park_sale(%L, %L, %L%s)', pg_temp.register(p_till), p_name, p_lines, p_more)))
  on conflict (name) do update set a = excluded.a
  returning a
$$;
create function pg_temp.sell(p_name text, p_till int, p_lines text, p_cash int, p_more text)
returns jsonb
language sql
as $$
  insert into kept values (p_name, pg_temp.answer(format(
    'public.pos_sale(%L, %L, %L%s)', pg_temp.register(p_till), p_lines,
    case when p_cash > 0 then json_build_array(json_build_object('type', 'cash', 'amount', p_cash)) else '[]' end, p_more
  )))
  on conflict (name) do update set a = excluded.a
  returning a
$$;
create function pg_temp.stock(p_name text)
returns numeric
language sql
security definer
as $$
  select trim_scale(coalesce((select sum(i.quantity) from interlock.inventory i where i.product_id = p.id), 0) + p.available_quantity)
  from interlock.products p where p.name = p_name and p.id::text like '63000000-%'
$$;

-- Who may.
select pg_temp.act_as('cc', 'driver');
select is(pg_temp.park('no', 1, '[]') ->> 'code', 'FORBIDDEN', 'who does not work at a till parks nothing');
select is(pg_temp.answer($$public.resume_parked_sale(null, null)$$) ->> 'code', 'FORBIDDEN', 'nor resumes');
select is(pg_temp.answer($$public.discard_parked_sale(null)$$) ->> 'code', 'FORBIDDEN', 'nor discards');
select is(pg_temp.answer($$public.approve_sale(null, null, null)$$) ->> 'code', 'FORBIDDEN', 'nor approves');
select pg_temp.act_as('aa', 'cashier');
select is(pg_temp.answer($$public.approve_sale(null, null, null)$$) ->> 'code', 'FORBIDDEN', 'a cashier approves nothing either');
select is_empty('select 1 from interlock.parked_sales', 'nothing is parked');

-- Without its goods.
select is(
  (pg_temp.park('loose', 1, '[{"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 9, "discount": {"percent": 5, "reason": "x"}}]') -> 'parked_sale') - '{id,parked_at,expires_at}'::text[],
  '{"location_id": "63100000-0000-4000-8000-000000000001", "register_id": "63300000-0000-4000-8000-000000000001", "name": "loose", "customer_id": null, "hold": false,
    "lines": [{"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 9, "discount": {"percent": 5, "reason": "x"}}], "status": "parked", "sale_id": null}'::jsonb,
  'a cart is put aside as it is, whatever is there'
);
select is(pg_temp.stock('flower'), 2.5, 'and takes nothing');
select isnt_empty('select 1 from interlock.parked_sales', 'tills see it');
select is(pg_temp.park('web', 3, '[{"product_id": "63000000-0000-4000-8000-000000000002", "quantity": 2},
  {"product_id": "63000000-0000-4000-8000-000000000003", "quantity": 1}]', ', p_hold => true') #>> '{parked_sale,hold}', 'true', 'goods of the web shop are kept');
select is(pg_temp.stock('mug'), 3::numeric, 'they are out of its stock');

-- With its goods.
select is(
  pg_temp.park('kept', 1, '[{"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 1.5}, {"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 0.5},
    {"product_id": "63000000-0000-4000-8000-000000000003", "quantity": 4}]', ', p_hold => true, p_reference => ''tap63'', p_customer => ''{"create": {"name": "Ann", "phone": "+491701234567"}}''')
    #>> '{parked_sale,customer_id}' is not null,
  true, 'goods are kept, for whom'
);
select is(pg_temp.stock('flower'), 0.5, 'they are out of the stock');
select is(
  pg_temp.park('kept once', 1, (select a #>> '{parked_sale,lines}' from kept where name = 'kept'), ', p_hold => true, p_reference => ''tap63x''')
    ->> 'code', 'INSUFFICIENT_INVENTORY', 'and not there for anybody else'
);
select is(
  pg_temp.answer(format(
    $$public.park_sale(%L, 'kept', %L, p_hold => true, p_reference => 'tap63', p_customer => '{"create": {"name": "Ann", "phone": "+491701234567"}}')$$,
    pg_temp.register(1), (select a #>> '{parked_sale,lines}' from kept where name = 'kept')
  )),
  (select a from kept where name = 'kept'), 'under its reference they are kept once'
);
select is(
  pg_temp.park('kept again', 1, '[{"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 1.5}, {"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 0.5},
    {"product_id": "63000000-0000-4000-8000-000000000003", "quantity": 4}]', ', p_hold => true, p_reference => ''tap63''') ->> 'code', 'IDEMPOTENCY_KEY_REUSED', 'a reference is of one'
);
reset role;
select results_eq(
  $$select trim_scale(m.delta), m.reason::text, m.reference_id from interlock.stock_movements m
    where m.product_id = '63000000-0000-4000-8000-000000000001' order by m.id desc limit 1$$,
  $$select -2.0, 'pos_park', pg_temp.id('kept')$$, 'the ledger says so'
);
select pg_temp.act_as('aa', 'cashier');
select is(
  pg_temp.park('short', 1, '[{"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 1}, {"product_id": "63000000-0000-4000-8000-000000000004", "quantity": 1}]', ', p_hold => true')
    #> '{details,shortages}' -> 1 -> 'available',
  '0'::jsonb, 'what is not there cannot be kept'
);

-- Problems.
select is(
  jsonb_path_query_array(pg_temp.answer($$public.park_sale(null, '', '[]', p_expires_at => now() - interval '1 second')$$), '$.details.problems[*].pointer'),
  '["/register_id", "/lines", "/name", "/expires_at"]'::jsonb, 'every problem is told'
);
select is(
  jsonb_path_query_array(pg_temp.answer('public.resume_parked_sale(null, null)'), '$.details.problems[*].pointer'),
  '["/p_parked_sale_id", "/p_register_id"]'::jsonb, 'of who resumes, too'
);
select is(pg_temp.answer('public.discard_parked_sale(null)') #>> '{details,problems,0,pointer}', '/p_parked_sale_id', 'and discards');
select is(pg_temp.park('x', l.till, l.lines, l.more) ->> 'code', l.code, l.code)
from (values
  (9, '[{"barcode": "tap63-no", "quantity": 1}]', '', 'REGISTER_NOT_FOUND'),
  (1, '[{"barcode": "tap63-no", "quantity": 1}]', '', 'BARCODE_NOT_FOUND'),
  (1, '[{"inventory_id": "63000000-0000-4000-8000-0000000000ff", "quantity": 1}]', '', 'INVENTORY_NOT_FOUND'),
  (1, '[{"product_id": "63000000-0000-4000-8000-0000000000ff", "quantity": 1}]', '', 'PRODUCT_NOT_FOUND'),
  (3, '[{"inventory_id": "63200000-0000-4000-8000-000000000001", "quantity": 1}]', '', 'STOCK_ELSEWHERE'),
  (3, '[{"product_id": "63000000-0000-4000-8000-000000000002", "quantity": 1.5}]', '', 'VALIDATION_FAILED'),
  (1, '[{"product_id": "63000000-0000-4000-8000-000000000002", "quantity": 1}]', ', p_parked_sale_id => ''63000000-0000-4000-8000-0000000000ff''', 'PARKED_SALE_NOT_FOUND')
) as l (till, lines, more, code);
select is(pg_temp.answer($$public.resume_parked_sale('63000000-0000-4000-8000-0000000000ff', pg_temp.register(1))$$) ->> 'code', 'PARKED_SALE_NOT_FOUND', 'an unknown one');
select is(pg_temp.answer($$public.discard_parked_sale('63000000-0000-4000-8000-0000000000ff')$$) ->> 'code', 'PARKED_SALE_NOT_FOUND', 'is not discarded either');
select is(pg_temp.answer($$public.resume_parked_sale(pg_temp.id('kept'), pg_temp.register(9))$$) ->> 'code', 'REGISTER_NOT_FOUND', 'an unknown till');
select is(pg_temp.answer($$public.resume_parked_sale(pg_temp.id('kept'), pg_temp.register(3))$$) ->> 'code', 'PARKED_SALE_NOT_FOUND', 'at another location it is not there');

-- One till has it.
select is(pg_temp.answer($$public.resume_parked_sale(pg_temp.id('kept'), pg_temp.register(2))$$) #>> '{parked_sale,status}', 'resumed', 'another till resumes it');
select is(pg_temp.answer($$public.resume_parked_sale(pg_temp.id('kept'), pg_temp.register(2))$$) #>> '{parked_sale,status}', 'resumed', 'and again');
select is(
  (pg_temp.answer($$public.resume_parked_sale(pg_temp.id('kept'), pg_temp.register(1))$$) #- '{details,resumed_at}'),
  jsonb_build_object('code', 'PARKED_SALE_TAKEN', 'details', jsonb_build_object('parked_sale_id', pg_temp.id('kept'), 'register_id', pg_temp.register(2))), 'the first is told who has it'
);
select is(
  pg_temp.sell('taken', 1, '[{"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 2}]', 2000, format(', p_parked_sale_id => %L', pg_temp.id('kept'))) ->> 'code',
  'PARKED_SALE_TAKEN', 'and does not sell it'
);
select is(pg_temp.stock('flower'), 0.5, 'it is kept all the while');
select is(
  (pg_temp.park('kept', 2, '[{"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 2.5}]', format(', p_hold => true, p_parked_sale_id => %L', pg_temp.id('kept'))) -> 'parked_sale')
    - '{id,location_id,parked_at,expires_at,lines,name}'::text[],
  '{"register_id": "63300000-0000-4000-8000-000000000002", "customer_id": null, "hold": true, "status": "parked", "sale_id": null}'::jsonb,
  'it is parked again, with more: what it had is given back first'
);
select is(pg_temp.stock('flower'), 0::numeric, 'all is kept');
select is(
  pg_temp.park('more', 2, '[{"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 2.6}, {"product_id": "63000000-0000-4000-8000-000000000004", "quantity": 1}]',
    format(', p_hold => true, p_parked_sale_id => %L', pg_temp.id('kept'))) #> '{details,shortages,0,available}', '2.5'::jsonb, 'but not more than there is'
);

-- It becomes a sale.
select is(
  pg_temp.sell('sold', 1, '[{"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 2}]', 2000, format(', p_parked_sale_id => %L', pg_temp.id('kept'))) #>> '{sale,total}',
  '2000', 'it is sold, a part of it'
);
select is(pg_temp.stock('flower'), 0.5, 'and the rest is on the shelf again');
select is(
  pg_temp.sell('twice', 1, '[{"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 0.5}]', 500, format(', p_parked_sale_id => %L', pg_temp.id('kept'))) - 'hint',
  jsonb_build_object('code', 'PARKED_SALE_ENDED', 'details', jsonb_build_object('parked_sale_id', pg_temp.id('kept'), 'status', 'sold', 'sale_id', pg_temp.id('sold'))), 'once'
);
select is(pg_temp.answer($$public.discard_parked_sale(pg_temp.id('kept'))$$) #>> '{details,status}', 'sold', 'what is sold is not discarded');
select is(pg_temp.answer($$public.resume_parked_sale(pg_temp.id('kept'), pg_temp.register(1))$$) #>> '{details,status}', 'sold', 'nor resumed');
select is(
  pg_temp.sell('loose sold', 1, '[{"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 1}]', 1000, format(', p_parked_sale_id => %L', pg_temp.id('loose'))) #> '{details,shortages,0,available}',
  '0.5'::jsonb, 'what was not kept may be gone'
);
select is(
  pg_temp.sell('elsewhere', 1, '[{"product_id": "63000000-0000-4000-8000-000000000004", "quantity": 1}]', 10, format(', p_parked_sale_id => %L', pg_temp.id('loose'))) ->> 'code',
  'INSUFFICIENT_INVENTORY', 'or have never been there'
);

-- It is discarded, or expires.
select is(pg_temp.answer($$public.discard_parked_sale(pg_temp.id('web'))$$) #>> '{parked_sale,status}', 'discarded', 'nobody wants it');
select is(pg_temp.answer($$public.discard_parked_sale(pg_temp.id('web'))$$) #>> '{parked_sale,status}', 'discarded', 'once');
select is(pg_temp.stock('mug'), 5::numeric, 'its goods are on the shelf again');
select is(pg_temp.stock('bag'), 0::numeric, 'but for what is not counted');
select pg_temp.park('late', 1, '[{"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 0.5}]', ', p_hold => true, p_expires_at => now() + interval ''1 hour''');
select is(pg_temp.stock('flower'), 0::numeric, 'what expires is kept until then');
reset role;
select is(interlock.expire_parked_sales(100), 0, 'and does not before');
update interlock.parked_sales set expires_at = interlock.clock() - interval '11 minutes' where id = pg_temp.id('late');
select pg_temp.act_as('aa', 'cashier');
select is(pg_temp.answer($$public.resume_parked_sale(pg_temp.id('late'), pg_temp.register(1))$$) #>> '{details,status}', 'expired', 'then it is over');
select throws_ok('select public.expire_parked_sales()', '42501', null, 'a till expires nothing');
set local role service_role;
select is(public.expire_parked_sales(0) ->> 'expired', '0', 'no more than is asked for');
select is(public.expire_parked_sales() ->> 'expired', '1', 'the shop does');
select is(public.expire_parked_sales() ->> 'expired', '0', 'once');
reset role;
select is(pg_temp.stock('flower'), 0.5, 'and the goods are back');
update interlock.settings set hold_parked_stock = true;
select pg_temp.act_as('aa', 'cashier');
select is(pg_temp.park('by setting', 1, '[{"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 0.1}]') #>> '{parked_sale,hold}', 'true', 'a setting says whether goods are kept');
select is(pg_temp.answer($$public.close_shift('63400000-0000-4000-8000-000000000001', 0)$$) #>> '{shift,parked}', '2', 'the closing report counts what is parked');
reset role;
select is(
  (select p.expires_at from interlock.parked_sales p where p.id = pg_temp.id('by setting')), interlock.clock() + interval '30 days',
  'what does not say how long it waits, waits for 30 days'
);
select is(pg_temp.stock('flower'), 0.4, 'with its goods');
update interlock.parked_sales set expires_at = expires_at - interval '30 days' where id = pg_temp.id('by setting');
select is(interlock.expire_parked_sales(100), 1, 'then it ends');
select is(pg_temp.stock('flower'), 0.5, 'and they are on the shelf again');
update interlock.settings set parked_sale_limit = '1 hour';
select pg_temp.act_as('aa', 'cashier');
select is(
  pg_temp.park('an hour', 1, '[{"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 0.1}]', ', p_hold => false') #>> '{parked_sale,expires_at}',
  to_jsonb(now() + interval '1 hour') #>> '{}', 'or as long as a setting says'
);
reset role;
update interlock.settings set parked_sale_limit = null;
select pg_temp.act_as('aa', 'cashier');
select is(
  pg_temp.park('for ever', 1, '[{"product_id": "63000000-0000-4000-8000-000000000001", "quantity": 0.1}]', ', p_hold => false') #> '{parked_sale,expires_at}',
  'null'::jsonb, 'or for ever'
);

-- What a manager allows.
select pg_temp.act_as('bb', 'manager');
select is(
  jsonb_path_query_array(pg_temp.answer($$public.approve_sale(null, '{x}', '')$$), '$.details.problems[*].pointer'), '["/p_register_id", "/p_actions", "/p_reason"]'::jsonb, 'an approval says what, where and why'
);
select is(pg_temp.answer($$public.approve_sale(pg_temp.register(1), '{}', 'x')$$) #>> '{details,problems,0,pointer}', '/p_actions', 'something');
select is(pg_temp.answer($$public.approve_sale(pg_temp.register(9), '{void}', 'x')$$) ->> 'code', 'REGISTER_NOT_FOUND', 'at a register');
insert into kept select n.name, pg_temp.answer(format('public.approve_sale(%L, %L, ''angry customer'')', pg_temp.register(n.till), n.actions))
from (values ('discount', 3, '{discount}'), ('another', 3, '{discount}'), ('void old', 3, '{void}'), ('void used', 3, '{void}'), ('gift', 3, '{return_without_receipt}'), ('void', 3, '{void}'), ('elsewhere a', 2, '{discount,void}'), ('old', 3, '{discount}')) as n (name, till, actions);
reset role;
update interlock.sale_approvals set expires_at = interlock.clock() where id in (pg_temp.id('old'), pg_temp.id('void old'));
update interlock.sale_approvals set used_at = interlock.clock() where id = pg_temp.id('void used');
select pg_temp.act_as('aa', 'cashier');
select is(
  pg_temp.sell('off', 3, '[{"product_id": "63000000-0000-4000-8000-000000000002", "quantity": 1, "discount": {"percent": 50, "reason": "x"}}]', 250, format(', p_approval_id => %L', pg_temp.id(n))) - 'hint',
  jsonb_build_object('code', 'APPROVAL_NOT_FOUND', 'details', jsonb_build_object('approval_id', pg_temp.id(n))), 'no approval: ' || n
)
from unnest(array['elsewhere a', 'old', 'sold']) as n;
select is(
  pg_temp.sell('off', 3, '[{"product_id": "63000000-0000-4000-8000-000000000002", "quantity": 1, "discount": {"percent": 50, "reason": "x"}}]', 250, format(', p_approval_id => %L', pg_temp.id('gift'))) ->> 'code',
  'DISCOUNT_NOT_ALLOWED', 'an approval is for what it names'
);
select is(
  pg_temp.sell('off', 3, '[{"product_id": "63000000-0000-4000-8000-000000000002", "quantity": 1, "discount": {"percent": 50, "reason": "x"}},
    {"product_id": "63000000-0000-4000-8000-000000000003", "quantity": 1}]', 260, format(', p_approval_id => %L', pg_temp.id('discount'))) #>> '{sale,approved_by}',
  '63000000-0000-4000-8000-0000000000bb', 'a discount that a manager allows, and who that was'
);
select is(
  pg_temp.sell('off 2', 3, '[{"product_id": "63000000-0000-4000-8000-000000000002", "quantity": 1, "discount": {"percent": 50, "reason": "x"}}]', 250, format(', p_approval_id => %L', pg_temp.id('discount'))) ->> 'code',
  'APPROVAL_NOT_FOUND', 'once'
);
select is(
  pg_temp.answer(format($$public.pos_sale(%L, p_tenders => '[{"type": "cash", "amount": 510}]', p_returns => '[{"product_id": "63000000-0000-4000-8000-000000000002", "quantity": 1, "reason": "x"},
      {"product_id": "63000000-0000-4000-8000-000000000003", "quantity": 1, "reason": "x"}]', p_approval_id => %L)$$,
    pg_temp.register(3), pg_temp.id('gift'))) #>> '{sale,approved_by}',
  '63000000-0000-4000-8000-0000000000bb', 'so is a return without a receipt'
);
select pg_temp.act_as('dd', 'cashier');
select is(pg_temp.answer($$public.void_sale(pg_temp.id('off'), 'x')$$) ->> 'code', 'FORBIDDEN', 'somebody else''s sale');
select is(pg_temp.answer($$public.void_sale(pg_temp.id('off'), 'x', pg_temp.id('elsewhere a'))$$) ->> 'code', 'APPROVAL_NOT_FOUND', 'an approval of another register');
select is(pg_temp.answer(format('public.void_sale(%L, %L, %L)', pg_temp.id('off'), 'x', pg_temp.id(n))) ->> 'code', 'APPROVAL_NOT_FOUND', 'none for a void: ' || n)
from unnest(array['another', 'void old', 'void used']) as n;
select is(pg_temp.answer($$public.void_sale(pg_temp.id('off'), 'x', pg_temp.id('void'))$$) #>> '{sale,status}', 'voided', 'with one a cashier voids it');
select is(pg_temp.stock('bag'), 0::numeric, 'what is not counted is not there, whatever comes back');
reset role;
select is((select count(*) from interlock.sale_approvals where used_at is not null and sale_id is not null and register_id = pg_temp.register(3)), 3::bigint, 'each says for which sale it was used');
select is((select count(*) from interlock.stock_differences where product_id::text like '63000000-%'), 0::bigint, 'the books agree');

select * from finish();
rollback;
