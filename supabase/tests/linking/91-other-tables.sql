-- Two more shops, as starters have them: products with variants, by uuid and in cents; and a list of articles by their number.
-- Then everything that is in the way of a link, and names that nobody should choose.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(61);
set constraints all immediate;

-- What a statement raises: code and problems.
create function pg_temp.raised(p_sql text) returns text language plpgsql as $$
declare
  v_detail text;
begin
  execute p_sql;
  return null;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return concat_ws(' ', sqlstate, sqlerrm, (
      select string_agg(p ->> 'pointer', ' ' order by p ->> 'pointer')
      from jsonb_array_elements(case when v_detail like '{%' then v_detail::jsonb -> 'problems' end) p
    ));
end
$$;
create view pg_temp.had as
  select l.source::text as source, m.source_id::text, m.product_id, p.name::text, p.price::bigint, p.currency::text, p.available_quantity as stock, p.active
  from interlock.linked_products m
  join interlock.products p on p.id = m.product_id
  join interlock.product_links l on l.id = m.link_id;

-- Variants: what is sold is the variant -----------------------------------------

create schema tap_variants;
create table tap_variants.products (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  slug text not null unique
);
create table tap_variants.product_variants (
  id uuid primary key default gen_random_uuid(),
  product_id uuid not null references tap_variants.products on delete cascade,
  title varchar(120) not null,
  price_cents integer not null check (price_cents >= 0),
  currency char(3) not null default 'usd',
  inventory_count integer not null default 0 check (inventory_count >= 0),
  status text not null default 'draft',
  unique (product_id, title)
);
create table tap_variants.cart_items (variant_id uuid not null references tap_variants.product_variants, quantity int not null);
alter table tap_variants.product_variants enable row level security;
create policy everybody on tap_variants.product_variants for select using (true);
insert into tap_variants.products (id, name, slug)
values ('91000000-0000-4000-8000-00000000000a', 'T-shirt', 't-shirt');
insert into tap_variants.product_variants (id, product_id, title, price_cents, inventory_count, status)
values
  ('91000000-0000-4000-8000-000000000001', '91000000-0000-4000-8000-00000000000a', 'T-shirt, S', 1990, 5, 'active'),
  ('91000000-0000-4000-8000-000000000002', '91000000-0000-4000-8000-00000000000a', 'T-shirt, M', 1990, 0, 'active'),
  ('91000000-0000-4000-8000-000000000003', '91000000-0000-4000-8000-00000000000a', 'T-shirt, L', 2190, 2, 'draft');
-- One of them was copied by hand, long ago.
insert into interlock.products (id, name, price, currency, available_quantity)
values ('91000000-0000-4000-8000-000000000001', 'Shirt', 1500, 'USD', 7);

create function pg_temp.variants() returns jsonb language sql as $$
  select jsonb '{"id": "id", "name": "title", "price": "price_cents", "price_unit": "minor", "currency": "currency", "active": {"column": "status", "in": ["active", "published"]}, "quantity": "inventory_count"}'
