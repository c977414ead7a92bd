-- Write the stock of a product to the shop's own column, if that can be done without waiting for anybody; else, or if the
-- shop's triggers or constraints refuse, note it for later. Returns whether the column has it.
--
-- Nobody who sells waits for a row or a lock of the shop's table, for whoever holds one may be waiting for the product. Who
-- holds it writes the stock themselves as they come to the product, or a job does.
--
-- The shop's own triggers run with the search path under which the table was linked, and with the rights of the owner. One that sells something else
-- has that written back meanwhile: what is being written is said again afterwards, for the statement around it is noted when they are done.
--
-- Callers: interlock.write_stock_back, interlock.bring_products, interlock.write_back_stock, each with the product locked.
-- Locks: the shop's table against changes of its columns, and the row, both without waiting; what its triggers lock.
create function interlock.try_write_back(
  p_link interlock.product_links, p_source_id text, p_product_id uuid, p_quantity int
)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_source constant text := interlock.source_name(p_link.source);
  v_present numeric;
  v_reason text;
  v_row constant text := current_setting('interlock.written_back_row', true);
  v_written constant text := current_setting('interlock.written_back', true);
begin
  begin
    execute format('lock table %s in row exclusive mode nowait', v_source);
    execute format(
      'select coalesce(s.%I, -1) from %s s where s.%I = $1::%s for no key update skip locked',
      p_link.quantity_column, v_source, p_link.id_column, p_link.id_type
    ) into v_present using p_source_id;
    if v_present is null then
      execute format('select 1 from %s s where s.%I = $1::%s', v_source, p_link.id_column, p_link.id_type)
      into v_present using p_source_id;
      if v_present is not null then
        raise exception using errcode = 'lock_not_available', message = 'its row is locked';
      end if;
    elsif v_present <> p_quantity then
      perform set_config('interlock.written_back_row', p_link.source::oid || ':' || p_source_id, true);
      perform set_config('interlock.written_back', p_quantity::text, true);
      perform set_config('search_path', p_link.source_search_path, true);
      execute format(
        'update %s set %I = $1 where %I operator(pg_catalog.=) $2::%s',
        v_source, p_link.quantity_column, p_link.id_column, p_link.id_type
      ) using p_quantity, p_source_id;
      perform pg_catalog.set_config('search_path', '', true);
      perform set_config('interlock.written_back_row', v_row, true);
      perform set_config('interlock.written_back', v_written, true);
    end if;
    delete from interlock.stock_write_backs w where w.product_id = p_product_id;
    return true;
  exception
    when others then
      v_reason := case sqlstate when '55P03' then 'locked' else sqlstate || ' ' || left(sqlerrm, 500) end;
  end;
  insert into interlock.stock_write_backs as w (product_id, link_id, source_id, reason)
  values (p_product_id, p_link.id, p_source_id, v_reason)
  on conflict on constraint stock_write_backs_pkey do update
  set reason = excluded.reason
  where w.reason <> excluded.reason;
  return false;
end
$$;
