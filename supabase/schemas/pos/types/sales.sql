-- How a sale at a till is paid.
create domain interlock.tender_type as text
  constraint sale_tenders_type_known check (value in ('cash', 'card', 'wallet', 'points'));

create domain interlock.sale_status as text
  constraint sales_status_known check (value in ('completed', 'voided'));

-- Cash that is put into a drawer or taken out of it beside sales.
create domain interlock.cash_movement_kind as text
  constraint cash_movements_kind_known check (value in ('paid_in', 'paid_out'));

-- How many receipts there have been.
create domain interlock.receipt_count as bigint
  constraint receipt_count_nonnegative check (value >= 0);

-- What a receipt number begins with.
create domain interlock.receipt_prefix as text
  constraint registers_receipt_prefix_format check (value ~ '^[A-Z0-9-]+$' and char_length(value) <= 10);

-- What a scanner reads.
create domain interlock.barcode as text
  constraint product_barcodes_barcode_format check (interlock.is_barcode(value));

create domain interlock.parked_sale_status as text
  constraint parked_sales_status_known check (value in ('parked', 'resumed', 'sold', 'discarded', 'expired'));

-- What a manager allows.
create domain interlock.approval_actions as text[]
  constraint sale_approvals_actions_known
  check (value <@ array['discount', 'return_without_receipt', 'void'] and cardinality(value) > 0);
