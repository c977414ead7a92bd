-- Promo codes: names and shapes that other people's scripts rely on, who may read and
-- write the tables, and what the constraints refuse whatever code runs.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(121);

delete from interlock.promo_redemptions;
delete from interlock.promo_user_uses;
delete from interlock.promo_attempts;
delete from interlock.promo_code_products;
delete from interlock.promo_codes;

-- Columns -----------------------------------------------------------------

-- A domain is told as what it is made of.
create function pg_temp.base_type(p_type oid, p_modifier int)
returns text
language sql
as $$
  select coalesce(format_type(nullif(d.typbasetype, 0), d.typtypmod), format_type(p_type, p_modifier))
  from pg_catalog.pg_type d
  where d.oid = p_type
$$;

select is(
  (
    select array_agg(format('%s %s%s', a.attname, pg_temp.base_type(a.atttypid, a.atttypmod),
      case when a.attnotnull then ' not null' else '' end) order by a.attnum)
    from pg_catalog.pg_attribute a
    where a.attrelid = t.name::regclass and a.attnum > 0 and not a.attisdropped and a.attname <> 'shop_id'
  ),
  t.columns,
  format('columns of %s', t.name)
)
from (values
  ('interlock.promo_codes', array[
    'id uuid not null', 'code text not null', 'discount_type text not null', 'discount_value numeric not null',
    'max_discount bigint', 'currency character(3)', 'max_uses integer', 'used_count integer not null',
    'max_uses_per_user integer', 'holds_per_user integer not null', 'min_subtotal bigint', 'starts_at timestamp with time zone',
    'expires_at timestamp with time zone', 'last_day date', 'time_zone text not null', 'active boolean not null', 'first_order_only boolean not null',
    'user_id uuid', 'created_at timestamp with time zone not null', 'use_slots integer not null'
  ]),
  ('interlock.promo_code_products', array['promo_id uuid not null', 'product_id uuid not null']),
  ('interlock.promo_redemptions', array[
    'id uuid not null', 'promo_id uuid not null', 'user_id uuid', 'cart_id uuid', 'order_id uuid',
    'status text not null', 'discount bigint', 'currency character(3)',
    'held_until timestamp with time zone', 'created_at timestamp with time zone not null',
    'redeemed_at timestamp with time zone', 'ended_at timestamp with time zone'
  ]),
  ('interlock.promo_user_uses', array[
    'promo_id uuid not null', 'user_id uuid not null', 'used integer not null', 'held_since timestamp with time zone'
  ]),
  ('interlock.promo_attempts', array['user_id uuid not null', 'attempted_at timestamp with time zone[] not null'])
) as t (name, columns);

select index_is_unique('interlock', 'promo_codes', 'promo_codes_code_unique');
select index_is_unique('interlock', 'promo_redemptions', 'promo_redemptions_one_per_cart');
select index_is_unique('interlock', 'promo_redemptions', 'promo_redemptions_one_per_order');
select is_definer('interlock', f.name, f.args, f.name || ' is done with the owner''s rights')
from (values
  ('validate_promo', array['text', 'jsonb', 'bigint', 'uuid', 'boolean', 'text', 'text']),
  ('increment_promo_usage', array['uuid', 'text']),
  ('expire_promo_holds', array['integer'])
) as f (name, args);
select function_returns('public', 'validate_promo', array['text', 'jsonb', 'bigint', 'uuid', 'boolean', 'text', 'text'], 'jsonb');
select function_returns('public', 'increment_promo_usage', array['uuid', 'text'], 'jsonb');

-- Rights ------------------------------------------------------------------

select is(
  (
    select string_agg(v.verb, ' ' order by v.n)
    from (values (1, 'select'), (2, 'insert'), (3, 'update'), (4, 'delete'), (5, 'truncate')) as v (n, verb)
    where case
      when v.verb in ('insert', 'update') then has_any_column_privilege(r.role, t.name, v.verb)
      else has_table_privilege(r.role, t.name, v.verb)
    end
  ),
  case when r.role = 'service_role' then t.verbs end,
  format('%s on %s', r.role, t.name)
)
from (values
  ('interlock.promo_codes', 'select insert update delete'),
  ('interlock.promo_code_products', 'select insert delete'),
  ('interlock.promo_redemptions', 'select'),
  ('interlock.promo_differences', 'select'),
  ('interlock.promo_user_uses', 'select'),
  ('interlock.promo_attempts', 'select delete')
) as t (name, verbs)
cross join (values ('anon'), ('authenticated'), ('service_role')) as r (role)
order by t.name, r.role;

