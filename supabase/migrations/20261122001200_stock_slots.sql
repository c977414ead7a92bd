-- Stock in slots: a hot product sells as fast as many cold ones (20261122001100_counter_slots.sql).
--
-- public.set_stock_slots(product, n) switches it on, off (0) and to another n while checkouts run; with the
-- same n it settles and shares out anew.
--
-- With slots `products.available_quantity` is the stock as last settled: what was sold from slots since then
-- is not taken off yet, so it is never less than what can be sold. The exact number is
-- `available_quantity - sum(used)`, read in one statement: public.get_stock. The column is settled whenever
-- the slots run dry, when they are switched, and by private.settle_stock_slots every minute. Once they have
-- run dry with less than 16 units for each left, nothing is in them and it is exact.
--
-- The shop's own SQL goes on as before: `available_quantity + 100` books in 100 units. Less than what is in
-- the slots calls them in first; less than what they have sold is refused as ever. An absolute number means
-- the number before what is still to be settled, so settle first or say it relatively.
--
-- A sale from a slot takes no lock on the product. With its units in hand it compares price, currency and
-- `active` with what it was priced with; a change that is committed after that goes, for this sale, after it.
--
-- The ledger has each sale when it is made. Its balance_after is null while the product has slots.
--
-- Tests: supabase/tests/21-stock-slots.sql, tests/slot_races.rs

set local lock_timeout = '5s';

alter table public.products
  add column stock_slots int not null default 0;

comment on column public.products.stock_slots is
  'Slots that the stock is spread over for fast sales; 0 means none. Changed by set_stock_slots only.';
comment on column public.products.available_quantity is
  'Units that can be sold now. For a digital product the number of its free codes, kept by a trigger. With slots the stock as last settled: get_stock has the exact number.';

create trigger products_slots_counted
  before update of stock_slots on public.products
  for each row
  when (old.stock_slots is distinct from new.stock_slots)
  execute function private.guard_slots('stock_slots');

create trigger products_slots_counted_at_first
  before insert on public.products
  for each row
  when (new.stock_slots <> 0)
  execute function private.guard_slots('stock_slots');

create trigger products_slots_kept
  before delete on public.products
  for each row
  when (old.stock_slots <> 0)
  execute function private.guard_slots('stock_slots');

alter table public.stock_movements
  alter column balance_after drop not null;

comment on column public.stock_movements.balance_after is
  'Stock of the product right after the change; null while the product has slots, whose sales go side by side.';

-- Purpose: keep what is granted to slots covered by the stock, whoever lowers it.
-- Callers: trigger products_slots_covered, for products with slots whose stock goes down.
-- Locks: the product is locked by the statement; its slots in order, waiting, if the new stock does not
--   cover what is granted.
-- Errors: 23514 check_violation products_available_quantity_nonnegative if more was sold already; 55P03.
-- Security definer: nobody has the right to write slots.
-- Tests: supabase/tests/21-stock-slots.sql
create function private.cover_stock_slots()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_used int;
begin
  if new.available_quantity >= (
    select sum(s.granted) from private.counter_slots s where s.owner_id = new.id
  ) then
    return new;
  end if;

  select sum(l.used)
  into v_used
  from (
    select s.used
    from private.counter_slots s
    where s.owner_id = new.id
    order by s.slot
    for no key update
  ) l;

  if new.available_quantity < v_used then
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

  update private.counter_slots s
  set granted = s.used
  where s.owner_id = new.id
    and s.granted > s.used;

  return new;
end
$$;

comment on function private.cover_stock_slots() is
  'Trigger: a product''s stock covers what its slots may still sell.';

revoke all on function private.cover_stock_slots() from public, anon, authenticated, service_role;

create trigger products_slots_covered
  before update on public.products
  for each row
  when (new.stock_slots > 0 and new.available_quantity < old.available_quantity)
  execute function private.cover_stock_slots();

