-- What becomes of a product whose row in a linked table has changed.
create type interlock.linked_move as (
  id uuid,
  name text,
  price bigint,
  currency text,
  active boolean,
  available int,
  quantity numeric
);
