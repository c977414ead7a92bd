-- Audits of the stock: nothing where all is well, exactly what was broken where something was, what becomes of a finding.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('44-audit ' || p_name)::uuid $$;

create function pg_temp.is_user(p_name text, p_role text default null)
returns void
language plpgsql
as $$
begin
  perform set_config('role', 'authenticated', true), set_config('request.jwt.claims', jsonb_build_object(
    'sub', pg_temp.id(p_name), 'role', 'authenticated', 'app_metadata', jsonb_build_object('role', p_role)
  )::text, true);
end
$$;
create function pg_temp.is_shop()
returns void
language plpgsql
as $$
begin
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
end
$$;

-- An audit, and every finding that is open after it, by names.
create table pg_temp.names (id uuid primary key, name text);
create function pg_temp.found(p_full boolean default false)
returns text
language plpgsql
as $$
begin
  perform interlock.audit_inventory(p_full);
  return (
    select coalesce(string_agg(
      concat_ws(' ', f.kind, p.name, l.name, s.name, f.expected, f.found, nullif(f.status, 'open')),
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
      -- Whoever changes stock next is not told why this was done.
      v_said := nullif(concat_ws(
        ' ', v_said, nullif(current_setting('interlock.reason', true), ''), nullif(current_setting('interlock.counting_codes', true), '')
      ), '');
    exception
      when sqlstate 'PT409' or sqlstate 'PT404' then
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
  -- What refers to accounts waits, where there are many shops, and a table that waits is not altered.
  set constraints all immediate;
  set constraints all deferred;
  execute format('alter table interlock.%I disable trigger user', p_table);
  execute p_sql;
  set constraints all immediate;
  set constraints all deferred;
  execute format('alter table interlock.%I enable trigger user', p_table);
end
$$;

-- What others have left is not ours.
select interlock.audit_inventory(true);
update interlock.inventory_findings
set status = 'accepted', decided_at = now(), reason = 'before', decided_by = 'before'
where status = 'open';

insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-audit-' || n || '@example.com'
from unnest(array['ann', 'bob', 'staff']) n;
insert into interlock.products (id, name, price, currency, available_quantity, kind, stock_policy, backorder_limit)
select pg_temp.id(p.name), p.name, 100, 'EUR', p.stock, p.kind, p.policy, 5
from (values
  ('lamp', 100, 'physical', 'tracked'), ('mug', 100, 'physical', 'tracked'), ('hot', 640, 'physical', 'tracked'),
  ('song', 0, 'digital', 'tracked'), ('owed', 1, 'physical', 'backorder'), ('free', 0, 'physical', 'untracked')
) as p (name, stock, kind, policy);
insert into interlock.product_codes (product_id, code) select pg_temp.id('song'), 'tap-' || n from generate_series(1, 9) n;
select interlock.set_stock_slots(pg_temp.id('hot'), 4);
insert into pg_temp.names select p.id, p.name from interlock.products p where p.id = any (array(
  select pg_temp.id(n) from unnest(array['lamp', 'mug', 'hot', 'song', 'owed', 'free']) n
));
insert into pg_temp.names select pg_temp.id(n), n from unnest(array['ann', 'bob', 'gone']) n;

-- An order by name.
create function pg_temp.orders(p_name text, p_lines jsonb, p_method text default 'cash_on_delivery')
returns uuid
language plpgsql
as $$
declare
  v_id uuid;
begin
  perform pg_temp.is_user('ann');
  v_id := public.checkout(
    (
      select jsonb_agg(jsonb_build_object('product_id', pg_temp.id(l.key), 'quantity', l.value))
      from jsonb_each(p_lines) l
    ),
    p_payment_method => p_method
  ) -> 'order' ->> 'id';
  perform pg_temp.is_shop();
  insert into pg_temp.names values (v_id, p_name);
  return v_id;
end
$$;
create function pg_temp.order_id(p_name text)
returns uuid
language sql
as $$ select n.id from pg_temp.names n where n.name = p_name $$;

update interlock.settings set max_open_orders_per_customer = 20, max_open_units_per_customer = 500;

-- All is well --------------------------------------------------------------------

select is(pg_temp.found(), 'nothing', 'at first there is nothing');
select lives_ok($$
  select pg_temp.orders('open', '{"lamp": 2, "mug": 1, "song": 1, "owed": 3, "free": 4}');
  select pg_temp.orders('slot', '{"hot": 3}');
  select pg_temp.orders('cancelled', '{"lamp": 2, "song": 2}');
  select cancel_order(pg_temp.order_id('cancelled'), null);
  select pg_temp.orders('paid', '{"lamp": 3, "song": 2}', 'bank_transfer');
  select accept_payment(pg_temp.order_id('paid'));
  select pg_temp.orders('parts', '{"lamp": 4, "hot": 2, "song": 2}');
  select refund_order_lines(pg_temp.order_id('parts'), jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.id('lamp'), 'quantity', 1),
    jsonb_build_object('product_id', pg_temp.id('song'), 'quantity', 1)
  ), 'tap');
  select pg_temp.orders('sent', '{"lamp": 2, "mug": 2}');
  select ship_order_lines(pg_temp.order_id('sent'), jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.id('lamp'), 'quantity', 1)
  ));
  select cancel_order(pg_temp.order_id('sent'), null);
  select pg_temp.orders('handed over', '{"lamp": 2}');
  select accept_payment(pg_temp.order_id('handed over'));
  select fulfill_order(pg_temp.order_id('handed over'));
  select refund_order(pg_temp.order_id('handed over'));
  select decrement_product_quantity(pg_temp.id('lamp'), 1);
  select adjust_stock(pg_temp.id('mug'), 5, 'tap');
