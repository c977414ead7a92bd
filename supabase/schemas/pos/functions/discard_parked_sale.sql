-- What public.discard_parked_sale does, with its owner's rights: end a parked sale that nobody wants any more; what it holds is on the
-- shelf again. Called again it answers the same.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.discard_parked_sale.
-- Locks: the parked sale; stock as interlock.lock_sold_stock. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, PARKED_SALE_NOT_FOUND, PARKED_SALE_ENDED (it was sold),
--   STOCK_LIMIT_EXCEEDED; 55P03 is transient.
-- Security definer: nobody has the right to write parked sales or stock.
create function interlock.discard_parked_sale(p_parked_sale_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_parked interlock.parked_sales;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_till();
  if p_parked_sale_id is null then
    perform interlock.refuse_problems(interlock.problem('/p_parked_sale_id', 'is required'));
  end if;

  v_parked := interlock.lock_parked_sale(p_parked_sale_id);
  if v_parked.status = 'sold' then
    perform interlock.raise_error('PARKED_SALE_ENDED', jsonb_build_object(
      'parked_sale_id', p_parked_sale_id, 'status', 'sold', 'sale_id', v_parked.sale_id
    ));
  end if;
  if v_parked.ended_at is null then
    v_parked := interlock.end_parked_sale(v_parked, 'discarded');
  end if;
  return jsonb_build_object('success', true, 'parked_sale', interlock.parked_sale_to_json(v_parked));
end
$$;
