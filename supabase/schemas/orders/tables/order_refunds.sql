-- What lines of orders that were cancelled or refunded have taken off them: one row for each call of
-- public.refund_order_lines. Its amounts add up as those of an order do; docs/prices.md has the arithmetic.
--
-- What is refunded before the order is paid makes it cost less. After that it is money that goes back: into the wallet, by
-- the provider of the card, or by the shop's own hand.
--
-- Shipping goes back once (order_refunds_shipping_once).
create table interlock.order_refunds (
  id uuid not null default interlock.new_id()
    constraint order_refunds_pkey primary key,
  order_id uuid not null
    constraint order_refunds_order_id_fkey references interlock.orders (id),
  subtotal interlock.amount not null,
  discount interlock.amount not null,
  shipping interlock.amount not null,
  tax interlock.amount not null,
  tax_included interlock.amount not null,
  amount interlock.amount not null,
  with_shipping boolean not null,
  paid boolean not null,
  to_wallet interlock.amount not null default 0,
  to_card interlock.amount not null default 0,
  by_shop interlock.amount not null default 0,
  reason interlock.label,
  actor uuid,
  created_at timestamptz not null default now(),
  constraint order_refunds_amount_adds_up check (amount = subtotal - discount + shipping + tax - tax_included),
  constraint order_refunds_money_within_amount check (
    to_wallet + to_card + by_shop <= amount and (paid or to_card + by_shop = 0)
  )
);

comment on table interlock.order_refunds is
  'Parts of orders that were cancelled or refunded, append-only. Read by the buyer.';
comment on column interlock.order_refunds.amount is
  'What it takes off the order, in minor units: subtotal - discount + shipping + tax - tax_included.';
comment on column interlock.order_refunds.tax is
  'The tax in amount, or added to it: that of its lines, and on shipping.';
comment on column interlock.order_refunds.with_shipping is
  'Whether the shipping of the order is in it.';
comment on column interlock.order_refunds.paid is
  'Whether the order was paid by then, so that money goes back; else it costs less.';
comment on column interlock.order_refunds.to_wallet is
  'What went into the wallet.';
comment on column interlock.order_refunds.to_card is
  'What has to go back by the provider of the card, or has: payments.refund_asked counts it.';
comment on column interlock.order_refunds.by_shop is
  'What the shop gives back by its own hand: what came in cash or by bank transfer, and with p_outside.';
comment on column interlock.order_refunds.reason is
  'Why, as staff said it. The buyer reads it.';
comment on column interlock.order_refunds.actor is
  'The staff member who did it; empty for the shop.';

create index order_refunds_by_order on interlock.order_refunds (order_id, id);

create unique index order_refunds_shipping_once on interlock.order_refunds (order_id) where with_shipping;

create trigger order_refunds_append_only
  before update or delete on interlock.order_refunds
  for each row
  execute function interlock.refuse_change('actor');

create trigger order_refunds_no_truncate
  before truncate on interlock.order_refunds
  for each statement
  execute function interlock.refuse_change();

alter table interlock.order_refunds enable row level security;

grant select on table interlock.order_refunds to authenticated, service_role;

create policy order_refunds_select_own
  on interlock.order_refunds
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));
