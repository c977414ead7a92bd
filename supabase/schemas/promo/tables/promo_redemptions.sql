-- Uses of promo codes: one row for each use that is or was held or redeemed.
--
--   held       applied to a cart until held_until; counts
--   redeemed   belongs to an order; counts
--   released   given back by the customer before the order
--   expired    taken back after held_until
--   returned   given back by the cancelled, refunded, expired or unpaid order
--
-- A hold whose time is over counts until somebody takes it back: the next one who needs the use, or
-- interlock.expire_promo_holds. So a use is never free twice.
--
-- Counters: promo_codes.used_count for all customers, promo_user_uses for each one. Both change in the transaction in
-- which the row changes; promo_differences shows where they disagree with the rows and must be empty.
--
-- There is no foreign key on purpose. To promo_codes and orders: the key-share lock of every use on the one row of a
-- popular code would cost a multixact each; a code that has uses cannot be deleted all the same
-- (promo_codes_keep_used), and every use locks the code's row when it counts, so a deletion at the same time is seen.
-- To auth.users: history outlives an account.
create table interlock.promo_redemptions (
  id uuid not null default interlock.new_id()
    constraint promo_redemptions_pkey primary key,
  promo_id uuid not null,
  -- Empty only for uses counted by public.increment_promo_usage.
  user_id uuid,
  cart_id uuid,
  order_id uuid,
  status interlock.promo_use_status not null,
  discount interlock.amount,
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

comment on table interlock.promo_redemptions is
  'One row for each use of a promo code that is or was held or redeemed.';
comment on column interlock.promo_redemptions.discount is
  'The discount in minor units: shown when held, charged when redeemed.';
comment on column interlock.promo_redemptions.held_until is
  'End of the hold. Later the use may be taken back; until that happens it still counts.';

-- One user applies a code to one cart once. Without a cart id: one hold, any number of orders.
create unique index promo_redemptions_one_per_cart
  on interlock.promo_redemptions
  (promo_id, user_id, (coalesce(cart_id, '00000000-0000-0000-0000-000000000000'::uuid)))
  where status = 'held' or (status = 'redeemed' and cart_id is not null);

-- One code for each order; the look-up of interlock.return_promos.
create unique index promo_redemptions_one_per_order
  on interlock.promo_redemptions (order_id)
  where status = 'redeemed';

-- Holds whose time is over, of one code and of all.
create index promo_redemptions_held_by_promo
  on interlock.promo_redemptions (promo_id, held_until)
  where status = 'held';

create index promo_redemptions_held on interlock.promo_redemptions (held_until) where status = 'held';

-- Uses that came to nothing, for interlock.purge_history.
create index promo_redemptions_ended on interlock.promo_redemptions (ended_at) where ended_at is not null;

-- The history of one code (promo_codes_keep_used, a shop's reports).
create index promo_redemptions_promo_id on interlock.promo_redemptions (promo_id, created_at);

alter table interlock.promo_redemptions enable row level security;

grant select on table interlock.promo_redemptions to service_role;
