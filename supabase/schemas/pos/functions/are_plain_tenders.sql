-- Whether all tenders are written as most are, a type and a small amount, so that nothing can be wrong with them: as interlock.is_plain_cart
-- looks at a cart, in expressions.
--
-- Callers: interlock.find_sale_problems.
create function interlock.are_plain_tenders(p_tenders jsonb)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  v_tender jsonb;
  v_amount text;
begin
  for v_n in 0 .. jsonb_array_length(p_tenders) - 1 loop
    v_tender := p_tenders -> v_n;
    -- As JSON writes it: a text would have quotes.
    v_amount := v_tender -> 'amount';
    if (
      jsonb_typeof(v_tender) = 'object'
      and v_tender - '{type,amount}'::text[] = '{}'
      and v_tender ->> 'type' in ('cash', 'card', 'wallet', 'points')
      and translate(v_amount, '0123456789', '') = ''
      and char_length(v_amount) < 10
      and v_amount <> '0'
    ) is not true then
      return false;
    end if;
  end loop;
  return true;
end
$$;
