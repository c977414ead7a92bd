-- What of linked products is seen only where several things come together: a table that is linked anew otherwise than before, one
-- that is filled anew in pieces, tables with keys of different types, and stock that waits when a link ends.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(59);
set constraints all immediate;

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
-- All that is wrong with a statement.
create function pg_temp.problems(p_sql text) returns jsonb language plpgsql as $$
declare
  v_detail text;
begin
  execute p_sql;
  return '[]';
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return v_detail::jsonb -> 'problems';
end
$$;
create view pg_temp.had as
  select l.source::text as source, m.source_id::text, m.product_id, m.filled, p.name::text, p.available_quantity as stock, p.active
  from interlock.linked_products m
  join interlock.products p on p.id = m.product_id
  join interlock.product_links l on l.id = m.link_id;
create function pg_temp.filled(p_source text) returns text language sql as $$
  select string_agg(source_id, ' ' order by source_id) from pg_temp.had where source = p_source and filled
$$;

create schema tap_more;
create table tap_more.tea (id int primary key, code int unique, title text, label text, price int, amount numeric, coin text, sold boolean, state text, stock int, shelf int, mail text);
insert into tap_more.tea
select n, 10 - n, 'tea ' || n, 'label ' || n, 100, 2.5, 'USD', true, 'sold out', 10, 7, null from generate_series(1, 5) n;
create table tap_more.pots (sku text primary key, title text not null, price int not null, stock int not null);
insert into tap_more.pots select 'pot-' || n, 'pot ' || n, 200, 20 from generate_series(1, 5) n;
insert into tap_more.pots values ('3', 'pot of three', 200, 20);
create function pg_temp.tea() returns jsonb language sql as $$
  select jsonb '{"id": "id", "name": "title", "price": "price", "price_unit": "minor", "currency": {"is": "EUR"}, "quantity": "stock"}'
$$;
create function pg_temp.pots() returns jsonb language sql as $$ select pg_temp.tea() || '{"id": "sku"}' $$;

-- A trigger of that name elsewhere is none of ours.
create function tap_more.nothing() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger products_written_back before update on tap_more.pots for each row execute function tap_more.nothing();
select interlock.link_products('tap_more.tea', pg_temp.tea(), true);
select public.decrement_product_quantity((select product_id from pg_temp.had where source_id = '1'), 1);
select is((select stock from tap_more.tea where id = 1), 9, 'a sale is written back, whatever triggers other tables have');

-- Taken over anew, in pieces -----------------------------------------------------------------------

select is(interlock.fill_link('tap_more.tea') - 'source', '{"success": true, "done": 0, "left": 0, "filled": true}', 'where all is filled nothing is done');
select is(interlock.fill_link('tap_more.tea', 2, true) - 'source', '{"success": true, "done": 2, "left": 3, "filled": false}', 'all begins anew, in pieces');
select is(pg_temp.filled('tap_more.tea'), '1 2', 'from the first one on');
select is((select filled_to || coalesce(filled_at::text, '') from interlock.product_links), '2', 'where it goes on is kept in mind');
select interlock.link_products('tap_more.pots', pg_temp.pots(), p_fill => null);
select is(pg_temp.filled('tap_more.pots'), '3 pot-1 pot-2 pot-3 pot-4 pot-5', 'without a limit it is all of a small table');
select results_eq(
  $$select source::text, filled_at is not null from interlock.product_links order by 1$$,
  $$values ('tap_more.pots', true), ('tap_more.tea', false)$$, 'one table that is filled fills no other'
);
update tap_more.pots set title = 'pot for three' where sku = '3';
select is(pg_temp.filled('tap_more.tea'), '1 2', 'nor does a row of it with the same key');
select is(interlock.fill_link('tap_more.tea', 0) ->> 'done', '1', 'a piece is one row at least');
select is(interlock.fill_link('tap_more.tea') - 'source', '{"success": true, "done": 2, "left": 0, "filled": true}', 'then the rest');
select lives_ok($$select interlock.fill_link('tap_more.tea', p_again => true)$$, 'keys of another table are not looked for in this one');
select is(
  (select string_agg(p ->> 'pointer', ' ') from jsonb_array_elements((pg_temp.problems($$
    insert into tap_more.pots select 'x-' || n, ' ', 200, 20 from generate_series(130, 101, -1) n
  $$))) p),
  (select string_agg(format('/x-%s/name', n), ' ' order by n) from generate_series(101, 120) n), 'of what is wrong the first twenty are told, in the order of the keys'
);

