-- The most units that a product may have in stock. The check products_available_quantity_sane says the same number once
-- more: a call there would be made again by every sale.
--
-- Callers: whatever puts units on the shelf, or says how many there may be.
create function interlock.most_units()
returns int
language sql
immutable
parallel safe
set search_path = ''
as $$
  select 1000000000
$$;
