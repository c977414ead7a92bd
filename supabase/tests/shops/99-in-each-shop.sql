-- What is asked in each shop, or in one, is asked of each by itself; and whoever serves one shop again keeps what was archived, and the parts of histories whole.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
set local lock_timeout = '10s';
select plan(18);

select results_eq(
  $$select * from interlock.in_each_shop('select 7 as n')$$, $$values ('{"n": 7, "shop": null}'::jsonb)$$, 'where there is one shop, it is asked'
);
select results_eq(
  format('select * from interlock.in_shop(%L, ''select current_user as n'')', s), $$select jsonb_build_object('n', current_user)$$,
  'as it is, by ' || s
)
from unnest(array['1', 'shop']) s;
select throws_ok($$select interlock.in_shop('2', 'select 7')$$, 'PT404', 'SHOP_UNKNOWN', 'and no other');
select interlock.serve_shops();
alter table interlock.shops alter id restart with 2;
select interlock.add_shop('tap-berlin'), interlock.add_shop('tap-paris'), interlock.add_shop('tap-rome');
insert into interlock.promo_codes (shop_id, code, discount_type, discount_value)
select n, 'TAP' || m, 'percentage', 10 from generate_series(1, 3) n cross join generate_series(1, n) m;
select interlock.set_shop(4, 'moving');
select set_eq(
  $$select * from interlock.in_each_shop('select count(*) as n, current_user as by from interlock.promo_codes where code like ''TAP%''')$$,
  $$select jsonb_build_object('shop', n, 'n', n, 'by', 'interlock_owner') from generate_series(1, 3) n$$,
  'each shop tells of itself, but for one that is being moved'
);
select is_empty(
  $$select * from interlock.in_each_shop('select 1 from interlock.promo_codes where code = ''nowhere''')$$, 'a query without rows has none'
);
select is(
  current_setting('role') || current_setting('interlock.shop', true), 'none', 'and afterwards whoever asked is who they were, in no shop'
);
select interlock.set_shop(3, 'closed');
select results_eq(
  format('select * from interlock.in_shop(%L, ''select count(*) as n, current_user as by from interlock.promo_codes where code like ''''TAP%%'''''')', s),
  $$values ('{"n": 3, "by": "interlock_owner"}'::jsonb)$$, 'one is asked by ' || s || ', though it is closed'
)
from unnest(array['3', 'tap-paris']) s;
select is(
  current_setting('role') || current_setting('interlock.shop', true), 'none', 'and whoever asked is who they were again'
);
select throws_ok($$select interlock.in_shop('4', 'select 7')$$, 'PT503', 'SHOP_MOVING', 'not one that is being moved');
select throws_ok(format('select interlock.in_shop(%L, ''select 7'')', s), 'PT404', 'SHOP_UNKNOWN', 'nor one that is none')
from unnest(array['5', 'tap']) s;
select is_empty('select * from interlock.find_part_problems()', 'parts of histories are as they should be, for all shops at once');
alter table interlock_parts.outbox_rest no force row level security;
select is(
  (select todo from interlock.find_part_problems() where subject = 'interlock_parts.outbox_rest does not keep shops apart'),
  $$select interlock.guard_by_shop('interlock_parts.outbox_rest')$$,
  'one that does not keep shops apart is named'
);

-- Back to one shop.
select interlock.archive_history_part('order_events', 'interlock_parts.order_events_0');
do $$
declare
  v_table regclass;
begin
  for v_table in select t.name from interlock.keyed_tables() t where not t.is_part loop
    execute format('alter table %s disable trigger user', v_table);
    execute format('delete from %s where shop_id > 1', v_table);
    execute format('alter table %s enable trigger user', v_table);
  end loop;
end
$$;
select interlock.serve_one_shop();
select isnt(to_regclass('interlock_archive.order_events_0'), null, 'what was archived is kept');
select is(
  (select c.relowner::regrole::text from pg_class c where c.oid = to_regclass('interlock_archive.order_events_0')), current_user::text,
  'by whoever has installed this'
);
select is_empty(
  $$select * from interlock.find_part_problems() where level = 'problem' and subject !~ 'order_events'$$, 'and parts have all their indexes'
);

select * from finish();
rollback;