-- Slots of a product that no table is linked to.
insert into interlock.products (id, name, price, currency, available_quantity) values ('98000000-0000-4000-8000-000000000001', 'Hot', 1, 'EUR', 100);
select public.set_stock_slots('98000000-0000-4000-8000-000000000001', 4);
select public.set_stock_slots(product_id, 2) from pg_temp.had where source = 'tap_more.tea' and source_id = '2';
select interlock.use_slot('98000000-0000-4000-8000-000000000001', 3, true);
update tap_more.tea set stock = stock + 5 where id = 2;
select is((public.get_stock(array['98000000-0000-4000-8000-000000000001'::uuid])).available_quantity, 97, 'what comes to a hot product comes to that one alone');

-- What waits, and the end of a link -------------------------------------------------------------------

insert into tap_more.tea (id, title, price, stock) values (6, 'tea 6', 100, 10);
alter table tap_more.tea add constraint at_most check (stock < 50);
select public.adjust_stock(product_id, 90) from pg_temp.had where source = 'tap_more.tea' and source_id in ('3', '4', '5', '6');
select is((select count(*) from interlock.stock_write_backs), 4::bigint, 'what is refused waits');
alter table tap_more.tea drop constraint at_most;
alter table tap_more.tea add constraint of_four check (id <> 4 or stock < 40);
create temporary table waiting as select source_id, product_id from pg_temp.had where source = 'tap_more.tea';
insert into interlock.stock_write_backs (product_id, link_id, source_id, reason)
select m.product_id, m.link_id, m.source_id, 'locked' from interlock.linked_products m where m.source_id in ('pot-1', 'pot-2');
select is(interlock.write_back_stock(product_id), 1, 'a job writes what can be written') from waiting where source_id = '5';
delete from interlock.products where id = (select product_id from waiting where source_id = '6');
select is(interlock.write_back_stock(product_id), 0, 'of a product that is gone nothing is') from waiting where source_id = '6';
select is(interlock.write_back_stock(product_id), 0, 'nor where it is not wanted') from pg_temp.had where source_id = 'pot-2';
select results_eq(
  'select source_id, left(reason, 5) from interlock.stock_write_backs order by 1',
  $$values ('3', '23514'), ('4', '23514'), ('6', '23514'), ('pot-1', 'locke')$$, 'what is done with does not wait'
);
delete from tap_more.tea where id = 6;
select is(interlock.unlink_products('tap_more.tea') -> 'not_written_back', '2', 'when a link ends, what waits is written, and what cannot be is told');
select is((select string_agg(stock::text, ' ' order by id) from tap_more.tea), '9 15 100 10 100', 'so it is');
select results_eq('select source_id from interlock.stock_write_backs', array['pot-1'], 'of that table nothing waits any more, of another what had');
select is(pg_temp.filled('tap_more.pots'), '3 pot-1 pot-2 pot-3 pot-4 pot-5', 'which is as filled as it was');
select is(
  (select count(*) from pg_trigger t where t.tgrelid = 'interlock.products'::regclass and t.tgname = 'products_written_back'), 0::bigint,
  'which has nothing written back, so no sale looks for links'
);
select results_eq(
  'select filled_to, filled_at from interlock.product_links where not active', $$values (null::text, null::timestamptz)$$, 'what was filled is filled anew, if the table is linked again'
);
select is(pg_temp.raised($$select interlock.fill_link('tap_more.tea')$$), 'PT400 VALIDATION_FAILED /p_source', 'a table that was linked is not filled');

