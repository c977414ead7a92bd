-- What `npm run verify` finds wrong with parts of histories, in which words, and that what it proposes mends it.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(45);

-- Positions begin anew far above what is there, with parts of a thousand, and with the transaction that is taken back.
create function pg_temp.go_to(p_position bigint)
returns void
language plpgsql
as $$
begin
  execute format('alter sequence %s restart with %s', pg_get_serial_sequence('interlock.stock_movements', 'id'), p_position);
  execute format('alter sequence interlock.event_position restart with %s', p_position);
  perform nextval(pg_get_serial_sequence('interlock.stock_movements', 'id')), nextval('interlock.event_position');
  while interlock.make_history_parts() > 0 loop
    null;
  end loop;
end
$$;
create function pg_temp.told()
returns setof text
language sql
as $$ select concat_ws(' | ', p.level, p.subject, p.todo) from interlock.find_part_problems() p $$;
-- These things are told; what is proposed is done, statement by statement, and nothing is told any more.
create function pg_temp.is_told(p_damage text, p_subjects text[], p_why text)
returns setof text
language plpgsql
as $$
declare
  v_todo text;
begin
  execute p_damage;
  return next bag_eq(
    'select p.level || '' '' || p.subject from interlock.find_part_problems() p', array(select 'problem ' || u from unnest(p_subjects) u), p_why
  );
  for v_todo in select p.todo from interlock.find_part_problems() p loop
    begin
      execute v_todo;
    exception
      when others then
        return next fail(format('%s: %s', v_todo, sqlerrm));
    end;
  end loop;
  return next is_empty('select pg_temp.told()', 'and mended: ' || v_todo);
end
$$;
create function pg_temp.is_told(p_damage text, p_subject text, p_why text)
returns setof text
language sql
as $$ select pg_temp.is_told(p_damage, array[p_subject], p_why) $$;

select is_empty('select pg_temp.told()', 'as it is installed nothing is wrong');
update interlock.settings set history_part_rows = 1000, keep_stock_movements = null, keep_order_events = null, keep_events = '90 days';
select pg_temp.go_to(4999900);
select pg_temp.go_to(5000900);
select pg_temp.go_to(5001900);
select is(
  (select string_agg(h.after::text, ' ' order by h.after) from interlock.history_parts('outbox') h), '5000000 5001000 5002000 5003000',
  'there are several parts'
);
select is_empty('select pg_temp.told()', 'of which nothing is wrong');

select pg_temp.is_told(
  'drop table interlock_parts.stock_movements_rest', 'stock_movements has no part for the rest: what no part is there for is refused, and with it the sale',
  'one that is missing: the rest'
);
select pg_temp.is_told(
  'drop table interlock_parts.stock_movements_5000000', 'stock_movements has no part for positions from 5000000 to 5001000', 'one that is missing, of a history that is never archived'
);
select pg_temp.is_told(
  'drop table interlock_parts.order_events_0', 'order_events has no part for positions from the beginning to 5000000', 'the first one'
);
select pg_temp.is_told(
  'alter table interlock.outbox detach partition interlock_parts.outbox_5001000', 'interlock_parts.outbox_5001000 is part of nothing: what is in it is in no history',
  'one that is detached'
);
select pg_temp.is_told(
  'alter table interlock.outbox detach partition interlock_parts.outbox_rest', 'interlock_parts.outbox_rest is part of nothing: what is in it is in no history', 'the rest, too'
);
select pg_temp.is_told(
  'alter table interlock.outbox detach partition interlock_parts.outbox_5002000', 'interlock_parts.outbox_5002000 is part of nothing: what is in it is in no history', 'and the newest'
);
select pg_temp.is_told(
  'drop index interlock.stock_movements_by_reference; create index stock_movements_by_reference on only interlock.stock_movements (reference_id) where reference_id is not null;
   do $x$ declare p text; begin for p in select i.inhrelid::regclass from pg_inherits i where i.inhparent = ''interlock.stock_movements''::regclass and i.inhrelid <> ''interlock_parts.stock_movements_5000000''::regclass loop
     execute format(''create index %I on %s (reference_id) where reference_id is not null'', ''tap_'' || p, p); execute format(''alter index interlock.stock_movements_by_reference attach partition interlock_parts.%I'', ''tap_'' || p); end loop; end $x$',
  'interlock_parts.stock_movements_5000000 is without the index interlock.stock_movements_by_reference', 'one without an index'
);
select ok(x.indisvalid, 'which is whole again') from pg_index x where x.indexrelid = 'interlock.stock_movements_by_reference'::regclass;
select pg_temp.is_told(
  'drop trigger outbox_no_truncate on interlock_parts.outbox_0', 'interlock_parts.outbox_0 is without the trigger outbox_no_truncate', 'one that can be truncated'
);
select pg_temp.is_told(
  'alter table interlock_parts.outbox_0 disable trigger outbox_append_only', 'interlock_parts.outbox_0 is without the trigger outbox_append_only', 'one that can be rewritten'
);
select pg_temp.is_told(
  'alter table interlock_parts.order_events_rest disable row level security', 'interlock_parts.order_events_rest has its row security off', 'one with row security off'
);
select pg_temp.is_told(
  'grant select on interlock_parts.order_events_0 to authenticated, public; grant update (event) on interlock_parts.order_events_0 to anon',
  'interlock_parts.order_events_0 is open to anon, authenticated, public', 'one that somebody may read'
);
select pg_temp.is_told(
  'grant usage on schema interlock_parts to anon', 'the schema interlock_parts is open to anon', 'or look up'
);

