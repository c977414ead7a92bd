-- A request without what was not given: the members of an object that are not null.
--
-- Callers: interlock.pos_sale.
create function interlock.given(p_request jsonb)
returns jsonb
language plpgsql
immutable
parallel safe
set search_path = ''
as $$
begin
  return (
    select coalesce(jsonb_object_agg(m.key, m.value), '{}')
    from jsonb_each(p_request) m
    where m.value <> 'null'
  );
end
$$;
