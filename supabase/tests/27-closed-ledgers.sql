-- Ledgers that are closed into a balance: what is closed, what stays open, that the books agree all the same.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(34);
-- Else what refers to accounts waits, where there are many shops, and a table that waits is not altered.
set constraints all immediate;

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('27-closed ' || p_name)::uuid $$;

-- What the views say, and what a sum of everything says: differences of both kinds, by name.
create function pg_temp.books()
returns text
language sql
as $$
  select concat_ws(
    ' ',
    (select count(*) from interlock.stock_differences),
    (select count(*) from interlock.wallet_differences),
    (
      select count(*)
      from interlock.products p
      where p.id in (pg_temp.id('plain'), pg_temp.id('hot'))
        and p.available_quantity
          - (select coalesce(sum(c.used), 0) from interlock.counter_slots c where c.owner_id = p.id)
          <> (select sum(m.delta) from interlock.stock_movements m where m.product_id = p.id)
    ),
    (
      select count(*)
      from interlock.wallets w
      where w.user_id = pg_temp.id('ann')
        and w.balance <> (select sum(m.delta) from interlock.wallet_movements m where m.user_id = w.user_id)
    )
  )
$$;

-- Ledger of a product or a wallet: how many are closed, their sum.
create function pg_temp.closed(p_name text)
returns text
language sql
as $$
  select format('%s %s', count(m.id), b.quantity)
  from interlock.stock_balances b
  left join interlock.stock_movements m on m.product_id = b.product_id and m.id <= b.closed_through
  where b.product_id = pg_temp.id(p_name)
  group by b.quantity
  union all
  select format('%s %s', count(m.id), b.balance)
  from interlock.wallet_balances b
  left join interlock.wallet_movements m on m.user_id = b.user_id and m.id <= b.closed_through
  where b.user_id = pg_temp.id(p_name)
  group by b.balance
$$;

select is((select close_ledgers_after from interlock.settings), interval '90 days', 'after three months');
select throws_ok(
  format('update interlock.settings set close_ledgers_after = %L', v), '23514',
  'new row for relation "settings" violates check constraint "settings_close_ledgers_after_sane"', 'not after ' || v
)
from unnest(array['23 hours', '101 years']) v;

-- Nothing of others is due. Old movements are made by hand, with the stock and the balance that they lead to.
update interlock.settings set close_ledgers_after = '50 years';
insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-closed-' || n || '@example.com'
from unnest(array['ann', 'bob', 'zoe']) n;
alter table interlock.products disable trigger products_record_opening_stock;
alter table interlock.wallets disable trigger wallets_record_movement;
insert into interlock.products (id, name, price, currency, available_quantity)
values (pg_temp.id('plain'), 'plain', 100, 'EUR', 10), (pg_temp.id('hot'), 'hot', 100, 'EUR', 640),
  (pg_temp.id('none'), 'none', 100, 'EUR', 0);
insert into interlock.wallets (user_id, balance, currency) values (pg_temp.id('ann'), 500, 'EUR'), (pg_temp.id('bob'), 100, 'EUR'), (pg_temp.id('zoe'), 0, 'EUR');
alter table interlock.products enable trigger products_record_opening_stock;
alter table interlock.wallets enable trigger wallets_record_movement;
insert into interlock.stock_movements (product_id, delta, reason, created_at)
select pg_temp.id(m.name), m.delta, 'tap', now() - interval '50 years' - m.age
from (values
  ('plain', 20, interval '2 days'), ('plain', -3, '0'), ('plain', -5, '1 day'), ('plain', -2, '0'),
  ('hot', 600, '1 day'), ('hot', 40, '1 day')
) as m (name, delta, age);
insert into interlock.wallet_movements (user_id, delta, balance_after, currency, reason, created_at)
select pg_temp.id('ann'), m.delta, 1, 'EUR', 'tap', now() - interval '50 years' - m.age
from (values (700, interval '2 days'), (-50, '1 day'), (-100, '0'), (-30, '1 day'), (-20, '0')) as m (delta, age);
insert into interlock.wallet_movements (user_id, delta, balance_after, currency, reason, created_at)
values (pg_temp.id('bob'), 100, 100, 'EUR', 'tap', now() - interval '50 years 1 day');

select is(pg_temp.books(), '0 0 0 0', 'before, the books agree');

update interlock.settings set close_ledgers_after = null;
select is(interlock.close_ledgers(), 0, 'null means never');
update interlock.settings set close_ledgers_after = '50 years';
select is(
  array(select l from interlock.ledgers_to_close() l),
  array[pg_temp.id('ann'), pg_temp.id('bob'), pg_temp.id('plain'), pg_temp.id('hot')],
  'wallets and products that have something to close, in the order of their ids'
);
select is(interlock.close_ledgers(n), 0, coalesce(n, -1) || ' movements are none') from unnest(array[0, -1]) n;

