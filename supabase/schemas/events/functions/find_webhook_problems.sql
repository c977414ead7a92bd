-- What is wrong with what is said of an endpoint; null stands for what is not said, an empty list for all types.
--
-- Callers: interlock.create_webhook_endpoint, interlock.update_webhook_endpoint.
-- Locks: none.
create function interlock.find_webhook_problems(p_url text, p_description text, p_event_types text[])
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  if not interlock.is_webhook_url(p_url, (select s.webhooks_anywhere from interlock.settings s)) then
    v_problems := v_problems || interlock.problem(
      '/p_url',
      'must be an https URL of at most 2000 characters whose host is a public name: no address, no local name, no user, no fragment'
    );
  end if;
  if p_description <> '' and not interlock.is_line(p_description, 200) then
    v_problems := v_problems || interlock.problem('/p_description', 'must be one line of at most 200 characters');
  end if;
  if cardinality(p_event_types) > 100
    or exists (
      select from unnest(p_event_types) as t (type)
      where (t.type ~ '^[a-z_]+[.][a-z_]+$' and char_length(t.type) <= 60) is not true
    )
  then
    v_problems := v_problems || interlock.problem(
      '/p_event_types', 'must be at most 100 types of events, as order.paid'
    );
  end if;
  return v_problems;
end
$$;
