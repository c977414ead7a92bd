-- Holds of promo codes: apply, refresh, dry run, release, expiry, and who is refused. Time
-- does not pass inside a transaction, so holds are aged by moving their end.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(85);

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

create function pg_temp.apply(p_who text, p_cart int, p_subtotal bigint default 1000)
returns text
language sql
as $$
  select pg_temp.say(p_who, format('%L, p_subtotal => %s, p_cart_id => %L', 'code', p_subtotal, pg_temp.cart(p_cart)))
$$;

create function pg_temp.release(p_who text, p_cart int)
returns text
language sql
as $$
  select pg_temp.say(p_who, format('%L, p_cart_id => %L, p_action => %L', 'code', pg_temp.cart(p_cart), 'release'))
$$;

create function pg_temp.age(p_cart int)
returns void
language sql
as $$
  update interlock.promo_redemptions set held_until = now() where cart_id = pg_temp.cart(p_cart) and status = 'held'
$$;

-- Uses as `who cart status`, by cart; the counters; and the differences, if any.
create function pg_temp.uses()
returns text
language sql
as $$
  select concat(
    (select string_agg(concat_ws(' ', c.name, right(r.cart_id::text, 1), r.status), ', ' order by r.cart_id, r.status, c.name)
     from interlock.promo_redemptions r left join cast_of c on c.id = r.user_id),
    ' = ',
    (select used_count from interlock.promo_codes),
    (select ' with ' || count(*) || ' differences' from interlock.promo_differences having count(*) > 0)
  )
$$;

-- One use, one customer -------------------------------------------------------

select pg_temp.fresh(1, null);
select is(pg_temp.apply('ann', 1), '100/900', 'ann applies the code');
select is(pg_temp.uses(), 'ann 1 held = 1', 'and holds a use');
select is(
  (select held_until from interlock.promo_redemptions),
  now() + interval '15 minutes',
  'for 15 minutes'
);
select is(pg_temp.apply('ann', 1, 3000), '300/2700', 'the same cart again, with more in it');
select is(pg_temp.uses(), 'ann 1 held = 1', 'keeps one use');
select is((select discount::bigint from interlock.promo_redemptions), 300::bigint, 'under the new discount');

update interlock.promo_redemptions set held_until = now() + interval '1 minute';
select is(
  pg_temp.call('ann', format('%L, p_subtotal => 3000, p_cart_id => %L', 'code', pg_temp.cart(1))) ->> 'held_until',
  to_jsonb(now() at time zone 'UTC' + interval '15 minutes') #>> '{}' || '+00:00',
  'and a new end'
);

select is(
  pg_temp.call('ann', format('%L, p_subtotal => 1000, p_cart_id => %L', 'code', pg_temp.cart(2))) - 'has_hint',
  jsonb_build_object('code', 'PT409', 'message', 'PROMO_ALREADY_APPLIED', 'details', jsonb_build_object(
    'reason', 'held', 'cart_id', pg_temp.cart(1),
    'held_until', to_jsonb(now() at time zone 'UTC' + interval '15 minutes') #>> '{}' || '+00:00'
  )),
  'in another tab the code is applied already'
);
select is(pg_temp.apply('bob', 3), 'PROMO_EXHAUSTED {"reason": "max_uses"}', 'for bob it is used up');
select is(
  pg_temp.say('bob', $$'code', p_subtotal => 1000, p_dry_run => true$$),
  'PROMO_EXHAUSTED {"reason": "max_uses"}',
  'also when he only asks'
);
select is(pg_temp.release('bob', 1), 'released false', 'bob cannot release the hold of ann''s cart');
select is(pg_temp.release('ann', 2), 'released false', 'nor ann one that another tab does not hold');
select is(pg_temp.uses(), 'ann 1 held = 1', 'nothing has changed');
select is(pg_temp.release('ann', 1), 'released true', 'ann releases it');
select is(pg_temp.release('ann', 1), 'released false', 'once');
select is(pg_temp.uses(), 'ann 1 released = 0', 'and the use is back');
select is(pg_temp.apply('bob', 3), '100/900', 'for bob');
select is(pg_temp.uses(), 'ann 1 released, bob 3 held = 1', 'who holds it now');

