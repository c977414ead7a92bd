-- A row of the shop's own table of products as Interlock would have it: money in minor units, whole units of stock, and by name
-- all that keeps it from being taken over (interlock.source_problems says each in words). What is wrong is null.
create type interlock.source_row as (
  source_id text,
  name text,
  price bigint,
  currency text,
  active boolean,
  quantity int,
  problems text[]
);
