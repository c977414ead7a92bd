-- What is wrong with the details of an order, all of it; an empty list if nothing is. What is null is not there. The
-- pointers begin with p_at. Metadata are as Stripe's: so they can be passed on.
--
-- Callers: interlock.checkout, interlock.correct_order, interlock.quote_order.
create function interlock.find_detail_problems(p_at text, p_shipping_address jsonb, p_contact jsonb, p_metadata jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  select coalesce(jsonb_agg(p.problem), '[]')
  into v_problems
  from (values
    (1, 'shipping_address', p_shipping_address), (2, 'contact', p_contact), (3, 'metadata', p_metadata)
  ) as d (n, name, value)
  cross join lateral (
    select interlock.problem(p_at || d.name, 'must be an object of at most 4096 bytes') -> 0 as problem
    where jsonb_typeof(d.value) <> 'object'
      or octet_length(d.value::text) > 4096
  ) p;

  if jsonb_typeof(p_metadata) = 'object' and (
    select count(*) > 50
      or bool_or(char_length(m.key) not between 1 and 40)
      or bool_or(jsonb_typeof(m.value) <> 'string')
      or bool_or(char_length(m.value #>> '{}') > 500)
    from jsonb_each(p_metadata) as m
  ) then
    v_problems := v_problems || interlock.problem(
      p_at || 'metadata', 'must have at most 50 keys of 1 to 40 characters, with texts of at most 500'
    );
  end if;

  -- Taxes go by it.
  if p_shipping_address ->> 'country' !~ '^[A-Z]{2}$' then
    v_problems := v_problems || interlock.problem(
      p_at || 'shipping_address/country', 'must be two capital letters (ISO 3166)'
    );
  end if;

  return v_problems;
end
$$;
