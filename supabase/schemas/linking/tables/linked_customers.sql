-- Which customer a row of the shop's own table is. A key that is a uuid is the customer's id as well, unless that is somebody's;
-- others get a new one. A row that is deleted loses its customer: the same key may be somebody else's later.
--
-- The key is kept when a person is taken out, so that the row does not bring them back; interlock.link_customers refuses keys
-- that are e-mail addresses. No foreign key to customers: who merges two of them need not know of links.
create table interlock.linked_customers (
  link_id uuid not null
    constraint linked_customers_link_id_fkey references interlock.customer_links (id) on delete cascade,
  source_id interlock.label not null,
  customer_id uuid not null
    constraint linked_customers_customer_id_key unique,
  filled boolean not null default false,
  to_erase boolean not null default false,
  constraint linked_customers_pkey primary key (link_id, source_id)
);

comment on table interlock.linked_customers is
  'Which customer a row of the shop''s own table is. Everybody sees those of customers that they see.';
comment on column interlock.linked_customers.link_id is
  'Of which link.';
comment on column interlock.linked_customers.source_id is
  'The key in the shop''s table, as text.';
comment on column interlock.linked_customers.customer_id is
  'The customer in Interlock: what a sale at a till names.';
comment on column interlock.linked_customers.filled is
  'Whether it was brought in since the table was linked.';
comment on column interlock.linked_customers.to_erase is
  'Whether the person is still to be taken out of the shop''s row.';

create index linked_customers_to_erase on interlock.linked_customers (link_id, source_id) where to_erase;

alter table interlock.linked_customers enable row level security;

grant select on table interlock.linked_customers to authenticated, service_role;

create policy linked_customers_select_visible
  on interlock.linked_customers
  for select
  to authenticated
  using (exists (select from interlock.customers c where c.id = customer_id));