-- Purpose: write the stock ledger. What is settled was written when it was sold.
-- Callers: the three triggers on products, once for each statement.
-- Locks: none beyond the rows it inserts; the products are locked by the statement.
-- Errors: none.
-- Security definer: nobody has insert on stock_movements.
-- Tests: supabase/tests/11-stock.sql, 21-stock-slots.sql
create or replace function private.record_stock_movements()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_reason constant text := nullif(current_setting('interlock.reason', true), '');
  v_reference_id constant uuid := nullif(current_setting('interlock.reference_id', true), '')::uuid;
begin
  if tg_op = 'UPDATE' then
    if current_setting('interlock.settling_slots', true) = 'on' then
      return null;
    end if;

    -- Grouped, not joined: this plan is made for the first statement of a session, mostly
    -- of a few rows, and must also do for one that changes the whole catalogue.
    insert into public.stock_movements (product_id, delta, balance_after, reason, reference_id, actor)
    select
      c.id,
      sum(c.new_quantity) - sum(c.old_quantity),
      case when max(c.stock_slots) = 0 then sum(c.new_quantity) end,
      coalesce(v_reason, 'correction'),
      v_reference_id,
      auth.uid()
    from (
      select n.id, n.available_quantity as new_quantity, 0 as old_quantity, n.stock_slots from new_rows n
      union all
      select o.id, 0, o.available_quantity, 0 from old_rows o
    ) c
    group by c.id
    having sum(c.new_quantity) <> sum(c.old_quantity);
  elsif tg_op = 'INSERT' then
    insert into public.stock_movements (product_id, delta, balance_after, reason, reference_id, actor)
    select
      n.id, n.available_quantity, n.available_quantity, coalesce(v_reason, 'opening'), v_reference_id, auth.uid()
    from new_rows n
    where n.available_quantity <> 0;
  else
    insert into public.stock_movements (product_id, delta, balance_after, reason, reference_id, actor)
    select o.id, -o.available_quantity, 0, coalesce(v_reason, 'deleted'), v_reference_id, auth.uid()
    from old_rows o
    where o.available_quantity <> 0;
  end if;

  return null;
end
$$;

