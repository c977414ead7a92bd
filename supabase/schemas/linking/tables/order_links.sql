-- Tables of the shop's own that orders are written to: which field of an order goes into which column. Written by
-- interlock.link_orders, which also makes the triggers on orders and their details, and by interlock.fill_orders.
create table interlock.order_links (
  id uuid not null default interlock.new_id()
    constraint order_links_pkey primary key,
  target regclass not null
    constraint order_links_target_key unique,
  map jsonb not null,
  since timestamptz not null,
  target_search_path text not null,
  filled_at timestamptz,
  created_at timestamptz not null default now()
);

comment on table interlock.order_links is
  'Tables of the shop''s own that orders are written to. Written by link_orders and unlink_orders.';
comment on column interlock.order_links.target is
  'The shop''s table.';
comment on column interlock.order_links.map is
  'Which field goes into which column, as link_orders was given it.';
comment on column interlock.order_links.since is
  'Orders that were placed earlier are none of the table''s.';
comment on column interlock.order_links.target_search_path is
  'The search path under which it was linked: what the shop''s own triggers run with.';
comment on column interlock.order_links.filled_at is
  'When the last of the orders that were there before was written; null: there are some left.';
comment on column interlock.order_links.created_at is
  'When it was linked.';

alter table interlock.order_links enable row level security;

grant select on table interlock.order_links to service_role;
