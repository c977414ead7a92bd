-- Customers at a till and their points: found and made by phone and e-mail, points earned, spent and taken back, tiers, wallets and
-- promo codes, orders of the web shop, merging, linking and erasing; and who may do what.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

insert into auth.users (id, aud, role, email)
values
  ('61000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-61-cashier@example.com'),
  ('61000000-0000-4000-8000-0000000000bb', 'authenticated', 'authenticated', 'tap-61-manager@example.com'),
  ('61000000-0000-4000-8000-0000000000cc', 'authenticated', 'authenticated', 'tap-61@example.com'),
  ('61000000-0000-4000-8000-0000000000dd', 'authenticated', 'authenticated', 'tap-61-other@example.com');
insert into interlock.products (id, name, price, currency, available_quantity, loyalty_class)
values
  ('61000000-0000-4000-8000-000000000001', 'mug', 500, 'EUR', 1000, 'standard'),
  ('61000000-0000-4000-8000-000000000002', 'stamp', 100, 'EUR', 1000, 'tap61-none'),
  ('61000000-0000-4000-8000-000000000003', 'tea', 333, 'EUR', 1000, 'tap61-tea');
insert into interlock.registers (id, location_id, name, currency)
values ('61300000-0000-4000-8000-000000000001', interlock.online_location(), 'till', 'EUR');
insert into interlock.shifts (register_id, opening_cash) values ('61300000-0000-4000-8000-000000000001', 0);
delete from interlock.points_rules;
delete from interlock.points_values;
delete from interlock.tiers;
insert into interlock.points_rules (currency, loyalty_class, per_amount, points)
values ('EUR', 'standard', 100, 1), ('EUR', 'tap61-tea', 500, 10);
insert into interlock.points_values (currency, value) values ('EUR', 10);
update interlock.settings set phone_prefix = '+49', points_authority = 'shop', tier_basis = 'points', tier_window = null;

create function pg_temp.act_as(p_user text, p_role text)
returns void
language sql
as $$
  select
    set_config('role', case when p_user is null then 'service_role' else 'authenticated' end, true),
    set_config('request.jwt.claims', case
      when p_user is null then '{"role": "service_role"}'
      else json_build_object(
        'sub', '61000000-0000-4000-8000-0000000000' || p_user, 'role', 'authenticated',
        'app_metadata', json_build_object('role', p_role)
      )::text
    end, true)
$$;