-- Purpose: call in the slots of a product, so that its stock is in its row again. Returns it, exactly.
-- Callers: the functions below, which have locked the product.
-- Locks: its slots in order, waiting.
-- Errors: 55P03 after lock_timeout.
-- Tests: supabase/tests/21-stock-slots.sql
create function private.settle_stock(p_product_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_used constant int := private.call_in_slots(p_product_id);
begin
  if v_used > 0 then
    perform set_config('interlock.settling_slots', 'on', true);

    update public.products p
    set available_quantity = p.available_quantity - v_used
    where p.id = p_product_id;

    perform set_config('interlock.settling_slots', '', true);
  end if;

  return (select p.available_quantity from public.products p where p.id = p_product_id);
end
$$;

comment on function private.settle_stock(uuid) is
  'Calls in the slots of a product and returns its exact stock.';

revoke all on function private.settle_stock(uuid) from public, anon, authenticated, service_role;

-- Purpose: lock stock rows and take the stock of those without slots, in one statement whatever their
--   number. Says which ones have slots (those are only locked), every shortage among the others, and
--   whether a product has another price or currency by now than the caller's, or is inactive.
--   For a digital product the row is only locked and checked: its stock is its free codes, and
--   private.take_product_codes takes them next.
-- Callers: private.take_stock, private.take_from_slots.
-- Locks: the stock rows in the order of their ids, waiting, `no key`. Quantity and slots are
--   read from the newest version of each row, after the wait: in `locked`, and only there.
-- Errors: PRODUCT_NOT_FOUND with every id; 55P03 after lock_timeout.
-- Tests: supabase/tests/11-stock.sql
create function private.take_from_rows(
  p_product_ids uuid[],
  p_quantities int[],
  p_unit_prices bigint[],
  p_currency text,
  out o_with_slots uuid[],
  out o_shortages jsonb,
  out o_changed boolean
)
language plpgsql
set search_path = ''
as $$
declare
  v_found uuid[];
begin
  with wanted as (
    select w.product_id, w.quantity, w.unit_price
    from unnest(p_product_ids, p_quantities, p_unit_prices) as w (product_id, quantity, unit_price)
  ),
  locked as materialized (
    select
      p.id, p.kind, p.available_quantity, p.price, p.currency, p.active, p.stock_slots,
      w.quantity, w.unit_price
    from public.products p
    join wanted w on w.product_id = p.id
    order by p.id
    for no key update of p
  ),
  taken as (
    update public.products p
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
    perform private.raise_products_not_found(
      array(select unnest(p_product_ids) except select unnest(v_found))
    );
  end if;
end
$$;

comment on function private.take_from_rows(uuid[], int[], bigint[], text) is
  'Locks stock rows by id and takes the stock of those without slots; says which have slots, what is short and whether one has changed.';

revoke all on function private.take_from_rows(uuid[], int[], bigint[], text)
  from public, anon, authenticated, service_role;

-- Purpose: refuse, as transient, a sale of a product that changed since it was priced.
-- Callers: the functions here. Locks: none.
-- Errors: 55P03, always.
-- Tests: supabase/tests/11-stock.sql
create function private.raise_product_changed()
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

comment on function private.raise_product_changed() is
  'Raises 55P03: a product is not what it was when it was priced.';

revoke all on function private.raise_product_changed() from public, anon, authenticated, service_role;

-- Purpose: take stock of one product with slots, exactly: all that is in its slots is called in first.
--   Returns what there is if that is too little, null if it was taken.
-- Callers: private.take_stock, which has locked the product: it is the gate.
-- Locks: the product's slots in order, waiting.
-- Errors: 55P03 after lock_timeout.
-- Tests: supabase/tests/21-stock-slots.sql, tests/slot_races.rs
create function private.take_at_gate(p_product_id uuid, p_quantity int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_available constant int := private.settle_stock(p_product_id);
  v_slots int;
begin
  if v_available < p_quantity then
    return v_available;
  end if;

  update public.products p
  set available_quantity = p.available_quantity - p_quantity
  where p.id = p_product_id
  returning p.stock_slots into v_slots;

  perform private.grant_slots(p_product_id, v_slots, v_available - p_quantity);
  return null;
end
$$;

comment on function private.take_at_gate(uuid, int) is
  'Takes stock of one locked product with slots; returns what there is if that is too little.';

revoke all on function private.take_at_gate(uuid, int) from public, anon, authenticated, service_role;

-- Purpose: take stock without a gate: products of p_slotted from one slot each, the others from their rows.
--   First from slots that are free, then from slots that are worth waiting for. Returns whether it did.
-- Callers: private.take_stock, with a unit price for each product, a currency and at least one product in
--   p_slotted.
-- Locks: the stock rows of the others as private.take_from_rows, then one slot of each product, products in
--   the order of their ids. If it did not do, all of them are given back.
-- Errors: PRODUCT_NOT_FOUND; 55P03 if a product changed since it was priced, and after lock_timeout.
-- Tests: supabase/tests/21-stock-slots.sql, tests/slot_races.rs
create function private.take_from_slots(
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
  v_wanted record;
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

        perform private.set_ledger_context(p_reason, p_reference_id);
        v_rows := private.take_from_rows(
          v_others.product_ids, v_others.quantities, v_others.unit_prices, p_currency
        );
        perform private.set_ledger_context(null, null);

        -- The gate knows every shortage, and in which order to take slots.
        if v_rows.o_shortages is not null or v_rows.o_with_slots is not null then
          raise exception using errcode = 'IL002', message = 'not without the gate';
        end if;
        v_changed := v_rows.o_changed;
      end if;

      for v_wanted in
        select w.product_id, w.quantity
        from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
        where w.product_id = any (p_slotted)
        order by w.product_id
      loop
        perform private.use_slot(v_wanted.product_id, v_wanted.quantity, v_wait);
      end loop;

      insert into public.stock_movements (product_id, delta, reason, reference_id, actor)
      select w.product_id, -w.quantity, p_reason, p_reference_id, auth.uid()
      from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
      where w.product_id = any (p_slotted);

      if v_changed or exists (
        select
        from unnest(p_product_ids, p_unit_prices) as w (product_id, unit_price)
        left join public.products p on p.id = w.product_id
        where w.product_id = any (p_slotted)
          and (p.active and p.price = w.unit_price and p.currency = p_currency) is not true
      ) then
        perform private.raise_product_changed();
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

comment on function private.take_from_slots(uuid[], int[], text, uuid, bigint[], text, uuid[]) is
  'Takes stock from one slot of each product with slots and from the rows of the others; false if that did not do.';

revoke all on function private.take_from_slots(uuid[], int[], text, uuid, bigint[], text, uuid[])
  from public, anon, authenticated, service_role;

drop function private.take_stock(uuid[], int[], text, uuid, bigint[], text);

-- Purpose: take the stock of physical products, and lock and check that of digital ones. All or nothing.
--   p_slotted are the products with slots of which the caller has seen a slot with enough, or null if it
--   has not looked or one of them has none. They are taken from a slot, without a lock on the product: from
--   a free one, then from one that is worth waiting for, and if that does not do at the gate like all others.
-- Callers: private.decrement_product_quantity, private.checkout,
--   private.claim_product_codes_atomic. Each product occurs once, with a quantity above 0.
-- Locks: as private.take_from_rows, then slots product by product in the order of their ids. What the slots
--   could not do is undone with its locks before a gate is locked.
-- Errors: PRODUCT_NOT_FOUND with every id, INSUFFICIENT_INVENTORY with every shortage;
--   55P03 if the caller's terms do not hold any more, and after lock_timeout.
-- Tests: supabase/tests/11-stock.sql, 21-stock-slots.sql, tests/slot_races.rs
create function private.take_stock(
  p_product_ids uuid[],
  p_quantities int[],
  p_reason text,
  p_reference_id uuid,
  p_unit_prices bigint[] default null,
  p_currency text default null,
  p_slotted uuid[] default null
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_rows record;
  v_wanted record;
  v_available int;
begin
  if p_slotted is not null and private.take_from_slots(
    p_product_ids, p_quantities, p_reason, p_reference_id, p_unit_prices, p_currency, p_slotted
  ) then
    return;
  end if;

  perform private.set_ledger_context(p_reason, p_reference_id);

  v_rows := private.take_from_rows(p_product_ids, p_quantities, p_unit_prices, p_currency);

  if v_rows.o_with_slots is not null then
    for v_wanted in
      select w.product_id, w.quantity
      from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
      where w.product_id = any (v_rows.o_with_slots)
      order by w.product_id
    loop
      v_available := private.take_at_gate(v_wanted.product_id, v_wanted.quantity);
      if v_available is not null then
        v_rows.o_shortages := coalesce(v_rows.o_shortages, '[]') || jsonb_build_object(
          'product_id', v_wanted.product_id,
          'requested', v_wanted.quantity,
          'available', v_available
        );
      end if;
    end loop;
  end if;

  perform private.set_ledger_context(null, null);

  if v_rows.o_shortages is not null then
    perform private.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', (
      select jsonb_agg(s.shortage order by s.shortage ->> 'product_id')
      from jsonb_array_elements(v_rows.o_shortages) as s (shortage)
    )));
  end if;

  if v_rows.o_changed then
    perform private.raise_product_changed();
  end if;
end
$$;

comment on function private.take_stock(uuid[], int[], text, uuid, bigint[], text, uuid[]) is
  'Takes the stock of products, from slots or from their rows locked by id, or refuses with every shortage.';

revoke all on function private.take_stock(uuid[], int[], text, uuid, bigint[], text, uuid[])
  from public, anon, authenticated, service_role;

-- The ledger still adds up: what slots have sold since they were settled is in it, and not yet in the column.
create or replace view public.stock_differences
with (security_invoker = true)
as
  select
    coalesce(p.id, m.product_id) as product_id,
    p.available_quantity,
    coalesce(m.ledger_quantity, 0) as ledger_quantity
  from (
    select q.id, (q.available_quantity - coalesce(s.used, 0))::int as available_quantity
    from public.products q
    left join (
      select c.owner_id, sum(c.used) as used from private.counter_slots c group by c.owner_id
    ) s on s.owner_id = q.id
  ) p
  full join (
    select s.product_id, sum(s.delta) as ledger_quantity
    from public.stock_movements s
    group by s.product_id
  ) m on m.product_id = p.id
  where coalesce(p.available_quantity, 0) <> coalesce(m.ledger_quantity, 0);

-- Purpose: the whole of public.get_stock.
-- Callers: anon, authenticated and service_role, through public.get_stock.
-- Locks: none. Errors: VALIDATION_FAILED.
-- Security definer: slots are nobody's to read. Inactive products are for the service role only.
-- Tests: supabase/tests/21-stock-slots.sql
create function private.get_stock(p_product_ids uuid[])
returns table (product_id uuid, available_quantity int, stock_slots int)
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if p_product_ids is null or cardinality(p_product_ids) not between 1 and 1000 then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', jsonb_build_array(
      jsonb_build_object('pointer', '/p_product_ids', 'message', 'must have 1 to 1000 ids')
    )));
  end if;

  return query
    select p.id, (p.available_quantity - coalesce(s.used, 0))::int, p.stock_slots
    from public.products p
    left join lateral (
      select sum(c.used) as used from private.counter_slots c where c.owner_id = p.id and p.stock_slots > 0
    ) s on true
    where p.id = any (p_product_ids)
      and (p.active or current_setting('role') = 'service_role')
    order by p.id;
