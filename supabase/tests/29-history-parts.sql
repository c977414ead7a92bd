-- Histories by parts: made ahead, mended where nobody made one, archived when nothing in one has to stay; what of a part nobody may do.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(82);

-- Positions begin anew far above what is there, and with the transaction that is taken back.
create function pg_temp.go_to(p_position bigint)
returns void
language plpgsql
as $$
begin
  execute format('alter sequence %s restart with %s', pg_get_serial_sequence('interlock.stock_movements', 'id'), p_position);
  execute format('alter sequence interlock.event_position restart with %s', p_position);
  perform nextval(pg_get_serial_sequence('interlock.stock_movements', 'id')), nextval('interlock.event_position');
end
$$;
-- As often as a job would.
create function pg_temp.make()
returns int
language plpgsql
as $$
declare
  v_made int := 0;
begin
  while interlock.make_history_parts() > 0 loop
    v_made := v_made + 1;
  end loop;
  return v_made;
end
$$;
create function pg_temp.parts(p_history text)
returns text
language sql
as $$
  select string_agg(concat_ws('-', coalesce(h.first::text, ''), h.after), ' ' order by h.after) from interlock.history_parts(p_history) h
$$;
create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('29-history-parts ' || p_name)::uuid $$;
create function pg_temp.ago(p_rest interval)
returns timestamptz
language sql
as $$ select now() - interval '60 years' - p_rest $$;
create function pg_temp.move(p_name text, p_created_at timestamptz default pg_temp.ago('2 days'), p_delta int default 1)
returns text
language sql
as $$
  insert into interlock.stock_movements (product_id, delta, reason, created_at)
  values (pg_temp.id(p_name), p_delta, 'tap', p_created_at)
  returning tableoid::regclass::text
$$;
create function pg_temp.close(p_name text)
returns void
language sql
as $$
  insert into interlock.stock_balances
  select m.product_id, m.location_id, max(m.id), sum(m.delta)
  from interlock.stock_movements m
  where m.product_id = pg_temp.id(p_name)
  group by 1, 2
  on conflict on constraint stock_balances_pkey do update set closed_through = excluded.closed_through, quantity = excluded.quantity
$$;

-- As it is installed ----------------------------------------------------------

select is(
  (
    select string_agg(h.name, ' ' order by h.name) from interlock.histories() h
    where exists (select from interlock.history_parts(h.name))
  ), 'order_events outbox stock_movements', 'these have parts'
);
select set_eq(
  $$
    select c.relname::text from pg_class c where c.relnamespace = 'interlock'::regnamespace and c.relkind = 'p'
  $$,
  'select name from interlock.histories()', 'and no others'
);
select is(pg_temp.parts('stock_movements'), '-5000000', 'at first one');
select is((select history_part_rows from interlock.settings), 5000000::bigint, 'of as many as each');
select is(interlock.make_history_parts(), 0, 'and no more is needed');
select is(interlock.archive_history(), 0, 'nor is one over');
select throws_ok(
  format('update interlock.settings set history_part_rows = %s', n), '23514', null, n || ' is no size'
)
from unnest(array[999, 1000000001]) n;
select is(
  (
    select count(*) from pg_class c
    where c.relnamespace = 'interlock_parts'::regnamespace
      and c.relkind in ('r', 'p')
      and (not c.relrowsecurity or c.relowner <> (select t.relowner from pg_class t where t.oid = 'interlock.orders'::regclass))
  ), 0::bigint, 'each part has row security, and the owner of all'
);
select is_empty(
  $$
    select r.role, s.name from unnest(array['anon', 'authenticated', 'service_role', 'authenticator']) as r (role)
    cross join (values ('interlock_parts')) as s (name)
    where has_schema_privilege(r.role, s.name, 'usage') or has_schema_privilege(r.role, s.name, 'create')
  $$, 'nobody looks a name of a part up'
);

-- Made ahead --------------------------------------------------------------------

