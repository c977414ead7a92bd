-- What a file of stock that was brought in would change, and every problem of it by line.
--
-- Callers: interlock.import_stock.
-- Locks: none.
create function interlock.sum_up_import(p_reference text, p_replace boolean, p_dry_run boolean)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'success', count(r.problem) = 0,
    'dry_run', p_dry_run is true,
    'lines', count(*),
    'changed', count(*) filter (where r.quantity <> r.present and r.problem is null),
    'units', coalesce(sum(abs(r.quantity - r.present)) filter (where r.problem is null), 0),
    'problems', coalesce(jsonb_agg(jsonb_build_object('line', r.line, 'message', r.problem) order by r.line) filter (
      where r.problem is not null
    ), '[]')
  )
  from interlock.read_import(p_reference, p_replace) r
$$;
