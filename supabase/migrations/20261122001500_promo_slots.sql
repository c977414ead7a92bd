-- Uses of a promo code in slots: a hot code is redeemed as fast as many cold ones
-- (20261122001100_counter_slots.sql).
--
-- public.set_promo_slots(promo, n) switches it on, off (0) and to another n while the code is in use. With
-- slots `used_count` is the count as last settled; the exact one is `used_count + sum(used)`, read in one
-- statement. It is settled whenever the slots run dry, when they are switched, when uses are given back, and
-- by private.settle_promo_slots every minute. A code without a limit has as many slots' worth of uses as an
-- int holds: its slots never run dry.
--
-- A limit that is lowered calls the slots in first, and is refused below what is used, as ever.
--
-- Tests: supabase/tests/22-promo-slots.sql, tests/slot_races.rs

set local lock_timeout = '5s';

alter table public.promo_codes
  add column use_slots int not null default 0;

comment on column public.promo_codes.use_slots is
  'Slots that the uses are spread over; 0 means none. Changed by set_promo_slots only.';
comment on column public.promo_codes.used_count is
  'Uses held or redeemed now; with slots as last settled. Counted by functions, never written by hand.';

create trigger promo_codes_slots_counted
  before update of use_slots on public.promo_codes
  for each row
  when (old.use_slots is distinct from new.use_slots)
  execute function private.guard_slots('use_slots');

create trigger promo_codes_slots_counted_at_first
  before insert on public.promo_codes
  for each row
  when (new.use_slots <> 0)
  execute function private.guard_slots('use_slots');

create trigger promo_codes_slots_kept
  before delete on public.promo_codes
  for each row
  when (old.use_slots <> 0)
  execute function private.guard_slots('use_slots');

-- Purpose: keep what is granted to slots within the limit, whoever lowers it.
-- Callers: trigger promo_codes_slots_covered, for codes with slots whose limit goes down.
-- Locks: the code is locked by the statement; its slots in order, waiting, if the new limit does not cover
--   what is granted.
-- Errors: 23514 check_violation promo_codes_used_count_within_limit if more is used already; 55P03.
-- Security definer: nobody has the right to write slots.
-- Tests: supabase/tests/22-promo-slots.sql
create function private.cover_promo_slots()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_used int;
begin
  if new.max_uses - new.used_count >= (
    select sum(s.granted) from private.counter_slots s where s.owner_id = new.id
  ) then
    return new;
  end if;

  select sum(l.used)
  into v_used
  from (
    select s.used
    from private.counter_slots s
    where s.owner_id = new.id
    order by s.slot
    for no key update
  ) l;

  if new.max_uses - new.used_count < v_used then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'promo_codes_used_count_within_limit',
      message = format('limit %s of promo code %s refused: it is used %s times', new.max_uses, new.id, new.used_count + v_used);
  end if;

  update private.counter_slots s
  set granted = s.used
  where s.owner_id = new.id
    and s.granted > s.used;

  return new;
end
$$;

comment on function private.cover_promo_slots() is
  'Trigger: the limit of a promo code covers what its slots may still use.';

revoke all on function private.cover_promo_slots() from public, anon, authenticated, service_role;

create trigger promo_codes_slots_covered
  before update of max_uses on public.promo_codes
  for each row
  when (new.use_slots > 0 and new.max_uses < coalesce(old.max_uses, 2147483647))
  execute function private.cover_promo_slots();