select pg_temp.go_to(2499999);
select is(interlock.make_history_parts(), 0, 'with half a part ahead none is made');
select pg_temp.go_to(2500001);
set local role service_role;
select is(public.arrange_history(), '{"success": true, "made": 1, "archived": 0}', 'with less, the shop makes one');
reset role;
select is(pg_temp.make(), 2, 'and one for each history');
select is(
  (select string_agg(pg_temp.parts(h.name), ', ') from interlock.histories() h),
  '-5000000 5000000-10000000, -5000000 5000000-10000000, -5000000 5000000-10000000', 'the next'
);
select pg_temp.go_to(4999998);
select is(pg_temp.move('a') || ' ' || pg_temp.move('a'), 'interlock_parts.stock_movements_0 interlock_parts.stock_movements_5000000', 'which is written to in its turn');
select is(pg_temp.make(), 0, 'once');
update interlock.settings set history_part_rows = null;
select pg_temp.go_to(9000000);
select is(interlock.make_history_parts(), 0, 'null makes no more');
update interlock.settings set history_part_rows = 1000;
select is(interlock.make_history_parts(), 0, 'another size counts');
select pg_temp.go_to(9999501);
select is(pg_temp.make(), 3, 'from the next on');
select is(pg_temp.parts('outbox'), '-5000000 5000000-10000000 10000000-10001000', 'which is as large as that');

-- What a part is ----------------------------------------------------------------

select is(
  (
    select string_agg(t.tgname, ' ' order by t.tgname) from pg_trigger t
    where t.tgrelid = 'interlock_parts.stock_movements_10000000'::regclass and not t.tgisinternal
  ), 'stock_movements_append_only stock_movements_no_truncate', 'a part that was made is guarded as its history is'
);
select ok(
  (select c.relrowsecurity and c.relacl is null or c.relacl::text !~ 'anon|authenticated|service_role' from pg_class c where c.oid = 'interlock_parts.order_events_10000000'::regclass),
  'and is nobody''s'
);
select is(
  (select count(*) from pg_index i where i.indrelid = 'interlock_parts.order_events_10000000'::regclass),
  (select count(*) from pg_index i where i.indrelid = 'interlock.order_events'::regclass), 'with its indexes'
);
select is(
  (select pg_get_constraintdef(k.oid) from pg_constraint k where k.conrelid = 'interlock_parts.order_events_10000000'::regclass and k.contype = 'f'),
  'FOREIGN KEY (order_id) REFERENCES interlock.orders(id)', 'and its foreign key'
);
select throws_ok(
  format('truncate interlock_parts.%s', t), '23001', format('interlock.%s is append-only: truncate refused', h), t || ' is not emptied'
)
from (values ('stock_movements_10000000', 'stock_movements'), ('stock_movements_0', 'stock_movements'), ('outbox_rest', 'outbox')) as t (t, h);
select throws_ok(
  'delete from interlock_parts.stock_movements_5000000', '23001', 'interlock.stock_movements is append-only: delete refused', 'nor deleted from'
);
select throws_ok(
  'update interlock.stock_movements set delta = 2', '23001', 'interlock.stock_movements is append-only: update refused', 'nor changed'
);

-- What nobody has made one for ---------------------------------------------------

select pg_temp.go_to(10001999);
select is(pg_temp.move('late'), 'interlock_parts.stock_movements_rest', 'what no part is there for is taken all the same');
insert into interlock.stock_movements (id, product_id, delta, reason)
overriding system value
values (10005000, pg_temp.id('late'), 1, 'tap');
select is((select sum(delta)::int from interlock.stock_movements where product_id = pg_temp.id('late')), 2, 'and counts');
select is(interlock.make_history_part('stock_movements', 'id', pg_get_serial_sequence('interlock.stock_movements', 'id'), 1000), true, 'then the rest becomes a part');
select is(
  pg_temp.parts('stock_movements'), '-5000000 5000000-10000000 10000000-10001000 10001000-10007000', 'of what it has, and what may come meanwhile'
);
select is(
  (select string_agg(tableoid::regclass || ' ' || delta, ', ') from interlock.stock_movements where product_id = pg_temp.id('late')),
  'interlock_parts.stock_movements_10001000 1, interlock_parts.stock_movements_10001000 1', 'no row is lost'
);
select is((select count(*) from interlock_parts.stock_movements_rest), 0::bigint, 'and the rest is empty');
select throws_ok('truncate interlock_parts.stock_movements_rest', '23001', null, 'guarded');
select is(pg_temp.move('late'), 'interlock_parts.stock_movements_10001000', 'what comes is in it');
select is(
  interlock.make_history_part('stock_movements', 'id', pg_get_serial_sequence('interlock.stock_movements', 'id'), 1000), false, 'it is enough'
);
select is(
  (
    select string_agg(t.tgname, ' ' order by t.tgname) from pg_trigger t
    where t.tgrelid = 'interlock_parts.stock_movements_rest'::regclass and not t.tgisinternal
  ), 'stock_movements_append_only stock_movements_no_truncate', 'the new rest has the triggers'
);
select pg_temp.make();