$$, 'whatever a shop does');
select pg_temp.is_user('bob');
select lives_ok(format(
  'select reserve_cart(%L::jsonb)', jsonb_build_array(jsonb_build_object('product_id', pg_temp.id('mug'), 'quantity', 3))
), 'and what is reserved');
select pg_temp.is_shop();
insert into pg_temp.names select r.id, 'reservation' from interlock.cart_reservations r where r.user_id = pg_temp.id('bob');
select is(pg_temp.found(), 'nothing', 'is no finding');
select is(pg_temp.found(true), 'nothing', 'nor when everything is looked at');

-- Ledger -------------------------------------------------------------------------

select pg_temp.break('products', $$update interlock.products set available_quantity = available_quantity - 5 where id = pg_temp.id('mug')$$);
select is(pg_temp.found(), 'ledger mug 101 96', 'stock that was changed past the ledger');
select is(
  (select concat_ws(' | ', f.size, f.since = now(), f.cause, f.status) from interlock.inventory_findings f where f.status = 'open'), 
  '-5 | t | The stock was changed past the ledger: with the triggers off, or by a restore. | open',
  'by how much, since when, why'
);
create function pg_temp.told()
returns text
language sql
as $$
  select coalesce(string_agg(
    concat_ws(' ', e.payload ->> 'kind', p.name, e.payload ->> 'expected', e.payload ->> 'found', e.payload ->> 'size', f.status),
    ', ' order by e.id
  ), 'nothing')
  from interlock.events e
  left join interlock.inventory_findings f on f.id::text = e.subject and f.id::text = e.payload ->> 'finding_id'
  left join pg_temp.names p on p.id::text = e.payload ->> 'product_id'
  where e.type = 'audit.finding' and e.created_at = now() and f.decided_by is distinct from 'before'
$$;
select is(pg_temp.told(), 'ledger mug 101 96 -5 open', 'is told outside');
select is(pg_temp.found(), 'ledger mug 101 96', 'is filed once');
select is(pg_temp.told(), 'ledger mug 101 96 -5 open', 'and told once');
select is((select count(*) from interlock.inventory_findings where product_id = pg_temp.id('mug')), 1::bigint, 'whatever number of audits');
-- Of many shops only this one is served.
select interlock.set_shop(s.id, 'moving') from interlock.shops s where s.id <> interlock.shop_id();
select throws_like(
  (select j.command from interlock.jobs() j where j.name = 'audit-inventory'),
  'audit-inventory: ' || case when interlock.serves_shops() then 'shop ' || interlock.shop_id() || ': ' else '' end
    || '1 findings are open (1 ledger), the oldest since %; `npm run audit` tells them',
  'the job tells of it'
);
select is(pg_temp.resolved(), 'nothing nothing', 'and corrected in the ledger');
select is(pg_temp.told(), 'ledger mug 101 96 -5 resolved', 'of which nobody is told again');
select lives_ok((select j.command from interlock.jobs() j where j.name = 'audit-inventory'), 'then it has nothing to tell, nor to do for a day');
reset role;
select is(
  (select concat_ws(' ', m.delta::int, m.balance_after::int, m.reason, left(m.reference, 8)) from interlock.stock_movements m where m.product_id = pg_temp.id('mug') order by m.id desc limit 1),
  '-5 96 tap mends finding ', 'with its reason'
);

