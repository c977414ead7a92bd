-- Orders whose row in the shop's own table could not be written at once: it was locked by somebody, whom a sale does not wait for, or
-- the shop's own triggers or constraints refused. It is written by whoever changes the order next, and by a job, every minute. A row
-- is written and deleted under the lock of its order.
create table interlock.order_write_outs (
  order_id uuid not null,
  link_id uuid not null
    constraint order_write_outs_link_id_fkey references interlock.order_links (id) on delete cascade,
  reason text not null,
  since timestamptz not null default now(),
  constraint order_write_outs_pkey primary key (order_id, link_id)
);

comment on table interlock.order_write_outs is
  'Orders that are still to be written to the shop''s own table.';
comment on column interlock.order_write_outs.order_id is
  'Which order.';
comment on column interlock.order_write_outs.link_id is
  'By which link.';
comment on column interlock.order_write_outs.reason is
  'Why it could not be written.';
comment on column interlock.order_write_outs.since is
  'Since when.';

alter table interlock.order_write_outs enable row level security;

grant select on table interlock.order_write_outs to service_role;