select ok(
  not has_column_privilege('service_role', 'interlock.promo_codes', 'used_count', v.verb),
  'the service role cannot ' || v.verb || ' used_count'
)
from (values ('insert'), ('update')) as v (verb);

-- As other people would try it. The code itself must never show.

insert into interlock.promo_codes (id, code, discount_type, discount_value)
values ('7c000000-0000-4000-8000-000000000001', 'Secret', 'percentage', 10);

create function pg_temp.verdict(p_role text, p_sql text)
returns text
language plpgsql
as $$
declare
  v_rows bigint;
  v_constraint text;
begin
  begin
    execute format('set local role %I', p_role);
    execute p_sql;
    get diagnostics v_rows = row_count;
    raise exception using errcode = 'ZZUND', message = v_rows::text;
  exception
    when sqlstate 'ZZUND' then
      return sqlerrm;
    when others then
      get stacked diagnostics v_constraint = constraint_name;
      return concat_ws(' ', sqlstate, nullif(v_constraint, ''));
  end;
end
$$;

select is(pg_temp.verdict(t.role, t.sql), t.answer, format('%s: %s', t.role, t.sql))
from (values
  ('anon', 'select * from interlock.promo_codes', '42501'),
  ('authenticated', 'select * from interlock.promo_codes', '42501'),
  ('authenticated', 'select * from interlock.promo_code_products', '42501'),
  ('authenticated', 'select * from interlock.promo_redemptions', '42501'),
  ('authenticated', 'select * from interlock.promo_differences', '42501'),
  ('authenticated', $$update interlock.promo_codes set discount_value = 100$$, '42501'),
  ('service_role', 'select * from interlock.promo_codes', '1'),
  ('service_role', 'select * from interlock.promo_differences', '0'),
  ('service_role', $$insert into interlock.promo_codes (code, discount_type, discount_value) values ('X', 'percentage', 5)$$, '1'),
  ('service_role', 'update interlock.promo_codes set active = false', '1'),
  ('service_role', 'update interlock.promo_codes set used_count = 5', '42501'),
  ('service_role', 'delete from interlock.promo_codes', '1'),
  ('service_role', $$insert into interlock.promo_redemptions (promo_id, status) values (gen_random_uuid(), 'redeemed')$$, '42501')
) as t (role, sql, answer);

select is(
  pg_temp.verdict(t.role, t.sql), t.answer, format('%s: %s', t.role, t.sql)
)
from (values
  ('anon', $$select public.validate_promo('secret', p_subtotal => 1)$$, '42501'),
  ('anon', $$select public.increment_promo_usage('7c000000-0000-4000-8000-000000000001')$$, '42501'),
  ('authenticated', $$select public.increment_promo_usage('7c000000-0000-4000-8000-000000000001')$$, '42501'),
  ('authenticated', $$select interlock.increment_promo_usage('7c000000-0000-4000-8000-000000000001', null)$$, '42501'),
  ('authenticated', $$select interlock.redeem_promo(null, 'secret', null, null, null, '[]')$$, '42501'),
  ('authenticated', $$select interlock.return_promos(null)$$, '42501'),
  ('authenticated', $$select interlock.find_promo('secret', null)$$, '42501'),
  ('authenticated', 'select interlock.expire_promo_holds()', '42501'),
  ('authenticated', $$select public.validate_promo('secret', p_subtotal => 1)$$, 'PT401'),
  ('service_role', $$select public.increment_promo_usage('7c000000-0000-4000-8000-000000000001')$$, '1'),
  ('service_role', 'select interlock.expire_promo_holds()', '1'),
  ('service_role', $$select interlock.return_promos(null)$$, '42501'),
  ('service_role', $$select public.validate_promo('secret', p_subtotal => 1)$$, 'PT401')
) as t (role, sql, answer);

-- Constraints of a code ---------------------------------------------------

create function pg_temp.code_verdict(p_columns text, p_values text)
returns text
language sql
as $$
  select pg_temp.verdict('service_role', format(
    'insert into interlock.promo_codes (%s) values (%s)', p_columns, p_values
  ))
$$;

