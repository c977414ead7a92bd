-- What a receipt is called: its number, after what its register's receipts begin with.
--
-- Callers: interlock.sale_to_json, interlock.receipt_rows.
-- Locks: none.
create function interlock.receipt_label(p_prefix text, p_number bigint)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return concat_ws('-', p_prefix, lpad(p_number::text, greatest(6, length(p_number::text)), '0'));
end
$$;