-- Archived ------------------------------------------------------------------------

insert into auth.users (id, aud, role, email) values (pg_temp.id('ann'), 'authenticated', 'authenticated', 'tap-29@example.com');
insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method)
values (pg_temp.id('order'), pg_temp.id('ann'), 'confirmed', 'USD', 700, 700, 'cash_on_delivery');
insert into interlock.webhook_endpoints (id, url, active) values (pg_temp.id('hook'), 'https://tap.example.com', false);
create function pg_temp.archive()
returns int
language plpgsql
as $$
declare
  v_archived int := 0;
begin
  while interlock.archive_history() > 0 loop
    v_archived := v_archived + 1;
  end loop;
  return v_archived;
end
$$;
-- One part of each history is written to, and then another one, so that it is over.
select pg_temp.go_to(19999900);
select pg_temp.make();
create temporary table parts as
select h.name, p.first, p.after from interlock.histories() h cross join lateral interlock.history_parts(h.name) p where 19999900 between p.first and p.after - 1;
create function pg_temp.part_of(p_history text)
returns text
language sql
as $$
  select c.relname::text || case c.relnamespace::regnamespace::text when 'interlock_archive' then ' archived' else '' end
  from pg_class c
  where c.relname = (select h.name || '_' || h.first from parts h where h.name = p_history) and c.relkind = 'r'
$$;
select is((select count(*) from parts), 3::bigint, 'positions that were passed over are in the next part');
alter table interlock.products disable trigger user;
insert into interlock.products (id, name, price, currency, available_quantity) values (pg_temp.id('tea'), 'Tea', 700, 'USD', 7);
alter table interlock.products enable trigger user;
select pg_temp.move('tea', p_delta => 10);
select pg_temp.move('tea', p_delta => -3);
select pg_temp.move('old', p_delta => 5);
select pg_temp.move('old', pg_temp.ago('0'), -5);
insert into interlock.order_events (order_id, event, created_at)
values (pg_temp.id('order'), 'confirmed', pg_temp.ago('2 days')), (pg_temp.id('order'), 'shipped', pg_temp.ago('0'));
insert into interlock.outbox (type, subject, payload, created_at)
values ('tap.happened', 'tap-29', '{}', pg_temp.ago('2 days')), ('tap.happened', 'tap-29', '{}', pg_temp.ago('0'));
insert into interlock.deliveries (position, transaction, endpoint_id, subject)
select e.id, e.transaction, pg_temp.id('hook'), 'tap' from interlock.order_events e where e.order_id = pg_temp.id('order') and e.event = 'confirmed' and e.created_at < now()
union all
select b.position, b.transaction, pg_temp.id('hook'), 'tap' from interlock.outbox b where b.subject = 'tap-29' and b.created_at < pg_temp.ago('1 day');

update interlock.settings set keep_stock_movements = '59 years', keep_order_events = '59 years', keep_events = '59 years';
select pg_temp.archive();
select is(pg_temp.part_of('stock_movements'), 'stock_movements_10007000', 'what is written to is not archived');
select pg_temp.go_to(30000000);
select pg_temp.make();

select is(pg_temp.archive(), 3, 'of what is over, parts that are empty');
select is(
  (select string_agg(pg_temp.part_of(p.name), ' ' order by p.name) from parts p),
  'order_events_10003000 outbox_10003000 stock_movements_10007000',
  'not what nobody has closed, what an order is not done with, and what is to be delivered'
);
select pg_temp.close('tea'), pg_temp.close('old');
update interlock.settings set keep_stock_movements = '60 years';
select is(pg_temp.archive(), 0, 'nor where the youngest is not old enough');
update interlock.settings set keep_stock_movements = null;
select is(pg_temp.archive(), 0, 'null means for ever');
update interlock.settings set keep_stock_movements = '59 years';
update interlock.stock_balances set closed_through = closed_through - 1 where product_id = pg_temp.id('old');
select is(pg_temp.archive(), 0, 'nor where one movement is open');
update interlock.stock_balances set closed_through = closed_through + 1 where product_id = pg_temp.id('old');
create temporary table files as
select c.oid, c.relfilenode from pg_class c
where c.relname = 'stock_movements_10007000' or c.oid in (select i.indexrelid from pg_index i where i.indrelid = 'interlock_parts.stock_movements_10007000'::regclass);
select is(pg_temp.archive(), 1, 'then it is');
select is(pg_temp.part_of('stock_movements'), 'stock_movements_10007000 archived', 'the part');
select is_empty(
  'select from files f join pg_class c using (oid) where c.relfilenode <> f.relfilenode', 'with the files that it had: nothing was written anew'
);

