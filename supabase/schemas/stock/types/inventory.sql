-- Quantities have at most three decimals and no type modifier: `numeric(14, 3)` would make 0.0004 a silent 0, and of 5 a
-- 5.000. Both limits are there for NaN and Infinity, too, which are greater than every number.

-- A quantity that is there or, below zero, owed.
create domain interlock.quantity as numeric
  constraint quantity_range check (value > -100000000000 and value < 100000000000 and value = round(value, 3));

-- A quantity of something: above nothing.
create domain interlock.positive_quantity as numeric
  constraint positive_quantity_range check (value > 0 and value < 100000000000 and value = round(value, 3));

-- A change of a quantity, in either direction.
create domain interlock.quantity_change as numeric
  constraint quantity_change_range
    check (value <> 0 and value > -200000000000 and value < 200000000000 and value = round(value, 3));

-- As much or less of something is little.
create domain interlock.stock_limit as numeric
  constraint stock_limit_range check (value >= 0 and value < 100000000000 and value = round(value, 3));

-- What a product is counted in, as people read it: piece, kg, m.
create domain interlock.unit_name as text
  constraint unit_name_length check (char_length(value) between 1 and 20);

-- How many decimals a quantity may have.
create domain interlock.decimals as int
  constraint decimals_range check (value between 0 and 3);
