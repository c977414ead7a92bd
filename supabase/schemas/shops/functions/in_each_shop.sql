-- The rows of a query in each shop, as its functions see them, with its id as `shop`: for what whoever looks after an installation wants to know of
-- all of them, but of each by itself. A shop that is on its way to another database is left out; where there is one shop, `shop` is null.
--
--   select * from interlock.in_each_shop('select count(*) from interlock.orders')
--
-- Callers: postgres; `npm run verify` and `npm run doctor`, where there are many shops.
-- Locks: none of its own.
create function interlock.in_each_shop(p_query text)
returns setof jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_role constant text := current_setting('role');
  v_before constant text := coalesce(current_setting('interlock.shop', true), '');
  v_shop int;
begin
  foreach v_shop in array interlock.shops_to_serve(true) loop
    perform interlock.act_for(v_shop);
    return query execute format('select jsonb_build_object(''shop'', $1) || to_jsonb(q) from (%s) q', p_query) using v_shop;
    perform set_config('role', v_role, true);
  end loop;
  perform set_config('interlock.shop', v_before, true);
end
$$;
