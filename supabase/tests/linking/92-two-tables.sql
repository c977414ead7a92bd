-- Two tables with the same keys, side by side; and what is no key.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(19);
set constraints all immediate;

create schema tap_two;
create table tap_two.tea (id int primary key, title text not null, price int not null, stock int not null);
create table tap_two.pots (id int primary key, title text not null, price int not null, stock int not null);
insert into tap_two.tea select n, 'tea ' || n, 100, 10 from generate_series(1, 5) n;
insert into tap_two.pots select n, 'pot ' || n, 200, 20 from generate_series(1, 5) n;
create function pg_temp.map() returns jsonb language sql as $$
  select jsonb '{"id": "id", "name": "title", "price": "price", "price_unit": "minor", "currency": {"is": "EUR"}, "quantity": "stock"}'
$$;
create view pg_temp.had as
  select l.source::text as source, m.source_id::text, m.product_id, p.name::text, p.available_quantity as stock, p.active
  from interlock.linked_products m
  join interlock.products p on p.id = m.product_id
  join interlock.product_links l on l.id = m.link_id;
select interlock.link_products('tap_two.tea', pg_temp.map(), true);

select is(interlock.link_products('tap_two.pots', pg_temp.map(), true, p_fill => 2) -> 'left', '3', 'the other table is filled in pieces');
select results_eq(
  $$select source_id from pg_temp.had where source = 'tap_two.pots' order by 1$$, $$values ('1'), ('2')$$, 'by its own keys, in their order'
);
-- One that comes before what was filled, past the trigger, as one that was held would.
alter table tap_two.pots disable trigger user;
insert into tap_two.pots values (0, 'pot 0', 200, 20);
alter table tap_two.pots enable trigger user;
select is(interlock.fill_link('tap_two.pots', 3) - 'source', '{"success": true, "done": 3, "left": 1, "filled": false}', 'then the next ones');
select results_eq(
  $$select source_id from pg_temp.had where source = 'tap_two.pots' order by 1$$, array['1', '2', '3', '4', '5'], 'from where it was, not from the first one that is left'
);
select is(interlock.fill_links(3), 1, 'and at the end those that were passed over');
select is(
  (select string_agg(l.source::text, ' ' order by l.source::text) from interlock.product_links l where l.filled_at is not null),
  'tap_two.pots tap_two.tea', 'both are filled'
);

update tap_two.pots set stock = stock + 1, title = 'pan' where id = 1;
select results_eq(
  $$select source, name, stock from pg_temp.had where source_id = '1' order by 1$$,
  $$values ('tap_two.pots', 'pan', 21), ('tap_two.tea', 'tea 1', 10)$$, 'a row of one table is no row of the other'
);
select public.decrement_product_quantity(product_id, 3) from pg_temp.had where source = 'tap_two.tea' and source_id = '1';
select is((select stock from tap_two.tea where id = 1) || ' ' || (select stock from tap_two.pots where id = 1), '7 21', 'nor is a sale');
delete from tap_two.tea where id = 5;
select results_eq(
  $$select source, active from pg_temp.had where source_id = '5' order by 1$$, $$values ('tap_two.pots', true), ('tap_two.tea', false)$$, 'nor a deletion'
);
alter table tap_two.tea disable trigger user;
delete from tap_two.tea where id = 4;
alter table tap_two.tea enable trigger user;
select is(interlock.fill_link('tap_two.tea', p_again => true) -> 'filled', 'true', 'taken over again');
select results_eq(
  $$select source, source_id from pg_temp.had where not active order by 1, 2$$, $$values ('tap_two.tea', '4'), ('tap_two.tea', '5')$$,
  'only rows that are gone are inactive'
);
-- Hot, and refilled while it is.
select public.adjust_stock(product_id, 90), public.set_stock_slots(product_id, 4) from pg_temp.had where source = 'tap_two.tea' and source_id = '2';
update tap_two.tea set stock = stock + 28 where id = 2;
select is(
  (select sum(s.granted) from interlock.counter_slots s join pg_temp.had h on h.product_id = s.owner_id where h.source = 'tap_two.tea'), 128::bigint,
  'what is spread over slots is shared out anew'
);
select interlock.unlink_products('tap_two.tea');
select is(
  (select count(*) from pg_trigger t where t.tgrelid = 'interlock.products'::regclass and t.tgname = 'products_written_back'), 1::bigint,
  'one that is unlinked leaves the other linked'
);
select is((select stock from tap_two.pots where id = 2), 20, 'which has what it had');
select public.decrement_product_quantity(product_id, 3) from pg_temp.had where source = 'tap_two.tea' and source_id = '1';
select is((select stock from tap_two.tea where id = 1), 7, 'what is not linked any more is not written to');

-- Keys --------------------------------------------------------------------------------

create table tap_two.keyless (a int not null, b int not null, title text, price int, stock int);
create index on tap_two.keyless (a);
create unique index on tap_two.keyless (a) where b > 0;
create unique index on tap_two.keyless (a, b);
create unique index on tap_two.keyless (stock);
create function pg_temp.pointers(p_map jsonb, p_write_back boolean default false) returns text language sql as $$
  select string_agg(p ->> 'pointer', ' ' order by p ->> 'pointer')
  from jsonb_array_elements(interlock.link_products('tap_two.keyless', p_map, p_write_back, p_dry_run => true) -> 'problems') p
$$;
select is(pg_temp.pointers(pg_temp.map() || '{"id": "a"}'), '/p_map/id', 'what is unique with another, or now and then, is no key');
create unique index on tap_two.keyless (a);
select is(pg_temp.pointers(pg_temp.map() || '{"id": "a"}'), null, 'what is unique is');
select is(pg_temp.pointers((pg_temp.map() || '{"id": "a"}') - 'quantity', true), '/p_map/quantity', 'without a column nothing is written back');
insert into interlock.products (id, name, price, currency, kind) values ('92000000-0000-4000-8000-000000000001', 'Song', 1, 'EUR', 'digital');
create table tap_two.songs (id uuid primary key, title text not null, price int not null, stock int not null);
insert into tap_two.songs values ('92000000-0000-4000-8000-000000000001', 'Song', 1, 5);
select is(
  (select string_agg(p ->> 'todo', ' ' order by p ->> 'todo') from jsonb_array_elements(interlock.link_products('tap_two.songs', pg_temp.map(), p_dry_run => true) -> 'problems') p)
    || ', ' || (interlock.link_products('tap_two.songs', pg_temp.map() - 'quantity', p_dry_run => true) -> 'problems')::text,
  'leave quantity out of the map, []', 'of a digital product all but the stock can be linked'
);

select * from finish();
rollback;
