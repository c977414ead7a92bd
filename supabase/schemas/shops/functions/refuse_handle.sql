-- Refuse a handle that another shop has.
--
-- Callers: interlock.add_shop, interlock.set_shop.
-- Errors: SHOP_HANDLE_TAKEN.
create function interlock.refuse_handle(p_handle text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.raise_error('SHOP_HANDLE_TAKEN', jsonb_build_object(
    'shop', (select s.id from interlock.shops s where s.handle = p_handle)
  ));
end
$$;
