-- Products and their stock.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

-- Quantities have at most three decimals and no type modifier: `numeric(14, 3)` would make 0.0004 a silent 0, and of 5 a
-- 5.000. Both limits are there for NaN and Infinity, too, which are greater than every number.

-- A quantity that is there or, below zero, owed.
create domain interlock.quantity as numeric
  constraint quantity_range check (value > -100000000000 and value < 100000000000 and value = round(value, 3));

-- A quantity of something: above nothing.
create domain interlock.positive_quantity as numeric
  constraint positive_quantity_range check (value > 0 and value < 100000000000 and value = round(value, 3));

-- A change of a quantity, in either direction.
create domain interlock.quantity_change as numeric
  constraint quantity_change_range
    check (value <> 0 and value > -200000000000 and value < 200000000000 and value = round(value, 3));

-- As much or less of something is little.
create domain interlock.stock_limit as numeric
  constraint stock_limit_range check (value >= 0 and value < 100000000000 and value = round(value, 3));

-- What a product is counted in, as people read it: piece, kg, m.
create domain interlock.unit_name as text
  constraint unit_name_length check (char_length(value) between 1 and 20);

-- How many decimals a quantity may have.
create domain interlock.decimals as int
  constraint decimals_range check (value between 0 and 3);

-- The location whose stock is products.available_quantity: what the web shop sells. There is always one, and only this
-- function knows its id.
--
-- Callers: whatever has to tell the stock of the web shop from that of another location.
create function interlock.online_location()
returns uuid
language sql
immutable
parallel safe
set search_path = ''
as $$
  select '00000000-0000-4000-8000-000000000001'::uuid
$$;

-- With 100 lines of 10,000 the largest price still gives a sum that fits a bigint.
create domain interlock.price as bigint
  constraint products_price_sane check (value between 0 and 1000000000000);

create domain interlock.product_kind as text
  constraint products_kind_known check (value in ('physical', 'digital'));

create domain interlock.stock_policy as text
  constraint products_stock_policy_known check (value in ('tracked', 'untracked', 'backorder'));

-- The moment that a text is, in ISO 8601 with its zone; null if it is none.
--
-- Callers: functions that read what others have written.
create function interlock.to_time(p_text text)
returns timestamptz
language plpgsql
stable
strict
set search_path = ''
as $$
begin
  return case
    when p_text ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$'
      then p_text::timestamptz
  end;
exception
  when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
    return null;
end
$$;

-- Trigger: a product's stock covers what its slots may still sell, whoever lowers it.
--
-- Callers: trigger products_slots_covered. It asks of products with slots whose stock goes down.
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
  v_used int;
begin
  if new.stock_slots = 0 or new.available_quantity >= old.available_quantity then
    return new;
  end if;

  v_used := interlock.cover_slots(new.id, new.available_quantity);
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

-- What a row of inventory may be, and its version. Refused are the web shop, whose stock is in products, digital products,
-- whose stock is their codes, another product, location or id for a row, and a quantity finer than its product has
-- decimals.
--
-- interlock.keep_decimals, which lowers decimals, lets no row be written meanwhile; so what is read here still holds.
--
-- Callers: triggers inventory_new_row and inventory_changed.
-- Errors: 23514 check_violation with constraint names inventory_identity_fixed, inventory_not_online,
--   inventory_not_digital, inventory_decimals.
-- Security definer: who writes inventory need not read products.
create function interlock.guard_inventory()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_constraint text;
begin
  if tg_op = 'UPDATE' then
    if (new.id, new.product_id, new.location_id) is distinct from (old.id, old.product_id, old.location_id) then
      v_constraint := 'inventory_identity_fixed';
    end if;
    new.version := old.version + 1;
    new.updated_at := now();
  elsif new.location_id = interlock.online_location() then
    v_constraint := 'inventory_not_online';
  elsif exists (select from interlock.products p where p.id = new.product_id and p.kind = 'digital') then
    v_constraint := 'inventory_not_digital';
  end if;
  if new.quantity <> trunc(new.quantity)
    and new.quantity <> round(new.quantity, (select p.decimals from interlock.products p where p.id = new.product_id))
  then
    v_constraint := 'inventory_decimals';
  end if;

  if v_constraint is not null then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = v_constraint,
      message = format('%s of product %s at location %s refused', new.quantity, new.product_id, new.location_id),
      hint = 'Whole units of physical products, or as many decimals as products.decimals says; stock of the web shop is products.available_quantity.';
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

-- Refuse fewer decimals for a product than its stock at some location has.
--
-- Nobody writes inventory until the transaction ends, so that none comes in between. It does not wait for those who are
-- writing: they may be waiting for this product.
--
-- Callers: trigger products_decimals_kept, only when decimals would be lowered.
-- Locks: the table inventory against writing, never waiting.
-- Errors: 23514 check_violation with constraint name products_decimals_kept; 55P03, try again.
-- Security definer: who writes products need not have rights on inventory.
create function interlock.keep_decimals()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  lock table interlock.inventory in share mode nowait;
  if exists (
    select from interlock.inventory i where i.product_id = new.id and i.quantity <> round(i.quantity, new.decimals)
  ) then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'products_decimals_kept',
      message = format('%s decimals for product %s refused: its stock at a location has more', new.decimals, new.id),
      hint = 'Bring its stock to fewer decimals first, with a reason: manage_inventory.';
  end if;
  return new;
end
$$;

-- Refuse another id for a location, and the removal of the web shop: ledgers and orders mean it by its id.
--
-- Callers: two triggers on locations.
-- Errors: 23514 check_violation with the name of the trigger as that of the constraint.
create function interlock.keep_location()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'check_violation',
    schema = tg_table_schema,
    table = tg_table_name,
    constraint = tg_name,
    message = format('%s of location %s refused', lower(tg_op), old.id),
    hint = 'Give the location another name, or close it: active = false.';
end
$$;

-- Write what changes in inventory to the stock ledger, and tell what has come to be low (the event stock.low).
--
-- Callers: the three triggers on inventory, once for each statement.
-- Locks: none beyond the rows it inserts; the rows of inventory are locked by the statement.
-- Security definer: nobody has insert on stock_movements.
create function interlock.record_inventory_movements()
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
    -- Grouped, not joined: this plan is made for the first statement of a session, mostly of a few rows, and must also do for
    -- one that changes all.
    insert into interlock.stock_movements (
      product_id, location_id, delta, balance_after, reason, reference_id, reference, actor
    )
    select
      c.product_id,
      c.location_id,
      trim_scale(sum(c.new_quantity) - sum(c.old_quantity)),
      trim_scale(sum(c.new_quantity)),
      coalesce(v_reason, 'correction'),
      v_reference_id,
      v_reference,
      auth.uid()
    from (
      select n.product_id, n.location_id, n.quantity as new_quantity, 0 as old_quantity from new_rows n
      union all
      select o.product_id, o.location_id, 0, o.quantity from old_rows o
    ) c
    group by c.product_id, c.location_id
    having sum(c.new_quantity) <> sum(c.old_quantity);

    -- Few rows are watched, and of those few are low.
    if exists (select from new_rows n where n.quantity <= n.low_stock_at) then
      perform interlock.note_event('stock.low', i.product_id::text, jsonb_build_object(
        'product_id', i.product_id,
        'location_id', i.location_id,
        'available_quantity', trim_scale(i.quantity),
        'low_stock_at', trim_scale(i.low_stock_at),
        'state', case when i.quantity = 0 then 'sold_out' else 'low' end
      ))
      from (
        select c.id
        from (
          select n.id, n.quantity <= n.low_stock_at as is_low, false as was_low from new_rows n
          union all
          select o.id, false, o.quantity <= o.low_stock_at from old_rows o
        ) c
        group by c.id
        having bool_or(c.is_low) and not bool_or(c.was_low)
      ) fell
      join interlock.inventory i on i.id = fell.id
      join interlock.products p on p.id = i.product_id and p.active
      order by i.id;
    end if;
  elsif tg_op = 'INSERT' then
    insert into interlock.stock_movements (
      product_id, location_id, delta, balance_after, reason, reference_id, reference, actor
    )
    select
      n.product_id, n.location_id, trim_scale(n.quantity), trim_scale(n.quantity), coalesce(v_reason, 'opening'),
      v_reference_id, v_reference, auth.uid()
    from new_rows n
    where n.quantity <> 0;
  else
    insert into interlock.stock_movements (product_id, location_id, delta, balance_after, reason, reference_id, actor)
    select
      o.product_id, o.location_id, trim_scale(-o.quantity), 0, coalesce(v_reason, 'deleted'), v_reference_id, auth.uid()
    from old_rows o
    where o.quantity <> 0;
  end if;

  return null;
end
$$;

-- Write the stock ledger for a product that has changed: what is there less what is owed. Not for whom the setting interlock.writes_ledger names,
-- by its depth of triggers: what is settled was written when it was sold, and a sale writes its own, all of its lines at once. What triggers of
-- the shop's change meanwhile lies deeper. If it may be in another state than before (interlock.stock_state), that is told.
--
-- Row by row, without tables of old and new rows: a sale changes one row, and costs a tenth less so. A change of the whole
-- catalogue takes twice as long. The condition stands here, not at the trigger, whose text Postgres reads at every statement.
--
-- Callers: trigger products_record_stock.
-- Locks: none beyond the row it inserts; the product is locked by the statement.
-- Security definer: nobody has insert on stock_movements.
create function interlock.record_stock_movement()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_delta bigint;
begin
  -- All that a state comes of; a sale that changes none of it calls nothing.
  if (new.available_quantity <= new.low_stock_at) <> (old.available_quantity <= old.low_stock_at)
    or (new.available_quantity = 0) <> (old.available_quantity = 0)
    or (new.backordered < new.backorder_limit) <> (old.backordered < old.backorder_limit)
    or new.stock_policy <> old.stock_policy
    or new.active <> old.active
  then
    perform interlock.tell_stock(old, new);
  end if;
  if current_setting('interlock.writes_ledger', true) = (pg_trigger_depth() - 1)::text then
    return null;
  end if;
  v_delta := new.available_quantity::bigint - new.backordered - old.available_quantity + old.backordered;
  if v_delta = 0 then
    return null;
  end if;
  insert into interlock.stock_movements (product_id, delta, balance_after, reason, reference_id, reference, actor)
  values (
    new.id,
    v_delta,
    case when new.stock_slots = 0 then new.available_quantity - new.backordered end,
    coalesce(nullif(current_setting('interlock.reason', true), ''), 'correction'),
    nullif(current_setting('interlock.reference_id', true), '')::uuid,
    nullif(current_setting('interlock.reference', true), ''),
    auth.uid()
  );
  return null;
end
$$;

-- Write the stock ledger for products that are new or deleted: what is there less what is owed.
--
-- Callers: two triggers on products, once for each statement.
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
begin
  if tg_op = 'INSERT' then
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
-- comes later finds no product. What was sold at a till, or came back to it, stays as well.
--
-- Callers: trigger products_sold_stay.
-- Locks: none beyond the row being deleted.
-- Errors: 23503 foreign_key_violation with constraint name products_sold_stay.
-- Security definer: deleting a product must not need rights on lines of orders and sales.
create function interlock.refuse_delete_of_sold_product()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if exists (select 1 from interlock.order_items i where i.product_id = old.id)
    or exists (select 1 from interlock.sale_lines l where l.product_id = old.id)
    or exists (select 1 from interlock.sale_returns r where r.product_id = old.id)
  then
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
-- Callers: two triggers on products. Of products that are not digital and owe nothing, and of a stock that stays, it changes nothing.
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
  elsif new.kind <> 'digital' and new.backordered = 0 or new.available_quantity = old.available_quantity then
    return new;
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
-- What is at other locations is in stock/tables/inventory.sql, in the product's `unit` with up to `decimals` decimals; here
-- are whole units.
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
  max_per_customer interlock.positive_count,
  unit interlock.unit_name not null default 'piece',
  decimals interlock.decimals not null default 0,
  loyalty_class interlock.slug not null default 'standard',
  low_stock_at interlock.unit_count not null default 5
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
comment on column interlock.products.loyalty_class is
  'Which of points_rules says what points it earns.';
comment on column interlock.products.low_stock_at is
  'With so many units or fewer it is low: a badge shows it, and the event stock.low tells it once.';
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
comment on column interlock.products.unit is
  'What it is counted in, as people read it: piece, kg, m.';
comment on column interlock.products.decimals is
  'How many decimals its quantity may have at a location (0 to 3). The web shop sells whole units. Not lowered below what a location has.';

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

-- Without a condition, as products_slots_covered: Postgres reads the text of one at every sale, which costs four times what
-- the function does that asks the same. By its name it comes after products_stock_relative.
create trigger products_stock_settled
  before update on interlock.products
  for each row
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

create trigger products_decimals_kept
  before update of decimals on interlock.products
  for each row
  when (new.decimals < old.decimals)
  execute function interlock.keep_decimals();

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
  execute function interlock.cover_stock_slots();

create trigger products_record_opening_stock
  after insert on interlock.products
  referencing new table as new_rows
  for each statement
  execute function interlock.record_stock_movements();

create trigger products_record_stock
  after update on interlock.products
  for each row
  execute function interlock.record_stock_movement();

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

-- Where stock is: stores, warehouses, and the web shop, whose stock is products.available_quantity.
--
-- The web shop is made here, has a fixed id (interlock.online_location) and cannot be deleted; it may be renamed. A
-- location that has rows of inventory cannot be deleted either: close it (`active = false`). A closed one gets no goods
-- any more; what is left there can be counted, corrected, sold and moved away.
create table interlock.locations (
  id uuid not null default interlock.new_id()
    constraint locations_pkey primary key,
  name interlock.label not null,
  active boolean not null default true,
  created_at timestamptz not null default now()
);

comment on table interlock.locations is
  'Where stock is. Managed by the shop with the service role; staff read it.';
comment on column interlock.locations.id is
  'Made by new_id where none is given: ordered by time. Never changes. 00000000-0000-4000-8000-000000000001 is the web shop.';
comment on column interlock.locations.name is
  'As people read it.';
comment on column interlock.locations.active is
  'A closed one (false) gets no goods any more.';
comment on column interlock.locations.created_at is
  'When it was added.';

create trigger locations_identity_fixed
  before update of id on interlock.locations
  for each row
  when (old.id is distinct from new.id)
  execute function interlock.keep_location();

create trigger locations_online_stays
  before delete on interlock.locations
  for each row
  when (old.id = interlock.online_location())
  execute function interlock.keep_location();

create trigger locations_no_truncate
  before truncate on interlock.locations
  for each statement
  execute function interlock.refuse_change();

alter table interlock.locations enable row level security;

grant select on table interlock.locations to authenticated;
grant select, insert, update, delete on table interlock.locations to service_role;

