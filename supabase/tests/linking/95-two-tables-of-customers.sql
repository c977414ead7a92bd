-- Two tables of customers with the same keys, side by side; what comes past the triggers; and whose a row is where several could be.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(32);
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
create view pg_temp.had as
  select l.source::text as source, m.source_id::text, m.customer_id, c.name::text, c.email::text, c.phone::text, c.user_id, c.erased_at is not null as erased
  from interlock.linked_customers m
  join interlock.customers c on c.id = m.customer_id
  join interlock.customer_links l on l.id = m.link_id;
insert into auth.users (id, aud, role, email)
select ('95000000-0000-4000-8000-00000000000' || n)::uuid, 'authenticated', 'authenticated', format('tap-95-%s@example.com', n) from generate_series(1, 3) n;

create schema tap_two;
create table tap_two.guests (id int primary key, name text, email text, account uuid);
create table tap_two.members (id int primary key, name text, email text, account uuid, phone text);
create table tap_two.log (what text);
-- Where there are many shops, the role that functions have reaches no further than the linked tables.
grant usage on schema tap_two to public;
grant insert on tap_two.log to public;
-- As it is often written, without a search path of its own.
create function tap_two.logged() returns trigger language plpgsql as $$ begin insert into log values (old.name); return new; end $$;
create trigger logged before update on tap_two.members for each row execute function tap_two.logged();
insert into tap_two.guests select n, 'guest ' || n, format('guest%s@example.com', n) from generate_series(1, 5) n;
insert into tap_two.members select n, 'member ' || n, format('member%s@example.com', n) from generate_series(1, 5) n;
create function pg_temp.map() returns jsonb language sql as $$ select jsonb '{"id": "id", "name": "name", "email": "email", "user": "account"}' $$;
select interlock.link_customers('tap_two.guests', pg_temp.map());
set local search_path = tap_two, public, extensions;
select is(
  interlock.link_customers('tap_two.members', pg_temp.map() || '{"phone": "phone"}', '{user,email,phone}', 'leave_out', p_on_erase => 'clear', p_fill => 2) -> 'left',
  '3', 'the other table is filled in pieces'
);
select results_eq($$select source_id from pg_temp.had where source ~ 'members' order by 1$$, $$values ('1'), ('2')$$, 'by its own keys, in their order');
-- One that comes before what was filled, past the trigger, as one that was held would.
alter table tap_two.members disable trigger user;
insert into tap_two.members values (0, 'member 0', 'member0@example.com');
alter table tap_two.members enable trigger user;
select is(interlock.fill_customers('tap_two.members', 3) - 'source', '{"success": true, "done": 3, "left": 1, "filled": false}', 'then the next ones');
select is(interlock.fill_links(3), 1, 'and at the end those that were passed over');
select is(interlock.fill_links(3), 0, 'then nothing');

update tap_two.members set name = 'Mia' where id = 1;
select results_eq(
  $$select source, name, email from pg_temp.had where source_id = '1' order by 1$$,
  $$values ('guests', 'guest 1', 'guest1@example.com'), ('members', 'Mia', 'member1@example.com')$$, 'a row of one table is no row of the other'
);
update tap_two.members set name = name || '!' where id in (1, 2, 3);
select results_eq(
  $$select name, email from pg_temp.had where source = 'members' and source_id in ('1', '2', '3') order by 1$$,
  $$values ('Mia!', 'member1@example.com'), ('member 2!', 'member2@example.com'), ('member 3!', 'member3@example.com')$$, 'of several rows what is not changed stays'
);
delete from tap_two.guests where id = 5;
select results_eq($$select source from pg_temp.had where source_id = '5'$$, array['members'], 'nor is a deletion');
select is((select count(*) from interlock.customers where name = 'guest 5'), 0::bigint, 'who was deleted is gone');

-- Past the triggers ------------------------------------------------------------------------

alter table tap_two.guests disable trigger user;
delete from tap_two.guests where id = 4;
update tap_two.guests set name = 'Gus', email = 'gus@example.com' where id = 3;
insert into tap_two.guests values (9, 'Late', 'late@example.com');
update tap_two.guests set account = '95000000-0000-4000-8000-000000000003' where id = 2;
alter table tap_two.guests enable trigger user;
select results_eq(
  'select source_id, what, in_source, in_interlock from interlock.customer_drift(''tap_two.guests'')',
  $$values
    ('2', 'user', '95000000-0000-4000-8000-000000000003', null), ('3', 'email', 'gus@example.com', 'guest3@example.com'), ('3', 'name', 'Gus', 'guest 3'),
    ('4', 'gone', null, 'guest 4'), ('9', 'missing', 'Late', null)$$,
  'what was written past the triggers is found'
);
select is(interlock.fill_customers('tap_two.guests', p_again => true) - 'source', '{"success": true, "done": 4, "left": 0, "filled": true}', 'all rows are taken over again');
select is_empty('select * from interlock.customer_drift()', 'then both say the same');
select results_eq(
  $$select source_id, name from pg_temp.had where source = 'guests' order by 1$$,
  $$values ('1', 'guest 1'), ('2', 'guest 2'), ('3', 'Gus'), ('9', 'Late')$$, 'who is gone is gone, and nobody else'
);
select is((select count(*) from pg_temp.had where source = 'members'), 6::bigint, 'of the other table nobody');
alter table tap_two.guests rename column name to title;
select results_eq(
  'select what, in_source from interlock.customer_drift()', $$values ('link', '/p_map/name')$$, 'a column that is gone is told'
);
alter table tap_two.guests rename column title to name;

