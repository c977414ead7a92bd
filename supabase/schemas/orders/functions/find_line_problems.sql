-- What is wrong with the lines of an order that a call names, all of it; an empty list if nothing is. Each has product_id
-- and quantity, and may have the members of p_flags, which are true or false.
--
-- Callers: interlock.refund_order_lines.
create function interlock.find_line_problems(p_lines jsonb, p_flags text[])
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_uuid constant text := '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$';
begin
  if jsonb_typeof(p_lines) is distinct from 'array' then
    return interlock.problem('/p_lines', 'must be an array of 1 to 100 lines');
  elsif jsonb_array_length(p_lines) not between 1 and 100 then
    return interlock.problem('/p_lines', 'must have 1 to 100 lines');
  end if;

  return (
    select coalesce(
      jsonb_agg(
        jsonb_build_object('pointer', format('/p_lines/%s%s', l.n - 1, p.pointer), 'message', p.message)
        order by l.n, p.pointer
      ),
      '[]'
    )
    from (
      select
        i.line,
        i.n,
        jsonb_typeof(i.line) = 'object' as is_object,
        row_number() over (partition by lower(i.line ->> 'product_id') order by i.n) > 1 as again
      from jsonb_array_elements(p_lines) with ordinality as i (line, n)
    ) l
    cross join lateral (
      select '' as pointer, 'must be an object with product_id and quantity' as message
      where not l.is_object
      union all
      select '/product_id', 'must be a UUID'
      where l.is_object
        and (jsonb_typeof(l.line -> 'product_id') = 'string' and l.line ->> 'product_id' ~ v_uuid) is not true
      union all
      select '/product_id', 'is named before'
      where l.again
        and l.line ->> 'product_id' ~ v_uuid
      union all
      select '/quantity', 'must be an integer from 1 to 1000000'
      where l.is_object
        and case
          when jsonb_typeof(l.line -> 'quantity') = 'number' then
            (l.line ->> 'quantity')::numeric between 1 and 1000000
            and (l.line ->> 'quantity')::numeric = trunc((l.line ->> 'quantity')::numeric)
        end is not true
      union all
      select
        '/' || interlock.pointer_token(m.name),
        case when m.name = any (p_flags) then 'must be true or false' else 'is not a known field' end
      from jsonb_each(case when l.is_object then l.line - 'product_id' - 'quantity' else '{}' end) as m (name, value)
      where not (m.name = any (p_flags) and jsonb_typeof(m.value) in ('boolean', 'null'))
    ) p
  );
end
$$;
