-- What the first so many units of a line of an order come to: their price, their share of its discount, and of its tax the
-- share of what is then left. A part of a line is the difference of two such sums, so that parts always sum to the whole,
-- however a line is taken apart, and none of them is less than nothing. docs/prices.md has the arithmetic.
--
-- Callers: interlock.refund_order_lines.
create function interlock.line_through(
  p_units int,
  p_quantity int,
  p_unit_price bigint,
  p_discount bigint,
  p_tax bigint,
  p_inclusive boolean,
  out o_subtotal bigint,
  out o_discount bigint,
  out o_tax bigint,
  out o_tax_included bigint,
  out o_amount bigint
)
language plpgsql
immutable
set search_path = ''
as $$
begin
  o_subtotal := p_units * p_unit_price;
  o_discount := interlock.share_of(p_discount, p_units, p_quantity);
  o_tax := interlock.share_of(p_tax, o_subtotal - o_discount, p_quantity * p_unit_price - p_discount);
  o_tax_included := case when p_inclusive then o_tax else 0 end;
  o_amount := o_subtotal - o_discount + o_tax - o_tax_included;
end
$$;
