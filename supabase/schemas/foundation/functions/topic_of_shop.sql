-- The topic as it is called for the present shop: in all but shop 1 it ends with @ and the shop's id.
--
-- Callers: interlock.broadcast.
create function interlock.topic_of_shop(p_topic text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  if interlock.serves_shops() and interlock.shop_id() <> 1 then
    return p_topic || '@' || interlock.shop_id();
  end if;
  return p_topic;
end
$$;
