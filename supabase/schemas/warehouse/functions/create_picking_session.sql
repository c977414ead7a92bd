-- What public.create_picking_session does, with its owner's rights: put orders together that are to be picked and packed at a location. Each
-- needs what of its physical goods has neither been sent nor refunded. The orders are being processed from then on, so
-- their buyers cannot cancel them and they do not expire.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.create_picking_session.
-- Locks: the reference; the orders by id; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, LOCATION_NOT_FOUND, ORDER_NOT_FOUND, ORDER_IN_SESSION, ORDER_NOT_PACKABLE,
--   IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.create_picking_session(p_order_ids uuid[], p_location_id uuid, p_reference text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_most constant int := 100;
  v_location_id constant uuid := coalesce(p_location_id, interlock.online_location());
  v_problems jsonb := '[]'::jsonb;
  v_answer jsonb;
  v_session interlock.picking_sessions;
  v_refused jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_packer();
  if coalesce(cardinality(p_order_ids), 0) not between 1 and v_most then
    v_problems := v_problems || interlock.problem('/p_order_ids', format('must have 1 to %s orders', v_most));
  elsif array_position(p_order_ids, null) is not null then
    v_problems := v_problems || interlock.problem('/p_order_ids', 'must not have null');
  elsif (select count(distinct u.id) from unnest(p_order_ids) as u (id)) < cardinality(p_order_ids) then
    v_problems := v_problems || interlock.problem('/p_order_ids', 'must name each order once');
  end if;
  perform interlock.refuse_problems(v_problems);
  if not exists (select from interlock.locations l where l.id = v_location_id) or not interlock.works_at(v_location_id) then
    perform interlock.raise_error('LOCATION_NOT_FOUND', jsonb_build_object('location_ids', jsonb_build_array(v_location_id)));
  end if;

  v_answer := interlock.begin_reference('create_picking_session', p_reference, jsonb_build_array(p_order_ids, p_location_id));
  if v_answer is not null then
    return v_answer;
  end if;

  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.orders o
  where o.id = any (p_order_ids)
  order by o.id
  for no key update;

  perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', u.id))
  from unnest(p_order_ids) as u (id)
  where not exists (select from interlock.orders o where o.id = u.id);

  select jsonb_agg(jsonb_build_object('order_id', b.order_id, 'session_id', s.id, 'code', s.code) order by b.order_id)
  into v_refused
  from interlock.picking_session_orders b
  join interlock.picking_sessions s on s.id = b.picking_session_id
  where b.order_id = any (p_order_ids)
    and b.status = 'open';
  if v_refused is not null then
    perform interlock.raise_error('ORDER_IN_SESSION', jsonb_build_object('orders', v_refused));
  end if;

  select jsonb_agg(
    jsonb_build_object('order_id', o.id, 'status', o.status, 'fulfillment', o.fulfillment) order by o.id
  )
  into v_refused
  from interlock.orders o
  where o.id = any (p_order_ids)
    and (
      o.status not in ('confirmed', 'paid')
      or not exists (select from interlock.order_rest(o.id) r where r.kind = 'physical' and r.on_shelf > 0)
    );
  if v_refused is not null then
    perform interlock.raise_error('ORDER_NOT_PACKABLE', jsonb_build_object('orders', v_refused));
  end if;

  insert into interlock.picking_sessions (location_id, open_orders, created_by)
  values (v_location_id, cardinality(p_order_ids), auth.uid())
  returning * into v_session;
  insert into interlock.picking_session_orders (picking_session_id, order_id, position)
  select v_session.id, u.id, u.n
  from unnest(p_order_ids) with ordinality as u (id, n);
  insert into interlock.packing_progress (picking_session_id, order_id, product_id, quantity_needed)
  select v_session.id, u.id, r.product_id, r.on_shelf
  from unnest(p_order_ids) with ordinality as u (id, n)
  cross join lateral interlock.order_rest(u.id) r
  where r.kind = 'physical'
    and r.on_shelf > 0
  order by u.n, r.product_id;
  insert into interlock.picking_session_items (picking_session_id, product_id, quantity_needed)
  select v_session.id, p.product_id, sum(p.quantity_needed)
  from interlock.packing_progress p
  where p.picking_session_id = v_session.id
  group by p.product_id;

  update interlock.orders o
  set fulfillment = 'processing'
  where o.id = any (p_order_ids)
    and o.fulfillment = 'unfulfilled';
  perform interlock.note_event('packing.session_created', v_session.id::text, jsonb_build_object(
    'session_id', v_session.id, 'code', v_session.code, 'location_id', v_location_id, 'order_ids', p_order_ids
  ));

  return interlock.finish_reference(
    'create_picking_session', p_reference,
    jsonb_build_object('success', true, 'session', interlock.session_to_json(v_session.id))
  );
end
$$;
