-- What is wrong with who calls, the product and the reason of a change of stock by hand.
--
-- Callers: interlock.adjust_stock, interlock.count_stock.
-- Errors: UNAUTHENTICATED, FORBIDDEN. Problems are answered, for interlock.refuse_problems.
create function interlock.find_adjustment_problems(p_product_id uuid, p_reason text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  perform interlock.refuse_unless_shop();
  if p_product_id is null then
    v_problems := v_problems || interlock.problem('/p_product_id', 'is required');
  end if;
  if exists (select from interlock.products p where p.id = p_product_id and p.kind = 'digital') then
    v_problems := v_problems || interlock.problem(
      '/p_product_id', 'is a digital product: its stock is its codes, so insert or delete those'
    );
  end if;
  if char_length(p_reason) not between 1 and 100 then
    v_problems := v_problems || interlock.problem('/p_reason', 'must have 1 to 100 characters');
  end if;
  return v_problems;
end
$$;
