-- Put so many units out of the basket into the box of an order, or back. Two conditional updates decide, neither of which reads first: the basket
-- never gives more than was picked, over all orders, and the line never takes more than it needs, and nothing once its box is closed.
-- A unit that was given up as short and is packed after all is short no more.
--
-- With p_expected the line must have so many: IL004 says that it has not. p_location_id, if it is given, is the session's location.
--
-- A scan makes no statement and calls no function that it can do without: whoever takes a turn is asked for with it (by the token that is read
-- already, as interlock.works_at does), interlock.refuse_pack finds out afterwards what was wrong, the history is written here, the other workers are
-- told without a trigger, and public.update_packing_progress_atomic calls it with nothing between.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.update_packing_progress_atomic; interlock.pack_item,
--   interlock.increment_packing_quantity, interlock.set_packed_quantity.
-- Locks: one's turn at the basket, advisory, until the transaction ends; the basket; the line; two seconds at most. Turns are had in the order
--   of coming; a row that many wait for is had by whoever is quickest when it is free, and one of sixty-four was not for nine seconds. Whoever does
--   not work there takes none, so that nobody is held up who does.
-- Errors: as interlock.find_session; VALIDATION_FAILED for an id that is null; PACKING_LINE_NOT_FOUND, SESSION_STATE_CONFLICT, ALREADY_FULLY_PACKED,
--   NO_UNITS_TO_PACK, NOTHING_PACKED; IL004; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.pack_units(
  p_session_id uuid,
  p_order_id uuid,
  p_product_id uuid,
  p_change int,
  p_expected int default null,
  p_location_id uuid default null,
  out progress_id uuid,
  out quantity_packed int,
  out quantity_needed int,
  out quantity_short int,
  out version bigint
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  -- Read once; without a token the platform knows best who it is.
  v_claims constant jsonb := auth.jwt();
  v_user constant uuid := coalesce((v_claims ->> 'sub')::uuid, auth.uid());
  v_work constant jsonb := v_claims -> 'app_metadata';
  v_role constant text := case when current_setting('role') <> 'service_role' then v_work ->> 'role' end;
  v_taken int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  -- What is looked at stays so while the turn is waited for, but that the session may end: then the line's box is closed. Locations that the token
  -- does not have as Postgres writes them are left to interlock.works_at.
  perform pg_advisory_xact_lock(hashtextextended(format('interlock basket %s %s', p_session_id, p_product_id), 0))
  from interlock.picking_sessions s
  where s.id = p_session_id
    and s.status = 'packing'
    and (p_location_id is null or s.location_id = p_location_id)
    and case
      when v_role = 'staff' or v_role in ('packer', 'manager')
        and coalesce(v_work -> 'location_ids' @> jsonb_build_array(s.location_id), s.location_id = interlock.online_location())
        then exists (select from interlock.accounts u where u.id = v_user)
      else interlock.works_at(s.location_id)
    end;
  if found then
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    update interlock.picking_session_items i
    set quantity_packed = i.quantity_packed + p_change,
        version = i.version + 1
    where i.picking_session_id = p_session_id
      and i.product_id = p_product_id
      and i.quantity_packed + p_change between 0 and i.quantity_picked;
  end if;
  if found then
    v_taken := p_change;
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    update interlock.packing_progress p
    set quantity_packed = p.quantity_packed + p_change,
        quantity_short = least(p.quantity_short, p.quantity_needed - p.quantity_packed - p_change),
        version = p.version + 1,
        updated_at = now()
    where p.picking_session_id = p_session_id
      and p.order_id = p_order_id
      and p.product_id = p_product_id
      and p.box_open
      and p.quantity_packed + p_change between 0 and p.quantity_needed
      and p.quantity_packed = coalesce(p_expected, p.quantity_packed)
    returning p.id, p.quantity_packed, p.quantity_needed, p.quantity_short, p.version
    into progress_id, quantity_packed, quantity_needed, quantity_short, version;
  end if;
  if progress_id is null then
    perform interlock.refuse_pack(
      p_session_id, p_order_id, p_product_id, p_change, p_expected, v_taken, p_location_id
    );
    -- It is not refused: there is room for it by now, and the basket is locked.
    select u.progress_id, u.quantity_packed, u.quantity_needed, u.quantity_short, u.version
    into progress_id, quantity_packed, quantity_needed, quantity_short, version
    from interlock.pack_units(p_session_id, p_order_id, p_product_id, p_change, p_expected, p_location_id) u;
    return;
  end if;

  insert into interlock.packing_scans (
    picking_session_id, order_id, product_id, action, quantity, actor, quantity_packed, quantity_needed, quantity_short, version
  )
  values (
    p_session_id, p_order_id, p_product_id, case when p_change > 0 then 'pack' else 'unpack' end, p_change, v_user,
    quantity_packed, quantity_needed, quantity_short, version
  );
  if to_regprocedure('realtime.send(jsonb,text,text,boolean)') is not null then
    perform interlock.broadcast_line(p_session_id, p_order_id, p_product_id, p_change);
  end if;
end
$$;
