-- The customer of a sale, with their points locked, and their wallet where it pays or is paid out to. Where something comes back that a
-- customer has bought (p_owner_id) it is them.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals.
-- Locks: as interlock.find_or_make_customer; the account (for the wallet); as interlock.lock_points; the row of a customer that is filled in; the wallet.
-- Errors: CUSTOMER_NOT_FOUND, CUSTOMERS_DIFFER; VALIDATION_FAILED where there is no wallet; 55P03 after lock_timeout.
create function interlock.lock_buyer(p_customer jsonb, p_owner_id uuid, p_tenders jsonb)
returns interlock.buyer
language plpgsql
set search_path = ''
as $$
declare
  v_owner_id uuid;
  v_account interlock.points_accounts;
  v_buyer interlock.buyer;
begin
  v_buyer.customer_id := case when p_customer is null then p_owner_id else interlock.find_or_make_customer(p_customer) end;

  select
    coalesce(sum(t.amount) filter (where t.type = 'points'), 0),
    coalesce(sum(t.amount) filter (where t.type = 'wallet'), 0)
  into v_buyer.by_points, v_buyer.by_wallet
  from jsonb_to_recordset(p_tenders) as t (type text, amount bigint);

  if v_buyer.by_wallet > 0 then
    select c.user_id into v_buyer.user_id from interlock.customers c where c.id = v_buyer.customer_id;
    if v_buyer.user_id is null or not interlock.lock_user(v_buyer.user_id) then
      perform interlock.refuse_problems(interlock.problem('/customer', 'has no account, and so no wallet'));
    end if;
  end if;

  v_account := interlock.lock_points(v_buyer.customer_id);
  v_buyer.customer_id := v_account.customer_id;
  v_buyer.tier := v_account.tier;
  v_owner_id := interlock.live_customer(p_owner_id);
  if v_owner_id <> v_buyer.customer_id then
    perform interlock.raise_error('CUSTOMERS_DIFFER', jsonb_build_object(
      'customer_ids', jsonb_build_array(v_owner_id, v_buyer.customer_id)
    ));
  end if;
  if p_customer ? 'create' then
    perform interlock.fill_in_customer(v_buyer.customer_id, p_customer -> 'create');
  end if;
  select c.user_id into v_buyer.user_id from interlock.customers c where c.id = v_buyer.customer_id;

  if v_buyer.by_wallet > 0 then
    perform interlock.lock_wallet(v_buyer.user_id);
  end if;
  return v_buyer;
end
$$;
