-- Whether every line of an adjustment, a receipt or a sale is written as most are, so that nothing can be wrong with it: one id and a small
-- whole number. As interlock.is_plain_cart looks at a cart, in expressions. p_quantity names the member that says how much. What is wrong
-- with other lines, if anything is, the callers say.
--
-- Callers: interlock.find_inventory_problems, interlock.find_sale_problems.
create function interlock.are_plain_lines(p_lines jsonb, p_quantity text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_line jsonb;
  v_id text;
  v_amount text;
begin
  for v_n in 0 .. jsonb_array_length(p_lines) - 1 loop
    v_line := p_lines -> v_n;
    v_id := coalesce(v_line ->> 'inventory_id', v_line ->> 'product_id');
    -- As JSON writes it: a text would have quotes.
    v_amount := v_line -> p_quantity;
    if (
      jsonb_typeof(v_line) = 'object'
      and (v_line - array['inventory_id', p_quantity] = '{}' or v_line - array['product_id', p_quantity] = '{}')
      and v_id like '________-____-____-____-____________'
      and translate(v_id, '0123456789abcdefABCDEF', '') = '----'
      and (translate(v_amount, '0123456789', '') = '' or p_quantity = 'delta' and translate(v_amount, '0123456789', '') = '-')
      and char_length(v_amount) < 7
      and v_amount <> '0'
    ) is not true then
      return false;
    end if;
  end loop;
  return true;
end
$$;
