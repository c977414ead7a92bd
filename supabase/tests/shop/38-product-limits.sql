-- How many of a product one order, and one customer, may have.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(37);

update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null;

insert into auth.users (id, aud, role, email)
values
  ('7c380000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-limit-ann@example.com'),
  ('7c380000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'tap-limit-bob@example.com');
insert into interlock.wallets (user_id, balance, currency) values ('7c380000-0000-4000-8000-000000000001', 100000, 'EUR');

create function pg_temp.p(p_letter text)
returns uuid
language sql
as $$ select ('7d380000-0000-4000-8000-00000000000' || p_letter)::uuid $$;

insert into interlock.products (id, name, price, currency, available_quantity, max_per_order, max_per_customer)
values
  (pg_temp.p('a'), 'tap two an order', 100, 'EUR', 1000, 2, null),
  (pg_temp.p('b'), 'tap three a customer', 100, 'EUR', 1000, null, 3),
  (pg_temp.p('c'), 'tap free', 100, 'EUR', 1000, null, null);

create function pg_temp.buy(p_who text, p_cart jsonb, p_method text default null, p_key text default null)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform set_config('request.jwt.claims', jsonb_build_object(
    'role', 'authenticated', 'sub', '7c380000-0000-4000-8000-00000000000' || case p_who when 'ann' then 1 else 2 end
  )::text, true);
  set local role authenticated;
  v_answer := public.checkout(
    (
      select jsonb_agg(jsonb_build_object('product_id', '7d380000-0000-4000-8000-00000000000' || c.key, 'quantity', c.value))
      from jsonb_each(p_cart) c
    ),
    null, null, p_method, p_key
  );
  reset role;
  return v_answer -> 'order';
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('code', sqlerrm, 'details', nullif(v_detail, '')::jsonb - 'message');
end
$$;

create function pg_temp.shop(p_call text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform set_config('request.jwt.claims', '{"role": "service_role"}', true);
  set local role service_role;
  execute 'select ' || p_call into v_answer;
  reset role;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('code', sqlerrm, 'details', nullif(v_detail, '')::jsonb - 'message');
end
$$;

create function pg_temp.limit_of(p_letter text, p_requested int, p_held int, p_max int)
returns jsonb
language sql
as $$
  select jsonb_build_object('code', 'PRODUCT_CUSTOMER_LIMIT', 'details', jsonb_build_object('limits', jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p(p_letter), 'requested', p_requested, 'held', p_held, 'max_per_customer', p_max)
  )))
$$;

create temporary table kept (name text primary key, "order" jsonb);
create function pg_temp.keep(p_name text, p_order jsonb)
returns text
language sql
as $$ insert into kept values (p_name, p_order) returning coalesce(p_order ->> 'status', p_order ->> 'code') $$;
create function pg_temp.on_order(p_name text, p_call text)
returns text
language sql
as $$
  select coalesce(a ->> 'code', a #>> '{order,status}')
  from kept, pg_temp.shop(format(p_call, "order" ->> 'id')) a
  where name = p_name
$$;

select throws_ok(
  format('update interlock.products set %I = 0 where id = pg_temp.p(''c'')', c), '23514', null, c || ' is at least one'
) from unnest(array['max_per_order', 'max_per_customer']) c;

-- Of an order ------------------------------------------------------------------

select is(pg_temp.buy('ann', '{"a": 2}') ->> 'status', 'confirmed', 'as many as an order may have');
select is(pg_temp.buy('ann', '{"a": 2}') ->> 'status', 'confirmed', 'and another order may have them again');
select is(
  pg_temp.buy('ann', '{"a": 3, "c": 1}'),
  jsonb_build_object('code', 'PRODUCT_ORDER_LIMIT', 'details', jsonb_build_object('limits', jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p('a'), 'requested', 3, 'max_per_order', 2)
  ))),
  'one more is refused'
);
select is(pg_temp.buy('ann', '{"a": 5000}') ->> 'code', 'PRODUCT_ORDER_LIMIT', 'before the stock is asked');
select is(pg_temp.buy('ann', '{"a": 2, "c": 5000}') ->> 'code', 'INSUFFICIENT_INVENTORY', 'which is asked as well');

-- Of a customer ----------------------------------------------------------------

