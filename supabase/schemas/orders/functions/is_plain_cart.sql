-- Whether every line of a cart is as it has to be: a plain look, line by line in expressions, which for most carts costs
-- less than any statement. What is wrong with another cart interlock.find_checkout_problems says.
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
begin
  for v_n in 0 .. jsonb_array_length(p_cart_items) - 1 loop
    v_item := p_cart_items -> v_n;
    if (
      jsonb_typeof(v_item) = 'object'
      and (
        v_item - 'product_id' - 'quantity' = '{}'
        or (
          v_item - 'product_id' - 'quantity' - 'expected_unit_price' = '{}'
          and interlock.is_amount(v_item -> 'expected_unit_price')
        )
      )
      and jsonb_typeof(v_item -> 'product_id') = 'string'
      and v_item ->> 'product_id' ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
      and case
        when jsonb_typeof(v_item -> 'quantity') = 'number' then
          (v_item ->> 'quantity')::numeric between 1 and 10000
          and (v_item ->> 'quantity')::numeric = trunc((v_item ->> 'quantity')::numeric)
      end
    ) is not true then
      return false;
    end if;
  end loop;
  return true;
end
$$;
