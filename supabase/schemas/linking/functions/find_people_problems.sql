-- What is in the way in the rows of a table of customers that is to be linked: each kind once, with how many rows have it, the
-- first of them, and what to do. Or, with p_left_out, what will be left out of them.
--
-- Callers: interlock.link_customers.
-- Locks: none.
create function interlock.find_people_problems(p_people interlock.linked_person[], p_left_out boolean)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'pointer', '/p_map/' || f.entry,
    'message', format('%s %s: %s', f.times, case f.times when 1 then 'row ' || f.message else 'rows: each ' || f.message end, f.todo),
    'rows', f.times,
    'first', f.first,
    'todo', f.todo
  ) order by f.entry collate "C", f.message collate "C"), '[]')
  from (
    select
      s.entry, s.message, s.todo, count(*) as times,
      (array_agg(p.source_id order by p.source_id))[1:10] as first
    from unnest(p_people) p
    cross join unnest(case when p_left_out then p.unfit else p.problems || p.unfit end) as u (problem)
    join interlock.source_problems() s on s.problem = u.problem
    group by s.entry, s.message, s.todo
  ) f
$$;
