-- Which two books do not agree.
create domain interlock.finding_kind as text
  constraint inventory_findings_kind_known
    check (value in (
      'ledger', 'sales', 'reservations', 'open_orders', 'codes', 'slots', 'transfers', 'oversold_offline', 'till_sales', 'totals',
      'tenders', 'receipts', 'picked_short'
    ));

create domain interlock.finding_status as text
  constraint inventory_findings_status_known check (value in ('open', 'resolved', 'accepted'));
