-- Whether a shop may be called so: 1 to 63 small letters, digits and hyphens, a letter first, as a part of a domain.
-- The functions ask the same of the header (crates/domain/src/http.rs).
--
-- Callers: domain shop_handle; interlock.add_shop, interlock.set_shop.
-- Locks: none.
create function interlock.is_shop_handle(p_handle text)
returns boolean
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
begin
  return p_handle collate "C" ~ '^[a-z][a-z0-9-]{0,62}$';
end
$$;
