-- What an event says has happened: what it is about, a dot, what happened to it (order.paid).
create domain interlock.event_type as text
  constraint event_type_format check (value ~ '^[a-z_]+[.][a-z_]+$' and char_length(value) <= 60);