-- Taken out ------------------------------------------------------------------------------------

delete from tap_two.log;
select public.erase_customer(customer_id) from pg_temp.had where source_id = '1' order by source;
select results_eq('select name, email from tap_two.guests where id = 1', $$values ('guest 1', 'guest1@example.com')$$, 'what is to be kept is kept');
select results_eq('select id, name, email from tap_two.members where name is null', $$values (1, null::text, null::text)$$, 'what is to be cleared is cleared, of this row alone');
select results_eq('select what from tap_two.log', array['Mia!'], 'the shop''s trigger sees it, with the search path that it needs');
select results_eq('select source, what from interlock.customer_drift()', $$values ('tap_two.guests', 'erased')$$, 'one is told');
update tap_two.members set name = 'Mia again' where id = 1;
select is((select name from pg_temp.had where source = 'members' and source_id = '1'), null, 'who was taken out does not come back');
update tap_two.guests set name = null, email = null where id = 1;
update tap_two.members set name = null where id = 1;
-- One who was merged into somebody is taken out with them.
select public.merge_customers((select customer_id from pg_temp.had where source = 'members' and source_id = '2'), (select customer_id from pg_temp.had where source = 'members' and source_id = '3'));
select public.erase_customer((select customer_id from pg_temp.had where source = 'members' and source_id = '3'));
select is((select count(*) from tap_two.members where id in (2, 3) and num_nonnulls(name, email) > 0), 0::bigint, 'with all of their rows');
select is_empty('select * from interlock.customer_drift()', 'both say the same');

-- Whose a row is -----------------------------------------------------------------------------------

insert into interlock.customers (name, email) values ('By e-mail', 'several@example.com');
insert into interlock.customers (name, user_id) values ('By account', '95000000-0000-4000-8000-000000000001');
insert into interlock.customers (name, phone) values ('By phone', '+491515555555');
insert into tap_two.members values (10, null, 'several@example.com', '95000000-0000-4000-8000-000000000001', '+49 151 5555555');
select results_eq(
  $$select name, email, phone from pg_temp.had where source_id = '10'$$, $$values ('By account', null::text, null::text)$$, 'the account comes first; what others have is theirs'
);
insert into tap_two.members values (11, null, 'several@example.com', null, '+49 151 5555555');
select results_eq(
  $$select name, email, phone from pg_temp.had where source_id = '11'$$, $$values ('By e-mail', 'several@example.com', null::text)$$, 'then the e-mail'
);
insert into tap_two.members values (12, null, null, null, '+49 151 5555555'), (13, 'Twin', null, null, '+49 151 5555555');
select results_eq(
  $$select source_id, name, phone from pg_temp.had where source_id in ('12', '13') order by 1$$,
  $$values ('12', 'By phone', '+491515555555'), ('13', 'Twin', null)$$, 'then the phone; of two rows the first is them'
);

-- What is refused -------------------------------------------------------------------------------------

create table tap_two.none (id int);
select is(
  pg_temp.raised($$select interlock.fill_customers('tap_two.none')$$) || ', ' || pg_temp.raised($$select interlock.unlink_customers('tap_two.none')$$),
  'PT400 VALIDATION_FAILED /p_source, PT400 VALIDATION_FAILED /p_source', 'what is not linked is neither filled nor unlinked'
);
create table tap_two.items (id int primary key, title text, price int, mail text);
select interlock.link_products('tap_two.items', '{"id": "id", "name": "title", "price": "price", "price_unit": "minor", "currency": {"is": "EUR"}}');
select is(
  pg_temp.raised($$select interlock.link_customers('tap_two.items', '{"id": "id", "email": "mail"}')$$), 'PT400 VALIDATION_FAILED /p_source', 'products are no customers'
);
select is(
  pg_temp.raised($$select interlock.link_products('tap_two.guests', '{"id": "id", "name": "name", "price": "id", "price_unit": "minor", "currency": {"is": "EUR"}}')$$),
  'PT400 VALIDATION_FAILED /p_source', 'nor customers products'
);
select is(pg_temp.raised($$select interlock.link_customers('tap_two.none', '[]')$$), 'PT400 VALIDATION_FAILED /p_map', 'a map is an object');
select is(
  pg_temp.raised($$select interlock.link_customers('tap_two.log', '{"id": "what", "name": "what"}')$$), 'PT400 VALIDATION_FAILED /p_map /p_map/id', 'somebody has to be found by something'
);
select interlock.unlink_customers('tap_two.members');
select is(
  (select count(*) from pg_trigger t where t.tgrelid = 'interlock.customers'::regclass and t.tgname = 'customers_erased_rows'), 0::bigint,
  'where nothing is to be cleared, customers have no trigger'
);
update tap_two.members set name = 'Later' where id = 4;
select public.erase_customer((select customer_id from pg_temp.had where source = 'members' and source_id = '4'));
select is((select name from tap_two.members where id = 4), 'Later', 'what is not linked any more is not cleared');

select * from finish();
rollback;
