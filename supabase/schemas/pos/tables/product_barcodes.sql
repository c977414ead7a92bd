-- Barcodes: what a scanner reads, and how much of which product that is (a case of twelve is twelve).
create table interlock.product_barcodes (
  barcode interlock.barcode not null
    constraint product_barcodes_pkey primary key,
  product_id uuid not null
    constraint product_barcodes_product_id_fkey references interlock.products on delete cascade,
  units interlock.positive_quantity not null default 1
);

comment on table interlock.product_barcodes is
  'What a scanner reads, and which product that is. Managed by the shop with the service role.';
comment on column interlock.product_barcodes.barcode is
  'What the scanner reads: 1 to 64 printable ASCII characters without blanks.';
comment on column interlock.product_barcodes.product_id is
  'The product.';
comment on column interlock.product_barcodes.units is
  'How much of the product one scan is.';

create index product_barcodes_by_product on interlock.product_barcodes (product_id);

alter table interlock.product_barcodes enable row level security;

grant select on table interlock.product_barcodes to authenticated;
grant select, insert, update, delete on table interlock.product_barcodes to service_role;

create policy product_barcodes_select_till
  on interlock.product_barcodes
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);
