-- Links are made, filled and ended at read committed only: at another level they would write what somebody else has changed since.

begin isolation level repeatable read;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(9);

create table public.tap_level (id int primary key);
select throws_ok(format('select interlock.%s', call), 'PT500', 'ISOLATION_LEVEL_UNSUPPORTED', call)
from unnest(array[
  $$link_products('public.tap_level', '{}')$$, $$fill_link('public.tap_level')$$, $$unlink_products('public.tap_level')$$,
  $$link_customers('public.tap_level', '{}')$$, $$fill_customers('public.tap_level')$$, $$unlink_customers('public.tap_level')$$,
  $$link_orders('public.tap_level', '{}')$$, $$fill_orders('public.tap_level')$$, $$unlink_orders('public.tap_level')$$
]) as c (call);

select * from finish();
rollback;
