-- What the older part of a product's ledger at a location adds up to, so that stock_differences need not read it again.
--
-- Closed is every movement of the product there whose id is not above `closed_through`. Written by interlock.close_ledger
-- only, which holds the product and its slots, or the row of inventory: ids are given out under these locks, so none at or
-- below that id can come later, whenever its transaction began.
create table interlock.stock_balances (
  product_id uuid,
  location_id uuid,
  closed_through bigint not null,
  quantity interlock.quantity not null,
  constraint stock_balances_pkey primary key (product_id, location_id)
);

comment on table interlock.stock_balances is
  'The closed part of each product''s ledger at each location, added up.';
comment on column interlock.stock_balances.closed_through is
  'The last movement that is in it: all with an id up to this one are.';
comment on column interlock.stock_balances.quantity is
  'The sum of their deltas: the stock of the product there right after the last of them.';

alter table interlock.stock_balances enable row level security;

grant select on table interlock.stock_balances to service_role;
