-- Undo what a sale that is voided did to points and a wallet: what it took is given back, what it gave is taken again (of points that are
-- spent by then is owed what is not there), what it earned is taken, and what was taken with goods that came back is given back.
--
-- Callers: interlock.void_sale, which holds the sale and those of which something came back, and has counted them there.
-- Locks: the account; as interlock.lock_points; the wallet.
-- Errors: WALLET_UNLINKED where the customer has no account any more, INSUFFICIENT_FUNDS where the money is spent; 55P03 after
--   lock_timeout.
create function interlock.give_buyer_back(p_sale interlock.sales)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_by_wallet constant bigint := (
    select coalesce(sum(t.amount), 0) from interlock.sale_tenders t where t.sale_id = p_sale.id and t.type = 'wallet'
  );
  v_customer_id uuid := (
    select coalesce(c.merged_into, c.id) from interlock.customers c where c.id = p_sale.customer_id
  );
  v_user_id uuid;
begin
  if v_by_wallet > 0 then
    select c.user_id into v_user_id from interlock.customers c where c.id = v_customer_id;
    if v_user_id is null or not interlock.lock_user(v_user_id) then
      perform interlock.raise_error('WALLET_UNLINKED', jsonb_build_object('customer_id', p_sale.customer_id, 'amount', v_by_wallet));
    end if;
  end if;

  perform interlock.take_returned_points(o.original_sale_id)
  from (
    select distinct r.original_sale_id
    from interlock.sale_returns r
    where r.sale_id = p_sale.id
  ) o;
  if v_customer_id is null then
    return;
  end if;

  -- Who was merged meanwhile is somebody else by now.
  v_customer_id := (interlock.lock_points(v_customer_id)).customer_id;
  perform interlock.book_points(
    v_customer_id, 'given_back',
    (
      select coalesce(sum(m.owed - m.points), 0)::bigint
      from interlock.points_movements m
      where m.sale_id = p_sale.id
        and m.kind in ('spent', 'given_back')
    ),
    p_sale_id => p_sale.id
  );
  perform interlock.take_points_back(p_sale.id, p_sale.total + p_sale.returned, p_sale.total + p_sale.returned);

  if v_by_wallet > 0 and p_sale.total < 0 then
    perform interlock.pay_from_wallet(
      interlock.lock_wallet(v_user_id), v_by_wallet, p_sale.currency, 'pos_void', p_sale.id
    );
  elsif v_by_wallet > 0 then
    perform interlock.credit_wallet(v_user_id, v_by_wallet, p_sale.currency, 'pos_void', p_sale.id);
  end if;
end
$$;
