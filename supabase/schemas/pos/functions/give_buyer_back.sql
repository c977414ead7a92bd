-- Give a customer back what a sale that is voided took of their points and their wallet, and take back what it earned.
--
-- Callers: interlock.void_sale, which holds the sale.
-- Locks: the account; as interlock.lock_points; the wallet.
-- Errors: WALLET_UNLINKED where the customer has no account any more; 55P03 after lock_timeout.
create function interlock.give_buyer_back(p_sale interlock.sales)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_user_id uuid;
  v_by_points bigint;
  v_by_wallet bigint;
begin
  select
    coalesce(sum(t.amount) filter (where t.type = 'points'), 0),
    coalesce(sum(t.amount) filter (where t.type = 'wallet'), 0)
  into v_by_points, v_by_wallet
  from interlock.sale_tenders t
  where t.sale_id = p_sale.id;

  if v_by_wallet > 0 then
    select c.user_id into v_user_id
    from interlock.customers c
    where c.id = interlock.live_customer(p_sale.customer_id);
    if v_user_id is null or not interlock.lock_user(v_user_id) then
      perform interlock.raise_error('WALLET_UNLINKED', jsonb_build_object('customer_id', p_sale.customer_id, 'amount', v_by_wallet));
    end if;
  end if;
  perform interlock.take_points_back(
    p_sale.id, p_sale.total + p_sale.returned, p_sale.total + p_sale.returned, v_by_points
  );
  if v_by_wallet > 0 then
    perform interlock.credit_wallet(v_user_id, v_by_wallet, p_sale.currency, 'pos_void', p_sale.id);
  end if;
end
$$;