-- Linked anew ------------------------------------------------------------------------------------------

select is(
  pg_temp.raised($$select interlock.link_products('tap_more.tea', pg_temp.tea() || '{"id": "code"}')$$), 'PT400 VALIDATION_FAILED /p_map/id',
  'by another key rows would be other products'
);
select is(
  (interlock.link_products('tap_more.tea', pg_temp.tea() - 'quantity', p_dry_run => true)) - 'problems',
  '{"success": true, "dry_run": true, "source": "tap_more.tea", "rows": 5, "known": 5}', 'its products are known'
);
select interlock.link_customers('tap_more.tea', '{"id": "id", "email": "mail"}');
select interlock.unlink_customers('tap_more.tea');
alter table tap_more.tea alter id type bigint;
create temporary table before as select product_id, stock from pg_temp.had where source = 'tap_more.tea';
set local search_path = tap_more, public, extensions;
select is(
  interlock.link_products(
    'tap_more.tea', '{"id": "id", "name": "label", "price": "amount", "price_unit": "major", "currency": "coin", "active": {"column": "state", "in": ["sold"]}}', false, 'refuse', 'source', p_fill => 1
  ) - 'problems',
  '{"success": true, "dry_run": false, "source": "tap_more.tea", "rows": 5, "known": 5, "done": 1, "left": 4, "filled": false}', 'linked otherwise than before, all are taken over anew'
);
set local search_path = public, extensions;
select is_empty('select from before b join interlock.products p on p.id = b.product_id where p.available_quantity <> b.stock', 'without a column of stock that stays as it is');
insert into tap_more.tea (id, label, amount, coin, state, stock) values (7, 'label 7', 2.5, 'USD', 'sold', 7);
update tap_more.tea set label = 'Label 7' where id = 7;
select results_eq($$select name, stock, active from pg_temp.had where source = 'tap_more.tea' and source_id = '7'$$, $$values ('Label 7', 0, true)$$, 'and new rows have none');
delete from tap_more.tea where id = 7;
select is((select active from pg_temp.had where source = 'tap_more.tea' and source_id = '7'), false, 'they come and go all the same');
create temporary table links as select to_jsonb(l) - '{id,created_at}'::text[] as link from interlock.product_links l where l.source = 'tap_more.tea'::regclass;
select interlock.unlink_products('tap_more.tea', true);
select interlock.link_products(
  'tap_more.tea', '{"id": "id", "name": "label", "price": "amount", "price_unit": "major", "currency": "coin", "active": {"column": "state", "in": ["sold"]}}', false, 'refuse', 'source', p_fill => 1,
  p_search_path => 'tap_more, public, extensions'
);
select is(to_jsonb(l) - '{id,created_at}'::text[], links.link, 'the same as if it had never been') from interlock.product_links l cross join links where l.source = 'tap_more.tea'::regclass;

-- What is noted of a statement ----------------------------------------------------------------------------

