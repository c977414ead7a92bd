-- Product codes: what a digital product consists of. Each code is sold to one order.
--
--   order_id is null                     free: can be sold
--   order_id set, used_at is null        reserved: belongs to an order that is not paid yet
--   order_id set, used_at set            delivered: the buyer can read it
--
-- Stock and free codes cannot disagree: the stock of a digital product *is* the number of
-- its free codes. A trigger here moves products.available_quantity in the statement that
-- changes the codes, whoever does it, and any other change of a digital product's stock is
-- refused. (A constraint cannot count rows, and a view would make a second kind of stock
-- that each reader has to know of.) The view code_differences is always empty.
--
-- A delivered code is never sold again, whatever becomes of its order: somebody has seen
-- it. A reserved code of an order that ends becomes free. The constraint
-- product_codes_delivered_has_order and the trigger hold that.
--
-- Lock order: the product's stock row, then its codes. Whoever holds the stock row knows
-- the number of free codes exactly, because nobody else can commit a change of it.
--
-- Tests: supabase/tests/10-checkout-schema.sql, 13-product-codes.sql

set local lock_timeout = '5s';

create table public.product_codes (
  id bigint generated always as identity
    constraint product_codes_pkey primary key,
  product_id uuid not null
    constraint product_codes_product_id_fkey references public.products (id),
  code text not null
    constraint product_codes_code_length check (char_length(code) between 1 and 500),
  order_id uuid
    constraint product_codes_order_id_fkey references public.orders (id),
  used_at timestamptz,
  created_at timestamptz not null default now(),
  constraint product_codes_unique unique (product_id, code),
  constraint product_codes_delivered_has_order check (used_at is null or order_id is not null)
);

comment on table public.product_codes is
  'Codes of digital products. Read by the buyer of a paid order; the shop (service role) adds them.';
comment on column public.product_codes.order_id is
  'The order it is sold to or reserved for; empty while it is free.';
comment on column public.product_codes.used_at is
  'When it was delivered: from then on the buyer can read it, and it is never sold again.';

-- Free codes, oldest first.
create index product_codes_free on public.product_codes (product_id, id) where order_id is null;
create index product_codes_by_order on public.product_codes (order_id) where order_id is not null;

alter table public.product_codes enable row level security;

revoke all on table public.product_codes from public, anon, authenticated, service_role;
revoke all on sequence public.product_codes_id_seq from public, anon, authenticated, service_role;
grant select on table public.product_codes to authenticated;
grant select, insert, update, delete on table public.product_codes to service_role;

create policy product_codes_select_bought
  on public.product_codes
  for select
  to authenticated
  using (
    used_at is not null
    and exists (
      select 1
      from public.orders o
      where o.id = order_id
        and o.user_id = (select auth.uid())
        and o.status in ('paid', 'fulfilled')
    )
  );

-- Purpose: refuse a code for a physical product, another product for a code, and giving a
--   delivered code to anybody else or free.
-- Callers: trigger product_codes_guard.
-- Locks: none beyond the row itself.
-- Errors: 23514 check_violation with constraint name product_codes_product_is_digital,
--   product_codes_product_fixed or product_codes_delivered_stay.
-- Tests: supabase/tests/13-product-codes.sql
create function private.guard_product_code()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_constraint text;
begin
  if tg_op = 'INSERT' then
    if exists (select 1 from public.products p where p.id = new.product_id and p.kind <> 'digital') then
      v_constraint := 'product_codes_product_is_digital';
    end if;
  elsif old.used_at is not null and (
    tg_op = 'DELETE'
    or new.used_at is null
    or new.order_id is distinct from old.order_id
    or new.code is distinct from old.code
  ) then
    v_constraint := 'product_codes_delivered_stay';
  elsif tg_op = 'UPDATE' and new.product_id <> old.product_id then
    v_constraint := 'product_codes_product_fixed';
  end if;

  if v_constraint is not null then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = v_constraint,
      message = format('%s of a product code refused by %s', lower(tg_op), v_constraint);
  end if;

  return case tg_op when 'DELETE' then old else new end;
