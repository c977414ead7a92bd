-- What customers have reserved before they order: "yours for ten minutes". One row for each customer, one reservation at a time.
--
-- Its units are taken from the stock like those of an order (the ledger has them as cart_reserved) and are in
-- cart_reservation_lines as long as it lasts: until its customer orders with it, releases it, or `expires_at` is over and
-- interlock.expire_cart_reservations comes by. Whoever ends it holds this row and deletes the lines, so they are given back
-- once. Until the sweep an expired one still has its units.
--
-- A customer may hold on to things for settings.cart_reservation_limit in all, counted from `reserved_since`, however often they
-- refresh; then nothing for as long. The row stays so long, without `expires_at`; an order begins anew. There is no foreign key
-- to the account: what somebody who is gone has reserved expires like the rest.
create table interlock.cart_reservations (
  user_id uuid not null
    constraint cart_reservations_pkey primary key,
  id uuid not null,
  reserved_since timestamptz not null,
  expires_at timestamptz,
  counted_units interlock.positive_count
);

comment on table interlock.cart_reservations is
  'What customers have reserved for a few minutes, by reserve_cart: one reservation each. A user sees their own.';
comment on column interlock.cart_reservations.id is
  'What checkout is told as reservation_id; another one for each reservation.';
comment on column interlock.cart_reservations.reserved_since is
  'From when on the time counts for which a customer may hold on to things.';
comment on column interlock.cart_reservations.expires_at is
  'When it ends by itself; empty if nothing is reserved.';
comment on column interlock.cart_reservations.counted_units is
  'Units that count against the limit of unpaid units; empty if there was none.';

-- What is due, for the sweep.
create index cart_reservations_due on interlock.cart_reservations (expires_at) where expires_at is not null;

alter table interlock.cart_reservations enable row level security;

grant select on table interlock.cart_reservations to authenticated, service_role;

create policy cart_reservations_select_own
  on interlock.cart_reservations
  for select
  to authenticated
  using (user_id = (select auth.uid()));
