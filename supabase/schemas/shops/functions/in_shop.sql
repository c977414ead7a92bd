-- The rows of a query in one shop, by its id or handle, as its functions see them: for what whoever looks after a shop does from outside. A closed
-- one is open to it. Where there is one shop, it is asked as it is.
--
--   select * from interlock.in_shop('berlin', 'select interlock.audit_inventory(true)')
--
-- Callers: postgres; `npm run audit` and `npm run import-stock`.
-- Locks: as interlock.act_for, and what the query takes.
-- Errors: SHOP_UNKNOWN, SHOP_MOVING, and those of the query.
create function interlock.in_shop(p_shop text, p_query text)
returns setof jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_role constant text := current_setting('role');
  v_before constant text := coalesce(current_setting('interlock.shop', true), '');
  v_shop interlock.shops;
begin
  select s.* into v_shop from interlock.shops s where p_shop in (s.id::text, s.handle::text);
  if v_shop.id is null then
    perform interlock.raise_error('SHOP_UNKNOWN', jsonb_build_object('shop', left(p_shop, 64)));
  end if;
  if interlock.serves_shops() then
    perform interlock.act_for(v_shop.id);
    if v_shop.state = 'moving' or current_setting('interlock.shop') = '0' then
      perform interlock.raise_error('SHOP_MOVING', jsonb_build_object('shop', v_shop.id));
    end if;
  end if;
  return query execute format('select to_jsonb(q) from (%s) q', p_query);
  perform set_config('role', v_role, true);
  perform set_config('interlock.shop', v_before, true);
end
$$;