create table tap_more.strict (id int primary key, title text, price int not null, stock int, note text);
insert into tap_more.strict select n, 'strict ' || n, 100, n from generate_series(0, 4) n;
select interlock.link_products('tap_more.strict', pg_temp.tea(), true, 'refuse');
select is(pg_temp.raised('update tap_more.strict set stock = 1 where id = 3'), 'PT409 STOCK_NOT_RELATIVE', 'a row with the key of another table''s is refused all the same');
update tap_more.strict set id = id + 10 where id in (0, 4);
select results_eq(
  $$select source_id, stock, active from pg_temp.had where source = 'tap_more.strict' and source_id in ('0', '4', '10', '14') order by 1$$,
  $$values ('0', 0, false), ('10', 0, true), ('14', 4, true), ('4', 0, false)$$, 'another key is another product, also where writes of stock are refused, and of nothing'
);
set constraints all deferred;
update tap_more.strict set note = 'x';
select is_empty('select * from interlock.linked_changes', 'what is not linked is not noted');
set constraints all immediate;
select is(pg_temp.raised('truncate tap_more.strict'), '23001 tap_more.strict is linked to products: truncate refused', 'a truncate is refused');
create table tap_more.people (id int primary key, mail text);
insert into tap_more.people values (1, 'one-98@example.com'), (2, 'two-98@example.com');
select interlock.link_customers('tap_more.people', '{"id": "id", "email": "mail"}');
set constraints all deferred;
update tap_more.people set mail = null where id = 1;
update tap_more.pots set title = 'pot of both' where sku = 'pot-1';
update tap_more.strict set title = 'Late' where id = 2;
select interlock.unlink_products('tap_more.strict');
select lives_ok('set constraints all immediate', 'tables with other keys change in one transaction');
select is((select name from pg_temp.had where source = 'tap_more.strict' and source_id = '2'), 'strict 2', 'and of one that is unlinked in it nothing arrives');
set constraints all deferred;
update tap_more.people set mail = null where id = 2;
select interlock.unlink_customers('tap_more.people');
set constraints all immediate;
select is((select count(*) from interlock.customers c where c.email = 'two-98@example.com'), 1::bigint, 'of customers neither');
create trigger left_behind after update on tap_more.strict referencing old table as old_rows new table as new_rows
for each statement execute function interlock.note_linked_changes();
update tap_more.strict set title = 'Left', stock = 4 where id = 3;
select is((select name from pg_temp.had where source = 'tap_more.strict' and source_id = '3'), 'strict 3', 'a trigger that a restored table has kept does nothing where no link is');
drop trigger left_behind on tap_more.strict;
insert into interlock.stock_write_backs (product_id, link_id, source_id, reason)
select m.product_id, m.link_id, m.source_id, 'locked' from pg_temp.had h join interlock.linked_products m using (product_id) where h.source = 'tap_more.strict' and h.source_id = '3';
select is(interlock.write_back_stock(product_id), 0, 'nor is it written to') from interlock.stock_write_backs where reason = 'locked' and source_id = '3';

-- What is written back ----------------------------------------------------------------------------------------

select interlock.link_products('tap_more.strict', pg_temp.tea(), true, p_stock_from => 'source');
create function pg_temp.sold(p_id int, p_units int default 1) returns int language plpgsql as $$
begin
  perform public.decrement_product_quantity((select product_id from pg_temp.had where source = 'tap_more.strict' and source_id = p_id::text), p_units);
  return (select stock from tap_more.strict where id = p_id);
