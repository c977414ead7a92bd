-- Insert a row of the shop's own table of orders, or change what of it is another; what is not linked stays as it is. Constraints of the
-- table that are deferred are looked at here, so that they refuse now and not at the commit.
--
-- The shop's own triggers run with the search path under which the table was linked, and with the rights of the owner.
--
-- Callers: interlock.write_order_row, interlock.find_order_trial_problems, each in a sub-transaction.
-- Locks: the row; what the table's triggers and foreign keys lock.
-- Errors: whatever the shop's table raises.
create function interlock.put_order_row(p_link interlock.order_links, p_row jsonb)
returns void
language plpgsql
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_target constant text := interlock.source_name(p_link.target);
  v_key constant text := interlock.column_of(p_link.map -> 'id');
  v_names text;
  v_values text;
  v_typed text;
  v_found boolean;
  v_deferred text;
begin
  select
    string_agg(quote_ident(a.attname), ', ' order by a.attnum),
    string_agg(format('r.%I', a.attname), ', ' order by a.attnum),
    string_agg(format('%I %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum)
  into v_names, v_values, v_typed
  from pg_catalog.pg_attribute a
  where a.attrelid = p_link.target
    and p_row ? a.attname;
  select string_agg(format('%I.%I', n.nspname, c.conname), ', ')
  into v_deferred
  from pg_catalog.pg_constraint c
  join pg_catalog.pg_namespace n on n.oid = c.connamespace
  where c.conrelid = p_link.target
    and c.condeferred;

  execute format(
    'select true from %1$s t, jsonb_to_record($1) as r (%2$s) where t.%3$I = r.%3$I', v_target, v_typed, v_key
  ) into v_found using p_row;
  perform set_config('search_path', p_link.target_search_path, true);
  if v_found then
    execute format(
      $sql$
        update %1$s t
        set (%2$s) = row (%3$s)
        from jsonb_to_record($1) as r (%4$s)
        where t.%5$I operator(pg_catalog.=) r.%5$I
          and (%6$s)
      $sql$,
      v_target, v_names, v_values, v_typed, v_key,
      (
        select string_agg(format('t.%1$I::text is distinct from r.%1$I::text', k.name), ' or ')
        from jsonb_object_keys(p_row) as k (name)
      )
    ) using p_row;
  else
    execute format(
      'insert into %1$s (%2$s) select %3$s from jsonb_to_record($1) as r (%4$s)', v_target, v_names, v_values, v_typed
    ) using p_row;
  end if;
  if v_deferred is not null then
    execute 'set constraints ' || v_deferred || ' immediate';
    execute 'set constraints ' || v_deferred || ' deferred';
  end if;
end
$$;