end
$$;

comment on function private.guard_product_code() is
  'Trigger: refuses codes of physical products, and any other use of a delivered code.';

revoke all on function private.guard_product_code() from public, anon, authenticated, service_role;

create trigger product_codes_guard
  before insert or update or delete on public.product_codes
  for each row
  execute function private.guard_product_code();

-- Purpose: move the stock of digital products with their free codes.
-- Callers: the three triggers below, once for each statement.
-- Locks: the stock rows of the products concerned in the order of their ids, waiting;
--   our functions hold them already.
-- Errors: none.
-- Security definer: changing codes must not need rights on products.
-- Tests: supabase/tests/13-product-codes.sql
create function private.count_free_codes()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_product_ids uuid[];
  v_deltas int[];
  v_reason constant text := nullif(current_setting('interlock.reason', true), '');
begin
  if tg_op = 'UPDATE' then
    select array_agg(d.product_id order by d.product_id), array_agg(d.delta order by d.product_id)
    into v_product_ids, v_deltas
    from (
      select c.product_id, sum(c.free)::int as delta
      from (
        select n.product_id, 1 as free from new_rows n where n.order_id is null
        union all
        select o.product_id, -1 from old_rows o where o.order_id is null
      ) c
      group by c.product_id
      having sum(c.free) <> 0
    ) d;
  elsif tg_op = 'INSERT' then
    select array_agg(d.product_id order by d.product_id), array_agg(d.delta order by d.product_id)
    into v_product_ids, v_deltas
    from (
      select n.product_id, count(*)::int as delta from new_rows n where n.order_id is null group by n.product_id
    ) d;
  else
    select array_agg(d.product_id order by d.product_id), array_agg(d.delta order by d.product_id)
    into v_product_ids, v_deltas
    from (
      select o.product_id, -count(*)::int as delta from old_rows o where o.order_id is null group by o.product_id
    ) d;
  end if;

  if v_product_ids is null then
    return null;
  end if;

  perform private.lock_stock(v_product_ids);

  if v_reason is null then
    perform private.set_ledger_context('codes', null);
  end if;
  perform set_config('interlock.counting_codes', 'on', true);

  update public.products p
  set available_quantity = p.available_quantity + d.delta
  from unnest(v_product_ids, v_deltas) as d (product_id, delta)
  where p.id = d.product_id;

  perform set_config('interlock.counting_codes', '', true);
  if v_reason is null then
    perform private.set_ledger_context(null, null);
  end if;

  return null;
end
$$;

comment on function private.count_free_codes() is
  'Trigger: keeps the stock of digital products equal to the number of their free codes.';

revoke all on function private.count_free_codes() from public, anon, authenticated, service_role;

create trigger product_codes_count_added
  after insert on public.product_codes
  referencing new table as new_rows
  for each statement
  execute function private.count_free_codes();

create trigger product_codes_count_changed
  after update on public.product_codes
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function private.count_free_codes();

create trigger product_codes_count_removed
  after delete on public.product_codes
  referencing old table as old_rows
  for each statement
  execute function private.count_free_codes();

create trigger product_codes_no_truncate
  before truncate on public.product_codes
  for each statement
  execute function private.refuse_change();

-- Purpose: a new digital product has no codes and therefore no stock, whatever the insert
--   says; later its stock changes with its codes and in no other way.
-- Callers: the two triggers below, only for digital products whose stock would change.
-- Locks: none.
-- Errors: 23514 check_violation with constraint name products_digital_stock_is_codes.
-- Tests: supabase/tests/13-product-codes.sql
create function private.guard_digital_stock()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    new.available_quantity := 0;
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

comment on function private.guard_digital_stock() is
  'Trigger: a digital product''s stock comes from its codes and from nothing else.';

revoke all on function private.guard_digital_stock() from public, anon, authenticated, service_role;

