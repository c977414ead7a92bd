-- Every difference between the books that these products, orders, reservations, customers, transfers, sales at tills (or picking
-- sessions: their ids stand among those of the sales) and registers are in.
-- Each kind is asked in a statement of its own, which sees the rows of one moment.
--
-- Callers: interlock.audit_inventory, interlock.resolve_finding.
-- Locks: none.
create function interlock.find_differences(
  p_product_ids uuid[],
  p_order_ids uuid[],
  p_reservation_ids uuid[],
  p_user_ids uuid[],
  p_transfer_ids uuid[],
  p_sale_ids uuid[],
  p_register_ids uuid[],
  p_kept_since timestamptz default null
)
returns table (
  kind text, product_id uuid, location_id uuid, subject_id uuid, expected numeric, found numeric, since timestamptz, cause text
)
language plpgsql
set search_path = ''
as $$
begin
  return query
    select 'ledger', d.product_id, d.location_id, null::uuid, d.expected, d.found, e.o_since, e.o_cause
    from interlock.find_ledger_differences(p_product_ids) d
    cross join lateral interlock.explain_ledger(d.product_id, d.location_id) e;
  return query
    select 'sales', d.product_id, null::uuid, d.order_id, d.expected, d.found, d.since, d.cause
    from interlock.find_sale_differences(p_order_ids, p_kept_since) d;
  return query
    select 'reservations', d.product_id, null::uuid, d.reservation_id, d.expected, d.found, d.since, d.cause
    from interlock.find_reservation_differences(p_reservation_ids) d;
  return query
    select 'open_orders', null::uuid, null::uuid, d.user_id, d.expected, d.found, null::timestamptz, d.cause
    from interlock.find_open_order_differences(p_user_ids) d;
  return query
    select 'codes', d.product_id, null::uuid, d.order_id, d.expected, d.found, d.since, d.cause
    from interlock.find_code_differences(p_product_ids, p_order_ids) d;
  return query
    select 'slots', d.product_id, null::uuid, null::uuid, d.expected, d.found, null::timestamptz, d.cause
    from interlock.find_slot_differences(p_product_ids) d;
  return query
    select 'transfers', d.product_id, d.location_id, d.transfer_id, d.expected, d.found, d.since, d.cause
    from interlock.find_transfer_differences(p_transfer_ids, p_kept_since) d;
  return query
    select 'oversold_offline', d.product_id, d.location_id, d.sale_id, d.expected, d.found, d.since, d.cause
    from interlock.find_shortfalls(p_sale_ids) d;
  return query
    select 'picked_short', d.product_id, d.location_id, d.session_id, d.expected, d.found, d.since, d.cause
    from interlock.find_short_picks(p_sale_ids) d;
  return query select d.* from interlock.find_till_differences(p_sale_ids, p_register_ids, p_kept_since) d;
end
$$;
