-- Products and their stock.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

-- With 100 lines of 10,000 the largest price still gives a sum that fits a bigint.
create domain interlock.price as bigint
  constraint products_price_sane check (value between 0 and 1000000000000);

create domain interlock.product_kind as text
  constraint products_kind_known check (value in ('physical', 'digital'));

create domain interlock.stock_policy as text
  constraint products_stock_policy_known check (value in ('tracked', 'untracked', 'backorder'));

-- Trigger: a product's stock covers what its slots may still sell, whoever lowers it.
--
-- Callers: trigger products_slots_covered, for products with slots whose stock goes down.
-- Locks: as interlock.cover_slots.
-- Errors: 23514 check_violation products_available_quantity_nonnegative if more was sold already; 55P03.
-- Security definer: nobody has the right to write slots.
create function interlock.cover_stock_slots()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_used constant int := interlock.cover_slots(new.id, new.available_quantity);
begin
  if v_used is not null then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'products_available_quantity_nonnegative',
      message = format(
        'stock %s of product %s refused: %s units were sold from its slots since it was settled',
        new.available_quantity, new.id, v_used
      ),
      hint = 'Settle first: select set_stock_slots(id, stock_slots).';
  end if;

  return new;
end
$$;

-- Refuse a stock policy other than `tracked` for a digital product, which is sold by its codes, and for one with slots,
-- whose sales ask nothing but their slot; and a new product that owes units to nobody.
--
-- Callers: two triggers on products.
-- Errors: 23514 check_violation with constraint name products_stock_policy_allowed.
create function interlock.guard_stock_policy()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if new.kind = 'digital' or new.stock_slots > 0 or (tg_op = 'INSERT' and new.backordered > 0) then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'products_stock_policy_allowed',
      message = format('stock policy %s of product %s refused', new.stock_policy, new.id),
      hint = 'A digital product is sold by its codes; slots are switched off with set_stock_slots(id, 0).';
  end if;
  return new;
end
$$;

-- Write the stock ledger: what is there less what is owed. What is settled was written when it was sold.
--
-- Callers: the three triggers on products, once for each statement.
-- Locks: none beyond the rows it inserts; the products are locked by the statement.
-- Security definer: nobody has insert on stock_movements.
create function interlock.record_stock_movements()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_reason constant text := nullif(current_setting('interlock.reason', true), '');
  v_reference_id constant uuid := nullif(current_setting('interlock.reference_id', true), '')::uuid;
  v_reference constant text := nullif(current_setting('interlock.reference', true), '');
begin
  if tg_op = 'UPDATE' then
    if current_setting('interlock.settling_slots', true) = 'on' then
      return null;
    end if;

    -- Grouped, not joined: this plan is made for the first statement of a session, mostly
    -- of a few rows, and must also do for one that changes the whole catalogue.
    insert into interlock.stock_movements (product_id, delta, balance_after, reason, reference_id, reference, actor)
    select
      c.id,
      sum(c.new_quantity) - sum(c.old_quantity),
      case when max(c.stock_slots) = 0 then sum(c.new_quantity) end,
      coalesce(v_reason, 'correction'),
      v_reference_id,
      v_reference,
      auth.uid()
    from (
      select n.id, n.available_quantity - n.backordered as new_quantity, 0 as old_quantity, n.stock_slots from new_rows n
      union all
      select o.id, 0, o.available_quantity - o.backordered, 0 from old_rows o
    ) c
    group by c.id
    having sum(c.new_quantity) <> sum(c.old_quantity);
  elsif tg_op = 'INSERT' then
    insert into interlock.stock_movements (product_id, delta, balance_after, reason, reference_id, actor)
    select
      n.id, n.available_quantity, n.available_quantity, coalesce(v_reason, 'opening'), v_reference_id, auth.uid()
    from new_rows n
    where n.available_quantity <> 0;
  else
    insert into interlock.stock_movements (product_id, delta, balance_after, reason, reference_id, actor)
    select o.id, o.backordered - o.available_quantity, 0, coalesce(v_reason, 'deleted'), v_reference_id, auth.uid()
    from old_rows o
    where o.available_quantity <> o.backordered;
  end if;

  return null;
end
$$;

-- Refuse to delete a product that was sold; what a foreign key would do, without its lock on the product at
-- each sale. A checkout that is selling it holds the product's row, which this delete has to wait for; one that
-- comes later finds no product.
--
-- Callers: trigger products_sold_stay.
-- Locks: none beyond the row being deleted.
-- Errors: 23503 foreign_key_violation with constraint name products_sold_stay.
-- Security definer: deleting a product must not need rights on order lines.
create function interlock.refuse_delete_of_sold_product()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if exists (select 1 from interlock.order_items i where i.product_id = old.id) then
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

-- Refuse a new id or kind for a product.
--
-- Callers: trigger products_identity_fixed, only when one of them would change.
-- Errors: 23514 check_violation with constraint name products_identity_fixed.
create function interlock.refuse_product_identity_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'check_violation',
    schema = tg_table_schema,
    table = tg_table_name,
    constraint = 'products_identity_fixed',
    message = format('id and kind of product %s cannot change', old.id),
    hint = 'Make the product inactive and insert another one.';
end
$$;

-- Refuse a new stock that comes as an absolute number over the API: PATCH knows no `available_quantity + n`, so what
-- was sold since the number was read would be back on the shelf. RPCs, the shop's own among them, and SQL can say it
-- relatively, and may.
--
-- Callers: triggers products_stock_relative and products_backorders_relative, where the role of the request itself writes, and no function of ours.
-- Errors: STOCK_NOT_RELATIVE.
-- Security definer: who writes products need not have the right to raise our errors.
create function interlock.refuse_stock_overwrite()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_path constant text := nullif(current_setting('request.path', true), '');
begin
  -- GraphQL is an RPC, and knows absolute numbers only, too.
  -- The stock of a digital product is its codes: that is said by the trigger that comes after.
  if new.kind = 'digital' then
    return new;
  end if;
  if v_path not like '%/rpc/%' or v_path like '%/rpc/graphql' then
    perform interlock.raise_error('STOCK_NOT_RELATIVE', jsonb_build_object(
      'product_id', old.id, 'available', old.available_quantity, 'requested', new.available_quantity
    ));
  end if;
  return new;
