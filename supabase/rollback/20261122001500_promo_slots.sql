-- Undoes 20261122001500_promo_slots.sql. What slots have used is counted on the codes first.
-- Newest first: run it in one transaction, then `supabase migration repair --status reverted 20261122001500`.

set local lock_timeout = '5s';

do $$
begin
  perform private.set_promo_slots(p.id, 0) from public.promo_codes p where p.use_slots > 0 order by p.id;
  if to_regprocedure('cron.unschedule(text)') is not null then
    perform cron.unschedule(j.jobname) from cron.job j where j.jobname = 'interlock-settle-promo-slots';
  end if;
end
$$;

drop function private.settle_promo_slots();
drop function public.set_promo_slots(uuid, int);
drop function private.set_promo_slots(uuid, int);

create or replace view public.promo_differences
with (security_invoker = true)
as
  with counted as (
    select r.promo_id, r.user_id, count(*) as uses
    from public.promo_redemptions r
    where r.status in ('held', 'redeemed')
    group by r.promo_id, r.user_id
  )
  select p.id as promo_id, null::uuid as user_id, p.used_count as counter, coalesce(sum(c.uses), 0)::bigint as uses
  from public.promo_codes p
  left join counted c on c.promo_id = p.id
  group by p.id
  having p.used_count <> coalesce(sum(c.uses), 0)
  union all
  select coalesce(u.promo_id, c.promo_id), coalesce(u.user_id, c.user_id), coalesce(u.used, 0), coalesce(c.uses, 0)
  from private.promo_user_uses u
  full join (select * from counted where user_id is not null) c
    on c.promo_id = u.promo_id and c.user_id = u.user_id
  where coalesce(u.used, 0) <> coalesce(c.uses, 0);

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
    'used_count', (select p.used_count from public.promo_codes p where p.id = p_promo_id)
  );
end
$$;

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

      update public.promo_codes p
      set used_count = p.used_count + 1
      where p.id = p_promo_id
        and (p.max_uses is null or p.used_count < p.max_uses);
      if not found then
        raise exception using errcode = 'IL001', message = 'used up meanwhile: look again';
      end if;
      return;
    exception
      when sqlstate 'IL001' then
        null;
    end;
  end loop;

  raise exception using
    errcode = 'lock_not_available',
    message = format('promo code %s is too busy', p_promo_id);
end
$$;

drop function private.find_promo_use(uuid, uuid, uuid);

create function private.find_promo_use(
  p_promo_id uuid,
  p_user_id uuid,
  p_cart_id uuid,
  out o_refusal text,
  out o_detail jsonb,
  out o_reap_from uuid
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
    p.used_count,
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

create or replace function private.end_promo_uses(p_ids uuid[], p_from text, p_to text)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_promo_ids uuid[];
  v_counts int[];
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

  update public.promo_codes p
  set used_count = p.used_count - e.uses
  from unnest(v_promo_ids, v_counts) as e (promo_id, uses)
  where p.id = e.promo_id;

  return (select sum(c) from unnest(v_counts) c);
end
$$;

drop function private.count_promo_use(uuid);
drop function private.grant_promo_uses(uuid);
drop function private.settle_promo_uses(uuid);

drop trigger promo_codes_slots_covered on public.promo_codes;
drop function private.cover_promo_slots();
drop trigger promo_codes_slots_kept on public.promo_codes;
drop trigger promo_codes_slots_counted_at_first on public.promo_codes;
drop trigger promo_codes_slots_counted on public.promo_codes;

alter table public.promo_codes drop column use_slots;

comment on column public.promo_codes.used_count is
  'Uses held or redeemed now. Counted by functions, never written by hand.';
