-- The product that a worker has named or scanned.
--
-- Callers: interlock.pick_item, interlock.pack_item, after they have looked that one of both is there.
-- Errors: BARCODE_NOT_FOUND.
create function interlock.find_scanned_product(p_product_id uuid, p_barcode text)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
declare
  v_product_id uuid := p_product_id;
begin
  if p_barcode is not null then
    select b.product_id into v_product_id from interlock.product_barcodes b where b.barcode = p_barcode;
    if v_product_id is null then
      perform interlock.raise_error('BARCODE_NOT_FOUND', jsonb_build_object('barcodes', jsonb_build_array(p_barcode)));
    end if;
  end if;
  return v_product_id;
end
$$;
