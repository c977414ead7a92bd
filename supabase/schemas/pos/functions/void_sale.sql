-- What public.void_sale does, with its owner's rights: undo a sale as long as its shift is open. What it took goes back to the stock,
-- and it counts no more in the closing report; its receipt keeps its number. Called again it answers the same. A card
-- payment is undone at the terminal, not here.
--
-- Callers: authenticated (managers and staff; a cashier for a sale of their own) and service_role, through public.void_sale.
-- Locks: the sale; of its customer the points and the wallet; the uses of its promo code; its stock, rows of inventory by id or as interlock.return_stock; the register. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, SALE_NOT_FOUND, SHIFT_CLOSED, STOCK_LIMIT_EXCEEDED,
--   WALLET_UNLINKED; 55P03 and 40P01 are
--   transient and nothing has happened.
-- Security definer: nobody has the right to write sales or stock.
create function interlock.void_sale(p_sale_id uuid, p_reason text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]';
  v_role text;
  v_sale interlock.sales;
  v_shift interlock.shifts;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  v_role := interlock.require_till();

  if p_sale_id is null then
    v_problems := v_problems || interlock.problem('/p_sale_id', 'is required');
  end if;
  if interlock.is_line(p_reason, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must be 1 to 200 characters, without control characters');
  end if;
  perform interlock.refuse_problems(v_problems);

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select s.* into v_sale from interlock.sales s where s.id = p_sale_id for no key update;
  if not found then
    perform interlock.raise_error('SALE_NOT_FOUND', jsonb_build_object('sale_id', p_sale_id));
  end if;
  if v_role = 'cashier' and v_sale.cashier is distinct from auth.uid() then
    perform interlock.raise_error('FORBIDDEN');
  end if;

  if v_sale.status = 'completed' then
    if v_sale.customer_id is not null then
      perform interlock.give_buyer_back(v_sale);
    end if;
    if v_sale.promo_code is not null then
      perform interlock.return_promos(array[p_sale_id]);
    end if;
    perform interlock.return_sold_stock(p_sale_id, v_sale.location_id);

    v_shift := interlock.lock_shift(v_sale.shift_id);
    if v_shift.closed_at is not null then
      perform interlock.raise_error('SHIFT_CLOSED', jsonb_build_object(
        'shift_id', v_shift.id, 'closed_at', v_shift.closed_at, 'counted_cash', v_shift.counted_cash
      ));
    end if;

    update interlock.sales s
    set status = 'voided',
        voided_at = interlock.clock(),
        voided_by = auth.uid(),
        void_reason = p_reason
    where s.id = p_sale_id;
    perform interlock.note_sale('sale.voided', p_sale_id);
  end if;

  return jsonb_build_object('success', true, 'sale', interlock.sale_to_json(p_sale_id));
end
$$;