-- Dry run -----------------------------------------------------------------------

select pg_temp.fresh(1, 1);
select is(pg_temp.say('ann', $$'code', p_subtotal => 1000, p_dry_run => true$$), '100/900', 'a dry run answers');
select is(pg_temp.uses(), ' = 0', 'and holds nothing');
select is_empty('select * from interlock.promo_user_uses', 'nor counts anything');

-- Expiry ------------------------------------------------------------------------

select pg_temp.fresh(1, null);
select is(pg_temp.apply('ann', 1), '100/900', 'ann applies the code');
update interlock.promo_redemptions set held_until = now() + interval '1 microsecond';
select is(pg_temp.apply('bob', 2), 'PROMO_EXHAUSTED {"reason": "max_uses"}', 'a live hold is hers to its last moment');
select is(interlock.expire_promo_holds(), 0, 'and is not taken back');
select pg_temp.age(1);
select is(pg_temp.uses(), 'ann 1 held = 1', 'a hold that is over counts until it is taken back');
select is(pg_temp.say('bob', $$'code', p_subtotal => 1000, p_dry_run => true$$), '100/900', 'a dry run knows that it can be');
select is(pg_temp.apply('bob', 2), '100/900', 'whoever needs the use takes it back');
select is(pg_temp.uses(), 'ann 1 expired, bob 2 held = 1', 'exactly one');
select is(pg_temp.apply('ann', 1), 'PROMO_EXHAUSTED {"reason": "max_uses"}', 'ann''s is gone');
select is(pg_temp.release('ann', 1), 'released false', 'and there is nothing for her to release');

select pg_temp.age(2);
select is(pg_temp.apply('bob', 2), '100/900', 'a hold that is over but not taken back is revived');
select is(pg_temp.uses(), 'ann 1 expired, bob 2 held = 1', 'as the same use');
select pg_temp.age(2);
-- Somebody else's lock, which is waited for in a second go only.
create function pg_temp.locked()
returns trigger
language plpgsql
as $$
begin
  if current_setting('lock_timeout') = '1ms' then
    raise lock_not_available;
  end if;
  return new;
end
$$;
create trigger locked
  before update on interlock.promo_redemptions
  for each row
  when (new.status = 'expired')
  execute function pg_temp.locked();
select is(interlock.expire_promo_holds(), 1, 'the job takes it back, also if it was locked for a moment');
drop trigger locked on interlock.promo_redemptions;
select is(interlock.expire_promo_holds(), 0, 'once');
select is(pg_temp.uses(), 'ann 1 expired, bob 2 expired = 0', 'and it is free');

select pg_temp.fresh(null, null);
update interlock.promo_codes set holds_per_user = 4;
select is(string_agg(pg_temp.apply('ann', n), ' '), '100/900 100/900 100/900 100/900', 'a code without a limit fits every cart')
from generate_series(1, 4) n;
update interlock.promo_redemptions set held_until = now() - n * interval '1 minute'
from generate_series(1, 3) n
where cart_id = pg_temp.cart(n);
select is(interlock.expire_promo_holds(2), 2, 'the job does as many as it is told');
select is(pg_temp.uses(), 'ann 1 held, ann 2 expired, ann 3 expired, ann 4 held = 2', 'the oldest first');

-- A hold does not outlive its code.

select pg_temp.fresh(null, null);
update interlock.promo_codes set expires_at = now() + interval '1 minute';
select is(pg_temp.apply('ann', 1), '100/900', 'a code that ends in a minute');
select is((select held_until from interlock.promo_redemptions), now() + interval '1 minute', 'is held for a minute');
update interlock.settings set promo_hold = '30 seconds';
select is(pg_temp.apply('ann', 1), '100/900', 'the shop tunes the hold');
select is((select held_until from interlock.promo_redemptions), now() + interval '30 seconds', 'from the next call on');
update interlock.settings set promo_hold = '15 minutes';

