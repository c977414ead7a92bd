-- Give a row the present shop.
--
-- Callers: trigger a_shop of every table, once there are many shops.
create function interlock.fill_shop()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.shop_id := interlock.shop_id();
  return new;
end
$$;