-- The code of a refusal with its details, or the answer.
create function pg_temp.answer(p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  execute 'select (' || p_sql || ')::jsonb' into v_answer;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('code', coalesce(sqlerrm, ''), 'details', case when v_detail ~ '^[{]' then v_detail::jsonb - 'message' - case sqlerrm when 'VALIDATION_FAILED' then '' else 'problems' end end);
end
$$;

-- So many mugs, paid as it says.
create function pg_temp.sell(p_mugs int, p_tenders text, p_customer text, p_more text default '')
returns jsonb
language sql
as $$
  select pg_temp.answer(format(
    'public.pos_sale(''61300000-0000-4000-8000-000000000001'', %L, %L, p_customer => %L%s)',
    format('[{"product_id": "61000000-0000-4000-8000-000000000001", "quantity": %s}]', p_mugs), p_tenders, p_customer, p_more
  ))
$$;
create function pg_temp.cash(p_amount int) returns text language sql as $$ select format('[{"type": "cash", "amount": %s}]', p_amount) $$;
create function pg_temp.ada() returns uuid language sql as $$ select id from interlock.customers where phone = '+491511234567' $$;
create function pg_temp.by_email(p_email text) returns uuid language sql as $$ select id from interlock.customers where email = p_email $$;
-- Balance, what is owed, tier, and whether the ledger says the same.
create function pg_temp.points(p_id uuid)
returns text
language sql
as $$
  select concat_ws(' ', a.balance, a.owed, a.tier, (
    select case when sum(m.points) = a.balance and sum(m.owed) = a.owed then 'even' else 'uneven' end
    from interlock.points_movements m where m.customer_id = a.customer_id
  ))
  from interlock.points_accounts a
  where a.customer_id = p_id
$$;
-- The pointers of what is wrong.
create function pg_temp.wrong(p_sql text)
returns text[]
language sql
as $$
  select array(select jsonb_path_query(pg_temp.answer(p_sql), '$.details.problems[*].pointer') #>> '{}')
$$;

-- Phones and e-mails as people type them.
select is(interlock.normal_phone(p.typed), p.phone, coalesce(p.typed, 'null'))
from (values
  ('+49 (151) 123-45.67', '+491511234567'), ('0049 151 1234567', '+491511234567'), ('0151/1234567', '+491511234567'),
  ('０151 1234567', '+491511234567'), ('151 1234567', null), ('+0151 1234567', null), ('+49 151', null), ('+4915112345678901', null),
  ('call me', null), ('', null), (null, null)
) as p (typed, phone);
update interlock.settings set phone_prefix = null;
select is(interlock.normal_phone('0151 1234567'), null, 'a number without a country is none where the shop has none');
select throws_ok(format('update interlock.settings set phone_prefix = %L', p), '23514', null, 'a prefix is a plus and digits: ' || p)
from unnest(array['49', '+', '+012', '+12345']) as p;
update interlock.settings set phone_prefix = '+49';
select is(interlock.normal_email(e.typed), e.email, coalesce(left(e.typed, 20), 'null'))
from (values
  (' Ada@Example.COM ', 'ada@example.com'), ('a@b', null), ('a b.c', null), ('@b.c', null), ('a@b@c.d', null),
  (repeat('x', 250) || '@b.c', repeat('x', 250) || '@b.c'), (repeat('x', 251) || '@b.c', null), (null, null)
) as e (typed, email);

-- New, known, walk-in.
select pg_temp.act_as('cc', 'driver');
select is(pg_temp.sell(1, pg_temp.cash(500), '{"phone": "+491511234567"}') ->> 'code', 'FORBIDDEN', 'who does not work at a till sells to nobody');
select is(pg_temp.answer($$public.save_customer('{"email": "x@example.com"}')$$) ->> 'code', 'FORBIDDEN', 'nor writes anybody down');
select is(pg_temp.answer($$public.find_customer('+491511234567')$$) ->> 'code', 'FORBIDDEN', 'nor looks for anybody');
select pg_temp.act_as('aa', 'cashier');
select is(pg_temp.sell(1, pg_temp.cash(500), '{"phone": "0151 1234567"}') ->> 'code', 'CUSTOMER_NOT_FOUND', 'nobody is made by being named');
create temporary table sold on commit drop as
  select 1 as n, pg_temp.sell(5, pg_temp.cash(2500), '{"create": {"name": "Ada", "phone": "0151 1234567"}}') -> 'sale' as sale;
grant select, insert on sold to authenticated, service_role;
select is((select sale #> '{customer,name}' from sold), '"Ada"', 'a new customer');
select is((select sale -> 'loyalty' from sold), '{"earned": 25, "spent": 0, "given_back": 0, "taken_back": 0, "balance": 25, "tier": null, "tier_before": null}', 'earns');
insert into sold
  select 2, pg_temp.sell(1, pg_temp.cash(500), '{"create": {"name": "A. L.", "phone": "+49 151 1234567", "email": "Ada@example.com"}}') -> 'sale';
select is((select sale #>> '{customer,id}' from sold where n = 2), pg_temp.ada()::text, 'found again, not made again');
select is(
  (select array[sale #>> '{customer,name}', sale #>> '{customer,email}'] from sold where n = 2), array['Ada', 'ada@example.com'],
  'what was there stays, and what was not is filled in'
);
select is(pg_temp.sell(1, pg_temp.cash(500), '{"email": "ADA@example.com"}') #>> '{sale,customer,id}', pg_temp.ada()::text, 'found by e-mail');
select is(pg_temp.sell(1, pg_temp.cash(500), jsonb_build_object('id', pg_temp.ada())::text) #>> '{sale,loyalty,balance}', '40', 'found by id');
select is(pg_temp.sell(1, pg_temp.cash(500), null) #> '{sale,loyalty}', 'null', 'a walk-in has no points');
select is(pg_temp.sell(1, pg_temp.cash(500), jsonb_build_object('id', gen_random_uuid())::text) ->> 'code', 'CUSTOMER_NOT_FOUND', 'an unknown id');
select is(
  pg_temp.sell(1, pg_temp.cash(500), '{"create": {"email": "bob@example.com", "marketing": false}}') #> '{sale,customer,marketing}', 'false',
  'somebody else'
);
select is(
  pg_temp.sell(1, pg_temp.cash(500), '{"create": {"phone": "0151 1234567", "email": "bob@example.com"}}') -> 'code', '"CUSTOMERS_DIFFER"',
  'the phone of one and the e-mail of another are nobody'
);
select is(
  pg_temp.wrong(format('public.pos_sale(''61300000-0000-4000-8000-000000000001'', ''[{"barcode": "x", "quantity": 1}]'', p_customer => %L)', c.customer)),
  c.pointers, c.customer
)
from (values
  ('1', array['/customer']), ('{}', array['/customer']), ('{"id": "x"}', array['/customer/id']), ('{"id": 1}', array['/customer/id']),
  ('{"name": "Ada"}', array['/customer']), ('{"phone": "1", "email": "x@example.com"}', array['/customer']),
  ('{"phone": "1"}', array['/customer/phone']), ('{"email": 1}', array['/customer/email']),
  ('{"create": 1}', array['/customer/create']),
  ('{"create": {"name": "", "phone": "x", "marketing": "no", "vip": true}}',
   array['/customer/create/marketing', '/customer/create/name', '/customer/create/phone', '/customer/create/vip']),
  ('{"create": {"name": "Ada"}}', array['/customer/create'])
) as c (customer, pointers);

-- What earns how much: each class by its rule, rounded down, and nothing without one.
select is(
  pg_temp.answer($$public.pos_sale('61300000-0000-4000-8000-000000000001',
    '[{"product_id": "61000000-0000-4000-8000-000000000001", "quantity": 1, "discount": {"amount": 1, "reason": "x"}},
      {"product_id": "61000000-0000-4000-8000-000000000003", "quantity": 1}, {"product_id": "61000000-0000-4000-8000-000000000003", "quantity": 2},
      {"product_id": "61000000-0000-4000-8000-000000000002", "quantity": 9}]',
    '[{"type": "cash", "amount": 2398}]', p_customer => '{"email": "bob@example.com"}')$$) #> '{sale,loyalty,earned}',
  '14', '4.99 of one class and 9.99 of another'
);
select pg_temp.act_as(null, null);
update interlock.settings set points_authority = 'outside';
select is(pg_temp.sell(1, pg_temp.cash(500), '{"email": "bob@example.com"}') #> '{sale,loyalty,earned}', '0', 'nothing is earned here where somebody else keeps the points');
reset role;
update interlock.settings set points_authority = 'shop';

-- Spent.
select pg_temp.act_as('aa', 'cashier');
select is(pg_temp.sell(1, '[{"type": "points", "amount": 100}]', null) #>> '{details,problems,0,pointer}', '/customer', 'points are somebody''s');
select is(
  pg_temp.sell(1, '[{"type": "cash", "amount": 1}, {"type": "points", "amount": 105}, {"type": "cash", "amount": 394}]', '{"email": "ada@example.com"}')
    #> '{details,problems}',
  '[{"pointer": "/tenders/1/amount", "message": "must be a multiple of 10, which is what a point is worth"}]', 'whole points'
);
select is(
  pg_temp.sell(1, '[{"type": "points", "amount": 410}, {"type": "cash", "amount": 90}]', '{"email": "ada@example.com"}'),
  '{"code": "INSUFFICIENT_POINTS", "details": {"balance": 40, "requested": 41}}', 'no more than there are'
);
select is(pg_temp.points(pg_temp.ada()), '40 0 even', 'and then none are gone');
insert into sold select 3, pg_temp.sell(1, '[{"type": "points", "amount": 200}, {"type": "cash", "amount": 400}]', '{"email": "ada@example.com"}') -> 'sale';
select is(
  (select array[sale -> 'change_due', sale -> 'loyalty'] from sold where n = 3),
  array['100', '{"earned": 3, "spent": 20, "given_back": 0, "taken_back": 0, "balance": 23, "tier": null, "tier_before": null}']::jsonb[], 'what points pay earns none'
);

-- Tiers.
reset role;
insert into interlock.tiers (name, threshold, earns_percent) values ('tap61 silver', 50, 150), ('tap61 gold', 1000, 200);
select pg_temp.act_as('aa', 'cashier');
insert into sold select 4, pg_temp.sell(2, pg_temp.cash(1000), '{"email": "ada@example.com"}') -> 'sale';
select is(
  (select sale -> 'loyalty' from sold where n = 4), '{"earned": 10, "spent": 0, "given_back": 0, "taken_back": 0, "balance": 33, "tier": "tap61 silver", "tier_before": null}',
  'a tier is reached'
);
select is(
  pg_temp.sell(1, pg_temp.cash(500), '{"email": "ada@example.com"}') #> '{sale,loyalty}',
  '{"earned": 7, "spent": 0, "given_back": 0, "taken_back": 0, "balance": 40, "tier": "tap61 silver", "tier_before": "tap61 silver"}', 'and earns more from then on, rounded down'
);
reset role;
select is(
  (select jsonb_agg(payload) from interlock.events where type = 'loyalty.tier_changed' and subject = pg_temp.ada()::text),
  jsonb_build_array(jsonb_build_object('customer_id', pg_temp.ada(), 'tier', 'tap61 silver', 'tier_before', null)), 'told once'
);
select is(
  (select count(*) from interlock.events where payload::text ilike '%ada@%' or payload::text like '%1234567%'), 0::bigint, 'no event says who anybody is'
);

-- Voided: what it earned is taken, what it took comes back, once.
create function pg_temp.void(p_n int)
returns jsonb
language sql
as $$
  select pg_temp.answer(format('public.void_sale(%L, ''x'')', (select sale ->> 'id' from sold where n = p_n)))
$$;
select pg_temp.act_as('bb', 'manager');
select is(pg_temp.void(3) #>> '{sale,customer,points}', '57', 'points come back');
select is(pg_temp.void(3) #>> '{sale,customer,points}', '57', 'once');
select is(pg_temp.points(pg_temp.ada()), '57 0 tap61 silver even', 'and the ledger agrees');
select is(pg_temp.answer('public.adjust_points(pg_temp.ada(), ''gift'', ''tap61'', p_balance => 5)') #>> '{customer,points}', '5', 'a manager sets a balance');
select is(pg_temp.answer('public.adjust_points(pg_temp.ada(), ''gift'', ''tap61'', p_balance => 5)') #>> '{customer,points}', '5', 'once for its reference');
select is(pg_temp.answer('public.adjust_points(pg_temp.ada(), ''gift'', ''tap61b'', -6)') ->> 'code', 'INSUFFICIENT_POINTS', 'never below nothing');
select is(pg_temp.void(1) ->> 'success', 'true', 'what has earned is voided, though its points are gone');
select is(pg_temp.points(pg_temp.ada()), '0 20 even', 'the rest is owed, and the tier is gone');
select is(
  pg_temp.sell(5, pg_temp.cash(2500), '{"email": "ada@example.com"}') #> '{sale,loyalty}',
  '{"earned": 25, "spent": 0, "given_back": 0, "taken_back": 0, "balance": 5, "tier": "tap61 silver", "tier_before": null}', 'and taken off what is earned next'
);
select is(
  pg_temp.wrong('public.adjust_points(null, '''', null, 0)'), array['/p_customer_id', '/p_delta', '/p_reason', '/p_reference'], 'all that is wrong is told'
);
select is(pg_temp.wrong('public.adjust_points(pg_temp.ada(), ''x'', ''x'', 1, -1)'), array['/p_delta', '/p_balance'], 'a difference or a balance');
select is(pg_temp.answer('public.adjust_points(gen_random_uuid(), ''x'', ''tap61c'', 1)') ->> 'code', 'CUSTOMER_NOT_FOUND', 'of somebody');
select pg_temp.act_as('aa', 'cashier');
select is(pg_temp.answer('public.' || c) ->> 'code', 'FORBIDDEN', 'no cashier''s: ' || c)
from unnest(array[
  'adjust_points(pg_temp.ada(), ''x'', ''x'', 1)', 'merge_customers(pg_temp.ada(), pg_temp.ada())', 'erase_customer(pg_temp.ada())',
  'link_customer(pg_temp.ada(), null)'
]) as c;

-- An account of the web shop: its wallet, and its orders.
select pg_temp.act_as('bb', 'manager');
select is(
  pg_temp.sell(1, '[{"type": "wallet", "amount": 500}]', '{"email": "ada@example.com"}') #> '{details,problems}',
  '[{"pointer": "/customer", "message": "has no account, and so no wallet"}]', 'no account, no wallet'
);
select is(pg_temp.answer('public.link_customer(pg_temp.ada(), gen_random_uuid())') ->> 'code', 'USER_NOT_FOUND', 'an account that is none');
select is(pg_temp.answer('public.link_customer(gen_random_uuid(), null)') ->> 'code', 'CUSTOMER_NOT_FOUND', 'nobody has none');
select is(pg_temp.wrong('public.link_customer(null, null)'), array['/p_customer_id'], 'and null is nobody');
select is(pg_temp.answer('public.link_customer(pg_temp.ada(), ''61000000-0000-4000-8000-0000000000cc'')') ->> 'success', 'true', 'linked');
select is(
  pg_temp.answer('public.link_customer(pg_temp.by_email(''bob@example.com''), ''61000000-0000-4000-8000-0000000000cc'')') ->> 'code', 'CUSTOMER_LINKED',
  'an account is one customer''s'
);
select pg_temp.act_as(null, null);
select is(pg_temp.answer('public.top_up_wallet(''61000000-0000-4000-8000-0000000000cc'', 1300, ''EUR'', ''tap61'')') ->> 'balance', '1300', 'money');
insert into sold select 5, pg_temp.sell(1, '[{"type": "wallet", "amount": 500}]', '{"email": "ada@example.com"}') -> 'sale';
create function pg_temp.money() returns bigint language sql as $$ select balance from interlock.wallets where user_id = '61000000-0000-4000-8000-0000000000cc' $$;
select is(pg_temp.money(), 800::bigint, 'the wallet pays');
select is(pg_temp.sell(2, '[{"type": "wallet", "amount": 1000}]', '{"email": "ada@example.com"}') ->> 'code', 'INSUFFICIENT_FUNDS', 'what is in it');
select is(pg_temp.void(5) ->> 'success', 'true', 'voided');
select is(pg_temp.money(), 1300::bigint, 'and gets it back');
insert into sold select 7, pg_temp.sell(1, '[{"type": "wallet", "amount": 500}]', '{"email": "ada@example.com"}') -> 'sale';
select is(pg_temp.answer('public.link_customer(pg_temp.ada(), null)') ->> 'user_id', null, 'who has no account any more');
select is(pg_temp.void(7), jsonb_build_object('code', 'WALLET_UNLINKED', 'details', jsonb_build_object('customer_id', pg_temp.ada(), 'amount', 500)), 'gets nothing into its wallet');
select is(pg_temp.answer('public.link_customer(pg_temp.ada(), ''61000000-0000-4000-8000-0000000000cc'')') ->> 'success', 'true', 'linked again');
select is(pg_temp.void(7) ->> 'success', 'true', 'it does');

select pg_temp.act_as('cc', 'customer');
select is((select count(*) from public.customers), 1::bigint, 'who is signed in sees themselves');
select is((select balance from public.points_accounts)::int, 5, 'and their points');
select is((select count(*) > 5 from public.points_movements), true, 'and what became of them');
create temporary table bought on commit drop as
  select pg_temp.answer($$public.checkout('[{"product_id": "61000000-0000-4000-8000-000000000001", "quantity": 2}]', p_payment_method => 'wallet')$$) as answer;
reset role;
grant select on bought to service_role;
select is((select count(*) from interlock.points_due where user_id = '61000000-0000-4000-8000-0000000000cc'), 1::bigint, 'an order that is paid has points to be booked');
select is(interlock.settle_points(100), 1, 'which the job does');
select is(pg_temp.points(pg_temp.ada()), '20 0 tap61 silver even', 'by the same rules');
select pg_temp.act_as('cc', 'customer');
select is(
  pg_temp.answer('public.redeem_points(5, ''EUR'', ''tap61'')'),
  '{"success": true, "points": 5, "points_left": 15, "amount": 50, "balance": 350, "currency": "EUR"}', 'points become money'
);
select is(pg_temp.answer('public.redeem_points(5, ''EUR'', ''tap61'')') ->> 'points_left', '15', 'once under a key');
select is(pg_temp.answer('public.redeem_points(16, ''EUR'')') ->> 'code', 'INSUFFICIENT_POINTS', 'as many as there are');
select is(pg_temp.wrong('public.redeem_points(0, ''USD'')'), array['/p_points', '/p_currency'], 'some, of a currency in which they are worth something');
select pg_temp.act_as('dd', 'customer');
select is(pg_temp.answer('public.redeem_points(1, ''EUR'')') ->> 'code', 'CUSTOMER_NOT_FOUND', 'an account of no customer has none');
select is_empty('select 1 from public.customers', 'nor does it see any');
select is_empty('select 1 from public.points_accounts', 'or their points');
select is_empty('select 1 from public.points_movements', 'or what became of them');
select pg_temp.act_as(null, null);
select is(pg_temp.answer(format('public.refund_order(%L)', (select answer #>> '{order,id}' from bought))) ->> 'success', 'true', 'the order is refunded');
select is(pg_temp.sell(1, pg_temp.cash(500), '{"email": "ada@example.com"}') #>> '{sale,loyalty,balance}', '7', 'a sale sees it before the job does');
reset role;
select is(pg_temp.points(pg_temp.ada()), '7 0 tap61 silver even', 'taken back once');
select is(interlock.settle_points(100), 0, 'nothing is left to book');

-- A window in which a tier has to be reached.
update interlock.tiers set threshold = 5 where name = 'tap61 silver';
select is(interlock.settle_customer_tier(pg_temp.ada()), 1, 'the job looks at a customer');
select is(pg_temp.points(pg_temp.ada()), '7 0 tap61 silver even', 'who is still in the tier by now');
update interlock.settings set tier_basis = 'turnover';
select is(interlock.settle_customer_tier(pg_temp.ada()), 1, 'by turnover');
select is(pg_temp.points(pg_temp.ada()), '7 0 tap61 gold even', 'in a higher one');
alter table interlock.points_movements disable trigger points_movements_append_only;
update interlock.points_movements set created_at = created_at - interval '2 days' where customer_id = pg_temp.ada();
alter table interlock.points_movements enable trigger points_movements_append_only;
update interlock.settings set tier_window = '1 day';
select is(interlock.settle_customer_tier(pg_temp.ada()), 1, 'when it is long ago');
select is(pg_temp.points(pg_temp.ada()), '7 0 even', 'in none');
update interlock.settings set tier_window = null, tier_basis = 'points';

-- Promo codes at a till.
insert into interlock.promo_codes (id, code, discount_type, discount_value, currency, max_uses_per_user, max_uses, first_order_only)
values
  ('61400000-0000-4000-8000-000000000001', 'tap61-once', 'percentage', 10, 'EUR', 1, null, false),
  ('61400000-0000-4000-8000-000000000002', 'tap61-any', 'fixed', 77, 'EUR', null, 1, false),
  ('61400000-0000-4000-8000-000000000003', 'tap61-first', 'fixed', 77, 'EUR', null, null, true);
select pg_temp.act_as('aa', 'cashier');
select is(pg_temp.sell(1, pg_temp.cash(500), null, ', p_promo_code => ''tap61-none''') ->> 'code', 'PROMO_NOT_FOUND', 'an unknown code');
select is(pg_temp.sell(1, pg_temp.cash(500), null, ', p_promo_code => ''''') #>> '{details,problems,0,pointer}', '/promo_code', 'an empty one');
select is(
  pg_temp.sell(1, pg_temp.cash(500), null, ', p_promo_code => ''tap61-once''') #>> '{details,reason}', 'customer_needed',
  'a code with uses of customers needs one'
);
insert into sold select 6, pg_temp.sell(1, pg_temp.cash(450), '{"email": "ada@example.com"}', ', p_promo_code => ''TAP61-once''') -> 'sale';
select is(
  (select array[sale -> 'discount', sale -> 'total', sale #> '{lines,0,promo_discount}', sale #> '{loyalty,earned}'] from sold where n = 6),
  array['50', '450', '50', '4']::jsonb[], 'it takes off what it takes off in the web shop'
);
select is(
  pg_temp.sell(1, pg_temp.cash(500), '{"email": "ada@example.com"}', ', p_promo_code => ''tap61-once''') ->> 'code', 'PROMO_EXHAUSTED',
  'once for a customer'
);
select pg_temp.act_as('bb', 'manager');
select is(pg_temp.void(6) ->> 'success', 'true', 'voided');
select is(
  pg_temp.sell(1, pg_temp.cash(500), '{"email": "ada@example.com"}', ', p_promo_code => ''tap61-once''') #>> '{sale,promo_code}', 'tap61-once',
  'it is theirs again'
);
select is(pg_temp.sell(1, pg_temp.cash(500), null, ', p_promo_code => ''tap61-any''') #>> '{sale,total}', '423', 'a code for everybody');
select is(pg_temp.sell(1, pg_temp.cash(500), null, ', p_promo_code => ''tap61-any''') ->> 'code', 'PROMO_EXHAUSTED', 'as often as there are uses');
select is(
  pg_temp.sell(1, pg_temp.cash(500), '{"email": "ada@example.com"}', ', p_promo_code => ''tap61-first''') #>> '{details,reason}', 'first_order_only',
  'who has bought before is not new'
);
insert into sold select 61, pg_temp.sell(1, pg_temp.cash(500), '{"create": {"email": "new-61@example.com"}}', ', p_promo_code => ''tap61-first''') -> 'sale';
select is((select sale ->> 'total' from sold where n = 61), '423', 'who is new is');
select is(pg_temp.void(61) ->> 'success', 'true', 'and whose only sale is voided');
select is(
  pg_temp.sell(1, pg_temp.cash(500), '{"email": "new-61@example.com"}', ', p_promo_code => ''tap61-first''') #>> '{sale,total}', '423', 'is new again'
);

-- Written down, corrected, merged, erased.
select pg_temp.act_as('aa', 'cashier');
select is(
  pg_temp.answer($$public.save_customer('{"name": "Ada L.", "phone": "+49 151 7654321", "email": null}', pg_temp.by_email('new-61@example.com'))$$)
    -> 'customer' #- '{id}',
  '{"name": "Ada L.", "phone": "+491517654321", "email": null, "marketing": true, "points": 4, "tier": null}', 'corrected'
);
create function pg_temp.twin() returns uuid language sql as $$ select id from interlock.customers where name = 'Ada L.' $$;
select is(pg_temp.answer($$public.save_customer('{"phone": "+49 151 7654321"}')$$) ->> 'code', 'CONTACT_TAKEN', 'a phone is one customer''s');
select is(
  pg_temp.answer($$public.save_customer('{"email": "ada@example.com"}', pg_temp.twin())$$) #>> '{details,customer_id}', pg_temp.ada()::text, 'and an e-mail'
);
select is(pg_temp.wrong($$public.save_customer('{"phone": null}', pg_temp.twin())$$), array['/p_person'], 'one of them stays');
select is(pg_temp.wrong($$public.save_customer('{"name": "x"}')$$), array['/p_person'], 'one of them there has to be');
select is(pg_temp.wrong($$public.save_customer('1')$$), array['/p_person'], 'an object');
select is(pg_temp.wrong($$public.save_customer('{"phone": "1", "x": 1}')$$), array['/p_person/phone', '/p_person/x'], 'with what it may have');
select is(pg_temp.answer($$public.save_customer('{"name": "x"}', gen_random_uuid())$$) ->> 'code', 'CUSTOMER_NOT_FOUND', 'of somebody');
select is(pg_temp.answer($$public.save_customer('{"email": "later-61@example.com", "marketing": false}')$$) #> '{customer,marketing}', 'false', 'written down without a sale');
select is(pg_temp.answer($$public.find_customer('0151 7654321')$$) #>> '{customer,name}', 'Ada L.', 'found by phone');
select is(pg_temp.answer($$public.find_customer(p_email => 'ADA@example.com')$$) #>> '{customer,id}', pg_temp.ada()::text, 'and by e-mail');
select is(pg_temp.answer($$public.find_customer(p_email => 'none-61@example.com')$$) ->> 'code', 'CUSTOMER_NOT_FOUND', 'or not');
select is(pg_temp.wrong($$public.find_customer()$$), array['/p_phone'], 'by one of them');
select is(pg_temp.wrong($$public.find_customer('1')$$), array['/p_phone'], 'that is one');

-- What comes back takes back what it has earned, part by part, and what of that is voided gives it back.
insert into sold select 9, pg_temp.sell(3, pg_temp.cash(1500), '{"create": {"email": "fay-61@example.com"}}') -> 'sale';
create function pg_temp.take_back(p_quantity int)
returns jsonb
language sql
as $$
  select pg_temp.answer(format(
    'public.pos_sale(''61300000-0000-4000-8000-000000000001'', p_returns => %L, p_tenders => %L)',
    jsonb_build_array(jsonb_build_object(
      'sale_id', (select sale -> 'id' from sold where n = 9), 'line', 0, 'quantity', p_quantity, 'reason', 'x'
    )),
    pg_temp.cash(500 * p_quantity)
  ))
$$;
select is(pg_temp.points(pg_temp.by_email('fay-61@example.com')), '15 0 tap61 silver even', 'three earn');
insert into sold select 10, pg_temp.take_back(1) -> 'sale';
select is(pg_temp.points(pg_temp.by_email('fay-61@example.com')), '10 0 tap61 silver even', 'one comes back');
select is(pg_temp.void(10) ->> 'success', 'true', 'or does not');
select is(pg_temp.points(pg_temp.by_email('fay-61@example.com')), '15 0 tap61 silver even', 'three are kept');
select is(pg_temp.take_back(2) ->> 'success', 'true', 'two come back');
select is(pg_temp.take_back(1) ->> 'success', 'true', 'and one');
select is(pg_temp.points(pg_temp.by_email('fay-61@example.com')), '0 0 even', 'nothing is left of what they earned');

-- What a CRM is sent.
select pg_temp.act_as(null, null);
insert into sold
  select 8, pg_temp.answer($$public.pos_sale('61300000-0000-4000-8000-000000000001',
    '[{"product_id": "61000000-0000-4000-8000-000000000001", "quantity": 2, "discount": {"amount": 50, "reason": "x"}},
      {"product_id": "61000000-0000-4000-8000-000000000003", "quantity": 1}]',
    '[{"type": "cash", "amount": 1283}]', p_customer => '{"create": {"name": "Eve van Dyk", "email": "eve-61@example.com", "phone": "0151 999999"}}')$$) -> 'sale';
select is(
  pg_temp.answer(format('public.alpine_iq_sale(%L)', (select sale ->> 'id' from sold where n = 8))),
  jsonb_build_object('visit', jsonb_build_object(
    'pos_id', (select sale -> 'id' from sold where n = 8), 'pos_user', pg_temp.by_email('eve-61@example.com'), 'pos_type', 'in-store',
    'transaction_date', to_char(now() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS +0000'), 'transaction_total', 12.83,
    'location', (select l.name from public.locations l where l.id = interlock.online_location()),
    'visit_details_attributes', '[
      {"sku": "61000000-0000-4000-8000-000000000001", "name": "mug", "price": 5, "quantity": 2, "category": "standard", "discount": 0.5},
      {"sku": "61000000-0000-4000-8000-000000000003", "name": "tea", "price": 3.33, "quantity": 1, "category": "tap61-tea", "discount": 0}
    ]'::jsonb
  )),
  'a sale, in major units'
);
select is(
  pg_temp.answer(format('public.alpine_iq_member(%L)', pg_temp.by_email('eve-61@example.com'))),
  jsonb_build_object(
    'pos_user', pg_temp.by_email('eve-61@example.com'), 'firstName', 'Eve', 'lastName', 'van Dyk', 'mobilePhone', '+49151999999',
    'email', 'eve-61@example.com'
  ),
  'a customer'
);
reset role;
select is((interlock.crm_call('sale.completed', (select sale ->> 'id' from sold where n = 8)) ->> 'body')::jsonb #>> '{visit,pos_user}', pg_temp.by_email('eve-61@example.com')::text, 'it is told who has bought');
update interlock.customers set marketing = false where email = 'eve-61@example.com';
select is((interlock.crm_call('sale.completed', (select sale ->> 'id' from sold where n = 8)) ->> 'body')::jsonb #>> '{visit,pos_user}', null, 'but not of one who does not want it');
update interlock.customers set marketing = true where email = 'eve-61@example.com';
select pg_temp.act_as(null, null);
insert into sold
  select 11, pg_temp.answer(format(
    'public.pos_sale(''61300000-0000-4000-8000-000000000001'', ''[{"product_id": "61000000-0000-4000-8000-000000000002", "quantity": 2}]'',
      ''[{"type": "cash", "amount": 608}]'', %L)',
    jsonb_build_array(
      jsonb_build_object('sale_id', (select sale -> 'id' from sold where n = 8), 'line', 1, 'quantity', 1, 'reason', 'x'),
      jsonb_build_object('sale_id', (select sale -> 'id' from sold where n = 8), 'line', 0, 'quantity', 1, 'reason', 'x')
    )
  )) -> 'sale';
select is(
  (pg_temp.answer(format('public.alpine_iq_sale(%L)', (select sale ->> 'id' from sold where n = 11))) -> 'visit') - '{pos_id,pos_type,transaction_date,location}'::text[],
  jsonb_build_object('pos_user', pg_temp.by_email('eve-61@example.com'), 'transaction_total', -6.08, 'visit_details_attributes', '[
    {"sku": "61000000-0000-4000-8000-000000000002", "name": "stamp", "price": 1, "quantity": 2, "category": "tap61-none", "discount": 0},
    {"sku": "61000000-0000-4000-8000-000000000003", "name": "tea", "price": 3.33, "quantity": -1, "category": "tap61-tea", "discount": 0},
    {"sku": "61000000-0000-4000-8000-000000000001", "name": "mug", "price": 5, "quantity": -1, "category": "standard", "discount": -0.25}
  ]'::jsonb), 'what comes back with it has a negative quantity, and its share of the discount'
);
select is(pg_temp.void(11) ->> 'success', 'true', 'it does not come back');
insert into sold
  select 12, pg_temp.answer('public.pos_sale(''61300000-0000-4000-8000-000000000001'', null, ''[{"type": "cash", "amount": 500}]'',
    ''[{"product_id": "61000000-0000-4000-8000-000000000001", "quantity": 1, "reason": "x"}]'')') -> 'sale';
select is(
  (pg_temp.answer(format('public.alpine_iq_sale(%L)', (select sale ->> 'id' from sold where n = 12))) -> 'visit') - '{pos_id,pos_type,transaction_date,location}'::text[],
  '{"transaction_total": -5, "visit_details_attributes": [
    {"sku": "61000000-0000-4000-8000-000000000001", "name": "mug", "price": 5, "quantity": -1, "category": "standard", "discount": 0}]}', 'without a receipt'
);
select is(pg_temp.void(8) ->> 'success', 'true', 'voided');
select is(
  (pg_temp.answer(format('public.alpine_iq_sale(%L)', (select sale ->> 'id' from sold where n = 8))) -> 'visit') - '{pos_id,pos_user,pos_type,transaction_date,location}'::text[],
  '{"transaction_total": 0, "visit_details_attributes": []}', 'nothing of it is left'
);
select is(pg_temp.answer(format('public.alpine_iq_member(%L)', pg_temp.by_email('later-61@example.com'))), null, 'who may not be written to is not told of');
select is(pg_temp.answer('public.alpine_iq_member(gen_random_uuid())') ->> 'code', 'CUSTOMER_NOT_FOUND', 'nor who is not there');
select is(pg_temp.answer('public.alpine_iq_sale(gen_random_uuid())') ->> 'code', 'SALE_NOT_FOUND', 'nor a sale that is not');

select pg_temp.act_as('bb', 'manager');
create temporary table pair on commit drop as
  select pg_temp.twin() as twin, pg_temp.ada() as ada, (
    select sum(a.balance) from interlock.points_accounts a where a.customer_id in (pg_temp.ada(), pg_temp.twin())
  ) as points;
grant select on pair to authenticated, service_role;
select is(pg_temp.wrong('public.merge_customers(null, null)'), array['/p_from', '/p_into'], 'two are merged');
select is(pg_temp.wrong('public.merge_customers(pg_temp.ada(), pg_temp.ada())'), array['/p_into'], 'not one');
select is(pg_temp.answer('public.merge_customers(gen_random_uuid(), pg_temp.ada())') ->> 'code', 'CUSTOMER_NOT_FOUND', 'nor nobody');
select is(pg_temp.answer('public.merge_customers((select twin from pair), (select ada from pair))') #>> '{customer,points}', (select points::text from pair), 'the points of both');
select is(pg_temp.answer('public.merge_customers((select twin from pair), (select ada from pair))') ->> 'success', 'true', 'again it is the same');
select is(pg_temp.points(pg_temp.ada()) like '% even', true, 'with their ledger');
reset role;
select is(
  (select array_agg(distinct interlock.sale_to_json(s.id) #>> '{customer,id}') from interlock.sales s where s.customer_id = (select twin from pair)),
  array[pg_temp.ada()::text], 'and their sales'
);
select pg_temp.act_as('bb', 'manager');
select is((select array[phone, name]::text[] from interlock.customers where id = pg_temp.ada()), array['+491511234567', 'Ada'], 'who stays, stays who they were');
select is(
  pg_temp.sell(1, pg_temp.cash(500), (select jsonb_build_object('id', twin)::text from pair)) #>> '{sale,customer,id}', pg_temp.ada()::text,
  'an old id finds who has it now'
);
select is(
  pg_temp.answer('public.merge_customers((select twin from pair), pg_temp.by_email(''bob@example.com''))') ->> 'code', 'CUSTOMER_NOT_FOUND', 'who was merged is merged'
);
select is(
  pg_temp.answer('public.link_customer(pg_temp.by_email(''bob@example.com''), ''61000000-0000-4000-8000-0000000000dd'')') ->> 'success', 'true', 'bob has an account'
);
select is(pg_temp.answer('public.merge_customers(pg_temp.by_email(''bob@example.com''), pg_temp.ada())') ->> 'code', 'CUSTOMER_LINKED', 'two accounts are two people');

select is(pg_temp.wrong('public.erase_customer(null)'), array['/p_customer_id'], 'somebody is erased');
select is(pg_temp.answer('public.erase_customer(gen_random_uuid())') ->> 'code', 'CUSTOMER_NOT_FOUND', 'who is there');
select is(pg_temp.answer('public.erase_customer((select ada from pair))') ->> 'success', 'true', 'erased');
select is(pg_temp.answer('public.erase_customer((select ada from pair))') ->> 'success', 'true', 'and erased');
select is((select num_nonnulls(name, phone, email, user_id) from interlock.customers where id = (select ada from pair)), 0, 'nothing personal is left');
select is((select count(*) > 3 from interlock.sales where customer_id = (select ada from pair)), true, 'the sales are');
select is(pg_temp.sell(1, pg_temp.cash(500), (select jsonb_build_object('id', ada)::text from pair)) ->> 'code', 'CUSTOMER_NOT_FOUND', 'nobody buys as them');
reset role;
select is((interlock.erase_user('61000000-0000-4000-8000-0000000000dd') ->> 'success'), 'true', 'an account that is erased');
select is(pg_temp.by_email('bob@example.com'), null, 'takes its customer with it');
select throws_ok('delete from interlock.points_movements', '23001', null, 'nobody deletes what became of points');
select throws_ok('update interlock.points_movements set points = 1', '23001', null, 'or changes it');
select throws_ok('truncate interlock.points_movements', '23001', null, 'or empties it');
select throws_ok($$update interlock.customers set name = 'x' where id = (select ada from pair)$$, '23514', null, 'who is erased stays nobody');

select * from finish();
rollback;
