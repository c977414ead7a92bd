-- Orders. Which change is allowed, for everybody: our functions, the shop's own SQL, a bug.
--
--   from \ to        paid   fulfilled   cancelled   expired   refunded
--   pending_payment  yes    –           yes         yes       –
--   confirmed        yes    –           yes         yes (2)   –
--   paid             –      yes         yes (1)     –         yes
--   fulfilled        –      –           –           –         yes
--   refunded is final, and so are cancelled and expired but for interlock.retake_order.
--   (1) until it is shipped, (2) while unfulfilled
--
-- The status is the money, fulfillment the goods: unfulfilled → processing → shipped → delivered, forward only, while the
-- order is confirmed or paid; an order is delivered exactly when it becomes fulfilled.
--
--   pending_payment  bank transfer: waits for a payment, or for the decision on its proof, until payment_expires_at;
--                    card: waits for the provider's word, until payment_expires_at
--   confirmed        cash on delivery: will be paid at the door; waits for the shop until payment_expires_at, if it has
--                    one
--   paid             wallet, card, an accepted payment, or nothing to pay
--   fulfilled        handed over
--   cancelled        ended by the buyer (while unpaid and unfulfilled) or by the shop (before it was shipped; cash on
--                    delivery also when the parcel came back)
--   expired          not paid in time, or its proof not decided in time
--   refunded         paid, and the money given back
--
-- What an end gives back (stock, codes, promo use, wallet money) is given back by the trigger orders_settle, so it
-- happens exactly once, whoever ends the order.
--
-- Amounts, owner and payment method never change (the owner is emptied when the account is deleted: an order outlives
-- it). Nobody has insert, update or delete here; orders are placed by public.checkout. A buyer sees their own; staff
-- read orders with public.list_orders, so that a buyer's list needs nothing but the index on user_id.
--
-- For tables that refer to orders: checkout redeems the promo code *before* it writes the order, because the order's
-- amounts need the discount. A foreign key to orders (id) that is filled at that moment has to be
-- `deferrable initially deferred`.
create table interlock.orders (
  id uuid not null default interlock.new_id()
    constraint orders_pkey primary key,
  user_id uuid
    constraint orders_user_id_fkey references auth.users (id) on delete set null,
  status interlock.order_status not null,
  fulfillment interlock.fulfillment not null default 'unfulfilled',
  currency interlock.currency_code not null,
  subtotal interlock.amount not null,
  discount bigint not null default 0
    constraint orders_discount_within_subtotal check (discount between 0 and subtotal),
  total bigint not null
    constraint orders_total_is_the_difference check (total = subtotal - discount),
  payment_method interlock.payment_method not null,
  promo_code_id uuid,
  cart_id uuid,
  counted_units interlock.positive_count,
  payment_expires_at timestamptz,
  -- Set while a proof waits for the shop.
  proof_submitted_at timestamptz,
  created_at timestamptz not null default now(),
  paid_at timestamptz,
  shipped_at timestamptz,
  tracking interlock.label,
  fulfilled_at timestamptz,
  -- When it was cancelled or expired.
  cancelled_at timestamptz,
  refunded_at timestamptz,
  -- The shop has given wallet money back in another way.
  refunded_outside boolean not null default false,

  -- In functions: Postgres reads the text of a check at every statement, a function once in a session.
  constraint orders_payment_deadline_matches_status
    check (interlock.order_deadline_matches(status, payment_method, payment_expires_at, proof_submitted_at)),
  constraint orders_times_match_status
    check (interlock.order_times_match(
      status, paid_at, fulfilled_at, cancelled_at, refunded_at, fulfillment, shipped_at
    ))
)
with (fillfactor = 80);

comment on table interlock.orders is
  'Orders, placed by public.checkout. A user sees their own, nobody writes.';
comment on column interlock.orders.user_id is
  'The buyer; empty once the account was deleted.';
comment on column interlock.orders.status is
  'pending_payment, confirmed, paid, fulfilled, cancelled, expired or refunded; docs/api.md has the transitions.';
comment on column interlock.orders.fulfillment is
  'Where the goods are: unfulfilled, processing, shipped or delivered; an order that ended keeps what it had.';
comment on column interlock.orders.shipped_at is
  'When the goods left; empty for what was handed over at once.';
comment on column interlock.orders.tracking is
  'What the carrier calls the parcel, as ship_order was told.';
comment on column interlock.orders.total is
  'What is to be paid, in minor units: subtotal - discount.';
comment on column interlock.orders.promo_code_id is
  'The promo code that was redeemed, if any.';
comment on column interlock.orders.cart_id is
  'The client''s own name for the cart: a customer has one live order of it at most.';
comment on column interlock.orders.counted_units is
  'Units of the order that count against its buyer''s limits while it is not paid; empty if it was placed without a limit.';
comment on column interlock.orders.payment_expires_at is
  'Cash on delivery: if the shop has not gone on with it by then, the order expires; empty without settings.confirmation_window. Bank transfer: unpaid by then, the order expires. A payment proof moves it to the end of settings.review_window; empty if that is null. Card: unpaid by then, the order expires; a payment that the provider is deciding moves it.';
comment on column interlock.orders.proof_submitted_at is
  'When the latest payment proof was handed in that waits for the shop; empty again once it is rejected.';
comment on column interlock.orders.refunded_outside is
  'Whether the shop has given the money back in another way than into the wallet it came from.';
comment on column interlock.orders.cancelled_at is
  'When it was cancelled or expired.';

-- A buyer's own orders, the latest first.
create index orders_by_user on interlock.orders (user_id, created_at desc);

-- A cart becomes one live order; after its end it can be ordered again. public.checkout looks first, under
-- interlock.lock_cart, and has an answer for it; this holds it for everybody.
create unique index orders_one_live_per_cart
  on interlock.orders (user_id, cart_id)
  where cart_id is not null and status not in ('cancelled', 'expired', 'refunded');

create index orders_payment_deadline
  on interlock.orders (payment_expires_at)
  where status in ('pending_payment', 'confirmed') and payment_expires_at is not null;

create trigger orders_guard_change
  before update on interlock.orders
  for each row
  execute function interlock.guard_order_change();

create trigger orders_record_event
  after insert or update on interlock.orders
  for each row
  execute function interlock.record_order_event();

create trigger orders_count_open
  after update on interlock.orders
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function interlock.count_open_orders();

create trigger orders_settle
  after update on interlock.orders
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function interlock.settle_orders();

create trigger orders_no_truncate
  before truncate on interlock.orders
  for each statement
  execute function interlock.refuse_change();

alter table interlock.orders enable row level security;

grant select on table interlock.orders to authenticated, service_role;

create policy orders_select_own
  on interlock.orders
  for select
  to authenticated
  using (user_id = (select auth.uid()));
