-- Book the points of a customer's orders in the web shop that were paid, refunded or ended since the last time, as those orders are
-- now: what an order earned once is taken back in the part of it that came back. The customer's points are locked.
--
-- Callers: interlock.lock_points.
-- Locks: rows of points_due of the customer, `skip locked`: who holds one deletes it, or is erasing the account.
create function interlock.book_orders(p_customer_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_order record;
  v_earned bigint;
  v_back numeric;
begin
  for v_order in
    with due as (
      delete from interlock.points_due
      where id = any (array(
        select d.id
        from interlock.customers c
        join interlock.points_due d on d.user_id = c.user_id
        where c.id = p_customer_id
        for update of d skip locked
      ))
      returning order_id
    )
    select o.id, o.currency, o.total, o.refunded, o.status in ('paid', 'fulfilled') as kept, a.tier
    from interlock.orders o
    cross join interlock.points_accounts a
    where o.id in (select due.order_id from due)
      and a.customer_id = p_customer_id
    order by o.id
  loop
    select sum(m.points - m.owed) into v_earned
    from interlock.points_movements m
    where m.order_id = v_order.id and m.kind = 'earned';
    if v_earned is null then
      select interlock.points_for(
        v_order.currency, array_agg(i.product_id order by i.product_id),
        array_agg(
          i.quantity * i.unit_price - i.discount + case when i.tax_inclusive then 0 else i.tax end order by i.product_id
        ),
        0, v_order.tier
      )
      into v_earned
      from interlock.order_items i
      where i.order_id = v_order.id;
      perform interlock.book_points(
        p_customer_id, 'earned', v_earned, v_order.total, null, v_order.id
      );
    end if;

    v_back := case when v_order.kept then v_order.refunded::numeric / nullif(v_order.total, 0) else 1 end;
    perform interlock.book_points(
      p_customer_id, 'taken_back', (-ceil(v_earned * v_back) - t.points)::bigint, (-ceil(v_order.total * v_back) - t.amount)::bigint,
      null, v_order.id
    )
    from (
      select coalesce(sum(m.points - m.owed), 0) as points, coalesce(sum(m.amount), 0) as amount
      from interlock.points_movements m
      where m.order_id = v_order.id and m.kind = 'taken_back'
    ) t
    where v_back is not null;
    perform interlock.settle_tier(p_customer_id);
  end loop;
end
$$;
