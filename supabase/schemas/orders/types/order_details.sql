-- What people say about an order, such as an address: any members, in as many bytes as Postgres writes it with.
create domain interlock.details as jsonb
  constraint details_object check (jsonb_typeof(value) = 'object' and octet_length(value::text) <= 4096);