delete from interlock.deliveries where endpoint_id = pg_temp.id('hook') and position in (select e.id from interlock.order_events e);
select is(pg_temp.archive(), 0, 'an order that is not at its end keeps its history');
update interlock.orders set status = 'cancelled', cancelled_at = now() where id = pg_temp.id('order');
insert into interlock.deliveries (position, transaction, endpoint_id, subject)
select e.id, e.transaction, pg_temp.id('hook'), 'tap' from interlock.order_events e where e.order_id = pg_temp.id('order') and e.event = 'shipped';
select is(pg_temp.archive(), 0, 'a delivery its event');
delete from interlock.deliveries where endpoint_id = pg_temp.id('hook') and position in (select e.id from interlock.order_events e);
update interlock.settings set keep_order_events = '60 years';
select is(pg_temp.archive(), 0, 'what is young itself');
update interlock.settings set keep_order_events = '59 years';
select is(pg_temp.archive(), 1, 'then it goes');
select is(pg_temp.part_of('order_events'), 'order_events_10003000 archived', 'the part of the order');
delete from interlock.deliveries where endpoint_id = pg_temp.id('hook');
update interlock.settings set keep_events = '60 years';
select is(pg_temp.archive(), 0, 'events as long as they are kept');
update interlock.settings set keep_events = '59 years';
create table interlock_archive.outbox_10003000 ();
alter table interlock_archive.outbox_10003000 enable row level security;
set local role service_role;
select is(public.arrange_history(), '{"success": true, "made": 0, "archived": 1}', 'then the shop archives them');
reset role;
select is((select count(*) from pg_class c where c.relname ~ '^outbox_10003000(_[0-9]+)?$' and c.relnamespace = 'interlock_archive'::regnamespace), 2::bigint, 'beside what is called so');

-- What an archived part is --------------------------------------------------------

create temporary view archived as select c.oid, c.relname, c.relacl, c.relrowsecurity from pg_class c where c.relnamespace = 'interlock_archive'::regnamespace and c.relkind = 'r';
select is_empty(
  $$select relname from archived where not relrowsecurity or relacl::text ~ 'anon|authenticated|service_role|=.*,=|\{='$$, 'what is archived is its owner''s alone'
);
select is_empty(
  $$
    select r.role from unnest(array['anon', 'authenticated', 'service_role']) as r (role)
    where has_schema_privilege(r.role, 'interlock_archive', 'usage') or has_schema_privilege(r.role, 'interlock_archive', 'create')
  $$, 'and so is the schema'
);
select is_empty(
  $$
    select a.relname, pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
    from archived a
    join pg_depend d on d.objid = a.oid or d.objid in (select k.oid from pg_constraint k where k.conrelid = a.oid union all select f.oid from pg_attrdef f where f.adrelid = a.oid)
    where pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) ~ 'interlock\.'
      or d.refclassid = 'pg_type'::regclass
  $$, 'it needs nothing of Interlock'
);
select is_empty(
  $$
    select i.indexrelid::regclass from archived a join pg_index i on i.indrelid = a.oid join pg_class c on c.oid = i.indexrelid
    where not starts_with(c.relname, a.relname || '_index_')
  $$, 'its indexes are called after it'
);
select is_empty('select from archived a join pg_trigger t on t.tgrelid = a.oid', 'and has no triggers');
select is_empty(
  $$
    select a.relname from archived a
    where a.relname <> 'outbox_10003000'
      and not exists (select from pg_constraint k where k.conrelid = a.oid and k.contype = 'p')
  $$, 'its key is one still'
);
select is(
  (select sum(delta)::int || ' in ' || count(*) from interlock_archive.stock_movements_10007000), '7 in 4', 'its rows are all there'
);
select is((select count(*) from interlock.stock_movements where product_id in (pg_temp.id('tea'), pg_temp.id('old'))), 0::bigint, 'and no longer in the history');
create function pg_temp.differences()
returns bigint
language sql
as $$ select count(*) from interlock.stock_differences where product_id in (pg_temp.id('tea'), pg_temp.id('old')) $$;
select is(pg_temp.differences(), 0::bigint, 'the books are exact');
update interlock.products set available_quantity = 5 where id = pg_temp.id('tea');
select is(
  (select tableoid::regclass || ' ' || delta from interlock.stock_movements where product_id = pg_temp.id('tea')),
  'interlock_parts.stock_movements_20001000 -2', 'what is sold is written'
);
select is(pg_temp.differences(), 0::bigint, 'and exact');
update interlock.stock_balances set quantity = 8 where product_id = pg_temp.id('tea');
select is(pg_temp.differences(), 1::bigint, 'what was archived counts in them');
update interlock.stock_balances set quantity = 7 where product_id = pg_temp.id('tea');

