-- Undoes 20261122001200_stock_slots.sql. What slots have sold is taken off the stock first. The ledger of
-- products that had slots gets the balances that it has left out.
-- Newest first: run it in one transaction, then `supabase migration repair --status reverted 20261122001200`.

set local lock_timeout = '5s';

do $$
begin
  perform private.set_stock_slots(p.id, 0) from public.products p where p.stock_slots > 0 order by p.id;
  if to_regprocedure('cron.unschedule(text)') is not null then
    perform cron.unschedule(j.jobname) from cron.job j where j.jobname = 'interlock-settle-stock-slots';
  end if;
end
$$;

drop function private.settle_stock_slots();
drop function public.set_stock_slots(uuid, int);
drop function private.set_stock_slots(uuid, int);
drop function public.get_stock(uuid[]);
drop function private.get_stock(uuid[]);
revoke usage on schema private from anon;

create or replace view public.stock_differences
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

drop function private.take_stock(uuid[], int[], text, uuid, bigint[], text, uuid[]);
drop function private.take_from_slots(uuid[], int[], text, uuid, bigint[], text, uuid[]);
drop function private.take_at_gate(uuid, int);
drop function private.raise_product_changed();
drop function private.take_from_rows(uuid[], int[], bigint[], text);
drop function private.settle_stock(uuid);

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

drop trigger products_slots_covered on public.products;
drop function private.cover_stock_slots();
drop trigger products_slots_kept on public.products;
drop trigger products_slots_counted_at_first on public.products;
drop trigger products_slots_counted on public.products;

alter table public.products drop column stock_slots;

comment on column public.products.available_quantity is
  'Units that can be sold now. For a digital product the number of its free codes, kept by a trigger.';

alter table public.stock_movements disable trigger stock_movements_append_only;

update public.stock_movements m
set balance_after = b.balance
from (
  select s.id, sum(s.delta) over (partition by s.product_id order by s.id) as balance
  from public.stock_movements s
  where s.product_id in (select n.product_id from public.stock_movements n where n.balance_after is null)
) b
where m.id = b.id
  and m.balance_after is null;

alter table public.stock_movements enable trigger stock_movements_append_only;

alter table public.stock_movements
  alter column balance_after set not null;

comment on column public.stock_movements.balance_after is
  'Stock of the product right after the change.';