select pg_temp.break('stock_movements', $$delete from interlock.stock_movements where product_id = pg_temp.id('lamp') and reason = 'decrement'$$);
select is(pg_temp.found(true), 'ledger lamp 89 88', 'a row of the ledger that was deleted');
select matches(
  (select f.cause from interlock.inventory_findings f where f.status = 'open'), '^The stock was changed past', 'the last one'
);
select pg_temp.break('stock_movements', $$
  update interlock.stock_movements set delta = delta + 7 where product_id = pg_temp.id('lamp') and reason = 'opening'
$$);
select is(pg_temp.found(), 'ledger lamp 96 88', 'and one that was changed');
select matches(
  (select f.cause from interlock.inventory_findings f where f.status = 'open'),
  '^Rows of the ledger up to movement [0-9]+ are missing, were changed or added by hand.$', 'say so'
);
select is(pg_temp.resolved(), 'nothing nothing', 'are corrected');
select pg_temp.break('products', $$update interlock.products set available_quantity = available_quantity + 5 where id = pg_temp.id('hot')$$);
select is(pg_temp.found(), 'ledger hot 635 640', 'with slots as well');
select is(pg_temp.resolved(), 'nothing nothing', 'and are corrected');
select pg_temp.break('products', $$
  insert into interlock.products (id, name, price, currency, available_quantity) values (pg_temp.id('gone'), 'gone', 1, 'EUR', 7)
$$);
select is(pg_temp.found(), 'ledger gone 0 7', 'a product that came past the ledger');
select is(pg_temp.resolved(), 'nothing nothing', 'gets one');
select pg_temp.break('products', $$delete from interlock.products where id = pg_temp.id('gone')$$);
select is(pg_temp.found(true), 'ledger gone 7 0', 'a product that went past the ledger');
select matches((select f.cause from interlock.inventory_findings f where f.status = 'open'), '^The product was deleted', 'says so');
select is(pg_temp.resolved(), 'nothing nothing', 'and its ledger ends');

-- At a location, to the gram.
insert into interlock.products (id, name, price, currency, unit, decimals) values (pg_temp.id('tea'), 'tea', 100, 'EUR', 'kg', 3);
insert into interlock.locations (id, name) values (pg_temp.id('store'), 'store'), (pg_temp.id('shed'), 'shed');
insert into pg_temp.names select pg_temp.id(n), n from unnest(array['tea', 'store', 'shed']) n;
insert into interlock.inventory (product_id, location_id, quantity)
select pg_temp.id('tea'), pg_temp.id(n), 11.52 from unnest(array['store', 'shed']) n;
select is(pg_temp.found(true), 'nothing', 'stock at locations');
select pg_temp.break('inventory', $$update interlock.inventory set quantity = 11 where location_id = pg_temp.id('store')$$);
select is(pg_temp.found(), 'ledger tea store 11.52 11', 'that was changed past the ledger');
select is(pg_temp.resolved(), 'nothing nothing', 'is corrected there');
select is(
  (select concat_ws(' ', delta, balance_after, location_id = pg_temp.id('store')) from interlock.stock_movements order by id desc limit 1),
  '-0.52 11 t', 'to the gram'
);
select pg_temp.break('inventory', $$delete from interlock.inventory where location_id = pg_temp.id('shed')$$);
select is(pg_temp.found(true), 'ledger tea shed 11.52 0', 'a row that is gone');
select is(pg_temp.resolved(), 'nothing nothing', 'as well');

-- Sales --------------------------------------------------------------------------

select pg_temp.break('order_items', $$
  update interlock.order_items set quantity = 5 where order_id = pg_temp.order_id('open') and product_id = pg_temp.id('mug')
$$);
select is(pg_temp.found(true), 'sales mug open 5 1', 'a line that was changed');
select is(pg_temp.resolved(), 'nothing nothing', 'is taken from the stock');
select is((select available_quantity from interlock.products where id = pg_temp.id('mug')), 92, 'so many of them');
select pg_temp.break('orders', $$
  update interlock.orders set status = 'cancelled', cancelled_at = now() where id = pg_temp.order_id('slot')
$$);
select is(
  pg_temp.found(), 'open_orders ann 17 20, sales hot slot 0 3', 'an order that was ended past the functions'
);
select is(pg_temp.resolved(), 'nothing nothing', 'gives back what it holds');
select pg_temp.break('order_items', $$
  insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method)
  values (pg_temp.id('gone'), pg_temp.id('bob'), 'confirmed', 'EUR', 300, 300, 'cash_on_delivery');
  insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
  values (pg_temp.id('gone'), pg_temp.id('lamp'), 3, 100, 'lamp', 'physical')
