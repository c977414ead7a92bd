set local lock_timeout = '5s';

select interlock.conceal('inventory_findings');
select interlock.conceal('inventory_audits');
drop function
  public.accept_finding(uuid, text, text),
  public.audit_inventory(boolean),
  public.resolve_finding(uuid, text);
drop function
  interlock.accept_finding,
  interlock.audit_inventory,
  interlock.correct_codes,
  interlock.correct_ledger,
  interlock.correct_open_orders,
  interlock.correct_reservation,
  interlock.correct_sale,
  interlock.correct_slots,
  interlock.correct_transfer,
  interlock.explain_ledger,
  interlock.find_code_differences,
  interlock.find_differences,
  interlock.find_ledger_differences,
  interlock.find_open_order_differences,
  interlock.find_reservation_differences,
  interlock.find_sale_differences,
  interlock.find_slot_differences,
  interlock.find_transfer_differences,
  interlock.finding_to_json,
  interlock.ledger_locations,
  interlock.lock_finding,
  interlock.resolve_finding;
drop table
  interlock.inventory_findings,
  interlock.inventory_audits;
drop domain
  interlock.finding_kind,
  interlock.finding_status;