select is(pg_temp.code_verdict(t.columns, t.vals), t.answer, format('%s: %s', t.columns, t.vals))
from (values
  ('code, discount_type, discount_value', $$'A', 'percentage', 0.01$$, '1'),
  ('code, discount_type, discount_value', $$'A', 'percentage', 100$$, '1'),
  ('code, discount_type, discount_value', $$'A', 'percentage', 12.5$$, '1'),
  ('code, discount_type, discount_value', $$'A', 'percentage', 0$$, '23514 promo_codes_discount_value_valid'),
  ('code, discount_type, discount_value', $$'A', 'percentage', 100.01$$, '23514 promo_codes_discount_value_valid'),
  ('code, discount_type, discount_value', $$'A', 'percentage', 0.005$$, '23514 promo_codes_discount_value_valid'),
  ('code, discount_type, discount_value', $$'A', 'percentage', 'NaN'$$, '23514 promo_codes_discount_value_valid'),
  ('code, discount_type, discount_value', $$'A', 'free', 1$$, '23514 promo_codes_discount_type_known'),
  ('code, discount_type, discount_value, currency', $$'A', 'fixed', 1, 'EUR'$$, '1'),
  ('code, discount_type, discount_value, currency', $$'A', 'fixed', 0, 'EUR'$$, '23514 promo_codes_discount_value_valid'),
  ('code, discount_type, discount_value, currency', $$'A', 'fixed', 1.5, 'EUR'$$, '23514 promo_codes_discount_value_valid'),
  ('code, discount_type, discount_value', $$'A', 'fixed', 1$$, '23514 promo_codes_amounts_have_currency'),
  ('code, discount_type, discount_value, min_subtotal', $$'A', 'percentage', 1, 1$$, '23514 promo_codes_amounts_have_currency'),
  ('code, discount_type, discount_value, max_discount', $$'A', 'percentage', 1, 1$$, '23514 promo_codes_amounts_have_currency'),
  ('code, discount_type, discount_value, max_discount, currency', $$'A', 'percentage', 1, 0, 'EUR'$$, '23514 positive_amount_range'),
  ('code, discount_type, discount_value, max_discount, currency', $$'A', 'fixed', 1, 1, 'EUR'$$, '23514 promo_codes_cap_needs_percentage'),
  ('code, discount_type, discount_value, currency', $$'A', 'percentage', 1, 'eur'$$, '23514 currency_code_format'),
  ('code, discount_type, discount_value, max_uses', $$'A', 'percentage', 1, 0$$, '1'),
  ('code, discount_type, discount_value, max_uses', $$'A', 'percentage', 1, -1$$, '23514 unit_count_nonnegative'),
  ('code, discount_type, discount_value, max_uses_per_user', $$'A', 'percentage', 1, 0$$, '23514 positive_count_range'),
  ('code, discount_type, discount_value, holds_per_user', $$'A', 'percentage', 1, 0$$, '23514 positive_count_range'),
  ('code, discount_type, discount_value, min_subtotal, currency', $$'A', 'percentage', 1, -1, 'EUR'$$, '23514 amount_nonnegative'),
  ('code, discount_type, discount_value, starts_at, expires_at', $$'A', 'percentage', 1, now(), now()$$, '23514 promo_codes_ends_after_start'),
  ('code, discount_type, discount_value', $$' ', 'percentage', 1$$, '23514 promo_codes_code_readable'),
  ('code, discount_type, discount_value', $$E'a\tb', 'percentage', 1$$, '23514 promo_codes_code_readable'),
  ('code, discount_type, discount_value', $$repeat('a', 65), 'percentage', 1$$, '23514 promo_codes_code_readable'),
  ('code, discount_type, discount_value', $$' sECRET ', 'percentage', 1$$, '23505 promo_codes_code_unique'),
  ('code, discount_type, discount_value', $$U&'SE\200bCRET\00a0', 'percentage', 1$$, '23505 promo_codes_code_unique'),
  ('code, discount_type, discount_value', $$U&'\00a0', 'percentage', 1$$, '23514 promo_codes_code_readable'),
  ('code, discount_type, discount_value', $$U&'\200b', 'percentage', 1$$, '23514 promo_codes_code_readable'),
  ('code, discount_type, discount_value, min_subtotal', $$'A', 'percentage', 1, 0$$, '1'),
  ('code, discount_type, discount_value, min_subtotal', $$'A', 'fixed', 1, 0$$, '23514 promo_codes_amounts_have_currency'),
  ('code, discount_type, discount_value, starts_at, last_day', $$'A', 'percentage', 1, '2026-12-31 23:59+00', '2026-12-31'$$, '1'),
  ('code, discount_type, discount_value, starts_at, last_day', $$'A', 'percentage', 1, '2027-01-01 00:00+00', '2026-12-31'$$, '23514 promo_codes_ends_after_start'),
  ('code, discount_type, discount_value, starts_at, last_day, time_zone', $$'A', 'percentage', 1, '2026-12-31 23:00+00', '2026-12-31', 'Europe/Berlin'$$, '23514 promo_codes_ends_after_start'),
  ('code, discount_type, discount_value, time_zone', $$'A', 'percentage', 1, 'UTC+2'$$, '23514 promo_codes_time_zone_known')
) as t (columns, vals, answer);

