-- What a look at the lines of a sale, without a lock, has seen: one element for each line, in their order.
create type interlock.sale_look as (
  product_ids uuid[],
  inventory_ids uuid[],
  names text[],
  quantities numeric[],
  unit_prices bigint[],
  -- quantity × unit_price, half a minor unit rounded up.
  subtotals bigint[],
  discounts bigint[],
  reasons text[],
  untracked boolean[],
  -- Each once.
  currencies text[],
  -- What is not there: barcodes, ids of inventory, products (also those that are not for sale), stock of another location.
  no_barcodes jsonb,
  no_inventory jsonb,
  no_products jsonb,
  elsewhere jsonb,
  -- What cannot be sold as it was asked for, each with its pointer.
  problems jsonb,
  -- The highest share of a line's price that is taken off, in per cent.
  discount_percent numeric,
  -- As INSUFFICIENT_INVENTORY tells them.
  shortages jsonb
);
