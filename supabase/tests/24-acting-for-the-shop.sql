-- Who acts for the shop, and what of it staff may do: the service role, staff by token, and sessions of the database
-- itself; nobody who comes through the API without a token that says so.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(76);

insert into auth.users (id, aud, role, email)
select ('7c000000-0000-4000-8000-00000000000' || n)::uuid, 'authenticated', 'authenticated', 'tap-' || n || '@example.com'
from generate_series(1, 2) n;

-- Who -------------------------------------------------------------------------

-- One who has the rights of the service role, as the owner of the project has; one who may only become it, as the role
-- that the API connects as; and one who is neither.
create role tap_editor;
create role tap_connector noinherit;
create role tap_stranger;
grant service_role to tap_editor;
grant anon, authenticated, service_role to tap_connector;
grant tap_editor, tap_connector, tap_stranger to current_user;

-- A definer asks, as our functions do: its owner's rights are not its caller's.
create function public.tap_acts()
returns boolean
language sql
security definer
set search_path = ''
as 'select interlock.acts_for_shop()';
grant usage on schema public to tap_editor, tap_connector, tap_stranger;
grant execute on function public.tap_acts to public;

-- What is told who has set its role to p_role (null: to none) and has these claims, in the setting of today or in one of
-- old.
create function pg_temp.acts(p_role text, p_claims text, p_setting text default 'request.jwt.claims')
returns boolean
language plpgsql
as $$
declare
  v_acts boolean;
begin
  if p_role is not null then
    execute format('set local role %I', p_role);
  end if;
  perform set_config(p_setting, coalesce(p_claims, ''), true);
  v_acts := public.tap_acts();
  perform set_config(p_setting, '', true);
  reset role;
  return v_acts;
end
$$;

select is(pg_temp.acts(t.role, t.claims), t.acts, concat_ws(', ', coalesce('role ' || t.role, 'no role'), t.claims))
from (values
  ('service_role', '{"role": "service_role"}', true),
  ('service_role', null, true),
  ('authenticated', '{"role": "authenticated", "sub": "7c000000-0000-4000-8000-000000000001", "app_metadata": {"role": "staff"}}', true),
  ('authenticated', '{"role": "authenticated", "sub": "7c000000-0000-4000-8000-000000000001"}', false),
  ('authenticated', '{"role": "authenticated", "user_metadata": {"role": "staff"}}', false),
  ('authenticated', '{"role": "service_role"}', false),
  ('authenticated', null, false),
  ('anon', '{"role": "anon"}', false),
  ('anon', '{}', false),
  ('anon', null, false),
  ('authenticator', '{"role": "anon"}', false),
  ('authenticator', null, false),
  ('tap_connector', null, false),
  ('tap_stranger', null, false),
  ('tap_editor', null, true),
  ('tap_editor', '{"role": "anon"}', false),
  (null, null, true),
  (null, '{"role": "authenticated", "sub": "7c000000-0000-4000-8000-000000000001"}', false),
  (null, '{"role": "anon"}', false),
  (null, '{}', false)
) as t (role, claims, acts);
select is(
  pg_temp.acts(null, '7c000000-0000-4000-8000-000000000001', 'request.jwt.claim.sub'), false,
  'a token in the settings of old is one'
);
select is(pg_temp.acts(null, '{}', 'request.jwt.claim'), false, 'whichever they are');

-- What ------------------------------------------------------------------------

insert into interlock.products (id, name, price, currency, available_quantity)
values ('7d000000-0000-4000-8000-000000000001', 'tap oil', 1000, 'EUR', 100);
insert into interlock.products (id, name, price, currency, available_quantity, active)
values ('7d000000-0000-4000-8000-000000000002', 'tap old oil', 1000, 'EUR', 7, false);

-- A new order of the first user, paid as p_method says.
create function pg_temp.order_by(p_method text, p_status text)
returns uuid
language plpgsql
as $$
declare
  v_id constant uuid := interlock.new_id();
begin
  insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at, paid_at)
  values (
    v_id, '7c000000-0000-4000-8000-000000000001', p_status, 'EUR', 1000, 1000, p_method,
    case when p_method = 'bank_transfer' then now() + interval '1 day' end, case when p_status = 'paid' then now() end
  );
  insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
  values (v_id, '7d000000-0000-4000-8000-000000000001', 1, 1000, 'tap oil', 'physical');
  return v_id;
end
$$;

-- What somebody is told who makes a call about such an order: the code, or where the order came to.
create function pg_temp.told(p_who text, p_sql text, p_method text, p_status text)
returns text
language plpgsql
as $$
declare
  v_order constant uuid := pg_temp.order_by(p_method, p_status);
  v_claims constant jsonb := case p_who
    when 'a buyer' then '{"role": "authenticated", "sub": "7c000000-0000-4000-8000-000000000001"}'
    when 'staff' then '{"role": "authenticated", "sub": "7c000000-0000-4000-8000-000000000002", "app_metadata": {"role": "staff"}}'
    when 'nobody' then '{"role": "authenticated"}'
    when 'the service role' then '{"role": "service_role"}'
    when 'anon' then '{"role": "anon"}'
  end;
  v_answer jsonb;
begin
  perform set_config('request.jwt.claims', coalesce(v_claims::text, ''), true);
  if v_claims is not null then
    execute format('set local role %I', v_claims ->> 'role');
  end if;
  execute format('select (%s)::jsonb', replace(p_sql, '{o}', v_order::text)) into v_answer;
  reset role;
  perform set_config('request.jwt.claims', '', true);
  return coalesce(v_answer #>> '{order,status}', 'orders');
exception
  when others then
    return case when sqlstate like 'PT%' then sqlerrm else sqlstate end;
end
$$;

select is(
  pg_temp.told(w.who, c.sql, c.method, c.status),
  case w.who when 'anon' then '42501' when 'nobody' then 'UNAUTHENTICATED' when 'a buyer' then 'FORBIDDEN' else c.done end,
  format('%s: %s', w.who, c.sql)
)
from unnest(array['anon', 'nobody', 'a buyer', 'staff', 'the service role', 'the database']) as w (who)
cross join (values
  ('public.accept_payment(''{o}'')', 'bank_transfer', 'pending_payment', 'paid'),
  ('public.reject_payment(''{o}'')', 'bank_transfer', 'pending_payment', 'cancelled'),
  ('public.process_order(''{o}'')', 'cash_on_delivery', 'confirmed', 'confirmed'),
  ('public.ship_order(''{o}'')', 'wallet', 'paid', 'paid'),
  ('public.fulfill_order(''{o}'')', 'wallet', 'paid', 'fulfilled'),
  ('public.refund_order(''{o}'')', 'cash_on_delivery', 'paid', 'refunded'),
  ('public.correct_order(''{o}'', ''{}'')', 'cash_on_delivery', 'confirmed', 'confirmed'),
  ('public.list_orders()', 'cash_on_delivery', 'confirmed', 'orders')
) as c (sql, method, status, done);
select is(
  pg_temp.told(w.who, 'public.cancel_order(''{o}'')', 'cash_on_delivery', 'paid'), w.told, w.who || ' cancels what is paid'
)
from (values
  ('anon', '42501'), ('nobody', 'UNAUTHENTICATED'), ('a buyer', 'ORDER_NOT_CANCELLABLE'), ('staff', 'cancelled'),
  ('the service role', 'cancelled'), ('the database', 'cancelled')
) as w (who, told);

select * from finish();
rollback;