create policy locations_select_staff
  on interlock.locations
  for select
  to authenticated
  using ((select interlock.is_staff()));

insert into interlock.locations (id, name) values (interlock.online_location(), 'Online');

-- Stock that goes from one location to another: one row for each such way in a request of public.manage_inventory, with its
-- lines (stock/tables/stock_transfer_lines.sql). The ledger has its movements under its id.
--
-- Moved at once it ends where it begins. Sent, it is in transit: what is received, lost or comes back is booked under its
-- lock, and it has ended when nothing is in transit any more.
create table interlock.stock_transfers (
  id uuid not null default interlock.new_id()
    constraint stock_transfers_pkey primary key,
  from_location_id uuid not null
    constraint stock_transfers_from_location_id_fkey references interlock.locations,
  to_location_id uuid not null
    constraint stock_transfers_to_location_id_fkey references interlock.locations,
  reason interlock.movement_reason,
  reference text,
  actor uuid,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  cancelled boolean not null default false,
  constraint stock_transfers_two_locations check (from_location_id <> to_location_id),
  constraint stock_transfers_cancelled_ended check (ended_at is not null or not cancelled)
);

comment on table interlock.stock_transfers is
  'Stock that went, or is on its way, from one location to another. Written by manage_inventory; staff and the shop read it.';
comment on column interlock.stock_transfers.reference is
  'The p_reference under which it was begun.';
comment on column interlock.stock_transfers.actor is
  'The staff member who began it; empty for the shop.';
comment on column interlock.stock_transfers.ended_at is
  'When the last of it was received, lost or came back; empty as long as something is in transit.';
comment on column interlock.stock_transfers.cancelled is
  'Whether what had not been received came back by `cancel`.';

create index stock_transfers_in_transit on interlock.stock_transfers (created_at) where ended_at is null;

create trigger stock_transfers_no_delete
  before delete on interlock.stock_transfers
  for each row
  execute function interlock.refuse_change();

create trigger stock_transfers_no_truncate
  before truncate on interlock.stock_transfers
  for each statement
  execute function interlock.refuse_change();

alter table interlock.stock_transfers enable row level security;

grant select on table interlock.stock_transfers to authenticated, service_role;

create policy stock_transfers_select_staff
  on interlock.stock_transfers
  for select
  to authenticated
  using ((select interlock.is_staff()));

-- The stock of each product at each location but the web shop, whose stock is products.available_quantity.
--
-- An *inventory id* is the id of a row here, or that of a product for its stock in the web shop. Where a product has never
-- been there is no row, which reads as quantity 0, version 0. A digital product has none: its stock is its codes.
--
-- `version` counts the changes of the quantity, whoever makes them, so that a number that was read can be set under the
-- condition that it still holds (public.manage_inventory). Functions write; the shop's own SQL may, too, and leaves the
-- same rows in the ledger (stock/tables/stock_movements.sql).
--
-- With `low_stock_at` the event stock.low tells when a shelf comes to have so little: once, and again only after there was more.
-- The shop sets it, row by row: what is enough for a kiosk is not for the warehouse.
--
-- A product that has rows here cannot be deleted; nor can a location.
create table interlock.inventory (
  id uuid not null default interlock.new_id()
    constraint inventory_pkey primary key,
  product_id uuid not null
    constraint inventory_product_id_fkey references interlock.products,
  location_id uuid not null
    constraint inventory_location_id_fkey references interlock.locations,
  -- The upper limit is there for NaN, which is greater than every number.
  quantity numeric(14, 3) not null default 0
    constraint inventory_quantity_nonnegative check (quantity >= 0 and quantity < 100000000000),
  version interlock.row_version not null default 1,
  updated_at timestamptz not null default now(),
  low_stock_at interlock.stock_limit,
  constraint inventory_product_location_key unique (product_id, location_id)
)
with (fillfactor = 70);

comment on table interlock.inventory is
  'The stock of each product at each location but the web shop. Written by functions; staff and the shop read it.';
comment on column interlock.inventory.id is
  'The inventory id of this stock.';
comment on column interlock.inventory.product_id is
  'What is there. Never changes.';
comment on column interlock.inventory.location_id is
  'Where. Never changes.';
comment on column interlock.inventory.quantity is
  'What is there, in the unit of the product.';
comment on column interlock.inventory.version is
  'Counts the changes of the quantity, whoever makes them.';
comment on column interlock.inventory.updated_at is
  'When the quantity changed last.';
comment on column interlock.inventory.low_stock_at is
  'With so much or less there it is low, and the event stock.low tells it once; empty: nobody watches it.';

-- What is where: the key above finds what is of a product.
create index inventory_by_location on interlock.inventory (location_id);

create trigger inventory_new_row
  before insert on interlock.inventory
  for each row
  execute function interlock.guard_inventory();

create trigger inventory_changed
  before update on interlock.inventory
  for each row
  when (
    old.quantity is distinct from new.quantity
    or old.id is distinct from new.id
    or old.product_id is distinct from new.product_id
    or old.location_id is distinct from new.location_id
  )
  execute function interlock.guard_inventory();

create trigger inventory_record_opening
  after insert on interlock.inventory
  referencing new table as new_rows
  for each statement
  execute function interlock.record_inventory_movements();

create trigger inventory_record
  after update on interlock.inventory
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function interlock.record_inventory_movements();

create trigger inventory_record_deleted
  after delete on interlock.inventory
  referencing old table as old_rows
  for each statement
  execute function interlock.record_inventory_movements();

create trigger inventory_no_truncate
  before truncate on interlock.inventory
  for each statement
  execute function interlock.refuse_change();

alter table interlock.inventory enable row level security;

grant select on table interlock.inventory to authenticated, service_role;
grant update (low_stock_at) on table interlock.inventory to service_role;

create policy inventory_select_staff
  on interlock.inventory
  for select
  to authenticated
  using ((select interlock.is_staff()));

-- How often a stock was no longer what its caller had read (VERSION_CONFLICT), by product and operation. Rows are only
-- added, so that counting holds nobody up; interlock.purge_history removes old ones (settings.keep_inventory_conflicts).
--
-- The count has to survive the refusal, so a conflict is *answered* and not raised, as an unknown promo code is
-- (promo/tables/promo_attempts.sql): HTTP 409 with the body that PostgREST makes of a raised error.
create table interlock.inventory_conflicts (
  id bigint generated always as identity
    constraint inventory_conflicts_pkey primary key,
  product_id uuid not null,
  operation interlock.slug not null,
  rebased boolean not null,
  created_at timestamptz not null default now()
);

comment on table interlock.inventory_conflicts is
  'Each time a stock was no longer what its caller had read.';
comment on column interlock.inventory_conflicts.operation is
  'The action that was refused: set or adjust.';
comment on column interlock.inventory_conflicts.rebased is
  'Whether the caller has it tried again on the present stock.';

create trigger inventory_conflicts_append_only
  before update or delete on interlock.inventory_conflicts
  for each row
  execute function interlock.refuse_change();

create trigger inventory_conflicts_no_truncate
  before truncate on interlock.inventory_conflicts
  for each statement
  execute function interlock.refuse_change();

alter table interlock.inventory_conflicts enable row level security;

grant select on table interlock.inventory_conflicts to service_role;

-- What the older part of a product's ledger at a location adds up to, so that stock_differences need not read it again.
--
-- Closed is every movement of the product there whose id is not above `closed_through`. Written by interlock.close_ledger
-- only, which holds the product and its slots, or the row of inventory: ids are given out under these locks, so none at or
-- below that id can come later, whenever its transaction began.
create table interlock.stock_balances (
  product_id uuid,
  location_id uuid,
  closed_through bigint not null,
  quantity interlock.quantity not null,
  constraint stock_balances_pkey primary key (product_id, location_id)
);

comment on table interlock.stock_balances is
  'The closed part of each product''s ledger at each location, added up.';
comment on column interlock.stock_balances.closed_through is
  'The last movement that is in it: all with an id up to this one are.';
comment on column interlock.stock_balances.quantity is
  'The sum of their deltas: the stock of the product there right after the last of them.';

alter table interlock.stock_balances enable row level security;

grant select on table interlock.stock_balances to service_role;

-- Lines of a file of stock, as they were read and not yet looked at: `npm run import-stock` brings a long file in pieces, and
-- interlock.import_stock then takes all of it in one transaction. What is left of a file that was never taken goes with
-- the next one, after a day.
create table interlock.stock_import_lines (
  reference text not null,
  line int not null,
  product text,
  location text,
  quantity text,
  created_at timestamptz not null default now(),
  constraint stock_import_lines_pkey primary key (reference, line)
);

comment on table interlock.stock_import_lines is
  'Lines of files of stock on their way in, by npm run import-stock.';

alter table interlock.stock_import_lines enable row level security;

