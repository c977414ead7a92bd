-- Digital products of these whose stock is not the number of their free codes; orders of these that have not the codes they
-- bought, or have ended and keep codes that nobody has seen.
--
-- Callers: interlock.find_differences, interlock.correct_codes.
-- Locks: none.
create function interlock.find_code_differences(p_product_ids uuid[], p_order_ids uuid[])
returns table (product_id uuid, order_id uuid, expected numeric, found numeric, since timestamptz, cause text)
language sql
stable
set search_path = ''
as $$
  select
    p.id, null::uuid, c.free, p.available_quantity, null::timestamptz,
    'Codes were added, removed or changed past the triggers, or the stock was.'
  from (select distinct u.id from unnest(p_product_ids) as u (id)) a
  join interlock.products p on p.id = a.id
  cross join lateral (
    select count(*) as free from interlock.product_codes f where f.product_id = p.id and f.order_id is null
  ) c
  where p.kind = 'digital'
    and p.available_quantity <> c.free
  union all
  select
    i.product_id, o.id, h.held, c.codes, coalesce(o.refunded_at, o.cancelled_at, o.created_at),
    case
      when c.codes > h.held then 'The order was ended, or its lines changed, past the functions, and keeps codes.'
      else 'The order was written past the functions, or codes were taken from it.'
    end
  from (select distinct u.id from unnest(p_order_ids) as u (id)) a
  join interlock.orders o on o.id = a.id
  join interlock.order_items i on i.order_id = o.id
  -- Of an order that has ended only what nobody has seen counts.
  cross join lateral (
    select count(*) as codes
    from interlock.product_codes k
    where k.order_id = o.id
      and k.product_id = i.product_id
      and k.replaced_by is null
      and (o.status not in ('cancelled', 'expired', 'refunded') or k.used_at is null)
  ) c
  cross join lateral (
    select case
      when o.status in ('cancelled', 'expired', 'refunded') then 0
      else i.quantity - coalesce((
        select sum(f.restocked)
        from interlock.order_refund_items f
        where f.order_id = i.order_id
          and f.product_id = i.product_id
      ), 0)
    end as held
  ) h
  where i.kind = 'digital'
    and c.codes <> h.held
$$;