$$;
select is(
  interlock.link_products('tap_variants.product_variants', pg_temp.variants(), true, 'refuse', p_dry_run => true) #- '{problems,0,message}',
  '{
    "success": false, "dry_run": true, "source": "tap_variants.product_variants", "rows": 3, "known": 1,
    "problems": [{
      "pointer": "/p_map/quantity", "rows": 1, "first": ["91000000-0000-4000-8000-000000000001"],
      "todo": "say which one counts: p_stock_from => ''source'', or ''interlock''"
    }]
  }',
  'a product that was there before is found by its id'
);
select is(
  pg_temp.raised($$select interlock.link_products('tap_variants.product_variants', pg_temp.variants(), true, 'refuse')$$),
  'PT400 VALIDATION_FAILED /p_map/quantity', 'and nothing is linked before somebody has decided'
);
select is(
  interlock.link_products('tap_variants.product_variants', pg_temp.variants(), true, 'refuse', 'interlock', p_fill => 1) - 'problems',
  '{"success": true, "dry_run": false, "source": "tap_variants.product_variants", "rows": 3, "known": 1, "done": 1, "left": 2, "filled": false}',
  'it is filled in pieces'
);
select set_eq(
  'select source_id, what from interlock.product_drift()',
  $$values ('91000000-0000-4000-8000-000000000002', 'missing'), ('91000000-0000-4000-8000-000000000003', 'missing')$$,
  'what is left is told'
);
update tap_variants.product_variants set price_cents = 2290 where title = 'T-shirt, L';
select is((select count(*) from pg_temp.had), 2::bigint, 'what is changed meanwhile comes by itself');
select is(interlock.fill_links(1), 1, 'a job does the rest');
select is(interlock.fill_links(1), 0, 'and then nothing');
select isnt((select filled_at from interlock.product_links), null, 'it is filled');
select results_eq(
  'select product_id, name, price, currency, stock, active from pg_temp.had order by source_id',
  $$values
    ('91000000-0000-4000-8000-000000000001'::uuid, 'T-shirt, S', 1990::bigint, 'USD', 7, true),
    ('91000000-0000-4000-8000-000000000002', 'T-shirt, M', 1990, 'USD', 0, true),
    ('91000000-0000-4000-8000-000000000003', 'T-shirt, L', 2290, 'USD', 2, false)$$,
  'a uuid is the product''s own id, minor units are as they are, a currency is upper case, a status means active'
);
select is(
  (select inventory_count from tap_variants.product_variants where title = 'T-shirt, S'), 7, 'the stock of Interlock was to count, and was written back'
);
select is(
  pg_temp.raised('update tap_variants.product_variants set inventory_count = inventory_count - 1 where title = ''T-shirt, S'''),
  'PT409 STOCK_NOT_RELATIVE', 'where writes are refused, they are'
);
select is(
  pg_temp.raised('update tap_variants.product_variants set inventory_count = inventory_count'), null, 'a write that changes nothing is none'
);
insert into tap_variants.product_variants (id, product_id, title, price_cents, inventory_count, status)
values ('91000000-0000-4000-8000-000000000004', '91000000-0000-4000-8000-00000000000a', 'T-shirt, XL', 2190, 4, 'published');
select is((select stock from pg_temp.had where name = 'T-shirt, XL'), 4, 'a new row brings its stock');
select public.decrement_product_quantity('91000000-0000-4000-8000-000000000004', 3);
select is((select inventory_count from tap_variants.product_variants where title = 'T-shirt, XL'), 1, 'what is sold is written back');
delete from tap_variants.products;
select is((select count(*) from pg_temp.had where active), 0::bigint, 'what goes by a foreign key goes');
select is((select sum(stock) from pg_temp.had), 0::bigint, 'with its stock');

-- Articles: a text for a key, stock that is counted elsewhere, more than one currency -------