$$);
select is(pg_temp.found(), 'sales lamp gone 3 0', 'an order that took nothing');
select is(pg_temp.resolved(), 'nothing nothing', 'takes it');
select pg_temp.break('order_items', $$delete from interlock.order_items where order_id = pg_temp.id('gone')$$);
select is(pg_temp.found(true), 'sales lamp gone 0 3', 'a line that was removed');
select is(pg_temp.resolved(), 'nothing nothing', 'gives back what it held');
select lives_ok(format(
  $$select interlock.take_stock(array[%L::uuid], array[2], 'checkout', %L)$$, pg_temp.id('lamp'), pg_temp.id('bob')
), 'units that went');
select is(pg_temp.found(), 'sales lamp bob 0 2', 'for no order');
select is(pg_temp.resolved(), 'nothing nothing', 'come back');
update interlock.products set available_quantity = 0 where id = pg_temp.id('lamp');
select pg_temp.break('order_items', $$
  update interlock.order_items set quantity = 9 where order_id = pg_temp.order_id('open') and product_id = pg_temp.id('lamp')
$$);
select is(pg_temp.found(), 'sales lamp open 9 2', 'what is not there');
select is(
  pg_temp.resolved(), 'INSUFFICIENT_INVENTORY sales lamp open 9 2 sales lamp open 9 2', 'cannot be taken'
);
update interlock.products set available_quantity = 80 where id = pg_temp.id('lamp');
select is(pg_temp.resolved(), 'nothing nothing', 'until it comes');

-- Reservations ---------------------------------------------------------------------

update interlock.cart_reservation_lines set quantity = 5 where user_id = pg_temp.id('bob');
select is(pg_temp.found(), 'reservations mug reservation 5 3', 'a reservation that was changed');
select is(pg_temp.resolved(), 'nothing nothing', 'takes the rest');
update interlock.cart_reservations set expires_at = null where user_id = pg_temp.id('bob');
select is(pg_temp.found(), 'reservations mug reservation 0 5', 'one that has ended and has lines');
select is(pg_temp.resolved(), 'nothing nothing', 'gives back what it holds');
select is((select count(*) from interlock.cart_reservation_lines where user_id = pg_temp.id('bob')), 0::bigint, 'and them');
select pg_temp.is_user('bob');
select lives_ok(format(
  'select reserve_cart(%L::jsonb)', jsonb_build_array(jsonb_build_object('product_id', pg_temp.id('mug'), 'quantity', 2))
), 'another one');
select pg_temp.is_shop();
update pg_temp.names n set id = r.id from interlock.cart_reservations r where r.user_id = pg_temp.id('bob') and n.name = 'reservation';
delete from interlock.cart_reservation_lines where user_id = pg_temp.id('bob');
delete from interlock.cart_reservations where user_id = pg_temp.id('bob');
select is(
  pg_temp.found(true), 'open_orders bob 0 5, reservations mug reservation 0 2', 'that is gone with its counter'
);
select is(pg_temp.resolved(), 'nothing nothing', 'gives back what it held');

-- Counters ---------------------------------------------------------------------------

update interlock.customer_open_orders set orders = orders + 1 where user_id = pg_temp.id('ann');
select is(pg_temp.found(), 'open_orders ann 2 3', 'an order too many in a counter');
select matches(
  (select f.cause from interlock.inventory_findings f where f.status = 'open'),
  '^3 open orders and [0-9]+ units are counted, and there are 2 of [0-9]+ units', 'is told'
);
select is(pg_temp.resolved(), 'nothing nothing', 'is counted anew');
delete from interlock.customer_open_orders where user_id = pg_temp.id('ann');
select is(pg_temp.found(true), 'open_orders ann 17 0', 'a counter that is gone');
select is(pg_temp.resolved(), 'nothing nothing', 'is made');

-- Codes --------------------------------------------------------------------------------

