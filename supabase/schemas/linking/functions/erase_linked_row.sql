-- Take a person who was taken out of Interlock out of the shop's own row as well, as the link says, if that can be done without
-- waiting for anybody; else, or if the shop's triggers or constraints refuse, note it for later. Returns whether it is done.
--
-- The shop's own triggers run with the search path under which the table was linked, and with the rights of the owner.
--
-- Callers: interlock.erase_linked_rows, interlock.fill_links.
-- Locks: the shop's table against changes of its columns, and the row, both without waiting; what its triggers lock; the row of
--   linked_customers.
create function interlock.erase_linked_row(p_link interlock.customer_links, p_source_id text)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_source constant text := interlock.source_name(p_link.source);
  v_there boolean;
begin
  begin
    execute format('lock table %s in row exclusive mode nowait', v_source);
    execute format('select true from %s s where s.%I = $1::%s for update nowait', v_source, p_link.id_column, p_link.id_type)
    into v_there using p_source_id;
    update interlock.linked_customers m
    set to_erase = false
    where m.link_id = p_link.id
      and m.source_id = p_source_id;
    if v_there then
      perform set_config('search_path', p_link.source_search_path, true);
      execute case p_link.on_erase
        when 'delete' then format('delete from %s', v_source)
        else format('update %s set %s', v_source, (
          select string_agg(format('%I = null', c.name), ', ')
          from unnest(array_cat(p_link.name_columns, array[p_link.email_column, p_link.phone_column, p_link.user_column])) c (name)
          where c.name <> p_link.id_column
        ))
      end || format(' where %I operator(pg_catalog.=) $1::%s', p_link.id_column, p_link.id_type) using p_source_id;
    end if;
    return true;
  exception
    when others then
      null;
  end;
  update interlock.linked_customers m
  set to_erase = true
  where m.link_id = p_link.id
    and m.source_id = p_source_id;
  return false;
end
$$;
