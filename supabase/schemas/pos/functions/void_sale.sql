-- What public.void_sale does, with its owner's rights: undo a sale as long as its shift is open. What it took goes back to the stock,
-- and it counts no more in the closing report; its receipt keeps its number. What came back with it has not come back any more: it is
-- taken out of the stock again, and may come back anew. Called again it answers the same. A card payment is undone at the
-- terminal, not here.
--
-- Callers: authenticated (managers and staff; a cashier for a sale of their own, or
--   with a manager's approval) and service_role, through public.void_sale.
-- Locks: the sale, and those of which something came back with it, by id; an approval; of its customer the account, the points and the wallet; the uses of its
--   promo code; stock as interlock.undo_sold_stock; the register. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, SALE_NOT_FOUND, APPROVAL_NOT_FOUND, SALE_RETURNED, SHIFT_CLOSED, STOCK_LIMIT_EXCEEDED,
--   INSUFFICIENT_INVENTORY, INSUFFICIENT_FUNDS, WALLET_UNLINKED; 55P03 and 40P01 are transient and nothing has happened.
-- Security definer: nobody has the right to write sales or stock.
create function interlock.void_sale(p_sale_id uuid, p_reason text, p_approval_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- Lines are few, and each is looked up; guessed at a hundred, they would have every row of a small shop read instead.
set enable_hashjoin = off
set enable_mergejoin = off
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_role text;
  v_sale interlock.sales;
  v_shift interlock.shifts;
  v_returned jsonb;
  v_approved_by uuid;
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

  perform interlock.lock_sales(array(
    select p_sale_id
    union
    select u.id
    from interlock.sales s
    cross join lateral (
      select s.root_sale_id as id
      union all
      select r.original_sale_id from interlock.sale_returns r where r.sale_id = s.id
    ) u
    where s.id = p_sale_id
  ));
  select s.* into v_sale from interlock.sales s where s.id = p_sale_id;
  if not found then
    perform interlock.raise_error('SALE_NOT_FOUND', jsonb_build_object('sale_id', p_sale_id));
  end if;
  if v_role = 'cashier' and v_sale.cashier is distinct from auth.uid() and p_approval_id is null then
    perform interlock.raise_error('FORBIDDEN');
  end if;

  if v_sale.status = 'completed' then
    if p_approval_id is not null then
      v_approved_by := interlock.use_approval(p_approval_id, v_sale.register_id, array['void'], p_sale_id);
    end if;
    select jsonb_agg(jsonb_build_object('line', l.line, 'returned', trim_scale(l.returned_quantity)) order by l.line)
    into v_returned
    from interlock.sale_lines l
    where l.sale_id = p_sale_id
      and l.returned_quantity > 0;
    if v_returned is not null then
      perform interlock.raise_error('SALE_RETURNED', jsonb_build_object('sale_id', p_sale_id, 'lines', v_returned));
    end if;

    update interlock.sale_lines l
    set returned_quantity = l.returned_quantity - r.quantity,
        returned_amount = l.returned_amount - r.amount,
        returned_tax = l.returned_tax - r.tax
    from (
      select b.original_sale_id, b.original_line, sum(b.quantity) as quantity, sum(b.amount) as amount, sum(b.tax) as tax
      from interlock.sale_returns b
      where b.sale_id = p_sale_id
      group by b.original_sale_id, b.original_line
    ) r
    where l.sale_id = r.original_sale_id
      and l.line = r.original_line;
    perform interlock.give_buyer_back(v_sale);
    if v_sale.promo_code is not null then
      perform interlock.return_promos(array[p_sale_id]);
    end if;
    perform interlock.undo_sold_stock(p_sale_id, v_sale.location_id);

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
        approved_by = coalesce(v_approved_by, s.approved_by),
        void_reason = p_reason
    where s.id = p_sale_id;
    perform interlock.note_sale('sale.voided', interlock.sale_to_json(p_sale_id)::jsonb);
  end if;

  return jsonb_build_object('success', true, 'sale', interlock.sale_to_json(p_sale_id));
end
$$;