select pg_temp.break('product_codes', $$insert into interlock.product_codes (product_id, code) values (pg_temp.id('song'), 'tap-x')$$);
select is(pg_temp.found(), 'codes song 6 5', 'a code that came past the triggers');
select is(pg_temp.resolved(), 'nothing nothing', 'is counted');
select pg_temp.break('product_codes', $$
  update interlock.product_codes set order_id = null
  where id = (select id from interlock.product_codes where order_id = pg_temp.order_id('open'))
$$);
select is(pg_temp.found(), 'codes song open 1 0, codes song 7 6', 'an order that has lost its code');
select is(pg_temp.resolved(), 'nothing nothing', 'gets another one');
select pg_temp.break('product_codes', $$
  update interlock.product_codes set order_id = pg_temp.order_id('cancelled')
  where id = (select min(id) from interlock.product_codes where order_id is null)
$$);
select is(pg_temp.found(), 'codes song cancelled 0 1, codes song 5 6', 'one that has ended and has a code');
select is(pg_temp.resolved(), 'nothing nothing', 'gives it back');
select is(
  (select string_agg(m.said, ', ' order by m.said collate "C")
   from (
     select concat_ws(' ', m.delta, n.name) as said
     from interlock.stock_movements m
     left join pg_temp.names n on n.id = m.reference_id
     where m.product_id = pg_temp.id('song') and m.reason = 'tap mends'
   ) m),
  '-1, -1 open, 1, 1, 1 cancelled', 'the ledger says all of it'
);
select pg_temp.break('product_codes', $$
  update interlock.product_codes set order_id = pg_temp.order_id('paid'), used_at = now()
  where id = (select min(id) from interlock.product_codes where order_id is null)
$$);
select is(pg_temp.found(), 'codes song paid 2 3, codes song 5 6', 'a code too many that somebody has seen');
select is(pg_temp.resolved(), 'FINDING_NOT_CORRECTABLE codes song paid 2 3 codes song paid 2 3', 'cannot be taken back');
select pg_temp.break('product_codes', $$
  delete from interlock.product_codes
  where id = (select max(id) from interlock.product_codes where order_id = pg_temp.order_id('paid'))
$$);
select is(pg_temp.found(), 'nothing', 'what was mended by hand is closed by the next audit');
select is(
  (select concat_ws(' | ', f.status, f.reason, f.actor) from interlock.inventory_findings f order by f.decided_at desc limit 1),
  'resolved | gone at the next audit', 'which says so'
);

-- Of an order of two digital products each is counted for itself.
insert into interlock.products (id, name, price, currency, available_quantity, kind)
values (pg_temp.id('tune'), 'tune', 100, 'EUR', 0, 'digital');
insert into pg_temp.names values (pg_temp.id('tune'), 'tune');
insert into interlock.product_codes (product_id, code) select pg_temp.id('tune'), 'tap-tune-' || n from generate_series(1, 4) n;
select lives_ok($$
  select pg_temp.orders('both', '{"song": 1, "tune": 1}');
  select cancel_order(pg_temp.order_id('both'), null);
  select pg_temp.orders('duo', '{"song": 1, "tune": 2}')
$$, 'songs and tunes');
select is(pg_temp.found(), 'nothing', 'are sold');
select pg_temp.break('product_codes', $$
  update interlock.product_codes set order_id = null where order_id = pg_temp.order_id('duo');
  insert into interlock.product_codes (product_id, code) values (pg_temp.id('tune'), 'tap-tune-x')
$$);
select is(
  pg_temp.found(), 'codes song duo 1 0, codes song 5 4, codes tune duo 2 0, codes tune 5 2', 'without codes, and one too many'
);
create function pg_temp.resolve(p_product text, p_order text)
returns text
language sql
as $$
  select coalesce(string_agg(public.resolve_finding(f.id, 'tap mends') -> 'finding' ->> 'status', ' '), 'none')
  from interlock.inventory_findings f
  where f.status = 'open'
    and f.product_id = pg_temp.id(p_product)
    and f.subject_id is not distinct from pg_temp.order_id(p_order)
$$;
select is(pg_temp.resolve('tune', 'duo'), 'resolved', 'the order gets as many as it lacks');
select is(pg_temp.resolve('tune', 'no order'), 'resolved', 'free ones are counted');
select is(pg_temp.resolved(), 'nothing nothing', 'each by itself');
select pg_temp.break('product_codes', $$
  update interlock.product_codes set order_id = pg_temp.order_id('both')
  where id in (
    select min(id) from interlock.product_codes
    where order_id is null and product_id in (pg_temp.id('song'), pg_temp.id('tune'))
    group by product_id
  )
$$);
select is(
  pg_temp.found(), 'codes song both 0 1, codes song 3 4, codes tune both 0 1, codes tune 2 3', 'an order that has ended and has both'
);
select is(pg_temp.resolved(), 'nothing nothing', 'gives back each');

