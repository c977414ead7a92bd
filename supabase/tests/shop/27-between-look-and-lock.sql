-- What happens to an order between a sweep's look at what is due and its lock: what was paid, got a later deadline, is
-- on its way or has expired by then is not counted. Somebody else's work is done by a trigger here, as soon as the first order expires.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(4);

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('27-between-look-and-lock ' || p_name)::uuid $$;

insert into auth.users (id, aud, role, email)
values (pg_temp.id('ann'), 'authenticated', 'authenticated', 'tap-between@example.com');
insert into interlock.products (id, name, price, currency, available_quantity)
values (pg_temp.id('tea'), 'tap tea', 1000, 'EUR', 10);

-- Nobody's order but ours is due.
update interlock.orders set payment_expires_at = now() + interval '1 day' where payment_expires_at is not null;

-- Due in this order.
insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at)
select pg_temp.id(o.name), pg_temp.id('ann'), o.status, 'EUR', 1000, 1000, o.method, now() - make_interval(hours => 9 - o.nr::int)
from unnest(
  array['first', 'paid', 'expired', 'later', 'shipped', 'last'],
  array['pending_payment', 'pending_payment', 'pending_payment', 'pending_payment', 'confirmed', 'pending_payment'],
  array['bank_transfer', 'bank_transfer', 'bank_transfer', 'bank_transfer', 'cash_on_delivery', 'bank_transfer']
) with ordinality o (name, status, method, nr);
insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
select o.id, pg_temp.id('tea'), 1, 1000, 'tea', 'physical' from interlock.orders o where o.user_id = pg_temp.id('ann');

create function pg_temp.meanwhile()
returns trigger
language plpgsql
as $$
begin
  update interlock.orders set status = 'paid', paid_at = now() where id = pg_temp.id('paid');
  update interlock.orders set status = 'expired' where id = pg_temp.id('expired');
  update interlock.orders set payment_expires_at = now() + interval '1 day' where id = pg_temp.id('later');
  update interlock.orders set fulfillment = 'shipped', shipped_at = now() where id = pg_temp.id('shipped');
  return new;
end
$$;
create trigger between_look_and_lock
  before update on interlock.orders
  for each row
  when (new.status = 'expired' and new.id = pg_temp.id('first'))
  execute function pg_temp.meanwhile();

select is(interlock.expire_orders(100), 2, 'what is still due expires, each once');
select is(
  (select string_agg(n || ' ' || o.status, ', ' order by n)
   from unnest(array['first', 'paid', 'expired', 'later', 'shipped', 'last']) n
   join interlock.orders o on o.id = pg_temp.id(n)),
  'expired expired, first expired, last expired, later pending_payment, paid paid, shipped confirmed',
  'and nothing else'
);

-- What is locked is waited for in a second go only: somebody else's lock is a trigger here.
drop trigger between_look_and_lock on interlock.orders;
create temporary sequence tries;
create function pg_temp.locked()
returns trigger
language plpgsql
as $$
begin
  if current_setting('lock_timeout') = '1ms' then
    perform nextval('tries');
    raise lock_not_available;
  end if;
  return new;
end
$$;
create trigger locked
  before update on interlock.orders
  for each row
  when (new.status = 'expired')
  execute function pg_temp.locked();
update interlock.orders set payment_expires_at = now() - interval '1 hour' where id = pg_temp.id('later');
select is(interlock.expire_orders(100), 1, 'what was locked for a moment expires in the same call');
select is((select last_value from tries), 1::bigint, 'in its second go, which waits longer');

select * from finish();
rollback;
