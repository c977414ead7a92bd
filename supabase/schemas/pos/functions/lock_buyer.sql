-- The customer of a sale, with their points locked, and their wallet where it pays.
--
-- Callers: interlock.pos_sale.
-- Locks: as interlock.find_or_make_customer; the account (to pay from the wallet); as interlock.lock_points; the row of a customer that is filled in; the wallet.
-- Errors: CUSTOMER_NOT_FOUND, CUSTOMERS_DIFFER; VALIDATION_FAILED for a tender that cannot be theirs; 55P03 after lock_timeout.
create function interlock.lock_buyer(p_customer jsonb, p_tenders jsonb, p_currency text)
returns interlock.buyer
language plpgsql
set search_path = ''
as $$
declare
  v_value bigint;
  v_account interlock.points_accounts;
  v_buyer interlock.buyer;
begin
  v_buyer.customer_id := interlock.find_or_make_customer(p_customer);

  select
    coalesce(sum(t.amount) filter (where t.type = 'points'), 0),
    coalesce(sum(t.amount) filter (where t.type = 'wallet'), 0)
  into v_buyer.by_points, v_buyer.by_wallet
  from jsonb_to_recordset(p_tenders) as t (type text, amount bigint);

  if v_buyer.by_wallet > 0 then
    select c.user_id into v_buyer.user_id from interlock.customers c where c.id = v_buyer.customer_id;
    if v_buyer.user_id is null or not interlock.lock_user(v_buyer.user_id) then
      perform interlock.refuse_problems(interlock.problem('/customer', 'has no account whose wallet could pay'));
    end if;
  end if;

  v_account := interlock.lock_points(v_buyer.customer_id);
  v_buyer.customer_id := v_account.customer_id;
  if p_customer ? 'create' then
    perform interlock.fill_in_customer(v_buyer.customer_id, p_customer -> 'create');
  end if;
  select c.user_id into v_buyer.user_id from interlock.customers c where c.id = v_buyer.customer_id;

  if v_buyer.by_points > 0 then
    select v.value into v_value from interlock.points_values v where v.currency = p_currency;
    perform interlock.refuse_problems((
      select coalesce(jsonb_agg(jsonb_build_object(
        'pointer', format('/tenders/%s/amount', t.n - 1),
        'message', case
          when v_value is null then format('points pay nothing in %s', p_currency)
          else format('must be a multiple of %s, which is what a point is worth', v_value)
        end
      )), '[]')
      from rows from (jsonb_to_recordset(p_tenders) as (type text, amount bigint)) with ordinality as t (type, amount, n)
      where t.type = 'points'
        and (t.amount % v_value = 0) is not true
    ));
    v_buyer.spent := v_buyer.by_points / v_value;
  end if;
  if v_buyer.by_wallet > 0 then
    perform interlock.lock_wallet(v_buyer.user_id);
  end if;
  return v_buyer;
end
$$;
