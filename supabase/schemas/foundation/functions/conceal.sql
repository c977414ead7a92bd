-- Drop the view in public that interlock.expose has made. Whatever else has that name stays; a view of the same name
-- over the same table is taken for it.
--
-- Callers: the rollback scripts; postgres.
create function interlock.conceal(p_name text)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if not exists (
    select
    from pg_catalog.pg_rewrite r
    join pg_catalog.pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
    where r.ev_class = to_regclass(format('public.%I', p_name))
      and d.refobjid = to_regclass(format('interlock.%I', p_name))
  ) then
    return false;
  end if;

  execute format('drop view public.%I', p_name);
  return true;
end
$$;