-- A code that is free and not counted is not in stock yet.
select pg_temp.break('products', $$update interlock.products set available_quantity = 0 where id = pg_temp.id('tune')$$);
select pg_temp.break('stock_movements', $$delete from interlock.stock_movements where product_id = pg_temp.id('tune')$$);
select pg_temp.break('product_codes', $$
  delete from interlock.product_codes where product_id = pg_temp.id('tune') and order_id is null;
  update interlock.product_codes set order_id = null
  where id = (select min(id) from interlock.product_codes where order_id = pg_temp.order_id('duo') and product_id = pg_temp.id('tune'))
$$);
select is(pg_temp.found(), 'codes tune duo 2 1, codes tune 1 0', 'an order that lacks the only one');
select throws_ok(
  $$ select pg_temp.resolve('tune', 'duo') $$, 'PT409', 'INSUFFICIENT_INVENTORY', 'does not get it out of the stock'
);
select is(
  concat_ws(' ', pg_temp.resolve('tune', 'no order'), pg_temp.resolve('tune', 'duo'), pg_temp.found()), 'resolved resolved nothing',
  'until it is there'
);
-- Those that somebody has seen are not taken back, and the last ones are.
create function pg_temp.codes(p_order text, p_product text)
returns text
language sql
as $$
  select string_agg(c.code, ' ' order by c.id)
  from interlock.product_codes c
  where c.order_id = pg_temp.order_id(p_order)
    and c.product_id = pg_temp.id(p_product)
$$;
select pg_temp.break('product_codes', $$
  insert into interlock.product_codes (product_id, code, order_id, used_at)
  select pg_temp.id('tune'), 'tap-tune-' || n, pg_temp.order_id(o), case n when 'c' then now() end
  from (values ('both', 'a'), ('both', 'c'), ('duo', 'd')) as v (o, n)
$$);
select is(pg_temp.found(), 'codes tune both 0 1, codes tune duo 2 3', 'codes too many');
select is(pg_temp.resolved(), 'nothing nothing', 'go back');
select is(pg_temp.codes('both', 'tune'), 'tap-tune-c', 'but for what somebody has seen');
select unalike(pg_temp.codes('duo', 'tune'), '%tap-tune-d%', 'the last one first');
-- What is gone by now is resolved.
select pg_temp.break('product_codes', $$insert into interlock.product_codes (product_id, code) values (pg_temp.id('tune'), 'tap-tune-y')$$);
select isnt(pg_temp.found(), 'nothing', 'a code too many');
select pg_temp.break('product_codes', $$delete from interlock.product_codes where code = 'tap-tune-y'$$);
select is(pg_temp.resolve('tune', 'no order'), 'resolved', 'that was removed by hand');

-- Slots ---------------------------------------------------------------------------------

insert into interlock.counter_slots (owner_id, slot) values (pg_temp.id('hot'), 4);
select is(pg_temp.found(), 'slots hot 4 5', 'a slot too many');
select is(pg_temp.resolved(), 'nothing nothing', 'goes');
update interlock.counter_slots set granted = granted + 1000 where owner_id = pg_temp.id('hot') and slot = 0;
select is(pg_temp.found(), 'slots hot 643 1640', 'more in the slots than there is');
select is(pg_temp.resolved(), 'nothing nothing', 'is shared out anew');
insert into interlock.counter_slots (owner_id, slot) values (pg_temp.id('gone'), 0);
select is(pg_temp.found(), 'slots gone 0 1', 'slots of nobody');
select is(pg_temp.resolved(), 'nothing nothing', 'go');
update interlock.counter_slots set granted = 900, used = 800 where owner_id = pg_temp.id('hot') and slot = 0;
select is(pg_temp.found(), 'ledger hot 643 -157, slots hot 643 1380', 'more sold than there was');

select is(
  pg_temp.resolved(), 'FINDING_NOT_CORRECTABLE FINDING_NOT_CORRECTABLE ledger hot 643 -157, slots hot 643 1380 ledger hot 643 -157, slots hot 643 1380',
  'is for people to look at'
);
update interlock.counter_slots set granted = 160, used = 0 where owner_id = pg_temp.id('hot') and slot = 0;
select is(pg_temp.found(), 'nothing', 'until it is mended');

