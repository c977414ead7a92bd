-- Redeeming and giving back: a hold becomes the redemption, a use is given back exactly
-- once, and the discount shown is the discount charged.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(53);

-- Cast --------------------------------------------------------------------

insert into auth.users (id, aud, role, email)
values
  ('7a000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-ann@example.com'),
  ('7a000000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'tap-bob@example.com');

delete from interlock.promo_redemptions;
delete from interlock.promo_user_uses;
delete from interlock.promo_attempts;
delete from interlock.promo_code_products;
delete from interlock.promo_codes;
update interlock.settings set promo_hold = '15 minutes';

create temporary table cast_of (name text primary key, id uuid);
insert into cast_of
values
  ('ann', '7a000000-0000-4000-8000-000000000001'),
  ('bob', '7a000000-0000-4000-8000-000000000002'),
  ('nameless', null);

create function pg_temp.who(p_name text)
returns uuid
language sql
as $$ select id from cast_of where name = p_name $$;

-- Cart and order n.
create function pg_temp.cart(p_n int)
returns uuid
language sql
as $$ select ('7ca00000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;

create function pg_temp.ord(p_n int)
returns uuid
language sql
as $$ select ('70d00000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;

-- What a statement answers: its value, or the error as `code detail`.
create function pg_temp.answer(p_sql text)
returns text
language plpgsql
as $$
declare
  v_answer text;
  v_detail text;
begin
  execute p_sql into v_answer;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return concat_ws(' ', case when sqlstate like 'PT%' then sqlerrm else sqlstate || ' ' || sqlerrm end, case when sqlstate like 'PT%' then nullif(nullif(v_detail, '')::jsonb - 'message' - 'retryable', '{}')::text else nullif(v_detail, '') end);
end
$$;

-- Calls public.validate_promo as a signed-in user: `arguments` as SQL.
create function pg_temp.call(p_who text, p_arguments text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_state text;
  v_message text;
  v_detail text;
  v_hint text;
begin
  perform set_config(
    'request.jwt.claims',
    jsonb_strip_nulls(jsonb_build_object('role', 'authenticated', 'sub', pg_temp.who(p_who)))::text,
    true
  );
  perform set_config('response.status', '', true);
  set local role authenticated;
  execute format('select public.validate_promo(%s)', p_arguments) into v_answer;
  reset role;
  return v_answer;
exception
  when others then
    get stacked diagnostics
      v_state = returned_sqlstate,
      v_message = message_text,
      v_detail = pg_exception_detail,
      v_hint = pg_exception_hint;
    return jsonb_build_object(
      'code', v_state, 'message', v_message, 'details', nullif(nullif(v_detail, '')::jsonb - 'message' - 'retryable', '{}'), 'has_hint', v_hint <> ''
    );
end
$$;

-- The same in short: `discount/total`, released or not, or the error with its details.
create function pg_temp.say(p_who text, p_arguments text)
returns text
language sql
as $$
  select case
    when a ? 'valid' then concat(a ->> 'discount', '/', a ->> 'total')
    when a ? 'released' then 'released ' || (a ->> 'released')
    -- An unknown code is answered with text, as PostgREST has it; the others are told above.
    else concat_ws(' ', a ->> 'message', case when jsonb_typeof(a -> 'details') <> 'string' then a ->> 'details' end)
  end
  from pg_temp.call(p_who, p_arguments) a
$$;

-- Every section begins with one fresh code, `Code`, 10 per cent.
create function pg_temp.fresh(p_max_uses int, p_max_uses_per_user int)
returns void
language sql
as $$
  delete from interlock.promo_redemptions;
  delete from interlock.promo_user_uses;
  delete from interlock.promo_codes;
  insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses, max_uses_per_user)
  values ('7c000000-0000-4000-8000-000000000001', 'Code', 'percentage', 10, p_max_uses, p_max_uses_per_user);
$$;

create function pg_temp.apply(p_who text, p_cart int, p_subtotal bigint default 1000, p_currency text default 'EUR')
returns text
language sql
as $$
  select pg_temp.say(p_who, format(
    '%L, p_subtotal => %s, p_cart_id => %L, p_currency => %L', 'code', p_subtotal, pg_temp.cart(p_cart), p_currency
  ))
$$;

-- Redeems for cart n (null: none) and order n, as checkout does.
create function pg_temp.redeem(p_who text, p_cart int, p_order int, p_subtotal bigint default 1000)
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select sum(s) from unnest(interlock.redeem_promo(%L, %L, %L, %L, %L, %L)) as s',
    pg_temp.who(p_who), ' cODE', pg_temp.cart(p_cart), pg_temp.ord(p_order), 'EUR',
    jsonb_build_array(jsonb_build_object(
      'product_id', '7d000000-0000-4000-8000-000000000001', 'quantity', 1, 'unit_price', p_subtotal
    ))
  ))
$$;

create function pg_temp.age(p_cart int)
returns void
language sql
as $$
  update interlock.promo_redemptions set held_until = now() where cart_id = pg_temp.cart(p_cart) and status = 'held'
$$;

-- Uses as `who cart status order`, by order and cart; the counters; and the differences, if any.
create function pg_temp.uses()
returns text
language sql
as $$
  select concat(
    (select string_agg(concat_ws(' ', c.name, right(r.cart_id::text, 1), r.status, right(r.order_id::text, 1)), ', '
       order by r.order_id, r.cart_id, r.status, c.name)
     from interlock.promo_redemptions r left join cast_of c on c.id = r.user_id),
    ' = ',
    (select used_count from interlock.promo_codes),
    (select ' with ' || count(*) || ' differences' from interlock.promo_differences having count(*) > 0)
  )
$$;

-- A hold becomes the redemption --------------------------------------------------

select pg_temp.fresh(1, 1);
select is(pg_temp.apply('ann', 1), '100/900', 'ann holds the only use');
select is(pg_temp.redeem('bob', 2, 1), 'PROMO_EXHAUSTED {"reason": "max_uses"}', 'bob cannot redeem it');
select matches(pg_temp.redeem('ann', 2, 1), '^PROMO_ALREADY_APPLIED {"reason": "held"', 'ann''s other cart neither');
select matches(pg_temp.redeem('ann', null, 1), '^PROMO_ALREADY_APPLIED {"reason": "held"', 'nor a checkout that does not name the cart');
select is(pg_temp.redeem('ann', 1, 1), '100', 'the cart that holds it does');
select is(pg_temp.uses(), 'ann 1 redeemed 1 = 1', 'and it is one use');
select is(
  pg_temp.redeem('ann', 1, 2),
  format('PROMO_ALREADY_APPLIED {"reason": "redeemed", "cart_id": "%s", "order_id": "%s"}', pg_temp.cart(1), pg_temp.ord(1)),
  'that cart has had it'
);
select is(pg_temp.apply('ann', 1), pg_temp.redeem('ann', 1, 2), 'and cannot apply it again');
select is(pg_temp.redeem('ann', 2, 2), 'PROMO_EXHAUSTED {"reason": "max_uses_per_user"}', 'another one of hers finds her uses used up');
select is(interlock.expire_promo_holds(), 0, 'a redeemed use does not expire');
select is(pg_temp.say('ann', format('%L, p_cart_id => %L, p_action => %L', 'code', pg_temp.cart(1), 'release')),
  'released false', 'nor can it be released');

-- Given back exactly once ----------------------------------------------------------

select is(interlock.return_promos(array[pg_temp.ord(1)]), 1, 'the order ends: the use is given back');
select is(interlock.return_promos(array[pg_temp.ord(1)]), 0, 'once');
select is(interlock.return_promos(array[pg_temp.ord(1)]), 0, 'however it is asked');
select is(interlock.return_promos(array[pg_temp.ord(9)]), 0, 'an order without a code gives nothing back');
select is(interlock.return_promos(null), 0, 'nor does none');
select is(pg_temp.uses(), 'ann 1 returned 1 = 0', 'the use is free');
select is(pg_temp.redeem('ann', 1, 2), '100', 'for the same cart in another order');
select is(interlock.return_promos(array[pg_temp.ord(1)]), 0, 'which the first order cannot give back');
select is(pg_temp.uses(), 'ann 1 returned 1, ann 1 redeemed 2 = 1', 'so it stays');

select pg_temp.fresh(3, 2);
select is(
  concat_ws(' ', pg_temp.redeem('ann', null, 1), pg_temp.redeem('ann', null, 2), pg_temp.redeem('bob', null, 3)),
  '100 100 100',
  'without a cart id each order is a use'
);
select is(pg_temp.redeem('ann', null, 4), 'PROMO_EXHAUSTED {"reason": "max_uses_per_user"}', 'two of one customer');
select is(pg_temp.redeem('bob', null, 4), 'PROMO_EXHAUSTED {"reason": "max_uses"}', 'three of all');
select is(
  interlock.return_promos(array[pg_temp.ord(1), pg_temp.ord(2), pg_temp.ord(3), pg_temp.ord(3), null, pg_temp.ord(9)]),
  3,
  'several orders give back together'
);
select is(pg_temp.uses(), 'ann returned 1, ann returned 2, bob returned 3 = 0', 'each its own use');

-- An order that fails takes nothing ------------------------------------------------

select pg_temp.fresh(1, 1);
select pg_temp.apply('ann', 1);
savepoint failing;
select is(pg_temp.redeem('ann', 1, 1), '100', 'a checkout redeems the hold');
rollback to failing;
select is(pg_temp.uses(), 'ann 1 held = 1', 'and fails later: the hold is as it was');

-- The discount shown ---------------------------------------------------------------

select is(
  pg_temp.redeem('ann', 1, 1, 2000),
  'PROMO_CHANGED {"now": 200, "shown": 100, "currency": "EUR"}',
  'a cart that has changed since is not sold under another discount'
);
update interlock.promo_codes set discount_value = 20;
select is(
  pg_temp.redeem('ann', 1, 1),
  'PROMO_CHANGED {"now": 200, "shown": 100, "currency": "EUR"}',
  'nor one whose code has changed'
);
select is(pg_temp.uses(), 'ann 1 held = 1', 'the hold stays');
select is(pg_temp.apply('ann', 1), '200/800', 'asked again, it shows the new discount');
select is(pg_temp.redeem('ann', 1, 1), '200', 'which is charged');

select pg_temp.fresh(1, 1);
select pg_temp.apply('ann', 1);
select pg_temp.age(1);
select is(pg_temp.redeem('ann', 1, 1, 2000), '200', 'a hold that is over promises nothing');
select is(pg_temp.uses(), 'ann 1 redeemed 1 = 1', 'but its use is taken over, not counted twice');

select pg_temp.fresh(1, 1);
select pg_temp.apply('ann', 1);
update interlock.promo_codes set active = false;
select is(pg_temp.redeem('ann', 1, 1), 'PROMO_NOT_APPLICABLE {"reason": "inactive"}', 'a hold does not override the rules');

select pg_temp.fresh(1, 1);
select pg_temp.apply('ann', 1, 1000, 'USD');
select is(
  pg_temp.redeem('ann', 1, 1),
  'PROMO_CHANGED {"now": 100, "shown": 100, "currency": "EUR"}',
  'the same amount in another currency is another discount'
);

-- Expired holds of others ----------------------------------------------------------

select pg_temp.fresh(1, 1);
select pg_temp.apply('ann', 1);
select pg_temp.age(1);
select is(pg_temp.redeem('bob', null, 1), '100', 'bob redeems the use that ann''s hold has lost');
select is(pg_temp.uses(), 'bob redeemed 1, ann 1 expired = 1', 'it has changed hands');
select is(pg_temp.redeem('ann', 1, 2), 'PROMO_EXHAUSTED {"reason": "max_uses"}', 'ann is told so at the checkout');

-- increment_promo_usage --------------------------------------------------------------

set local role service_role;
select is(
  pg_temp.answer($$select public.increment_promo_usage('7c000000-0000-4000-8000-000000000001')$$),
  'PROMO_EXHAUSTED {"reason": "max_uses"}',
  'no use is left to count'
);
select is(
  pg_temp.answer($$select public.increment_promo_usage('7c000000-0000-4000-8000-000000000009')$$),
  'PROMO_NOT_FOUND',
  'no such code'
);
select is(pg_temp.answer('select public.increment_promo_usage(null)'), 'PROMO_NOT_FOUND', 'no code at all');
reset role;
select pg_temp.fresh(2, 1);
select pg_temp.apply('ann', 1);
set local role service_role;
select is(
  public.increment_promo_usage('7c000000-0000-4000-8000-000000000001'),
  '{"success": true, "used_count": 2}'::jsonb,
  'one more use'
);
reset role;
select is(pg_temp.uses(), 'ann 1 held, redeemed = 2', 'has its row');
select pg_temp.age(1);
select is(
  public.increment_promo_usage('7c000000-0000-4000-8000-000000000001') ->> 'used_count',
  '2',
  'it takes back a hold that is over'
);
select is(pg_temp.uses(), 'ann 1 expired, redeemed, redeemed = 2', 'exactly one');
select is(pg_temp.redeem('ann', null, 1), 'PROMO_EXHAUSTED {"reason": "max_uses"}', 'and binds customers too');

select pg_temp.fresh(3, 1);
set local role service_role;
select is(
  array[
    public.increment_promo_usage('7c000000-0000-4000-8000-000000000001', 'sale 1'),
    public.increment_promo_usage('7c000000-0000-4000-8000-000000000001', 'sale 1'),
    public.increment_promo_usage('7c000000-0000-4000-8000-000000000001', 'sale 2')
  ],
  array['{"success": true, "used_count": 1}', '{"success": true, "used_count": 1}', '{"success": true, "used_count": 2}']::jsonb[],
  'a reference counts once, and is answered the same'
);
select is(
  pg_temp.answer($$select public.increment_promo_usage('7c000000-0000-4000-8000-000000000002', 'sale 1')$$),
  'IDEMPOTENCY_KEY_REUSED {"operation": "increment_promo_usage"}',
  'for one code'
);
reset role;
select is(pg_temp.uses(), 'redeemed, redeemed = 2', 'two uses');

-- The limit lowered and raised -------------------------------------------------------

update interlock.promo_codes set max_uses = null;
select is(pg_temp.redeem('ann', null, 1), '100', 'the shop lifts the limit');
select throws_ok('update interlock.promo_codes set max_uses = 2', '23514', null, 'it cannot be lower than what is used');

select is_empty('select * from interlock.promo_differences', 'counters and rows agree');

select * from finish();
rollback;