end
$$;

-- What a changed stock comes to. A new digital product has no codes and therefore no stock, whatever the insert says; later
-- its stock changes with its codes and in no other way. Of another product what comes in fills what is owed before there is
-- anything to sell, whoever books it in.
--
-- Callers: two triggers on products, only for products that are digital or owe units, and whose stock would change.
-- Locks: none beyond the row being updated.
-- Errors: 23514 check_violation with constraint name products_digital_stock_is_codes.
create function interlock.settle_changed_stock()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_filled int;
begin
  if tg_op = 'INSERT' then
    new.available_quantity := 0;
  elsif new.kind <> 'digital' then
    v_filled := least(new.backordered, new.available_quantity);
    new.backordered := new.backordered - v_filled;
    new.available_quantity := new.available_quantity - v_filled;
  elsif current_setting('interlock.counting_codes', true) is distinct from 'on' then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'products_digital_stock_is_codes',
      message = format('the stock of digital product %s is the number of its free codes', new.id),
      hint = 'Insert or delete rows of product_codes instead.';
  end if;
  return new;
end
$$;

-- Products: what can be bought, at which price, and how much of it there is.
--
-- `available_quantity` is the stock that can be sold. For a physical product it is the truth; for a digital one it is
-- the number of free product codes and follows them (orders/tables/product_codes.sql).
--
-- A product has at most 1,000,000,000 units.
--
-- `stock_policy` says what a sale asks of the stock:
--
--   tracked    every unit that is sold was there; so at first
--   untracked  nothing: a sale neither asks nor changes the stock, which stays as it is, and locks no row of this table
--   backorder  what is not there is sold too, until `backordered` units are owed: at most `backorder_limit`
--
-- What is owed is never on the shelf: as long as `backordered` is above 0 there is nothing to sell, and whatever comes in
-- (a delivery, a count, an order that ends) fills it first, by trigger products_stock_settled. The ledger has the
-- difference of both columns. A policy may change while orders are open: each line says whether it has taken stock
-- (order_items.untracked), and gives back what it took. A lower limit takes nothing away, and neither does `tracked`.
--
-- Everybody sees the active products. The shop (service role) writes. Whatever changes the stock leaves a row in the
-- ledger (stock/tables/stock_movements.sql).
--
-- Nothing that is written with every sale has a foreign key to this table: the key-share locks of many buyers on one
-- hot product would make a multixact for each checkout. What a foreign key would do triggers do here: an id never
-- changes, and a product that was sold cannot be deleted.
--
-- A hot product can have its stock in slots (foundation/tables/counter_slots.sql), so that it sells as fast as many
-- cold ones: public.set_stock_slots(product, n) switches that on, off (0) and to another n while checkouts run; with
-- the same n it settles and shares out anew. `available_quantity` is then the stock as last settled: what was sold
-- from slots since then is not taken off yet, so it is never less than what can be sold. The exact number is
-- `available_quantity - sum(used)`, read in one statement: public.get_stock. The column is settled whenever the slots
-- run dry, when they are switched, and by interlock.settle_slots every minute. Once they have run dry with less than
-- 16 units for each left, nothing is in them and it is exact.
--
-- Over the API stock is changed by public.adjust_stock and public.count_stock; PATCH of the column is refused
-- (STOCK_NOT_RELATIVE), because it would overwrite what is sold meanwhile.
--
-- The shop's own SQL goes on as before: `available_quantity + 100` books in 100 units. Less than what is in the slots
-- calls them in first; less than what they have sold is refused as ever. An absolute number means the number before
-- what is still to be settled, so settle first or say it relatively.
create table interlock.products (
  id uuid not null default interlock.new_id()
    constraint products_pkey primary key,
  name interlock.label not null,
  price interlock.price not null,
  currency interlock.currency_code not null,
  -- The limit is far below where an int ends: whatever comes back to the shelf finds room, or is refused by name
  -- (STOCK_LIMIT_EXCEEDED). The number is that of interlock.most_units. No domain: shops write this column with typed
  -- parameters.
  available_quantity int not null default 0
    constraint products_available_quantity_sane check (available_quantity <= 1000000000),
  kind interlock.product_kind not null default 'physical',
  active boolean not null default true,
  created_at timestamptz not null default now(),
  stock_slots int not null default 0,
  tax_class interlock.slug not null default 'standard',
  stock_policy interlock.stock_policy not null default 'tracked',
  backorder_limit interlock.unit_count not null default 0,
  backordered interlock.unit_count not null default 0,
  max_per_order interlock.positive_count,
  max_per_customer interlock.positive_count
)
-- Stock changes with every sale: room in each page keeps those updates out of the index.
with (fillfactor = 70);

comment on table interlock.products is
  'What can be bought. Managed by the shop with the service role; stock is taken by public.checkout.';
comment on column interlock.products.id is
  'Made by new_id where none is given: ordered by time. Never changes.';
comment on column interlock.products.name is
  'As orders show it; an order keeps the name it was bought under.';
comment on column interlock.products.price is
  'Price of one unit in minor units (cents) of the currency.';
comment on column interlock.products.currency is
  'ISO 4217 code, upper case.';
comment on column interlock.products.available_quantity is
  'Units that can be sold now. Over the API changed by adjust_stock and count_stock, not by PATCH. For a digital product the number of its free codes, kept by a trigger. With slots the stock as last settled: get_stock has the exact number.';
