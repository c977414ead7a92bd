-- The details of an order as its buyer sees them: those that there are. Null if there are none.
--
-- Callers: interlock.checkout, interlock.order_to_json.
create function interlock.shape_details(p_shipping_address jsonb, p_contact jsonb, p_metadata jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  if num_nonnulls(p_shipping_address, p_contact, p_metadata) = 0 then
    return null;
  end if;
  return (
    select jsonb_object_agg(d.name, d.value)
    from (values
      ('shipping_address', p_shipping_address), ('contact', p_contact), ('metadata', p_metadata)
    ) as d (name, value)
    where d.value is not null
  );
end
$$;
