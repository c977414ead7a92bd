-- What public.order_story does, with its owner's rights: all that the books have of one order. Its own part is what
-- public.list_orders answers; each event has the id of the request that did it, if a function has asked for it.
--
-- Callers: authenticated (staff) and service_role, through public.order_story.
-- Locks: none.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, ORDER_NOT_FOUND.
-- Security definer: the rows of others are not readable otherwise.
create function interlock.order_story(p_order_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_order interlock.orders;
begin
  perform interlock.refuse_unless_shop();
  if p_order_id is null then
    perform interlock.refuse_problems(interlock.problem('/p_order_id', 'is required'));
  end if;
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  if not found then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;

  return jsonb_build_object(
    'success', true,
    'order', interlock.list_orders(null, null, null, 1, v_order.number) -> 'orders' -> 0,
    'promo_code', (select c.code from interlock.promo_codes c where c.id = v_order.promo_code_id),
    'payments', coalesce((
      select jsonb_agg(to_jsonb(p) - 'shop_id' - 'order_id' order by p.attempt, p.id)
      from interlock.payments p
      where p.order_id = p_order_id
    ), '[]'),
    'stock_movements', coalesce((
      select jsonb_agg(
        to_jsonb(m) - '{shop_id,reference_id,reference}'::text[] || jsonb_build_object(
          'product', (select p.name from interlock.products p where p.id = m.product_id),
          'location', (select l.name from interlock.locations l where l.id = m.location_id)
        )
        order by m.id
      )
      from interlock.stock_movements m
      where m.reference_id = p_order_id
    ), '[]'),
    'wallet_movements', coalesce((
      select jsonb_agg(to_jsonb(w) - '{shop_id,user_id,reference_id,reference}'::text[] order by w.id)
      from interlock.wallet_movements w
      where w.user_id = v_order.user_id
        and w.reference_id = p_order_id
    ), '[]'),
    'deliveries', coalesce((
      select jsonb_agg(
        jsonb_build_object(
          'id', d.id,
          'event', e.event,
          'channel', w.channel,
          'endpoint', coalesce(w.description, w.url, w.channel),
          'state', d.state,
          'attempts', d.attempts,
          'created_at', d.created_at,
          'next_attempt_at', case d.state when 'pending' then d.next_attempt_at end,
          'ended_at', d.ended_at,
          'last', (
            select to_jsonb(a) - '{shop_id,id,delivery_id}'::text[]
            from interlock.delivery_attempts a
            where a.delivery_id = d.id
            order by a.id desc
            limit 1
          )
        )
        order by d.id
      )
      from interlock.order_events e
      join interlock.deliveries d on d.position = e.id
      join interlock.webhook_endpoints w on w.id = d.endpoint_id
      where e.order_id = p_order_id
    ), '[]'),
    'picking_sessions', coalesce((
      select jsonb_agg(
        jsonb_build_object('id', s.id, 'code', s.code, 'status', s.status, 'order_status', o.status, 'closed_at', o.closed_at)
        order by s.id
      )
      from interlock.picking_session_orders o
      join interlock.picking_sessions s on s.id = o.picking_session_id
      where o.order_id = p_order_id
    ), '[]')
  );
end
$$;
