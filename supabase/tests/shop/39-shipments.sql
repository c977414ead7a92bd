-- Orders that are sent in several parcels, with parts that are refunded before and after.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(113);

update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null, confirmation_window = null;

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('39-shipments ' || p_name)::uuid $$;
insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-39-' || n || '@example.com'
from unnest(array['ann', 'bob', 'staff']) n;
-- Ids in the order of their names.
create function pg_temp.p(p_n int)
returns uuid
language sql
as $$ select ('7d390000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;
insert into interlock.products (id, name, price, currency, available_quantity, tax_class)
values
  (pg_temp.p(1), 'tap oil', 1299, 'EUR', 1000, 'standard'),
  (pg_temp.p(2), 'tap bread', 333, 'EUR', 1000, 'reduced'),
  (pg_temp.p(5), 'tap gift', 0, 'EUR', 1000, 'none');
insert into interlock.products (id, name, price, currency, kind) values (pg_temp.p(4), 'tap song', 100, 'EUR', 'digital');
insert into interlock.product_codes (product_id, code) select pg_temp.p(4), 'tap-39-' || n from generate_series(1, 20) n;
insert into interlock.wallets (user_id, balance, currency) values (pg_temp.id('ann'), 1000000, 'EUR');
insert into interlock.promo_codes (code, discount_type, discount_value, max_uses_per_user)
values ('tap-39', 'percentage', 10, 1000);

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
    when 'nobody' then '{"role": "authenticated"}'
    when 'staff' then jsonb_build_object(
      'role', 'authenticated', 'sub', pg_temp.id('staff'), 'app_metadata', jsonb_build_object('role', 'staff')
    )::text
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
-- Lines: pairs of product and quantity.
create function pg_temp.lines(variadic p_pairs int[])
returns jsonb
language sql
as $$
  select coalesce(jsonb_agg(jsonb_build_object('product_id', pg_temp.p(p_pairs[i]), 'quantity', p_pairs[i + 1])), '[]')
  from generate_series(1, cardinality(p_pairs), 2) i
$$;
create temporary table bought (name text primary key, id uuid);
grant select on bought to authenticated, service_role;
-- Ann buys; the order is called by a name from then on.
create function pg_temp.buy(p_name text, p_lines jsonb, p_rest text default '')
returns text
language plpgsql
as $$
declare
  v_answer constant jsonb := pg_temp.call('ann', format('public.checkout(%L%s)', p_lines, p_rest));
begin
  insert into bought values (p_name, (v_answer #>> '{order,id}')::uuid)
  on conflict (name) do update set id = excluded.id;
  return coalesce(v_answer #>> '{order,status}', v_answer::text);
end
$$;
create function pg_temp.o(p_name text)
returns uuid
language sql
as $$ select id from bought where name = p_name $$;
create function pg_temp.refund(p_name text, p_lines jsonb, p_rest text default '', p_who text default 'shop')
returns jsonb
language sql
as $$
  select pg_temp.call(p_who, format('public.refund_order_lines(%L, %L%s)', pg_temp.o(p_name), p_lines, p_rest))
$$;
create function pg_temp.ship(p_name text, p_lines jsonb, p_rest text default '', p_who text default 'shop')
returns jsonb
language sql
as $$
  select pg_temp.call(p_who, format('public.ship_order_lines(%L, %L%s)', pg_temp.o(p_name), p_lines, p_rest))
$$;
-- Of an answer: the status, where the goods are, the latest number.
create function pg_temp.said(p_answer jsonb)
returns text
language sql
as $$
  select coalesce(
    concat_ws(' ', p_answer #>> '{order,status}', p_answer #>> '{order,fulfillment}', p_answer #>> '{order,tracking}'), ''
  ) || case when p_answer ? 'message' then p_answer::text else '' end
$$;
-- The parcels of an order: number and units of its products.
create function pg_temp.parcels(p_name text)
returns text
language sql
as $$
  select string_agg(concat_ws(':', s.tracking, i.units), '; ' order by s.id)
  from interlock.order_shipments s
  cross join lateral (
    select string_agg(right(q.product_id::text, 1) || '×' || q.quantity, ',' order by q.product_id) as units
    from interlock.order_shipment_items q where q.shipment_id = s.id
  ) i
  where s.order_id = pg_temp.o(p_name)
$$;
create function pg_temp.history(p_name text)
returns text
language sql
as $$
  select string_agg(concat_ws(':', event, tracking), ' ' order by id) from interlock.order_events where order_id = pg_temp.o(p_name)
$$;
create function pg_temp.stock(p_n int)
returns int
language sql
as $$ select available_quantity from interlock.products where id = pg_temp.p(p_n) $$;
create temporary table before (oil int, bread int);

-- In parcels -----------------------------------------------------------------

select is(pg_temp.buy('parcels', pg_temp.lines(1, 5, 2, 2, 4, 1), $$, p_payment_method => 'wallet'$$), 'paid', 'paid');
select is(pg_temp.said(pg_temp.ship('parcels', pg_temp.lines(1, 2), $$, 'DHL 1'$$)), 'paid partly_shipped DHL 1', 'two of five leave');
select is(
  (select shipped_at from interlock.orders where id = pg_temp.o('parcels')), null, 'it is not shipped yet'
);
select is(
  pg_temp.ship('parcels', pg_temp.lines(1, 4, 2, 1, 4, 1)),
  jsonb_build_object('message', 'SHIPMENT_EXCEEDS_ORDER', 'detail', jsonb_build_object(
    'order_id', pg_temp.o('parcels'), 'lines', jsonb_build_array(
      jsonb_build_object('product_id', pg_temp.p(1), 'requested', 4, 'shippable', 3),
      jsonb_build_object('product_id', pg_temp.p(4), 'requested', 1, 'shippable', 0)
    )
  )),
  'no unit leaves twice, and no key by post'
);
select is(pg_temp.said(pg_temp.ship('parcels', pg_temp.lines(1, 2, 2, 1), $$, 'DHL 2'$$)), 'paid partly_shipped DHL 2', 'a second parcel');
select is(pg_temp.said(pg_temp.ship('parcels', pg_temp.lines(2, 1))), 'paid partly_shipped DHL 2', 'one without a number');
select is(pg_temp.said(pg_temp.ship('parcels', pg_temp.lines(1, 1), $$, 'DHL 4'$$)), 'paid shipped DHL 4', 'with the last of it all has left');
select ok((select shipped_at is not null from interlock.orders where id = pg_temp.o('parcels')), 'it is shipped');
select is(pg_temp.parcels('parcels'), 'DHL 1:1×2; DHL 2:1×2,2×1; 2×1; DHL 4:1×1', 'four parcels');
select is(
  (
    select array_agg(concat_ws(':', right(product_id::text, 1), first_unit) order by product_id, first_unit)
    from interlock.order_shipment_items where order_id = pg_temp.o('parcels')
  ),
  array['1:1', '1:3', '1:5', '2:1', '2:2'], 'units are counted through each line'
);
select is(
  pg_temp.history('parcels'), 'paid partly_shipped:DHL 1 partly_shipped:DHL 2 partly_shipped shipped:DHL 4', 'the history has each'
);
select is(
  pg_temp.call('ann', format('(select jsonb_agg(s.tracking order by s.id) from public.order_shipments s where s.order_id = %L)', pg_temp.o('parcels'))),
  '["DHL 1", "DHL 2", null, "DHL 4"]', 'its buyer sees them'
);
select is(
  pg_temp.call(v.who, format('(select to_jsonb(count(*)) from public.order_shipment_items where order_id = %L)', pg_temp.o('parcels'))),
  to_jsonb(v.found), format('%s sees what is in them', v.who)
)
from (values ('ann', 5), ('bob', 0), ('shop', 5)) as v (who, found);
select is(
  pg_temp.call('bob', '(select to_jsonb(count(*)) from public.order_shipments)'), '0', 'nobody else does'
);
select is(
  jsonb_path_query_array(
    pg_temp.call('shop', format('public.list_orders(p_number => %s)', (select number from interlock.orders where id = pg_temp.o('parcels')))),
    '$.orders[0].shipments[*].items[*].quantity'
  ),
  '[2, 2, 1, 1, 1]', 'the shop reads them with the order'
);
select is(pg_temp.ship('parcels', pg_temp.lines(1, 1)) ->> 'message', 'ORDER_STATE_CONFLICT', 'nothing is left to send');
select is(
  pg_temp.said(pg_temp.call('shop', format('public.ship_order(%L, ''DHL 5'')', pg_temp.o('parcels')))), 'paid shipped DHL 5', 'a number is corrected'
);
select is(pg_temp.parcels('parcels'), 'DHL 1:1×2; DHL 2:1×2,2×1; 2×1; DHL 5:1×1', 'that of the last parcel');
select is(pg_temp.said(pg_temp.call('shop', format('public.ship_order(%L)', pg_temp.o('parcels')))), 'paid shipped DHL 5', 'or not');
select is(pg_temp.parcels('parcels'), 'DHL 1:1×2; DHL 2:1×2,2×1; 2×1; DHL 5:1×1', 'which stay');
select is(
  pg_temp.said(pg_temp.call('shop', format('public.fulfill_order(%L)', pg_temp.o('parcels')))), 'fulfilled delivered DHL 5', 'it is delivered'
);

-- All at once.
select is(pg_temp.buy('one', pg_temp.lines(1, 2, 4, 1)), 'confirmed', 'in cash');
select is(pg_temp.said(pg_temp.call('shop', format('public.ship_order(%L, ''DHL 6'')', pg_temp.o('one')))), 'confirmed shipped DHL 6', 'in one parcel');
select is(pg_temp.parcels('one'), 'DHL 6:1×2', 'which is one');
select is(pg_temp.buy('keys', pg_temp.lines(4, 1), $$, p_payment_method => 'wallet'$$), 'paid', 'a key');
select is(pg_temp.said(pg_temp.call('shop', format('public.ship_order(%L)', pg_temp.o('keys')))), 'paid shipped', 'is in none');
select is(pg_temp.parcels('keys'), null, 'at all');
-- The rest at once.
select is(pg_temp.buy('rest', pg_temp.lines(1, 3, 2, 1)), 'confirmed', 'another');
select is(pg_temp.said(pg_temp.call('shop', format('public.process_order(%L)', pg_temp.o('rest')))), 'confirmed processing', 'is packed');
select is(pg_temp.said(pg_temp.ship('rest', pg_temp.lines(1, 1))), 'confirmed partly_shipped', 'leaves in part');
select is(pg_temp.call('shop', format('public.process_order(%L)', pg_temp.o('rest'))) ->> 'message', 'ORDER_STATE_CONFLICT', 'there is no way back');
select is(pg_temp.call('ann', format('public.cancel_order(%L)', pg_temp.o('rest'))) ->> 'message', 'ORDER_NOT_CANCELLABLE', 'its buyer cannot cancel it');
select is(
  pg_temp.call('shop', format('public.correct_order(%L, ''{"line1": "new"}'')', pg_temp.o('rest'))) #>> '{order,shipping_address,line1}', 'new',
  'its rest may go elsewhere'
);
select is(pg_temp.said(pg_temp.call('shop', format('public.ship_order(%L, ''DHL 7'')', pg_temp.o('rest')))), 'confirmed shipped DHL 7', 'the rest follows');
select is(pg_temp.parcels('rest'), '1×1; DHL 7:1×2,2×1', 'in one parcel');
select is(pg_temp.history('rest'), 'confirmed processing partly_shipped corrected shipped:DHL 7', 'as the history says');

-- With parts that are refunded -----------------------------------------------

-- Units of the first product, of those that have left or not.
create function pg_temp.oil(p_quantity int, p_more jsonb)
returns jsonb
language sql
as $$ select jsonb_build_array(jsonb_build_object('product_id', pg_temp.p(1), 'quantity', p_quantity) || p_more) $$;
create function pg_temp.units(p_answer jsonb)
returns text
language sql
as $$
  select coalesce(
    concat_ws(' ', p_answer #>> '{order,status}', p_answer #>> '{order,fulfillment}', (
      select string_agg(concat_ws('/', i ->> 'quantity', i ->> 'from_shelf', i ->> 'restocked'), ' ')
      from jsonb_path_query(p_answer #> '{order,refunds}', '$[last].items[*]') i
    )), ''
  ) || case when p_answer ? 'message' then p_answer::text else '' end
$$;
select is(pg_temp.buy('back', pg_temp.lines(1, 6, 2, 1), $$, p_payment_method => 'wallet'$$), 'paid', 'six and one');
select is(pg_temp.said(pg_temp.ship('back', pg_temp.lines(1, 3))), 'paid partly_shipped', 'three of them leave');
insert into before select pg_temp.stock(1), pg_temp.stock(2);
select is(pg_temp.units(pg_temp.refund('back', pg_temp.oil(1, '{"shipped": true}'))), 'paid partly_shipped 1/0/0', 'one of these comes back broken');
select is(
  pg_temp.units(pg_temp.refund('back', pg_temp.oil(1, '{"shipped": true, "restock": true}'))), 'paid partly_shipped 1/0/1', 'another as good as new'
);
select is(pg_temp.refund('back', pg_temp.oil(2, '{"shipped": true}')) #> '{detail,lines,0,refundable}', '1', 'one of those that have left is left');
select is(pg_temp.refund('back', pg_temp.oil(4, '{"shipped": false}')) #> '{detail,lines,0,refundable}', '3', 'and three of those that have not');
select is(pg_temp.units(pg_temp.refund('back', pg_temp.oil(1, '{"shipped": false}'))), 'paid partly_shipped 1/1/1', 'one that has not left is not sent');
select is(pg_temp.stock(1) - oil, 2, 'two are in stock again') from before;
select is(pg_temp.ship('back', pg_temp.lines(1, 3)) #> '{detail,lines,0,shippable}', '2', 'two are left to be sent');
select is(
  pg_temp.units(pg_temp.refund('back', pg_temp.lines(1, 2, 2, 1))), 'paid shipped 2/2/2 1/1/1',
  'units that have not left come first, and without them all has left'
);
select is(row(pg_temp.stock(1) - oil, pg_temp.stock(2) - bread), row(4, 1), 'they are on the shelf') from before;
select is(
  pg_temp.history('back'), 'paid partly_shipped lines_refunded lines_refunded lines_refunded lines_refunded shipped', 'the history says so'
);
select is(pg_temp.units(pg_temp.refund('back', pg_temp.lines(1, 1))), 'refunded shipped 1/0/0', 'the last one too');
select is((select count(*) from interlock.stock_differences where product_id = pg_temp.p(1)), 0::bigint, 'nothing is lost');
select is(pg_temp.buy('both', pg_temp.lines(1, 3)), 'confirmed', 'three');
select is(pg_temp.said(pg_temp.ship('both', pg_temp.lines(1, 1))), 'confirmed partly_shipped', 'one leaves');
select is(pg_temp.units(pg_temp.refund('both', pg_temp.lines(1, 3))), 'cancelled partly_shipped 3/2/2', 'all are cancelled');
select is(pg_temp.buy('none', pg_temp.lines(1, 2, 4, 1)), 'confirmed', 'with a key');
select is(pg_temp.units(pg_temp.refund('none', pg_temp.lines(1, 2))), 'confirmed unfulfilled 2/2/2', 'that alone is left');
select is(pg_temp.said(pg_temp.call('shop', format('public.fulfill_order(%L)', pg_temp.o('none')))), 'fulfilled delivered', 'is handed over');

-- Ended in between: what has left does not come back by itself.
select is(pg_temp.buy('paid', pg_temp.lines(1, 3), $$, p_payment_method => 'wallet'$$), 'paid', 'three');
select is(pg_temp.said(pg_temp.ship('paid', pg_temp.lines(1, 1))), 'paid partly_shipped', 'one leaves');
truncate before;
insert into before select pg_temp.stock(1), pg_temp.stock(2);
select is(pg_temp.call('shop', format('public.cancel_order(%L)', pg_temp.o('paid'))) ->> 'message', 'ORDER_NOT_CANCELLABLE', 'it is not cancelled');
select is(pg_temp.said(pg_temp.call('shop', format('public.refund_order(%L)', pg_temp.o('paid')))), 'refunded partly_shipped', 'but refunded');
select is(pg_temp.stock(1) - oil, 2, 'with what has not left') from before;
select is(pg_temp.buy('unpaid', pg_temp.lines(1, 3)), 'confirmed', 'three in cash');
select is(pg_temp.said(pg_temp.ship('unpaid', pg_temp.lines(1, 1))), 'confirmed partly_shipped', 'one leaves');
truncate before;
insert into before select pg_temp.stock(1), pg_temp.stock(2);
select is(pg_temp.units(pg_temp.refund('unpaid', pg_temp.lines(1, 1))), 'confirmed partly_shipped 1/1/1', 'another is cancelled');
select is(pg_temp.said(pg_temp.call('shop', format('public.cancel_order(%L)', pg_temp.o('unpaid')))), 'cancelled partly_shipped', 'then the rest, unpaid');
select is(pg_temp.stock(1) - oil, 2, 'with what has not left') from before;
select is(pg_temp.ship('unpaid', pg_temp.lines(1, 1)) ->> 'message', 'ORDER_STATE_CONFLICT', 'nothing more leaves');
select is(pg_temp.buy('waits', pg_temp.lines(1, 1), $$, p_payment_method => 'bank_transfer'$$), 'pending_payment', 'who has not paid');
select is(pg_temp.ship('waits', pg_temp.lines(1, 1)) ->> 'message', 'ORDER_STATE_CONFLICT', 'gets nothing');
select is((select count(*) from interlock.stock_differences where product_id = pg_temp.p(1)), 0::bigint, 'nothing is lost');

-- Stock that is not counted gives nothing back, and a limit of a customer counts what they keep.
insert into interlock.products (id, name, price, currency, available_quantity, stock_policy) values (pg_temp.p(6), 'tap air', 100, 'EUR', 0, 'untracked');
select is(pg_temp.buy('air', pg_temp.lines(6, 3)), 'confirmed', 'air');
select is(pg_temp.units(pg_temp.refund('air', pg_temp.lines(6, 1), ', p_restock => true')), 'confirmed unfulfilled 1/1/0', 'is not put back');
select is(pg_temp.stock(6), 0, 'at all');
update interlock.products set max_per_customer = 2 where id = pg_temp.p(6);
select is(pg_temp.buy('more air', pg_temp.lines(6, 1))::jsonb #> '{detail,limits,0,held}', '2', 'two are kept');
update interlock.products set max_per_customer = 3 where id = pg_temp.p(6);
select is(pg_temp.buy('more air', pg_temp.lines(6, 1)), 'confirmed', 'one more may be had');

-- What is owed after all is what is left of the order.
insert into interlock.products (id, name, price, currency, available_quantity, stock_policy, backorder_limit)
values (pg_temp.p(7), 'tap wood', 100, 'EUR', 0, 'backorder', 10);
select is(pg_temp.buy('wood', pg_temp.lines(7, 3), $$, p_payment_method => 'bank_transfer'$$), 'pending_payment', 'wood that is not there');
select is(pg_temp.units(pg_temp.refund('wood', pg_temp.lines(7, 1))), 'pending_payment unfulfilled 1/1/1', 'less of it');
select is((select backordered::int from interlock.products where id = pg_temp.p(7)), 2, 'less is owed');
update interlock.orders set payment_expires_at = now() - interval '1 minute' where id = pg_temp.o('wood');
select interlock.expire_orders(100);
select is((select backordered::int from interlock.products where id = pg_temp.p(7)), 0, 'then nothing');
select is(pg_temp.buy('other wood', pg_temp.lines(7, 4)), 'confirmed', 'somebody else is owed some');
select is(pg_temp.said(pg_temp.call('shop', format('public.reopen_order(%L)', pg_temp.o('wood')))), 'pending_payment unfulfilled', 'opened again');
select is((select backordered::int from interlock.order_items where order_id = pg_temp.o('wood')), 2, 'two are owed to it');

-- Who, and how often ---------------------------------------------------------

select pg_temp.buy('who', pg_temp.lines(1, 5));
select is(pg_temp.ship('who', pg_temp.lines(1, 1), '', 'ann') ->> 'message', 'FORBIDDEN', 'not the buyer');
select is(pg_temp.ship('who', pg_temp.lines(1, 1), '', 'nobody') ->> 'message', 'UNAUTHENTICATED', 'not nobody');
select is(pg_temp.said(pg_temp.ship('who', pg_temp.lines(1, 1), $$, 'DHL 8', 'note 1'$$, 'staff')), 'confirmed partly_shipped DHL 8', 'staff');
select is((select actor from interlock.order_shipments where order_id = pg_temp.o('who')), pg_temp.id('staff'), 'who did it is kept');
select is(pg_temp.said(pg_temp.ship('who', pg_temp.lines(1, 1), $$, 'DHL 8', 'note 1'$$)), 'confirmed partly_shipped DHL 8', 'the same again');
select is(pg_temp.parcels('who'), 'DHL 8:1×1', 'counts once');
select is(pg_temp.ship('who', pg_temp.lines(1, 2), $$, 'DHL 8', 'note 1'$$) ->> 'message', 'IDEMPOTENCY_KEY_REUSED', 'another under it does not');
select pg_temp.call('shop', format('public.erase_user(%L)', pg_temp.id('staff')));
select is((select actor from interlock.order_shipments where order_id = pg_temp.o('who')), null, 'who did it is taken out');
select is(
  pg_temp.call('shop', format('public.ship_order_lines(%s)', v.arguments)),
  jsonb_build_object('message', 'VALIDATION_FAILED', 'detail', jsonb_build_object('problems', v.problems)), v.arguments
)
from (values
  ($$null, '[]', ''$$, '[{"pointer": "/p_order_id", "message": "is required"}, {"pointer": "/p_lines", "message": "must have 1 to 100 lines"}, {"pointer": "/p_tracking", "message": "must have 1 to 200 characters"}]'::jsonb),
  ($$gen_random_uuid(), '[{"product_id": "7d390000-0000-4000-8000-000000000001", "quantity": 1, "restock": true}]'$$, '[{"pointer": "/p_lines/0/restock", "message": "is not a known field"}]'),
  ($$gen_random_uuid(), null, p_reference => 'x'$$, '[{"pointer": "/p_lines", "message": "must be an array of 1 to 100 lines"}]')
) as v (arguments, problems);
select is(
  pg_temp.call('shop', $$public.ship_order_lines('7d390000-0000-4000-8000-00000000000a', '[{"product_id": "7d390000-0000-4000-8000-000000000001", "quantity": 1}]')$$),
  '{"message": "ORDER_NOT_FOUND", "detail": {"order_id": "7d390000-0000-4000-8000-00000000000a"}}', 'an order that is not there'
);
select is(pg_temp.ship('who', pg_temp.lines(2, 1)) #> '{detail,lines,0,shippable}', '0', 'what was not bought is not sent');

-- What the tables refuse -----------------------------------------------------

create function pg_temp.refusal(p_sql text)
returns text
language plpgsql
as $$
declare
  v_constraint text;
begin
  execute p_sql;
  return 'done';
exception
  when others then
    get stacked diagnostics v_constraint = constraint_name;
    return coalesce(nullif(v_constraint, ''), sqlstate);
end
$$;
select is(pg_temp.refusal(v.sql), v.refused_by, v.sql)
from (values
  ($$delete from interlock.order_shipments$$, '23001'), ($$truncate interlock.order_shipments cascade$$, '23001'),
  ($$update interlock.order_shipment_items set quantity = 1$$, '23001'), ($$delete from interlock.order_shipment_items$$, '23001'),
  ($$truncate interlock.order_shipment_items$$, '23001'),
  ($$insert into interlock.order_shipment_items select order_id, product_id, 1, shipment_id, 1 from interlock.order_shipment_items where order_id = pg_temp.o('who')$$, 'order_shipment_items_pkey'),
  ($$insert into interlock.order_shipment_items select order_id, pg_temp.p(2), 1, shipment_id, 1 from interlock.order_shipment_items where order_id = pg_temp.o('who')$$, 'order_shipment_items_line_fkey'),
  ($$insert into interlock.order_shipments (order_id) values (pg_temp.o('who'))$$, 'done'),
  ($$insert into interlock.order_shipments (order_id) values (gen_random_uuid())$$, 'order_shipments_order_id_fkey'),
  ($$insert into interlock.order_shipment_items values (pg_temp.o('who'), pg_temp.p(1), 9, gen_random_uuid(), 1)$$, 'order_shipment_items_shipment_id_fkey'),
  ($$update interlock.orders set fulfillment = 'processing' where id = pg_temp.o('who')$$, 'orders_fulfillment_allowed'),
  ($$update interlock.orders set status = 'paid' where id = pg_temp.o('who')$$, 'done'),
  ($$update interlock.orders set status = 'cancelled' where id = pg_temp.o('who')$$, 'orders_transition_allowed'),
  ($$update interlock.orders set shipped_at = now() where id = pg_temp.o('who')$$, 'orders_times_match_status'),
  ($$update interlock.orders set fulfillment = 'partly_shipped' where id = pg_temp.o('parcels')$$, 'orders_fulfillment_allowed'),
  ($$update interlock.orders set fulfillment = 'partly_shipped' where id = pg_temp.o('waits')$$, 'orders_fulfillment_allowed')
) as v (sql, refused_by);

select * from finish();
rollback;