comment on column interlock.products.kind is
  'physical (counted) or digital (each unit is one row of product_codes). Never changes.';
comment on column interlock.products.active is
  'An inactive product can neither be seen nor bought.';
comment on column interlock.products.created_at is
  'When it was added.';
comment on column interlock.products.tax_class is
  'Which of tax_rates is charged for it.';
comment on column interlock.products.stock_slots is
  'Slots that the stock is spread over for fast sales; 0 means none. Changed by set_stock_slots only.';
comment on column interlock.products.stock_policy is
  'What a sale asks of the stock: tracked (it must be there), untracked (nothing), backorder (what is not there is owed, up to backorder_limit).';
comment on column interlock.products.backorder_limit is
  'How many units may be sold that are not there, with the policy backorder.';
comment on column interlock.products.backordered is
  'Units that were sold and are not there yet. Whatever comes in fills them first, so as long as there are any available_quantity is 0.';
comment on column interlock.products.max_per_order is
  'How many units one order may have; empty: no limit.';
comment on column interlock.products.max_per_customer is
  'How many units one customer may have in orders that are not cancelled, expired or refunded; empty: no limit.';

create trigger products_identity_fixed
  before update of id, kind on interlock.products
  for each row
  when (old.id is distinct from new.id or old.kind is distinct from new.kind)
  execute function interlock.refuse_product_identity_change();

create trigger products_sold_stay
  before delete on interlock.products
  for each row
  execute function interlock.refuse_delete_of_sold_product();

create trigger products_no_truncate
  before truncate on interlock.products
  for each statement
  execute function interlock.refuse_change();

create trigger products_digital_opening_stock
  before insert on interlock.products
  for each row
  when (new.kind = 'digital' and new.available_quantity <> 0)
  execute function interlock.settle_changed_stock();

-- One trigger for two cases, because each condition costs every sale; by its name it comes after products_stock_relative.
create trigger products_stock_settled
  before update on interlock.products
  for each row
  when (
    (new.kind = 'digital' or new.backordered > 0)
    and new.available_quantity is distinct from old.available_quantity
  )
  execute function interlock.settle_changed_stock();

-- What our functions and triggers write runs as their owner; an RPC of the shop's own may say it relatively.
create trigger products_stock_relative
  before update of available_quantity on interlock.products
  for each row
  when (
    old.available_quantity is distinct from new.available_quantity
    and current_user = current_setting('role', true)
  )
  execute function interlock.refuse_stock_overwrite();

create trigger products_backorders_relative
  before update of backordered on interlock.products
  for each row
  when (
    old.backordered is distinct from new.backordered
    and current_user = current_setting('role', true)
  )
  execute function interlock.refuse_stock_overwrite();

create trigger products_policy_allowed
  before update of stock_policy on interlock.products
  for each row
  when (new.stock_policy <> 'tracked')
  execute function interlock.guard_stock_policy();

create trigger products_policy_allowed_at_first
  before insert on interlock.products
  for each row
  when (new.stock_policy <> 'tracked' or new.backordered > 0)
  execute function interlock.guard_stock_policy();

create trigger products_slots_counted
  before update of stock_slots on interlock.products
  for each row
  when (old.stock_slots is distinct from new.stock_slots)
  execute function interlock.guard_slots('stock_slots');

create trigger products_slots_counted_at_first
  before insert on interlock.products
  for each row
  when (new.stock_slots <> 0)
  execute function interlock.guard_slots('stock_slots');

create trigger products_slots_kept
  before delete on interlock.products
  for each row
  when (old.stock_slots <> 0)
  execute function interlock.guard_slots('stock_slots');

create trigger products_slots_covered
  before update on interlock.products
  for each row
  when (new.stock_slots > 0 and new.available_quantity < old.available_quantity)
  execute function interlock.cover_stock_slots();

create trigger products_record_opening_stock
  after insert on interlock.products
  referencing new table as new_rows
  for each statement
  execute function interlock.record_stock_movements();

create trigger products_record_stock
  after update on interlock.products
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function interlock.record_stock_movements();

create trigger products_record_deleted_stock
  after delete on interlock.products
  referencing old table as old_rows
  for each statement
  execute function interlock.record_stock_movements();

alter table interlock.products enable row level security;

grant select on table interlock.products to anon, authenticated;
grant select, insert, update, delete on table interlock.products to service_role;

create policy products_select_active
  on interlock.products
  for select
  to anon, authenticated
  using (active);

-- What the older part of a product's ledger adds up to, so that stock_differences need not read it again.
--
-- Closed is every movement of the product whose id is not above `closed_through`. Written by interlock.close_ledger
-- only, which holds the product and its slots: ids are given out under these locks, so none at or below that id can come
-- later, whenever its transaction began.
create table interlock.stock_balances (
  product_id uuid
    constraint stock_balances_pkey primary key,
  closed_through bigint not null,
  quantity bigint not null
);

comment on table interlock.stock_balances is
  'The closed part of each product''s ledger, added up.';
comment on column interlock.stock_balances.closed_through is
  'The last movement that is in it: all with an id up to this one are.';
comment on column interlock.stock_balances.quantity is
  'The sum of their deltas: the stock of the product right after the last of them.';

alter table interlock.stock_balances enable row level security;

grant select on table interlock.stock_balances to service_role;