create schema tap_articles;
create schema tap_mess;
create table tap_mess.others (id int);
create domain tap_articles.money_amount as numeric(12, 4);
create table tap_articles.catalog (
  sku text primary key,
  label text not null,
  unit_price tap_articles.money_amount not null,
  currency_code text not null,
  qty_on_hand numeric not null default 0,
  discontinued boolean
);
insert into tap_articles.catalog (sku, label, unit_price, currency_code, qty_on_hand)
values ('A-1', 'Bolt', 0.25, 'eur', 1000), ('A-2', 'Yen bolt', 30, ' jpy ', 12), ('A-3', 'Dinar bolt', 0.125, 'KWD', 8), ('A-2:1', 'Nut', 0.1, 'EUR', 4);
select lives_ok($$
  select interlock.link_products(
    'tap_articles.catalog',
    '{"id": "sku", "name": "label", "price": "unit_price", "price_unit": "major", "currency": "currency_code", "quantity": "qty_on_hand"}'
  )
$$, 'a list of articles is linked');
select results_eq(
  $$select source_id, price, currency, stock, active from pg_temp.had where source = 'tap_articles.catalog' order by source_id collate "C"$$,
  $$values ('A-1', 25::bigint, 'EUR', 1000, true), ('A-2', 30, 'JPY', 12, true), ('A-2:1', 10, 'EUR', 4, true), ('A-3', 125, 'KWD', 8, true)$$,
  'each price in the minor units of its currency'
);
select public.decrement_product_quantity((select product_id from pg_temp.had where source_id = 'A-1'), 100);
select is((select qty_on_hand from tap_articles.catalog where sku = 'A-1'), 1000::numeric, 'what is not to be written back is not');
select is_empty($$select * from interlock.product_drift('tap_articles.catalog')$$, 'and is no drift');
update tap_articles.catalog set qty_on_hand = 1200 where sku = 'A-1';
select is((select stock from pg_temp.had where source_id = 'A-1'), 1100, 'goods that come in are added');
select is(
  pg_temp.raised($$update tap_articles.catalog set qty_on_hand = 50 where sku = 'A-1'$$),
  'PT409 INSUFFICIENT_INVENTORY', 'more than is there cannot go'
);
update interlock.products set stock_policy = 'untracked' where id = (select product_id from pg_temp.had where source_id = 'A-1');
select is(pg_temp.raised($$update tap_articles.catalog set qty_on_hand = 50 where sku = 'A-1'$$), null, 'of what is untracked it can');
select is((select stock from pg_temp.had where source_id = 'A-1'), 0, 'down to nothing');
select is(
  pg_temp.raised($$update tap_articles.catalog set unit_price = 0.001 where sku like 'A-2%'$$),
  'PT400 VALIDATION_FAILED /A-2/price /A-2:1/price', 'parts of a cent are refused'
);
select is(
  pg_temp.raised($$insert into tap_articles.catalog values ('B', 'b', 1, 'EURO', 1.5)$$),
  'PT400 VALIDATION_FAILED /B/currency /B/quantity', 'so are a currency that there is not, and half units'
);
update tap_articles.catalog set unit_price = 0.5 where sku = 'A-1';
update tap_articles.catalog set qty_on_hand = qty_on_hand + 1, unit_price = unit_price + 0.01 where currency_code = 'eur';
select is((select price || ' ' || stock from pg_temp.had where source_id = 'A-1'), '51 1', 'two statements are two changes');

select public.adjust_stock((select product_id from pg_temp.had where source_id = 'A-3'), 999999990);
select is(
  pg_temp.raised($$update tap_articles.catalog set qty_on_hand = 20 where sku = 'A-3'$$),
  'PT409 STOCK_LIMIT_EXCEEDED', 'more than there can be does not fit'
);
delete from interlock.products where id = (select product_id from pg_temp.had where source_id = 'A-3');
select results_eq(
  $$select source_id, what from interlock.product_drift('tap_articles.catalog')$$, $$values ('A-3', 'missing')$$,
  'a product that somebody has deleted is told'
);
update tap_articles.catalog set label = 'Dinar bolt again' where sku = 'A-3';
select is((select name || ' ' || stock from pg_temp.had where source_id = 'A-3'), 'Dinar bolt again 8', 'and comes back with its row');
select is(
  pg_temp.raised($$select interlock.fill_link('tap_mess.others')$$) || ', ' || pg_temp.raised($$select interlock.unlink_products('tap_mess.others')$$),
  'PT400 VALIDATION_FAILED /p_source, PT400 VALIDATION_FAILED /p_source', 'what is not linked is neither filled nor unlinked'
);