create trigger products_digital_opening_stock
  before insert on public.products
  for each row
  when (new.kind = 'digital' and new.available_quantity <> 0)
  execute function private.guard_digital_stock();

create trigger products_digital_stock
  before update on public.products
  for each row
  when (new.kind = 'digital' and new.available_quantity is distinct from old.available_quantity)
  execute function private.guard_digital_stock();

create view public.code_differences
with (security_invoker = true)
as
  select p.id as product_id, p.available_quantity, count(c.id) as free_codes
  from public.products p
  left join public.product_codes c on c.product_id = p.id and c.order_id is null
  where p.kind = 'digital'
  group by p.id
  having p.available_quantity <> count(c.id);

comment on view public.code_differences is
  'Digital products whose stock is not the number of their free codes. Always empty; anything else is a bug.';

revoke all on table public.code_differences from public, anon, authenticated, service_role;
grant select on table public.code_differences to service_role;

-- Purpose: give free codes to an order: exactly the quantities, or an error. The caller
--   holds the stock rows of the products and has seen that there is enough.
--   Codes that somebody else has locked are passed over first; only if that leaves too few
--   are they waited for, in the order of their ids, so that nobody is refused because of a
--   change that is then rolled back.
-- Callers: private.checkout, private.claim_product_codes_atomic.
-- Locks: free codes of the products, first without waiting, then waiting.
-- Errors: INSUFFICIENT_INVENTORY with every shortage; 55P03 after lock_timeout.
-- Tests: supabase/tests/13-product-codes.sql
create function private.take_product_codes(
  p_product_ids uuid[],
  p_quantities int[],
  p_order_id uuid,
  p_reason text,
  p_delivered boolean
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_wanted constant bigint := (select sum(q) from unnest(p_quantities) as q);
  v_code_ids bigint[];
  v_shortages jsonb;
begin
  select array_agg(c.id)
  into v_code_ids
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
  cross join lateral (
    select f.id
    from public.product_codes f
    where f.product_id = w.product_id
      and f.order_id is null
    order by f.id
    limit w.quantity
    for no key update skip locked
  ) c;

  if coalesce(cardinality(v_code_ids), 0) < v_wanted then
    select array_agg(c.id)
    into v_code_ids
    from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
    cross join lateral (
      select f.id
      from public.product_codes f
      where f.product_id = w.product_id
        and f.order_id is null
      order by f.id
      limit w.quantity
      for no key update
    ) c;
  end if;

  if coalesce(cardinality(v_code_ids), 0) < v_wanted then
    select jsonb_agg(
      jsonb_build_object('product_id', t.product_id, 'requested', t.quantity, 'available', t.available)
      order by t.product_id
    )
    into v_shortages
    from (
      select w.product_id, w.quantity, count(c.id) as available
      from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
      left join public.product_codes c on c.product_id = w.product_id and c.id = any (v_code_ids)
      group by w.product_id, w.quantity
      having count(c.id) < w.quantity
    ) t;
    perform private.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', v_shortages));
  end if;

  perform private.set_ledger_context(p_reason, p_order_id);

  update public.product_codes c
  set order_id = p_order_id,
      used_at = case when p_delivered then private.clock() end
  where c.id = any (v_code_ids);

  perform private.set_ledger_context(null, null);
end
$$;

comment on function private.take_product_codes(uuid[], int[], uuid, text, boolean) is
  'Gives free codes to an order: exactly the quantities, or an error. The caller holds the stock rows.';

revoke all on function private.take_product_codes(uuid[], int[], uuid, text, boolean)
  from public, anon, authenticated, service_role;

-- Purpose: the whole of public.claim_product_codes_atomic. The order then has exactly
--   p_quantity codes of the product. It counts once for an order and product: called again
--   with the same quantity it answers the same codes and takes nothing.
--   The codes of an order that is paid are delivered at once, others when it is paid.
-- Callers: service_role, through public.claim_product_codes_atomic.
-- Locks: the order, the product's stock row, its codes; each wait two seconds at most.
-- Errors: VALIDATION_FAILED, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT (the order has ended),
--   PRODUCT_NOT_FOUND, INSUFFICIENT_INVENTORY; 55P03 is transient.
-- Security definer: so that it may use the functions of this schema.
-- Tests: supabase/tests/13-product-codes.sql
create function private.claim_product_codes_atomic(p_product_id uuid, p_quantity int, p_order_id uuid)
returns table (id bigint, code text)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_order_status text;
  v_kind text;
  v_owned bigint;
begin
  if p_product_id is null then
    v_problems := v_problems || jsonb_build_object('pointer', '/p_product_id', 'message', 'is required');
  end if;
  if p_quantity is null or p_quantity not between 1 and 1000000 then
    v_problems := v_problems
      || jsonb_build_object('pointer', '/p_quantity', 'message', 'must be an integer from 1 to 1000000');
  end if;
  if p_order_id is null then
    v_problems := v_problems || jsonb_build_object('pointer', '/p_order_id', 'message', 'is required');
  end if;
  if v_problems <> '[]' then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', v_problems));
  end if;

  select p.kind into v_kind from public.products p where p.id = p_product_id;
  if not found then
    perform private.raise_products_not_found(array[p_product_id]);
  end if;
  if v_kind <> 'digital' then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', jsonb_build_array(
      jsonb_build_object('pointer', '/p_product_id', 'message', 'is not a digital product')
    )));
  end if;

  v_order_status := private.lock_order(p_order_id);
  if v_order_status is null then
    perform private.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;

  select count(*)
  into v_owned
  from public.product_codes c
  where c.order_id = p_order_id
    and c.product_id = p_product_id;

  if v_owned = 0 then
    if v_order_status not in ('pending_payment', 'confirmed', 'paid', 'fulfilled') then
      perform private.raise_error(
        'ORDER_STATE_CONFLICT',
        jsonb_build_object('order_id', p_order_id, 'status', v_order_status)
      );
    end if;
    perform private.take_stock(array[p_product_id], array[p_quantity], 'codes', p_order_id);
    perform private.take_product_codes(
      array[p_product_id], array[p_quantity], p_order_id, 'codes', v_order_status in ('paid', 'fulfilled')
    );
  elsif v_owned <> p_quantity then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', jsonb_build_array(
      jsonb_build_object('pointer', '/p_quantity', 'message', format('the order already has %s codes', v_owned))
    )));
  end if;

  return query
    select c.id, c.code
    from public.product_codes c
    where c.order_id = p_order_id
      and c.product_id = p_product_id
    order by c.id;
