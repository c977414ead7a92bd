-- A digital key, as it is delivered.
create domain interlock.product_code as text
  constraint product_codes_code_length check (char_length(value) between 1 and 500);
