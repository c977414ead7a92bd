-- What the products of a cart ask beside their stock, for a cart that has one of which not just the stock is asked: which
-- are untracked, whether any may owe units, every shortage, whatever is above its limit for one order, and whether there is
-- one with a limit for a customer. What the customer has in that reservation is there for them.
--
-- Callers: interlock.checkout, interlock.reserve_cart.
-- Locks: none.
create function interlock.look_at_terms(
  p_user_id uuid,
  p_reservation_id uuid,
  p_product_ids uuid[],
  p_quantities int[],
  out o_untracked uuid[],
  out o_backorder boolean,
  out o_shortages jsonb,
  out o_limits jsonb,
  out o_customer_limit boolean
)
language plpgsql
stable
set search_path = ''
as $$
begin
  select
    array_agg(p.id) filter (where p.stock_policy = 'untracked'),
    bool_or(p.stock_policy = 'backorder'),
    jsonb_agg(
      jsonb_build_object('product_id', p.id, 'requested', w.quantity, 'available', s.orderable_quantity + coalesce(r.quantity, 0))
      order by p.id
    ) filter (where s.orderable_quantity + coalesce(r.quantity, 0) < w.quantity),
    jsonb_agg(
      jsonb_build_object('product_id', p.id, 'requested', w.quantity, 'max_per_order', p.max_per_order) order by p.id
    ) filter (where w.quantity > p.max_per_order),
    bool_or(p.max_per_customer is not null)
  into o_untracked, o_backorder, o_shortages, o_limits, o_customer_limit
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
  join interlock.products p on p.id = w.product_id
  left join interlock.get_stock(p_product_ids) s on s.product_id = w.product_id
  left join lateral (
    select l.quantity
    from interlock.cart_reservations c
    join interlock.cart_reservation_lines l on l.user_id = c.user_id
    where c.user_id = p_user_id
      and c.id = p_reservation_id
      and l.product_id = w.product_id
      and not l.untracked
  ) r on true;
end
$$;
