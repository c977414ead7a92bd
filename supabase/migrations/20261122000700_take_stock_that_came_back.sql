-- Takes stock that came back while the sale was waiting for it.
--
-- private.take_stock decided twice: whether there is enough, on the locked row, and whether to take it,
-- on the row that its own update found. An update looks for its rows in the snapshot of the statement.
-- With too little there, and enough in the version that was committed during the wait (an order was
-- cancelled, goods were booked in), the first said yes and the second took nothing: sold, and still on
-- the shelf. Now the locked row decides both.
--
-- Tests: tests/shop_races.rs, and `npm run prove`, which found it

set local lock_timeout = '5s';

-- Purpose: lock stock rows, check them and take the stock of the physical ones. For a
--   digital product the row is only locked and checked: its stock is its free codes, and
--   private.take_product_codes takes them next. All or nothing; one statement whatever the
--   number of products.
--   With p_unit_prices and p_currency it also makes sure that the caller's terms still
--   hold: another price, currency or an inactive product by now is transient (55P03).
-- Callers: private.decrement_product_quantity, private.checkout,
--   private.claim_product_codes_atomic. Each product occurs once, with a quantity above 0.
-- Locks: the stock rows in the order of their ids, waiting, `no key`. The quantity is
--   compared on the newest version of each row, after the wait: in `locked`, and only there.
-- Errors: PRODUCT_NOT_FOUND with every id, INSUFFICIENT_INVENTORY with every shortage;
--   55P03 as above and after lock_timeout.
-- Tests: supabase/tests/11-stock.sql
create or replace function private.take_stock(
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