-- The stock ledger: every change of products.available_quantity less products.backordered, which is the stock of the web
-- shop, and of inventory.quantity, that of any other location; append-only.
--
-- Written by triggers on both tables, in the statement that changes the stock: our functions, the shop's own SQL,
-- imports and inserts leave the same rows; what the web shop sells is written by the sale itself. For every product and
-- location the sum of its rows is its stock at any moment. The view stock_differences shows where that is not so: it is
-- always empty.
--
-- Why the stock changed is said by
-- interlock.set_ledger_context for the rest of the transaction or until the next call; without it the reason is
-- `correction`. The actor is the signed-in user.
--
-- Reasons of ours: opening (insert), deleted, checkout, codes (product codes added or removed), decrement,
-- order_cancelled, order_expired, order_refunded, order_reopened, lines_cancelled and lines_refunded (parts of an order),
-- cart_reserved, cart_released, cart_expired, cart_redeemed (a reservation, which an order then takes in full),
-- pos_sale, pos_return, pos_void and pos_park (at a till), replacement (of a digital code), linked (the shop's own
-- table), adjustment, count, received, correction (the shop's own SQL). A shop may use others.
--
-- There is no foreign key on purpose: history outlives a deleted product, and a key-share lock on a hot product for
-- each sale would cost a multixact.
create table interlock.stock_movements (
  id bigint generated always as identity,
  product_id uuid not null,
  location_id uuid not null default interlock.online_location(),
  delta interlock.quantity_change not null,
  balance_after interlock.quantity,
  reason interlock.movement_reason not null,
  reference_id uuid,
  reference text,
  actor uuid,
  created_at timestamptz not null default now(),
  -- The ledger of one product at one location is read in this order, and added up from this index alone.
  constraint stock_movements_pkey primary key (product_id, location_id, id) include (delta)
) partition by range (id);

-- What interlock.make_history_parts goes on from, and what takes rows that no part is there for.
create table interlock_parts.stock_movements_0 partition of interlock.stock_movements for values from (minvalue) to (5000000);
create table interlock_parts.stock_movements_rest partition of interlock.stock_movements default;

alter table interlock_parts.stock_movements_0 enable row level security;
alter table interlock_parts.stock_movements_rest enable row level security;

create trigger stock_movements_no_truncate
  before truncate on interlock_parts.stock_movements_0
  for each statement
  execute function interlock.refuse_change();

create trigger stock_movements_no_truncate
  before truncate on interlock_parts.stock_movements_rest
  for each statement
  execute function interlock.refuse_change();

comment on table interlock.stock_movements is
  'Append-only stock ledger, written by triggers on products and inventory. Nobody can change or delete a row.';
comment on column interlock.stock_movements.location_id is
  'Where: the web shop, unless something else is said.';
comment on column interlock.stock_movements.delta is
  'What came (positive) or went (negative), in the unit of the product.';
comment on column interlock.stock_movements.balance_after is
  'Stock of the product at the location right after the change, less what is owed; null while the product has slots, whose sales go side by side.';
comment on column interlock.stock_movements.reference_id is
  'What it was for: the order of a checkout, cancellation, expiry or refund; the reservation of a cart; the sale at a till.';
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

-- What is in a transfer of stock: of each product what was sent, and what has become of it. The rest is in transit.
create table interlock.stock_transfer_lines (
  transfer_id uuid not null
    constraint stock_transfer_lines_transfer_id_fkey references interlock.stock_transfers,
  product_id uuid not null
    constraint stock_transfer_lines_product_id_fkey references interlock.products,
  sent interlock.quantity not null,
  received interlock.quantity not null default 0,
  lost interlock.quantity not null default 0,
  returned interlock.quantity not null default 0,
  lost_reason interlock.movement_reason,
  in_transit numeric not null generated always as (trim_scale(sent - received - lost - returned)) stored,
  constraint stock_transfer_lines_pkey primary key (transfer_id, product_id),
  constraint stock_transfer_lines_within_sent check (
    sent > 0 and least(received, lost, returned) >= 0 and received + lost + returned <= sent
  )
);

comment on table interlock.stock_transfer_lines is
  'What is in stock_transfers: sent = received + lost + returned + in_transit. Staff and the shop read it.';
comment on column interlock.stock_transfer_lines.received is
  'What is on the shelf of its destination.';
comment on column interlock.stock_transfer_lines.lost is
  'What will never arrive.';
comment on column interlock.stock_transfer_lines.returned is
  'What is back where it came from.';
comment on column interlock.stock_transfer_lines.lost_reason is
  'Why it was lost, as whoever booked it said last.';

-- What of a product is in transit.
create index stock_transfer_lines_in_transit
  on interlock.stock_transfer_lines (product_id)
  where received + lost + returned < sent;

create trigger stock_transfer_lines_no_delete
  before delete on interlock.stock_transfer_lines
  for each row
  execute function interlock.refuse_change();

create trigger stock_transfer_lines_no_truncate
  before truncate on interlock.stock_transfer_lines
  for each statement
  execute function interlock.refuse_change();

alter table interlock.stock_transfer_lines enable row level security;

grant select on table interlock.stock_transfer_lines to authenticated, service_role;

create policy stock_transfer_lines_select_staff
  on interlock.stock_transfer_lines
  for select
  to authenticated
  using ((select interlock.is_staff()));

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

-- Whether every line of an adjustment, a receipt or a sale is written as most are, so that nothing can be wrong with it: one id and a small
-- whole number. As interlock.is_plain_cart looks at a cart, in expressions. p_quantity names the member that says how much. What is wrong
-- with other lines, if anything is, the callers say.
--
-- Callers: interlock.find_inventory_problems, interlock.find_sale_problems.
create function interlock.are_plain_lines(p_lines jsonb, p_quantity text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_line jsonb;
  v_id text;
  v_amount text;
begin
  for v_n in 0 .. jsonb_array_length(p_lines) - 1 loop
    v_line := p_lines -> v_n;
    v_id := coalesce(v_line ->> 'inventory_id', v_line ->> 'product_id');
    -- As JSON writes it: a text would have quotes.
    v_amount := v_line -> p_quantity;
    if (
      jsonb_typeof(v_line) = 'object'
      and (v_line - array['inventory_id', p_quantity] = '{}' or v_line - array['product_id', p_quantity] = '{}')
      and v_id like '________-____-____-____-____________'
      and translate(v_id, '0123456789abcdefABCDEF', '') = '----'
      and (translate(v_amount, '0123456789', '') = '' or p_quantity = 'delta' and translate(v_amount, '0123456789', '') = '-')
      and char_length(v_amount) < 7
      and v_amount <> '0'
    ) is not true then
      return false;
    end if;
  end loop;
  return true;
end
$$;

-- Book what becomes of lines of a transfer that is locked, and end it with the last of them: p_quantities of p_product_ids are
-- received, lost or returned. More than is in transit of a product is refused, every line of that sort at once.
--
-- Callers: interlock.receive_transfer, interlock.cancel_transfer, interlock.lose_transfer. Each product occurs once.
-- Locks: the transfer is held.
-- Errors: TRANSFER_EXCEEDED.
create function interlock.book_transfer(
  p_transfer_id uuid,
  p_product_ids uuid[],
  p_quantities numeric[],
  p_as text,
  p_reason text
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_excess jsonb;
begin
  select jsonb_agg(
    jsonb_build_object(
      'product_id', w.product_id,
      'sent', coalesce(trim_scale(l.sent), 0),
      'received', coalesce(trim_scale(l.received), 0),
      'lost', coalesce(trim_scale(l.lost), 0),
      'requested', trim_scale(w.quantity)
    )
    order by w.n
  )
  into v_excess
  from unnest(p_product_ids, p_quantities) with ordinality as w (product_id, quantity, n)
  left join interlock.stock_transfer_lines l on l.transfer_id = p_transfer_id and l.product_id = w.product_id
  where w.quantity > coalesce(l.in_transit, 0);
  if v_excess is not null then
    perform interlock.raise_error('TRANSFER_EXCEEDED', jsonb_build_object('transfer_id', p_transfer_id, 'lines', v_excess));
  end if;

  update interlock.stock_transfer_lines l
  set received = trim_scale(l.received + case p_as when 'received' then w.quantity else 0 end),
      lost = trim_scale(l.lost + case p_as when 'lost' then w.quantity else 0 end),
      returned = trim_scale(l.returned + case p_as when 'returned' then w.quantity else 0 end),
      lost_reason = case p_as when 'lost' then p_reason else l.lost_reason end
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
  where l.transfer_id = p_transfer_id
    and l.product_id = w.product_id;

  update interlock.stock_transfers t
  set ended_at = interlock.clock(),
      cancelled = p_as = 'returned'
  where t.id = p_transfer_id
    and not exists (
      select from interlock.stock_transfer_lines l where l.transfer_id = p_transfer_id and l.in_transit > 0
    );
end
$$;

-- Bring what is in transit of a transfer back to where it came from.
--
-- Callers: interlock.change_transfer.
-- Locks: the transfer; then as interlock.lock_inventory.
-- Errors: STOCK_TRANSFER_NOT_FOUND, TRANSFER_ENDED, STOCK_LIMIT_EXCEEDED; 55P03 after lock_timeout.
create function interlock.cancel_transfer(p_transfer_id uuid, p_reason text)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_transfer constant interlock.stock_transfers := interlock.lock_transfer(p_transfer_id);
  v_left jsonb;
  v_back jsonb;
  v_stock jsonb;
begin
  if v_transfer.ended_at is not null then
    perform interlock.raise_error('TRANSFER_ENDED', jsonb_build_object(
      'transfer_id', p_transfer_id, 'ended_at', v_transfer.ended_at, 'cancelled', v_transfer.cancelled
    ));
  end if;

  select jsonb_agg(jsonb_build_object('product_id', l.product_id, 'quantity', l.in_transit) order by l.product_id)
  into v_left
  from interlock.stock_transfer_lines l
  where l.transfer_id = p_transfer_id
    and l.in_transit > 0;
  perform interlock.book_transfer(p_transfer_id, array_agg(l.product_id), array_agg(l.quantity), 'returned', null)
  from jsonb_to_recordset(v_left) as l (product_id uuid, quantity numeric);

  v_back := interlock.transfer_ends(v_left, v_transfer.from_location_id);
  v_stock := interlock.lock_inventory(v_back);
  perform interlock.move_quantities(v_back, coalesce(p_reason, 'transfer_returned'), p_transfer_id);
  return interlock.moved_inventory(v_stock);
end
$$;

-- Adjust, receive, set or count, and answer the lines of stock that it has changed.
--
-- Callers: interlock.manage_inventory, in a sub-transaction of its own.
-- Locks: as interlock.lock_inventory.
-- Errors: INVENTORY_NOT_FOUND, LOCATION_NOT_FOUND, PRODUCT_NOT_FOUND, VALIDATION_FAILED, INSUFFICIENT_INVENTORY,
--   STOCK_LIMIT_EXCEEDED; IL003 with all conflicts if the stock is not what is expected; 55P03 after lock_timeout.
create function interlock.change_inventory(p_action text, p_lines jsonb, p_reason text, p_began_at timestamptz)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_lines constant jsonb := interlock.name_inventory_lines(p_action, p_lines, p_action = 'receive');
  v_stock constant jsonb := interlock.lock_inventory(v_lines);
  v_conflicts jsonb;
begin
  if v_lines @? '$[*] ? (exists(@.expected_version) || exists(@.expected_quantity))' then
    v_conflicts := interlock.find_inventory_conflicts(v_lines, v_stock);
  end if;
  if v_conflicts is not null then
    raise exception using errcode = 'IL003', message = 'not what was read', detail = v_conflicts::text;
  end if;

  perform interlock.write_inventory(
    interlock.plan_inventory(p_action, v_lines, v_stock, p_began_at),
    coalesce(p_reason, case p_action when 'adjust' then 'adjustment' when 'receive' then 'received' when 'set' then 'correction' else p_action end)
  );
  return interlock.moved_inventory(v_stock);
end
$$;

-- Do what interlock.change_inventory does once for each key, and once for each reference of an action, and answer what
-- public.manage_inventory answers.
--
-- Callers: interlock.manage_inventory, in a sub-transaction of its own.
-- Locks: the key, the reference; then as interlock.change_inventory.
-- Errors: IDEMPOTENCY_KEY_REUSED, and as interlock.change_inventory.
create function interlock.change_inventory_once(
  p_action text,
  p_lines jsonb,
  p_reason text,
  p_reference text,
  p_transfer_id uuid,
  p_in_transit boolean,
  p_began_at timestamptz,
  p_rebase boolean,
  p_idempotency_key text
)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_operation constant text := 'inventory_' || p_action;
  v_request constant jsonb := jsonb_build_array(
    p_action,
    case when p_rebase then interlock.rebased_lines(p_lines) else p_lines end,
    p_reason,
    p_began_at,
    p_transfer_id,
    p_in_transit is true
  );
  v_answer text := interlock.begin_idempotent('manage_inventory', p_idempotency_key, v_request || jsonb_build_array(p_reference));
begin
  if v_answer is not null then
    return v_answer::json;
  end if;

  v_answer := interlock.begin_idempotent(v_operation, p_reference, v_request, null, true);
  if v_answer is null then
    perform set_config('interlock.reference', coalesce(p_reference, ''), true);
    v_answer := case
      when p_action = 'transfer' or p_transfer_id is not null then
        interlock.change_transfer(p_action, p_lines, p_reason, p_transfer_id, p_in_transit)
      else json_build_object(
        'success', true,
        'action', p_action,
        'lines', interlock.change_inventory(p_action, p_lines, p_reason, p_began_at)
      )
    end;
    perform set_config('interlock.reference', '', true);
    perform interlock.finish_idempotent(v_operation, p_reference, v_answer, true);
  end if;

  perform interlock.finish_idempotent('manage_inventory', p_idempotency_key, v_answer);
  return v_answer::json;
end
$$;

-- What public.manage_inventory does of transfers: the action, the transfer it is about, and the lines of stock that it has changed.
--
-- Callers: interlock.change_inventory_once.
-- Locks: the transfer, if there is one already; then as interlock.lock_inventory.
-- Errors: those of interlock.transfer_inventory, interlock.receive_transfer, interlock.cancel_transfer, interlock.lose_transfer.
create function interlock.change_transfer(
  p_action text,
  p_lines jsonb,
  p_reason text,
  p_transfer_id uuid,
  p_in_transit boolean
)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_transfer_id uuid := p_transfer_id;
  v_lines json;
begin
  case p_action
    when 'transfer' then
      select t.o_transfer_id, t.o_lines into v_transfer_id, v_lines
      from interlock.transfer_inventory(p_lines, p_in_transit, p_reason) t;
      if p_in_transit is not true then
        return json_build_object('success', true, 'action', p_action, 'lines', v_lines);
      end if;
    when 'receive' then
      v_lines := interlock.receive_transfer(p_transfer_id, p_lines, p_reason);
    when 'cancel' then
      v_lines := interlock.cancel_transfer(p_transfer_id, p_reason);
    else
      v_lines := interlock.lose_transfer(p_transfer_id, p_lines, p_reason);
  end case;

  return json_build_object(
    'success', true, 'action', p_action, 'transfer_id', v_transfer_id, 'lines', v_lines
  );
end
$$;

-- Add what is older than p_before in the ledger of a product at a location to its closed balance; answers how many
-- movements, at most p_limit.
--
-- Callers: interlock.close_ledger, which holds the product and its slots, or the row of inventory.
-- Locks: the balance, which nobody else writes.
create function interlock.close_stock_ledger(p_product_id uuid, p_location_id uuid, p_before timestamptz, p_limit int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_from bigint;
  v_through bigint;
  v_count int;
begin
  select b.closed_through
  into v_from
  from interlock.stock_balances b
  where b.product_id = p_product_id
    and b.location_id = p_location_id;

  select max(c.id), max(c.count) into v_through, v_count
  from (
    select m.id, m.created_at, row_number() over (order by m.id) as count
    from interlock.stock_movements m
    where m.product_id = p_product_id
      and m.location_id = p_location_id
      and m.id > coalesce(v_from, 0)
    order by m.id
    limit p_limit
  ) c
  where c.created_at < p_before;

  insert into interlock.stock_balances as b (product_id, location_id, closed_through, quantity)
  select p_product_id, p_location_id, v_through, sum(m.delta)
  from interlock.stock_movements m
  where m.product_id = p_product_id
    and m.location_id = p_location_id
    and m.id > coalesce(v_from, 0)
    and m.id <= v_through
  having count(*) > 0
  on conflict on constraint stock_balances_pkey do update
  set closed_through = excluded.closed_through,
      quantity = b.quantity + excluded.quantity;
  return coalesce(v_count, 0);
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

-- What public.decrement_inventory does, with its owner's rights: take of a stock, whoever sells from it meanwhile. An id of
-- inventory is one conditional statement; that of a product is its stock in the web shop, slots and stock policy included,
-- as public.decrement_product_quantity takes it. With a reference it counts once: the same call again answers the same and
-- takes nothing.
--
-- The answer is json, and text with the reference, because jsonb would put its members into another order.
--
-- Callers: authenticated (staff) and service_role, through public.decrement_inventory.
-- Locks: the reference; then the row of inventory, or as interlock.take_stock; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, INVENTORY_NOT_FOUND,
--   INSUFFICIENT_INVENTORY; 55P03 is transient.
-- Security definer: so that it may use the functions of this schema, and that staff may write stock.
create function interlock.decrement_inventory(p_inventory_id uuid, p_quantity numeric, p_reference text)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problem constant text := interlock.find_quantity_problem(p_quantity);
  v_problems jsonb := '[]'::jsonb;
  v_answer text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  if p_inventory_id is null then
    v_problems := v_problems || interlock.problem('/p_inventory_id', 'is required');
  end if;
  if v_problem is not null then
    v_problems := v_problems || interlock.problem('/p_quantity', v_problem);
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_idempotent(
    'decrement_inventory', p_reference, jsonb_build_array(p_inventory_id, trim_scale(p_quantity)), null, true
  );
  if v_answer is not null then
    return v_answer::json;
  end if;

  perform set_config('interlock.reference', coalesce(p_reference, ''), true);
  v_answer := coalesce(
    interlock.decrement_row(p_inventory_id, p_quantity),
    interlock.decrement_online(p_inventory_id, p_quantity)
  );
  perform set_config('interlock.reference', '', true);

  perform interlock.finish_idempotent('decrement_inventory', p_reference, v_answer, true);
  return v_answer::json;
end
$$;

-- Take of a product's stock in the web shop, and say what interlock.decrement_inventory answers. Of an untracked product
-- nothing is taken; of one that is sold beyond its stock the quantities are less what is owed.
--
-- Callers: interlock.decrement_inventory.
-- Locks: as interlock.take_stock.
-- Errors: VALIDATION_FAILED, INVENTORY_NOT_FOUND, INSUFFICIENT_INVENTORY; 55P03 after lock_timeout.
create function interlock.decrement_online(p_product_id uuid, p_quantity numeric)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_deducted numeric := trim_scale(p_quantity);
  v_product interlock.products;
  v_details jsonb;
  v_text text;
begin
  select p.* into v_product from interlock.products p where p.id = p_product_id;
  if not found then
    perform interlock.raise_error(
      'INVENTORY_NOT_FOUND', jsonb_build_object('inventory_ids', jsonb_build_array(p_product_id))
    );
  end if;
  if v_product.kind = 'digital' then
    perform interlock.refuse_problems(interlock.problem(
      '/p_inventory_id', 'is a digital product: claim its codes with claim_product_codes_atomic'
    ));
  end if;
  if p_quantity <> trunc(p_quantity) or p_quantity > interlock.most_units() then
    perform interlock.refuse_problems(interlock.problem(
      '/p_quantity', format('must be an integer of at most %s: the web shop sells whole units', interlock.most_units())
    ));
  end if;

  if v_product.stock_policy = 'untracked' then
    v_deducted := 0;
  else
    begin
      perform interlock.take_stock(array[p_product_id], array[p_quantity::int], 'decrement', null);
    exception
      -- A shortage, which is to say where.
      when sqlstate 'PT409' then
        get stacked diagnostics v_text = pg_exception_detail;
        v_details := v_text::jsonb;
        perform interlock.raise_error(sqlerrm, jsonb_build_object('shortages', jsonb_build_array(
          jsonb_build_object('inventory_id', p_product_id, 'location_id', interlock.online_location())
            || (v_details -> 'shortages' -> 0)
        )));
    end;
  end if;

  select p.* into v_product from interlock.products p where p.id = p_product_id;

  return json_build_object(
    'success', true,
    'inventory_id', p_product_id,
    'old_quantity', v_product.available_quantity - v_product.backordered + v_deducted,
    'new_quantity', v_product.available_quantity - v_product.backordered,
    'deducted', v_deducted
  );
end
$$;

-- Take of a row of inventory, and say what interlock.decrement_inventory answers; null if there is no such row.
--
-- Callers: interlock.decrement_inventory.
-- Locks: the row, waiting.
-- Errors: VALIDATION_FAILED, INSUFFICIENT_INVENTORY; 55P03 after lock_timeout.
create function interlock.decrement_row(p_inventory_id uuid, p_quantity numeric)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_row record;
  v_left numeric;
begin
  loop
    select i.product_id, i.location_id, i.quantity, p.decimals
    into v_row
    from interlock.inventory i
    join interlock.products p on p.id = i.product_id
    where i.id = p_inventory_id;
    if not found then
      return null;
    end if;
    if p_quantity <> round(p_quantity, v_row.decimals) then
      perform interlock.refuse_problems(interlock.problem(
        '/p_quantity', format('must have at most %s decimals, as the product has', v_row.decimals)
      ));
    end if;
    -- What is seen without a lock is committed: no order of events could have sold more.
    if v_row.quantity < p_quantity then
      perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', jsonb_build_array(
        jsonb_build_object(
          'inventory_id', p_inventory_id,
          'product_id', v_row.product_id,
          'location_id', v_row.location_id,
          'requested', trim_scale(p_quantity),
          'available', trim_scale(v_row.quantity)
        )
      )));
    end if;

    perform interlock.set_ledger_context('decrement', null);
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    update interlock.inventory i
    set quantity = i.quantity - p_quantity
    where i.id = p_inventory_id
      and i.quantity >= p_quantity
    returning i.quantity into v_left;
    perform interlock.set_ledger_context(null, null);

    -- Somebody was first, and what they left may be enough again by now.
    exit when v_left is not null;
  end loop;

  return json_build_object(
    'success', true,
    'inventory_id', p_inventory_id,
    'old_quantity', trim_scale(v_left + p_quantity),
    'new_quantity', trim_scale(v_left),
    'deducted', trim_scale(p_quantity)
  );
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

-- What is wrong with when a count began, in words; null if nothing is. What was sold since then has to be in the ledger.
--
-- Callers: interlock.find_inventory_problems, interlock.find_member_problem.
create function interlock.find_began_problem(p_began_at timestamptz)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when p_began_at > clock_timestamp() then 'must not be in the future'
    when p_began_at < interlock.clock() - (select s.keep_stock_movements from interlock.settings s) then
      'must not be before what the ledger has kept (settings.keep_stock_movements)'
  end;
end
$$;

-- The lines that expect another stock than there is, with what there is; null if none does.
--
-- Callers: interlock.change_inventory, with the stock that interlock.lock_inventory has answered.
create function interlock.find_inventory_conflicts(p_lines jsonb, p_stock jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select jsonb_agg(
      jsonb_build_object(
        'line', l.line,
        -- Somebody may have made the row meanwhile; one that was made for this goes with the refusal.
        'inventory_id', case when not s.made then s.inventory_id end,
        'product_id', l.product_id,
        'location_id', l.location_id,
        'expected_version', l.expected_version,
        'expected_quantity', trim_scale(l.expected_quantity),
        'version', s.version,
        'quantity', s.quantity
      )
      order by l.line
    )
    from jsonb_to_recordset(p_lines) as l (
      line int, product_id uuid, location_id uuid, expected_version numeric, expected_quantity numeric
    )
    join jsonb_to_recordset(p_stock) as s (
      inventory_id uuid, product_id uuid, location_id uuid, quantity numeric, version bigint, made boolean
    )
      on s.product_id = l.product_id and s.location_id = l.location_id
    where l.expected_version <> s.version
      or l.expected_quantity <> s.quantity
  );
end
$$;

-- What is wrong with a request of public.manage_inventory by itself, all of it; an empty list if nothing is. A member that
-- is null is none.
--
-- Callers: interlock.manage_inventory.
-- Locks: none.
create function interlock.find_inventory_problems(
  p_action text,
  p_lines jsonb,
  p_reason text,
  p_reference text,
  p_transfer_id uuid,
  p_in_transit boolean,
  p_began_at timestamptz,
  p_rebase boolean,
  p_idempotency_key text
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_of_transfer constant boolean := coalesce(p_action = 'lose' or (p_action = 'receive' and p_transfer_id is not null), false);
  v_problems jsonb := '[]'::jsonb;
  v_names text[];
  v_kinds text[];
  v_needed boolean[];
begin
  if p_action is null or p_action <> all ('{get,adjust,receive,set,count,transfer,cancel,lose}'::text[]) then
    v_problems := v_problems || interlock.problem(
      '/action', 'must be one of get, adjust, receive, set, count, transfer, cancel, lose'
    );
  end if;
  if p_reason is not null and not interlock.is_line(p_reason, 100) then
    v_problems := v_problems || interlock.problem('/reason', 'must be a text of 1 to 100 characters without control characters');
  end if;
  if p_reference !~ '^[\x20-\x7e]+$' or char_length(p_reference) > 255 then
    v_problems := v_problems || interlock.problem('/reference', 'must be 1 to 255 printable ASCII characters');
  end if;
  if p_action = 'get' and num_nonnulls(p_reason, p_reference, p_idempotency_key) > 0 then
    v_problems := v_problems || interlock.problem('/action', 'reads: it takes no reason, reference or key');
  end if;
  if p_rebase and p_action <> 'set' then
    v_problems := v_problems || interlock.problem('/rebase', 'is for set');
  end if;
  if p_transfer_id is not null and p_action not in ('receive', 'cancel', 'lose') then
    v_problems := v_problems || interlock.problem('/transfer_id', 'is not for this action');
  elsif p_transfer_id is null and p_action in ('cancel', 'lose') then
    v_problems := v_problems || interlock.problem('/transfer_id', 'is required: what was answered when the goods were sent');
  end if;
  if p_in_transit is not null and p_action <> 'transfer' then
    v_problems := v_problems || interlock.problem('/in_transit', 'is not for this action');
  end if;
  if p_began_at is not null then
    if p_action <> 'count' then
      v_problems := v_problems || interlock.problem('/began_at', 'is for count');
    elsif interlock.find_began_problem(p_began_at) is not null then
      v_problems := v_problems || interlock.problem('/began_at', interlock.find_began_problem(p_began_at));
    end if;
  end if;

  if p_action = 'cancel' then
    return v_problems || case
      when coalesce(p_lines, 'null') in ('null', '[]') then '[]'
      else interlock.problem('/lines', 'must be empty: all that is in transit comes back')
    end;
  elsif jsonb_typeof(p_lines) is distinct from 'array' then
    return v_problems || interlock.problem('/lines', 'must be a list of 1 to 100 objects');
  elsif jsonb_array_length(p_lines) not between 1 and 100 then
    return v_problems || interlock.problem('/lines', 'must have 1 to 100 lines');
  elsif p_action in ('adjust', 'receive')
    and not v_of_transfer
    and interlock.are_plain_lines(p_lines, (case p_action when 'adjust' then 'delta' else 'quantity' end))
  then
    return v_problems;
  end if;

  select array_agg(m.name), array_agg(m.kind), array_agg(m.needed)
  into v_names, v_kinds, v_needed
  from interlock.inventory_members(p_action, v_of_transfer) m;
  return v_problems || (
    select coalesce(
      jsonb_agg(
        jsonb_build_object('pointer', format('/lines/%s%s', l.n - 1, p.pointer), 'message', p.message)
        order by l.n, p.pointer
      ),
      '[]'
    )
    from (
      select i.n, jsonb_typeof(i.line) = 'object' as is_object,
        case jsonb_typeof(i.line) when 'object' then jsonb_strip_nulls(i.line) else '{}' end as line
      from jsonb_array_elements(p_lines) with ordinality as i (line, n)
    ) l
    cross join lateral (
      select '' as pointer, 'must be a JSON object' as message
      where not l.is_object
      union all
      select '/' || m.name, case when l.line ? m.name then interlock.find_member_problem(l.line -> m.name, m.kind) else 'is required' end
      from unnest(v_names, v_kinds, v_needed) as m (name, kind, needed)
      where l.is_object
        and case when l.line ? m.name then interlock.find_member_problem(l.line -> m.name, m.kind) is not null else m.needed end
      union all
      select '/' || interlock.pointer_token(k.name), 'is not a field of this action'
      from jsonb_object_keys(l.line) as k (name)
      where k.name <> all (v_names)
      union all
      select '/inventory_id', case
        when l.line ? 'inventory_id' then 'cannot go with product_id or location_id'
        else 'is required, or product_id'
      end
      where l.is_object
        and (l.line ? 'inventory_id') = (l.line ?| array['product_id', 'location_id'])
        and 'inventory_id' = any (v_names)
      union all
      select '/product_id', 'is required with location_id'
      where l.line ? 'location_id'
        and not l.line ?| array['product_id', 'inventory_id']
      union all
      select '/to_location_id', 'must be another location than from_location_id'
      where lower(l.line ->> 'from_location_id') = lower(l.line ->> 'to_location_id')
      union all
      select '/' || e.name, 'must be that of line 0: what is in transit has one way'
      from unnest(array['from_location_id', 'to_location_id']) as e (name)
      where p_in_transit
        and lower(l.line ->> e.name) <> lower(p_lines -> 0 ->> e.name)
      union all
      select '/expected_version', 'is required, or expected_quantity: what you have read'
      where p_action = 'set'
        and l.is_object
        and not l.line ?| array['expected_version', 'expected_quantity']
      union all
      select '/expected_quantity', 'is required with rebase'
      where p_action = 'set'
        and p_rebase
        and l.line ? 'expected_version'
        and not l.line ? 'expected_quantity'
      union all
      select '/began_at', 'is required: when counting began'
      where p_action = 'count'
        and l.is_object
        and p_began_at is null
        and not l.line ? 'began_at'
    ) p
  );
end
$$;

-- What is wrong with a member of a line of inventory, in words; null if nothing is.
--
-- Callers: interlock.find_inventory_problems.
create function interlock.find_member_problem(p_value jsonb, p_kind text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  v_number numeric;
begin
  if p_kind = 'id' then
    return case
      when jsonb_typeof(p_value) <> 'string' or interlock.to_uuid(p_value #>> '{}') is null then 'must be a UUID'
    end;
  elsif p_kind = 'time' then
    return case
      when jsonb_typeof(p_value) <> 'string' or interlock.to_time(p_value #>> '{}') is null then
        'must be a date with time and zone, as 2026-11-28T12:00:00Z'
      else interlock.find_began_problem(interlock.to_time(p_value #>> '{}'))
    end;
  elsif jsonb_typeof(p_value) <> 'number' then
    return 'must be a number';
  end if;

  v_number := (p_value #>> '{}')::numeric;
  return case p_kind
    when 'version' then
      case when v_number <> trunc(v_number) or v_number not between 0 and 9007199254740991 then
        'must be a whole number from 0 to 9007199254740991'
      end
    when 'change' then
      case when v_number = 0 then 'must not be 0' else interlock.find_quantity_problem(v_number, -99999999999.999) end
    when 'amount' then interlock.find_quantity_problem(v_number)
    when 'seen' then interlock.find_quantity_problem(v_number, -99999999999.999)
    else interlock.find_quantity_problem(v_number, 0)
  end;
end
$$;

-- What is wrong with a quantity that somebody gives, in words; null if nothing is. With no p_least it must be above 0.
--
-- Callers: functions that move stock, before it meets a column that would round it.
create function interlock.find_quantity_problem(p_quantity numeric, p_least numeric default null)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when p_quantity is null then 'is required'
    -- NaN is greater than every number.
    when p_quantity >= 100000000000 or p_quantity <= -100000000000 then 'must be a number below 100000000000'
    when p_quantity <> round(p_quantity, 3) then 'must have at most 3 decimals'
    when p_least is null and p_quantity <= 0 then 'must be above 0'
    when p_quantity < p_least then format('must be at least %s', p_least)
  end;
end
$$;

-- The stock of these lines with its version, in their order. What has slots is locked, because only then is its version
-- exact (interlock.stock_version); nothing else is.
--
-- Callers: interlock.manage_inventory.
-- Locks: products with slots by id, then their slots.
-- Errors: INVENTORY_NOT_FOUND, LOCATION_NOT_FOUND, PRODUCT_NOT_FOUND; 55P03 after lock_timeout.
create function interlock.get_inventory(p_lines jsonb)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_lines constant jsonb := interlock.name_inventory_lines('get', p_lines);
  v_locked uuid[] := '{}'::uuid[];
  v_slotted uuid[];
  v_answer json;
begin
  loop
    select
      json_agg(
        json_build_object(
          'inventory_id', s.id,
          'product_id', l.product_id,
          'location_id', l.location_id,
          'quantity', coalesce(s.quantity_available, 0),
          'version', case when s.id is null then 0 else coalesce(s.version, interlock.stock_version(l.product_id)) end
        )
        order by l.line
      ),
      array_agg(distinct l.product_id) filter (where s.id is not null and s.version is null)
    into v_answer, v_slotted
    from jsonb_to_recordset(v_lines) as l (line int, inventory_id uuid, product_id uuid, location_id uuid)
    -- `limit 1` asks for one look-up by id for each line: a plain join may read the whole catalogue.
    left join lateral (
      select i.id, i.quantity_available, i.version
      from interlock.inventory_items i
      where i.id = l.inventory_id
      limit 1
    ) s on true;

    exit when v_slotted is null or v_slotted <@ v_locked;
    v_locked := v_slotted;
    perform interlock.lock_stock(v_locked);
    perform interlock.lock_slots(u.id) from (select unnest(v_locked) as id order by 1) u;
  end loop;

  return json_build_object('success', true, 'lines', v_answer);
end
$$;

-- What public.get_stock does, with its owner's rights. `orderable_quantity` is what can be ordered, which may be more than
-- there is; null means any number. `state` is what a badge shows.
--
-- Callers: anon, authenticated and service_role, through public.get_stock.
-- Locks: none. Errors: VALIDATION_FAILED.
-- Security definer: slots are nobody's to read. Inactive products are for the shop only.
create function interlock.get_stock(p_product_ids uuid[])
returns table (
  product_id uuid, available_quantity int, stock_slots int, stock_policy text, backordered int, orderable_quantity int,
  state text
)
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
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
      end,
      interlock.stock_state(p, s.available)
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

-- Take a file of stock that interlock.stage_stock has brought in: every stock that it names becomes what it says, all or
-- none, in this transaction. Problems are answered, all of them by line, and then nothing is done; nor with p_dry_run.
-- A reference, which `npm run import-stock` makes of what is in the file, counts once: again is answered again.
--
-- It locks all that it changes until it ends, so a large file is for a quiet hour; and it waits for nobody longer than ten
-- seconds.
--
-- Callers: `npm run import-stock`; postgres.
-- Locks: the reference; new rows of inventory in the order of product and location; rows of inventory by id, products by id,
--   their slots.
-- Errors: VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
create function interlock.import_stock(p_reference text, p_replace boolean, p_dry_run boolean)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '10s'
as $$
declare
  v_answer jsonb;
  v_online uuid[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  v_answer := interlock.find_idempotent('import_stock', p_reference, to_jsonb(p_reference), true)::jsonb;
  if v_answer is null then
    v_answer := interlock.sum_up_import(p_reference, p_replace, p_dry_run);
    if p_dry_run or not (v_answer ->> 'success')::boolean then
      return v_answer;
    end if;
    v_answer := interlock.begin_reference('import_stock', p_reference, to_jsonb(p_reference));
  end if;
  if v_answer is not null then
    delete from interlock.stock_import_lines l where l.reference = p_reference;
    return v_answer || '{"again": true}';
  end if;

  insert into interlock.inventory (product_id, location_id)
  select r.product_id, r.location_id
  from interlock.read_import(p_reference, true) r
  where r.problem is null
    and r.location_id <> interlock.online_location()
  order by r.product_id, r.location_id
  on conflict do nothing;
  perform 1
  from interlock.inventory i
  join interlock.read_import(p_reference, true) r on r.product_id = i.product_id and r.location_id = i.location_id
  order by i.id
  for no key update of i;

  v_online := array(
    select r.product_id
    from interlock.read_import(p_reference, true) r
    where r.location_id = interlock.online_location()
    order by r.product_id
  );
  perform interlock.lock_stock(v_online);
  perform interlock.settle_stock(p.id)
  from unnest(v_online) with ordinality as u (id, n)
  join interlock.products p on p.id = u.id
  where p.stock_slots > 0
  order by u.n;

  -- The same as before it was locked, unless somebody sold or moved meanwhile.
  v_answer := interlock.sum_up_import(p_reference, p_replace, p_dry_run);
  if not (v_answer ->> 'success')::boolean then
    raise exception using
      errcode = 'lock_not_available',
      message = 'stock changed while it was imported; nothing has happened',
      hint = 'Import the same file again.';
  end if;

  perform interlock.set_ledger_context('import', null);
  update interlock.inventory i
  set quantity = r.quantity
  from interlock.read_import(p_reference, true) r
  where i.product_id = r.product_id
    and i.location_id = r.location_id
    and i.quantity <> r.quantity;
  update interlock.products p
  set available_quantity = r.quantity
  from interlock.read_import(p_reference, true) r
  where p.id = r.product_id
    and r.location_id = interlock.online_location()
    and p.available_quantity <> r.quantity;
  perform interlock.set_ledger_context(null, null);
  perform interlock.grant_slots(p.id, p.stock_slots, p.available_quantity)
  from interlock.products p
  where p.id = any (v_online)
    and p.stock_slots > 0;

  delete from interlock.stock_import_lines l where l.reference = p_reference;
  return interlock.finish_reference('import_stock', p_reference, v_answer);
end
$$;

-- The members that a line of public.manage_inventory may have, by action: of which kind, and whether it must have them.
-- Of a transfer that is in transit lines name products alone (p_of_transfer).
--
-- Callers: interlock.find_inventory_problems.
create function interlock.inventory_members(p_action text, p_of_transfer boolean)
returns table (name text, kind text, needed boolean)
language plpgsql
immutable
rows 5
set search_path = ''
as $$
begin
  return query
    select m.name, m.kind, m.needed
    from (values
      ('get adjust receive set count', false, 'inventory_id', 'id', false),
      ('get adjust receive set count', false, 'product_id', 'id', false),
      ('get adjust receive set count', false, 'location_id', 'id', false),
      ('adjust', false, 'delta', 'change', true),
      ('receive transfer', false, 'quantity', 'amount', true),
      ('set', false, 'quantity', 'level', true),
      ('adjust set', false, 'expected_version', 'version', false),
      ('set', false, 'expected_quantity', 'seen', false),
      ('count', false, 'counted', 'level', true),
      ('count', false, 'began_at', 'time', false),
      ('transfer', false, 'product_id', 'id', true),
      ('transfer', false, 'from_location_id', 'id', true),
      ('transfer', false, 'to_location_id', 'id', true),
      ('receive lose', true, 'product_id', 'id', true),
      ('receive lose', true, 'quantity', 'amount', true)
    ) as m (actions, of_transfer, name, kind, needed)
    where p_action = any (string_to_array(m.actions, ' '))
      and m.of_transfer = p_of_transfer;
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

-- Lock the stock of these lines, each once, and answer what it is: inventory_id, product_id, location_id, quantity (less
-- what is owed), owed (of the web shop), version, first_line. Where there is no row one is made, whose version reads 0. Slots are called in; interlock.write_inventory shares them out again.
--
-- Callers: interlock.change_inventory, interlock.transfer_inventory, interlock.receive_transfer, interlock.cancel_transfer,
--   interlock.correct_transfer, interlock.correct_shortfall, interlock.correct_till_sale, interlock.take_packed_stock.
-- Locks: new rows in the order of product and location; rows of inventory by id; products by id, then their slots.
-- Errors: 55P03 if something was deleted meanwhile, and after lock_timeout.
create function interlock.lock_inventory(p_lines jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_made uuid[];
  v_products uuid[];
  v_stock jsonb;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  if p_lines @? '$[*] ? (!exists(@.inventory_id) || @.inventory_id == null)' then
    with made as (
      insert into interlock.inventory (product_id, location_id)
      select distinct l.product_id, l.location_id
      from jsonb_to_recordset(p_lines) as l (inventory_id uuid, product_id uuid, location_id uuid)
      where l.inventory_id is null
      order by l.product_id, l.location_id
      on conflict do nothing
      returning id
    )
    select array_agg(m.id) into v_made from made m;
  end if;

  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.inventory i
  where (i.product_id, i.location_id) in (
    select l.product_id, l.location_id
    from jsonb_to_recordset(p_lines) as l (product_id uuid, location_id uuid)
  )
  order by i.id
  for no key update;

  if p_lines @> jsonb_build_array(jsonb_build_object('location_id', interlock.online_location())) then
    v_products := array(
      select distinct l.product_id
      from jsonb_to_recordset(p_lines) as l (product_id uuid, location_id uuid)
      where l.location_id = interlock.online_location()
      order by l.product_id
    );
    perform interlock.lock_stock(v_products);
    perform interlock.settle_stock(u.id) from unnest(v_products) with ordinality as u (id, n) order by u.n;
  end if;

  select jsonb_agg(
    jsonb_build_object(
      'inventory_id', coalesce(i.id, p.id),
      'product_id', l.product_id,
      'location_id', l.location_id,
      'quantity', coalesce(trim_scale(i.quantity), p.available_quantity - p.backordered),
      'owed', coalesce(p.backordered, 0),
      'made', coalesce(i.id = any (v_made), false),
      'version', case
        when i.id = any (v_made) then 0
        else coalesce(i.version::bigint, interlock.stock_version(p.id))
      end,
      'first_line', l.first_line
    )
    order by l.first_line
  )
  into v_stock
  from (
    select r.product_id, r.location_id, min(r.line) as first_line
    from jsonb_to_recordset(p_lines) as r (line int, product_id uuid, location_id uuid)
    group by r.product_id, r.location_id
  ) l
  left join interlock.inventory i on i.product_id = l.product_id and i.location_id = l.location_id
  left join interlock.products p on p.id = l.product_id and l.location_id = interlock.online_location();

  if v_stock @> '[{"inventory_id": null}]' then
    perform interlock.raise_product_changed();
  end if;
  return v_stock;
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

-- Lock a transfer of stock: whatever becomes of it is booked under this lock.
--
-- Callers: interlock.receive_transfer, interlock.cancel_transfer, interlock.lose_transfer, interlock.correct_transfer.
-- Locks: the transfer, waiting.
-- Errors: STOCK_TRANSFER_NOT_FOUND; 55P03 after lock_timeout.
create function interlock.lock_transfer(p_transfer_id uuid)
returns interlock.stock_transfers
language plpgsql
set search_path = ''
as $$
declare
  v_transfer interlock.stock_transfers;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select t.* into v_transfer from interlock.stock_transfers t where t.id = p_transfer_id for no key update;
  if not found then
    perform interlock.raise_error('STOCK_TRANSFER_NOT_FOUND', jsonb_build_object('transfer_id', p_transfer_id));
  end if;
  return v_transfer;
end
$$;

-- Book that some of what is in transit will never arrive, with a reason. No stock changes: it was taken when it was sent.
--
-- Callers: interlock.change_transfer, with lines that interlock.find_inventory_problems has seen.
-- Locks: the transfer.
-- Errors: STOCK_TRANSFER_NOT_FOUND, TRANSFER_ENDED, TRANSFER_EXCEEDED; 55P03 after lock_timeout.
create function interlock.lose_transfer(p_transfer_id uuid, p_lines jsonb, p_reason text)
returns json
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.refuse_cancelled(interlock.lock_transfer(p_transfer_id));
  perform interlock.book_transfer(
    p_transfer_id, array_agg(w.product_id order by w.n), array_agg(w.quantity order by w.n), 'lost', coalesce(p_reason, 'lost')
  )
  from (
    select (l.line ->> 'product_id')::uuid as product_id, sum((l.line ->> 'quantity')::numeric) as quantity, min(l.n) as n
    from jsonb_array_elements(p_lines) with ordinality as l (line, n)
    group by 1
  ) w;
  return json '[]';
end
$$;

-- What public.manage_inventory does, with its owner's rights: read stock with its versions, or change it, all lines or
-- none, in one transaction.
--
-- p_rebase says that the caller tries a `set` again on the present stock if that is not what they have read: quantity and
-- expected_quantity are other numbers each time, their difference stays. So the request that a key remembers has the
-- difference; send it from the first try on.
--
-- The answer is json, and text with key and reference, because jsonb would put its members into another order.
--
-- Callers: authenticated (staff) and service_role, through public.manage_inventory.
-- Locks: the key, the reference, the transfer; then as interlock.lock_inventory; two seconds at most for all.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, INVENTORY_NOT_FOUND, LOCATION_NOT_FOUND,
--   PRODUCT_NOT_FOUND, INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED, STOCK_TRANSFER_NOT_FOUND, TRANSFER_EXCEEDED,
--   TRANSFER_ENDED; 55P03 and 40P01 are transient and nothing has
--   happened. VERSION_CONFLICT is answered, so that it is counted (stock/tables/inventory_conflicts.sql).
-- Security definer: so that it may use the functions of this schema, and that staff may write stock.
create function interlock.manage_inventory(
  p_action text,
  p_lines jsonb,
  p_reason text,
  p_reference text,
  p_transfer_id uuid,
  p_in_transit boolean,
  p_began_at timestamptz,
  p_rebase boolean,
  p_idempotency_key text
)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- Lines are few, and each is looked up; guessed at a hundred, they would have every row of a small shop read instead.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_conflicts jsonb;
  v_text text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();
  perform interlock.refuse_problems(interlock.find_inventory_problems(
    p_action, p_lines, p_reason, p_reference, p_transfer_id, p_in_transit, p_began_at, p_rebase, p_idempotency_key
  ));
  if p_action = 'get' then
    return interlock.get_inventory(p_lines);
  end if;

  begin
    return interlock.change_inventory_once(
      p_action, p_lines, p_reason, p_reference, p_transfer_id, p_in_transit, p_began_at, p_rebase, p_idempotency_key
    );
  exception
    -- What it has written and locked is undone, its key included.
    when sqlstate 'IL003' then
      get stacked diagnostics v_text = pg_exception_detail;
      v_conflicts := v_text::jsonb;
  end;

  insert into interlock.inventory_conflicts (product_id, operation, rebased)
  select (c ->> 'product_id')::uuid, p_action, p_rebase is true
  from jsonb_array_elements(v_conflicts) as c;

  perform set_config('response.status', '409', true);
  return interlock.error_body('VERSION_CONFLICT', jsonb_build_object('conflicts', v_conflicts));
end
$$;

-- Change stock that is locked by so much: of each stock the sum of what these lines say (product_id, location_id, change).
-- What finds no room is refused.
--
-- Callers: interlock.transfer_inventory, interlock.receive_transfer, interlock.cancel_transfer, interlock.correct_transfer,
--   interlock.correct_shortfall, interlock.correct_till_sale, interlock.take_packed_stock; after interlock.lock_inventory; who takes has looked at what there is.
-- Locks: held already.
-- Errors: STOCK_LIMIT_EXCEEDED.
create function interlock.move_quantities(p_lines jsonb, p_reason text, p_reference_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_planned record;
begin
  with planned as (
    select
      w.product_id, w.location_id, w.change,
      coalesce(i.id, p.id) as inventory_id,
      coalesce(i.quantity, p.available_quantity - p.backordered) as quantity,
      coalesce(p.backordered, 0) as owed,
      case when p.id is null then 99999999999.999 else interlock.most_units() end as most
    from (
      select l.product_id, l.location_id, sum(l.change) as change
      from jsonb_to_recordset(p_lines) as l (product_id uuid, location_id uuid, change numeric)
      group by l.product_id, l.location_id
    ) w
    left join interlock.inventory i on i.product_id = w.product_id and i.location_id = w.location_id
    left join interlock.products p on p.id = w.product_id and w.location_id = interlock.online_location()
  )
  select
    jsonb_agg(distinct p.product_id) filter (where p.quantity + p.owed + p.change > p.most) as full_products,
    min(p.most) filter (where p.quantity + p.owed + p.change > p.most) as most,
    jsonb_agg(jsonb_build_object(
      'inventory_id', p.inventory_id,
      'product_id', p.product_id,
      'location_id', p.location_id,
      'quantity', p.quantity,
      'owed', p.owed,
      'target', p.quantity + p.change
    )) as stock
  into v_planned
  from planned p;

  if v_planned.full_products is not null then
    perform interlock.raise_error('STOCK_LIMIT_EXCEEDED', jsonb_build_object(
      'product_ids', v_planned.full_products, 'limit', v_planned.most
    ));
  end if;
  perform interlock.write_inventory(v_planned.stock, p_reason, p_reference_id);
end
$$;

-- Bring a product from the stock that it has to another, and answer both. What has slots is shared out anew. What was owed
-- is filled first, so the new stock may be less than p_to.
--
-- Callers: interlock.adjust_stock, interlock.count_stock, interlock.write_inventory, which hold the product and have called
--   in its slots.
-- Locks: the product and its slots, held already.
-- Errors: STOCK_LIMIT_EXCEEDED.
create function interlock.move_stock(
  p_product_id uuid,
  p_from int,
  p_to int,
  p_reason text,
  p_reference_id uuid default null
)
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

  perform interlock.set_ledger_context(p_reason, p_reference_id);

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

-- The lines that public.manage_inventory answers, of stock that interlock.lock_inventory has answered and that was changed
-- since, in its order.
--
-- Callers: interlock.change_inventory, interlock.transfer_inventory, interlock.receive_transfer, interlock.cancel_transfer.
-- Locks: held already.
create function interlock.moved_inventory(p_stock jsonb)
returns json
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select json_agg(
      json_build_object(
        'inventory_id', s.inventory_id,
        'product_id', s.product_id,
        'location_id', s.location_id,
        'old_quantity', trim_scale(s.quantity),
        'new_quantity', coalesce(trim_scale(i.quantity), p.available_quantity - p.backordered),
        'version', coalesce(i.version::bigint, interlock.stock_version(s.product_id))
      )
      order by s.first_line
    )
    from jsonb_to_recordset(p_stock) as s (
      first_line int, inventory_id uuid, product_id uuid, location_id uuid, quantity numeric
    )
    left join interlock.inventory i on i.id = s.inventory_id
    left join interlock.products p on p.id = s.inventory_id
  );
end
$$;

-- What has come to a product's stock at a location since a moment, less what went.
--
-- A movement has the time at which its transaction began, and its id from when it was written. So the ledger is read from
-- its end to the first movement that is an hour older: none before that one is younger, unless a transaction lasted that
-- long.
--
-- Callers: interlock.plan_inventory, which holds the stock.
-- Locks: none.
create function interlock.moved_since(p_product_id uuid, p_location_id uuid, p_since timestamptz)
returns numeric
language plpgsql
stable
set search_path = ''
as $$
declare
  v_movement record;
  v_moved numeric := 0;
begin
  for v_movement in
    select m.delta, m.created_at
    from interlock.stock_movements m
    where m.product_id = p_product_id
      and m.location_id = p_location_id
    order by m.id desc
  loop
    exit when v_movement.created_at < p_since - interval '1 hour';
    if v_movement.created_at > p_since then
      v_moved := v_moved + v_movement.delta;
    end if;
  end loop;
  return v_moved;
end
$$;

-- The lines of a request with what they name: `line`, counted from 0, inventory_id (null where there is no row yet),
-- product_id and location_id, and what else they have. p_into says that goods come in, which a closed location refuses.
--
-- Callers: interlock.get_inventory, interlock.change_inventory, with lines that interlock.find_inventory_problems has seen.
-- Locks: none.
-- Errors: as interlock.refuse_inventory_lines, which is asked where a look does not show that there is nothing to refuse.
create function interlock.name_inventory_lines(p_action text, p_lines jsonb, p_into boolean default false)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_found record;
begin
  -- Read first: where there are many shops, what is said in a line could not be looked up by index otherwise.
  with said as materialized (
    select
      l.n - 1 as line,
      jsonb_strip_nulls(l.line) as members,
      (l.line ->> 'inventory_id')::uuid as inventory_id,
      (l.line ->> 'product_id')::uuid as product_id,
      (l.line ->> 'location_id')::uuid as location_id
    from jsonb_array_elements(p_lines) with ordinality as l (line, n)
  ),
  lines as materialized (
    select
      l.line, l.members, l.inventory_id,
      coalesce(l.product_id, i.product_id, l.inventory_id) as product_id,
      coalesce(l.location_id, i.location_id, interlock.online_location()) as location_id
    from said l
    left join interlock.inventory i on i.id = l.inventory_id
  ),
  named as (
    select
      l.line,
      l.members || jsonb_build_object(
        'line', l.line,
        'inventory_id', case l.location_id when interlock.online_location() then l.product_id else i.id end,
        'product_id', l.product_id,
        'location_id', l.location_id
      ) as members,
      (
        p.kind = 'physical'
        and w.active
        and coalesce(l.members ->> 'delta', l.members ->> 'quantity', l.members ->> 'counted', '') not like '%.%'
      ) is not true as may_be_refused
    from lines l
    left join interlock.products p on p.id = l.product_id
    left join interlock.locations w on w.id = l.location_id
    left join interlock.inventory i on i.product_id = l.product_id and i.location_id = l.location_id
  )
  select
    jsonb_agg(n.members order by n.line) as lines,
    bool_or(n.may_be_refused) or p_action in ('set', 'count') and count(*) > 1 as may_be_refused
  into v_found
  from named n;

  if v_found.may_be_refused then
    perform interlock.refuse_inventory_lines(p_action, p_lines, v_found.lines, p_into);
  end if;
  return v_found.lines;
end
$$;

-- One end of the lines of a transfer as interlock.lock_inventory wants them, with `change` (the quantity, or with p_sign -1 less
-- that) and `of_line`. The ends of a line are numbered one after the other, so that answers have them in this order. A closed location
-- gets nothing.
--
-- Callers: interlock.transfer_inventory, with lines that interlock.find_inventory_problems has seen.
-- Locks: none.
-- Errors: LOCATION_NOT_FOUND, PRODUCT_NOT_FOUND, VALIDATION_FAILED.
create function interlock.name_transfer_ends(p_lines jsonb, p_end text, p_sign int)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_agg(jsonb_build_object(
      'line', 2 * (e.line ->> 'line')::int + case p_sign when 1 then 1 else 0 end,
      'of_line', e.line -> 'line',
      'inventory_id', e.line -> 'inventory_id',
      'product_id', e.line -> 'product_id',
      'location_id', e.line -> 'location_id',
      'change', p_sign * (e.line ->> 'quantity')::numeric
    ))
    from jsonb_array_elements(interlock.name_inventory_lines(
      'transfer',
      (
        select jsonb_agg(
          jsonb_build_object(
            'product_id', l.line -> 'product_id', 'location_id', l.line -> p_end, 'quantity', l.line -> 'quantity'
          )
          order by l.n
        )
        from jsonb_array_elements(p_lines) with ordinality as l (line, n)
      ),
      p_sign = 1
    )) as e (line)
  );
end
$$;

-- What the stock becomes: what interlock.lock_inventory has answered, with `target`, less what is owed. Lines that name the
-- same stock are added up first. What was counted in the web shop is what is on its shelf: what was owed when counting
-- began is filled from it.
--
-- Callers: interlock.change_inventory.
-- Errors: as interlock.refuse_plan, which is asked where a look does not show that there is nothing to refuse.
create function interlock.plan_inventory(p_action text, p_lines jsonb, p_stock jsonb, p_began_at timestamptz)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_planned record;
begin
  with wanted as (
    select l.product_id, l.location_id, sum(coalesce(l.delta, l.quantity, l.counted)) as quantity, min(l.began_at) as began_at
    from jsonb_to_recordset(p_lines) as l (
      product_id uuid, location_id uuid, delta numeric, quantity numeric, counted numeric, began_at timestamptz
    )
    group by l.product_id, l.location_id
  ),
  stock as (
    select s.line as stock, w.quantity as wanted,
      (s.line ->> 'quantity')::numeric as quantity, (s.line ->> 'owed')::numeric as owed, m.moved
    from jsonb_array_elements(p_stock) as s (line)
    join wanted w
      on w.product_id = (s.line ->> 'product_id')::uuid and w.location_id = (s.line ->> 'location_id')::uuid
    cross join lateral (
      select case p_action
        when 'count' then interlock.moved_since(w.product_id, w.location_id, coalesce(w.began_at, p_began_at))
      end as moved
    ) m
  ),
  planned as (
    select s.*, case p_action
      when 'set' then s.wanted
      when 'count' then s.wanted + s.moved - greatest(0, s.moved - s.quantity)
      else s.quantity + s.wanted
    end as target
    from stock s
  )
  select
    jsonb_agg(
      p.stock || jsonb_build_object('target', trim_scale(p.target), 'wanted', p.wanted, 'moved', p.moved)
      order by (p.stock ->> 'first_line')::int
    ) as stock,
    bool_or(p.target + p.owed < 0 or p.target + p.owed > interlock.most_units()) as may_be_refused
  into v_planned
  from planned p;

  if v_planned.may_be_refused then
    perform interlock.refuse_plan(p_action, v_planned.stock);
  end if;
  return v_planned.stock;
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

-- The lines of a file of stock that was brought in, read: what each names, the stock that is there now, and what is wrong
-- with it, the first thing of a line. A location is named by its id or its name, and is the web shop where none is. Without
-- p_replace a stock that is not empty must be what the file says: who sells from it already counts it instead.
--
-- Callers: interlock.import_stock.
-- Locks: none.
create function interlock.read_import(p_reference text, p_replace boolean)
returns table (
  line int, product_id uuid, location_id uuid, quantity numeric, present numeric, problem text
)
language sql
stable
set search_path = ''
as $$
  with read as (
    select
      l.line,
      p.id as product_id,
      p.kind = 'digital' as is_digital,
      p.decimals,
      w.location_id,
      w.found,
      w.closed,
      interlock.to_uuid(btrim(l.product)) is not null as is_uuid,
      case when btrim(l.quantity) ~ '^[0-9]{1,11}(\.[0-9]{1,3})?$' then btrim(l.quantity)::numeric end as quantity
    from interlock.stock_import_lines l
    left join interlock.products p on p.id = interlock.to_uuid(btrim(l.product))
    cross join lateral (
      select count(*) as found, case count(*) when 1 then (array_agg(c.id))[1] end as location_id, bool_or(not c.active) as closed
      from interlock.locations c
      where case
        when coalesce(btrim(l.location), '') = '' then c.id = interlock.online_location()
        else c.name = btrim(l.location) or c.id = interlock.to_uuid(btrim(l.location))
      end
    ) w
    where l.reference = p_reference
  ),
  placed as (
    select
      r.*,
      r.location_id = interlock.online_location() as is_online,
      trim_scale(coalesce(i.quantity, case
        when r.location_id = interlock.online_location() then q.available_quantity - (
          select coalesce(sum(u.used), 0) from interlock.counter_slots u where u.owner_id = q.id and q.stock_slots > 0
        )
      end, 0)) as present,
      first_value(r.line) over (partition by r.product_id, r.location_id order by r.line) as first_line
    from read r
    left join interlock.inventory i on i.product_id = r.product_id and i.location_id = r.location_id
    left join interlock.products q on q.id = r.product_id
  )
  select
    s.line, s.product_id, s.location_id, trim_scale(s.quantity), s.present,
    case
      when not s.is_uuid then 'product_id must be a UUID'
      when s.product_id is null then 'there is no such product'
      when s.is_digital then 'is a digital product: its stock is its codes'
      when s.found = 0 then 'there is no such location'
      when s.found > 1 then 'several locations have this name: give its id'
      when s.closed then 'the location is closed'
      when s.quantity is null then 'quantity must be a number from 0 below 100000000000, with at most 3 decimals'
      when s.is_online and s.quantity <> trunc(s.quantity) then 'quantity must be a whole number: the web shop sells whole units'
      when s.is_online and s.quantity > interlock.most_units() then format('quantity must be at most %s', interlock.most_units())
      when s.quantity <> round(s.quantity, s.decimals) then format('quantity must have at most %s decimals, as the product has', s.decimals)
      when s.line > s.first_line then format('names the same stock as line %s', s.first_line)
      when p_replace is not true and s.present <> 0 and s.present <> s.quantity then format('there are %s already', s.present)
    end
  from placed s
$$;

-- Lines of a `set` that is tried again on the present stock, as a key remembers them: by what they add, whatever they were
-- added to.
--
-- Callers: interlock.change_inventory_once.
create function interlock.rebased_lines(p_lines jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select jsonb_agg(
      (l.line - 'quantity' - 'expected_quantity' - 'expected_version') || jsonb_build_object(
        'difference', trim_scale((l.line ->> 'quantity')::numeric - (l.line ->> 'expected_quantity')::numeric)
      )
      order by l.n
    )
    from jsonb_array_elements(p_lines) with ordinality as l (line, n)
  );
end
$$;

-- Put what came of a transfer on the shelf of its destination. Lines that name a product twice are added up.
--
-- Callers: interlock.change_transfer, with lines that interlock.find_inventory_problems has seen.
-- Locks: the transfer; then as interlock.lock_inventory.
-- Errors: STOCK_TRANSFER_NOT_FOUND, TRANSFER_ENDED, TRANSFER_EXCEEDED, PRODUCT_NOT_FOUND, STOCK_LIMIT_EXCEEDED; 55P03 after
--   lock_timeout.
create function interlock.receive_transfer(p_transfer_id uuid, p_lines jsonb, p_reason text)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_transfer constant interlock.stock_transfers := interlock.lock_transfer(p_transfer_id);
  v_came jsonb;
  v_stock jsonb;
begin
  perform interlock.refuse_cancelled(v_transfer);
  perform interlock.book_transfer(
    p_transfer_id, array_agg(w.product_id order by w.n), array_agg(w.quantity order by w.n), 'received', null
  )
  from (
    select (l.line ->> 'product_id')::uuid as product_id, sum((l.line ->> 'quantity')::numeric) as quantity, min(l.n) as n
    from jsonb_array_elements(p_lines) with ordinality as l (line, n)
    group by 1
  ) w;

  v_came := interlock.transfer_ends(p_lines, v_transfer.to_location_id);
  v_stock := interlock.lock_inventory(v_came);
  perform interlock.move_quantities(v_came, coalesce(p_reason, 'transfer_in'), p_transfer_id);
  return interlock.moved_inventory(v_stock);
end
$$;

-- Refuse a transfer that was cancelled: what was in transit is back where it came from.
--
-- Callers: interlock.receive_transfer, interlock.lose_transfer, with the transfer locked.
-- Errors: TRANSFER_ENDED.
create function interlock.refuse_cancelled(p_transfer interlock.stock_transfers)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_transfer.cancelled then
    perform interlock.raise_error('TRANSFER_ENDED', jsonb_build_object(
      'transfer_id', p_transfer.id, 'ended_at', p_transfer.ended_at, 'cancelled', true
    ));
  end if;
end
$$;

-- Refuse lines that name what does not exist, all of a kind; then those that cannot be done to what they name. p_lines are what the caller
-- has sent, p_named what interlock.name_inventory_lines answers.
--
-- Callers: interlock.name_inventory_lines.
-- Locks: none.
-- Errors: INVENTORY_NOT_FOUND, LOCATION_NOT_FOUND, PRODUCT_NOT_FOUND, VALIDATION_FAILED.
create function interlock.refuse_inventory_lines(p_action text, p_lines jsonb, p_named jsonb, p_into boolean)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  v_found record;
begin
  with said as materialized (
    select
      (n.members ->> 'line')::int as line,
      n.members,
      (p_lines -> (n.members ->> 'line')::int ->> 'inventory_id')::uuid as asked_id,
      (n.members ->> 'product_id')::uuid as product_id,
      (n.members ->> 'location_id')::uuid as location_id
    from jsonb_array_elements(p_named) as n (members)
  ),
  named as (
    select
      s.line,
      s.members,
      s.asked_id,
      s.product_id,
      s.location_id,
      p.id is not null as is_product,
      p.kind = 'digital' as is_digital,
      case s.location_id when interlock.online_location() then 0 else p.decimals end as decimals,
      w.id is not null and (w.active or not p_into) as is_location,
      min(s.line) over same as first_line,
      first_value(s.members ->> 'began_at') over (same order by s.line) is distinct from s.members ->> 'began_at' as began_apart
    from said s
    left join interlock.products p on p.id = s.product_id
    left join interlock.locations w on w.id = s.location_id
    window same as (partition by s.product_id, s.location_id)
  )
  select
    jsonb_agg(distinct n.asked_id) filter (where n.asked_id is not null and not n.is_product) as no_inventory,
    jsonb_agg(distinct n.location_id) filter (where not n.is_location) as no_locations,
    jsonb_agg(distinct n.product_id) filter (where n.asked_id is null and not n.is_product) as no_products,
    (
      select coalesce(
        jsonb_agg(
          jsonb_build_object('pointer', format('/lines/%s/%s', b.line, b.member), 'message', b.message) order by b.line, b.member
        ),
        '[]'
      )
      from (
        select m.line, case when m.asked_id is null then 'product_id' else 'inventory_id' end as member,
          'is a digital product: its stock is its codes' as message
        from named m
        where m.is_digital and p_action <> 'get'
        union all
        select m.line, q.name, case m.location_id
          when interlock.online_location() then 'must be a whole number: the web shop sells whole units'
          else format('must have at most %s decimals, as the product has', m.decimals)
        end
        from named m
        cross join unnest(array['delta', 'quantity', 'counted']) as q (name)
        where (m.members ->> q.name)::numeric <> round((m.members ->> q.name)::numeric, m.decimals)
        union all
        select m.line, case when m.asked_id is null then 'product_id' else 'inventory_id' end,
          format('names the same stock as line %s', m.first_line)
        from named m
        where p_action = 'set' and m.line > m.first_line
        union all
        select m.line, 'began_at', format('must be that of line %s, which counts the same stock', m.first_line)
        from named m
        where p_action = 'count' and m.began_apart
      ) b
    ) as problems
  into v_found
  from named n;

  if v_found.no_inventory is not null then
    perform interlock.raise_error('INVENTORY_NOT_FOUND', jsonb_build_object('inventory_ids', v_found.no_inventory));
  end if;
  if v_found.no_locations is not null then
    perform interlock.raise_error('LOCATION_NOT_FOUND', jsonb_build_object('location_ids', v_found.no_locations));
  end if;
  if v_found.no_products is not null then
    perform interlock.raise_error('PRODUCT_NOT_FOUND', jsonb_build_object('product_ids', v_found.no_products));
  end if;
  perform interlock.refuse_problems(v_found.problems);
end
$$;

-- Refuse what cannot become of stock: every shortage at once, then what would be more than a row can hold. p_stock is what
-- interlock.plan_inventory answers.
--
-- Callers: interlock.plan_inventory.
-- Errors: INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED.
create function interlock.refuse_plan(p_action text, p_stock jsonb)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_refused record;
begin
  select
    jsonb_agg(
      jsonb_build_object(
        -- A row that was made for this goes with the refusal.
        'inventory_id', case when not p.made then p.inventory_id end,
        'product_id', p.product_id,
        'location_id', p.location_id,
        'requested', trim_scale(case p_action when 'count' then -p.moved else -p.wanted end),
        'available', trim_scale(case p_action when 'count' then p.wanted else p.quantity + p.owed end)
      )
      order by p.first_line
    ) filter (where p.target + p.owed < 0) as shortages,
    jsonb_agg(distinct p.product_id)
      filter (where p.location_id = interlock.online_location() and p.target + p.owed > interlock.most_units()) as full_online,
    jsonb_agg(distinct p.product_id)
      filter (where p.location_id <> interlock.online_location() and p.target >= 100000000000) as full_elsewhere
  into v_refused
  from jsonb_to_recordset(p_stock) as p (
    inventory_id uuid, product_id uuid, location_id uuid, made boolean, first_line int, quantity numeric, owed numeric, wanted numeric,
    moved numeric, target numeric
  );

  if v_refused.shortages is not null then
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', v_refused.shortages));
  end if;
  if num_nonnulls(v_refused.full_online, v_refused.full_elsewhere) > 0 then
    perform interlock.raise_error('STOCK_LIMIT_EXCEEDED', jsonb_build_object(
      'product_ids', coalesce(v_refused.full_online, v_refused.full_elsewhere),
      'limit', case when v_refused.full_online is null then 99999999999.999 else interlock.most_units() end
    ));
  end if;
end
$$;

-- Refuse, all at once, what is taken of stock that is not there. Lines that take of the same stock are added up.
--
-- Callers: interlock.transfer_inventory, interlock.correct_transfer, interlock.correct_shortfall, interlock.correct_till_sale,
--   interlock.take_packed_stock; with the stock that interlock.lock_inventory has answered.
-- Errors: INSUFFICIENT_INVENTORY.
create function interlock.refuse_shortages(p_lines jsonb, p_stock jsonb)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_shortages jsonb;
begin
  select jsonb_agg(
    jsonb_build_object(
      'inventory_id', w.inventory_id,
      'product_id', s.product_id,
      'location_id', s.location_id,
      'requested', trim_scale(-w.change),
      'available', trim_scale(s.quantity + s.owed)
    )
    order by s.first_line
  )
  into v_shortages
  from (
    select l.inventory_id, l.product_id, l.location_id, sum(l.change) as change
    from jsonb_to_recordset(p_lines) as l (inventory_id uuid, product_id uuid, location_id uuid, change numeric)
    group by l.inventory_id, l.product_id, l.location_id
  ) w
  join jsonb_to_recordset(p_stock) as s (
    first_line int, product_id uuid, location_id uuid, quantity numeric, owed numeric
  ) on s.product_id = w.product_id and s.location_id = w.location_id
  where s.quantity + s.owed + w.change < 0;

  if v_shortages is not null then
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', v_shortages));
  end if;
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
  v_writes_ledger text;
begin
  if v_used > 0 then
    v_writes_ledger := current_setting('interlock.writes_ledger', true);
    perform set_config('interlock.writes_ledger', pg_trigger_depth()::text, true);

    update interlock.products p
    set available_quantity = p.available_quantity - v_used
    where p.id = p_product_id;

    perform set_config('interlock.writes_ledger', v_writes_ledger, true);
  end if;

  return (select p.available_quantity from interlock.products p where p.id = p_product_id);
end
$$;

-- Bring lines of a file of stock in, to be taken by interlock.import_stock: a list of lines, each a list of its number in the
-- file, product, location and quantity as texts. With the first piece (p_anew) what is left of the same file, and of others
-- from yesterday, goes.
--
-- Callers: `npm run import-stock`; postgres.
-- Locks: none beyond the rows it writes.
create function interlock.stage_stock(p_reference text, p_lines jsonb, p_anew boolean)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_anew then
    delete from interlock.stock_import_lines l
    where l.reference = p_reference
      or l.created_at < now() - interval '1 day';
  end if;

  insert into interlock.stock_import_lines (reference, line, product, location, quantity)
  select p_reference, (l ->> 0)::int, l ->> 1, l ->> 2, l ->> 3
  from jsonb_array_elements(p_lines) as l;
end
$$;

-- What a badge at a product shows of so many units of it: in_stock, low (no more than its low_stock_at), on_order (none, but it can
-- be ordered) or sold_out. One that is sold without asking for stock is always there.
--
-- Callers: interlock.get_stock, interlock.tell_stock.
-- Locks: none.
create function interlock.stock_state(p_product interlock.products, p_available int)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when p_product.stock_policy = 'untracked' or p_available > p_product.low_stock_at then 'in_stock'
    when p_available > 0 then 'low'
    when p_product.stock_policy = 'backorder' and p_product.backordered < p_product.backorder_limit then 'on_order'
    else 'sold_out'
  end;
end
$$;

-- The version of a product's stock in the web shop: its latest movement, also if that is closed and gone; 0 if there was
-- none. So a sale writes nothing more than it does anyway. It is exact for who holds the product and its slots, or of a
-- product without slots: sales from slots go side by side, so a later one may be there before an earlier one is.
--
-- Callers: functions that answer or compare versions.
create function interlock.stock_version(p_product_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return greatest(
    0,
    (
      select m.id
      from interlock.stock_movements m
      where m.product_id = p_product_id
        and m.location_id = interlock.online_location()
      order by m.id desc
      limit 1
    ),
    (
      select b.closed_through
      from interlock.stock_balances b
      where b.product_id = p_product_id
        and b.location_id = interlock.online_location()
    )
  );
end
$$;

-- What a file of stock that was brought in would change, and every problem of it by line.
--
-- Callers: interlock.import_stock.
-- Locks: none.
create function interlock.sum_up_import(p_reference text, p_replace boolean, p_dry_run boolean)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'success', count(r.problem) = 0,
    'dry_run', p_dry_run is true,
    'lines', count(*),
    'changed', count(*) filter (where r.quantity <> r.present and r.problem is null),
    'units', coalesce(sum(abs(r.quantity - r.present)) filter (where r.problem is null), 0),
    'problems', coalesce(jsonb_agg(jsonb_build_object('line', r.line, 'message', r.problem) order by r.line) filter (
      where r.problem is not null
    ), '[]')
  )
  from interlock.read_import(p_reference, p_replace) r
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

-- Take stock of a physical product from its row, if there is enough of it and its terms still hold: a plain statement, a tenth of a
-- checkout faster than a set. Returns whether it did; why it did not, whatever the reason, is looked at by interlock.take_stock.
--
-- Callers: interlock.take_stock. interlock.checkout_line does the same by itself.
-- Locks: the product.
-- Errors: 55P03 after lock_timeout.
create function interlock.take_from_row(
  p_product_id uuid, p_quantity int, p_reason text, p_reference_id uuid, p_unit_price bigint, p_currency text
)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_taken boolean;
begin
  perform interlock.set_ledger_context(p_reason, p_reference_id);
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.products p
  set available_quantity = p.available_quantity - p_quantity
  where p.id = p_product_id
    and p.kind = 'physical'
    and p.stock_slots = 0
    and p.available_quantity >= p_quantity
    and (p_currency is null or p.active and p.price = p_unit_price and p.currency = p_currency);
  v_taken := found;
  perform interlock.set_ledger_context(null, null);
  return v_taken;
end
$$;

-- Lock stock rows and take the stock of those without slots, in two statements whatever their number. Says which
-- ones have slots (those are only locked), every shortage among the others, and whether a product has another
-- price or currency by now than the caller's, or is inactive. For a digital product the row is only locked and
-- checked: its stock is its free codes, and interlock.take_product_codes takes them next. What is short of a product that
-- may owe units is owed, if that is not too much. The ledger is written in the statement that takes: a row that the trigger
-- writes costs as much as four of a set.
--
-- Callers: interlock.take_stock, interlock.take_from_slots.
-- Locks: the stock rows in the order of their ids, waiting, `no key`. Quantity and slots are read from the
--   newest version of each row, after the wait: in `locked`, and by the statement after it. That one takes, for who takes
--   in the statement that has waited comes upon versions from before the wait, on which others may be waiting for them.
-- Errors: PRODUCT_NOT_FOUND with every id; 55P03 after lock_timeout.
create function interlock.take_from_rows(
  p_product_ids uuid[],
  p_quantities int[],
  p_reason text,
  p_reference_id uuid,
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
  v_writes_ledger text;
  -- An assignment costs a fourth of a PERFORM. @plpgsql_check_options: extra_warnings = false
  v_set text;
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

  v_writes_ledger := current_setting('interlock.writes_ledger', true);
  v_set := set_config('interlock.writes_ledger', pg_trigger_depth()::text, true);
  with taken as (
    update interlock.products p
    set available_quantity = p.available_quantity - w.quantity
    from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
    where p.id = w.product_id
      and p.kind = 'physical'
      and p.stock_slots = 0
      and p.available_quantity >= w.quantity
    returning p.id, w.quantity, p.available_quantity - p.backordered as balance
  )
  insert into interlock.stock_movements (product_id, delta, balance_after, reason, reference_id, reference, actor)
  select
    t.id, -t.quantity, t.balance, p_reason, p_reference_id, nullif(current_setting('interlock.reference', true), ''),
    (select auth.uid())
  from taken t;
  v_set := set_config('interlock.writes_ledger', v_writes_ledger, true);

  if o_shortages is not null then
    perform interlock.set_ledger_context(p_reason, p_reference_id);
    v_owed := interlock.take_backorders(o_shortages);
    perform interlock.set_ledger_context(null, null);
    o_shortages := v_owed.o_shortages;
    o_owed := v_owed.o_owed;
  end if;
end
$$;

-- Take stock of one product from one of its slots that is free, if its terms still hold. Returns whether it did; if it did not,
-- interlock.take_from_slots waits for one.
--
-- Callers: interlock.checkout_line.
-- Locks: a slot, without waiting.
-- Errors: 55P03 if the product changed since it was priced.
create function interlock.take_from_slot(
  p_product_id uuid, p_quantity int, p_reason text, p_reference_id uuid, p_unit_price bigint, p_currency text
)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  begin
    perform interlock.use_slot(p_product_id, p_quantity, false);
  exception
    when sqlstate 'IL002' then
      return false;
  end;
  insert into interlock.stock_movements (product_id, delta, reason, reference_id, actor)
  values (p_product_id, -p_quantity, p_reason, p_reference_id, auth.uid());
  if not exists (
    select
    from interlock.products p
    where p.id = p_product_id
      and p.active
      and p.price = p_unit_price
      and p.currency = p_currency
  ) then
    perform interlock.raise_product_changed();
  end if;
  return true;
end
$$;

-- Take stock without a gate: products of p_slotted from one slot each, the others from their rows. First from
-- slots that are free, then from slots that are worth waiting for. Returns whether it did.
--
-- Callers: interlock.checkout and interlock.checkout_line, with at least one product in p_slotted: those with slots of which it has seen a
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

        v_rows := interlock.take_from_rows(
          v_others.product_ids, v_others.quantities, p_reason, p_reference_id, v_others.unit_prices, p_currency
        );

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
-- Callers: whatever sells from the web shop's stock. Each product occurs once, with a quantity above 0.
-- Locks: the row of a single product, or as interlock.take_from_rows; then slots product by product in the order of their ids.
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
  -- One product of which there is enough. Whatever is not found so is looked at below.
  if cardinality(p_product_ids) = 1 and interlock.take_from_row(
    p_product_ids[1], p_quantities[1], p_reason, p_reference_id, p_unit_prices[1], p_currency
  ) then
    return false;
  end if;

  v_rows := interlock.take_from_rows(
    p_product_ids, p_quantities, p_reason, p_reference_id, p_unit_prices, p_currency
  );

  if v_rows.o_with_slots is not null then
    perform interlock.set_ledger_context(p_reason, p_reference_id);
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
    perform interlock.set_ledger_context(null, null);
  end if;

  if v_rows.o_shortages is not null then
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', (
      select jsonb_agg(
        case
          -- A till is told which stock it is.
          when p_reason like 'pos\_%' then s.shortage || jsonb_build_object(
            'inventory_id', s.shortage -> 'product_id', 'location_id', interlock.online_location()
          )
          else s.shortage
        end
        order by s.shortage ->> 'product_id'
      )
      from jsonb_array_elements(v_rows.o_shortages) as s (shortage)
    )));
  end if;

  if v_rows.o_changed then
    perform interlock.raise_product_changed();
  end if;

  return v_rows.o_owed is true;
end
$$;

-- Tell that a product is in another state than it was: a broadcast to whoever looks at it, and the event stock.low when it
-- has come to be low, or less than that. Only then: not with each sale below, and again only after it was above.
--
-- Callers: interlock.record_stock_movement, where the state may be another one.
-- Locks: none; the product is locked, so what is told of one product is in the order of what happened.
create function interlock.tell_stock(p_old interlock.products, p_new interlock.products)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_before constant text := interlock.stock_state(p_old, p_old.available_quantity);
  v_state constant text := interlock.stock_state(p_new, p_new.available_quantity);
begin
  if v_state <> v_before then
    perform interlock.broadcast('stock:' || p_new.id, 'stock.changed', jsonb_build_object(
      'product_id', p_new.id,
      'available_quantity', p_new.available_quantity,
      'stock_policy', p_new.stock_policy,
      'state', v_state
    ));
  end if;
  -- Of what cannot be bought nobody has to buy more.
  if p_new.active and v_state <> 'in_stock' and not (p_old.active and v_before <> 'in_stock') then
    perform interlock.note_event('stock.low', p_new.id::text, jsonb_build_object(
      'product_id', p_new.id,
      'location_id', null,
      'available_quantity', p_new.available_quantity,
      'low_stock_at', p_new.low_stock_at,
      'state', v_state
    ));
  end if;
end
$$;

-- Lines of a transfer at one location, as interlock.lock_inventory wants them, with `change`.
--
-- Callers: interlock.receive_transfer, interlock.cancel_transfer, interlock.correct_transfer, interlock.correct_shortfall,
--   interlock.correct_till_sale, interlock.take_packed_stock.
-- Locks: none.
create function interlock.transfer_ends(p_lines jsonb, p_location_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_agg(jsonb_build_object(
      'line', l.n - 1,
      'inventory_id', case p_location_id when interlock.online_location() then l.line -> 'product_id' else to_jsonb(i.id) end,
      'product_id', l.line -> 'product_id',
      'location_id', p_location_id,
      'change', l.line -> 'quantity'
    ))
    from jsonb_array_elements(p_lines) with ordinality as l (line, n)
    left join interlock.inventory i on i.product_id = (l.line ->> 'product_id')::uuid and i.location_id = p_location_id
  );
end
$$;

-- Move stock between locations, or send it: then it is in transit until it is received. Each way has a transfer of its own, whose
-- id the ledger has. All that is asked of a stock has to be there before anything comes in.
--
-- Callers: interlock.change_transfer.
-- Locks: as interlock.lock_inventory.
-- Errors: LOCATION_NOT_FOUND, PRODUCT_NOT_FOUND, VALIDATION_FAILED, INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED; 55P03 after
--   lock_timeout.
create function interlock.transfer_inventory(
  p_lines jsonb,
  p_in_transit boolean,
  p_reason text,
  out o_transfer_id uuid,
  out o_lines json
)
language plpgsql
set search_path = ''
as $$
declare
  v_from constant jsonb := interlock.name_transfer_ends(p_lines, 'from_location_id', -1);
  v_to constant jsonb := interlock.name_transfer_ends(p_lines, 'to_location_id', 1);
  v_stock constant jsonb := interlock.lock_inventory(case when p_in_transit then v_from else v_from || v_to end);
  v_way record;
begin
  -- In parts nothing could be missed that is asked for twice.
  perform interlock.refuse_shortages(v_from, v_stock);

  for v_way in
    select l.from_location_id, l.to_location_id, jsonb_agg(l.n - 1) as lines
    from (
      select (i.line ->> 'from_location_id')::uuid as from_location_id, (i.line ->> 'to_location_id')::uuid as to_location_id, i.n
      from jsonb_array_elements(p_lines) with ordinality as i (line, n)
    ) l
    group by l.from_location_id, l.to_location_id
    order by min(l.n)
  loop
    insert into interlock.stock_transfers (from_location_id, to_location_id, reason, reference, actor, ended_at)
    values (
      v_way.from_location_id, v_way.to_location_id, p_reason, nullif(current_setting('interlock.reference', true), ''),
      auth.uid(), case when p_in_transit is not true then interlock.clock() end
    )
    returning id into o_transfer_id;

    insert into interlock.stock_transfer_lines (transfer_id, product_id, sent, received)
    select
      o_transfer_id, l.product_id, trim_scale(sum(l.change)),
      case when p_in_transit then 0 else trim_scale(sum(l.change)) end
    from jsonb_to_recordset(v_to) as l (of_line int, product_id uuid, change numeric)
    where v_way.lines @> to_jsonb(l.of_line)
    group by l.product_id;

    perform interlock.move_quantities(jsonb_agg(e), coalesce(p_reason, 'transfer_out'), o_transfer_id)
    from jsonb_array_elements(v_from) as e
    where v_way.lines @> (e -> 'of_line');
    if p_in_transit is not true then
      perform interlock.move_quantities(jsonb_agg(e), coalesce(p_reason, 'transfer_in'), o_transfer_id)
      from jsonb_array_elements(v_to) as e
      where v_way.lines @> (e -> 'of_line');
    end if;
  end loop;

  o_lines := interlock.moved_inventory(v_stock);
end
$$;

-- Bring stock to its `target`. Of the web shop what is owed is filled first, and slots are shared out anew.
--
-- Callers: interlock.change_inventory, with what interlock.plan_inventory has answered; interlock.move_quantities.
-- Locks: held already.
create function interlock.write_inventory(p_stock jsonb, p_reason text, p_reference_id uuid default null)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.set_ledger_context(p_reason, p_reference_id);
  update interlock.inventory i
  set quantity = s.target
  from jsonb_to_recordset(p_stock) as s (inventory_id uuid, target numeric)
  where i.id = s.inventory_id
    and i.quantity <> s.target;
  perform interlock.set_ledger_context(null, null);

  if p_stock @> jsonb_build_array(jsonb_build_object('location_id', interlock.online_location())) then
    perform interlock.move_stock(
      s.product_id, (s.quantity + s.owed)::int, (s.target + s.owed)::int, p_reason, p_reference_id
    )
    from jsonb_to_recordset(p_stock) as s (product_id uuid, location_id uuid, quantity numeric, owed numeric, target numeric)
    where s.location_id = interlock.online_location();
  end if;
end
$$;

-- How often stock was no longer what had been read, by product, operation and hour.
create view interlock.inventory_conflict_rates
with (security_invoker = true)
as
  select
    c.product_id,
    c.operation,
    date_trunc('hour', c.created_at) as hour,
    count(*) as conflicts,
    count(*) filter (where c.rebased) as rebased
  from interlock.inventory_conflicts c
  group by c.product_id, c.operation, date_trunc('hour', c.created_at);

comment on view interlock.inventory_conflict_rates is
  'How often each product''s stock was no longer what had been read, by hour; and how many of these were tried again (rebased).';

grant select on table interlock.inventory_conflict_rates to service_role;

-- Every stock there is under its inventory id, as those who know one table of stock with a version read it. Exact: what
-- slots have sold is taken off.
--
-- The version of the web shop's stock is its latest movement, which is what a sale writes anyway. While a product has slots
-- it is null here: their sales go side by side, so the latest may be there before an earlier one is.
-- public.manage_inventory answers it, because it waits for them.
create view interlock.inventory_items
with (security_invoker = true)
as
  select
    i.id,
    i.product_id,
    i.location_id,
    trim_scale(i.quantity) as quantity_available,
    i.version::bigint as version
  from interlock.inventory i
  union all
  select
    p.id,
    p.id,
    interlock.online_location(),
    (p.available_quantity - p.backordered - coalesce(s.used, 0))::numeric,
    case p.stock_slots when 0 then greatest(coalesce(m.id, 0), coalesce(b.closed_through, 0)) end
  from interlock.products p
  left join lateral (
    select sum(c.used) as used from interlock.counter_slots c where c.owner_id = p.id
  ) s on p.stock_slots > 0
  left join lateral (
    select l.id
    from interlock.stock_movements l
    where l.product_id = p.id
      and l.location_id = interlock.online_location()
    order by l.id desc
    limit 1
  ) m on true
  left join interlock.stock_balances b on b.product_id = p.id and b.location_id = interlock.online_location();

comment on view interlock.inventory_items is
  'Every stock by its inventory id: a row of inventory, or a product for its stock in the web shop. Read only.';

grant select on table interlock.inventory_items to service_role;

-- What is where, with the names that people read.
create view interlock.inventory_levels
with (security_invoker = true)
as
  select
    n.id as inventory_id,
    n.product_id,
    p.name as product,
    n.location_id,
    l.name as location,
    n.quantity_available as quantity,
    n.version,
    p.unit
  from interlock.inventory_items n
  join interlock.products p on p.id = n.product_id
  join interlock.locations l on l.id = n.location_id;

comment on view interlock.inventory_levels is
  'What is where: each product at each location where it has been, and in the web shop.';

grant select on table interlock.inventory_levels to service_role;

-- What slots have sold since they were settled is in the ledger already, and not yet in the column; what is owed is taken
-- off what is there.
--
-- A ledger is its closed part (stock_balances) and the movements after that. Which ledgers there are is found by
-- going from each to the next in the index, so that no closed movement is read; of some nothing is left but the balance.
create view interlock.stock_differences
with (security_invoker = true)
as
  with recursive owners (product_id, location_id) as (
    (
      select m.product_id, m.location_id
      from interlock.stock_movements m
      order by m.product_id, m.location_id
      limit 1
    )
    union all
    select n.product_id, n.location_id
    from owners o
    cross join lateral (
      select m.product_id, m.location_id
      from interlock.stock_movements m
      where (m.product_id, m.location_id) > (o.product_id, o.location_id)
      order by m.product_id, m.location_id
      limit 1
    ) n
  ),
  ledgers as (
    select
      o.product_id,
      o.location_id,
      coalesce(b.quantity, 0) + coalesce((
        select sum(m.delta)
        from interlock.stock_movements m
        where m.product_id = o.product_id
          and m.location_id = o.location_id
          and m.id > case when b.closed_through is null then 0 else b.closed_through end
      ), 0) as ledger_quantity
    from (
      select w.product_id, w.location_id from owners w
      union
      select c.product_id, c.location_id from interlock.stock_balances c
    ) o
    left join interlock.stock_balances b on b.product_id = o.product_id and b.location_id = o.location_id
  )
  select
    coalesce(s.product_id, l.product_id) as product_id,
    coalesce(s.location_id, l.location_id) as location_id,
    coalesce(s.quantity, 0) as quantity,
    trim_scale(coalesce(l.ledger_quantity, 0)) as ledger_quantity
  from (
    select
      q.id as product_id,
      interlock.online_location() as location_id,
      (q.available_quantity - q.backordered - coalesce(s.used, 0))::numeric as quantity
    from interlock.products q
    left join (
      select c.owner_id, sum(c.used) as used from interlock.counter_slots c group by c.owner_id
    ) s on s.owner_id = q.id
    union all
    select i.product_id, i.location_id, trim_scale(i.quantity) from interlock.inventory i
  ) s
  full join ledgers l on l.product_id = s.product_id and l.location_id = s.location_id
  where coalesce(s.quantity, 0) <> coalesce(l.ledger_quantity, 0);

comment on view interlock.stock_differences is
  'Products whose ledger at a location does not add up to their stock there. Always empty; anything else is a bug.';

grant select on table interlock.stock_differences to service_role;

create function public.adjust_stock(
  p_product_id uuid,
  p_delta int,
  p_reason text default null,
  p_reference text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.adjust_stock(p_product_id, p_delta, p_reason, p_reference);
end
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
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.count_stock(p_product_id, p_counted, p_expected, p_reason, p_reference);
end
$$;

comment on function public.count_stock(uuid, int, int, text, text) is
  'Sets the stock to what was counted, unless it is no longer p_expected; once for each p_reference. For staff and the service role.';

create function public.decrement_inventory(
  p_inventory_id uuid,
  p_quantity numeric,
  p_reference text default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.decrement_inventory(p_inventory_id, p_quantity, p_reference);
end
$$;

comment on function public.decrement_inventory(uuid, numeric, text) is
  'Takes p_quantity of a stock, atomically; never below zero; once for each p_reference. For staff and the service role.';

create function public.get_stock(p_product_ids uuid[])
returns table (
  product_id uuid, available_quantity int, stock_slots int, stock_policy text, backordered int, orderable_quantity int,
  state text
)
language sql
stable
security invoker
set search_path = ''
as $$
  select * from interlock.get_stock(p_product_ids)
$$;

comment on function public.get_stock(uuid[]) is
  'The exact stock of up to 1000 products, also of those that are sold from slots, and how many can be ordered (null: any number), and what a badge shows: in_stock, low, on_order or sold_out.';

create function public.manage_inventory(
  p_action text,
  p_lines jsonb default null,
  p_reason text default null,
  p_reference text default null,
  p_transfer_id uuid default null,
  p_in_transit boolean default null,
  p_began_at timestamptz default null,
  p_rebase boolean default null,
  p_idempotency_key text default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.manage_inventory(
    p_action, p_lines, p_reason, p_reference, p_transfer_id, p_in_transit, p_began_at, p_rebase, p_idempotency_key
  );
end
$$;

comment on function public.manage_inventory(text, jsonb, text, text, uuid, boolean, timestamptz, boolean, text) is
  'Reads the stock of products at locations with its versions, or changes it: up to 100 lines, all or nothing. For staff and the service role.';

create function public.set_stock_slots(p_product_id uuid, p_slots int)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.set_stock_slots(p_product_id, p_slots);
end
$$;

comment on function public.set_stock_slots(uuid, int) is
  'Spreads the stock of a hot product over p_slots slots (0 switches off), while it is being sold. For the service role.';
