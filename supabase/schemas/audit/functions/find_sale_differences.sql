-- Lines of these orders of which the ledger has not taken as much as they hold: units that were sold, less those that came
-- back. An order that has ended holds what had left. What took nothing from the stock is left out, and so are digital
-- products, whose codes say who has them (interlock.find_code_differences). An id may be that of no order: then the ledger
-- has taken something for nobody. Orders from before p_kept_since are left out, as rows of the ledger may be gone.
--
-- Callers: interlock.find_differences, interlock.correct_sale.
-- Locks: none.
create function interlock.find_sale_differences(p_order_ids uuid[], p_kept_since timestamptz default null)
returns table (product_id uuid, order_id uuid, expected numeric, found numeric, since timestamptz, cause text)
language sql
stable
set search_path = ''
as $$
  with asked as (
    select distinct u.id, o.status, o.fulfillment, o.created_at, coalesce(o.refunded_at, o.cancelled_at, o.created_at) as since
    from unnest(p_order_ids) as u (id)
    left join interlock.orders o on o.id = u.id
    where (o.created_at < p_kept_since) is not true
  ),
  books as (
    select
      a.id, a.created_at, a.since, i.product_id, null::numeric as taken,
      case
        when a.status not in ('cancelled', 'expired', 'refunded') or a.fulfillment in ('shipped', 'delivered')
          then i.quantity
        else coalesce(r.from_shelf, 0) + coalesce((
          select sum(s.quantity)
          from interlock.order_shipment_items s
          where s.order_id = i.order_id
            and s.product_id = i.product_id
        ), 0)
      end - coalesce(r.restocked, 0) as held
    from asked a
    join interlock.order_items i on i.order_id = a.id
    left join lateral (
      select sum(f.from_shelf) as from_shelf, sum(f.restocked) as restocked
      from interlock.order_refund_items f
      where f.order_id = i.order_id
        and f.product_id = i.product_id
    ) r on true
    where i.kind = 'physical'
      and not i.untracked
    union all
    select a.id, a.created_at, coalesce(a.since, m.created_at), m.product_id, -m.delta, null
    from asked a
    join interlock.stock_movements m on m.reference_id = a.id
    where not exists (
      select from interlock.products p where p.id = m.product_id and p.kind = 'digital'
    )
  )
  select
    b.product_id, b.id, coalesce(sum(b.held), 0), coalesce(sum(b.taken), 0), min(b.since),
    case
      when min(b.created_at) is null then
        'The ledger has taken units for an order that is not there: it was removed by hand.'
      when count(b.held) = 0 then
        'The ledger has taken units for a line that the order does not have: it was removed by hand.'
      when coalesce(sum(b.taken), 0) > sum(b.held) then
        'What the order does not hold is not on the shelf: it was ended, or its lines changed, past the functions.'
      when coalesce(sum(b.taken), 0) = 0 then
        'Nothing was taken from the stock: the order was written, opened again or changed past the functions.'
      else 'Less was taken from the stock than the line holds: it was changed past the functions.'
    end
  from books b
  group by b.product_id, b.id
  having coalesce(sum(b.held), 0) <> coalesce(sum(b.taken), 0)
$$;
