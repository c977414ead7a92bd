-- Uses of promo codes: one row for each use that is or was held or redeemed, and the
-- counters that limit them.
--
--   held       applied to a cart until held_until; counts
--   redeemed   belongs to an order; counts
--   released   given back by the customer before the order
--   expired    taken back after held_until
--   returned   given back by the cancelled, refunded, expired or unpaid order
--
-- A hold whose time is over counts until somebody takes it back: the next one who needs
-- the use, or private.expire_promo_holds. So a use is never free twice.
--
-- Counters: promo_codes.used_count for all customers, private.promo_user_uses for each one.
-- Both change in the transaction in which the row changes; promo_differences shows where
-- they disagree with the rows and must be empty.
--
-- There is no foreign key on purpose. To promo_codes and orders: the key-share lock of
-- every use on the one row of a popular code would cost a multixact each; a code that has
-- uses cannot be deleted all the same (trigger below), and every use locks the code's row
-- when it counts, so a deletion at the same time is seen. To auth.users: history outlives
-- an account.
--
-- Tests: supabase/tests/15-promo-schema.sql, 17-promo-holds.sql, 18-promo-redeem.sql

set local lock_timeout = '5s';

create table public.promo_redemptions (
  id uuid not null default gen_random_uuid()
    constraint promo_redemptions_pkey primary key,
  promo_id uuid not null,
  -- Empty only for uses counted by public.increment_promo_usage.
  user_id uuid,
  cart_id uuid,
  order_id uuid,
  status text not null
    constraint promo_redemptions_status_known
      check (status in ('held', 'redeemed', 'released', 'expired', 'returned')),
  discount bigint
    constraint promo_redemptions_discount_nonnegative check (discount >= 0),
  currency char(3),
  held_until timestamptz,
  created_at timestamptz not null default now(),
  redeemed_at timestamptz,
  ended_at timestamptz,

  -- An unknown status passes here and is refused by promo_redemptions_status_known.
  constraint promo_redemptions_columns_match_status check (
    case status
      when 'held' then
        num_nulls(user_id, held_until, discount) = 0 and num_nonnulls(order_id, redeemed_at, ended_at) = 0
      when 'redeemed' then
        redeemed_at is not null and ended_at is null
      when 'returned' then
        num_nulls(redeemed_at, ended_at) = 0
      when 'released' then
        ended_at is not null and num_nonnulls(order_id, redeemed_at) = 0
      when 'expired' then
        ended_at is not null and num_nonnulls(order_id, redeemed_at) = 0
      else true
    end
  )
);

comment on table public.promo_redemptions is
  'One row for each use of a promo code that is or was held or redeemed.';
comment on column public.promo_redemptions.discount is
  'The discount in minor units: shown when held, charged when redeemed.';
comment on column public.promo_redemptions.held_until is
  'End of the hold. Later the use may be taken back; until that happens it still counts.';

-- One user applies a code to one cart once. Without a cart id: one hold, any number of orders.
create unique index promo_redemptions_one_per_cart
  on public.promo_redemptions
  (promo_id, user_id, (coalesce(cart_id, '00000000-0000-0000-0000-000000000000'::uuid)))
  where status = 'held' or (status = 'redeemed' and cart_id is not null);

-- One code for each order; the look-up of private.return_promos.
create unique index promo_redemptions_one_per_order
  on public.promo_redemptions (order_id)
  where status = 'redeemed';

-- Holds whose time is over, of one code and of all.
create index promo_redemptions_held_by_promo on public.promo_redemptions (promo_id, held_until) where status = 'held';
create index promo_redemptions_held on public.promo_redemptions (held_until) where status = 'held';

-- The history of one code (trigger below, a shop's reports).
create index promo_redemptions_promo_id on public.promo_redemptions (promo_id, created_at);

alter table public.promo_redemptions enable row level security;

revoke all on table public.promo_redemptions from public, anon, authenticated, service_role;
grant select on table public.promo_redemptions to service_role;

-- The counter of each customer. Its row is also the lock under which the customer's rows of
-- promo_redemptions change. Rows are never deleted.
create table private.promo_user_uses (
  promo_id uuid not null,
  user_id uuid not null,
  used int not null default 0
    constraint promo_user_uses_used_nonnegative check (used >= 0),
  constraint promo_user_uses_pkey primary key (promo_id, user_id)
);

comment on table private.promo_user_uses is
  'Uses of a code that one customer holds or has redeemed. The row is the lock of that customer''s uses.';

revoke all on table private.promo_user_uses from public, anon, authenticated, service_role;
grant select on table private.promo_user_uses to service_role;

create view public.promo_differences
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

comment on view public.promo_differences is
  'Where a counter of uses (of a code, or with user_id of one customer) disagrees with the rows. Must be empty.';

revoke all on table public.promo_differences from public, anon, authenticated, service_role;
grant select on table public.promo_differences to service_role;

-- Purpose: keep a code that has uses, because history and counters refer to it.
-- Callers: trigger promo_codes_keep_used.
-- Locks: none beyond the row being deleted, which every use counts on.
-- Errors: 23001 restrict_violation.
-- Security definer: the service role may delete codes whatever it may read.
-- Tests: supabase/tests/15-promo-schema.sql
create function private.keep_used_promo()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if exists (select 1 from public.promo_redemptions r where r.promo_id = old.id) then
    raise exception using
      errcode = 'restrict_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'promo_codes_keep_used',
      message = format('promo code %s has been used and cannot be deleted', old.id),
      hint = 'Set active = false instead.';
  end if;

  return old;
end
$$;

comment on function private.keep_used_promo() is
  'Trigger: refuses the deletion of a promo code that has uses.';

revoke all on function private.keep_used_promo() from public, anon, authenticated, service_role;

create trigger promo_codes_keep_used
  before delete on public.promo_codes
  for each row
  execute function private.keep_used_promo();
