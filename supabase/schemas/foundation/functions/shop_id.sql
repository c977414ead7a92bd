-- The shop that the transaction is about: what interlock.find_shop finds, once for each transaction. An installation that serves one
-- shop never asks.
--
-- Callers: policies, defaults and functions of an installation that serves many shops (interlock.serve_shops).
-- Errors: as interlock.find_shop.
-- Security definer: whoever reads or writes need not have a right to look for it.
create function interlock.shop_id()
returns int
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_shop constant text := current_setting('interlock.shop', true);
begin
  if v_shop <> '' then
    return v_shop::int;
  end if;
  return interlock.find_shop();
end
$$;