-- Several at once, each for itself.
select pg_temp.is_told(
  'alter table interlock.order_events detach partition interlock_parts.order_events_0; drop table interlock_parts.order_events_5001000; drop table interlock_parts.stock_movements_0',
  array[
    'interlock_parts.order_events_0 is part of nothing: what is in it is in no history',
    'order_events has no part for positions from 5001000 to 5002000',
    'stock_movements has no part for positions from the beginning to 5000000'
  ],
  'what is detached fills the gap of no other history, and no later one'
);
select pg_temp.is_told(
  'alter table interlock.order_events detach partition interlock_parts.order_events_5001000; drop table interlock_parts.order_events_0',
  array[
    'interlock_parts.order_events_5001000 is part of nothing: what is in it is in no history', 'order_events has no part for positions from the beginning to 5000000'
  ],
  'and no earlier one'
);
select pg_temp.is_told(
  'alter table interlock.outbox detach partition interlock_parts.outbox_5002000; alter table interlock.order_events detach partition interlock_parts.order_events_5002000;
   alter sequence interlock.event_position restart with 5002950; select nextval(''interlock.event_position'')',
  array[
    'interlock_parts.outbox_5002000 is part of nothing: what is in it is in no history', 'interlock_parts.order_events_5002000 is part of nothing: what is in it is in no history'
  ],
  'nor is one missing besides that is detached while it is written'
);
create table interlock_parts.outbox_4 (n int);
select is(
  array(select pg_temp.told()),
  array['problem | interlock_parts.outbox_4 is part of nothing: what is in it is in no history | look what is in it, and move it to another schema'],
  'what fits nowhere is to be looked at'
);
drop table interlock_parts.outbox_4;
grant usage on schema extensions to anon;
select is_empty('select pg_temp.told()', 'another schema is nobody''s business here');

-- What is written comes to the rest.
do $$
begin
  execute format('alter sequence %s restart with 5003100', pg_get_serial_sequence('interlock.stock_movements', 'id'));
  perform nextval(pg_get_serial_sequence('interlock.stock_movements', 'id'));
end
$$;
select set_eq(
  'select p.subject from interlock.find_part_problems() p', array['stock_movements has no part for what is written now, which comes to its rest'], 'where nobody makes parts'
);
update interlock.settings set history_part_rows = null;
select is_empty('select pg_temp.told()', 'unless the shop wants no more of them');
update interlock.settings set history_part_rows = 1000;
select interlock.make_history_parts();

-- What is archived is no part any more; what the shop has dropped of it cannot be told from what is lost.
select interlock.archive_history_part('outbox', 'interlock_parts.outbox_5000000');
select is_empty('select pg_temp.told()', 'what is archived is not missing');
drop table interlock_archive.outbox_5000000;
select is(
  array(select pg_temp.told()),
  array['note | outbox has no part for positions from 5000000 to 5001000 | where it was archived and you have dropped it, all is well; else select interlock.add_history_part(''outbox'', ''outbox_5000000'', ''for values from (5000000) to (5001000)'')'],
  'where the shop archives it may have been dropped'
);
create function pg_temp.gaps() returns text[] language sql as $$
  select array_agg(p.level || ' ' || substring(p.subject from 'from .*') order by p.subject) from interlock.find_part_problems() p where p.subject like 'outbox%'
$$;
create schema tap_other;
create table tap_other.outbox_5000000 (n int);
select is(pg_temp.gaps(), '{note from 5000000 to 5001000}', 'a table of its name somewhere else is not it');
select interlock.archive_history_part('outbox', 'interlock_parts.outbox_0');
drop table interlock_archive.outbox_0;
create table interlock_archive.outbox_5001000 (n int);
select is(pg_temp.gaps(), '{note from the beginning to 5001000}', 'nor is an archive of later ones');
drop table interlock_archive.outbox_5001000;
select interlock.add_history_part('outbox', 'outbox_0', 'for values from (minvalue) to (5000000)');
create table interlock_archive.outbox_7 (n int);
select is(pg_temp.gaps(), '{note from 5000000 to 5001000}', 'or of earlier ones');
create table interlock_archive.outbox_5002000 (n int);
select pg_temp.go_to(5002600);
drop table interlock_parts.outbox_5002000;
select is(pg_temp.gaps(), '{note from 5000000 to 5001000,problem from 5002000 to 5003000}', 'what is not full was not archived, whatever is in the archive');
select interlock.add_history_part('outbox', 'outbox_5002000', 'for values from (5002000) to (5003000)');
drop table interlock_parts.outbox_5002000;
create table interlock_parts.somebodys (n int);
select set_eq(
  'select p.level || '' '' || p.subject from interlock.find_part_problems() p',
  array[
    'problem outbox has no part for positions from 5002000 to 5003000', 'note outbox has no part for positions from 5000000 to 5001000',
    'problem interlock_parts.somebodys is part of nothing: what is in it is in no history'
  ],
  'but not before it is full; what is none of ours is told'
);

select * from finish();
rollback;
