create table interlock.promo_code_products (
  promo_id uuid not null
    constraint promo_code_products_promo_id_fkey references interlock.promo_codes (id) on delete cascade,
  product_id uuid not null
    constraint promo_code_products_product_id_fkey references interlock.products (id),
  constraint promo_code_products_pkey primary key (promo_id, product_id)
);

comment on table interlock.promo_code_products is
  'The products a code applies to; no row means all. The discount is on the matching lines only.';
comment on column interlock.promo_code_products.promo_id is
  'The code.';
comment on column interlock.promo_code_products.product_id is
  'A product that it applies to.';

create index promo_code_products_product_id on interlock.promo_code_products (product_id);

alter table interlock.promo_code_products enable row level security;

grant select, insert, delete on table interlock.promo_code_products to service_role;