select is(pg_temp.keep('two', pg_temp.buy('ann', '{"b": 2}', null, 'two')), 'confirmed', 'two of three');
select is(pg_temp.buy('ann', '{"b": 2, "c": 1}'), pg_temp.limit_of('b', 2, 2, 3), 'two more are too many');
select is(pg_temp.buy('ann', '{"b": 2}', null, 'two') ->> 'id', (select "order" ->> 'id' from kept), 'a repetition is answered');
select is(pg_temp.buy('bob', '{"b": 3}') ->> 'status', 'confirmed', 'somebody else has their own');
select is(pg_temp.buy('bob', '{"b": 1}'), pg_temp.limit_of('b', 1, 3, 3), 'and no more');
select is(pg_temp.keep('third', pg_temp.buy('ann', '{"b": 1}', 'wallet')), 'paid', 'the third');
select is(pg_temp.buy('ann', '{"b": 1}'), pg_temp.limit_of('b', 1, 3, 3), 'and no fourth');
select is(pg_temp.on_order('two', 'public.cancel_order(%L)'), 'cancelled', 'a cancelled order');
select is(pg_temp.keep('again', pg_temp.buy('ann', '{"b": 2}', 'bank_transfer')), 'pending_payment', 'gives back what it counted');
select is(pg_temp.on_order('third', 'public.refund_order(%L)'), 'refunded', 'a refunded one');
select is(pg_temp.keep('other', pg_temp.buy('ann', '{"b": 1}', 'wallet')), 'paid', 'does, too');
update interlock.orders set payment_expires_at = now() - interval '1 minute'
where id = (select ("order" ->> 'id')::uuid from kept where name = 'again');
select is(pg_temp.shop('public.expire_orders(1)') ->> 'expired', '1', 'and one that expires');
select is(pg_temp.on_order('other', 'public.fulfill_order(%L)'), 'fulfilled', 'one that is handed over');
select is(pg_temp.buy('ann', '{"b": 3}'), pg_temp.limit_of('b', 3, 1, 3), 'counts for good');
select is(pg_temp.keep('more', pg_temp.buy('ann', '{"b": 1}')), 'confirmed', 'another one');
select is(
  (select a from kept, pg_temp.shop(format('public.reopen_order(%L)', "order" ->> 'id')) a where name = 'again'),
  pg_temp.limit_of('b', 2, 2, 3), 'an order is not opened again above the limit'
);
select is(pg_temp.on_order('more', 'public.cancel_order(%L)'), 'cancelled', 'with room for it');
select is(pg_temp.on_order('again', 'public.reopen_order(%L)'), 'pending_payment', 'it is');
update interlock.products set max_per_customer = 1 where id = pg_temp.p('b');
select is(pg_temp.buy('ann', '{"b": 1}'), pg_temp.limit_of('b', 1, 3, 1), 'a lower limit takes nothing away');
update interlock.products set max_per_customer = null where id = pg_temp.p('b');
select is(pg_temp.buy('ann', '{"b": 10}') ->> 'status', 'confirmed', 'without one any number is sold');
update interlock.products set max_per_customer = 20, max_per_order = 10 where id = pg_temp.p('c');
select is(pg_temp.buy('bob', '{"c": 10}') ->> 'status', 'confirmed', 'both limits');
select is(pg_temp.buy('bob', '{"c": 10}') ->> 'status', 'confirmed', 'both limits, again');
select is(pg_temp.buy('bob', '{"c": 10}') ->> 'code', 'PRODUCT_CUSTOMER_LIMIT', 'and above');

-- Without such a product nothing is locked for them.
create function pg_temp.locked(p_cart jsonb)
returns bigint
language plpgsql
as $$
declare
  v_before bigint;
begin
  select count(*) into v_before from pg_locks where locktype = 'advisory' and pid = pg_backend_pid();
  perform pg_temp.buy('bob', p_cart);
  return (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) - v_before;
end
$$;
select is(pg_temp.locked('{"b": 1}'), 0::bigint, 'a plain cart locks nothing');
select is(pg_temp.locked('{"a": 1}'), 0::bigint, 'nor does a limit of an order');
update interlock.products set max_per_customer = null;
update interlock.orders set payment_expires_at = now() - interval '1 minute'
where id = (select ("order" ->> 'id')::uuid from kept where name = 'again');
select is(pg_temp.shop('public.expire_orders(1)') ->> 'expired', '1', 'an order that expires');
create temporary table advisory as select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid();
select is(pg_temp.on_order('again', 'public.reopen_order(%L)'), 'pending_payment', 'and is opened again');
select is(
  (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()), (select count from advisory),
  'without a limit locks nothing either'
);

-- Several at once, in the order of their ids.
update interlock.products set max_per_order = 1, max_per_customer = 1;
select is(
  (select array_agg(l ->> 'product_id') from jsonb_array_elements(pg_temp.buy('ann', '{"c": 2, "a": 2, "b": 2}') #> '{details,limits}') l),
  array[pg_temp.p('a')::text, pg_temp.p('b')::text, pg_temp.p('c')::text], 'all that are too many for an order are said'
);
update interlock.products set max_per_order = null;
select is(
  (select array_agg(l ->> 'product_id') from jsonb_array_elements(pg_temp.buy('ann', '{"c": 2, "a": 2, "b": 2}') #> '{details,limits}') l),
  array[pg_temp.p('a')::text, pg_temp.p('b')::text, pg_temp.p('c')::text], 'and for a customer'
);

select finish();
rollback;