-- The stock ledger: every change of products.available_quantity less products.backordered, append-only.
--
-- Written by triggers on products, in the statement that changes the stock: our functions, the shop's own SQL,
-- imports and inserts leave the same rows; a sale from a slot is written by the sale itself. For every product the sum
-- of its rows is its stock at any moment. The view stock_differences shows where that is not so: it is always empty.
--
-- The triggers work once for each statement, on all its rows. Why the stock changed is said by
-- interlock.set_ledger_context for the rest of the transaction or until the next call; without it the reason is
-- `correction`. The actor is the signed-in user.
--
-- Reasons of ours: opening (insert), deleted, checkout, codes (product codes added or removed), decrement,
-- order_cancelled, order_expired, order_refunded, order_reopened, lines_cancelled and lines_refunded (parts of an order),
-- cart_reserved, cart_released, cart_expired, cart_redeemed (a reservation, which an order then takes in full),
-- replacement (of a digital code), adjustment, count,
-- correction (the shop's own SQL). A shop may use others.
--
-- There is no foreign key on purpose: history outlives a deleted product, and a key-share lock on a hot product for
-- each sale would cost a multixact.
create table interlock.stock_movements (
  id bigint generated always as identity,
  product_id uuid not null,
  delta interlock.unit_change not null,
  balance_after int,
  reason interlock.movement_reason not null,
  reference_id uuid,
  reference text,
  actor uuid,
  created_at timestamptz not null default now(),
  -- The ledger of one product is read in this order, and added up from this index alone.
  constraint stock_movements_pkey primary key (product_id, id) include (delta)
);

comment on table interlock.stock_movements is
  'Append-only stock ledger, written by triggers on products. Nobody can change or delete a row.';
comment on column interlock.stock_movements.delta is
  'Units that came (positive) or went (negative).';
comment on column interlock.stock_movements.balance_after is
  'Stock of the product right after the change, less what is owed; null while the product has slots, whose sales go side by side.';
comment on column interlock.stock_movements.reference_id is
  'What it was for: the order of a checkout, cancellation, expiry or refund; the reservation of a cart.';
comment on column interlock.stock_movements.reference is
  'The p_reference under which the shop''s own code has moved it.';
comment on column interlock.stock_movements.actor is
  'The signed-in user who did it; empty for the shop and for jobs.';

-- What an order took and gave back.
create index stock_movements_by_reference on interlock.stock_movements (reference_id) where reference_id is not null;

-- What was written since an audit: an index of a few pages.
create index stock_movements_by_id on interlock.stock_movements using brin (id);

create trigger stock_movements_append_only
  before update or delete on interlock.stock_movements
  for each row
  execute function interlock.refuse_change('actor');

create trigger stock_movements_no_truncate
  before truncate on interlock.stock_movements
  for each statement
  execute function interlock.refuse_change();

alter table interlock.stock_movements enable row level security;

grant select on table interlock.stock_movements to service_role;

-- What public.adjust_stock does, with its owner's rights: stock that came or went, said relatively, so that no sale
-- beside it is lost. With slots they are called in first, so that the answer is exact.
--
-- Callers: authenticated (staff) and service_role, through public.adjust_stock.
-- Locks: the reference, the product, its slots; two seconds at most for each.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, PRODUCT_NOT_FOUND,
--   INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED; 55P03 is transient.
-- Security definer: so that it may use the functions of this schema, and that staff may write stock.
create function interlock.adjust_stock(p_product_id uuid, p_delta int, p_reason text, p_reference text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := interlock.find_adjustment_problems(p_product_id, p_reason);
  v_answer jsonb;
  v_available int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_delta is null or p_delta = 0 or abs(p_delta::bigint) > interlock.most_units() then
    v_problems := v_problems || interlock.problem(
      '/p_delta', format('must be an integer from -%1$s to %1$s, and not 0', interlock.most_units())
    );
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    'adjust_stock', p_reference, jsonb_build_array(p_product_id, p_delta, p_reason)
  );
  if v_answer is not null then
    return v_answer;
  end if;

  v_available := interlock.lock_exact_stock(p_product_id);
  if v_available + p_delta < 0 then
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', jsonb_build_array(
      jsonb_build_object('product_id', p_product_id, 'requested', -p_delta, 'available', v_available)
    )));
  end if;

  return interlock.finish_reference('adjust_stock', p_reference, interlock.move_stock(
    p_product_id, v_available, v_available + p_delta, coalesce(p_reason, 'adjustment')
  ));
end
$$;

-- Whether a checkout of these products is let in: unless as many as may run at a time are running.
--
-- Callers: interlock.checkout.
-- Locks: advisory, one of the tickets of each product, until the transaction ends; never waiting.
create function interlock.admit_checkout(p_product_ids uuid[], p_limit int)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  return not exists (
    select
    from unnest(p_product_ids) as u (product_id)
    where not exists (
      select
      from generate_series(1, p_limit) as t (ticket)
      where pg_try_advisory_xact_lock(hashtext('checkout of ' || u.product_id), t.ticket)
    )
  );
end
$$;

-- What public.count_stock does, with its owner's rights: the stock that somebody has counted, if it is what it was
-- when they counted. A sale meanwhile is not overwritten: the count is refused with what there is now.
--
-- Callers: authenticated (staff) and service_role, through public.count_stock.
-- Locks: the reference, the product, its slots; two seconds at most for each.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, PRODUCT_NOT_FOUND, STOCK_CHANGED;
--   55P03 is transient.
-- Security definer: so that it may use the functions of this schema, and that staff may write stock.
create function interlock.count_stock(
  p_product_id uuid,
  p_counted int,
  p_expected int,
  p_reason text,
  p_reference text
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := interlock.find_adjustment_problems(p_product_id, p_reason);
  v_answer jsonb;
  v_available int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_counted is null or p_counted not between 0 and interlock.most_units() then
    v_problems := v_problems || interlock.problem(
      '/p_counted', format('must be an integer from 0 to %s', interlock.most_units())
    );
  end if;
  if p_expected is null then
    v_problems := v_problems || interlock.problem(
      '/p_expected', 'is required: the stock that get_stock gave when it was counted'
    );
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    'count_stock', p_reference, jsonb_build_array(p_product_id, p_counted, p_expected, p_reason)
  );
  if v_answer is not null then
    return v_answer;
  end if;

  v_available := interlock.lock_exact_stock(p_product_id);
  if v_available <> p_expected then
    perform interlock.raise_error('STOCK_CHANGED', jsonb_build_object(
      'product_id', p_product_id, 'expected', p_expected, 'available', v_available
    ));
  end if;

  return interlock.finish_reference('count_stock', p_reference, interlock.move_stock(
    p_product_id, v_available, p_counted, coalesce(p_reason, 'count')
  ));
