-- Write down what has become of a sale, as its answer shows it, but for who bought: that has to stay in one table.
--
-- Callers: interlock.pos_sale, interlock.void_sale.
-- Locks: none.
create function interlock.note_sale(p_type text, p_sale_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_sale constant jsonb := interlock.sale_to_json(p_sale_id);
begin
  perform interlock.note_event(
    p_type, p_sale_id::text, v_sale - 'customer' || jsonb_build_object('customer_id', v_sale #> '{customer,id}')
  );
end
$$;
