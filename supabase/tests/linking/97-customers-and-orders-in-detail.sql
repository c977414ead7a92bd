-- What of linked customers and orders is seen only where several things come together: rows that pass something on, links that are
-- filled anew, points, and rows that wait.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(50);
set constraints all immediate;

create view pg_temp.had as
  select l.source::text as source, m.source_id::text, m.customer_id, m.to_erase, m.filled, c.name::text, c.email::text, c.phone::text, c.user_id
  from interlock.linked_customers m
  join interlock.customers c on c.id = m.customer_id
  join interlock.customer_links l on l.id = m.link_id;
insert into auth.users (id, aud, role, email)
select ('97000000-0000-4000-8000-00000000000' || n)::uuid, 'authenticated', 'authenticated', format('tap-97-%s@example.com', n) from generate_series(1, 5) n;

create schema tap_more;
create table tap_more.members (id int unique, code text unique, name text, email text, phone text, account uuid);
create table tap_more.guests (id int primary key, name text, email text);
insert into tap_more.members (id, name, email) select n, 'member ' || n, format('member%s@example.com', n) from generate_series(1, 6) n;
insert into tap_more.guests select n, 'guest ' || n, format('guest%s@example.com', n) from generate_series(1, 3) n;
select interlock.link_customers('tap_more.guests', '{"id": "id", "name": "name", "email": "email"}', p_on_erase => 'clear');
select interlock.link_customers(
  'tap_more.members', '{"id": "id", "name": "name", "email": "email", "phone": "phone", "user": "account"}', '{user,email}', 'leave_out'
);

-- What passes from one to the other --------------------------------------------------------------

update tap_more.members set phone = '+49 151 111111' || id, account = format('97000000-0000-4000-8000-00000000000%s', id)::uuid where id in (1, 2);
update tap_more.members set phone = '+49 151 111111' || (3 - id) where id in (1, 2);
update tap_more.members set account = format('97000000-0000-4000-8000-00000000000%s', 3 - id)::uuid where id in (1, 2);
select results_eq(
  $$select source_id, phone, right(user_id::text, 1) from pg_temp.had where source ~ 'members' and phone is not null order by 1$$,
  $$values ('1', '+491511111112', '2'), ('2', '+491511111111', '1')$$, 'phones and accounts pass from one to the other'
);
-- What else a customer has, said elsewhere, stays.
create table tap_more.pairs (id int primary key, name text, email text, phone text, account uuid);
insert into tap_more.pairs select n, 'pair ' || n, format('pair%s@example.com', n), '+49 151 222222' || n, null from generate_series(1, 2) n;
select interlock.link_customers('tap_more.pairs', '{"id": "id", "name": "name", "email": "email", "phone": "phone", "user": "account"}', '{}');
create function pg_temp.pairs() returns text language sql as $$
  select string_agg(concat_ws(' ', split_part(email, '@', 1), right(phone, 1), right(user_id::text, 1)), ', ' order by source_id) from pg_temp.had where source ~ 'pairs'
$$;
update interlock.customers c set email = replace(c.email, 'pair', 'own'), user_id = format('97000000-0000-4000-8000-00000000000%s', m.source_id::int + 2)::uuid
from pg_temp.had m where m.customer_id = c.id and m.source ~ 'pairs';
update tap_more.pairs set phone = '+49 151 222222' || (3 - id);
select is(pg_temp.pairs(), 'own1 2 3, own2 1 4', 'where phones pass, e-mail and account stay');
update interlock.customers c set phone = '+4915133333' || m.source_id from pg_temp.had m where m.customer_id = c.id and m.source ~ 'pairs';
update tap_more.pairs set email = format('own%s@example.com', 3 - id);
select is(pg_temp.pairs(), 'own2 1 3, own1 2 4', 'where addresses do, the phone does');
select public.erase_customer(customer_id) from pg_temp.had where source ~ 'pairs';
select interlock.unlink_customers('tap_more.pairs', true);

