-- A code as the shop writes it.
create domain interlock.promo_code as text
  constraint promo_codes_code_readable check (interlock.is_line(value, 64) and interlock.normal_text(value) <> '');

create domain interlock.discount_type as text
  constraint promo_codes_discount_type_known check (value in ('percentage', 'fixed'));

-- Where a day is a day.
create domain interlock.time_zone as text
  constraint promo_codes_time_zone_known check (interlock.is_time_zone(value));
