-- Lock the points of a customer; the one helper for this kind of lock. They are made where there are none. Orders of the web shop
-- that were paid meanwhile are booked first, so that what is there is all there is. A customer who was merged into another meanwhile is that one: the answer says who.
--
-- Callers: interlock.lock_buyer, interlock.give_buyer_back, interlock.take_points_back, interlock.adjust_points, interlock.redeem_points,
--   interlock.settle_points, interlock.settle_customer_tier, interlock.merge_customers, interlock.erase_customer, interlock.link_customer.
-- Locks: the row of points_accounts, waiting, `no key`; then rows of points_due of the customer, `skip locked`.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_points(p_customer_id uuid)
returns interlock.points_accounts
language plpgsql
set search_path = ''
as $$
declare
  v_account interlock.points_accounts;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  insert into interlock.points_accounts (customer_id)
  values (p_customer_id)
  on conflict do nothing;
  perform 1 from interlock.points_accounts a where a.customer_id = p_customer_id for no key update;
  select c.merged_into into v_account.customer_id from interlock.customers c where c.id = p_customer_id;
  if v_account.customer_id is not null then
    return interlock.lock_points(v_account.customer_id);
  end if;

  perform interlock.book_orders(p_customer_id);

  select a.* into v_account from interlock.points_accounts a where a.customer_id = p_customer_id;
  return v_account;
end
$$;
