-- Stock that cannot be oversold: the check, the two functions through which our code
-- takes and returns stock, and decrement_product_quantity for the shop's own code.
--
-- Lock order (docs/locks.md): stock rows come after everything else but the product codes
-- of these rows, and are locked in the order of their ids.
--
-- Tests: supabase/tests/11-stock.sql

set local lock_timeout = '5s';

-- Not valid first: adding it takes no look at the table, validating it blocks no writer.
alter table public.products
  add constraint products_available_quantity_nonnegative
  check (available_quantity >= 0) not valid;

alter table public.products
  validate constraint products_available_quantity_nonnegative;

-- Purpose: lock stock rows, check them and take the stock of the physical ones. For a
--   digital product the row is only locked and checked: its stock is its free codes, and
--   private.take_product_codes takes them next. All or nothing; one statement whatever the
--   number of products.
--   With p_unit_prices and p_currency it also makes sure that the caller's terms still
--   hold: another price, currency or an inactive product by now is transient (55P03).
-- Callers: private.decrement_product_quantity, private.checkout,
--   private.claim_product_codes_atomic. Each product occurs once, with a quantity above 0.
-- Locks: the stock rows in the order of their ids, waiting, `no key`. The quantity is
--   compared on the newest version of each row, after the wait.
-- Errors: PRODUCT_NOT_FOUND with every id, INSUFFICIENT_INVENTORY with every shortage;
--   55P03 as above and after lock_timeout.
-- Tests: supabase/tests/11-stock.sql
create function private.take_stock(
  p_product_ids uuid[],
  p_quantities int[],
  p_reason text,
  p_reference_id uuid,
  p_unit_prices bigint[] default null,
  p_currency text default null
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_found uuid[];
  v_shortages jsonb;
  v_changed boolean;
begin
  perform private.set_ledger_context(p_reason, p_reference_id);

  with wanted as (
    select w.product_id, w.quantity, w.unit_price
    from unnest(p_product_ids, p_quantities, p_unit_prices) as w (product_id, quantity, unit_price)
  ),
  locked as materialized (
    select p.id, p.kind, p.available_quantity, p.price, p.currency, p.active, w.quantity, w.unit_price
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
      and p.available_quantity >= l.quantity
  )
  select
    array_agg(l.id),
    jsonb_agg(
      jsonb_build_object(
        'product_id', l.id,
        'requested', l.quantity,
        'available', l.available_quantity
      )
      order by l.id
    ) filter (where l.available_quantity < l.quantity),
    bool_or(not l.active or l.price <> l.unit_price or l.currency <> p_currency)
      filter (where p_currency is not null)
  into v_found, v_shortages, v_changed
  from locked l;

  perform private.set_ledger_context(null, null);

  if cardinality(v_found) is distinct from cardinality(p_product_ids) then
    perform private.raise_products_not_found(
      array(select unnest(p_product_ids) except select unnest(v_found))
    );
  end if;

  if v_shortages is not null then
    perform private.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', v_shortages));
  end if;

  if v_changed then
    raise exception using
      errcode = 'lock_not_available',
      message = 'a product changed while it was being bought; nothing has happened',
      hint = 'Send the same request again.';
  end if;
end
$$;

comment on function private.take_stock(uuid[], int[], text, uuid, bigint[], text) is
  'Locks stock rows by id and takes the stock of all of them, or refuses with every shortage.';

revoke all on function private.take_stock(uuid[], int[], text, uuid, bigint[], text)
  from public, anon, authenticated, service_role;

-- Purpose: refuse products that do not exist or are not for sale.
-- Callers: the functions of this schema. Locks: none.
-- Errors: PRODUCT_NOT_FOUND.
-- Tests: supabase/tests/11-stock.sql, 12-checkout.sql
create function private.raise_products_not_found(p_product_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform private.raise_error(
    'PRODUCT_NOT_FOUND',
    jsonb_build_object('product_ids', (select jsonb_agg(u.id order by u.id) from unnest(p_product_ids) as u (id)))
  );
end
$$;

comment on function private.raise_products_not_found(uuid[]) is
  'Raises PRODUCT_NOT_FOUND with every id.';

revoke all on function private.raise_products_not_found(uuid[]) from public, anon, authenticated, service_role;

-- Purpose: lock stock rows by id: the only other way our code locks them.
-- Callers: private.return_stock and the release of orders. Locks: the stock rows in the
--   order of their ids, waiting, `no key`.
-- Errors: 55P03 after lock_timeout. Products that are gone are passed over.
-- Tests: supabase/tests/11-stock.sql
create function private.lock_stock(p_product_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform 1
  from public.products p
  where p.id = any (p_product_ids)
  order by p.id
  for no key update;
end
$$;

comment on function private.lock_stock(uuid[]) is
  'Locks stock rows in the order of their ids.';

revoke all on function private.lock_stock(uuid[]) from public, anon, authenticated, service_role;

-- Purpose: give stock of physical products back. Digital ones are passed over: their
--   stock comes back with their codes.
-- Callers: the release of orders.
-- Locks: the stock rows in the order of their ids, waiting, `no key`.
-- Errors: 55P03 after lock_timeout.
-- Tests: supabase/tests/14-order-life.sql
create function private.return_stock(
  p_product_ids uuid[],
  p_quantities int[],
  p_reason text,
  p_reference_id uuid
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform private.lock_stock(p_product_ids);
  perform private.set_ledger_context(p_reason, p_reference_id);

  update public.products p
  set available_quantity = p.available_quantity + w.quantity
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
  where p.id = w.product_id
    and p.kind = 'physical';

  perform private.set_ledger_context(null, null);
end
$$;

comment on function private.return_stock(uuid[], int[], text, uuid) is
  'Gives stock of physical products back.';

revoke all on function private.return_stock(uuid[], int[], text, uuid) from public, anon, authenticated, service_role;

-- Purpose: the whole of public.decrement_product_quantity.
-- Callers: service_role, through public.decrement_product_quantity.
-- Locks: one stock row, two seconds at most.
-- Errors: VALIDATION_FAILED, PRODUCT_NOT_FOUND, INSUFFICIENT_INVENTORY; 55P03 is transient.
-- Security definer: so that it may use the functions of this schema.
-- Tests: supabase/tests/11-stock.sql
create function private.decrement_product_quantity(p_product_id uuid, p_quantity int)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_product public.products;
begin
  if p_product_id is null then
    v_problems := v_problems || jsonb_build_object('pointer', '/p_product_id', 'message', 'is required');
  end if;
  if p_quantity is null or p_quantity < 1 then
    v_problems := v_problems
      || jsonb_build_object('pointer', '/p_quantity', 'message', 'must be an integer of at least 1');
  end if;
  if exists (select 1 from public.products p where p.id = p_product_id and p.kind = 'digital') then
    v_problems := v_problems || jsonb_build_object(
      'pointer', '/p_product_id',
      'message', 'is a digital product: claim its codes with claim_product_codes_atomic'
    );
  end if;
  if v_problems <> '[]' then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', v_problems));
  end if;

  perform private.take_stock(array[p_product_id], array[p_quantity], 'decrement', null);

  select p.* into v_product from public.products p where p.id = p_product_id;

  return jsonb_build_object(
    'success', true,
    'product_id', p_product_id,
    'old_quantity', v_product.available_quantity + p_quantity,
    'new_quantity', v_product.available_quantity,
    'deducted', p_quantity
  );
end
$$;

comment on function private.decrement_product_quantity(uuid, int) is
  'The whole of public.decrement_product_quantity, with its owner''s rights.';

revoke all on function private.decrement_product_quantity(uuid, int) from public, anon, authenticated, service_role;
grant execute on function private.decrement_product_quantity(uuid, int) to service_role;

-- Purpose: the RPC for the shop's own code: take units of one product, atomically.
-- Callers: service_role.
-- Locks and errors: as private.decrement_product_quantity.
-- Tests: supabase/tests/11-stock.sql
create function public.decrement_product_quantity(p_product_id uuid, p_quantity int)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select private.decrement_product_quantity(p_product_id, p_quantity)
$$;

comment on function public.decrement_product_quantity(uuid, int) is
  'Takes p_quantity units of a product, atomically; never below zero. For the service role.';

revoke all on function public.decrement_product_quantity(uuid, int) from public, anon, authenticated, service_role;
grant execute on function public.decrement_product_quantity(uuid, int) to service_role;