-- Uses per customer -------------------------------------------------------------

select pg_temp.fresh(null, 1);
select is(pg_temp.apply('ann', 1), '100/900', 'ann''s only use');
select matches(pg_temp.apply('ann', 2), '^PROMO_ALREADY_APPLIED {"reason": "held"', 'her other tab is told where it is');
select is(pg_temp.apply('bob', 3), '100/900', 'bob has his own');
select pg_temp.age(1);
select is(pg_temp.apply('ann', 2), '100/900', 'her hold is over: her other tab has it');
select is(pg_temp.uses(), 'ann 1 expired, ann 2 held, bob 3 held = 2', 'and it is one');

-- Holds of one customer ---------------------------------------------------------

select pg_temp.fresh(20, null);
select is(
  (select string_agg(left(pg_temp.apply('ann', n), 40), ' ' order by n) from generate_series(1, 3) n),
  '100/900 PROMO_ALREADY_APPLIED {"reason": "held", PROMO_ALREADY_APPLIED {"reason": "held",',
  'of twenty uses one customer holds one'
);
select is(
  pg_temp.apply('ann', 2),
  format(
    'PROMO_ALREADY_APPLIED {"reason": "held", "cart_id": "%s", "held_until": "%s+00:00"}',
    pg_temp.cart(1), to_jsonb(now() at time zone 'UTC' + interval '15 minutes') #>> '{}'
  ),
  'and is told which cart has it'
);
select is(
  pg_temp.say('ann', format('%L, p_subtotal => 1000, p_cart_id => %L, p_dry_run => true', 'code', pg_temp.cart(2))),
  pg_temp.apply('ann', 2), 'also when she only asks'
);
select is(pg_temp.apply('ann', 1), '100/900', 'that cart may ask again');
select is(pg_temp.apply('bob', 3), '100/900', 'and bob may have one too');
select is(
  interlock.take_promo_use(
    '7c000000-0000-4000-8000-000000000001', pg_temp.who('ann'), pg_temp.cart(2), pg_temp.cart(9), 1, 'EUR', null
  ),
  null, 'her other cart can be bought with it all the same'
);
select is(pg_temp.uses(), 'ann 1 held, ann 2 redeemed, bob 3 held = 3', 'which is a use of its own');
select is(pg_temp.release('ann', 1), 'released true', 'the hold is given back');
select is(pg_temp.apply('ann', 4), '100/900', 'then another cart can have it');
update interlock.promo_codes set holds_per_user = 2;
select is(
  (select string_agg(left(pg_temp.apply('ann', n), 21), ' ' order by n) from generate_series(5, 6) n),
  '100/900 PROMO_ALREADY_APPLIED', 'as many carts as the code allows'
);
select pg_temp.age(4);
select is(pg_temp.apply('ann', 6), '100/900', 'a hold that is over is none');
update interlock.promo_codes set holds_per_user = 1;
select is(pg_temp.apply('ann', 6), '100/900', 'what is held stays when the code allows less');
select is(left(pg_temp.apply('ann', 7), 21), 'PROMO_ALREADY_APPLIED', 'and more there is not');

-- How long a customer may hold a code --------------------------------------------

create function pg_temp.until(p_cart int)
returns text
language sql
as $$
  select coalesce(
    extract(epoch from ((a ->> 'held_until')::timestamptz - now()) / 60)::int::text, (a ->> 'discount') || ' without a hold'
  )
  from pg_temp.call('ann', format('%L, p_subtotal => 1000, p_cart_id => %L', 'code', pg_temp.cart(p_cart))) a
$$;
-- So many minutes ago ann began.
create function pg_temp.began(p_minutes int)
returns void
language sql
as $$
  update interlock.promo_user_uses set held_since = now() - make_interval(mins => p_minutes)
$$;

