create view interlock.promo_differences
with (security_invoker = true)
as
  with counted as (
    select r.promo_id, r.user_id, count(*) as uses
    from interlock.promo_redemptions r
    where r.status in ('held', 'redeemed')
    group by r.promo_id, r.user_id
  ),
  codes as (
    select p.id, (p.used_count + coalesce(s.used, 0))::int as used_count
    from interlock.promo_codes p
    left join (
      select c.owner_id, sum(c.used) as used from interlock.counter_slots c group by c.owner_id
    ) s on s.owner_id = p.id
  )
  select p.id as promo_id, null::uuid as user_id, p.used_count as counter, coalesce(sum(c.uses), 0)::bigint as uses
  from codes p
  left join counted c on c.promo_id = p.id
  group by p.id, p.used_count
  having p.used_count <> coalesce(sum(c.uses), 0)
  union all
  select coalesce(u.promo_id, c.promo_id), coalesce(u.user_id, c.user_id), coalesce(u.used, 0), coalesce(c.uses, 0)
  from interlock.promo_user_uses u
  full join (select * from counted where user_id is not null) c
    on c.promo_id = u.promo_id and c.user_id = u.user_id
  where coalesce(u.used, 0) <> coalesce(c.uses, 0);

comment on view interlock.promo_differences is
  'Where a counter of uses (of a code, or with user_id of one customer) disagrees with the rows. Must be empty.';

grant select on table interlock.promo_differences to service_role;
