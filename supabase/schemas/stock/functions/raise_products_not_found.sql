-- Refuse products that do not exist or are not for sale.
--
-- Errors: PRODUCT_NOT_FOUND.
create function interlock.raise_products_not_found(p_product_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.raise_error(
    'PRODUCT_NOT_FOUND',
    jsonb_build_object('product_ids', (select jsonb_agg(u.id order by u.id) from unnest(p_product_ids) as u (id)))
  );
end
$$;
