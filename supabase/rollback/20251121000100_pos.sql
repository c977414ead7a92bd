set local lock_timeout = '5s';

select interlock.conceal('sale_tenders');
select interlock.conceal('sale_lines');
select interlock.conceal('sales');
select interlock.conceal('product_barcodes');
select interlock.conceal('cash_movements');
select interlock.conceal('shifts');
select interlock.conceal('registers');
drop function
  public.close_shift(uuid, bigint),
  public.move_cash(uuid, text, bigint, text, text),
  public.open_shift(uuid, bigint),
  public.pos_sale(uuid, jsonb, jsonb, jsonb, jsonb, text, uuid, timestamptz, uuid, uuid, bigint, text),
  public.void_sale(uuid, text);
drop function
  interlock.close_shift,
  interlock.expected_cash,
  interlock.find_sale_problems,
  interlock.lock_register,
  interlock.lock_shift,
  interlock.look_at_sale,
  interlock.move_cash,
  interlock.open_shift,
  interlock.pos_sale,
  interlock.refuse_tenders,
  interlock.require_till,
  interlock.return_sold_stock,
  interlock.sale_to_json,
  interlock.shift_report,
  interlock.take_sold_stock,
  interlock.void_sale;
drop table
  interlock.sale_tenders,
  interlock.product_barcodes,
  interlock.cash_movements,
  interlock.sale_lines,
  interlock.sales,
  interlock.shifts,
  interlock.registers;
drop type
  interlock.sale_look;
drop domain
  interlock.tender_type,
  interlock.sale_status,
  interlock.cash_movement_kind,
  interlock.receipt_count,
  interlock.receipt_prefix,
  interlock.barcode;
drop function
  interlock.till_role;
