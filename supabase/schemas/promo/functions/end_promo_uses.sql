-- End uses: rows p_ids from status p_from to p_to, and both counters with them. A row that is no longer in
-- p_from, or a hold that was refreshed meanwhile, is left alone.
--
-- Callers: functions that hold the customers' rows of promo_user_uses.
-- Locks: the rows of promo_codes by id, waiting; slots of a code whose uses are in them.
-- Errors: 55P03 after lock_timeout. Returns the number of uses ended.
create function interlock.end_promo_uses(p_ids uuid[], p_from text, p_to text)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_promo_ids uuid[];
  v_counts int[];
  v_promo_id uuid;
begin
  with ended as (
    update interlock.promo_redemptions r
    set status = p_to,
        ended_at = interlock.clock()
    where r.id = any (p_ids)
      and r.status = p_from
      and (p_to <> 'expired' or r.held_until <= interlock.clock())
    returning r.promo_id, r.user_id
  ),
  given_back as (
    update interlock.promo_user_uses u
    set used = u.used - e.uses
    from (select promo_id, user_id, count(*)::int as uses from ended group by promo_id, user_id) e
    where u.promo_id = e.promo_id
      and u.user_id = e.user_id
  )
  select array_agg(e.promo_id), array_agg(e.uses)
  into v_promo_ids, v_counts
  from (select promo_id, count(*)::int as uses from ended group by promo_id) e;

  if v_promo_ids is null then
    return 0;
  end if;

  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.promo_codes p
  where p.id = any (v_promo_ids)
  order by p.id
  for no key update;

  -- The uses may be in slots, which the counter does not show yet.
  for v_promo_id in
    select p.id
    from interlock.promo_codes p
    join unnest(v_promo_ids, v_counts) as e (promo_id, uses) on e.promo_id = p.id
    where p.use_slots > 0
      and p.used_count < e.uses
    order by p.id
  loop
    perform interlock.settle_promo_uses(v_promo_id);
  end loop;

  update interlock.promo_codes p
  set used_count = p.used_count - e.uses
  from unnest(v_promo_ids, v_counts) as e (promo_id, uses)
  where p.id = e.promo_id;

  return (select sum(c) from unnest(v_counts) c);
end
$$;
