-- An account that goes leaves everybody else's rows as they were, and whoever asked in the shop that they asked for.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(6);

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('25-erase-user-others ' || p_name)::uuid $$;

insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-' || n || '@example.com' from unnest(array['ann', 'bob']) n;

-- Each has an order that has ended, with a proof that is still kept and one whose file is gone.
insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, cancelled_at)
select pg_temp.id('order of ' || w), pg_temp.id(w), 'cancelled', 'EUR', 100, 100, 'bank_transfer', now() from unnest(array['ann', 'bob']) w;
insert into interlock.payment_proofs (order_id, object_path, status, reason, decided_at)
select pg_temp.id('order of ' || w), t.path, 'rejected', 'Not theirs', now()
from unnest(array['ann', 'bob']) w, lateral (values (pg_temp.id(w) || '/' || w || '.pdf'), (null)) as t (path);

-- Each has sold at a till, closed its shift, and taken an order over.
insert into interlock.locations (id, name) values (pg_temp.id('store'), 'tap store of others');
insert into interlock.registers (id, location_id, name, currency)
select pg_temp.id('till of ' || w), pg_temp.id('store'), 'till of ' || w, 'EUR' from unnest(array['ann', 'bob']) w;
insert into interlock.shifts (id, register_id, opened_by, opening_cash, closed_at, closed_by, counted_cash, expected_cash, report)
select pg_temp.id('shift of ' || w), pg_temp.id('till of ' || w), pg_temp.id(w), 0, now(), pg_temp.id(w), 0, 0, '{}' from unnest(array['ann', 'bob']) w;
insert into interlock.sales (
  id, register_id, shift_id, location_id, receipt_number, status, currency, subtotal, discount, tax, tax_included, total, cashier, approved_by,
  needs_review, voided_at, voided_by, void_reason
)
select
  pg_temp.id('sale of ' || w), pg_temp.id('till of ' || w), pg_temp.id('shift of ' || w), pg_temp.id('store'), 1, 'voided', 'EUR', 0, 0, 0, 0, 0,
  pg_temp.id(w), pg_temp.id(w), '[]', now(), pg_temp.id(w), 'Wrong'
from unnest(array['ann', 'bob']) w;
insert into interlock.order_transfers (from_user_id, to_user_id, actor, moved_at)
select pg_temp.id(w), pg_temp.id(w), pg_temp.id(w), now() from unnest(array['ann', 'bob']) w;
-- And each has points that are still to be booked.
insert into interlock.points_due (order_id, user_id) select pg_temp.id('order of ' || w), pg_temp.id(w) from unnest(array['ann', 'bob']) w;

-- Rows that are written again, even as they were, are locked and stand elsewhere: with a long history that would hold up every till.
create function pg_temp.places()
returns table (what text, place tid)
language sql
as $$
  select 'sale', s.ctid from interlock.sales s where s.cashier = pg_temp.id('bob')
  union all select 'shift', s.ctid from interlock.shifts s where s.opened_by = pg_temp.id('bob')
  union all select 'transfer', t.ctid from interlock.order_transfers t where t.actor = pg_temp.id('bob')
  union all select 'points', d.ctid from interlock.points_due d where d.user_id = pg_temp.id('bob')
  union all select 'proof', f.ctid from interlock.payment_proofs f where f.order_id = pg_temp.id('order of bob')
$$;
create temporary table places as select p.what, p.place from pg_temp.places() p;
select is(
  (select string_agg(what, ' ' order by what) from places), 'points proof proof sale shift transfer', 'somebody else has some of each'
);

create temporary table before as select coalesce(current_setting('interlock.shop', true), '') as shop;
create temporary table answer as select interlock.erase_user(pg_temp.id('ann')) as it;

select is((select coalesce(current_setting('interlock.shop', true), '') from before), (select shop from before), 'whoever asked acts where they did');
select is(
  (select it -> 'files' from answer),
  case when to_regclass('storage.objects') is null then jsonb_build_array(pg_temp.id('ann') || '/ann.pdf') else '[]' end,
  'what they had uploaded is named, where nobody can look: theirs, and what has a name'
);
select set_eq(
  'select p.what, p.place from pg_temp.places() p', 'select p.what, p.place from places p', 'what is of somebody else stands where it stood'
);
select is(
  (select array_agg(concat_ws(' ', object_path, reason) order by object_path) from interlock.payment_proofs where order_id = pg_temp.id('order of bob')),
  array[pg_temp.id('bob') || '/bob.pdf Not theirs', 'Not theirs'], 'and says what it said'
);
select is(
  (select count(*) from interlock.sales where id = pg_temp.id('sale of ann') and num_nonnulls(cashier, voided_by, approved_by) = 0)
    + (select count(*) from interlock.shifts where id = pg_temp.id('shift of ann') and num_nonnulls(opened_by, closed_by) = 0),
  2::bigint, 'what is of the person is of nobody'
);

select * from finish();
rollback;
