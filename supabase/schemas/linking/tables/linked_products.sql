-- Which product a row of the shop's own table is. A key that is a uuid is the product's id as well, others get a new one. A
-- row that is deleted keeps its product, inactive: orders name it, and the same key may come back.
--
-- No foreign key to products: its check would be looked at by every sale. A product that has an order cannot be deleted
-- anyway, and interlock.product_drift names those that are gone.
create table interlock.linked_products (
  link_id uuid not null
    constraint linked_products_link_id_fkey references interlock.product_links (id) on delete cascade,
  source_id interlock.label not null,
  product_id uuid not null
    constraint linked_products_product_id_key unique,
  filled boolean not null default false,
  constraint linked_products_pkey primary key (link_id, source_id)
);

comment on table interlock.linked_products is
  'Which product a row of the shop''s own table is. Everybody sees those of products that they see.';
comment on column interlock.linked_products.link_id is
  'Of which link.';
comment on column interlock.linked_products.source_id is
  'The key in the shop''s table, as text.';
comment on column interlock.linked_products.product_id is
  'The product in Interlock: what a cart names.';
comment on column interlock.linked_products.filled is
  'Whether it was brought in since the table was linked.';

alter table interlock.linked_products enable row level security;

grant select on table interlock.linked_products to anon, authenticated, service_role;

create policy linked_products_select_visible
  on interlock.linked_products
  for select
  to anon, authenticated
  using (exists (select from interlock.products p where p.id = product_id));
