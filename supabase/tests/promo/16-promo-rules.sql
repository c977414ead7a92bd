-- The rules of promo codes: each refusal with its boundary, the same from validate_promo
-- and from checkout's redeem_promo; bad input; guessing. Codes are aged, never the clock.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(127);

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

insert into interlock.products (id, name, price, currency, active)
values
  ('7d000000-0000-4000-8000-000000000001', 'Tea', 335, 'EUR', true),
  ('7d000000-0000-4000-8000-000000000002', 'Pot', 2000, 'EUR', true),
  ('7d000000-0000-4000-8000-000000000003', 'Cup', 700, 'USD', true),
  ('7d000000-0000-4000-8000-000000000004', 'Gone', 700, 'EUR', false);

insert into interlock.promo_codes
  (code, discount_type, discount_value, currency, max_discount, min_subtotal, starts_at, expires_at, active,
   first_order_only, user_id)
values
  ('Ten', 'percentage', 10, null, null, null, null, null, true, false, null),
  ('Capped', 'percentage', 50, 'EUR', 1000, null, null, null, true, false, null),
  ('Fifty', 'fixed', 5000, 'EUR', null, null, null, null, true, false, null),
  ('Over20', 'percentage', 10, 'EUR', null, 2000, null, null, true, false, null),
  ('Soon', 'percentage', 10, null, null, null, now() + interval '1 second', null, true, false, null),
  ('Now', 'percentage', 10, null, null, null, now(), null, true, false, null),
  ('Ended', 'percentage', 10, null, null, null, null, now(), true, false, null),
  ('Ending', 'percentage', 10, null, null, null, null, now() + interval '1 second', true, false, null),
  ('Off', 'percentage', 10, null, null, null, null, null, false, false, null),
  ('First', 'percentage', 10, null, null, null, null, null, true, true, null),
  ('ForBob', 'percentage', 10, null, null, null, null, null, true, false, '7a000000-0000-4000-8000-000000000002'),
  ('PotOnly', 'percentage', 10, null, null, null, null, null, true, false, null),
  (U&'Spring\00a0', 'percentage', 10, null, null, null, null, null, true, false, null),
  (U&'Cafe\0301 5', 'percentage', 10, null, null, null, null, null, true, false, null),
  (U&'\0130ndirim', 'percentage', 10, null, null, null, null, null, true, false, null),
  (U&'Gro\00df', 'percentage', 10, null, null, null, null, null, true, false, null),
  ('Tenth', 'percentage', 0.05, null, null, 0, null, null, true, false, null);

-- The last day of a code, here and where it is another day.
insert into interlock.promo_codes (code, discount_type, discount_value, last_day, time_zone, expires_at)
select z.code, 'percentage', 10, (now() at time zone z.zone)::date - z.days, z.zone, z.expires_at
from (values
  ('Today', 'UTC', 0, null),
  ('Yesterday', 'UTC', 1, null),
  ('East', 'Pacific/Kiritimati', 0, null),
  ('EastOver', 'Pacific/Kiritimati', 1, null),
  ('West', 'Pacific/Pago_Pago', 0, null),
  ('WestOver', 'Pacific/Pago_Pago', 1, null),
  ('Earlier', 'UTC', 0, now())
) as z (code, zone, days, expires_at);

insert into interlock.promo_code_products
select p.id, '7d000000-0000-4000-8000-000000000002' from interlock.promo_codes p where p.code = 'PotOnly';

-- Both ways -----------------------------------------------------------------
-- The same cart by validate_promo (dry) and by redeem_promo: the same answer.

create temporary table carts (name text primary key, items jsonb, currency text, lines jsonb);
insert into carts
values
  ('tea', '[{"product_id": "7d000000-0000-4000-8000-000000000001", "quantity": 3}]', 'EUR',
    '[{"product_id": "7d000000-0000-4000-8000-000000000001", "quantity": 3, "unit_price": 335}]'),
  ('pot', '[{"product_id": "7d000000-0000-4000-8000-000000000002", "quantity": 1}]', 'EUR',
    '[{"product_id": "7d000000-0000-4000-8000-000000000002", "quantity": 1, "unit_price": 2000}]'),
  ('both', '[{"product_id": "7d000000-0000-4000-8000-000000000002", "quantity": 1},
             {"product_id": "7d000000-0000-4000-8000-000000000001", "quantity": 2},
             {"product_id": "7d000000-0000-4000-8000-000000000001", "quantity": 1.0}]', 'EUR',
    '[{"product_id": "7d000000-0000-4000-8000-000000000001", "quantity": 3, "unit_price": 335},
      {"product_id": "7d000000-0000-4000-8000-000000000002", "quantity": 1, "unit_price": 2000}]'),
  ('cup', '[{"product_id": "7d000000-0000-4000-8000-000000000003", "quantity": 2}]', 'USD',
    '[{"product_id": "7d000000-0000-4000-8000-000000000003", "quantity": 2, "unit_price": 700}]');

