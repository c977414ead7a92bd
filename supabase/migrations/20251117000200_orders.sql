-- Orders, their lines and their history.
--
-- Which change is allowed, for everybody: our functions, the shop's own SQL, a bug.
--
--   from \ to        paid   fulfilled   cancelled   expired   refunded
--   pending_payment  yes    –           yes         yes       –
--   confirmed        yes    –           yes         –         –
--   paid             –      yes         yes         –         yes
--   fulfilled        –      –           –           –         yes
--   cancelled, expired and refunded are final.
--
--   pending_payment  bank transfer: waits for a payment until payment_expires_at
--   confirmed        cash on delivery: will be paid at the door
--   paid             wallet, an accepted payment, or nothing to pay
--   fulfilled        handed over
--   cancelled        ended by the buyer (while unpaid) or by the shop (before it was handed over)
--   expired          not paid in time
--   refunded         paid, and the money given back
--
-- What an end gives back (stock, codes, promo use, wallet money) is given back by a
-- trigger on this table (20251121000100_order_life.sql), so it happens exactly once,
-- whoever ends the order.
--
-- Amounts, owner and payment method never change (the owner is emptied when the account
-- is deleted: an order outlives it). Nobody has insert, update or delete here; orders are
-- placed by public.checkout. There is no foreign key from lines to products: see
-- 20251110000100_products.sql.
--
-- For tables that refer to orders: checkout redeems the promo code *before* it writes the
-- order, because the order's amounts need the discount. A foreign key to orders (id) that
-- is filled at that moment has to be `deferrable initially deferred`.
--
-- The indexes are created with the tables, so none needs `concurrently`.
--
-- Tests: supabase/tests/10-checkout-schema.sql, 12-checkout.sql, 14-order-life.sql

set local lock_timeout = '5s';

create table public.orders (
  id uuid not null default gen_random_uuid()
    constraint orders_pkey primary key,
  user_id uuid
    constraint orders_user_id_fkey references auth.users (id) on delete set null,
  status text not null
    constraint orders_status_known
      check (status in (
        'pending_payment', 'confirmed', 'paid', 'fulfilled', 'cancelled', 'expired', 'refunded'
      )),
  currency char(3) not null
    constraint orders_currency_format check (currency ~ '^[A-Z]{3}$'),
  subtotal bigint not null
    constraint orders_subtotal_nonnegative check (subtotal >= 0),
  discount bigint not null default 0
    constraint orders_discount_within_subtotal check (discount between 0 and subtotal),
  total bigint not null
    constraint orders_total_is_the_difference check (total = subtotal - discount),
  payment_method text not null
    constraint orders_payment_method_known
      check (payment_method in ('wallet', 'bank_transfer', 'cash_on_delivery')),
  promo_code_id uuid,
  cart_id uuid,
  payment_expires_at timestamptz,
  -- Set when the buyer hands in a proof: from then on the order waits for the shop.
  proof_submitted_at timestamptz,
  created_at timestamptz not null default now(),
  paid_at timestamptz,
  fulfilled_at timestamptz,
  -- When it was cancelled or expired.
  cancelled_at timestamptz,
  refunded_at timestamptz,

  constraint orders_payment_deadline_matches_status check (
    case status
      when 'pending_payment' then payment_method = 'bank_transfer' and payment_expires_at is not null
      when 'confirmed' then payment_method = 'cash_on_delivery'
      when 'expired' then payment_method = 'bank_transfer'
      else true
    end
  ),
  -- An unknown status passes here and is refused by orders_status_known.
  constraint orders_times_match_status check (
    case status
      when 'pending_payment' then num_nonnulls(paid_at, fulfilled_at, cancelled_at, refunded_at) = 0
      when 'confirmed' then num_nonnulls(paid_at, fulfilled_at, cancelled_at, refunded_at) = 0
      when 'paid' then paid_at is not null and num_nonnulls(fulfilled_at, cancelled_at, refunded_at) = 0
      when 'fulfilled' then num_nulls(paid_at, fulfilled_at) = 0 and num_nonnulls(cancelled_at, refunded_at) = 0
      when 'cancelled' then cancelled_at is not null and num_nonnulls(fulfilled_at, refunded_at) = 0
      when 'expired' then cancelled_at is not null and num_nonnulls(paid_at, fulfilled_at, refunded_at) = 0
      when 'refunded' then num_nulls(paid_at, refunded_at) = 0 and cancelled_at is null
      else true
    end
  )
)
with (fillfactor = 80);

comment on table public.orders is
  'Orders, placed by public.checkout. A user sees their own, staff sees all, nobody writes.';
comment on column public.orders.user_id is
  'The buyer; empty once the account was deleted.';
comment on column public.orders.status is
  'pending_payment, confirmed, paid, fulfilled, cancelled, expired or refunded; see the migration for the transitions.';
