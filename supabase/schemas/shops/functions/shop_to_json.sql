-- A shop as the functions answer it.
--
-- Callers: interlock.list_shops, interlock.set_shop.
-- Locks: none.
create function interlock.shop_to_json(p_shop interlock.shops)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'id', p_shop.id,
    'handle', p_shop.handle,
    'state', p_shop.state,
    'requests_at_once', p_shop.requests_at_once,
    'created_at', p_shop.created_at
  );
end
$$;