set local role service_role;
select is(public.close_ledgers(1), '{"success": true, "closed": 1}', 'the shop closes as many as it says');
reset role;
select is(pg_temp.closed('ann'), '1 700', 'of wallets first');
select is(pg_temp.books(), '0 0 0 0', 'half-way, the books agree');
-- The younger one has a lower id than one that is due: it began later, and was there sooner.
select is(interlock.close_ledgers(null), 9, 'or what is left of 1000');
select is(pg_temp.closed('ann'), '4 520', 'of a wallet what is due, with all before it');
select is(pg_temp.closed('plain'), '3 12', 'of a product as well');
select is(pg_temp.closed('hot'), '2 640', 'of each');
select is(interlock.close_ledgers(), 0, 'once');
select is(array(select l from interlock.ledgers_to_close() l), '{}'::uuid[], 'then there are none');
select is(pg_temp.books(), '0 0 0 0', 'closed, the books agree');

-- A product's ledger in steps: what is open begins with one that is young, and is closed with what is due after it.
insert into interlock.stock_movements (product_id, delta, reason, created_at)
select pg_temp.id('plain'), d, 'tap', now() - interval '50 years 1 day' from unnest(array[4, -4]) d;
select is(interlock.close_ledger(pg_temp.id('plain'), 1), 0, 'one that is young is not closed by itself');
select is(interlock.close_ledger(pg_temp.id('plain'), 2), 2, 'with the next it is');
select is(pg_temp.closed('plain'), '5 14', 'to what was closed before');
select is(interlock.close_ledgers(), 1, 'the rest in the next call');
select is(pg_temp.books(), '0 0 0 0', 'in steps, too, the books agree');

-- It goes on.
select interlock.set_stock_slots(pg_temp.id('hot'), 4);
select interlock.decrement_product_quantity(pg_temp.id('hot'), 3, 'tap hot');
select interlock.decrement_product_quantity(pg_temp.id('plain'), 1, 'tap plain');
update interlock.products set available_quantity = available_quantity + 7 where id = pg_temp.id('plain');
update interlock.wallets set balance = balance + 5 where user_id = pg_temp.id('ann');
select is(pg_temp.books(), '0 0 0 0', 'after sales, from slots too, and corrections the books agree');
select is(interlock.close_ledgers(), 0, 'what is new stays open');

alter table interlock.products disable trigger products_record_stock;
update interlock.products set available_quantity = available_quantity + 1 where id = pg_temp.id('plain');
alter table interlock.products enable trigger products_record_stock;
alter table interlock.wallets disable trigger wallets_record_movement;
update interlock.wallets set balance = balance + 1 where user_id = pg_temp.id('ann');
alter table interlock.wallets enable trigger wallets_record_movement;
select results_eq(
  'select product_id, quantity::int, ledger_quantity::int from interlock.stock_differences',
  $$values (pg_temp.id('plain'), 17, 16)$$,
  'what does not add up is seen in a ledger that is closed in part'
);
select results_eq(
  'select user_id, balance::int, ledger_balance::int from interlock.wallet_differences',
  $$values (pg_temp.id('ann'), 506, 505)$$,
  'of a wallet as well'
);
alter table interlock.products disable trigger products_record_stock;
update interlock.products set available_quantity = available_quantity - 1 where id = pg_temp.id('plain');
alter table interlock.products enable trigger products_record_stock;

-- Nobody writes balances.
set local role service_role;
select throws_ok(format('update interlock.%I set closed_through = 0', t), '42501', null, 'nobody changes ' || t)
from unnest(array['stock_balances', 'wallet_balances']) t;
select is((select quantity::numeric from interlock.stock_balances where product_id = pg_temp.id('plain')), 10::numeric, 'the shop reads them');
reset role;

-- What an erased account leaves is one ledger.
alter table interlock.wallets disable trigger wallets_record_movement;
update interlock.wallets set balance = 505 where user_id = pg_temp.id('ann');
alter table interlock.wallets enable trigger wallets_record_movement;
update interlock.wallets set balance = 0 where user_id = pg_temp.id('ann');
set constraints all deferred;
select is(interlock.erase_user(pg_temp.id('ann')) ->> 'account_removed', 'true', 'an account goes');
select is(pg_temp.closed('ann'), null, 'with its closed balance');
select is(pg_temp.books(), '0 0 0 0', 'and the books agree');

-- The open part is found by the primary key, the owners by going along it: no scan of the ledger.
set local enable_seqscan = off;
create function pg_temp.plan(p_query text)
returns text
language plpgsql
as $$
declare
  v_line text;
  v_plan text := '';
begin
  for v_line in execute 'explain (costs off) ' || p_query loop
    v_plan := v_plan || v_line || e'\n';
  end loop;
  return v_plan;
end
$$;
select matches(
  pg_temp.plan('select * from interlock.stock_differences') || pg_temp.plan('select * from interlock.wallet_differences'),
  'stock_movements_0_pkey.*product_id = \S+\) AND \(\S*location_id = \S+\) AND \(\S*id > .*wallet_movements_pkey.*user_id = \S+\) AND \(\S*id > ',
  'only the open part of a ledger is read'
);

select * from finish();
rollback;
