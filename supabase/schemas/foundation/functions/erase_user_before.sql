-- The part of interlock.erase_user before the account goes, in the present shop: nothing is owed, the customer that they were at a till is erased, and
-- so is what was said of their addresses. Answers the ids of their orders.
--
-- Callers: interlock.erase_user, which holds the account.
-- Locks: as interlock.erase_customer.
-- Errors: USER_HAS_OBLIGATIONS; 55P03 is transient.
create function interlock.erase_user_before(p_user_id uuid)
returns uuid[]
language plpgsql
set search_path = ''
as $$
declare
  v_open jsonb;
  v_customer_id uuid;
  v_wallet jsonb;
  v_order_ids uuid[];
begin
  -- From here on nobody can place an order for them or end one, nor move their money.
  select jsonb_agg(jsonb_build_object('order_id', o.id, 'status', o.status) order by o.id)
  into v_open
  from interlock.orders o
  where o.user_id = p_user_id
    and interlock.is_owed_order(o.status);

  select jsonb_build_object('balance', w.balance, 'currency', w.currency)
  into v_wallet
  from interlock.wallets w
  where w.user_id = p_user_id
    and w.balance <> 0;

  if num_nonnulls(v_open, v_wallet) > 0 then
    perform interlock.raise_error('USER_HAS_OBLIGATIONS', jsonb_build_object(
      'user_id', p_user_id, 'open_orders', coalesce(v_open, '[]'), 'wallet', v_wallet
    ));
  end if;

  -- The customer that they were at a till.
  select c.id into v_customer_id from interlock.customers c where c.user_id = p_user_id;
  if v_customer_id is not null then
    perform interlock.erase_customer(v_customer_id);
  end if;

  v_order_ids := array(select o.id from interlock.orders o where o.user_id = p_user_id);

  delete from interlock.mail_suppressions s
  where s.email = (select interlock.normal_email(u.email) from interlock.accounts u where u.id = p_user_id)
    or s.email in (
      select interlock.normal_email(d.contact ->> 'email')
      from interlock.order_details d
      where d.order_id = any (v_order_ids)
    );

  return v_order_ids;
end
$$;
