-- What a database answers that only reads, such as a replica (docs/growing.md): a function that only reads answers as ever, and
-- one that writes is refused with nothing done. A transaction that only reads stands for such a database here.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(6);

insert into auth.users (id, aud, role, email)
values ('28000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-28@example.com');
insert into interlock.products (id, name, price, currency, available_quantity)
values ('28000000-0000-4000-8000-000000000002', 'tap 28', 100, 'EUR', 10);
insert into interlock.promo_codes (code, discount_type, discount_value) values ('TAP28', 'percentage', 10);
insert into interlock.customers (id, name, phone) values ('28000000-0000-4000-8000-000000000003', 'tap 28', '+4915550128');
insert into interlock.locations (id, name) values ('28000000-0000-4000-8000-000000000004', 'tap 28');
insert into interlock.registers (id, location_id, name, currency)
values ('28000000-0000-4000-8000-000000000005', '28000000-0000-4000-8000-000000000004', 'tap 28', 'EUR');
insert into interlock.picking_sessions (id, location_id, open_orders)
values ('28000000-0000-4000-8000-000000000006', interlock.online_location(), 1);
insert into interlock.inventory (product_id, location_id, quantity)
values ('28000000-0000-4000-8000-000000000002', '28000000-0000-4000-8000-000000000004', 10);

-- Somebody: the buyer, staff, the service role.
create function pg_temp.become(p_who text)
returns void
language plpgsql
as $$
begin
  perform set_config('request.jwt.claims', (
    case p_who
      when 'service' then jsonb_build_object('role', 'service_role')
      else jsonb_build_object(
        'role', 'authenticated', 'aud', 'authenticated', 'sub', '28000000-0000-4000-8000-000000000001',
        'app_metadata', jsonb_build_object('role', nullif(p_who, 'buyer'))
      )
    end
  )::text, true);
end
$$;

-- What they are answered: the value, or the error as `state message`. The subtransaction gives the right to write back, and
-- what was written.
create function pg_temp.answer(p_who text, p_call text, p_only_reads boolean default true)
returns text
language plpgsql
as $$
declare
  v_answer text;
begin
  perform pg_temp.become(p_who);
  perform set_config('transaction_read_only', p_only_reads::text, true);
  perform set_config('role', case p_who when 'service' then 'service_role' else 'authenticated' end, true);
  execute 'select public.' || p_call into v_answer;
  raise exception using errcode = 'ZZUND', message = coalesce(v_answer, '');
exception
  when others then
    return case sqlstate when 'ZZUND' then sqlerrm else sqlstate || ' ' || sqlerrm end;
end
$$;

select pg_temp.become('buyer');
create temporary table bought as
select public.checkout('[{"product_id": "28000000-0000-4000-8000-000000000002", "quantity": 2}]') -> 'order' ->> 'id' as id;
select pg_temp.become('staff');
select public.open_shift('28000000-0000-4000-8000-000000000005', 0);
create temporary table sold as
select public.pos_sale(
  '28000000-0000-4000-8000-000000000005', '[{"product_id": "28000000-0000-4000-8000-000000000002", "quantity": 1}]',
  '[{"type": "cash", "amount": 100}]'
) -> 'sale' ->> 'id' as id;

-- What only reads ------------------------------------------------------------------

create temporary table reading (who text, call text);
insert into reading
values
  ('staff', $$browse_shop('orders')$$),
  ('staff', $$find_customer('+4915550128')$$),
  ('staff', $$get_picking_session('28000000-0000-4000-8000-000000000006')$$),
  ('buyer', $$get_stock('{28000000-0000-4000-8000-000000000002}')$$),
  ('staff', 'list_deliveries()'),
  ('staff', 'list_orders()'),
  ('staff', 'list_payment_proofs()'),
  ('staff', 'list_payments()'),
  ('service', 'list_shops()'),
  ('staff', $$list_wallet_movements('28000000-0000-4000-8000-000000000001')$$),
  ('staff', 'list_webhook_endpoints()'),
  ('buyer', 'log_position()'),
  ('staff', 'metrics()'),
  ('staff', format('order_story(%L)', (select b.id from bought b))),
  ('staff', format('preview_mail(%L, %L)', (select b.id from bought b), 'order_confirmed')),
  ('staff', format('sale_receipt(%L)', (select s.id from sold s))),
  ('staff', 'shop_health()'),
  ('service', $$alpine_iq_member('28000000-0000-4000-8000-000000000003')$$),
  ('service', format('alpine_iq_sale(%L)', (select s.id from sold s)));
select set_eq(
  $$select split_part(r.call, '(', 1) from reading r$$,
  $$
    select p.proname::text
    from pg_proc p
    where p.pronamespace = 'public'::regnamespace
      and p.provolatile <> 'v'
      and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  $$,
  'every function that says that it only reads'
);
select is_empty(
  $$
    select r.call, a.answer
    from reading r
    cross join lateral (select pg_temp.answer(r.who, r.call)) as a (answer)
    where a.answer ~ '^[0-9A-Z]{5} '
  $$,
  'answers where nothing can be written'
);
select is(
  pg_temp.answer('buyer', call),
  pg_temp.answer('buyer', call, false),
  'and what a cart would cost is told there as ever'
)
from (values ($$quote_order('[{"product_id": "28000000-0000-4000-8000-000000000002", "quantity": 2}]')$$)) v (call);

-- What writes ------------------------------------------------------------------------

select is_empty(
  $$
    select w.call, a.answer
    from (values
      ('buyer', 'checkout(''[{"product_id": "28000000-0000-4000-8000-000000000002", "quantity": 2}]'')'),
      ('buyer', 'reserve_cart(''[{"product_id": "28000000-0000-4000-8000-000000000002", "quantity": 2}]'')'),
      ('buyer', format('cancel_order(%L)', (select b.id from bought b))),
      ('staff', format('ship_order(%L)', (select b.id from bought b))),
      ('staff', 'adjust_stock(''28000000-0000-4000-8000-000000000002'', 1, ''count'')'),
      ('staff', format('void_sale(%L, ''mistake'')', (select s.id from sold s)))
    ) w (who, call)
    cross join lateral (select pg_temp.answer(w.who, w.call)) as a (answer)
    where a.answer !~ '^25006 cannot execute .+ in a read-only transaction$'
  $$,
  'what writes is refused in one sentence of Postgres'
);
select is_empty(
  $$
    select c.call, a.answer
    from (
      select format('%I(%s)', p.proname, (
        select string_agg(format('null::%s', t.type::regtype), ', ' order by t.place)
        from unnest(p.proargtypes) with ordinality as t (type, place)
      )) as call
      from pg_proc p
      where p.pronamespace = 'public'::regnamespace
        and p.provolatile = 'v'
        and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    ) c
    cross join unnest(array['buyer', 'staff', 'service']) as w (who)
    cross join lateral (select pg_temp.answer(w.who, c.call)) as a (answer)
    where a.answer !~ '^(PT4\d\d [A-Z_]+|42501 permission denied .*|25006 cannot execute [A-Za-z() ]+ in a read-only transaction)$'
      -- There is nothing to be done.
      and a.answer !~ '"(abandoned|archived|closed|expired|released|settled)": (0|false)'
  $$,
  'no function that may write takes that for a success, or for anything else'
);
select is(
  pg_temp.answer('buyer', $$validate_promo('TAP28', p_subtotal => 1, p_dry_run => true)$$), 'PT405 METHOD_NOT_ALLOWED',
  'a promo code cannot be looked at, because a wrong one is counted'
);

select * from finish();
rollback;
