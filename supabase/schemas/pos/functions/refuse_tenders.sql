-- Refuse tenders that do not pay a total: less than it, or more where there is no cash to give change from. Answers the
-- change.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals.
-- Errors: UNDERPAID, OVERPAID.
create function interlock.refuse_tenders(p_tenders jsonb, p_total bigint, p_currency text)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_paid numeric;
  v_cash numeric;
begin
  select coalesce(sum(t.amount), 0), coalesce(sum(t.amount) filter (where t.type = 'cash'), 0)
  into v_paid, v_cash
  from jsonb_to_recordset(p_tenders) as t (type text, amount numeric);

  if v_paid < p_total then
    perform interlock.raise_error('UNDERPAID', jsonb_build_object(
      'total', p_total, 'paid', v_paid, 'missing', p_total - v_paid, 'currency', p_currency
    ));
  end if;
  if v_paid - p_total > v_cash then
    perform interlock.raise_error('OVERPAID', jsonb_build_object(
      'total', p_total, 'paid', v_paid, 'excess', v_paid - v_cash - p_total, 'currency', p_currency
    ));
  end if;
  return v_paid - p_total;
end
$$;