create temporary table cases (n int generated always as identity, code text, cart text, discount bigint, refusal text);
insert into cases (code, cart, discount, refusal)
values
  ('Ten', 'tea', 101, null),
  (' tEN  ', 'cup', 140, null),
  ('Capped', 'pot', 1000, null),
  ('Capped', 'tea', 503, null),
  ('Capped', 'both', 1000, null),
  ('Fifty', 'tea', 1005, null),
  ('Fifty', 'cup', null, 'PROMO_NOT_APPLICABLE {"reason": "currency", "currency": "EUR"}'),
  ('Over20', 'pot', 200, null),
  ('Over20', 'tea', null, 'PROMO_NOT_APPLICABLE {"reason": "min_subtotal", "missing": 995, "currency": "EUR", "subtotal": 1005, "min_subtotal": 2000}'),
  ('Soon', 'tea', null, 'PROMO_NOT_STARTED'),
  ('Now', 'tea', 101, null),
  ('Ended', 'tea', null, 'PROMO_EXPIRED'),
  ('Ending', 'tea', 101, null),
  ('Off', 'tea', null, 'PROMO_NOT_APPLICABLE {"reason": "inactive"}'),
  ('First', 'tea', 101, null),
  ('ForBob', 'tea', null, 'PROMO_NOT_FOUND'),
  ('None', 'tea', null, 'PROMO_NOT_FOUND'),
  ('PotOnly', 'both', 200, null),
  ('PotOnly', 'tea', null, 'PROMO_NOT_APPLICABLE {"reason": "products"}'),
  ('spring', 'tea', 101, null),
  (U&'CAF\00c95', 'tea', 101, null),
  ('INDIRIM', 'tea', 101, null),
  (U&'GR\200bOSS\3000', 'tea', 101, null),
  ('Tenth', 'tea', 1, null),
  ('Tenth', 'cup', 1, null),
  ('Today', 'tea', 101, null),
  ('Yesterday', 'tea', null, 'PROMO_EXPIRED'),
  ('East', 'tea', 101, null),
  ('EastOver', 'tea', null, 'PROMO_EXPIRED'),
  ('West', 'tea', 101, null),
  ('WestOver', 'tea', null, 'PROMO_EXPIRED'),
  ('Earlier', 'tea', null, 'PROMO_EXPIRED');

create function pg_temp.redeem(p_who text, p_code text, p_cart text, p_n int)
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select sum(s) from unnest(interlock.redeem_promo(%L, %L, null, %L, %L, %L)) as s',
    pg_temp.who(p_who), p_code, pg_temp.ord(p_n), c.currency, c.lines
  ))
  from carts c
  where c.name = p_cart
$$;

select is(
  regexp_replace(
    pg_temp.say('ann', format('%L, %L, p_dry_run => true', c.code, k.items)),
    '(STARTED|EXPIRED) .*', '\1'
  ),
  coalesce(c.refusal, concat(c.discount, '/', s.subtotal - c.discount)),
  format('validate %s on %s', c.code, c.cart)
)
from cases c
join carts k on k.name = c.cart
cross join lateral (
  select sum(l.quantity * l.unit_price)::bigint as subtotal
  from jsonb_to_recordset(k.lines) as l (quantity bigint, unit_price bigint)
) s
order by c.n;

select is(
  regexp_replace(pg_temp.redeem('ann', c.code, c.cart, c.n), '(STARTED|EXPIRED) .*', '\1'),
  coalesce(c.refusal, c.discount::text),
  format('redeem %s on %s', c.code, c.cart)
)
from cases c
order by c.n;

select is(pg_temp.say('bob', $$'forbob', p_subtotal => 1000, p_dry_run => true$$), '100/900', 'the named customer may use the code');

