-- What public.claim_picking does, with its owner's rights: have products of a session for oneself for a while
-- (settings.pick_lease), so that two pickers do not walk to the same shelf. Without products: all that nobody has and that are
-- still to be picked. Called again it makes the lease longer.
--
-- Products that are named are waited for, and all those that somebody else has are told together. Without names those that are
-- being claimed at the moment are left to whoever does, unless nothing else is left.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.claim_picking.
-- Locks: the rows of the products, in their order, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, SESSION_NOT_FOUND, SESSION_STATE_CONFLICT, PACKING_LINE_NOT_FOUND, PICK_CLAIMED,
--   NOTHING_TO_PICK; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.claim_picking(p_session_id uuid, p_product_ids uuid[])
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_product_ids uuid[];
  v_until timestamptz;
  v_taken jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_packer();
  if auth.uid() is null then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  if cardinality(p_product_ids) = 0 or array_position(p_product_ids, null) is not null then
    perform interlock.refuse_problems(interlock.problem('/p_product_ids', 'must have 1 or more products'));
  end if;
  perform interlock.find_session(p_session_id);
  perform interlock.raise_error('PACKING_LINE_NOT_FOUND', jsonb_build_object('session_id', p_session_id, 'product_id', u.id))
  from unnest(p_product_ids) as u (id)
  where not exists (
    select from interlock.picking_session_items i where i.picking_session_id = p_session_id and i.product_id = u.id
  );

  if p_product_ids is null then
    v_product_ids := array(
      select i.product_id
      from interlock.picking_session_items i
      where i.picking_session_id = p_session_id
        and i.quantity_picked + i.quantity_short < i.quantity_needed
        and (i.picker_id is null or i.picker_id = auth.uid() or i.picker_until <= interlock.clock())
      order by i.product_id
      for no key update skip locked
    );
  end if;
  if coalesce(cardinality(v_product_ids), 0) = 0 then
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    v_product_ids := array(
      select i.product_id
      from interlock.picking_session_items i
      where i.picking_session_id = p_session_id
        and case
          when p_product_ids is not null then i.product_id = any (p_product_ids)
          else i.quantity_picked + i.quantity_short < i.quantity_needed
            and (i.picker_id is null or i.picker_id = auth.uid() or i.picker_until <= interlock.clock())
        end
      order by i.product_id
      for no key update
    );
  end if;
  -- Whoever was waited for may have ended it.
  if exists (
    select from interlock.picking_sessions s where s.id = p_session_id and s.ended_at is not null
  ) then
    perform interlock.refuse_session(p_session_id);
  end if;
  if v_product_ids = '{}' then
    perform interlock.raise_error('NOTHING_TO_PICK', jsonb_build_object('session_id', p_session_id));
  end if;

  select jsonb_agg(jsonb_build_object('product_id', i.product_id, 'picker_until', i.picker_until) order by i.product_id)
  into v_taken
  from interlock.picking_session_items i
  where i.picking_session_id = p_session_id
    and i.product_id = any (v_product_ids)
    and i.picker_id <> auth.uid()
    and i.picker_until > interlock.clock();
  if v_taken is not null then
    perform interlock.raise_error('PICK_CLAIMED', jsonb_build_object('session_id', p_session_id, 'items', v_taken));
  end if;

  select interlock.clock() + s.pick_lease into v_until from interlock.settings s;
  update interlock.picking_session_items i
  set picker_id = auth.uid(),
      picker_until = v_until
  where i.picking_session_id = p_session_id
    and i.product_id = any (v_product_ids);
  return jsonb_build_object(
    'success', true, 'session_id', p_session_id, 'product_ids', to_jsonb(v_product_ids), 'picker_until', v_until
  );
end
$$;
