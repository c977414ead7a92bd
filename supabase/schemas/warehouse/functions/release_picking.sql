-- What public.release_picking does, with its owner's rights: give back the products of a session that the caller has; those that are
-- named, or all. Called again it answers the same.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.release_picking.
-- Locks: the rows of the products, in their order, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, SESSION_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.release_picking(p_session_id uuid, p_product_ids uuid[])
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_product_ids uuid[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.find_session(p_session_id);

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  v_product_ids := array(
    select i.product_id
    from interlock.picking_session_items i
    where i.picking_session_id = p_session_id
      and i.picker_id = auth.uid()
      and (p_product_ids is null or i.product_id = any (p_product_ids))
    order by i.product_id
    for no key update
  );
  update interlock.picking_session_items i
  set picker_id = null,
      picker_until = null
  where i.picking_session_id = p_session_id
    and i.product_id = any (v_product_ids);
  return jsonb_build_object('success', true, 'session_id', p_session_id, 'product_ids', to_jsonb(v_product_ids));
end
$$;