end
$$;

comment on function private.get_stock(uuid[]) is
  'The whole of public.get_stock, with its owner''s rights.';

revoke all on function private.get_stock(uuid[]) from public, anon, authenticated, service_role;
grant execute on function private.get_stock(uuid[]) to anon, authenticated, service_role;
-- Without this nobody who is not signed in could call it. All else in the schema is granted by name.
grant usage on schema private to anon;

-- Purpose: the RPC. The exact stock of products, also while it is sold from slots: one statement, one
--   moment. Ids that are unknown, or inactive for the caller, are left out.
-- Callers: anon, authenticated, service_role.
-- Locks and errors: as private.get_stock.
-- Tests: supabase/tests/21-stock-slots.sql
create function public.get_stock(p_product_ids uuid[])
returns table (product_id uuid, available_quantity int, stock_slots int)
language sql
stable
security invoker
set search_path = ''
as $$
  select * from private.get_stock(p_product_ids)
$$;

comment on function public.get_stock(uuid[]) is
  'The exact stock of up to 1000 products, also of those that are sold from slots.';

revoke all on function public.get_stock(uuid[]) from public, anon, authenticated, service_role;
grant execute on function public.get_stock(uuid[]) to anon, authenticated, service_role;

-- Purpose: the whole of public.set_stock_slots.
-- Callers: service_role, through public.set_stock_slots.
-- Locks: the product, its slots; two seconds at most for each.
-- Errors: VALIDATION_FAILED, PRODUCT_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write slots.
-- Tests: supabase/tests/21-stock-slots.sql, tests/slot_races.rs
create function private.set_stock_slots(p_product_id uuid, p_slots int)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_available int;
begin
  if p_product_id is null then
    v_problems := v_problems || jsonb_build_object('pointer', '/p_product_id', 'message', 'is required');
  end if;
  if p_slots is null or p_slots not between 0 and 256 then
    v_problems := v_problems
      || jsonb_build_object('pointer', '/p_slots', 'message', 'must be an integer from 0 to 256');
  end if;
  if p_slots > 0 and exists (
    select from public.products p where p.id = p_product_id and p.kind = 'digital'
  ) then
    v_problems := v_problems || jsonb_build_object(
      'pointer', '/p_product_id', 'message', 'is a digital product: its stock is its codes'
    );
  end if;
  if v_problems <> '[]' then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', v_problems));
  end if;

  perform 1 from public.products p where p.id = p_product_id for no key update;
  if not found then
    perform private.raise_products_not_found(array[p_product_id]);
  end if;

  v_available := private.settle_stock(p_product_id);
  perform private.make_slots(p_product_id, p_slots);

  update public.products p
  set stock_slots = p_slots
  where p.id = p_product_id
    and p.stock_slots <> p_slots;

  perform private.grant_slots(p_product_id, p_slots, v_available);

  return jsonb_build_object(
    'success', true,
    'product_id', p_product_id,
    'slots', p_slots,
    'available_quantity', v_available
  );