-- What comes late to a part that was archived is of the rest, and stays there.
insert into interlock.stock_movements (id, product_id, delta, reason, created_at)
overriding system value
values (10007005, pg_temp.id('strayed'), 1, 'tap', pg_temp.ago('2 days')), (10007006, pg_temp.id('strayed'), -1, 'tap', pg_temp.ago('2 days'));
select is(pg_temp.make(), 0, 'which asks for no part');
select pg_temp.go_to((select max(p.after) from interlock.history_parts('stock_movements') p) + 10);
select is(pg_temp.move('next'), 'interlock_parts.stock_movements_rest', 'with others');
select ok(pg_temp.make() > 0, 'they become a part');
select is(
  (select string_agg(m.tableoid::regclass || ' ' || m.id, ', ' order by m.id) from interlock.stock_movements m where m.product_id = pg_temp.id('strayed')),
  'interlock_parts.stock_movements_rest 10007005, interlock_parts.stock_movements_rest 10007006', 'without what came late'
);

-- Row by row, too --------------------------------------------------------------

select pg_temp.close('strayed');
select is(
  (select count(distinct m.tableoid) || ' ' || count(*) from interlock.stock_movements m
   where m.ctid = '(0,1)' and m.product_id in (pg_temp.id('tea'), pg_temp.id('strayed'))), '2 2',
  'rows of two parts lie at one place'
);
select is((interlock.purge_history() ->> 'stock_movements')::int, 2, 'what is purged is what is old');
select is((select count(*) from interlock.stock_movements m where m.product_id = pg_temp.id('strayed')), 0::bigint, 'of one of them');
select is((select count(*) from interlock.stock_movements where product_id in (pg_temp.id('tea'), pg_temp.id('next'))), 2::bigint, 'nothing else');
select is(pg_temp.differences(), 0::bigint, 'and the books are exact');

-- What waits for its part is not removed before; what holds a part holds nothing else in it.
insert into interlock.stock_movements (id, product_id, delta, reason, created_at)
overriding system value
values (20001100, pg_temp.id('waits'), 1, 'tap', pg_temp.ago('2 days'));
select pg_temp.close('waits');
create temporary table last as select max(p.after) as after from interlock.history_parts('stock_movements') p;
select pg_temp.go_to((select after from last) - 100);
select pg_temp.move('gone');
select pg_temp.move('holds');
select pg_temp.close('gone');
select pg_temp.go_to((select after from last) + 10);
select pg_temp.make();
select pg_temp.archive();
select is((select count(*) from interlock.stock_movements where product_id = pg_temp.id('gone')), 1::bigint, 'a part is held');
select is((interlock.purge_history() ->> 'stock_movements')::int, 1, 'what does not hold it goes');
select results_eq(
  $$
    select n.name, (select count(*) from interlock.stock_movements m where m.product_id = pg_temp.id(n.name))
    from unnest(array['gone', 'holds', 'waits']) with ordinality as n (name, place) order by n.place
  $$,
  $$values ('gone', 0::bigint), ('holds', 1), ('waits', 1)$$, 'what waits for its part does not'
);

select is_empty(
  $$select from pg_locks l where l.pid = pg_backend_pid() and l.relation = 'auth.users'::regclass and l.mode = 'AccessExclusiveLock'$$,
  'of all that was done here nothing kept anybody from signing in'
);

select * from finish();
rollback;
