-- What a template of a mail can say, by name; `lines` is a table, and a paragraph of its own.
--
-- Callers: interlock.find_template_problems.
-- Locks: none.
create function interlock.mail_placeholders()
returns text[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array[
    'shop', 'order_number', 'order_date', 'total', 'paid_by', 'transfer_until', 'cash_due', 'tracking', 'items_left',
    'refund', 'refunded_to', 'reduction', 'new_total', 'order_url', 'lines'
  ];
end
$$;
