-- What public.resolve_finding does, with its owner's rights: correct what an audit has found, with a reason that stands in the
-- ledger. What is on the shelf is the truth for the ledger, and what an order or a reservation holds for what was taken. A
-- finding that is gone by now is resolved as well; one that is resolved already is answered again, and nothing is done.
--
-- Callers: authenticated (staff) and service_role, through public.resolve_finding.
-- Locks: the finding; then as its kind says: account and order, reservation, counter of open orders, transfer, sale, rows
--   of inventory, stock rows, slots, codes.
--   All waits together last two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, FINDING_NOT_FOUND, FINDING_NOT_CORRECTABLE (it is there still),
--   INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED, PRODUCT_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write the ledger, and staff none to write stock.
create function interlock.resolve_finding(p_finding_id uuid, p_reason text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_finding interlock.inventory_findings;
  v_is_left boolean;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();
  if p_finding_id is null then
    v_problems := v_problems || interlock.problem('/p_finding_id', 'is required');
  end if;
  if interlock.is_line(p_reason, 100) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must have 1 to 100 characters');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_finding := interlock.lock_finding(p_finding_id);
  if v_finding.status = 'resolved' then
    return jsonb_build_object('success', true, 'finding', interlock.finding_to_json(v_finding));
  end if;

  begin
    case v_finding.kind
      when 'ledger' then
        perform interlock.correct_ledger(v_finding.product_id, v_finding.location_id, p_reason, 'finding ' || v_finding.id);
      when 'sales' then
        perform interlock.correct_sale(v_finding.subject_id, v_finding.product_id, p_reason);
      when 'reservations' then
        perform interlock.correct_reservation(v_finding.subject_id, v_finding.product_id, p_reason);
      when 'open_orders' then
        perform interlock.correct_open_orders(v_finding.subject_id);
      when 'codes' then
        perform interlock.correct_codes(v_finding.product_id, v_finding.subject_id, p_reason);
      when 'slots' then
        perform interlock.correct_slots(v_finding.product_id);
      when 'transfers' then
        perform interlock.correct_transfer(v_finding.subject_id, v_finding.product_id, v_finding.location_id, p_reason);
      when 'oversold_offline' then
        perform interlock.correct_shortfall(v_finding.subject_id, v_finding.product_id, p_reason);
      when 'picked_short' then
        perform interlock.correct_short_pick(v_finding.subject_id, v_finding.product_id);
      when 'till_sales' then
        perform interlock.correct_till_sale(v_finding.subject_id, v_finding.product_id, v_finding.location_id, p_reason);
      -- Money that was taken or not, and numbers that were given out, are for people to look at.
      else
    end case;

    v_is_left := exists (
      select
      from interlock.find_differences(
        array[v_finding.product_id], array[v_finding.subject_id], array[v_finding.subject_id], array[v_finding.subject_id],
        array[v_finding.subject_id], array[v_finding.subject_id], array[v_finding.subject_id]
      ) d
      where d.kind = v_finding.kind
        and d.product_id is not distinct from v_finding.product_id
        and d.location_id is not distinct from v_finding.location_id
        and d.subject_id is not distinct from v_finding.subject_id
    );
  exception
    when check_violation then
      v_is_left := true;
  end;
  if v_is_left then
    perform interlock.raise_error('FINDING_NOT_CORRECTABLE', jsonb_build_object(
      'finding_id', v_finding.id, 'kind', v_finding.kind, 'cause', v_finding.cause
    ));
  end if;

  update interlock.inventory_findings f
  set status = 'resolved',
      decided_at = clock_timestamp(),
      reason = p_reason,
      decided_by = null,
      actor = auth.uid()
  where f.id = p_finding_id
  returning f.* into v_finding;
  return jsonb_build_object('success', true, 'finding', interlock.finding_to_json(v_finding));
end
$$;
