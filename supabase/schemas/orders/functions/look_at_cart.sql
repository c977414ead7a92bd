-- Look at what a cart has, without a lock. What it sees is committed.
--
-- Callers: interlock.checkout, with a cart in which interlock.find_checkout_problems has found no problem.
-- Locks: none.
create function interlock.look_at_cart(p_cart_items jsonb)
returns interlock.cart_look
language plpgsql
stable
set search_path = ''
as $$
declare
  v_look interlock.cart_look;
begin
  select
    array_agg(c.product_id),
    array_agg(c.quantity),
    array_agg(c.price),
    array_agg(c.name),
    array_agg(c.kind),
    array_agg(c.currency::text),
    string_agg(
      format(
        '{"product_id": "%s", "name": %s, "quantity": %s, "unit_price": %s, "discount": 0, "tax": 0, "total": %s}',
        c.product_id, to_json(c.name), c.quantity, c.price, c.quantity * c.price
      ),
      ', '
    ),
    sum(c.quantity * c.price),
    sum(c.quantity),
    array_agg(c.product_id) filter (where c.active is not true),
    bool_or(c.price <> c.least_expected or c.price <> c.most_expected),
    jsonb_agg(
      jsonb_build_object(
        'product_id', c.product_id,
        'requested', c.quantity,
        'available', c.available_quantity
      )
    ) filter (where c.available_quantity < c.quantity),
    case
      when bool_and(c.in_a_slot) then array_agg(c.product_id) filter (where c.in_a_slot)
    end,
    bool_or(c.has_terms)
  into v_look
  from (
    select
      l.product_id, l.quantity, l.least_expected, l.most_expected,
      p.price, p.name, p.kind, p.currency, p.active, p.available_quantity, p.has_terms,
      p.in_one_slot >= l.quantity as in_a_slot
    from (
      select
        (i.item ->> 'product_id')::uuid as product_id,
        sum((i.item ->> 'quantity')::numeric)::int as quantity,
        min((i.item -> 'expected_unit_price')::numeric) as least_expected,
        max((i.item -> 'expected_unit_price')::numeric) as most_expected
      from jsonb_array_elements(p_cart_items) as i (item)
      group by 1
    ) l
    -- `limit 1` asks for one look-up by id for each line, whatever the planner thinks of
    -- the number of lines: without it a small cart may read the whole catalogue.
    left join lateral (
      select
        q.price, q.name, q.kind, q.currency, q.active,
        q.stock_policy <> 'tracked' or num_nonnulls(q.max_per_order, q.max_per_customer) > 0 as has_terms,
        (q.available_quantity - coalesce(s.used, 0))::int as available_quantity,
        case when q.stock_slots > 0 then coalesce(s.in_one_slot, 0) end as in_one_slot
      from interlock.products q
      left join lateral (
        select sum(c.used) as used, max(c.granted - c.used) as in_one_slot
        from interlock.counter_slots c
        where c.owner_id = q.id
          and q.stock_slots > 0
      ) s on true
      where q.id = l.product_id
      limit 1
    ) p on true
    order by l.product_id
  ) c;
  return v_look;
end
$$;
