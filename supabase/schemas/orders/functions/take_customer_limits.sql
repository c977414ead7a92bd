-- Refuse what would bring a customer above products.max_per_customer. What they have is summed up under a lock of theirs,
-- so two sessions of one customer come one after the other; it counts while its order is not cancelled, expired or
-- refunded, and it is not itself, so whatever ends an order or takes off a part of it gives it back. Without such a product nothing is locked.
--
-- Callers: interlock.checkout, with a product that has such a limit; interlock.retake_order, before its order counts again.
-- Locks: limits of the customer, advisory, until the transaction ends; waits.
-- Errors: PRODUCT_CUSTOMER_LIMIT with every such product; 55P03 after lock_timeout.
create function interlock.take_customer_limits(p_user_id uuid, p_product_ids uuid[], p_quantities int[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_limits jsonb;
begin
  if not exists (
    select from interlock.products p where p.id = any (p_product_ids) and p.max_per_customer is not null
  ) then
    return;
  end if;

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform pg_advisory_xact_lock(hashtextextended('interlock limits ' || p_user_id, 0));

  select jsonb_agg(
    jsonb_build_object(
      'product_id', p.id, 'requested', w.quantity, 'held', h.held, 'max_per_customer', p.max_per_customer
    )
    order by p.id
  )
  into v_limits
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
  join interlock.products p on p.id = w.product_id
  cross join lateral (
    select coalesce(sum(i.quantity - (
      select coalesce(sum(f.quantity), 0)
      from interlock.order_refund_items f
      where f.order_id = i.order_id
        and f.product_id = i.product_id
    )), 0) as held
    from interlock.orders o
    join interlock.order_items i on i.order_id = o.id
    where o.user_id = p_user_id
      and o.status not in ('cancelled', 'expired', 'refunded')
      and i.product_id = p.id
  ) h
  where h.held + w.quantity > p.max_per_customer;

  if v_limits is not null then
    perform interlock.raise_error('PRODUCT_CUSTOMER_LIMIT', jsonb_build_object('limits', v_limits));
  end if;
end
$$;
