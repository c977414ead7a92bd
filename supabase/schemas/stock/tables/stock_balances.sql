-- What the older part of a product's ledger adds up to, so that stock_differences need not read it again.
--
-- Closed is every movement of the product whose id is not above `closed_through`. Written by interlock.close_ledger
-- only, which holds the product and its slots: ids are given out under these locks, so none at or below that id can come
-- later, whenever its transaction began.
create table interlock.stock_balances (
  product_id uuid
    constraint stock_balances_pkey primary key,
  closed_through bigint not null,
  quantity bigint not null
);

comment on table interlock.stock_balances is
  'The closed part of each product''s ledger, added up.';
comment on column interlock.stock_balances.closed_through is
  'The last movement that is in it: all with an id up to this one are.';
comment on column interlock.stock_balances.quantity is
  'The sum of their deltas: the stock of the product right after the last of them.';

alter table interlock.stock_balances enable row level security;

grant select on table interlock.stock_balances to service_role;
