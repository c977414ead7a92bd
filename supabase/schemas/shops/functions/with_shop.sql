-- The definition of a key, a reference or an index as Postgres writes it, with the shop key in it, first: a shop's rows are
-- together, and its lists are read in order.
--
-- Callers: interlock.serve_shops.
create function interlock.with_shop(p_definition text)
returns text
language sql
immutable
set search_path = ''
as $$
  select case
    when p_definition like 'FOREIGN KEY%' then regexp_replace(
      -- What is emptied is what referred, not the shop.
      regexp_replace(
        replace(p_definition, ' MATCH FULL', ''),
        'ON DELETE SET NULL(?! \()', 'ON DELETE SET NULL ' || substring(p_definition from '\([^)]*\)')
      ),
      '^(FOREIGN KEY )\((.*? REFERENCES [^(]*)\(', '\1(shop_id, \2(shop_id, '
    )
    -- Of the parts of a history, too, which Postgres does not write.
    else regexp_replace(replace(p_definition, ' ON ONLY ', ' ON '), '\(', '(shop_id, ')
  end
$$;
