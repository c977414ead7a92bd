-- A row of the shop's own table of customers as Interlock would have it, and whose it is. `state` is
--
--   new       nobody's yet; customer_id is null, or that of a customer who is gone
--   known     a customer whom Interlock has already is the same person (customer_links.same_by)
--   linked    that of its customer, also if they were merged into another one meanwhile
--   merged    its customer was merged into that of another row, which speaks for both
--   erased    its customer was taken out, and does not come back by this row
--
-- `problems` keep the row from being taken over; what is `unfit` is null here, and refused or left out as the link says
-- (interlock.source_problems says each in words).
create type interlock.linked_person as (
  source_id text,
  name text,
  email text,
  phone text,
  user_id uuid,
  marketing boolean,
  customer_id uuid,
  state text,
  problems text[],
  unfit text[]
);
