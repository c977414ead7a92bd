-- What is said about an order: address, contact and metadata; who reads and corrects them, and that they go with the
-- account.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(98);

-- Limits of customers have a file of their own: 31-open-orders.sql.
update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null, confirmation_window = null;

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('35-order-details ' || p_name)::uuid $$;
insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-' || n || '@example.com'
from unnest(array['ann', 'bob', 'staff']) n;
insert into interlock.products (id, name, price, currency, available_quantity)
values (pg_temp.id('tea'), 'tap tea', 1000, 'EUR', 1000);
insert into interlock.products (id, name, price, currency, kind)
values (pg_temp.id('song'), 'tap song', 100, 'EUR', 'digital');
insert into interlock.product_codes (product_id, code) select pg_temp.id('song'), 'tap-song-' || n from generate_series(1, 10) n;
insert into interlock.promo_codes (code, discount_type, discount_value, max_uses_per_user) values ('tap-ten', 'percentage', 10, 10);

-- What a call answers; an error as an object.
create function pg_temp.call(p_who text, p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform set_config('request.jwt.claims', case p_who
    when 'shop' then '{"role": "service_role"}'
    when 'staff' then jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id(p_who), 'app_metadata', '{"role": "staff"}'::jsonb)::text
    else jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id(p_who))::text
  end, true);
  execute format('set local role %I', case p_who when 'shop' then 'service_role' else 'authenticated' end);
  execute format('select (%s)::jsonb', p_sql) into v_answer;
  reset role;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object(
      'message', sqlerrm,
      'detail', case when sqlstate like 'PT%' then nullif(nullif(v_detail, '')::jsonb - 'message' - 'retryable', '{}') end
    );
end
$$;
create function pg_temp.buy(p_who text, p_rest text, p_product text default 'tea')
returns jsonb
language sql
as $$
  select pg_temp.call(p_who, format(
    'public.checkout(%L%s)',
    jsonb_build_array(jsonb_build_object('product_id', pg_temp.id(p_product), 'quantity', 1)), p_rest
  ))
$$;
create function pg_temp.pointers(p_answer jsonb)
returns jsonb
language sql
as $$ select jsonb_path_query_array(p_answer, '$.detail.problems[*].pointer') $$;

-- With the order ------------------------------------------------------------

