-- A code as the shop writes it.
create domain interlock.promo_code as text
  constraint promo_codes_code_readable
    check (char_length(btrim(value)) between 1 and 64 and value !~ '[[:cntrl:]]');

create domain interlock.discount_type as text
  constraint promo_codes_discount_type_known check (value in ('percentage', 'fixed'));
