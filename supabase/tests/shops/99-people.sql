-- What interlock.shops_of_user does not look at holds nobody: a user is erased in every shop that has anything of them.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
set local lock_timeout = '10s';
select plan(4);

-- Ids in tables that have a shop key, once there are many; and whether they are looked at.
create temporary table ids on commit drop as
select k.name, a.attnum, a.attname::text as column_name, strpos(f.prosrc, quote_literal(a.attname)) > 0 as looked_at
from interlock.keyed_tables() k
join pg_attribute a on a.attrelid = k.name and a.atttypid = 'uuid'::regtype and not a.attisdropped
join pg_proc f on f.oid = 'interlock.shops_of_user'::regproc
where not k.is_part;

select cmp_ok((select count(*) from ids i where i.looked_at), '>', 30::bigint, 'columns that hold people are looked at');
select is_empty(
  $$
    select i.name, i.column_name
    from ids i
    join pg_constraint c on c.conrelid = i.name and c.contype = 'f' and c.confrelid = 'auth.users'::regclass and i.attnum = any (c.conkey)
    where not i.looked_at
  $$,
  'every one that refers to an account'
);
select is_empty(
  $$
    select e.column_name
    from pg_proc p
    cross join lateral (
      select m[1] from regexp_matches(p.prosrc, '\m[a-z]\.([a-z_]+) = p_user_id', 'g') m
      union
      select n[1]
      from regexp_matches(p.prosrc, 'p_user_id in \(([^)]*)\)', 'g') l
      cross join lateral regexp_matches(l[1], '\m[a-z]\.([a-z_]+)', 'g') n
    ) e (column_name)
    where p.proname in ('erase_user_before', 'erase_user_after')
      -- Of the account itself.
      and e.column_name <> 'id'
      and e.column_name not in (select i.column_name from ids i where i.looked_at)
  $$,
  'every one by which interlock.erase_user finds somebody'
);
select set_eq(
  $$
    select i.column_name
    from ids i
    where not i.looked_at
      and i.column_name <> 'id'
      and not exists (
        select
        from pg_constraint c
        where c.conrelid = i.name and c.contype = 'f' and i.attnum = any (c.conkey) and c.confrelid <> 'auth.users'::regclass
      )
  $$,
  array[
    'batch_id', 'cart_id', 'customer_id', 'inventory_id', 'lease', 'link_id', 'location_id', 'order_id', 'owner_id', 'picking_session_id', 'product_id',
    'promo_code_id', 'promo_id', 'reference_id', 'register_id', 'sale_id'
  ],
  'and every other id that refers to no table but those that name things'
);

select * from finish();
rollback;
