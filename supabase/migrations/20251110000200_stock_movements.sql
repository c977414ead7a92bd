-- The stock ledger: every change of products.available_quantity, append-only.
--
-- Written by triggers on products and by nothing else, in the statement that changes the
-- stock: our functions, the shop's own SQL, imports and inserts leave the same rows, and
-- for every product the sum of its rows is its stock at any moment. The view
-- stock_differences shows where that is not so: it is always empty.
--
-- The triggers work once for each statement, on all its rows. Why the stock changed is
-- said by private.set_ledger_context for the rest of the transaction or until the next
-- call; without it the reason is `correction`. The actor is the signed-in user.
--
-- Reasons of ours: opening (insert), deleted, checkout, codes (product codes added or
-- removed), decrement, order_cancelled, order_expired, order_refunded, correction (the
-- shop's own SQL). A shop may use others.
--
-- There is no foreign key on purpose: history outlives a deleted product, and a key-share
-- lock on a hot product for each sale would cost a multixact.
--
-- Tests: supabase/tests/10-checkout-schema.sql, 11-stock.sql

set local lock_timeout = '5s';

create table public.stock_movements (
  id bigint generated always as identity
    constraint stock_movements_pkey primary key,
  product_id uuid not null,
  delta int not null
    constraint stock_movements_delta_nonzero check (delta <> 0),
  balance_after int not null,
  reason text not null
    constraint stock_movements_reason_length check (char_length(reason) between 1 and 100),
  reference_id uuid,
  actor uuid,
  created_at timestamptz not null default now()
);

comment on table public.stock_movements is
  'Append-only stock ledger, written by triggers on products. Nobody can change or delete a row.';
comment on column public.stock_movements.delta is
  'Units that came (positive) or went (negative).';
comment on column public.stock_movements.balance_after is
  'Stock of the product right after the change.';
comment on column public.stock_movements.reference_id is
  'What it was for: the order of a checkout, cancellation, expiry or refund.';
comment on column public.stock_movements.actor is
  'The signed-in user who did it; empty for the shop and for jobs.';

create index stock_movements_by_product on public.stock_movements (product_id, id);
create index stock_movements_by_reference on public.stock_movements (reference_id) where reference_id is not null;

alter table public.stock_movements enable row level security;

revoke all on table public.stock_movements from public, anon, authenticated, service_role;
revoke all on sequence public.stock_movements_id_seq from public, anon, authenticated, service_role;
grant select on table public.stock_movements to service_role;

create trigger stock_movements_append_only
  before update or delete on public.stock_movements
  for each row
  execute function private.refuse_change();

create trigger stock_movements_no_truncate
  before truncate on public.stock_movements
  for each statement
  execute function private.refuse_change();

-- Purpose: say why the stock and wallets that change from here on do so. The setting ends
--   with the transaction; set it to null when you are done.
-- Callers: the functions of this schema.
-- Locks: none. Errors: none.
-- Tests: supabase/tests/11-stock.sql
create function private.set_ledger_context(p_reason text, p_reference_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform set_config('interlock.reason', coalesce(p_reason, ''), true),
    set_config('interlock.reference_id', coalesce(p_reference_id::text, ''), true);
end
$$;

comment on function private.set_ledger_context(text, uuid) is
  'Says, for the rest of the transaction, why stock and wallets change; null, null ends it.';

revoke all on function private.set_ledger_context(text, uuid) from public, anon, authenticated, service_role;

-- Purpose: write the stock ledger.
-- Callers: the three triggers below, once for each statement.
-- Locks: none beyond the rows it inserts; the products are locked by the statement.
-- Errors: none.
-- Security definer: nobody has insert on stock_movements.
-- Tests: supabase/tests/11-stock.sql
create function private.record_stock_movements()
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
    -- Grouped, not joined: this plan is made for the first statement of a session, mostly
    -- of a few rows, and must also do for one that changes the whole catalogue.
    insert into public.stock_movements (product_id, delta, balance_after, reason, reference_id, actor)
    select
      c.id,
      sum(c.new_quantity) - sum(c.old_quantity),
      sum(c.new_quantity),
      coalesce(v_reason, 'correction'),
      v_reference_id,
      auth.uid()
    from (
      select n.id, n.available_quantity as new_quantity, 0 as old_quantity from new_rows n
      union all
      select o.id, 0, o.available_quantity from old_rows o
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

comment on function private.record_stock_movements() is
  'Trigger: appends to public.stock_movements every change of stock, whoever made it.';

revoke all on function private.record_stock_movements() from public, anon, authenticated, service_role;

create trigger products_record_opening_stock
  after insert on public.products
  referencing new table as new_rows
  for each statement
  execute function private.record_stock_movements();

create trigger products_record_stock
  after update on public.products
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function private.record_stock_movements();

create trigger products_record_deleted_stock
  after delete on public.products
  referencing old table as old_rows
  for each statement
  execute function private.record_stock_movements();

create trigger products_no_truncate
  before truncate on public.products
  for each statement
  execute function private.refuse_change();

create view public.stock_differences
with (security_invoker = true)
as
  select
    coalesce(p.id, m.product_id) as product_id,
    p.available_quantity,
    coalesce(m.ledger_quantity, 0) as ledger_quantity
  from public.products p
  full join (
    select s.product_id, sum(s.delta) as ledger_quantity
    from public.stock_movements s
    group by s.product_id
  ) m on m.product_id = p.id
  where coalesce(p.available_quantity, 0) <> coalesce(m.ledger_quantity, 0);

comment on view public.stock_differences is
  'Products whose ledger does not add up to their stock. Always empty; anything else is a bug.';

revoke all on table public.stock_differences from public, anon, authenticated, service_role;
grant select on table public.stock_differences to service_role;
