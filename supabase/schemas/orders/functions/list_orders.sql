-- What public.list_orders does, with its owner's rights: how staff and the shop read orders. Row security shows a
-- buyer's own orders only, so that it is one look at the index on user_id; here everything is readable, a page at a
-- time, by the primary key, whose ids are ordered by time, or the one with a number.
--
-- Callers: authenticated (staff) and service_role, through public.list_orders.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: orders of others are not readable otherwise.
create function interlock.list_orders(p_status text, p_user_id uuid, p_before uuid, p_limit int, p_number bigint)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
-- Each filter that is not given falls out of the plan.
set plan_cache_mode = force_custom_plan
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  perform interlock.refuse_unless_shop();
  if p_status not in ('pending_payment', 'confirmed', 'paid', 'fulfilled', 'cancelled', 'expired', 'refunded') then
    v_problems := v_problems || interlock.problem(
      '/p_status', 'must be pending_payment, confirmed, paid, fulfilled, cancelled, expired or refunded'
    );
  end if;
  if p_limit is null or p_limit not between 1 and 200 then
    v_problems := v_problems || interlock.problem('/p_limit', 'must be an integer from 1 to 200');
  end if;
  perform interlock.refuse_problems(v_problems);

  return jsonb_build_object('success', true, 'orders', coalesce((
    select jsonb_agg(
      -- A delivered code is for its buyer's eyes only: staff has its id, to replace it by.
      interlock.order_to_json(o.id) - 'codes' || jsonb_build_object(
        'user_id', o.user_id,
        'events', (
          select coalesce(jsonb_agg(to_jsonb(e) - '{shop_id,order_id,transaction}'::text[] order by e.id), '[]')
          from interlock.order_events e
          where e.order_id = o.id
        ),
        'corrections', (
          select coalesce(jsonb_agg(to_jsonb(h) - 'shop_id' - 'order_id' order by h.id), '[]')
          from interlock.order_detail_changes h
          where h.order_id = o.id
        ),
        'codes', (
          select coalesce(jsonb_agg(to_jsonb(c) - 'shop_id' - 'code' - 'order_id' order by c.id), '[]')
          from interlock.product_codes c
          where c.order_id = o.id
            and c.used_at is not null
        ),
        'payment_proofs', (
          select coalesce(jsonb_agg(to_jsonb(f) - 'shop_id' - 'order_id' order by f.id), '[]')
          from interlock.payment_proofs f
          where f.order_id = o.id
        )
      )
      order by o.id desc
    )
    from (
      select q.id, q.user_id
      from interlock.orders q
      where (p_status is null or q.status = p_status)
        and (p_user_id is null or q.user_id = p_user_id)
        and (p_before is null or q.id < p_before)
        and (p_number is null or q.number = p_number)
      order by q.id desc
      limit p_limit
    ) o
  ), '[]'));
end
$$;