comment on column public.orders.total is
  'What is to be paid, in minor units: subtotal - discount.';
comment on column public.orders.promo_code_id is
  'The promo code that was redeemed, if any.';
comment on column public.orders.cart_id is
  'The client''s own name for the cart.';
comment on column public.orders.payment_expires_at is
  'Bank transfer: unpaid and without a payment proof by then, the order expires.';
comment on column public.orders.proof_submitted_at is
  'When a payment proof was handed in: from then on the order does not expire.';
comment on column public.orders.cancelled_at is
  'When it was cancelled or expired.';

create index orders_by_user on public.orders (user_id, created_at desc);
create index orders_payment_deadline
  on public.orders (payment_expires_at)
  where status = 'pending_payment' and proof_submitted_at is null;
create index orders_by_promo_code on public.orders (promo_code_id) where promo_code_id is not null;

create table public.order_items (
  order_id uuid not null
    constraint order_items_order_id_fkey references public.orders (id),
  product_id uuid not null,
  quantity int not null
    constraint order_items_quantity_positive check (quantity > 0),
  unit_price bigint not null
    constraint order_items_unit_price_nonnegative check (unit_price >= 0),
  name text not null,
  kind text not null
    constraint order_items_kind_known check (kind in ('physical', 'digital')),
  constraint order_items_pkey primary key (order_id, product_id)
);

comment on table public.order_items is
  'Lines of orders, one for each product: name and price as they were when it was bought. Append-only.';
comment on column public.order_items.unit_price is
  'Price of one unit in minor units of the order''s currency.';

-- Which orders have this product: the guard against deleting it, and the shop's reports.
create index order_items_by_product on public.order_items (product_id);

create table public.order_events (
  id bigint generated always as identity
    constraint order_events_pkey primary key,
  order_id uuid not null,
  event text not null
    constraint order_events_event_known
      check (event in (
        'pending_payment', 'confirmed', 'paid', 'fulfilled', 'cancelled', 'expired', 'refunded',
        'proof_submitted'
      )),
  actor uuid,
  created_at timestamptz not null default now()
);

comment on table public.order_events is
  'Append-only history of orders, written by a trigger: each status an order came to, and payment proofs.';
comment on column public.order_events.actor is
  'The signed-in user who did it; empty for the shop and for jobs.';

create index order_events_by_order on public.order_events (order_id, id);

alter table public.orders enable row level security;
alter table public.order_items enable row level security;
alter table public.order_events enable row level security;

revoke all on table public.orders, public.order_items, public.order_events from public, anon, authenticated, service_role;
revoke all on sequence public.order_events_id_seq from public, anon, authenticated, service_role;
grant select on table public.orders, public.order_items, public.order_events to authenticated, service_role;

-- Purpose: whether the caller's token says that they are staff (app_metadata.role, which
--   only the shop can set).
-- Callers: policies, and the functions of this schema.
-- Locks: none. Errors: none.
-- Tests: supabase/tests/10-checkout-schema.sql
create function private.is_staff()
returns boolean
language sql
stable
set search_path = ''
as $$
  select coalesce(auth.jwt() -> 'app_metadata' ->> 'role' = 'staff', false)
$$;

comment on function private.is_staff() is
  'Whether the caller''s token has app_metadata.role = staff.';

revoke all on function private.is_staff() from public, anon, authenticated, service_role;
grant execute on function private.is_staff() to authenticated, service_role;

create policy orders_select_own_or_staff
  on public.orders
  for select
  to authenticated
  using (user_id = (select auth.uid()) or (select private.is_staff()));

create policy order_items_select_own_or_staff
  on public.order_items
  for select
  to authenticated
  using (
    (select private.is_staff())
    or exists (
      select 1
      from public.orders o
      where o.id = order_id
        and o.user_id = (select auth.uid())
    )
  );

create policy order_events_select_own_or_staff
  on public.order_events
  for select
  to authenticated
  using (
    (select private.is_staff())
    or exists (
      select 1
      from public.orders o
      where o.id = order_id
        and o.user_id = (select auth.uid())
    )
  );

create trigger order_items_append_only
  before update or delete on public.order_items
  for each row
  execute function private.refuse_change();

create trigger order_items_no_truncate
  before truncate on public.order_items
  for each statement
  execute function private.refuse_change();

create trigger order_events_append_only
  before update or delete on public.order_events
  for each row
  execute function private.refuse_change();

create trigger order_events_no_truncate
  before truncate on public.order_events
  for each statement
  execute function private.refuse_change();

-- Purpose: lock an order; the one helper for this kind of lock.
-- Callers: the functions of this schema. Locks: the order's row, waiting, `no key`.
-- Errors: 55P03 after lock_timeout. Null if there is no such order, else its status.
-- Tests: supabase/tests/14-order-life.sql
create function private.lock_order(p_order_id uuid)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_status text;
begin
  select o.status into v_status from public.orders o where o.id = p_order_id for no key update;
  return v_status;
