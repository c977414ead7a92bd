-- Uses of promo codes in slots, in one session: switching, holding, redeeming, giving back, limits. What
-- sessions do to each other is in tests/areas and tests/prove.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(57);

-- Of the rows that are here already nothing is left to settle.
select interlock.settle_slots();

insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses)
values
  ('22000000-0000-4000-8000-000000000001', 'TAP22', 'percentage', 10, 40),
  ('22000000-0000-4000-8000-000000000002', 'TAP22FREE', 'percentage', 10, null),
  ('22000000-0000-4000-8000-000000000004', 'TAP22OTHER', 'percentage', 10, 640);

-- Code n.
create function pg_temp.k(p_n int)
returns uuid
language sql
as $$ select ('22000000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;

-- Code n: counter, `granted/used` of its slots added up, rows that count.
create function pg_temp.state(p_n int)
returns text
language sql
as $$
  select format('%s %s/%s %s', p.used_count, c.granted, c.used, r.uses)
  from interlock.promo_codes p
  left join lateral (
    select sum(granted) as granted, sum(used) as used from interlock.counter_slots where owner_id = p.id
  ) c on true
  cross join lateral (
    select count(*) as uses from interlock.promo_redemptions where promo_id = p.id and status in ('held', 'redeemed')
  ) r
  where p.id = pg_temp.k(p_n)
$$;

-- What a statement answers: its value, or the error as `code detail`.
create function pg_temp.answer(p_sql text)
returns text
language plpgsql
as $$
declare
  v_answer text;
  v_detail text;
  v_constraint text;
begin
  execute p_sql into v_answer;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail, v_constraint = constraint_name;
    return concat_ws(' ', case when sqlstate like 'PT%' then sqlerrm else sqlstate end,
      nullif(v_constraint, ''), case when sqlstate like 'PT%' then nullif(nullif(v_detail, '')::jsonb - 'message' - 'retryable', '{}')::text else nullif(v_detail, '') end);
end
$$;

-- Uses code n p_times times: the exact count, or the last refusal.
create function pg_temp.use(p_n int, p_times int default 1)
returns text
language plpgsql
as $$
declare
  v_answer text;
begin
  for i in 1..p_times loop
    v_answer := pg_temp.answer(format('select public.increment_promo_usage(%L)', pg_temp.k(p_n)));
  end loop;
  return case
    when v_answer like '{%' then (
      select p.used_count + coalesce(sum(s.used), 0)
      from interlock.promo_codes p
      left join interlock.counter_slots s on s.owner_id = p.id
      where p.id = pg_temp.k(p_n)
      group by p.used_count
    )::text
    else v_answer
  end;
end
$$;

-- Somebody else's slots, which nothing here may touch.
select public.set_promo_slots(pg_temp.k(4), 4);
select pg_temp.use(4);

-- Switching ---------------------------------------------------------------

select is(
  public.set_promo_slots(pg_temp.k(1), 2),
  jsonb_build_object('success', true, 'promo_id', pg_temp.k(1), 'slots', 2, 'used_count', 0),
  'slots are switched on'
);
select is(pg_temp.state(1), '0 40/0 0', 'the uses are shared out');
select is(pg_temp.answer(format('select public.set_promo_slots(%s)', t.arguments)), t.answer, t.arguments)
from (values
  ('null, 4', 'VALIDATION_FAILED {"problems": [{"message": "is required", "pointer": "/p_promo_id"}]}'),
  ('pg_temp.k(1), null', 'VALIDATION_FAILED {"problems": [{"message": "must be an integer from 0 to 256", "pointer": "/p_slots"}]}'),
  ('pg_temp.k(1), -1', 'VALIDATION_FAILED {"problems": [{"message": "must be an integer from 0 to 256", "pointer": "/p_slots"}]}'),
  ('pg_temp.k(1), 257', 'VALIDATION_FAILED {"problems": [{"message": "must be an integer from 0 to 256", "pointer": "/p_slots"}]}'),
  ('pg_temp.k(9), 4', 'PROMO_NOT_FOUND')
) as t (arguments, answer);

-- Using -------------------------------------------------------------------

select is(pg_temp.use(1), '1', 'a use is counted');
select is(pg_temp.state(1), '0 40/1 1', 'in a slot: the counter is not touched');
select is(pg_temp.use(1, 8), '9', 'eight more');
select is(
  public.increment_promo_usage(pg_temp.k(1)), '{"success": true, "used_count": null}', 'the answer does not say how many, with slots'
);
select is(pg_temp.state(1), '0 40/10 10', 'all in slots');
select is(interlock.settle_slots(interlock.new_id()), 0, 'who names one settles no other');
select is(interlock.settle_slots(), 2, 'settled, and so is somebody else''s');
select pg_temp.use(4);
select is(pg_temp.state(1), '10 0/0 10', 'the counter is exact; 30 are too few to share out to two slots');
select is(interlock.settle_slots(), 1, 'then only what was used in slots since');
select is(pg_temp.state(4), '2 636/0 2', 'and what is left is shared out');
select pg_temp.use(4, 10);
update interlock.promo_codes set max_uses = 740 where id = pg_temp.k(4);
update interlock.promo_codes set max_uses = 50 where id = pg_temp.k(1);
select is(pg_temp.use(1), '11', 'with a higher limit the next use');
select is(pg_temp.state(1), '11 38/0 11', 'fills the slots');
select is(pg_temp.use(1, 38), '49', 'until they are empty');
select is(pg_temp.use(1), '50', 'the very last use is found');
select is(pg_temp.state(1), '50 0/0 50', 'all are counted on the code');
select is(pg_temp.use(1), 'PROMO_EXHAUSTED {"reason": "max_uses"}', 'and no other');
select is(pg_temp.answer(format(t.sql, pg_temp.k(1))), t.answer, t.sql)
from (values
  ('update interlock.promo_codes set use_slots = 0 where id = %L', '23514 slots_counted'),
  ('update interlock.promo_codes set max_uses = 49 where id = %L', '23514 promo_codes_used_count_within_limit'),
  ('insert into interlock.promo_codes (code, discount_type, discount_value, use_slots) values (%L, ''percentage'', 1, 2)', '23514 slots_counted')
) as t (sql, answer);

-- Limits that move --------------------------------------------------------

update interlock.promo_codes set max_uses = 90 where id = pg_temp.k(1);
select is(pg_temp.use(1), '51', 'a higher limit lets more through');
select is(pg_temp.state(1), '51 38/0 51', 'and fills the slots');
select is(pg_temp.use(1, 4), '55', 'four from slots');
update interlock.promo_codes set max_uses = 91 where id = pg_temp.k(1);
update interlock.promo_codes set max_uses = 90 where id = pg_temp.k(1);
select is(pg_temp.state(1), '51 38/4 55', 'a limit that still covers what was granted leaves the slots alone');
update interlock.promo_codes set max_uses = 60 where id = pg_temp.k(1);
select is(pg_temp.state(1), '51 4/4 55', 'a lower limit takes back what was granted and not used');
select is(pg_temp.state(4), '2 636/10 12', 'and nothing of somebody else''s');
select is(
  pg_temp.answer(format('update interlock.promo_codes set max_uses = 54 where id = %L', pg_temp.k(1))),
  '23514 promo_codes_used_count_within_limit', 'a limit below what is used is refused'
);
select is(pg_temp.use(1, 5), '60', 'up to the new limit');
select is(pg_temp.use(1), 'PROMO_EXHAUSTED {"reason": "max_uses"}', 'and no further');
select is((public.set_promo_slots(pg_temp.k(1), 0) ->> 'used_count')::int, 60, 'off');
select is(pg_temp.state(1), '60 / 60', 'an ordinary code again');
update interlock.promo_codes set max_uses = 61 where id = pg_temp.k(1);
select is(
  public.increment_promo_usage(pg_temp.k(1)), '{"success": true, "used_count": 61}', 'without slots the answer has the count'
);
select is_empty('select * from interlock.promo_differences', 'the counters add up');

insert into interlock.promo_codes (id, code, discount_type, discount_value)
values (pg_temp.k(3), 'TAP22NEW', 'percentage', 10);
select public.set_promo_slots(pg_temp.k(3), 1);
select is(
  pg_temp.answer(format('delete from interlock.promo_codes where id = %L returning ''gone''', pg_temp.k(3))), 'gone',
  'one without uses is'
);

select is_empty(
  format('select from interlock.counter_slots where owner_id = %L', pg_temp.k(3)), 'and its slots with it'
);

-- Without a limit ---------------------------------------------------------

select is((public.set_promo_slots(pg_temp.k(2), 3) ->> 'slots')::int, 3, 'a code without a limit');
select is(
  pg_temp.answer(format('select interlock.take_promo_use(%L, null, null, %L, 5, ''EUR'', null)', pg_temp.k(2), pg_temp.k(7))),
  null, 'is used for an order'
);
select is(pg_temp.state(2), '0 2147483646/1 1', 'from a slot');
select is(interlock.return_promos(array[pg_temp.k(7)]), 1, 'the order ends');
select is(pg_temp.state(2), '0 0/0 0', 'the slots are called in, and the use is given back');
select is(pg_temp.use(2), '1', 'the next use');
select is(pg_temp.state(2), '1 2147483646/0 1', 'fills the slots again');
update interlock.promo_codes set max_uses = 100 where id = pg_temp.k(2);
select is(pg_temp.state(2), '1 0/0 1', 'a limit where there was none calls them in');
select is(pg_temp.use(2, 2), '3', 'uses go on');
select is(pg_temp.state(2), '2 96/1 3', 'within the limit');
select is(
  pg_temp.answer(format('delete from interlock.promo_codes where id = %L', pg_temp.k(2))), '23001 promo_codes_keep_used',
  'a code with uses is not deleted'
);
select is(
  pg_temp.answer(format('select interlock.take_promo_use(%L, null, null, %L, 5, ''EUR'', null)', pg_temp.k(2), pg_temp.k(8))),
  null, 'one more for an order'
);
select is(interlock.return_promos(array[pg_temp.k(8)]), 1, 'which ends');
select is(pg_temp.state(2), '1 96/2 3', 'the use is taken off the counter where it can be, and the slots are left alone');
select is(
  (select count(*)::int from interlock.counter_slots where owner_id = pg_temp.k(4)), 4, 'somebody else''s slots are there'
);
select is_empty('select * from interlock.promo_differences', 'the counters add up');

select * from finish();
rollback;