select is(
  pg_temp.call('ann', $$'soon', p_subtotal => 1$$) -> 'details',
  jsonb_build_object('starts_at', to_jsonb((select starts_at from interlock.promo_codes where code = 'Soon') at time zone 'UTC')
    #>> '{}' || '+00:00'),
  'a code that has not started says when it does'
);

-- First order -----------------------------------------------------------------

insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method)
values (pg_temp.ord(900), pg_temp.who('ann'), 'confirmed', 'EUR', 1, 1, 'cash_on_delivery');
select is(
  pg_temp.say('ann', $$'first', p_subtotal => 1000, p_dry_run => true$$),
  'PROMO_NOT_APPLICABLE {"reason": "first_order_only"}',
  'after an order it is no first order'
);
select is(pg_temp.redeem('ann', 'first', 'tea', 901), 'PROMO_NOT_APPLICABLE {"reason": "first_order_only"}', 'at the checkout neither');
select is(pg_temp.redeem('ann', 'first', 'tea', 900), '101', 'an order is not in its own way');
select interlock.return_promos(array[pg_temp.ord(900)]);
update interlock.orders set status = 'cancelled' where id = pg_temp.ord(900);
select is(pg_temp.say('ann', $$'first', p_subtotal => 1000, p_dry_run => true$$), '100/900', 'a cancelled order does not count');

-- The end of a code ----------------------------------------------------------

select is(interlock.promo_end(t.expires_at::timestamptz, t.last_day::date, t.zone), t.ends::timestamptz, 'ends ' || coalesce(t.ends, 'never'))
from (values
  (null, null, 'UTC', null),
  ('2026-12-31 00:00+00', null, 'Europe/Berlin', '2026-12-31 00:00+00'),
  (null, '2026-12-31', 'UTC', '2027-01-01 00:00+00'),
  (null, '2026-12-31', 'Europe/Berlin', '2026-12-31 23:00+00'),
  (null, '2026-03-29', 'Europe/Berlin', '2026-03-29 22:00+00'),
  ('2026-12-31 22:59+00', '2026-12-31', 'Europe/Berlin', '2026-12-31 22:59+00'),
  ('2026-12-31 23:01+00', '2026-12-31', 'Europe/Berlin', '2026-12-31 23:00+00')
) as t (expires_at, last_day, zone, ends);
select is(
  pg_temp.call('ann', $$'earlier', p_subtotal => 1000$$) -> 'details' ->> 'expires_at',
  (select to_jsonb(expires_at at time zone 'UTC') #>> '{}' || '+00:00' from interlock.promo_codes where code = 'Earlier'),
  'a code that is over says since when'
);

-- Subtotal instead of a cart --------------------------------------------------

select is(pg_temp.say('ann', t.arguments), t.answer, t.arguments)
from (values
  ($$'ten', p_subtotal => 0, p_dry_run => true$$, 'PROMO_NOT_APPLICABLE {"reason": "no_discount"}'),
  ($$'ten', p_subtotal => 0$$, 'PROMO_NOT_APPLICABLE {"reason": "no_discount"}'),
  ($$'ten', p_subtotal => 4, p_dry_run => true$$, 'PROMO_NOT_APPLICABLE {"reason": "no_discount"}'),
  ($$'ten', p_subtotal => 5, p_dry_run => true$$, '1/4'),
  ($$'ten', p_subtotal => 9007199254740991, p_dry_run => true$$, '900719925474099/8106479329266892'),
  ($$'fifty', p_subtotal => 5001, p_dry_run => true$$, '5000/1'),
  ($$'fifty', p_subtotal => 4999, p_currency => 'EUR', p_dry_run => true$$, '4999/0'),
  ($$'fifty', p_subtotal => 5001, p_currency => 'USD', p_dry_run => true$$, 'PROMO_NOT_APPLICABLE {"reason": "currency", "currency": "EUR"}'),
  ($$'over20', p_subtotal => 1999, p_dry_run => true$$, 'PROMO_NOT_APPLICABLE {"reason": "min_subtotal", "missing": 1, "currency": "EUR", "subtotal": 1999, "min_subtotal": 2000}'),
  ($$'over20', p_subtotal => 2000, p_dry_run => true$$, '200/1800'),
  ($$'potonly', p_subtotal => 2000, p_dry_run => true$$, 'PROMO_NOT_APPLICABLE {"reason": "cart_items_needed"}')
) as t (arguments, answer);

-- The whole answer ------------------------------------------------------------

select is(
  pg_temp.call('ann', format('%L, %L, p_dry_run => true', ' tEN', (select items from carts where name = 'both'))),
  '{
    "valid": true, "code": "Ten", "discount_type": "percentage", "discount": 301, "subtotal": 3005,
    "total": 2704, "currency": "EUR", "held_until": null,
    "lines": [
      {"product_id": "7d000000-0000-4000-8000-000000000001", "discount": 101},
      {"product_id": "7d000000-0000-4000-8000-000000000002", "discount": 200}
    ]
  }'::jsonb,
  'the answer for a cart'
);
select is(
  pg_temp.call('ann', $$'fifty', p_subtotal => 6000, p_dry_run => true$$),
  '{
    "valid": true, "code": "Fifty", "discount_type": "fixed", "discount": 5000, "subtotal": 6000,
    "total": 1000, "currency": "EUR", "held_until": null, "lines": null
  }'::jsonb,
  'the answer for a subtotal'
);

