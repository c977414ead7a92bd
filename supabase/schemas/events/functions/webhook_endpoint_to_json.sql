-- An endpoint as the functions answer it: all but its secrets.
--
-- Callers: the functions of endpoints.
-- Locks: none.
create function interlock.webhook_endpoint_to_json(p_endpoint interlock.webhook_endpoints)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return to_jsonb(p_endpoint) - 'shop_id' - 'active_since';
end
$$;
