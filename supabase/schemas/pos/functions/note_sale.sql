-- Tell what has become of a sale, as its answer shows it, but for who bought: that has to stay in one table.
--
-- Callers: interlock.make_sale, interlock.void_sale; with what interlock.sale_to_json has made of it.
-- Locks: none.
create function interlock.note_sale(p_type text, p_sale jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.note_event(
    p_type, p_sale ->> 'id', p_sale - 'customer' || jsonb_build_object('customer_id', p_sale #> '{customer,id}')
  );
end
$$;