-- What one lets go, another takes in the same statement, whichever row comes first; nobody's name or consent goes with it.
create table tap_more.heirs (id int primary key, name text, email text, phone text, account uuid);
insert into tap_more.heirs
select n, 'heir ' || n, format('heir%s@example.com', n), '+49 151 444444' || n, format('97000000-0000-4000-8000-00000000000%s', n + 2)::uuid from generate_series(1, 3) n;
select interlock.link_customers('tap_more.heirs', '{"id": "id", "name": "name", "email": "email", "phone": "phone", "user": "account"}', '{user,email,phone}');
create temporary table heirs as select source_id, customer_id from pg_temp.had where source ~ 'heirs';
create function pg_temp.heirs() returns text language sql as $$
  select string_agg(concat_ws(' ', right(h.name, 1), coalesce(substring(h.email from '[a-z]+[0-9]'), '-'), coalesce(right(h.phone, 1), '-'), coalesce(right(h.user_id::text, 1), '-')), ', ' order by h.source_id)
    || case when exists (select from heirs o join pg_temp.had n using (source_id) where n.source ~ 'heirs' and n.customer_id <> o.customer_id) then ', somebody else' else '' end
  from pg_temp.had h where h.source ~ 'heirs'
$$;
create function pg_temp.done(p_sql text) returns text language plpgsql as $$
declare
  v_detail text;
