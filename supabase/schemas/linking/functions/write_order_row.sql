-- Write the row of an order to the shop's own table, as the order is in this transaction, if that can be done without waiting for
-- anybody for long; else, or if the shop's triggers or constraints refuse, note it for later. Returns whether the table has it.
--
-- An order is never refused because of the shop's table: it is sold, or paid for, whatever that table says. So what it refuses is
-- told, and tried again, until it has it.
--
-- Callers: interlock.write_linked_order, interlock.write_order_out, interlock.fill_orders, each with the order locked.
-- Locks: the shop's table against changes of its columns, and the row, both without waiting; what its triggers and foreign keys lock, a
--   tenth of a second each.
create function interlock.write_order_row(p_link interlock.order_links, p_order_id uuid)
returns boolean
language plpgsql
set search_path = ''
set lock_timeout = '100ms'
as $$
declare
  v_target constant text := interlock.source_name(p_link.target);
  v_row jsonb;
  v_reason text;
begin
  begin
    select interlock.order_row(p_link, o, d, array(
      select i from interlock.order_items i where i.order_id = o.id
    ))
    into v_row
    from interlock.orders o
    left join interlock.order_details d on d.order_id = o.id
    where o.id = p_order_id;
    execute format('lock table %s in row exclusive mode nowait', v_target);
    execute format(
      'select 1 from %1$s t where t.%2$I = $1::%3$s for no key update nowait',
      v_target, interlock.column_of(p_link.map -> 'id'), interlock.type_of(p_link.target, interlock.column_of(p_link.map -> 'id'))
    ) using p_order_id;
    perform interlock.put_order_row(p_link, v_row);
    delete from interlock.order_write_outs w where w.order_id = p_order_id and w.link_id = p_link.id;
    return true;
  exception
    when others then
      v_reason := case sqlstate when '55P03' then 'locked' else sqlstate || ' ' || left(sqlerrm, 500) end;
  end;
  insert into interlock.order_write_outs (order_id, link_id, reason)
  values (p_order_id, p_link.id, v_reason)
  on conflict on constraint order_write_outs_pkey do update
  set reason = excluded.reason;
  return false;
end
$$;
