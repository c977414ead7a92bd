set local lock_timeout = '5s';

select interlock.conceal('sale_approvals');
select interlock.conceal('parked_sales');
select interlock.conceal('shift_corrections');
select interlock.conceal('sale_shortfalls');
select interlock.conceal('sale_returns');
select interlock.conceal('sale_tenders');
select interlock.conceal('sale_lines');
select interlock.conceal('sales');
select interlock.conceal('product_barcodes');
select interlock.conceal('cash_movements');
select interlock.conceal('shifts');
select interlock.conceal('registers');
drop function
  public.alpine_iq_sale(uuid),
  public.approve_sale(uuid, text[], text),
  public.close_shift(uuid, bigint),
  public.discard_parked_sale(uuid),
  public.expire_parked_sales(int),
  public.move_cash(uuid, text, bigint, text, text),
  public.open_shift(uuid, bigint, uuid, timestamptz),
  public.park_sale(uuid, text, jsonb, jsonb, boolean, timestamptz, uuid, text),
  public.pos_sale(uuid, jsonb, jsonb, jsonb, jsonb, text, uuid, timestamptz, uuid, uuid, bigint, text),
  public.resume_parked_sale(uuid, uuid),
  public.sale_receipt(uuid, text, int, text),
  public.void_sale(uuid, text, uuid);
drop view interlock.shift_corrections;
drop function
  interlock.alpine_iq_sale,
  interlock.approve_sale,
  interlock.begin_sale,
  interlock.charge_buyer,
  interlock.claim_parked_sale,
  interlock.close_shift,
  interlock.correct_shortfall,
  interlock.correct_till_sale,
  interlock.currency_decimals,
  interlock.discard_parked_sale,
  interlock.end_parked_sale,
  interlock.escape_html,
  interlock.exchanged_sales,
  interlock.expected_cash,
  interlock.expire_parked_sales,
  interlock.find_client_time_problems,
  interlock.find_return_problems,
  interlock.find_sale_answer,
  interlock.find_sale_problems,
  interlock.find_shortfalls,
  interlock.find_till_differences,
  interlock.finish_sale,
  interlock.forget_buyer,
  interlock.format_amount,
  interlock.format_number,
  interlock.give_buyer_back,
  interlock.give_sold_stock,
  interlock.lock_buyer,
  interlock.lock_parked_sale,
  interlock.lock_register,
  interlock.lock_sales,
  interlock.lock_shift,
  interlock.lock_sold_stock,
  interlock.look_at_approval,
  interlock.look_at_sale,
  interlock.move_cash,
  interlock.note_sale,
  interlock.note_shortfalls,
  interlock.open_shift,
  interlock.paid_by_points,
  interlock.park_sale,
  interlock.parked_sale_to_json,
  interlock.points_to_give_back,
  interlock.pos_sale,
  interlock.price_returns,
  interlock.put_back,
  interlock.receipt_as_html,
  interlock.receipt_as_text,
  interlock.receipt_label,
  interlock.receipt_page,
  interlock.receipt_rows,
  interlock.receipt_words,
  interlock.redeem_sale_promo,
  interlock.refuse_look,
  interlock.refuse_refund,
  interlock.refuse_tenders,
  interlock.require_till,
  interlock.resume_parked_sale,
  interlock.returns_to_json,
  interlock.review_sale,
  interlock.sale_hash,
  interlock.sale_receipt,
  interlock.sale_to_json,
  interlock.share_by_points,
  interlock.shift_of_sale,
  interlock.shift_report,
  interlock.shift_tenders,
  interlock.spend_points,
  interlock.take_parked_sale,
  interlock.take_receipted_returns,
  interlock.take_returned_points,
  interlock.take_returns,
  interlock.take_sold_stock,
  interlock.take_what_is_there,
  interlock.text_width,
  interlock.undo_sold_stock,
  interlock.use_approval,
  interlock.void_sale,
  interlock.wrap_text;
drop table
  interlock.sale_tenders,
  interlock.sale_shortfalls,
  interlock.sale_returns,
  interlock.sale_keys,
  interlock.sale_approvals,
  interlock.product_barcodes,
  interlock.parked_sales,
  interlock.cash_movements,
  interlock.sale_lines,
  interlock.sales,
  interlock.shifts,
  interlock.registers;
drop type
  interlock.buyer,
  interlock.sale_look;
drop domain
  interlock.tender_type,
  interlock.sale_status,
  interlock.cash_movement_kind,
  interlock.receipt_count,
  interlock.receipt_prefix,
  interlock.barcode,
  interlock.parked_sale_status,
  interlock.approval_actions;
drop function
  interlock.is_barcode;