begin
  execute p_sql;
  set constraints all immediate;
  return pg_temp.heirs();
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return concat_ws(' ', sqlstate, sqlerrm, v_detail::jsonb #>> '{problems,0,pointer}');
end
$$;
select is(
  pg_temp.done($$
    update tap_more.heirs h set
      email = case h.id when 2 then 'heir1@example.com' end,
      phone = case h.id when 2 then '+49 151 4444441' end,
      account = case h.id when 2 then '97000000-0000-4000-8000-000000000003'::uuid end
    where h.id in (1, 2)
  $$),
  '1 - - -, 2 heir1 1 3, 3 heir3 3 5', 'what the first lets go, the second takes'
);
select is(
  pg_temp.done($$
    update tap_more.heirs h set
      email = case h.id when 1 then 'heir1@example.com' end,
      phone = case h.id when 1 then '+49 151 4444441' end,
      account = case h.id when 1 then '97000000-0000-4000-8000-000000000003'::uuid end
    where h.id in (1, 2)
  $$),
  '1 heir1 1 3, 2 - - -, 3 heir3 3 5', 'and what the second lets go, the first'
);
select is(
  pg_temp.done($$
    update tap_more.heirs h set email = case h.id when 2 then 'heir1@example.com' when 1 then 'heir3@example.com' end
  $$),
  '1 heir3 1 3, 2 heir1 - -, 3 - 3 5', 'or three of them in a row, of whom the last has none'
);
select is_empty('select * from interlock.customer_drift($$tap_more.heirs$$)', 'both say the same');
set constraints all deferred;
insert into tap_more.heirs (id, name, email) values (0, 'heir 0', 'heir3@example.com');
update tap_more.heirs set email = null where id = 1;
select is(pg_temp.done('select 1'), '0 heir3 - -, 1 - 1 3, 2 heir1 - -, 3 - 3 5', 'who is new takes it, and is a person of their own');
-- What was said in Interlock, and the row did not change, it does not let go.
update interlock.customers c set email = 'own' || h.source_id || '@example.com' from pg_temp.had h where h.customer_id = c.id and h.source ~ 'heirs' and h.source_id in ('1', '2');
select is(
  pg_temp.done($$update tap_more.heirs h set phone = case h.id when 2 then '+49 151 4444442' else h.phone end, email = case h.id when 3 then 'own2@example.com' else h.email end$$),
  'PT400 VALIDATION_FAILED /3/email', 'an address that somebody was given at a till is theirs, though their row has another'
);
select is(
  pg_temp.done($$update tap_more.heirs h set phone = case h.id when 1 then null else h.phone end, email = case h.id when 3 then 'own1@example.com' else h.email end$$),
  'PT400 VALIDATION_FAILED /3/email', 'or none'
);
select public.erase_customer(customer_id) from pg_temp.had where source ~ 'heirs';
select interlock.unlink_customers('tap_more.heirs', true);

set constraints all deferred;
update tap_more.members set code = 'code ' || id;
select is_empty('select * from interlock.linked_changes', 'what is not linked is not noted');
set constraints all immediate;
create temporary table places as select m.customer_id, m.ctid::text as place from interlock.linked_customers m;
update tap_more.members set name = name || '!' where id = 1;
select is_empty(
  'select from interlock.linked_customers m join places p using (customer_id) where m.ctid::text <> p.place', 'a change of who somebody is writes no more than that'
);
insert into interlock.customers (name, email) values ('Till', 'till@example.com');
set constraints all deferred;
update tap_more.members set email = 'till@example.com' where id = 1;
insert into tap_more.members (id, name, email) values (14, null, 'till@example.com');
set constraints all immediate;
select results_eq(
  $$select source_id, name, email from pg_temp.had where source ~ 'members' and source_id in ('1', '14') order by 1$$,
  $$values ('1', 'member 1!', null), ('14', 'Till', 'till@example.com')$$, 'who has a customer is nobody else'
);
select public.merge_customers((select customer_id from pg_temp.had where name = 'member 3'), (select customer_id from pg_temp.had where name = 'member 5'));
update tap_more.members set email = 'shared@example.com' where id in (3, 5);
select is((select email from pg_temp.had where name = 'member 5'), 'shared@example.com', 'who was merged claims nothing');
create function pg_temp.first_problem(p_sql text) returns text language plpgsql as $$
declare
  v_detail text;
begin
  execute p_sql;
  return null;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return v_detail::jsonb #>> '{problems,0,pointer}';
end
$$;
select is(
  pg_temp.first_problem($$update tap_more.guests set name = repeat('x', 201), email = 'none' where id in (1, 2)$$), '/1/email', 'what is wrong is told in the order of the keys'
);

insert into interlock.customers (name, email) values ('Alone', 'alone@example.com');
select is(
  pg_temp.first_problem($$insert into tap_more.guests values (9, 'Nine', 'alone@example.com')$$), '/9/email', 'where no e-mail is to say who somebody is, none does'
);

create function pg_temp.problems(p_sql text) returns int language plpgsql as $$
declare
  v_detail text;
begin
  execute p_sql;
  return 0;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_array_length(v_detail::jsonb -> 'problems');
end
$$;

-- Points -----------------------------------------------------------------------------------------

insert into interlock.points_rules (currency, per_amount, points) values ('EUR', 100, 1);
insert into interlock.products (id, name, price, currency, available_quantity) values ('97000000-0000-4000-8000-0000000000a1', 'Tea', 700, 'EUR', 100);
create function pg_temp.buys(p_user int) returns uuid language plpgsql as $$
declare
  v_id uuid;
begin
  perform set_config('request.jwt.claims', format('{"sub": "97000000-0000-4000-8000-00000000000%s", "role": "authenticated"}', p_user), true);
  v_id := public.checkout('[{"product_id": "97000000-0000-4000-8000-0000000000a1", "quantity": 1}]', p_payment_method => 'cash_on_delivery') #>> '{order,id}';
  perform set_config('request.jwt.claims', '', true);
  return v_id;
end
$$;
update tap_more.members set account = '97000000-0000-4000-8000-000000000003' where id = 6;
create temporary table bought as select pg_temp.buys(3) as id;
update interlock.orders o set status = 'paid' from bought b where o.id = b.id;
update tap_more.members set account = '97000000-0000-4000-8000-000000000004' where id = 6;
select is(
  (select a.balance::bigint from interlock.points_accounts a join pg_temp.had h using (customer_id) where h.source_id = '6'), 7::bigint,
  'what an account has earned is that of who had it'
);

create temporary table bought_more as select pg_temp.buys(4) as id;
update interlock.orders o set status = 'paid' from bought_more b where o.id = b.id;
update tap_more.members set account = null where id = 6;
select is(
  (select a.balance::bigint from interlock.points_accounts a join pg_temp.had h using (customer_id) where h.source_id = '6'), 14::bigint,
  'also of who has none any more'
);
create table tap_more.codes (code text primary key, email text, phone text, news text);
select interlock.link_customers('tap_more.codes', '{"id": "code", "email": "email", "phone": "phone", "marketing": {"column": "news", "in": ["yes"]}}');
select is(pg_temp.first_problem($$insert into tap_more.codes values ('blank', '', '  ')$$), null, 'what is blank is nothing');
select is((select c.marketing from interlock.customers c join pg_temp.had h on h.customer_id = c.id where h.source_id = 'blank'), false, 'and who has not said yes has not');
select is(pg_temp.first_problem(format('insert into tap_more.codes values (%L)', code)), '/' || code || '/id', 'a key of ' || char_length(code) || ' characters is none')
from unnest(array['', repeat('k', 201)]) code;
select is(pg_temp.problems($$insert into tap_more.codes select 'x-' || n, 'none' from generate_series(101, 125) n$$), 20, 'of what is wrong twenty are told');
select interlock.unlink_customers('tap_more.codes', true);

-- Linked anew --------------------------------------------------------------------------------------

select interlock.unlink_customers('tap_more.guests');
update tap_more.guests set name = 'Gus' where id = 2;
select interlock.link_customers('tap_more.guests', '{"id": "id", "name": "name", "email": "email"}', p_on_erase => 'clear', p_fill => 1);
select is((select count(*) from pg_temp.had where source ~ 'guests' and filled), 1::bigint, 'linked anew, all are taken over anew');
update tap_more.members set name = 'Mo' where id = 2;
select is((select count(*) from pg_temp.had where source ~ 'guests' and filled), 1::bigint, 'a row of one table fills none of the other');
select results_eq(
  $$select source_id, what from interlock.customer_drift('tap_more.guests')$$, $$values ('2', 'missing'), ('3', 'missing')$$, 'what is not taken over yet is told once'
);
select interlock.fill_links(10);
alter table tap_more.members disable trigger user;
insert into tap_more.members (id, name) values (null, 'No key');
alter table tap_more.members enable trigger user;
select results_eq(
  $$select source_id, what from interlock.customer_drift()$$, $$values (null::text, 'invalid')$$, 'and so is a row that cannot be'
);
delete from tap_more.members where id is null;

-- Taken out, some of them ------------------------------------------------------------------------------

alter table tap_more.guests add constraint stays check (name is not null or id = 1);
select public.erase_customer(customer_id) from pg_temp.had where source ~ 'guests';
select results_eq(
  $$select source_id, to_erase from pg_temp.had where source ~ 'guests' order by 1$$, $$values ('1', false), ('2', true), ('3', true)$$, 'what refuses is noted, and nothing else'
);
alter table tap_more.guests drop constraint stays, add constraint stays check (name is not null or id < 3) not valid;
select is(interlock.fill_links(10), 1, 'a job does what can be done');
select results_eq($$select source_id from pg_temp.had where to_erase$$, array['3'], 'and keeps the rest in mind');
create table tap_more.others (id int primary key, email text);
insert into tap_more.guests values (4, 'guest 4', 'guest4@example.com');
insert into tap_more.others values (3, 'other3@example.com');
select interlock.link_customers('tap_more.others', '{"id": "id", "email": "email"}', p_on_erase => 'clear');
alter table tap_more.guests drop constraint stays, add constraint stays check (name is not null or id <> 3) not valid;
select public.erase_customer(customer_id) from pg_temp.had where source ~ 'guests' and source_id = '4' or source ~ 'others';
select results_eq(
  $$select h.source_id, g.email from tap_more.guests g join pg_temp.had h on h.source_id = g.id::text and h.source ~ 'guests' where h.to_erase$$,
  $$values ('3', 'guest3@example.com')$$, 'whoever else is taken out meanwhile'
);
select is((select count(*) from tap_more.guests where id = 4 and name is null) + (select count(*) from tap_more.others where email is null), 2::bigint, 'which they are');
alter table tap_more.guests drop constraint stays;
select is(interlock.fill_links(10), 1, 'until that can be done');
select interlock.unlink_customers('tap_more.members');
create trigger left_behind after update on tap_more.members referencing old table as old_rows new table as new_rows
for each statement execute function interlock.note_linked_people();
select lives_ok('update tap_more.members set id = 60 where id = 6', 'a trigger that a restored table has kept does nothing where no link is');
drop trigger left_behind on tap_more.members;
update interlock.customer_links set on_erase = 'clear' where source = 'tap_more.members'::regclass;
select public.erase_customer(customer_id) from pg_temp.had where source ~ 'members' and source_id = '2';
select is((select name from tap_more.members where id = 2), 'Mo', 'what is not linked any more is not cleared, whatever else is');
create table tap_more.profiles (id uuid primary key, email text);
insert into tap_more.profiles values ('97000000-0000-4000-8000-000000000001', 'p@example.com');
select interlock.link_customers('tap_more.profiles', '{"id": "id", "user": "id", "email": "email"}', '{}', 'leave_out', p_on_erase => 'clear');
insert into interlock.customers (id, name, user_id) values ('97000000-0000-4000-8000-000000000005', 'Somebody', '97000000-0000-4000-8000-000000000005');
insert into tap_more.profiles values ('97000000-0000-4000-8000-000000000005', 'q@example.com');
select results_eq(
  $$select customer_id = source_id::uuid, name from pg_temp.had where source ~ 'profiles' order by source_id$$, $$values (true, null), (false, null)$$, 'a key that is somebody else''s id makes nobody of them, nor does an account where that is not said'
);
delete from tap_more.profiles where email = 'q@example.com';
select public.erase_customer(customer_id) from pg_temp.had where source ~ 'profiles';
select results_eq('select id, email from tap_more.profiles', $$values ('97000000-0000-4000-8000-000000000001'::uuid, null::text)$$, 'a key is not cleared');

-- Orders -------------------------------------------------------------------------------------------------

create table tap_more.one (id uuid primary key, minor int not null);
create table tap_more.two (id text primary key, state text);
select is(
  interlock.link_orders('tap_more.one', '{"id": "id", "total": "minor", "unit": "minor"}', p_since => now()) -> 'success', 'true', 'a column may be called as the unit'
);
select interlock.link_orders('tap_more.two', '{"id": "id", "status": "state"}', p_since => now());
alter table tap_more.one add constraint never check (minor > 1000) not valid;
alter table tap_more.two add constraint never check (state is null) not valid;
create temporary table orders as select pg_temp.buys(n) as id from generate_series(3, 4) n;
select is((select count(*) from interlock.order_write_outs), 4::bigint, 'two orders wait for two tables');
alter table tap_more.two drop constraint never;
select is(interlock.write_order_out((select min(id::text)::uuid from orders)), 1, 'one is written where it can be');
select results_eq(
  'select l.target::text, count(*) from interlock.order_write_outs w join interlock.order_links l on l.id = w.link_id group by 1 order by 1',
  $$values ('tap_more.one', 2::bigint), ('tap_more.two', 1)$$, 'the others go on waiting'
);
select interlock.write_order_out((select max(id::text)::uuid from orders));
delete from tap_more.two;
insert into interlock.order_write_outs (order_id, link_id, reason)
select (select min(id::text)::uuid from orders), l.id, 'locked' from interlock.order_links l where l.target = 'tap_more.two'::regclass;
select is(interlock.fill_orders('tap_more.two', 10) ->> 'done', '3', 'a fill passes over what waits for this table, not for another');
select is((select count(*) from tap_more.two t where t.id = (select min(id::text) from orders)), 0::bigint, 'which a job does');
select is(interlock.unlink_orders('tap_more.one') -> 'not_written', '2', 'what cannot be written when a link ends is told');
select is((select count(*) from interlock.order_write_outs), 0::bigint, 'and what can be, also for another table, is');
alter table tap_more.two rename column id to key;
select isnt(pg_temp.buys(4), null, 'a key that is gone stops no order');
alter table tap_more.two rename column key to id;
select is(interlock.unlink_orders('tap_more.two') -> 'not_written', '0', 'unlinked, what waits is written first');
select is((select count(*) from tap_more.two), 5::bigint, 'all of it');

create function pg_temp.messages(p_map jsonb) returns setof text language sql as $$
  select concat_ws(' ', p ->> 'pointer', p ->> 'message') from jsonb_array_elements(interlock.link_orders('tap_more.two', p_map, p_dry_run => true) -> 'problems') p
$$;
select results_eq(
  $$select * from pg_temp.messages('{"status": {"column": "state", "as": {"paid": 1}}, "number": 1, "tracking": {}}') where position('names no column' in messages) = 0$$,
  array[
    '/p_map/id is required: the column that has the id of the order', '/p_map/status/as must say which word becomes which: {"pending_payment": "pending"}',
    '/p_map/tracking/as must say which word becomes which: {"pending_payment": "pending"}', '/p_map id of tap_more.two must be filled, and nothing does: give it a default'
  ],
  'what a map needs'
);
create function tap_more.begins() returns trigger language plpgsql as $$
begin
  if new.state = 'fulfilled' then raise 'an order cannot begin so'; end if;
  return new;
end
$$;
create trigger begins before insert on tap_more.two for each row execute function tap_more.begins();
select is_empty($$select * from pg_temp.messages('{"id": "id", "status": "state"}')$$, 'an order is tried from its first state on');

select * from finish();
rollback;