end
$$;
select is(pg_temp.raised('update tap_more.strict set stock = null where id = 14'), 'PT400 VALIDATION_FAILED /14/quantity', 'nothing is no stock');
alter table tap_more.strict disable trigger user;
update tap_more.strict set stock = null where id in (2, 14);
delete from tap_more.strict where id = 3;
alter table tap_more.strict enable trigger user;
select is(pg_temp.sold(14), 3, 'where it was written past the triggers, what there is is written over it');
update tap_more.strict set stock = 5 where id = 2;
select is((select stock from tap_more.strict where id = 2), 7, 'or what comes to it');
select is(pg_temp.sold(3), null, 'a row that was deleted past them is not written');
select is((select count(*) from interlock.stock_write_backs w join pg_temp.had h using (product_id) where h.source = 'tap_more.strict'), 0::bigint, 'nor waited for');
insert into interlock.stock_write_backs (product_id, link_id, source_id, reason)
select m.product_id, m.link_id, m.source_id, 'locked' from pg_temp.had h join interlock.linked_products m using (product_id) where h.source = 'tap_more.strict' and h.source_id = '2';
create temporary table place as select s.ctid::text as place from tap_more.strict s where s.id = 2;
select is(interlock.write_back_stock(product_id), 1, 'a column that has it already') from interlock.stock_write_backs where reason = 'locked' and source_id = '2';
select is(s.ctid::text, place.place, 'is not written again') from tap_more.strict s cross join place where s.id = 2;
-- The shop's own trigger has the last word, and what it adds has come.
create function tap_more.at_least() returns trigger language plpgsql as $$ begin new.stock := greatest(new.stock, 3); return new; end $$;
create trigger at_least before update on tap_more.strict for each row execute function tap_more.at_least();
select is(pg_temp.sold(2, 6), 3, 'what a trigger of the shop''s makes of a stock');
select is((select stock from pg_temp.had where source = 'tap_more.strict' and source_id = '2'), 3, 'is the stock');
-- As it is in the next transaction.
select set_config('interlock.written_back', '', true);
select lives_ok('update tap_more.strict set stock = stock + 1 where id = 2', 'and what the shop writes later is its own');
select interlock.unlink_products('tap_more.strict', true);
create schema tap_evil;
create table tap_evil.log (what text);
create function tap_evil.set_config(text, text, boolean) returns text language sql as $$ insert into tap_evil.log values ($1) returning what $$;
select interlock.link_products('tap_more.strict', pg_temp.tea(), true, p_search_path => 'tap_evil, pg_catalog');
select is(pg_temp.sold(2), 3, 'under the search path of a shop');
select is_empty('select * from tap_evil.log', 'nothing but its own triggers runs');

-- What is told of a row, once ---------------------------------------------------------------------------------

alter table tap_more.strict disable trigger user;
update tap_more.strict set title = 'bad', price = -1, stock = 99 where id = 1;
update tap_more.strict set title = 'later', stock = 98 where id = 2;
insert into tap_more.strict values (20, null, 100, 1);
alter table tap_more.strict enable trigger user;
update interlock.linked_products m set filled = false from pg_temp.had h where h.product_id = m.product_id and h.source = 'tap_more.strict' and h.source_id = '2';
select results_eq(
  $$select source_id, what from interlock.product_drift('tap_more.strict')$$, $$values ('1', 'invalid'), ('2', 'missing'), ('20', 'invalid')$$,
  'of a row that is not in order, or not taken over yet, nothing else is told'
);

-- What just fits, and what does not ------------------------------------------------------------------------

create table tap_more.most (sku text primary key, title text not null, price bigint not null, coin text not null, sold boolean, stock int not null);
select interlock.link_products('tap_more.most', '{"id": "sku", "name": "title", "price": "price", "price_unit": "minor", "currency": "coin", "active": "sold", "quantity": "stock"}');
insert into tap_more.most values (repeat('k', 200), repeat('x', 200), 1000000000000, 'EUR', true, 1000000000), ('none', 'n', 0, 'EUR', null, 999999999);
select results_eq(
  $$select char_length(name), stock, active from pg_temp.had where source = 'tap_more.most' order by active$$,
  $$values (1, 999999999, false), (200, 1000000000, true)$$, 'the most of everything is taken; what is not said to be for sale is not'
);
update tap_more.most set sold = true where sku = 'none';
select is((select active from pg_temp.had where source_id = 'none'), true, 'until it is');
update tap_more.most set stock = stock + 1, coin = 'CHF' where sku = 'none';
select is(
  (select p.currency || ' ' || h.stock from pg_temp.had h join interlock.products p on p.id = h.product_id where h.source_id = 'none'), 'CHF 1000000000',
  'a stock may come to the most that there can be, and a price to be in another currency'
);
select is(
  pg_temp.raised(format('insert into tap_more.most values (%L, %L, 1, %L, true, 1)', sku, 't', 'EUR')), 'PT400 VALIDATION_FAILED ' || pointer, 'a key of ' || char_length(sku) || ' characters is none'
)
from (values ('', '//id'), (repeat('k', 201), '/' || repeat('k', 201) || '/id')) k (sku, pointer);

select * from finish();
rollback;