-- Accepted -------------------------------------------------------------------------------

select pg_temp.break('products', $$update interlock.products set available_quantity = 60 where id = pg_temp.id('mug')$$);
select isnt(pg_temp.found(), 'nothing', 'a difference');
create function pg_temp.finding()
returns uuid
language sql
as $$ select f.id from interlock.inventory_findings f where f.product_id = pg_temp.id('mug') and f.status <> 'resolved' $$;
select is(
  accept_finding(pg_temp.finding(), 'stolen', 'Ann Example') -> 'finding' ->> 'status', 'accepted', 'that is accepted by name'
);
select is(
  accept_finding(pg_temp.finding(), 'lost', 'Bob Example') -> 'finding' ->> 'decided_by', 'Ann Example', 'once'
);
select matches(pg_temp.found(), '^ledger mug [0-9]+ 60 accepted$', 'stays so');
select matches(pg_temp.found(true), '^ledger mug [0-9]+ 60 accepted$', 'for whatever audit');
select is((select open_findings from interlock.inventory_audits order by id desc limit 1), 0, 'and is not open');
select adjust_stock(pg_temp.id('mug'), -3, 'tap');
select matches(pg_temp.found(), '^ledger mug [0-9]+ 57 accepted$', 'also when the stock moves on');
select pg_temp.break('products', $$update interlock.products set available_quantity = 56 where id = pg_temp.id('mug')$$);
select matches(pg_temp.found(), '^ledger mug [0-9]+ 56$', 'but not when it is another difference');
select is(
  (select concat_ws(' ', open_findings, open_units > 30) from interlock.inventory_audits order by id desc limit 1), '1 t', 'that one is open'
);
select accept_finding(pg_temp.finding(), 'stolen', 'Ann Example');
select is(
  resolve_finding(pg_temp.finding(), 'tap mends') -> 'finding' ->> 'status', 'resolved', 'what was accepted can be resolved'
);
select is(pg_temp.found(), 'nothing', 'and then it is');
select is(
  resolve_finding(f.id, 'again') -> 'finding' ->> 'reason', 'tap mends', 'once'
)
from (select id from interlock.inventory_findings where product_id = pg_temp.id('mug') order by decided_at desc limit 1) f;
select throws_ok(format('select accept_finding(%L, %L, %L)', f.id, 'x', 'y'), 'PT409', 'FINDING_RESOLVED', 'nor is it accepted')
from (select id from interlock.inventory_findings where product_id = pg_temp.id('mug') order by decided_at desc limit 1) f;

-- Who, and what is wrong -----------------------------------------------------------------

select throws_ok(format('select %s(%s)', v.function, v.args), 'PT404', 'FINDING_NOT_FOUND', v.function || ' of what is not there')
from (values
  ('resolve_finding', format('%L, %L', pg_temp.id('none'), 'x')), ('accept_finding', format('%L, %L, %L', pg_temp.id('none'), 'x', 'y'))
) as v (function, args);
create function pg_temp.problems(p_sql text)
returns text
language plpgsql
as $$
declare
  v_detail text;
begin
  execute p_sql;
  return 'none';
exception
  when sqlstate 'PT400' then
    get stacked diagnostics v_detail = pg_exception_detail;
    return (select string_agg(p ->> 'pointer', ' ') from jsonb_array_elements(v_detail::jsonb -> 'problems') p);