select is(pg_temp.verdict('postgres', t.sql), t.answer, 'the owner: ' || t.sql)
from (values
  ('update interlock.promo_codes set max_uses = 3, used_count = 3', '1'),
  ('update interlock.promo_codes set max_uses = 3, used_count = 4', '23514 promo_codes_used_count_within_limit'),
  ('update interlock.promo_codes set used_count = -1', '23514 unit_count_nonnegative'),
  ($$insert into interlock.promo_user_uses values (gen_random_uuid(), gen_random_uuid(), -1)$$, '23514 unit_count_nonnegative'),
  ($$update interlock.settings set promo_hold = '1 second'$$, '1'),
  ($$update interlock.settings set promo_hold = '1 day'$$, '1'),
  ($$update interlock.settings set promo_hold = '0.9 seconds'$$, '23514 settings_promo_hold_sane'),
  ($$update interlock.settings set promo_hold = '25 hours'$$, '23514 settings_promo_hold_sane'),
  ($$update interlock.settings set promo_hold_limit = '1 second'$$, '1'),
  ($$update interlock.settings set promo_hold_limit = '90 days'$$, '1'),
  ($$update interlock.settings set promo_hold_limit = '0.9 seconds'$$, '23514 settings_promo_hold_limit_sane'),
  ($$update interlock.settings set promo_hold_limit = '91 days'$$, '23514 settings_promo_hold_limit_sane')
) as t (sql, answer);

-- Constraints of a use ----------------------------------------------------

select is(
  pg_temp.verdict('postgres', format(
    'insert into interlock.promo_redemptions (promo_id, %s) values (%L, %s)',
    t.columns, '7c000000-0000-4000-8000-000000000001', t.vals
  )),
  t.answer,
  format('a use: %s: %s', t.columns, t.vals)
)
from (values
  ('status, user_id, discount, held_until', $$'held', gen_random_uuid(), 1, now()$$, '1'),
  ('status, user_id, discount', $$'held', gen_random_uuid(), 1$$, '23514 promo_redemptions_columns_match_status'),
  ('status, discount, held_until', $$'held', 1, now()$$, '23514 promo_redemptions_columns_match_status'),
  ('status, redeemed_at', $$'redeemed', now()$$, '1'),
  ('status', $$'redeemed'$$, '23514 promo_redemptions_columns_match_status'),
  ('status, redeemed_at', $$'returned', now()$$, '23514 promo_redemptions_columns_match_status'),
  ('status, ended_at', $$'released', now()$$, '1'),
  ('status, ended_at, order_id', $$'expired', now(), gen_random_uuid()$$, '23514 promo_redemptions_columns_match_status'),
  ('status', $$'lost'$$, '23514 promo_redemptions_status_known'),
  ('status, redeemed_at, discount', $$'redeemed', now(), -1$$, '23514 amount_nonnegative')
) as t (columns, vals, answer);

-- A use that nobody counted shows, and keeps its code from being deleted.

insert into interlock.promo_redemptions (promo_id, user_id, status, redeemed_at)
values ('7c000000-0000-4000-8000-000000000001', '7a000000-0000-4000-8000-000000000001', 'redeemed', now());
select results_eq(
  'select user_id, counter, uses from interlock.promo_differences order by user_id',
  $$ values ('7a000000-0000-4000-8000-000000000001'::uuid, 0, 1::bigint), (null, 0, 1) $$,
  'a use without its counters is a difference of the customer and of the code'
);
select is(
  pg_temp.verdict('service_role', 'delete from interlock.promo_codes'),
  '23001 promo_codes_keep_used',
  'a code with uses stays'
);
update interlock.promo_codes set used_count = 1;
insert into interlock.promo_user_uses
values ('7c000000-0000-4000-8000-000000000001', '7a000000-0000-4000-8000-000000000001', 1);
select is_empty('select * from interlock.promo_differences', 'counted, it is no difference');
insert into interlock.promo_user_uses
values ('7c000000-0000-4000-8000-000000000001', '7a000000-0000-4000-8000-000000000002', 1);
select results_eq(
  'select user_id, counter, uses from interlock.promo_differences',
  $$ values ('7a000000-0000-4000-8000-000000000002'::uuid, 1, 0::bigint) $$,
  'a counter without a use is a difference too'
);

select * from finish();
rollback;
