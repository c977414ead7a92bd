-- What has happened to what: two words, as `sale.completed`.
create domain interlock.event_type as text
  constraint events_type_format check (value ~ '^[a-z_]+[.][a-z_]+$' and char_length(value) <= 60);
