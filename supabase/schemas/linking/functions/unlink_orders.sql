-- Write orders no more to a table of the shop's own; what it has stays as it is. What is still to be written is tried first. A table that
-- is gone is named by the number that interlock.order_drift tells.
--
-- Callers: postgres; the rollback.
-- Locks: the link; orders and their details against everybody, waiting two seconds, with the last link; as interlock.write_order_out.
-- Errors: VALIDATION_FAILED if it is not linked; 55P03 is transient.
create function interlock.unlink_orders(p_target regclass)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_link interlock.order_links;
  v_target constant text := interlock.source_name(p_target);
  v_unwritten bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  select l.* into v_link from interlock.order_links l where l.target = p_target for update;
  if not found then
    perform interlock.refuse_problems(interlock.problem('/p_target', 'is not linked'));
  end if;
  if v_target is not null then
    perform interlock.write_order_out(w.order_id)
    from interlock.order_write_outs w
    where w.link_id = v_link.id
    order by w.order_id;
  end if;
  if v_target is not null then
    perform interlock.let_shops_go(p_target);
  end if;
  select count(*) into v_unwritten from interlock.order_write_outs w where w.link_id = v_link.id;
  delete from interlock.order_links l where l.id = v_link.id;
  if not exists (select from interlock.order_links) then
    drop trigger if exists orders_linked_insert on interlock.orders;
    drop trigger if exists orders_linked_update on interlock.orders;
    drop trigger if exists order_details_linked on interlock.order_details;
  end if;
  return jsonb_build_object('success', true, 'target', v_target, 'not_written', v_unwritten);
end
$$;
