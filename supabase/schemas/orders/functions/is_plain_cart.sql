-- Whether every line of a cart is written as most are, so that nothing can be wrong with it: a plain look, line by line in expressions, which for
-- most carts costs less than any statement. No regular expression, whose states are made anew for each text. What is wrong with another
-- cart, if anything is, interlock.find_checkout_problems says.
--
-- Callers: interlock.find_checkout_problems.
create function interlock.is_plain_cart(p_cart_items jsonb)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_item jsonb;
  v_product_id text;
  v_quantity text;
begin
  for v_n in 0 .. jsonb_array_length(p_cart_items) - 1 loop
    v_item := p_cart_items -> v_n;
    v_product_id := v_item ->> 'product_id';
    -- As JSON writes it: a text would have quotes.
    v_quantity := v_item -> 'quantity';
    if (
      jsonb_typeof(v_item) = 'object'
      and v_item - '{product_id,quantity,expected_unit_price}'::text[] = '{}'
      and coalesce(interlock.is_amount(v_item -> 'expected_unit_price'), true)
      and v_product_id like '________-____-____-____-____________'
      and translate(v_product_id, '0123456789abcdefABCDEF', '') = '----'
      and translate(v_quantity, '0123456789', '') = ''
      and char_length(v_quantity) < 5
      and v_quantity <> '0'
    ) is not true then
      return false;
    end if;
  end loop;
  return true;
end
$$;