create temporary table o (name text primary key, answer jsonb);
grant all on o to public;
create function pg_temp.order(p_name text)
returns uuid
language sql
as $$ select (answer #>> '{order,id}')::uuid from o where name = p_name $$;

insert into o values
  ('plain', pg_temp.buy('ann', '')),
  ('all', pg_temp.buy('ann', $$, p_idempotency_key => 'k', p_shipping_address => '{"name": "Ann", "line2": null, "country": "DE"}',
    p_contact => '{"email": "ann@example.com"}', p_metadata => '{"campaign": "spring"}'$$)),
  ('promo', pg_temp.buy('ann', $$, 'tap-ten', p_contact => '{"phone": "1"}'$$)),
  ('song', pg_temp.buy('ann', $$, p_metadata => '{"a": "b"}'$$, 'song')),
  ('bobs', pg_temp.buy('bob', $$, p_shipping_address => '{"name": "Bob"}'$$));

select is(
  (select (answer -> 'order') - array['shipping_address', 'contact', 'metadata'] = answer -> 'order' from o where name = 'plain'),
  true, 'an order of which nothing is said shows nothing'
);
select is(
  (select jsonb_build_array(answer #> '{order,shipping_address}', answer #> '{order,contact}', answer #> '{order,metadata}') from o where name = 'all'),
  '[{"name": "Ann", "line2": null, "country": "DE"}, {"email": "ann@example.com"}, {"campaign": "spring"}]',
  'what is said is in the answer as it was said'
);
select is((select answer #> '{order,contact}' from o where name = 'promo'), '{"phone": "1"}', 'with a promo code, too');
select is((select answer #> '{order,metadata}' from o where name = 'song'), '{"a": "b"}', 'and with digital products');
select is((select (answer -> 'order') ? 'contact' from o where name = 'song'), false, 'what is not said is not there');
select is(
  (select count(*) from interlock.order_details d join interlock.orders r on r.id = d.order_id where r.user_id = pg_temp.id('ann')),
  3::bigint, 'one row where something was said'
);
select is(
  pg_temp.buy('ann', $$, p_idempotency_key => 'k', p_metadata => '{"campaign": "spring"}', p_contact => '{"email": "ann@example.com"}',
    p_shipping_address => '{"country": "DE", "name": "Ann", "line2": null}'$$) #> '{order,id}',
  (select answer #> '{order,id}' from o where name = 'all'), 'the same said in another order is the same submission'
);
select is(
  pg_temp.buy('ann', ', p_idempotency_key => ''k''' || t.rest) ->> 'message', 'IDEMPOTENCY_KEY_REUSED', 'not without, or with another: ' || t.rest
)
from (values
  (''),
  ($$, p_contact => '{"email": "ann@example.com"}', p_metadata => '{"campaign": "spring"}'$$),
  ($$, p_shipping_address => '{"name": "Ann", "line2": null, "country": "FR"}', p_contact => '{"email": "ann@example.com"}', p_metadata => '{"campaign": "spring"}'$$),
  ($$, p_shipping_address => '{"name": "Ann", "line2": null, "country": "DE"}', p_contact => '{"email": "eve@example.com"}', p_metadata => '{"campaign": "spring"}'$$),
  ($$, p_shipping_address => '{"name": "Ann", "line2": null, "country": "DE"}', p_contact => '{"email": "ann@example.com"}', p_metadata => '{"campaign": "autumn"}'$$)
) as t (rest);

-- What they may be ----------------------------------------------------------

select is(
  pg_temp.pointers(pg_temp.buy('ann', format(', p_%s => %L', t.field, t.value))), jsonb_build_array('/' || t.field),
  format('%s is refused: %s', t.field, left(t.value, 40))
)
from (
  select f.field, v.value
  from unnest(array['shipping_address', 'contact', 'metadata']) f (field)
  cross join (values
    ('[]'), ('"x"'), ('1'), ('true'), ('null'), (jsonb_build_object('k', repeat('x', 4088))::text),
    (jsonb_build_object('k', repeat('ü', 2045))::text)
  ) as v (value)
  where (f.field, left(v.value, 1)) <> ('metadata', '{')
  union all
  select 'metadata', v.value
  from (values
    ('{"a": 1}'), ('{"a": null}'), ('{"a": {}}'), ('{"a": []}'), ('{"": "x"}'),
    (jsonb_build_object(repeat('k', 41), 'x')::text), (jsonb_build_object('k', repeat('x', 501))::text),
    ((select jsonb_object_agg('k' || n, '') from generate_series(1, 51) n)::text),
    ((select jsonb_object_agg('k' || n, repeat('x', 400)) from generate_series(1, 11) n)::text)
  ) as v (value)
) t;
select is(pg_temp.buy('ann', format(', p_%s => %L', t.field, t.value)) -> 'success', 'true', format('%s is fine: %s', t.field, left(t.value, 40)))
from (values
  ('contact', '{}'), ('shipping_address', '{}'), ('metadata', '{}'),
  ('contact', jsonb_build_object('k', repeat('x', 4087))::text),
  ('shipping_address', '{"lines": ["a", "b"], "floor": 3, "at": {"x": 1.5}}'),
  ('metadata', jsonb_build_object(repeat('ü', 40), repeat('ü', 500))::text),
  ('metadata', (select jsonb_object_agg('k' || n, '') from generate_series(1, 50) n)::text)
) as t (field, value);
select is(
  pg_temp.pointers(pg_temp.call('ann', $$public.checkout('[]', p_shipping_address => '1', p_contact => '2', p_metadata => '3')$$)),
  '["/cart_items", "/shipping_address", "/contact", "/metadata"]', 'all problems are told together'
);

-- Who reads them -------------------------------------------------------------

create function pg_temp.seen(p_who text)
returns jsonb
language sql
as $$
  select pg_temp.call(p_who, $sql$(select coalesce(jsonb_agg(d.shipping_address ->> 'name' order by d.shipping_address ->> 'name'), '[]')
    from public.order_details d where d.shipping_address ? 'name')$sql$)
$$;
select is(pg_temp.seen('ann'), '["Ann"]', 'a buyer reads their own');
select is(pg_temp.seen('bob'), '["Bob"]', 'the other theirs');
select is(pg_temp.seen('staff'), '[]', 'staff have none of their own');
select ok(pg_temp.seen('shop') @> '["Ann", "Bob"]', 'the shop reads all');
select is(
  pg_temp.call('staff', format('public.list_orders(p_user_id => %L)', pg_temp.id('bob'))) #> '{orders,0,shipping_address}',
  '{"name": "Bob"}', 'staff list them with the order'
);
select is(pg_temp.call('ann', '(select to_jsonb(count(*)) from public.order_detail_changes)') ->> 'message', 'permission denied for view order_detail_changes', 'a buyer does not read what they were');
select is(
  pg_temp.call(t.who, 'to_jsonb((with w as (update public.order_details set contact = ''{}'' returning 1) select count(*) from w))') ->> 'message' is not null,
  true, t.who || ' writes none'
)
from (values ('ann'), ('staff'), ('shop')) as t (who);

-- Corrections ----------------------------------------------------------------

create function pg_temp.correct(p_who text, p_order text, p_rest text)
returns jsonb
language sql
as $$ select pg_temp.call(p_who, format('public.correct_order(%L%s)', pg_temp.order(p_order), p_rest)) $$;

select is(pg_temp.correct('ann', 'all', $$, '{"name": "Eve"}'$$) ->> 'message', 'FORBIDDEN', 'a buyer corrects nothing by themselves');
select is(
  pg_temp.correct('staff', 'all', $$, '{"name": "Ann Smith"}'$$) #> '{order,shipping_address}', '{"name": "Ann Smith"}', 'staff correct an address'
);
select is(
  (select jsonb_build_array(d.shipping_address, d.contact, d.metadata) from interlock.order_details d where d.order_id = pg_temp.order('all')),
  '[{"name": "Ann Smith"}, {"email": "ann@example.com"}, {"campaign": "spring"}]', 'as a whole, and nothing else'
);
select results_eq(
  $$select shipping_address::jsonb, contact::jsonb, metadata::jsonb, actor from interlock.order_detail_changes where order_id = pg_temp.order('all')$$,
  $$values (
    '{"name": "Ann", "line2": null, "country": "DE"}'::jsonb, '{"email": "ann@example.com"}'::jsonb, '{"campaign": "spring"}'::jsonb,
    pg_temp.id('staff')
  )$$,
  'what it was and who did it is kept'
);
select is(
  pg_temp.call('ann', format('(select jsonb_agg(e.event order by e.id) from public.order_events e where e.order_id = %L)', pg_temp.order('all'))),
  '["confirmed", "corrected"]', 'the buyer sees that it was'
);
select is(pg_temp.correct('staff', 'all', $$, '{"name": "Ann Smith"}'$$) -> 'success', 'true', 'again');
select is((select count(*) from interlock.order_detail_changes where order_id = pg_temp.order('all')), 1::bigint, 'is once');
select is(
  pg_temp.correct('shop', 'plain', $$, p_contact => '{"email": "a@example.com"}'$$) #> '{order,contact}', '{"email": "a@example.com"}',
  'what was not said can be added'
);
select results_eq(
  $$select num_nonnulls(shipping_address, contact, metadata, actor) from interlock.order_detail_changes where order_id = pg_temp.order('plain')$$,
  'values (0)', 'from nothing, by the shop'
);
select is(
  pg_temp.call('staff', format('public.list_orders(p_number => %s)', (select answer #>> '{order,number}' from o where name = 'all')))
    #> '{orders,0,corrections,0,shipping_address,name}',
  '"Ann"', 'staff see what it was'
);
select is(
  (select array_agg(k order by k) from jsonb_object_keys(
    pg_temp.call('staff', format('public.list_orders(p_number => %s)', (select answer #>> '{order,number}' from o where name = 'all')))
      #> '{orders,0,corrections,0}'
  ) k),
  array['actor', 'contact', 'created_at', 'id', 'metadata', 'shipping_address'], 'with these members'
);
select is(pg_temp.pointers(pg_temp.correct('staff', 'all', t.rest)), t.pointers::jsonb, 'refused: ' || t.rest)
from (values
  ('', '["/p_shipping_address"]'),
  ($$, '1', '2', '{"a": 3}'$$, '["/p_shipping_address", "/p_contact", "/p_metadata"]')
) as t (rest, pointers);
select is(
  pg_temp.call('staff', format('public.correct_order(%L, ''{}'')', pg_temp.id('none'))),
  jsonb_build_object('message', 'ORDER_NOT_FOUND', 'detail', jsonb_build_object('order_id', pg_temp.id('none'))), 'no such order'
);
select is(
  pg_temp.call('staff', 'public.correct_order(null, ''{}'')') ->> 'message', 'ORDER_NOT_FOUND', 'nor none'
);

select is(pg_temp.call('staff', format('public.process_order(%L)', pg_temp.order('all'))) #>> '{order,fulfillment}', 'processing', 'it is packed');
select is(pg_temp.correct('staff', 'all', $$, '{"name": "Packed"}'$$) -> 'success', 'true', 'the address may still be wrong');
select is(pg_temp.call('staff', format('public.ship_order(%L)', pg_temp.order('all'))) #>> '{order,fulfillment}', 'shipped', 'it is on its way');
select is(
  pg_temp.correct('staff', 'all', $$, '{"name": "Late"}'$$),
  jsonb_build_object('message', 'ORDER_STATE_CONFLICT', 'detail', jsonb_build_object(
    'order_id', pg_temp.order('all'), 'status', 'confirmed', 'fulfillment', 'shipped'
  )),
  'and the address is what is on the parcel'
);
select is(pg_temp.correct('staff', 'all', $$, '{"name": "Packed"}'$$) -> 'success', 'true', 'to say what is so changes nothing');
select is(pg_temp.correct('staff', 'all', $$, p_contact => '{"phone": "2"}'$$) #> '{order,contact}', '{"phone": "2"}', 'the contact may change');
select is(pg_temp.call('staff', format('public.fulfill_order(%L)', pg_temp.order('all'))) #>> '{order,status}', 'fulfilled', 'it has arrived');
select is(pg_temp.correct('staff', 'all', $$, p_contact => '{"phone": "3"}'$$) ->> 'message', 'ORDER_STATE_CONFLICT', 'now not the contact');
select is(pg_temp.correct('staff', 'all', $$, p_metadata => '{"rated": "5"}'$$) #> '{order,metadata}', '{"rated": "5"}', 'but the metadata');
select is(pg_temp.call('ann', format('public.cancel_order(%L)', pg_temp.order('plain'))) #>> '{order,status}', 'cancelled', 'one is cancelled');
select is(pg_temp.correct('staff', 'plain', $$, '{"name": "x"}'$$) ->> 'message', 'ORDER_STATE_CONFLICT', 'and goes nowhere');
select throws_ok('update interlock.order_detail_changes set contact = null', '23001', null, 'what was is not changed');
select throws_ok('delete from interlock.order_detail_changes', '23001', null, 'nor removed');
select throws_ok('truncate interlock.order_detail_changes', '23001', null, 'nor all of it');
select throws_ok(
  $$insert into interlock.order_detail_changes (order_id, created_at) values (pg_temp.order('all'), null)$$, '23502', null, 'each has its time'
);
select throws_ok(
  $$insert into interlock.order_detail_changes (order_id, id) overriding system value
    select order_id, id from interlock.order_detail_changes where order_id = pg_temp.order('all')$$, '23505', null, 'and its place'
);
select throws_ok($$insert into interlock.order_details (order_id) values (pg_temp.order('all'))$$, '23505', null, 'one row for an order');
select throws_ok($$insert into interlock.order_details (order_id) values (pg_temp.id('none'))$$, '23503', null, 'of an order');

-- They go with the account ---------------------------------------------------

update interlock.orders set status = 'cancelled'
where user_id in (pg_temp.id('ann'), pg_temp.id('bob')) and interlock.is_owed_order(status);
select is(pg_temp.call('shop', format('public.erase_user(%L)', pg_temp.id('ann'))) -> 'success', 'true', 'ann is erased');
select results_eq(
  $$select shipping_address::jsonb, contact::jsonb, metadata::jsonb from interlock.order_details where order_id = pg_temp.order('all')$$,
  $$values (null::jsonb, null::jsonb, '{"rated": "5"}'::jsonb)$$, 'with address and contact; the metadata are the shop''s'
);
select is_empty(
  $$select 1 from interlock.order_detail_changes where order_id in (pg_temp.order('all'), pg_temp.order('plain'))$$, 'and all that they were'
);
select is(
  (select shipping_address from interlock.order_details where order_id = pg_temp.order('bobs')), '{"name": "Bob"}', 'bob''s are still there'
);
delete from auth.users where id = pg_temp.id('bob');
select is(
  (select shipping_address from interlock.order_details where order_id = pg_temp.order('bobs')), null, 'a plain deletion does it, too'
);
select is(
  pg_temp.correct('shop', 'bobs', $$, p_contact => '{"email": "bob@example.com"}'$$) ->> 'message', 'ORDER_STATE_CONFLICT', 'and nobody says it again'
);
select is(pg_temp.correct('shop', 'bobs', $$, p_metadata => '{"lost": "yes"}'$$) #> '{order,metadata}', '{"lost": "yes"}', 'the shop''s own is');
select throws_ok('delete from interlock.order_detail_changes', '23001', null, 'history is append-only after that as before');

select * from finish();
rollback;
