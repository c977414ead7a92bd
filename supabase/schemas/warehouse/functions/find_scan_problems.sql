-- What is wrong with what a worker has named or scanned, and how much of it.
--
-- Callers: interlock.pick_item, interlock.pack_item.
create function interlock.find_scan_problems(p_product_id uuid, p_barcode text, p_quantity int, p_least int)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  if num_nonnulls(p_product_id, p_barcode) <> 1 then
    v_problems := v_problems || interlock.problem('/p_product_id', 'is required, or p_barcode, not both');
  end if;
  if not interlock.is_barcode(p_barcode) then
    v_problems := v_problems || interlock.problem('/p_barcode', 'must be 1 to 64 printable ASCII characters without blanks');
  end if;
  if p_quantity not between p_least and 1000 then
    v_problems := v_problems || interlock.problem('/p_quantity', format('must be %s to 1000', p_least));
  end if;
  return v_problems;
end
$$;
