-- Give so much of what an order's buyer has paid back, in the way in which it was paid: into the wallet; by the provider,
-- as far as the card has not been asked for before; what came in cash or by bank transfer is for the shop to give back
-- by its own hand. Of an order that was paid in two ways the wallet's part comes last. Says how much each of them is. Of one
-- that is not paid there is nothing but the wallet's part.
--
-- Callers: interlock.settle_orders (all that is left), interlock.refund_order_lines (a part); with the order locked. Its
--   refunded is what it was before.
-- Locks: the wallet of the buyer; the payment of the order.
-- Errors: WALLET_OWNER_GONE; 55P03 after lock_timeout.
create function interlock.give_back(
  p_order interlock.orders,
  p_amount bigint,
  p_reason text,
  out o_wallet bigint,
  out o_card bigint,
  out o_shop bigint
)
language plpgsql
set search_path = ''
as $$
declare
  v_payment_id uuid;
begin
  o_wallet := 0;
  o_card := 0;
  o_shop := 0;
  if p_amount = 0 then
    return;
  end if;

  o_wallet := case
    when p_order.payment_method = 'wallet' then p_amount
    else interlock.wallet_returned(p_order, p_order.refunded + p_amount)
      - interlock.wallet_returned(p_order, p_order.refunded)
  end;
  if o_wallet > 0 then
    if p_order.user_id is null then
      perform interlock.raise_error('WALLET_OWNER_GONE', jsonb_build_object(
        'order_id', p_order.id, 'amount', o_wallet, 'currency', p_order.currency
      ));
    end if;
    perform interlock.credit_wallet(p_order.user_id, o_wallet, p_order.currency, p_reason, p_order.id);
  end if;
  if o_wallet = p_amount or p_order.paid_at is null then
    return;
  end if;

  -- One payment at most has paid the order: any other is flagged.
  select p.id, least(p_amount - o_wallet, p.amount - p.refund_asked)
  into v_payment_id, o_card
  from interlock.payments p
  where p.order_id = p_order.id
    and p.succeeded_at is not null
    and p.flag is null;
  if v_payment_id is null then
    o_card := 0;
    o_shop := p_amount - o_wallet;
    return;
  end if;

  update interlock.payments p
  set refund_asked = p.refund_asked + o_card
  where p.id = v_payment_id;
  perform interlock.settle_payment(v_payment_id);
end
$$;