end
$$;

comment on function private.claim_product_codes_atomic(uuid, int, uuid) is
  'The whole of public.claim_product_codes_atomic, with its owner''s rights.';

revoke all on function private.claim_product_codes_atomic(uuid, int, uuid) from public, anon, authenticated, service_role;
grant execute on function private.claim_product_codes_atomic(uuid, int, uuid) to service_role;

-- Purpose: the RPC for the shop's own code: codes for an order, all or nothing.
-- Callers: service_role.
-- Locks and errors: as private.claim_product_codes_atomic.
-- Tests: supabase/tests/13-product-codes.sql
create function public.claim_product_codes_atomic(p_product_id uuid, p_quantity int, p_order_id uuid)
returns table (id bigint, code text)
language sql
security invoker
set search_path = ''
as $$
  select c.id, c.code
  from private.claim_product_codes_atomic(p_product_id, p_quantity, p_order_id) as c
$$;

comment on function public.claim_product_codes_atomic(uuid, int, uuid) is
  'Gives exactly p_quantity codes of a digital product to an order, or none; once for each order. For the service role.';

revoke all on function public.claim_product_codes_atomic(uuid, int, uuid) from public, anon, authenticated, service_role;
grant execute on function public.claim_product_codes_atomic(uuid, int, uuid) to service_role;