-- Both shops in one transaction: their products in one order.
set constraints all deferred;
insert into tap_variants.products (id, name, slug) values ('91000000-0000-4000-8000-00000000000b', 'Cap', 'cap');
insert into tap_variants.product_variants (id, product_id, title, price_cents, inventory_count, status)
values ('91000000-0000-4000-8000-000000000005', '91000000-0000-4000-8000-00000000000b', 'Cap', 900, 3, 'active');
update tap_articles.catalog set qty_on_hand = qty_on_hand + 5 where sku = 'A-2';
update tap_articles.catalog set qty_on_hand = qty_on_hand - 2 where sku = 'A-2';
update tap_articles.catalog set label = 'Bolt in yen' where sku = 'A-2';
select is((select name || ' ' || stock from pg_temp.had where source_id = 'A-2'), 'Yen bolt 12', 'until the commit no product is touched');
select is((select count(*) from interlock.linked_changes), 4::bigint, 'each statement is noted');
set constraints all immediate;
select is((select name || ' ' || stock from pg_temp.had where source_id = 'A-2'), 'Bolt in yen 15', 'then all of it comes');
select is((select stock from pg_temp.had where name = 'Cap'), 3, 'of both');
select is(
  (select count(*) from interlock.stock_movements m join pg_temp.had h using (product_id) where h.source_id = 'A-2' and m.reason = 'linked'), 1::bigint, 'as one movement'
);

-- Everything that is in the way --------------------------------------------------

create table tap_mess.things (
  id bigint,
  title text,
  price double precision,
  currency text,
  stock numeric,
  state int,
  doubled int generated always as (state * 2) stored
);
insert into tap_mess.things (id, title, price, currency, stock)
values
  (1, 'Fine', 1.5, 'EUR', 1), (2, null, 19.999, 'EUR', -3), (3, repeat('x', 201), -1, 'euro', 2.5), (4, '', null, null, null),
  (5, 'Much', 'NaN', 'XXX', 1e12), (5, 'Twice', 'Infinity', 'EUR', 'NaN'), (null, 'No key', 1, 'EUR', 1);
