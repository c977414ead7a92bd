-- What interlock.with_shop has made, as it was, but for `match full`.
--
-- Callers: interlock.serve_one_shop.
create function interlock.without_shop(p_definition text)
returns text
language sql
immutable
set search_path = ''
as $$
  select regexp_replace(
    replace(replace(p_definition, '(shop_id, ', '('), ' ON ONLY ', ' ON '), '(ON DELETE SET NULL) \([^)]*\)', '\1'
  )
$$;
