-- What is wrong with a text of a template, at p_at: a placeholder that there is not, by its name, or braces that do not close.
--
-- Callers: interlock.set_mail_template.
-- Locks: none.
create function interlock.find_template_problems(p_at text, p_text text, p_placeholders text[])
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_left constant text := regexp_replace(p_text, '\{\{ *[a-z_]+ *\}\}', '', 'g');
begin
  return (
    select coalesce(jsonb_agg(p.problem), '[]')
    from (
      select interlock.problem(
        p_at, format('has the unknown placeholder %s; there are %s', f.name, array_to_string(p_placeholders, ', '))
      ) -> 0 as problem
      from (
        select distinct m.found[1] as name
        from regexp_matches(p_text, '\{\{ *([a-z_]+) *\}\}', 'g') as m (found)
      ) f
      where not f.name = any (p_placeholders)
      union all
      select interlock.problem(p_at, 'has {{ or }} that belong to no placeholder') -> 0
      where v_left ~ '\{\{|\}\}'
    ) p
  );
end
$$;
