-- A tax rate in percent.
create domain interlock.percentage as numeric
  constraint percentage_range check (value between 0 and 100 and value = round(value, 4));
