-- Uses of a code by one customer. A customer's rows of promo_redemptions change only under their row here, so they
-- need no lock of their own.
--
-- `held_since` is when the customer began to hold the code: with any cart, refreshed, given back and taken again. For
-- settings.promo_hold_limit from then on they may hold it, and for as long after that they may not.
create table interlock.promo_user_uses (
  promo_id uuid not null,
  user_id uuid not null,
  used interlock.unit_count not null default 0,
  held_since timestamptz,
  constraint promo_user_uses_pkey primary key (promo_id, user_id)
);

comment on table interlock.promo_user_uses is
  'Uses of a code that one customer holds or has redeemed. The row is the lock of that customer''s uses.';

comment on column interlock.promo_user_uses.held_since is
  'When the customer began to hold the code; settings.promo_hold_limit counts from it.';

alter table interlock.promo_user_uses enable row level security;

grant select on table interlock.promo_user_uses to service_role;
