-- Whether the caller may hear what is broadcast under a topic:
--
--   batches            active drivers, and the shop
--   order:ORDER_ID     its buyer, and the shop
--   packing:SESSION_ID who works at the location of the picking session
--   stock:PRODUCT_ID   everybody, if the product is active; the shop
--
-- In all but shop 1 its name ends with @ and the shop's id.
--
-- Callers: the policy on the platform's messages (interlock.prepare_realtime), as anon and authenticated.
-- Locks: none.
-- Security definer: whoever may hear of a thing need not have rights on its table.
create function interlock.may_hear(p_topic text)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_topic constant text := split_part(p_topic, '@', 1);
  v_kind constant text := split_part(v_topic, ':', 1);
  v_id uuid;
begin
  -- A browser cannot say its shop in a header here.
  if interlock.serves_shops() then
    perform interlock.find_shop(coalesce(nullif(split_part(p_topic, '@', 2), ''), '1'));
  end if;
  if v_topic = 'batches' then
    return exists (select from interlock.drivers d where d.user_id = auth.uid() and d.active) or interlock.acts_for_shop();
  end if;
  if interlock.is_uuid(substr(v_topic, length(v_kind) + 2)) is not true then
    return false;
  end if;
  v_id := substr(v_topic, length(v_kind) + 2)::uuid;
  return case v_kind
    when 'order' then
      exists (select from interlock.orders o where o.id = v_id and (o.user_id = auth.uid() or interlock.acts_for_shop()))
    when 'packing' then
      exists (select from interlock.picking_sessions s where s.id = v_id and interlock.works_at(s.location_id))
    when 'stock' then
      exists (select from interlock.products p where p.id = v_id and (p.active or interlock.acts_for_shop()))
    else false
  end;
end
$$;
