-- What public.pos_sale does, with its owner's rights: a sale at a till in one transaction, all or nothing (interlock.make_sale). What it
-- refuses it tells with all that is wrong besides: the code is that of the first problem, and `problems` in its details has each
-- of them, with its pointer.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.pos_sale.
-- Locks: as interlock.make_sale, two seconds at most. A refusal has let go of them, and may take some again for a moment (interlock.find_sale_refusals).
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, REGISTER_NOT_FOUND, SHIFT_NOT_FOUND,
--   SHIFT_NOT_OPEN, BARCODE_NOT_FOUND, INVENTORY_NOT_FOUND, PRODUCT_NOT_FOUND, STOCK_ELSEWHERE, MIXED_CURRENCIES, DISCOUNT_NOT_ALLOWED,
--   INSUFFICIENT_INVENTORY, PRICE_CHANGED, UNDERPAID, OVERPAID, TENDER_REFERENCE_USED; with goods that come back also
--   RETURN_NOT_ALLOWED, SALE_NOT_FOUND, SALE_VOIDED, RETURN_EXCEEDS_SOLD, REFUND_EXCEEDS_PAID, STOCK_LIMIT_EXCEEDED; of a parked sale
--   PARKED_SALE_NOT_FOUND, PARKED_SALE_TAKEN, PARKED_SALE_ENDED; APPROVAL_NOT_FOUND; those of interlock.lock_buyer,
--   interlock.charge_buyer and interlock.redeem_sale_promo; 55P03 and 40P01 are transient and nothing
--   has happened.
-- Security definer: nobody has the right to write sales or stock.
create function interlock.pos_sale(
  p_register_id uuid,
  p_lines jsonb,
  p_tenders jsonb,
  p_returns jsonb,
  p_customer jsonb,
  p_promo_code text,
  p_parked_sale_id uuid,
  p_client_time timestamptz,
  p_shift_id uuid,
  p_approval_id uuid,
  p_expected_total bigint,
  p_idempotency_key text
)
returns json
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
  v_role constant text := interlock.require_till();
  v_request constant jsonb := interlock.given(jsonb_build_object(
    'register_id', p_register_id, 'lines', p_lines, 'tenders', p_tenders, 'returns', p_returns, 'customer', p_customer,
    'promo_code', p_promo_code, 'parked_sale_id', p_parked_sale_id, 'client_time', p_client_time, 'shift_id', p_shift_id,
    'approval_id', p_approval_id
  ));
  v_offline constant boolean := p_client_time is not null;
  v_problems jsonb := interlock.find_sale_problems(v_request, p_idempotency_key);
  v_state text;
  v_code text;
  v_detail text;
  v_hint text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if v_offline then
    v_problems := nullif(coalesce(v_problems, '[]') || interlock.find_client_time_problems(p_client_time, '/client_time'), '[]');
  end if;
  if v_problems is not null then
    perform interlock.refuse_problems(v_problems);
  end if;

  begin
    return interlock.make_sale(
      p_register_id, p_lines, p_tenders, p_returns, p_customer, p_promo_code, p_parked_sale_id, p_client_time, p_shift_id,
      p_approval_id, p_expected_total, p_idempotency_key, v_role, v_request
    );
  exception
    when sqlstate 'PT400' or sqlstate 'PT402' or sqlstate 'PT403' or sqlstate 'PT404' or sqlstate 'PT409' or sqlstate 'PT410'
      or sqlstate 'PT422' then
      get stacked diagnostics
        v_state = returned_sqlstate,
        v_code = message_text,
        v_detail = pg_exception_detail,
        v_hint = pg_exception_hint;
  end;

  -- A key that was used says nothing of what is in the request.
  if v_code <> 'IDEMPOTENCY_KEY_REUSED' then
    v_detail := v_detail::jsonb || jsonb_build_object(
      'problems', interlock.find_sale_refusals(v_code, v_detail::jsonb, v_request, p_expected_total, v_role)
    );
  end if;
  raise exception using errcode = v_state, message = v_code, detail = v_detail, hint = v_hint;
end
$$;
