-- What a look at a cart, without a lock, has seen of it: one element for each product, by id.
create type interlock.cart_look as (
  product_ids uuid[],
  quantities int[],
  unit_prices bigint[],
  names text[],
  kinds text[],
  currencies text[],
  -- The lines as an order shows them, without discount and tax: what stands between the brackets of JSON.
  items text,
  subtotal bigint,
  units int,
  -- Products that are not there or not for sale.
  missing uuid[],
  -- Whether a price is another one than was expected.
  price_changed boolean,
  -- As INSUFFICIENT_INVENTORY tells them.
  shortages jsonb,
  -- The products with slots, if each of them has a slot with enough.
  slotted uuid[],
  -- Whether a product is sold in another way than from its stock alone, or not in any number.
  has_terms boolean
);