select is(
  pg_temp.call('ann', format($$'ten', '[{"product_id": "7d000000-0000-4000-8000-000000000001", "quantity": 1%s}]', p_dry_run => true$$, shown)),
  pg_temp.call('ann', $$'ten', '[{"product_id": "7d000000-0000-4000-8000-000000000001", "quantity": 1}]', p_dry_run => true$$),
  'a price that was shown changes nothing: the cart of a checkout can be sent as it is'
)
from (values (', "expected_unit_price": 1')) as t (shown);

-- Bad input -------------------------------------------------------------------

select is(
  (
    select concat_ws(' ', a ->> 'message', string_agg(p ->> 'pointer', ' ' order by n))
    from pg_temp.call('ann', t.arguments) a
    left join lateral jsonb_array_elements(a -> 'details' -> 'problems') with ordinality as x (p, n) on true
    group by a
  ),
  t.answer,
  format('validate_promo(%s)', t.arguments)
)
from (values
  ('null, p_subtotal => 1', 'VALIDATION_FAILED /code'),
  ($$'  ', p_subtotal => 1$$, 'VALIDATION_FAILED /code'),
  ($$repeat('x', 65), p_subtotal => 1$$, 'VALIDATION_FAILED /code'),
  ($$E'te\nn', p_subtotal => 1$$, 'VALIDATION_FAILED /code'),
  ($$U&'\00a0\200b', p_subtotal => 1$$, 'PROMO_NOT_FOUND'),
  ($$'ten'$$, 'VALIDATION_FAILED /cart_items'),
  ($$'ten', 'null'$$, 'VALIDATION_FAILED /cart_items'),
  ($$'ten', '[]'$$, 'VALIDATION_FAILED /cart_items'),
  ($$'ten', '{}'$$, 'VALIDATION_FAILED /cart_items'),
  ($$'ten', '[]', 1$$, 'VALIDATION_FAILED /subtotal'),
  ($$'ten', p_subtotal => -1$$, 'VALIDATION_FAILED /subtotal'),
  ($$'ten', p_subtotal => 9007199254740992$$, 'VALIDATION_FAILED /subtotal'),
  ($$'ten', p_subtotal => 1, p_currency => 'eur'$$, 'VALIDATION_FAILED /currency'),
  ($$'ten', '[{"product_id": "7d000000-0000-4000-8000-000000000001", "quantity": 1}]', p_currency => 'EUR'$$, 'VALIDATION_FAILED /currency'),
  ($$'ten', p_subtotal => 1, p_action => 'steal'$$, 'VALIDATION_FAILED /action'),
  ($$'ten', p_action => 'release', p_dry_run => true$$, 'VALIDATION_FAILED /dry_run'),
  ($$'', p_subtotal => -1, p_currency => ''$$, 'VALIDATION_FAILED /code /subtotal /currency'),
  ($$'ten', '[{"product_id": "7d", "quantity": 0, "price": 1}]'$$,
    'VALIDATION_FAILED /cart_items/0/price /cart_items/0/product_id /cart_items/0/quantity'),
  ($$'ten', '[{"product_id": "7d000000-0000-4000-8000-000000000001", "quantity": 1, "expected_unit_price": -1}]'$$,
    'VALIDATION_FAILED /cart_items/0/expected_unit_price'),
  ($$'ten', '[{"product_id": "7d000000-0000-4000-8000-000000000009", "quantity": 1}]'$$, 'PRODUCT_NOT_FOUND'),
  ($$'ten', '[{"product_id": "7d000000-0000-4000-8000-000000000004", "quantity": 1}]'$$, 'PRODUCT_NOT_FOUND'),
  ($$'ten', '[{"product_id": "7d000000-0000-4000-8000-000000000001", "quantity": 1}, {"product_id": "7d000000-0000-4000-8000-000000000003", "quantity": 1}]'$$,
    'MIXED_CURRENCIES')
) as t (arguments, answer);

