-- The shops that have anything of a user, by the columns that hold people. A column of another name has to be added here
-- (supabase/tests/shops/99-people.sql notices it). The histories have no index on them, so they are read from end to end.
--
-- Callers: interlock.erase_user.
-- Locks: none.
-- Security definer: it looks into every shop.
create function interlock.shops_of_user(p_user_id uuid)
returns int[]
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_table record;
  v_found int[];
  v_shops int[] := array[]::int[];
begin
  for v_table in
    select t.name, string_agg(format('%I = $1', a.attname), ' or ') as condition
    from interlock.keyed_tables() t
    join pg_catalog.pg_attribute a on a.attrelid = t.name and a.atttypid = 'uuid'::regtype
    where not t.is_part
      and a.attname in (
        'user_id', 'from_user_id', 'to_user_id', 'actor', 'actor_id', 'driver_id', 'cashier', 'voided_by', 'approved_by', 'parked_by',
        'opened_by', 'closed_by', 'replaced_actor', 'subject_id', 'picker_id', 'created_by'
      )
    group by t.name
  loop
    execute format('select array_agg(distinct t.shop_id) from %s t where %s', v_table.name, v_table.condition)
    into v_found
    using p_user_id;
    v_shops := v_shops || v_found;
  end loop;
  return array(select distinct s from unnest(v_shops) s order by s);
end
$$;