select is(
  pg_temp.raised($$select interlock.link_products('tap_mess.things', '{"id": "id", "name": "nam", "price": "title", "price_unit": "cents", "active": "state", "stock": "stock", "quantity": "doubled"}', true, 'ignore', 'mine')$$),
  'PT400 VALIDATION_FAILED /p_map/active /p_map/currency /p_map/id /p_map/name /p_map/price /p_map/price_unit /p_map/quantity /p_map/stock /p_on_write /p_stock_from',
  'all that is wrong with a map is told together'
);
select is(
  (select string_agg(p ->> 'message', ' | ' order by p ->> 'pointer') from jsonb_array_elements(
    interlock.link_products('tap_mess.things', '{"id": "id", "name": "nam", "price": "title", "price_unit": "minor", "currency": {"is": "EUR"}, "active": "state"}', p_dry_run => true) -> 'problems'
  ) p),
  'state is integer, and must be boolean | id has no unique constraint of its own: alter table tap_mess.things add unique (id) | names no column of tap_mess.things: it has id, title, price, currency, stock, state, doubled | title is text, and must be smallint, integer, bigint, numeric, real, double precision',
  'with what there is'
);
select is(pg_temp.raised($$select interlock.link_products('tap_mess.things', '[]')$$), 'PT400 VALIDATION_FAILED /p_map', 'a map is an object');
select is(pg_temp.raised($$select interlock.link_products(null, '{}')$$), 'PT400 VALIDATION_FAILED /p_source', 'a table is a table');
create view tap_mess.shown as select * from tap_mess.things;
select is(
  pg_temp.raised(format('select interlock.link_products(%L, %L)', t.name, '{"id": "id", "name": "title", "price": "price", "price_unit": "major", "currency": "currency"}')) ~ '^PT400 VALIDATION_FAILED .*/p_source',
  true, t.name || ' cannot be linked'
)
from (values ('tap_mess.shown'), ('pg_catalog.pg_class'), ('interlock.orders'), ('auth.users')) t (name);
-- Rows, once there is a key.
delete from tap_mess.things where title = 'Twice';
alter table tap_mess.things add unique (id);
select results_eq(
  $$
    select p ->> 'pointer', p ->> 'message', p ->> 'first' from jsonb_array_elements(interlock.link_products(
      'tap_mess.things', '{"id": "id", "name": "title", "price": "price", "price_unit": "major", "currency": "currency", "quantity": "stock"}', p_dry_run => true
    ) -> 'problems') p
  $$,
  $$
    values
      ('/p_map/currency', '2 rows: each has a currency that ISO 4217 does not know: write it as three letters, such as EUR', '["3", "5"]'),
      ('/p_map/currency', '1 row has no currency: fill it in, or link a constant: {"currency": {"is": "EUR"}}', '["4"]'),
      ('/p_map/id', '1 row has no key: give each row a key, and the column a unique constraint', '[null]'),
      ('/p_map/name', '1 row has a name of more than 200 characters: shorten it, or link a generated column such as left(title, 200)', '["3"]'),
      ('/p_map/name', '2 rows: each has no name: fill it in, or link another column', '["2", "4"]'),
      ('/p_map/price', '1 row has a price below 0: correct it', '["3"]'),
      ('/p_map/price', '1 row has a price that is no number, or more than 1000000000000 minor units: correct it, or look at price_unit', '["5"]'),
      ('/p_map/price', '1 row has a price with parts of a minor unit: round it: update … set price = round(price, 2)', '["2"]'),
      ('/p_map/price', '1 row has no price: fill it in; what cannot be bought is inactive and has the price 0', '["4"]'),
      ('/p_map/quantity', '1 row has a stock below 0: it is oversold: decide what becomes of those orders, then write what is on the shelf', '["2"]'),
      ('/p_map/quantity', '1 row has a stock that is no number, or above 1000000000: for a product without end write 0, and give it the policy untracked in Interlock', '["5"]'),
      ('/p_map/quantity', '1 row has a stock that is not in whole units: the web shop sells whole units: count in smaller ones', '["3"]'),
      ('/p_map/quantity', '1 row has no stock: write 0; what is never counted gets the policy untracked in Interlock', '["4"]')
  $$,
  'all that is wrong with rows is told together, with what to do'
);
select is(
  (select count(*) from pg_trigger t where t.tgrelid = 'tap_mess.things'::regclass), 0::bigint, 'nothing was made'
);
delete from tap_mess.things where id is distinct from 1;
create role tap_owner;
grant tap_owner to postgres;
alter table tap_mess.things force row level security;
select is(
  interlock.link_products('tap_mess.things', '{"id": "id", "name": "title", "price": "price", "price_unit": "major", "currency": "currency"}', p_dry_run => true) #>> '{problems,0,message}',
  'its row security holds its owner, too: alter table tap_mess.things no force row level security', 'a table that hides rows from its owner'
);
alter table tap_mess.things no force row level security;

-- Names ----------------------------------------------------------------------------

