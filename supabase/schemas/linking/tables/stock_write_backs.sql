-- Stock that could not be written back to the shop's column at once: its row was locked by somebody, whom a sale does not wait
-- for, or the shop's own triggers or constraints refused. It is written by whoever changes the row or the stock next, and by a
-- job, every minute. A row is written and deleted under the lock of its product.
create table interlock.stock_write_backs (
  product_id uuid not null
    constraint stock_write_backs_pkey primary key,
  link_id uuid not null,
  source_id text not null,
  reason text not null,
  since timestamptz not null default now()
);

comment on table interlock.stock_write_backs is
  'Stock that is still to be written to the shop''s own column.';
comment on column interlock.stock_write_backs.product_id is
  'Of which product.';
comment on column interlock.stock_write_backs.link_id is
  'By which link.';
comment on column interlock.stock_write_backs.source_id is
  'In which row of the shop''s table.';
comment on column interlock.stock_write_backs.reason is
  'Why it could not be written.';
comment on column interlock.stock_write_backs.since is
  'Since when.';

alter table interlock.stock_write_backs enable row level security;

grant select on table interlock.stock_write_backs to service_role;