select pg_temp.fresh(20, null);
-- Another code's hour is over.
insert into interlock.promo_user_uses (promo_id, user_id, held_since)
values ('7b000000-0000-4000-8000-000000000001', pg_temp.who('ann'), now() - interval '3 hours');
select is(pg_temp.until(1), '15', 'a hold lasts 15 minutes');
select is(
  (select array_agg(held_since order by promo_id) from interlock.promo_user_uses),
  array[now() - interval '3 hours', now()], 'the hour begins, that of this code'
);
delete from interlock.promo_user_uses where promo_id <> '7c000000-0000-4000-8000-000000000001';
insert into interlock.promo_user_uses (promo_id, user_id, held_since)
values ('7b000000-0000-4000-8000-000000000001', pg_temp.who('ann'), now() - interval '90 minutes');
select is(pg_temp.until(1), '15', 'whatever has become of another code''s');
delete from interlock.promo_user_uses where promo_id <> '7c000000-0000-4000-8000-000000000001';
select pg_temp.began(30);
select is(pg_temp.until(1), '15', 'and 15 more');
select is((select held_since from interlock.promo_user_uses), now() - interval '30 minutes', 'of the same hour');
select pg_temp.began(50);
select is(pg_temp.until(1), '10', 'and to the end of it');
select is((select held_until from interlock.promo_redemptions), now() + interval '10 minutes', 'as the hold has it');
select is(pg_temp.release('ann', 1), 'released true', 'given back');
select is(pg_temp.until(2), '10', 'and taken with another cart it ends no later');
select pg_temp.began(60);
select pg_temp.age(2);
select is(pg_temp.until(2), '100 without a hold', 'then the code takes off what it did, and is not held');
select is(pg_temp.until(3), '100 without a hold', 'with no cart');
select is(pg_temp.uses(), 'ann 1 released, ann 2 held = 1', 'the hold is over, for whoever needs it');
select is(pg_temp.apply('bob', 4), '100/900', 'bob''s hour is his own');
select is(
  interlock.take_promo_use(
    '7c000000-0000-4000-8000-000000000001', pg_temp.who('ann'), pg_temp.cart(3), pg_temp.cart(9), 1, 'EUR', null
  ),
  null, 'ann can buy with it'
);
select is(pg_temp.uses(), 'ann 1 released, ann 2 expired, ann 3 redeemed, bob 4 held = 2', 'as anybody can');
select pg_temp.began(119);
select is(pg_temp.until(2), '100 without a hold', 'for as long as she has held it');
select pg_temp.began(120);
-- Another code she may not hold just now; its row is found first.
insert into interlock.promo_user_uses as u (promo_id, user_id, held_since)
values ('7b000000-0000-4000-8000-000000000001', pg_temp.who('ann'), now() - interval '90 minutes')
on conflict on constraint promo_user_uses_pkey do update set held_since = excluded.held_since;
update interlock.promo_user_uses set held_since = held_since where promo_id <> '7b000000-0000-4000-8000-000000000001';
select is(pg_temp.until(2), '15', 'and then she may again');
select is((select count(*) from interlock.promo_user_uses where held_since = now()), 1::bigint, 'for another hour');
update interlock.settings set promo_hold_limit = '10 minutes';
select is(pg_temp.until(2), '10', 'the shop tunes it');
update interlock.settings set promo_hold_limit = '1 hour';
select is(pg_temp.release('ann', 2), 'released true', 'again she gives it back');
update interlock.promo_codes set max_uses = used_count;
select pg_temp.began(60);
select is(pg_temp.until(2), null, 'what is used up takes nothing off, held or not');

-- Without a cart id -------------------------------------------------------------

select pg_temp.fresh(null, 1);
select is(pg_temp.say('ann', $$'code', p_subtotal => 1000$$), '100/900', 'no cart id is a cart too');
select is(pg_temp.say('ann', $$'code', p_subtotal => 2000$$), '200/1800', 'the same one');
select is(pg_temp.say('ann', $$'code', p_action => 'release'$$), 'released true', 'it can be released');
select is(pg_temp.uses(), 'ann released = 0', 'and has had one use');

select * from finish();
rollback;