end
$$;
select is(pg_temp.problems('select resolve_finding(null, null)'), '/p_finding_id /p_reason', 'all is asked for');
select is(pg_temp.problems(format('select resolve_finding(%L, %L)', pg_temp.id('none'), repeat('x', 101))), '/p_reason', 'within bounds');
select is(
  pg_temp.problems(format('select accept_finding(null, %L, %L)', repeat('x', 201), '')), '/p_finding_id /p_reason /p_name', 'of accepting as well'
);
select pg_temp.is_user('ann');
select throws_ok(v.sql, 'PT403', 'FORBIDDEN', 'customers do not: ' || v.sql)
from (values
  (format('select resolve_finding(%L, %L)', pg_temp.id('none'), 'x')), (format('select accept_finding(%L, %L, %L)', pg_temp.id('none'), 'x', 'y'))
) as v (sql);
select throws_ok('select audit_inventory()', '42501', null, 'nor do they audit');
select is((select count(*) from inventory_findings) + (select count(*) from inventory_audits), 0::bigint, 'nor read what was found');
select pg_temp.is_user('staff', 'staff');
select isnt((select count(*) from inventory_findings), 0::bigint, 'staff read findings');
select isnt((select count(*) from inventory_audits), 0::bigint, 'and audits');
select throws_ok('select audit_inventory()', '42501', null, 'which the shop makes');
select pg_temp.is_shop();
select pg_temp.break('products', $$update interlock.products set available_quantity = 50 where id = pg_temp.id('mug')$$);
select isnt(pg_temp.found(), 'nothing', 'one more');
select pg_temp.is_user('staff', 'staff');
select is(
  resolve_finding(
    (select f.id from inventory_findings f where f.product_id = pg_temp.id('mug') and f.status = 'open'), 'counted'
  ) -> 'finding' ->> 'reason',
  'counted', 'staff resolve'
);
select pg_temp.is_shop();
select is(
  (select concat_ws(' ', reason, actor = pg_temp.id('staff')) from interlock.stock_movements order by id desc limit 1), 'counted t', 'and the ledger says who'
);
set local role service_role;
select is(audit_inventory(true) ->> 'success', 'true', 'the shop audits');
select throws_ok(v, '42501', null, 'and writes no ' || v)
from unnest(array[
  'delete from interlock.inventory_findings', 'update interlock.inventory_findings set cause = cause', 'delete from interlock.inventory_audits'
]) v;
reset role;
set constraints all immediate;
select throws_ok(v, '23001', null, 'nobody does: ' || v)
from unnest(array[
  'delete from interlock.inventory_findings', 'truncate interlock.inventory_findings', 'delete from interlock.inventory_audits',
  'update interlock.inventory_audits set whole = true', 'truncate interlock.inventory_audits cascade'
]) v;

set constraints all deferred;

-- What is looked at ------------------------------------------------------------------------

select is(
  (select seqcache from pg_sequence where seqrelid = pg_get_serial_sequence('interlock.stock_movements', 'id')::regclass), 1::bigint,
  'ids of the ledger are given out one by one'
);
-- A dump keeps what an audit says of transactions, and not the transaction that wrote it.
select pg_temp.break('inventory_audits', $$
  update interlock.inventory_audits set transaction_id = '1000000000' where id = (select max(id) from interlock.inventory_audits)
$$);
select is((interlock.audit_inventory(false) ->> 'whole')::boolean, true, 'after a restore everything is looked at');
select is((interlock.audit_inventory(false) ->> 'whole')::boolean, false, 'once');
select is((interlock.audit_inventory(null) ->> 'whole')::boolean, false, 'null is what is usual');
select is(
  (select a.last_movement from interlock.inventory_audits a order by a.id desc limit 1),
  (select s.last_value from interlock.stock_movements_id_seq s), 'the next one goes on from where the ledger was'
);

-- Of what retention has taken away nothing is asked.
select pg_temp.break('order_items', $$
  update interlock.order_items set quantity = 8 where order_id = pg_temp.order_id('open') and product_id = pg_temp.id('mug')
$$);
select matches(pg_temp.found(true), '^sales mug open 8 ', 'an order of today');
update interlock.settings set keep_stock_movements = '1 day';
select matches(pg_temp.found(true), '^sales mug open 8 ', 'that is kept');
select pg_temp.break('orders', $$update interlock.orders set created_at = created_at - interval '2 days' where id = pg_temp.order_id('open')$$);
select is(pg_temp.found(true), 'nothing', 'is not compared with a ledger that is gone');
insert into interlock.stock_movements (product_id, delta, reason, reference_id)
values
  (pg_temp.id('lamp'), -1, 'cart_reserved', '018bcfe5-6800-7000-8000-000000000001'),
  (pg_temp.id('lamp'), 1, 'tap', null);
select is(pg_temp.found(true), 'nothing', 'nor is a reservation of those days');
select is(pg_temp.found(), 'nothing', 'however much is looked at');
update interlock.settings set keep_stock_movements = null;
select is(pg_temp.found(true), 'nothing', 'nor is it later');

select is(
  (select count(*)::int from interlock.jobs() j where j.name = 'audit-inventory' and j.command like '%interlock.audit_inventory(false)%'), 1,
  'it is a job'
);

select * from finish();
rollback;