end
$$;

-- What is wrong with who calls, the product and the reason of a change of stock by hand.
--
-- Callers: interlock.adjust_stock, interlock.count_stock.
-- Errors: UNAUTHENTICATED, FORBIDDEN. Problems are answered, for interlock.refuse_problems.
create function interlock.find_adjustment_problems(p_product_id uuid, p_reason text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  perform interlock.refuse_unless_shop();
  if p_product_id is null then
    v_problems := v_problems || interlock.problem('/p_product_id', 'is required');
  end if;
  if exists (select from interlock.products p where p.id = p_product_id and p.kind = 'digital') then
    v_problems := v_problems || interlock.problem(
      '/p_product_id', 'is a digital product: its stock is its codes, so insert or delete those'
    );
  end if;
  if char_length(p_reason) not between 1 and 100 then
    v_problems := v_problems || interlock.problem('/p_reason', 'must have 1 to 100 characters');
  end if;
  return v_problems;
end
$$;

-- What public.get_stock does, with its owner's rights. `orderable_quantity` is what can be ordered, which may be more than
-- there is; null means any number.
--
-- Callers: anon, authenticated and service_role, through public.get_stock.
-- Locks: none. Errors: VALIDATION_FAILED.
-- Security definer: slots are nobody's to read. Inactive products are for the shop only.
create function interlock.get_stock(p_product_ids uuid[])
returns table (
  product_id uuid, available_quantity int, stock_slots int, stock_policy text, backordered int, orderable_quantity int
)
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if p_product_ids is null or cardinality(p_product_ids) not between 1 and 1000 then
    perform interlock.refuse_problems(interlock.problem('/p_product_ids', 'must have 1 to 1000 ids'));
  end if;

  return query
    select
      p.id, s.available, p.stock_slots, p.stock_policy::text, p.backordered::int,
      case p.stock_policy
        when 'tracked' then s.available
        when 'backorder' then s.available + greatest(p.backorder_limit - p.backordered, 0)
      end
    from interlock.products p
    cross join lateral (
      select (p.available_quantity - coalesce(sum(c.used), 0))::int as available
      from interlock.counter_slots c
      where c.owner_id = p.id and p.stock_slots > 0
    ) s
    where p.id = any (p_product_ids)
      and (p.active or interlock.acts_for_shop())
    order by p.id;
end
$$;

-- Lock a product and call in its slots. Returns its stock, exactly.
--
-- Callers: interlock.adjust_stock, interlock.count_stock.
-- Locks: the product, then its slots in order, waiting.
-- Errors: PRODUCT_NOT_FOUND; 55P03 after lock_timeout.
create function interlock.lock_exact_stock(p_product_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1 from interlock.products p where p.id = p_product_id for no key update;
  if not found then
    perform interlock.raise_products_not_found(array[p_product_id]);
  end if;
  return interlock.settle_stock(p_product_id);
end
$$;

-- Lock stock rows by id: the only other way our code locks them.
--
-- Callers: interlock.return_stock and the release of orders. Locks: the stock rows in the order of their ids,
--   waiting, `no key`.
-- Errors: 55P03 after lock_timeout. Products that are gone are passed over.
create function interlock.lock_stock(p_product_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.products p
  where p.id = any (p_product_ids)
  order by p.id
  for no key update;
end
$$;

-- Bring a product from the stock that it has to another, and answer both. What has slots is shared out anew. What was owed
-- is filled first, so the new stock may be less than p_to.
--
-- Callers: interlock.adjust_stock, interlock.count_stock, which have called interlock.lock_exact_stock.
-- Locks: the product and its slots, held already.
-- Errors: STOCK_LIMIT_EXCEEDED.
create function interlock.move_stock(p_product_id uuid, p_from int, p_to int, p_reason text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_quantity int;
begin
  if p_to > interlock.most_units() then
    perform interlock.raise_error('STOCK_LIMIT_EXCEEDED', jsonb_build_object(
      'product_ids', jsonb_build_array(p_product_id), 'limit', interlock.most_units()
    ));
  end if;

  perform interlock.set_ledger_context(p_reason, null);

  update interlock.products p
  set available_quantity = p_to
  where p.id = p_product_id
  returning p.available_quantity into v_quantity;

  perform interlock.set_ledger_context(null, null);

  perform interlock.grant_slots(p_product_id, p.stock_slots, p_to)
  from interlock.products p
  where p.id = p_product_id;

  return jsonb_build_object(
    'success', true,
    'product_id', p_product_id,
    'old_quantity', p_from,
    'new_quantity', v_quantity,
    'delta', p_to - p_from
  );
end
$$;

-- Refuse, as transient, a sale of a product that changed since it was priced.
--
-- Errors: 55P03, always.
create function interlock.raise_product_changed()
returns void
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'lock_not_available',
    message = 'a product changed while it was being bought; nothing has happened',
    hint = 'Send the same request again.';
end
$$;

-- Refuse products that do not exist or are not for sale.
--
-- Errors: PRODUCT_NOT_FOUND.
create function interlock.raise_products_not_found(p_product_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.raise_error(
    'PRODUCT_NOT_FOUND',
    jsonb_build_object('product_ids', (select jsonb_agg(u.id order by u.id) from unnest(p_product_ids) as u (id)))
  );
end
$$;

-- Give stock of physical products back. Digital ones are passed over: their stock comes back with their codes.
--
-- Callers: the release of orders.
-- Locks: the stock rows in the order of their ids, waiting, `no key`.
-- Errors: STOCK_LIMIT_EXCEEDED if a product has no room for them, with all such products; 55P03 after lock_timeout.
create function interlock.return_stock(
  p_product_ids uuid[],
  p_quantities int[],
  p_reason text,
  p_reference_id uuid
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_full jsonb;
begin
  perform interlock.lock_stock(p_product_ids);

  select jsonb_agg(p.id order by p.id)
  into v_full
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
  join interlock.products p on p.id = w.product_id
  where p.kind = 'physical'
    and p.available_quantity > interlock.most_units() - w.quantity;
  if v_full is not null then
    perform interlock.raise_error(
      'STOCK_LIMIT_EXCEEDED', jsonb_build_object('product_ids', v_full, 'limit', interlock.most_units())
    );
  end if;

  perform interlock.set_ledger_context(p_reason, p_reference_id);

  update interlock.products p
  set available_quantity = p.available_quantity + w.quantity
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
  where p.id = w.product_id
    and p.kind = 'physical';

  perform interlock.set_ledger_context(null, null);
end
$$;

-- What public.set_stock_slots does, with its owner's rights.
--
-- Callers: service_role, through public.set_stock_slots.
-- Locks: the product, its slots; two seconds at most for each.
-- Errors: VALIDATION_FAILED, PRODUCT_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write slots.
create function interlock.set_stock_slots(p_product_id uuid, p_slots int)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_counted boolean;
  v_available int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_product_id is null then
    v_problems := v_problems || interlock.problem('/p_product_id', 'is required');
  end if;
  if p_slots is null or p_slots not between 0 and 256 then
    v_problems := v_problems || interlock.problem('/p_slots', 'must be an integer from 0 to 256');
  end if;
  if p_slots > 0 and exists (
    select from interlock.products p where p.id = p_product_id and p.kind = 'digital'
  ) then
    v_problems := v_problems || interlock.problem('/p_product_id', 'is a digital product: its stock is its codes');
  end if;
  perform interlock.refuse_problems(v_problems);

  select p.stock_policy = 'tracked' and p.backordered = 0
  into v_counted
  from interlock.products p
  where p.id = p_product_id
  for no key update;
  if not found then
    perform interlock.raise_products_not_found(array[p_product_id]);
  end if;
  if p_slots > 0 and not v_counted then
    perform interlock.refuse_problems(interlock.problem(
      '/p_product_id', 'has another stock_policy than tracked, or owes units: slots are for stock that is there'
    ));
  end if;

  v_available := interlock.settle_stock(p_product_id);
  perform interlock.make_slots(p_product_id, p_slots);

  update interlock.products p
  set stock_slots = p_slots
  where p.id = p_product_id
    and p.stock_slots <> p_slots;

  perform interlock.grant_slots(p_product_id, p_slots, v_available);

  return jsonb_build_object(
    'success', true,
    'product_id', p_product_id,
    'slots', p_slots,
    'available_quantity', v_available
  );
end
$$;

-- Call in the slots of a product, so that its stock is in its row again. Returns it, exactly.
--
-- Callers: functions that have locked the product.
-- Locks: its slots in order, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.settle_stock(p_product_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_used constant int := interlock.call_in_slots(p_product_id);
begin
  if v_used > 0 then
    perform set_config('interlock.settling_slots', 'on', true);

    update interlock.products p
    set available_quantity = p.available_quantity - v_used
    where p.id = p_product_id;

    perform set_config('interlock.settling_slots', '', true);
  end if;

  return (select p.available_quantity from interlock.products p where p.id = p_product_id);
end
$$;

-- Take stock of one product with slots, exactly: all that is in its slots is called in first. Returns what
-- there is if that is too little, null if it was taken.
--
-- Callers: interlock.take_stock, which has locked the product: it is the gate.
-- Locks: the product's slots in order, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.take_at_gate(p_product_id uuid, p_quantity int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_available constant int := interlock.settle_stock(p_product_id);
  v_slots int;
begin
  if v_available < p_quantity then
    return v_available;
  end if;

  update interlock.products p
  set available_quantity = p.available_quantity - p_quantity
  where p.id = p_product_id
  returning p.stock_slots into v_slots;

  perform interlock.grant_slots(p_product_id, v_slots, v_available - p_quantity);
  return null;
end
$$;

-- Of products that are short take all that there is and owe the rest, where their policy and its limit allow. Answers what
-- is short all the same, with what could be had, and whether anything is owed now.
--
-- Callers: interlock.take_from_rows, with the rows locked.
-- Locks: none beyond those.
create function interlock.take_backorders(p_shortages jsonb, out o_shortages jsonb, out o_owed boolean)
language plpgsql
set search_path = ''
as $$
begin
  with wanted as (
    select (s ->> 'product_id')::uuid as product_id, (s ->> 'requested')::int as quantity, s as shortage
    from jsonb_array_elements(p_shortages) as s
  ),
  owed as (
    update interlock.products p
    set available_quantity = 0,
        backordered = p.backordered + w.quantity - p.available_quantity
    from wanted w
    where p.id = w.product_id
      and p.stock_policy = 'backorder'
      and w.quantity - p.available_quantity <= p.backorder_limit - p.backordered
    returning p.id
  )
  select
    jsonb_agg(
      case p.stock_policy
        when 'backorder' then jsonb_set(
          w.shortage, '{available}',
          to_jsonb(p.available_quantity + greatest(p.backorder_limit - p.backordered, 0))
        )
        else w.shortage
      end
    ) filter (where o.id is null),
    count(o.id) > 0
  into o_shortages, o_owed
  from wanted w
  join interlock.products p on p.id = w.product_id
  left join owed o on o.id = w.product_id;
end
$$;

-- Lock stock rows and take the stock of those without slots, in one statement whatever their number. Says which
-- ones have slots (those are only locked), every shortage among the others, and whether a product has another
-- price or currency by now than the caller's, or is inactive. For a digital product the row is only locked and
-- checked: its stock is its free codes, and interlock.take_product_codes takes them next. What is short of a product that
-- may owe units is owed, if that is not too much.
--
-- Callers: interlock.take_stock, interlock.take_from_slots.
-- Locks: the stock rows in the order of their ids, waiting, `no key`. Quantity and slots are read from the
--   newest version of each row, after the wait: in `locked`, and only there.
-- Errors: PRODUCT_NOT_FOUND with every id; 55P03 after lock_timeout.
create function interlock.take_from_rows(
  p_product_ids uuid[],
  p_quantities int[],
  p_unit_prices bigint[],
  p_currency text,
  out o_with_slots uuid[],
  out o_shortages jsonb,
  out o_changed boolean,
  out o_owed boolean
)
language plpgsql
set search_path = ''
as $$
declare
  v_found uuid[];
  v_owed record;
begin
  with wanted as (
    select w.product_id, w.quantity, w.unit_price
    from unnest(p_product_ids, p_quantities, p_unit_prices) as w (product_id, quantity, unit_price)
  ),
  locked as materialized (
    select
      p.id, p.kind, p.available_quantity, p.price, p.currency, p.active, p.stock_slots,
      w.quantity, w.unit_price,
      -- Asked before each row is locked, not once: however long the cart, what is left of two seconds is left.
      clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
    from interlock.products p
    join wanted w on w.product_id = p.id
    order by p.id
    for no key update of p
  ),
  taken as (
    update interlock.products p
    set available_quantity = p.available_quantity - l.quantity
    from locked l
    where p.id = l.id
      and l.kind = 'physical'
      and l.stock_slots = 0
      and l.available_quantity >= l.quantity
  )
  select
    array_agg(l.id),
    jsonb_agg(
      jsonb_build_object(
        'product_id', l.id,
        'requested', l.quantity,
        'available', l.available_quantity
      )
    ) filter (where l.available_quantity < l.quantity and l.stock_slots = 0),
    bool_or(not l.active or l.price <> l.unit_price or l.currency <> p_currency)
      filter (where p_currency is not null),
    array_agg(l.id) filter (where l.stock_slots > 0)
  into v_found, o_shortages, o_changed, o_with_slots
  from locked l;

  if cardinality(v_found) is distinct from cardinality(p_product_ids) then
    perform interlock.raise_products_not_found(
      array(select unnest(p_product_ids) except select unnest(v_found))
    );
  end if;

  if o_shortages is not null then
    v_owed := interlock.take_backorders(o_shortages);
    o_shortages := v_owed.o_shortages;
    o_owed := v_owed.o_owed;
  end if;
end
$$;

-- Take stock without a gate: products of p_slotted from one slot each, the others from their rows. First from
-- slots that are free, then from slots that are worth waiting for. Returns whether it did.
--
-- Callers: interlock.checkout, with at least one product in p_slotted: those with slots of which it has seen a
--   slot with enough. Each product occurs once, with a quantity above 0.
-- Locks: the stock rows of the others as interlock.take_from_rows, then one slot of each product, products in the
--   order of their ids. If it did not do, all of them are given back.
-- Errors: PRODUCT_NOT_FOUND; 55P03 if a product changed since it was priced, and after lock_timeout.
create function interlock.take_from_slots(
  p_product_ids uuid[],
  p_quantities int[],
  p_reason text,
  p_reference_id uuid,
  p_unit_prices bigint[],
  p_currency text,
  p_slotted uuid[]
)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_wait boolean;
  v_others record;
  v_rows record;
  v_changed boolean := false;
begin
  foreach v_wait in array array[false, true] loop
    begin
      if cardinality(p_slotted) < cardinality(p_product_ids) then
        select
          array_agg(w.product_id) as product_ids,
          array_agg(w.quantity) as quantities,
          array_agg(w.unit_price) as unit_prices
        into v_others
        from unnest(p_product_ids, p_quantities, p_unit_prices) as w (product_id, quantity, unit_price)
        where w.product_id <> all (p_slotted);

        perform interlock.set_ledger_context(p_reason, p_reference_id);
        v_rows := interlock.take_from_rows(
          v_others.product_ids, v_others.quantities, v_others.unit_prices, p_currency
        );
        perform interlock.set_ledger_context(null, null);

        -- The gate knows every shortage, and in which order to take slots.
        if v_rows.o_shortages is not null or v_rows.o_with_slots is not null then
          raise exception using errcode = 'IL002', message = 'not without the gate';
        end if;
        v_changed := v_rows.o_changed;
      end if;

      perform interlock.use_slot(w.product_id, w.quantity, v_wait)
      from (
        select u.product_id, u.quantity
        from unnest(p_product_ids, p_quantities) as u (product_id, quantity)
        where u.product_id = any (p_slotted)
        order by u.product_id
      ) w;

      insert into interlock.stock_movements (product_id, delta, reason, reference_id, actor)
      select w.product_id, -w.quantity, p_reason, p_reference_id, auth.uid()
      from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
      where w.product_id = any (p_slotted);

      if v_changed or exists (
        select
        from unnest(p_product_ids, p_unit_prices) as w (product_id, unit_price)
        left join interlock.products p on p.id = w.product_id
        where w.product_id = any (p_slotted)
          and (p.active and p.price = w.unit_price and p.currency = p_currency) is not true
      ) then
        perform interlock.raise_product_changed();
      end if;
      return true;
    exception
      when sqlstate 'IL002' then
        null;
    end;
  end loop;

  return false;
end
$$;

-- Take the stock of physical products, and lock and check that of digital ones. All or nothing. Products with
-- slots are taken at their gate. Returns whether units are owed now that are not there (policy backorder).
--
-- Callers: interlock.decrement_product_quantity, interlock.checkout, interlock.claim_product_codes_atomic. Each
--   product occurs once, with a quantity above 0.
-- Locks: as interlock.take_from_rows, then slots product by product in the order of their ids.
-- Errors: PRODUCT_NOT_FOUND with every id, INSUFFICIENT_INVENTORY with every shortage; 55P03 if the caller's
--   terms do not hold any more, and after lock_timeout.
create function interlock.take_stock(
  p_product_ids uuid[],
  p_quantities int[],
  p_reason text,
  p_reference_id uuid,
  p_unit_prices bigint[] default null,
  p_currency text default null
)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_rows record;
  v_wanted record;
  v_available int;
begin
  perform interlock.set_ledger_context(p_reason, p_reference_id);

  v_rows := interlock.take_from_rows(p_product_ids, p_quantities, p_unit_prices, p_currency);

  if v_rows.o_with_slots is not null then
    for v_wanted in
      select w.product_id, w.quantity
      from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
      where w.product_id = any (v_rows.o_with_slots)
      order by w.product_id
    loop
      v_available := interlock.take_at_gate(v_wanted.product_id, v_wanted.quantity);
      if v_available is not null then
        v_rows.o_shortages := coalesce(v_rows.o_shortages, '[]') || jsonb_build_object(
          'product_id', v_wanted.product_id,
          'requested', v_wanted.quantity,
          'available', v_available
        );
      end if;
    end loop;
  end if;

  perform interlock.set_ledger_context(null, null);

  if v_rows.o_shortages is not null then
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', (
      select jsonb_agg(s.shortage order by s.shortage ->> 'product_id')
      from jsonb_array_elements(v_rows.o_shortages) as s (shortage)
    )));
  end if;

  if v_rows.o_changed then
    perform interlock.raise_product_changed();
  end if;

  return v_rows.o_owed is true;
end
$$;

-- What slots have sold since they were settled is in the ledger already, and not yet in the column; what is owed is taken
-- off what is there.
--
-- A ledger is its closed part (stock_balances) and the movements after that. Which products have a ledger is found by
-- going from each to the next in the index, so that no closed movement is read; of some nothing is left but the balance.
create view interlock.stock_differences
with (security_invoker = true)
as
  with recursive owners (product_id) as (
    (select m.product_id from interlock.stock_movements m order by m.product_id limit 1)
    union all
    select (
      select m.product_id
      from interlock.stock_movements m
      where m.product_id > o.product_id
      order by m.product_id
      limit 1
    )
    from owners o
    where o.product_id is not null
  ),
  ledgers as (
    select
      o.product_id,
      coalesce(b.quantity, 0) + coalesce((
        select sum(m.delta)
        from interlock.stock_movements m
        where m.product_id = o.product_id
          and m.id > coalesce(b.closed_through, 0)
      ), 0) as ledger_quantity
    from (
      select w.product_id from owners w where w.product_id is not null
      union
      select c.product_id from interlock.stock_balances c
    ) o
    left join interlock.stock_balances b on b.product_id = o.product_id
  )
  select
    coalesce(p.id, m.product_id) as product_id,
    p.available_quantity,
    coalesce(m.ledger_quantity, 0) as ledger_quantity
  from (
    select q.id, (q.available_quantity - q.backordered - coalesce(s.used, 0))::int as available_quantity
    from interlock.products q
    left join (
      select c.owner_id, sum(c.used) as used from interlock.counter_slots c group by c.owner_id
    ) s on s.owner_id = q.id
  ) p
  full join ledgers m on m.product_id = p.id
  where coalesce(p.available_quantity, 0) <> coalesce(m.ledger_quantity, 0);

comment on view interlock.stock_differences is
  'Products whose ledger does not add up to their stock. Always empty; anything else is a bug.';

grant select on table interlock.stock_differences to service_role;

create function public.adjust_stock(
  p_product_id uuid,
  p_delta int,
  p_reason text default null,
  p_reference text default null
)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.adjust_stock(p_product_id, p_delta, p_reason, p_reference)
$$;

comment on function public.adjust_stock(uuid, int, text, text) is
  'Books units of a product in (p_delta above 0) or out; once for each p_reference. For staff and the service role.';

create function public.count_stock(
  p_product_id uuid,
  p_counted int,
  p_expected int,
  p_reason text default null,
  p_reference text default null
)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.count_stock(p_product_id, p_counted, p_expected, p_reason, p_reference)
$$;

comment on function public.count_stock(uuid, int, int, text, text) is
  'Sets the stock to what was counted, unless it is no longer p_expected; once for each p_reference. For staff and the service role.';

create function public.get_stock(p_product_ids uuid[])
returns table (
  product_id uuid, available_quantity int, stock_slots int, stock_policy text, backordered int, orderable_quantity int
)
language sql
stable
security invoker
set search_path = ''
as $$
  select * from interlock.get_stock(p_product_ids)
$$;

comment on function public.get_stock(uuid[]) is
  'The exact stock of up to 1000 products, also of those that are sold from slots, and how many can be ordered (null: any number).';

create function public.set_stock_slots(p_product_id uuid, p_slots int)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.set_stock_slots(p_product_id, p_slots)
$$;

comment on function public.set_stock_slots(uuid, int) is
  'Spreads the stock of a hot product over p_slots slots (0 switches off), while it is being sold. For the service role.';