create schema "Odd "" shop; drop schema tap_mess";
create table "Odd "" shop; drop schema tap_mess"."it's; products%s" (
  "I D" text primary key,
  "na""me') or true --" text not null,
  "$1" numeric not null,
  "SELECT" text not null,
  "%I" boolean not null default true,
  "stock "" %L" int not null
);
insert into "Odd "" shop; drop schema tap_mess"."it's; products%s"
values ('x'' or true; --', 'Robert''); drop table products; --', 1.5, 'EUR', true, 5), ('{"a"}', '%s %I %L', 2, 'EUR', true, 5), (e'\\', 'back', 2, 'EUR', false, 5);
create function pg_temp.odd() returns regclass language sql as $$ select '"Odd "" shop; drop schema tap_mess"."it''s; products%s"'::regclass $$;
select lives_ok($$
  select interlock.link_products(
    pg_temp.odd(),
    jsonb_build_object('id', 'I D', 'name', 'na"me'') or true --', 'price', '$1', 'price_unit', 'major', 'currency', 'SELECT', 'active', '%I', 'quantity', 'stock " %L'),
    true
  )
$$, 'any name can be linked');
select results_eq(
  $$select source_id, name, price, stock, active from pg_temp.had where source like '%Odd%' order by price, active$$,
  $$values ('x'' or true; --', 'Robert''); drop table products; --', 150::bigint, 5, true), (e'\\', 'back', 200, 5, false), ('{"a"}', '%s %I %L', 200, 5, true)$$,
  'and is what it is'
);
select public.decrement_product_quantity(product_id, 2) from pg_temp.had where source like '%Odd%' and active;
select results_eq(
  $$select "stock "" %L" from "Odd "" shop; drop schema tap_mess"."it's; products%s" order by "$1", "%I"$$, array[3, 5, 3], 'written back as well'
);
update "Odd "" shop; drop schema tap_mess"."it's; products%s" set "$1" = 3, "stock "" %L" = 1;
select is((select string_agg(price || ' ' || stock, ', ') from pg_temp.had where source like '%Odd%'), '300 1, 300 1, 300 1', 'and changed');
select is_empty('select * from interlock.product_drift(pg_temp.odd())', 'both say the same');
select is(
  pg_temp.raised(format($$select interlock.link_products('tap_mess.things', %L)$$, jsonb_build_object(
    'id', 'id', 'name', 'title', 'price', 'price; drop table tap_mess.things', 'price_unit', 'major', 'currency', jsonb_build_object('is', 'EUR'' or true'), 'active', jsonb_build_object('column', 'title', 'in', jsonb_build_array(1)),
    'quantity', 7
  ))),
  'PT400 VALIDATION_FAILED /p_map/active/in /p_map/currency/is /p_map/price /p_map/quantity', 'what is no name is none'
);
select lives_ok('select interlock.unlink_products(pg_temp.odd())', 'and unlinked');
select is(
  (select count(*) from pg_trigger t where t.tgrelid = pg_temp.odd()), 0::bigint, 'without a trace'
);
select lives_ok($$select interlock.link_products('tap_mess.things', '{"id": "id", "name": "title", "price": "price", "price_unit": "major", "currency": "currency", "active": {"column": "title", "in": ["it''s", "} \" , {"]}}')$$, 'a value can be anything');
select is((select active from pg_temp.had where source = 'tap_mess.things'), false, 'and is compared as it is');
select is(pg_temp.raised($$select interlock.link_products('tap_mess.things', '{"id": "id", "name": "title", "price": "price", "price_unit": "major", "currency": "currency"}')$$), 'PT400 VALIDATION_FAILED /p_source', 'once is enough');
drop table tap_mess.things cascade;
select is((select what || ' ' || in_source from interlock.product_drift() where source ~ '^[0-9]+$'), 'link /p_source', 'a table that is gone is told');
select lives_ok($$select interlock.unlink_products((select source::oid::regclass from interlock.product_drift() where source ~ '^[0-9]+$'))$$, 'and can be unlinked by its number');

-- Who may ------------------------------------------------------------------------------

select is(
  (select string_agg(p.proname, ' ' order by p.proname) from pg_proc p
    where p.pronamespace = 'interlock'::regnamespace
      and p.proname in ('link_products', 'unlink_products', 'fill_link', 'fill_links', 'write_back_stock', 'try_write_back', 'bring_products', 'note_linked_changes', 'product_drift')
      and (has_function_privilege('anon', p.oid, 'execute') or has_function_privilege('authenticated', p.oid, 'execute') or has_function_privilege('service_role', p.oid, 'execute'))),
  'product_drift', 'links are the owner''s; the service role sees where they drift'
);

select * from finish();
rollback;