end
$$;

comment on function private.set_stock_slots(uuid, int) is
  'The whole of public.set_stock_slots, with its owner''s rights.';

revoke all on function private.set_stock_slots(uuid, int) from public, anon, authenticated, service_role;
grant execute on function private.set_stock_slots(uuid, int) to service_role;

-- Purpose: the RPC for the shop: spread the stock of a product over p_slots slots, so that many sales of it
--   commit side by side; 0 switches that off. The same number again settles and shares out anew. Sales go
--   on meanwhile. Choose at least as many slots as sales run at once: the connections of the API's pool.
-- Callers: service_role.
-- Locks and errors: as private.set_stock_slots.
-- Tests: supabase/tests/21-stock-slots.sql, tests/slot_races.rs
create function public.set_stock_slots(p_product_id uuid, p_slots int)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select private.set_stock_slots(p_product_id, p_slots)
$$;

comment on function public.set_stock_slots(uuid, int) is
  'Spreads the stock of a hot product over p_slots slots (0 switches off), while it is being sold. For the service role.';

revoke all on function public.set_stock_slots(uuid, int) from public, anon, authenticated, service_role;
grant execute on function public.set_stock_slots(uuid, int) to service_role;

-- Purpose: bring available_quantity of products with slots up to date. Returns how many products.
-- Callers: pg_cron, every minute where it is present; the shop (service_role).
-- Locks: products in the order of their ids, never waiting (whoever holds one settles it or is quick), their
--   slots, waiting.
-- Errors: 55P03 after lock_timeout.
-- Security definer: nobody has the right to write slots.
-- Tests: supabase/tests/21-stock-slots.sql
create function private.settle_stock_slots()
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_product record;
  v_settled int := 0;
begin
  for v_product in
    select p.id
    from public.products p
    where p.id in (select s.owner_id from private.counter_slots s where s.used > 0)
    order by p.id
  loop
    perform 1 from public.products p where p.id = v_product.id for no key update skip locked;
    if found then
      perform private.grant_slots(p.id, p.stock_slots, private.settle_stock(p.id))
      from public.products p
      where p.id = v_product.id;
      v_settled := v_settled + 1;
    end if;
  end loop;

  return v_settled;
end
$$;

comment on function private.settle_stock_slots() is
  'Brings available_quantity of products with slots up to date; returns how many. For pg_cron and the shop.';

revoke all on function private.settle_stock_slots() from public, anon, authenticated, service_role;
grant execute on function private.settle_stock_slots() to service_role;

-- pg_cron settles every minute where it exists when this is applied. If you enable it later:
--
--   select cron.schedule('interlock-settle-stock-slots', '* * * * *', 'select private.settle_stock_slots()');
do $$
begin
  if to_regprocedure('cron.schedule(text, text, text)') is not null then
    perform cron.schedule(
      'interlock-settle-stock-slots', '* * * * *', 'select private.settle_stock_slots()'
    );
  end if;
end
$$;