select is(pg_temp.say('nameless', $$'ten', p_subtotal => 1$$), 'UNAUTHENTICATED', 'nobody validates without signing in');

-- Guessing --------------------------------------------------------------------

delete from interlock.promo_attempts;

select is(
  pg_temp.call('ann', $$'none', p_subtotal => 1$$),
  '{
    "code": "PT404", "message": "PROMO_NOT_FOUND", "details": "{\"message\": \"There is no such promo code.\"}",
    "hint": "Check the spelling of the code, or send the request without it."
  }'::jsonb,
  'an unknown code is answered with the body of the error'
);
select is(current_setting('response.status'), '404', 'and with its status');
select is(
  pg_temp.call('ann', $$'forbob', p_subtotal => 1$$) || '{"asked": "forbob"}',
  pg_temp.call('ann', $$'nosuch', p_subtotal => 1$$) || '{"asked": "forbob"}',
  'a code named for somebody else is not told from an unknown one'
);
select is(
  (select cardinality(attempted_at) from interlock.promo_attempts where user_id = pg_temp.who('ann')),
  3,
  'each of them counts, the named one too'
);
-- As PostgREST runs GET. The subtransaction of `say` gives the right to write back.
create function pg_temp.say_read_only(p_arguments text)
returns text
language plpgsql
as $$
declare
  v_answer text;
begin
  perform set_config('transaction_read_only', 'on', true);
  v_answer := pg_temp.say('ann', p_arguments);
  raise exception using errcode = 'ZZUND', message = v_answer;
exception
  when sqlstate 'ZZUND' then
    return sqlerrm;
end
$$;
select is(
  pg_temp.say_read_only($$'ten', p_subtotal => 1, p_dry_run => true$$),
  'METHOD_NOT_ALLOWED',
  'a guess that cannot be counted is not answered'
);
select is(
  pg_temp.say_read_only($$'nosuch', p_subtotal => 1, p_dry_run => true$$),
  'METHOD_NOT_ALLOWED',
  'whether there is such a code or not'
);
create temporary table guesses as
select pg_temp.say('ann', format('%L, p_action => %L', 'guess' || n, 'release')) from generate_series(4, 20) n;
select is(
  pg_temp.call('ann', $$'ten', p_subtotal => 1$$),
  '{"code": "PT429", "message": "TOO_MANY_ATTEMPTS", "details": {"retry_after": 600}, "has_hint": true}'::jsonb,
  'after 20 unknown codes even a right one is refused'
);
select is(pg_temp.say('bob', $$'ten', p_subtotal => 10, p_dry_run => true$$), '1/9', 'but not for somebody else');
update interlock.promo_attempts
set attempted_at[1] = now() - interval '10 minutes' + interval '200 milliseconds';
select is(
  pg_temp.say('ann', $$'ten', p_subtotal => 1$$),
  'TOO_MANY_ATTEMPTS {"retry_after": 1}',
  'just before the oldest of them is 10 minutes old still'
);
update interlock.promo_attempts
set attempted_at[1] = now() - interval '10 minutes';
select is(pg_temp.say('ann', $$'ten', p_subtotal => 10, p_dry_run => true$$), '1/9', 'then no longer');
select is(pg_temp.say('ann', $$'guess', p_subtotal => 1$$), 'PROMO_NOT_FOUND', 'one more guess is free');
select is(pg_temp.say('ann', $$'guess', p_subtotal => 1$$), 'TOO_MANY_ATTEMPTS {"retry_after": 600}', 'and then none');

select * from finish();
rollback;
