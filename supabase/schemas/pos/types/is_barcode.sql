-- Whether a text is what a scanner reads: 1 to 64 printable ASCII characters without blanks. The functions ask the same
-- (crates/domain/src/fields.rs).
--
-- Callers: domain interlock.barcode; interlock.find_sale_problems, interlock.find_return_problems, interlock.find_scan_problems.
-- Locks: none.
create function interlock.is_barcode(p_text text)
returns boolean
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
begin
  return char_length(p_text) <= 64 and p_text ~ '^[\x21-\x7e]+$';
end
$$;
