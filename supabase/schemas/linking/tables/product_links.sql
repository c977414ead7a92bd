-- Tables of the shop's own that products come from: which column is what, and what is done with stock. Written by
-- interlock.link_products, which also makes the triggers on the shop's table, and by interlock.fill_link.
--
-- A link that has ended (active is false) keeps its row and its linked_products: linked again, rows find their products.
create table interlock.product_links (
  id uuid not null default interlock.new_id()
    constraint product_links_pkey primary key,
  source regclass not null
    constraint product_links_source_key unique,
  id_column name not null,
  id_type text not null,
  name_column name not null,
  price_column name not null,
  price_unit text not null
    constraint product_links_price_unit_known check (price_unit in ('major', 'minor')),
  currency_column name,
  currency interlock.currency_code,
  active_column name,
  active_values text[],
  quantity_column name,
  write_back boolean not null,
  on_write text not null
    constraint product_links_on_write_known check (on_write in ('difference', 'refuse')),
  stock_from text
    constraint product_links_stock_from_known check (stock_from in ('source', 'interlock')),
  source_search_path text not null,
  active boolean not null default true,
  filled_to text,
  filled_at timestamptz,
  created_at timestamptz not null default now(),
  constraint product_links_one_currency check (num_nonnulls(currency_column, currency) = 1),
  constraint product_links_written_back_is_there check (not write_back or quantity_column is not null)
);

comment on table interlock.product_links is
  'Tables of the shop''s own that products come from. Written by link_products and unlink_products.';
comment on column interlock.product_links.source is
  'The shop''s table.';
comment on column interlock.product_links.id_column is
  'Its key: uuid, a whole number or text.';
comment on column interlock.product_links.id_type is
  'The type of the key, as Postgres writes it.';
comment on column interlock.product_links.name_column is
  'What becomes products.name.';
comment on column interlock.product_links.price_column is
  'What becomes products.price.';
comment on column interlock.product_links.price_unit is
  'Whether prices there are in minor units (1999 cents) or major ones (19.99).';
comment on column interlock.product_links.currency_column is
  'Where the currency of a price stands; null: all are in `currency`.';
comment on column interlock.product_links.currency is
  'The currency of all prices, where no column says it.';
comment on column interlock.product_links.active_column is
  'What becomes products.active; null: all rows are for sale.';
comment on column interlock.product_links.active_values is
  'Which values of that column mean active; null: it is a boolean.';
comment on column interlock.product_links.quantity_column is
  'The shop''s column of stock; null: stock is kept in Interlock alone.';
comment on column interlock.product_links.write_back is
  'Whether sales, adjustments and returns are written to the shop''s column of stock.';
comment on column interlock.product_links.on_write is
  'What a write of the shop''s own to that column is: difference (so many came or went), or refuse.';
comment on column interlock.product_links.stock_from is
  'Which stock counts for a row whose product was there before: that of the source or that of Interlock.';
comment on column interlock.product_links.source_search_path is
  'The search path under which it was linked: what the shop''s own triggers run with while stock is written back.';
comment on column interlock.product_links.active is
  'Whether it is in force.';
comment on column interlock.product_links.filled_to is
  'The key up to which rows that were there before have been taken over.';
comment on column interlock.product_links.filled_at is
  'When the last of them was; null: there are some left.';
comment on column interlock.product_links.created_at is
  'When it was linked.';

alter table interlock.product_links enable row level security;

grant select on table interlock.product_links to service_role;
