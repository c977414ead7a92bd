-- Give the API a table or view of this schema as a view of the same name in public, if that name is free there: what
-- belongs to the project stays as it is. The view runs with its caller's rights, and has the grants and the comment
-- of what it shows, so nobody can do through it what they could not do without it. The transaction that wrote a row is not in it:
-- that one is the outbox's business.
--
-- Callers: the installation; postgres. If you free a name later, call it yourself:
--
--   select interlock.expose('products');
create function interlock.expose(p_name text)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_table constant regclass := format('interlock.%I', p_name)::regclass;
  v_grant record;
begin
  if to_regclass(format('public.%I', p_name)) is not null or to_regtype(format('public.%I', p_name)) is not null then
    return false;
  end if;

  perform interlock.make_exposed(p_name);
  execute format(
    'comment on view public.%I is %L', p_name, pg_catalog.obj_description(v_table, 'pg_class')
  );
  execute format('revoke all on table public.%I from public, anon, authenticated, service_role', p_name);

  for v_grant in
    select
      a.privilege_type, '' as columns,
      case when a.grantee = 0 then 'public' else a.grantee::regrole::text end as grantee
    from pg_catalog.pg_class c
    cross join lateral pg_catalog.aclexplode(c.relacl) a
    where c.oid = v_table
      and a.grantee <> c.relowner
    union all
    select
      a.privilege_type, format('(%I)', t.attname),
      case when a.grantee = 0 then 'public' else a.grantee::regrole::text end
    from pg_catalog.pg_attribute t
    cross join lateral pg_catalog.aclexplode(t.attacl) a
    where t.attrelid = v_table
  loop
    execute format(
      'grant %s %s on table public.%I to %s', v_grant.privilege_type, v_grant.columns, p_name, v_grant.grantee
    );
  end loop;

  return true;
end
$$;