-- Purpose: call in the slots of a code, so that its uses are in its row again. Returns them, exactly.
-- Callers: the functions below, which have locked the code.
-- Locks: its slots in order, waiting.
-- Errors: 55P03 after lock_timeout.
-- Tests: supabase/tests/22-promo-slots.sql
create function private.settle_promo_uses(p_promo_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_used constant int := private.call_in_slots(p_promo_id);
begin
  if v_used > 0 then
    update public.promo_codes p
    set used_count = p.used_count + v_used
    where p.id = p_promo_id;
  end if;

  return (select p.used_count from public.promo_codes p where p.id = p_promo_id);
end
$$;

comment on function private.settle_promo_uses(uuid) is
  'Calls in the slots of a promo code and returns its exact uses.';

revoke all on function private.settle_promo_uses(uuid) from public, anon, authenticated, service_role;

-- Purpose: share the uses that are left out to the slots of a code.
-- Callers: the functions below, which have locked the code and called its slots in.
-- Locks: its slots. Errors: none.
-- Tests: supabase/tests/22-promo-slots.sql
create function private.grant_promo_uses(p_promo_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform private.grant_slots(p.id, p.use_slots, coalesce(p.max_uses, 2147483647) - p.used_count)
  from public.promo_codes p
  where p.id = p_promo_id;
end
$$;

comment on function private.grant_promo_uses(uuid) is
  'Shares the uses that are left out to the slots of a promo code.';

revoke all on function private.grant_promo_uses(uuid) from public, anon, authenticated, service_role;

-- Purpose: count one use on the code itself, within its limit. With slots all of them are called in first,
--   so that the last use is found wherever it is, and shared out again.
-- Callers: private.take_promo_use.
-- Locks: the row of promo_codes, waiting; its slots in order, waiting.
-- Errors: IL001 if the limit is reached; 55P03 after lock_timeout.
-- Tests: supabase/tests/17-promo-holds.sql, 22-promo-slots.sql
create function private.count_promo_use(p_promo_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update public.promo_codes p
  set used_count = p.used_count + 1
  where p.id = p_promo_id
    and p.use_slots = 0
    and (p.max_uses is null or p.used_count < p.max_uses);
  if found then
    return;
  end if;

  perform 1 from public.promo_codes p where p.id = p_promo_id and p.use_slots > 0 for no key update;
  if found then
    perform private.settle_promo_uses(p_promo_id);

    update public.promo_codes p
    set used_count = p.used_count + 1
    where p.id = p_promo_id
      and (p.max_uses is null or p.used_count < p.max_uses);
    if found then
      perform private.grant_promo_uses(p_promo_id);
      return;
    end if;
  end if;

  raise exception using errcode = 'IL001', message = 'used up meanwhile: look again';
end
$$;

comment on function private.count_promo_use(uuid) is
  'Counts one use of a promo code within its limit, or raises IL001.';

revoke all on function private.count_promo_use(uuid) from public, anon, authenticated, service_role;

-- Purpose: end uses: rows p_ids from status p_from to p_to, and both counters with them.
--   A row that is no longer in p_from, or a hold that was refreshed meanwhile, is left alone.
-- Callers: the functions below, which hold the customers' rows of promo_user_uses.
-- Locks: the rows of promo_codes by id, waiting; slots of a code whose uses are in them.
-- Errors: 55P03 after lock_timeout. Returns the number of uses ended.
-- Tests: supabase/tests/17-promo-holds.sql, 18-promo-redeem.sql
create or replace function private.end_promo_uses(p_ids uuid[], p_from text, p_to text)
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
    update public.promo_redemptions r
    set status = p_to,
        ended_at = private.clock()
    where r.id = any (p_ids)
      and r.status = p_from
      and (p_to <> 'expired' or r.held_until <= private.clock())
    returning r.promo_id, r.user_id
  ),
  given_back as (
    update private.promo_user_uses u
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

  perform 1
  from public.promo_codes p
  where p.id = any (v_promo_ids)
  order by p.id
  for no key update;

  -- The uses may be in slots, which the counter does not show yet.
  for v_promo_id in
    select p.id
    from public.promo_codes p
    join unnest(v_promo_ids, v_counts) as e (promo_id, uses) on e.promo_id = p.id
    where p.use_slots > 0
      and p.used_count < e.uses
    order by p.id
  loop
    perform private.settle_promo_uses(v_promo_id);
  end loop;

  update public.promo_codes p
  set used_count = p.used_count - e.uses
  from unnest(v_promo_ids, v_counts) as e (promo_id, uses)
  where p.id = e.promo_id;

  return (select sum(c) from unnest(v_counts) c);
end
$$;

drop function private.find_promo_use(uuid, uuid, uuid);

-- Purpose: whether this customer may have a use of the code for this cart, in one look
--   (one statement, one snapshot). o_refusal and o_detail are the error to raise, if any.
--   o_reap_from is the customer whose expired hold has to be taken back first, if any;
--   o_in_a_slot whether a slot of the code has a use left.
-- Callers: private.take_promo_use; private.validate_promo for a dry run.
-- Locks: none.
-- Errors: none raised; PROMO_NOT_FOUND, PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED.
-- Tests: supabase/tests/17-promo-holds.sql
create function private.find_promo_use(
  p_promo_id uuid,
  p_user_id uuid,
  p_cart_id uuid,
  out o_refusal text,
  out o_detail jsonb,
  out o_reap_from uuid,
  out o_in_a_slot boolean
)
returns record
language plpgsql
set search_path = ''
as $$
declare
  v_look record;
begin
  select
    p.max_uses,
    p.used_count + coalesce(slots.used, 0) as used_count,
    slots.in_one_slot,
    p.max_uses_per_user,
    coalesce(u.used, 0) as used_by_user,
    own.status as own_status,
    own.order_id as own_order_id,
    elsewhere.cart_id as elsewhere_cart_id,
    elsewhere.held_until as elsewhere_until,
    over.uses as own_over,
    oldest.user_id as oldest_over
  into v_look
  from public.promo_codes p
  left join private.promo_user_uses u
    on u.promo_id = p.id and u.user_id = p_user_id
  left join public.promo_redemptions own
    on own.promo_id = p.id and own.user_id = p_user_id
    and coalesce(own.cart_id, '00000000-0000-0000-0000-000000000000')
      = coalesce(p_cart_id, '00000000-0000-0000-0000-000000000000')
    and (own.status = 'held' or (own.status = 'redeemed' and own.cart_id is not null))
  left join lateral (
    select sum(c.used) as used, max(c.granted - c.used) as in_one_slot
    from private.counter_slots c
    where c.owner_id = p.id
      and p.use_slots > 0
  ) slots on true
  left join lateral (
    select r.cart_id, r.held_until
    from public.promo_redemptions r
    where r.promo_id = p.id
      and r.user_id = p_user_id
      and r.status = 'held'
      and r.held_until > private.clock()
    order by r.held_until desc
    limit 1
  ) elsewhere on true
  cross join lateral (
    select count(*) as uses
    from public.promo_redemptions r
    where r.promo_id = p.id
      and r.user_id = p_user_id
      and r.status = 'held'
      and r.held_until <= private.clock()
  ) over
  left join lateral (
    select r.user_id
    from public.promo_redemptions r
    where r.promo_id = p.id
      and r.status = 'held'
      and r.held_until <= private.clock()
    order by r.held_until
    limit 1
  ) oldest on true
  where p.id = p_promo_id;

  if not found then
    o_refusal := 'PROMO_NOT_FOUND';
    return;
  end if;

  o_in_a_slot := coalesce(v_look.in_one_slot, 0) > 0;

  -- What the cart holds already is counted already.
  if v_look.own_status = 'held' then
    return;
  end if;

  if v_look.own_status = 'redeemed' then
    o_refusal := 'PROMO_ALREADY_APPLIED';
    o_detail := jsonb_build_object(
      'reason', 'redeemed', 'cart_id', p_cart_id, 'order_id', v_look.own_order_id
    );
    return;
  end if;

  if v_look.used_by_user - v_look.own_over >= v_look.max_uses_per_user then
    o_refusal := 'PROMO_EXHAUSTED';
    o_detail := jsonb_build_object('reason', 'max_uses_per_user');
  elsif v_look.used_count >= v_look.max_uses then
    if v_look.oldest_over is null then
      o_refusal := 'PROMO_EXHAUSTED';
      o_detail := jsonb_build_object('reason', 'max_uses');
    else
      o_reap_from := v_look.oldest_over;
    end if;
  end if;

  if o_refusal is not null and v_look.elsewhere_until is not null then
    o_refusal := 'PROMO_ALREADY_APPLIED';
    o_detail := jsonb_build_object(
      'reason', 'held', 'cart_id', v_look.elsewhere_cart_id, 'held_until', v_look.elsewhere_until
    );
  end if;
end
$$;

comment on function private.find_promo_use(uuid, uuid, uuid) is
  'Whether a customer may have a use of a code for a cart, without a lock: the refusal, or whose expired hold to take back.';

revoke all on function private.find_promo_use(uuid, uuid, uuid) from public, anon, authenticated, service_role;

-- Purpose: the one way to a use. With p_held_until it is held for the cart (a hold of that
--   cart is refreshed), otherwise redeemed (a hold of that cart becomes the redemption).
--   A live hold is redeemed for the discount it has shown, or not at all.
--   Without p_user_id it is a use that only the code's own limit binds.
-- Callers: private.redeem_promo, private.validate_promo, private.increment_promo_usage.
-- Locks: rows of promo_user_uses, then a slot of the code or the row of promo_codes.
-- Errors: PROMO_NOT_FOUND, PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED, PROMO_CHANGED; 55P03
--   after lock_timeout or after 200 lost races.
-- Tests: supabase/tests/17-promo-holds.sql, 18-promo-redeem.sql
create or replace function private.take_promo_use(
  p_promo_id uuid,
  p_user_id uuid,
  p_cart_id uuid,
  p_order_id uuid,
  p_discount bigint,
  p_currency text,
  p_held_until timestamptz
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_look record;
  v_own public.promo_redemptions;
  v_over uuid[];
  v_slot_tries int := 0;
begin
  for v_turn in 1..200 loop
    v_look := private.find_promo_use(p_promo_id, p_user_id, p_cart_id);
    if v_look.o_refusal is not null then
      perform private.raise_error(v_look.o_refusal, v_look.o_detail);
    end if;

    begin
      -- A new row is nobody's expired hold, so nobody waits for it but the same customer,
      -- who holds nothing yet.
      if p_user_id is not null then
        insert into private.promo_user_uses (promo_id, user_id)
        values (p_promo_id, p_user_id)
        on conflict do nothing;
      end if;
      perform private.lock_promo_users(
        array[p_promo_id, p_promo_id], array[p_user_id, v_look.o_reap_from]
      );

      select r.*
      into v_own
      from public.promo_redemptions r
      where r.promo_id = p_promo_id
        and r.user_id = p_user_id
        and coalesce(r.cart_id, '00000000-0000-0000-0000-000000000000')
          = coalesce(p_cart_id, '00000000-0000-0000-0000-000000000000')
        and (r.status = 'held' or (r.status = 'redeemed' and r.cart_id is not null));

      if v_own.status = 'redeemed' then
        raise exception using errcode = 'IL001', message = 'redeemed meanwhile: look again';
      end if;

      if v_own.status = 'held' then
        if p_held_until is not null then
          update public.promo_redemptions r
          set held_until = p_held_until,
              discount = p_discount,
              currency = p_currency
          where r.id = v_own.id;
          return;
        end if;

        if v_own.held_until > private.clock()
          and (v_own.discount <> p_discount or v_own.currency <> p_currency)
        then
          perform private.raise_error('PROMO_CHANGED', jsonb_build_object(
            'shown', v_own.discount, 'now', p_discount, 'currency', p_currency
          ));
        end if;

        update public.promo_redemptions r
        set status = 'redeemed',
            order_id = p_order_id,
            redeemed_at = private.clock(),
            discount = p_discount,
            currency = p_currency
        where r.id = v_own.id;
        return;
      end if;

      v_over := array(
        select r.id
        from public.promo_redemptions r
        where r.promo_id = p_promo_id
          and r.user_id in (p_user_id, v_look.o_reap_from)
          and r.status = 'held'
          and r.held_until <= private.clock()
      );
      if v_over <> '{}' then
        perform private.end_promo_uses(v_over, 'held', 'expired');
      end if;

      if p_user_id is not null then
        update private.promo_user_uses u
        set used = u.used + 1
        from public.promo_codes p
        where u.promo_id = p_promo_id
          and u.user_id = p_user_id
          and p.id = p_promo_id
          and (p.max_uses_per_user is null or u.used < p.max_uses_per_user);
        if not found then
          raise exception using errcode = 'IL001', message = 'used up by the same customer meanwhile: look again';
        end if;
      end if;

      insert into public.promo_redemptions
        (promo_id, user_id, cart_id, order_id, status, discount, currency, held_until, redeemed_at)
      values (
        p_promo_id, p_user_id, p_cart_id, p_order_id,
        case when p_held_until is null then 'redeemed' else 'held' end,
        p_discount, p_currency, p_held_until,
        case when p_held_until is null then private.clock() end
      );

      -- From a free slot, then from one that is worth waiting for, then at the gate.
      if v_look.o_in_a_slot and v_slot_tries < 2 then
        v_slot_tries := v_slot_tries + 1;
        perform private.use_slot(p_promo_id, 1, v_slot_tries = 2);
      else
        perform private.count_promo_use(p_promo_id);
      end if;
      return;
    exception
      when sqlstate 'IL001' or sqlstate 'IL002' then
        null;
    end;
  end loop;

  raise exception using
    errcode = 'lock_not_available',
    message = format('promo code %s is too busy', p_promo_id);
end
$$;

-- Purpose: the whole of public.increment_promo_usage.
-- Callers: service_role, through public.increment_promo_usage.
-- Locks: the row of promo_codes, waiting; and where an expired hold has to be taken back,
--   its customer's row of promo_user_uses before that.
-- Errors: PROMO_NOT_FOUND, PROMO_EXHAUSTED; 55P03 after lock_timeout.
-- Security definer: nobody has the right to write used_count.
-- Tests: supabase/tests/18-promo-redeem.sql
create or replace function private.increment_promo_usage(p_promo_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  perform private.take_promo_use(p_promo_id, null, null, null, null, null, null);

  return jsonb_build_object(
    'success', true,
    -- With slots nobody knows it: others are counting beside us.
    'used_count', (select p.used_count from public.promo_codes p where p.id = p_promo_id and p.use_slots = 0)
  );
end
$$;

create or replace view public.promo_differences
with (security_invoker = true)
as
  with counted as (
    select r.promo_id, r.user_id, count(*) as uses
    from public.promo_redemptions r
    where r.status in ('held', 'redeemed')
    group by r.promo_id, r.user_id
  ),
  codes as (
    select p.id, (p.used_count + coalesce(s.used, 0))::int as used_count
    from public.promo_codes p
    left join (
      select c.owner_id, sum(c.used) as used from private.counter_slots c group by c.owner_id
    ) s on s.owner_id = p.id
  )
  select p.id as promo_id, null::uuid as user_id, p.used_count as counter, coalesce(sum(c.uses), 0)::bigint as uses
  from codes p
  left join counted c on c.promo_id = p.id
  group by p.id, p.used_count
  having p.used_count <> coalesce(sum(c.uses), 0)
  union all
  select coalesce(u.promo_id, c.promo_id), coalesce(u.user_id, c.user_id), coalesce(u.used, 0), coalesce(c.uses, 0)
  from private.promo_user_uses u
  full join (select * from counted where user_id is not null) c
    on c.promo_id = u.promo_id and c.user_id = u.user_id
  where coalesce(u.used, 0) <> coalesce(c.uses, 0);

-- Purpose: the whole of public.set_promo_slots.
-- Callers: service_role, through public.set_promo_slots.
-- Locks: the code, its slots; two seconds at most for each.
-- Errors: VALIDATION_FAILED, PROMO_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write slots.
-- Tests: supabase/tests/22-promo-slots.sql, tests/slot_races.rs
create function private.set_promo_slots(p_promo_id uuid, p_slots int)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_used int;
begin
  if p_promo_id is null then
    v_problems := v_problems || jsonb_build_object('pointer', '/p_promo_id', 'message', 'is required');
  end if;
  if p_slots is null or p_slots not between 0 and 256 then
    v_problems := v_problems
      || jsonb_build_object('pointer', '/p_slots', 'message', 'must be an integer from 0 to 256');
  end if;
  if v_problems <> '[]' then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', v_problems));
  end if;

  perform 1 from public.promo_codes p where p.id = p_promo_id for no key update;
  if not found then
    perform private.raise_error('PROMO_NOT_FOUND');
  end if;

  v_used := private.settle_promo_uses(p_promo_id);
  perform private.make_slots(p_promo_id, p_slots);

  update public.promo_codes p
  set use_slots = p_slots
  where p.id = p_promo_id
    and p.use_slots <> p_slots;

  perform private.grant_promo_uses(p_promo_id);

  return jsonb_build_object('success', true, 'promo_id', p_promo_id, 'slots', p_slots, 'used_count', v_used);
end
$$;

comment on function private.set_promo_slots(uuid, int) is
  'The whole of public.set_promo_slots, with its owner''s rights.';

revoke all on function private.set_promo_slots(uuid, int) from public, anon, authenticated, service_role;
grant execute on function private.set_promo_slots(uuid, int) to service_role;

-- Purpose: the RPC for the shop: spread the uses of a promo code over p_slots slots, so that many orders
--   with it commit side by side; 0 switches that off. The same number again settles and shares out anew.
--   The answer has the exact count.
-- Callers: service_role.
-- Locks and errors: as private.set_promo_slots.
-- Tests: supabase/tests/22-promo-slots.sql, tests/slot_races.rs
create function public.set_promo_slots(p_promo_id uuid, p_slots int)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select private.set_promo_slots(p_promo_id, p_slots)
$$;

comment on function public.set_promo_slots(uuid, int) is
  'Spreads the uses of a hot promo code over p_slots slots (0 switches off), while it is in use. For the service role.';

revoke all on function public.set_promo_slots(uuid, int) from public, anon, authenticated, service_role;
grant execute on function public.set_promo_slots(uuid, int) to service_role;

-- Purpose: bring used_count of codes with slots up to date. Returns how many codes.
-- Callers: pg_cron, every minute where it is present; the shop (service_role).
-- Locks: codes in the order of their ids, never waiting, their slots, waiting.
-- Errors: 55P03 after lock_timeout.
-- Security definer: nobody has the right to write slots.
-- Tests: supabase/tests/22-promo-slots.sql
create function private.settle_promo_slots()
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_promo record;
  v_settled int := 0;
begin
  for v_promo in
    select p.id
    from public.promo_codes p
    where p.id in (select s.owner_id from private.counter_slots s where s.used > 0)
    order by p.id
  loop
    perform 1 from public.promo_codes p where p.id = v_promo.id for no key update skip locked;
    if found then
      perform private.settle_promo_uses(v_promo.id);
      perform private.grant_promo_uses(v_promo.id);
      v_settled := v_settled + 1;
    end if;
  end loop;

  return v_settled;
end
$$;

comment on function private.settle_promo_slots() is
  'Brings used_count of promo codes with slots up to date; returns how many. For pg_cron and the shop.';

revoke all on function private.settle_promo_slots() from public, anon, authenticated, service_role;
grant execute on function private.settle_promo_slots() to service_role;

-- pg_cron settles every minute where it exists when this is applied. If you enable it later:
--
--   select cron.schedule('interlock-settle-promo-slots', '* * * * *', 'select private.settle_promo_slots()');
do $$
begin
  if to_regprocedure('cron.schedule(text, text, text)') is not null then
    perform cron.schedule(
      'interlock-settle-promo-slots', '* * * * *', 'select private.settle_promo_slots()'
    );
  end if;
end
$$;