end
$$;

comment on function private.lock_order(uuid) is
  'Locks an order and returns its status; null if there is none.';

revoke all on function private.lock_order(uuid) from public, anon, authenticated, service_role;

-- Purpose: refuse an illegal change of an order, fill in the time a new status implies.
-- Callers: trigger orders_guard_change.
-- Locks: none beyond the row being updated.
-- Errors: 23514 check_violation with constraint name orders_transition_allowed or
--   orders_terms_fixed (a bug or the shop's own SQL; never an answer to a buyer).
-- Tests: supabase/tests/14-order-life.sql
create function private.guard_order_change()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_allowed boolean;
begin
  if (new.id, new.currency, new.subtotal, new.discount, new.total, new.payment_method, new.created_at)
      is distinct from
      (old.id, old.currency, old.subtotal, old.discount, old.total, old.payment_method, old.created_at)
    or new.promo_code_id is distinct from old.promo_code_id
    or (new.user_id is distinct from old.user_id and new.user_id is not null)
  then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'orders_terms_fixed',
      message = format('owner, amounts and payment method of order %s cannot change', old.id);
  end if;

  if new.status = old.status then
    return new;
  end if;

  v_allowed := case old.status
    when 'pending_payment' then new.status in ('paid', 'cancelled', 'expired')
    when 'confirmed' then new.status in ('paid', 'cancelled')
    when 'paid' then new.status in ('fulfilled', 'cancelled', 'refunded')
    when 'fulfilled' then new.status = 'refunded'
    else false
  end;

  if not v_allowed then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'orders_transition_allowed',
      message = format('order %s cannot go from %s to %s', old.id, old.status, new.status),
      hint = 'See the table of transitions in the migration orders.';
  end if;

  case new.status
    when 'paid' then
      new.paid_at := coalesce(new.paid_at, private.clock());
    when 'fulfilled' then
      new.fulfilled_at := coalesce(new.fulfilled_at, private.clock());
    when 'refunded' then
      new.refunded_at := coalesce(new.refunded_at, private.clock());
    else
      new.cancelled_at := coalesce(new.cancelled_at, private.clock());
  end case;

  return new;
end
$$;

comment on function private.guard_order_change() is
  'Trigger: refuses an illegal change of an order, fills in the time a new status implies.';

revoke all on function private.guard_order_change() from public, anon, authenticated, service_role;

create trigger orders_guard_change
  before update on public.orders
  for each row
  execute function private.guard_order_change();

-- Purpose: write the history of an order.
-- Callers: trigger orders_record_event.
-- Locks: none beyond the rows it inserts. Errors: none.
-- Security definer: nobody has insert on order_events.
-- Tests: supabase/tests/12-checkout.sql, 14-order-life.sql
create function private.record_order_event()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' or new.status <> old.status then
    insert into public.order_events (order_id, event, actor)
    values (new.id, new.status, auth.uid());
  elsif new.proof_submitted_at is distinct from old.proof_submitted_at then
    insert into public.order_events (order_id, event, actor)
    values (new.id, 'proof_submitted', auth.uid());
  end if;
  return null;
end
$$;

comment on function private.record_order_event() is
  'Trigger: appends to public.order_events what happened to an order, whoever changed it.';

revoke all on function private.record_order_event() from public, anon, authenticated, service_role;

create trigger orders_record_event
  after insert or update on public.orders
  for each row
  execute function private.record_order_event();

create trigger orders_no_truncate
  before truncate on public.orders
  for each statement
  execute function private.refuse_change();

-- Purpose: refuse to delete a product that was sold; what a foreign key would do, without
--   its lock on the product at each sale. A checkout that is selling it holds the product's
--   row, which this delete has to wait for; one that comes later finds no product.
-- Callers: trigger products_sold_stay.
-- Locks: none beyond the row being deleted.
-- Errors: 23503 foreign_key_violation with constraint name products_sold_stay.
-- Security definer: deleting a product must not need rights on order lines.
-- Tests: supabase/tests/11-stock.sql
create function private.refuse_delete_of_sold_product()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if exists (select 1 from public.order_items i where i.product_id = old.id) then
    raise exception using
      errcode = 'foreign_key_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'products_sold_stay',
      message = format('product %s was sold and cannot be deleted', old.id),
      hint = 'Make it inactive.';
  end if;
  return old;
end
$$;

comment on function private.refuse_delete_of_sold_product() is
  'Trigger: refuses to delete a product that is in an order.';

revoke all on function private.refuse_delete_of_sold_product() from public, anon, authenticated, service_role;

create trigger products_sold_stay
  before delete on public.products
  for each row
  execute function private.refuse_delete_of_sold_product();
