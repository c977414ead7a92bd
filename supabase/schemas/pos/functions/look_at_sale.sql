-- Look at what a sale has, without a lock. What it sees is committed. A product is named by its id, a barcode (of which one
-- scan may be several units) or the inventory id of its stock, which must be that of the location. What was sold by a till that
-- was cut off (p_offline) may have its price with it, and be no longer for sale.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals and interlock.price_returns, with lines in which interlock.find_sale_problems has found no problem.
-- Locks: none.
create function interlock.look_at_sale(p_lines jsonb, p_location_id uuid, p_offline boolean)
returns interlock.sale_look
language plpgsql
stable
set search_path = ''
as $$
declare
  v_online constant boolean := p_location_id = interlock.online_location();
  v_look interlock.sale_look;
begin
  with lines as materialized (
    select
      l.n - 1 as line,
      l.inventory_id as asked_id,
      l.barcode,
      b.barcode is null and l.barcode is not null as no_barcode,
      coalesce(l.product_id, b.product_id, i.product_id, l.inventory_id) as product_id,
      case when l.inventory_id is not null then coalesce(i.location_id, interlock.online_location()) <> p_location_id end as elsewhere,
      l.quantity * coalesce(b.units, 1) as quantity,
      l.unit_price,
      (l.discount ->> 'amount')::numeric as off_amount,
      (l.discount ->> 'percent')::numeric as off_percent,
      l.discount ->> 'reason' as reason
    from rows from (
      jsonb_to_recordset(p_lines) as (
        inventory_id uuid, product_id uuid, barcode text, quantity numeric, unit_price bigint, discount jsonb
      )
    ) with ordinality as l (inventory_id, product_id, barcode, quantity, unit_price, discount, n)
    left join lateral (
      select c.barcode, c.product_id, c.units from interlock.product_barcodes c where c.barcode = l.barcode limit 1
    ) b on true
    left join lateral (
      select r.product_id, r.location_id from interlock.inventory r where r.id = l.inventory_id limit 1
    ) i on true
  ),
  seen as (
    select
      l.*,
      p.id is not null as is_product,
      p.active, p.name, coalesce(l.unit_price, p.price) as price, p.currency, p.kind, p.stock_policy,
      case when v_online then l.product_id else s.id end as inventory_id,
      case when v_online then 0 else p.decimals end as decimals,
      case when v_online then p.available_quantity else coalesce(s.quantity, 0) end as there,
      floor(l.quantity * coalesce(l.unit_price, p.price) + 0.5) as subtotal
    from lines l
    left join lateral (
      select
        q.id, q.active, q.name, q.price, q.currency, q.kind, q.stock_policy, q.decimals,
        (
          q.available_quantity - coalesce((select sum(c.used) from interlock.counter_slots c where c.owner_id = q.id), 0)
            + case q.stock_policy when 'backorder' then greatest(q.backorder_limit - q.backordered, 0) else 0 end
        )::numeric as available_quantity
      from interlock.products q
      where q.id = l.product_id
      limit 1
    ) p on true
    left join lateral (
      select r.id, r.quantity
      from interlock.inventory r
      where r.product_id = l.product_id
        and r.location_id = p_location_id
      limit 1
    ) s on not v_online
  ),
  priced as (
    select
      s.*,
      coalesce(s.off_amount, floor(s.subtotal * s.off_percent / 100 + 0.5), 0)::numeric as discount,
      sum(s.quantity) over (partition by s.product_id) as of_product,
      row_number() over (partition by s.product_id order by s.line) as nth
    from seen s
  )
  select
    array_agg(s.product_id order by s.line),
    array_agg(s.inventory_id order by s.line),
    array_agg(s.name order by s.line),
    array_agg(s.quantity order by s.line),
    array_agg(s.price order by s.line),
    array_agg(least(s.subtotal, 90071992547409) order by s.line),
    array_agg(least(s.discount, 90071992547409) order by s.line),
    array_agg(s.reason order by s.line),
    array_agg(s.stock_policy = 'untracked' order by s.line),
    array_agg(distinct s.currency::text) filter (where s.currency is not null),
    jsonb_agg(distinct s.barcode) filter (where s.no_barcode),
    jsonb_agg(distinct s.asked_id) filter (where not s.is_product and s.asked_id is not null),
    jsonb_agg(distinct s.product_id)
      filter (where s.product_id is not null and case when s.is_product then not (s.active or p_offline) else s.asked_id is null end),
    jsonb_agg(distinct s.asked_id) filter (where s.elsewhere and s.is_product),
    (
      select jsonb_agg(
        jsonb_build_object('pointer', format('/lines/%s%s', b.line, b.member), 'message', b.message) order by b.line, b.member
      )
      from (
        select k.line, '' as member, 'is a digital product, which is not sold at a till' as message
        from priced k
        where k.kind = 'digital'
        union all
        select k.line, '/quantity', case
          when v_online then 'must be a whole number: the web shop''s stock is sold in whole units'
          else format('must have at most %s decimals, as the product has', k.decimals)
        end
        from priced k
        where k.quantity <> round(k.quantity, k.decimals)
        union all
        select k.line, '/discount', format('must be at most %s, which is what the line costs', k.subtotal)
        from priced k
        where k.discount > k.subtotal
        union all
        select k.line, '/quantity', 'must come to at most 90071992547409 minor units'
        from priced k
        where k.subtotal > 90071992547409
      ) b
    ),
    max(case when s.discount > 0 then 100 * s.discount / greatest(s.subtotal, 1) end),
    jsonb_agg(
      jsonb_build_object(
        'inventory_id', s.inventory_id,
        'product_id', s.product_id,
        'location_id', p_location_id,
        'requested', trim_scale(s.of_product),
        'available', trim_scale(s.there)
      )
      order by s.line
    ) filter (
      where s.nth = 1 and s.stock_policy <> 'untracked' and s.kind <> 'digital' and s.elsewhere is not true and s.there < s.of_product
    )
  into v_look
  from priced s;
  return v_look;
end
$$;
