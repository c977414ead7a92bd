-- What public.browse_shop does, with its owner's rights: one page of a list, the latest first, for people who look after the shop.
--
--   p_list      p_state                                                   p_search finds
--   orders      a status, `proof` (waits for a decision), `money` (to     number, order, buyer, request id, e-mail address
--               be given back, or that pays nothing)
--   batches     a status, `lapsed`                                        batch, driver, a part of its reference
--   drivers     `active`, `inactive`                                      driver, a part of the e-mail address
--   stock       `empty`, `owed`                                           product, a part of its name or of its location's
--   promos      `active`, `inactive`, `used_up`                           code, a part of it
--   sessions    a status, `open`                                          session, order, a part of its code
--   findings    a status                                                  finding, product, subject, a part of its kind or product
--   deliveries  a state                                                   delivery, subject
--
-- Rows are asked for in the order of their ids, which is that of time, except stock (by product and location). The answer's
-- `next` is the p_after of the page that follows; null where nothing does.
--
-- Callers: authenticated (staff) and service_role, through public.browse_shop.
-- Locks: none.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: staff read few of these rows otherwise.
create function interlock.browse_shop(p_list text, p_search text, p_state text, p_after text, p_limit int)
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
  v_states constant jsonb := jsonb '{
    "orders": ["pending_payment", "confirmed", "paid", "fulfilled", "cancelled", "expired", "refunded", "proof", "money"],
    "batches": ["available", "claimed", "in_progress", "completed", "cancelled", "lapsed"],
    "drivers": ["active", "inactive"],
    "stock": ["empty", "owed"],
    "promos": ["active", "inactive", "used_up"],
    "sessions": ["picking", "packing", "completed", "abandoned", "open"],
    "findings": ["open", "accepted", "resolved"],
    "deliveries": ["pending", "delivered", "dead", "skipped"]
  }';
  v_problems jsonb := '[]'::jsonb;
  v_search constant text := nullif(btrim(p_search), '');
  v_like constant text := '%' || regexp_replace(v_search, '([\\%_])', '\\\1', 'g') || '%';
  v_id constant uuid := case when interlock.is_uuid(v_search) then v_search::uuid end;
  v_number constant bigint := case when v_search ~ '^#?[0-9]{1,15}$' then ltrim(v_search, '#')::bigint end;
  v_after uuid;
  v_before bigint;
  v_orders uuid[];
  v_rows jsonb;
begin
  perform interlock.refuse_unless_shop();
  if p_list is null or not v_states ? p_list then
    v_problems := v_problems || interlock.problem(
      '/p_list', 'must be orders, batches, drivers, stock, promos, sessions, findings or deliveries'
    );
  elsif not v_states -> p_list ? p_state then
    v_problems := v_problems || interlock.problem('/p_state', 'is no state of this list');
  elsif p_list = 'deliveries' and p_after !~ '^[0-9]{1,18}$'
    or p_list not in ('deliveries', 'stock') and not interlock.is_uuid(p_after)
    or p_list = 'stock' and p_after !~ '^[0-9]{1,9}$'
  then
    v_problems := v_problems || interlock.problem('/p_after', 'must be the next of the page before');
  end if;
  if char_length(p_search) > 200 then
    v_problems := v_problems || interlock.problem('/p_search', 'must have at most 200 characters');
  end if;
  if p_limit is null or p_limit not between 1 and 100 then
    v_problems := v_problems || interlock.problem('/p_limit', 'must be an integer from 1 to 100');
  end if;
  perform interlock.refuse_problems(v_problems);
  if p_list in ('deliveries', 'stock') then
    v_before := p_after::bigint;
  else
    v_after := p_after::uuid;
  end if;

  -- One more than is shown says whether there is another page.
  case p_list
    when 'orders' then
      if v_search is not null then
        v_orders := array(
          select o.id from interlock.orders o where o.number = v_number or o.id = v_id
          union
          select e.order_id from interlock.order_events e where e.request_id = v_search
          union
          select p.order_id from interlock.payments p where p.provider_id = v_search and p.order_id is not null
          union
          select q.id
          from (
            select o.id
            from interlock.orders o
            where o.user_id in (
              select v_id where v_id is not null
              union
              select u.id from interlock.accounts u where strpos(v_search, '@') > 0 and lower(u.email) = lower(v_search)
            )
            union
            select d.order_id
            from interlock.order_details d
            where strpos(v_search, '@') > 0
              and lower(d.contact ->> 'email') = lower(v_search)
          ) q
        );
      end if;
      select jsonb_agg(to_jsonb(r) order by r.id desc)
      into v_rows
      from (
        select
          o.id, o.number, o.status, o.fulfillment, o.total, o.refunded, o.currency, o.payment_method, o.created_at,
          o.payment_expires_at, o.proof_submitted_at
        from interlock.orders o
        where (v_after is null or o.id < v_after)
          and (v_search is null or o.id = any (v_orders))
          and case p_state
            when 'proof' then o.id in (select f.order_id from interlock.payment_proofs f where f.status = 'submitted')
            when 'money' then o.id in (select p.order_id from interlock.payments p where p.status in ('refund_due', 'flagged'))
            else p_state is null or o.status = p_state
          end
        order by o.id desc
        limit p_limit + 1
      ) r;

    when 'batches' then
      select jsonb_agg(to_jsonb(r) order by r.id desc)
      into v_rows
      from (
        select
          b.id, b.reference, b.status, b.driver_id, b.lease_expires_at, b.priority, b.version, b.created_at,
          b.status in ('claimed', 'in_progress') and b.lease_expires_at < interlock.clock() as lapsed
        from interlock.batches b
        where (v_after is null or b.id < v_after)
          and (v_search is null or b.id = v_id or b.driver_id = v_id or b.reference ilike v_like)
          and case p_state
            when 'lapsed' then b.status in ('claimed', 'in_progress') and b.lease_expires_at < interlock.clock()
            else p_state is null or b.status = p_state
          end
        order by b.id desc
        limit p_limit + 1
      ) r;

    when 'drivers' then
      select jsonb_agg(to_jsonb(r) order by r.id desc)
      into v_rows
      from (
        select
          d.user_id as id, u.email, d.active,
          (select b.id from interlock.batches b where b.driver_id = d.user_id and b.status in ('claimed', 'in_progress')) as batch_id
        from interlock.drivers d
        join interlock.accounts u on u.id = d.user_id
        where (v_after is null or d.user_id < v_after)
          and (v_search is null or d.user_id = v_id or u.email ilike v_like)
          and (p_state is null or d.active = (p_state = 'active'))
        order by d.user_id desc
        limit p_limit + 1
      ) r;

    when 'stock' then
      select jsonb_agg(to_jsonb(r) order by r.product, r.location, r.id)
      into v_rows
      from (
        select
          l.inventory_id as id, l.product_id, l.product, l.location_id, l.location, l.quantity, l.unit, l.version, p.stock_slots as slots,
          p.stock_policy as policy
        from interlock.inventory_levels l
        join interlock.products p on p.id = l.product_id
        where (
            v_search is null or l.product_id = v_id or l.location_id = v_id or l.inventory_id = v_id
            or l.product ilike v_like or l.location ilike v_like
          )
          and case p_state
            when 'empty' then p.stock_policy = 'tracked' and l.quantity = 0
            when 'owed' then l.quantity < 0
            else true
          end
        order by l.product, l.location, l.inventory_id
        offset coalesce(v_before, 0)
        limit p_limit + 1
      ) r;

    when 'promos' then
      select jsonb_agg(to_jsonb(r) order by r.id desc)
      into v_rows
      from (
        select
          c.id, c.code, c.discount_type, c.discount_value, c.currency, c.used_count + coalesce(s.used, 0) as used, c.max_uses, c.use_slots as slots,
          c.active, c.starts_at, interlock.promo_end(c.expires_at, c.last_day, c.time_zone) as ends_at,
          (
            select count(*) from interlock.promo_redemptions r where r.promo_id = c.id and r.status = 'held'
          ) as held
        from interlock.promo_codes c
        left join lateral (
          select sum(q.used) as used from interlock.counter_slots q where q.owner_id = c.id
        ) s on c.use_slots > 0
        where (v_after is null or c.id < v_after)
          and (v_search is null or c.id = v_id or c.code ilike v_like)
          and case p_state
            when 'used_up' then c.used_count + coalesce(s.used, 0) >= c.max_uses
            else p_state is null or c.active = (p_state = 'active')
          end
        order by c.id desc
        limit p_limit + 1
      ) r;

    when 'sessions' then
      select jsonb_agg(to_jsonb(r) order by r.id desc)
      into v_rows
      from (
        select
          s.id, s.code, s.status, s.open_orders, s.completed_orders, s.created_at, s.ended_at,
          (select l.name from interlock.locations l where l.id = s.location_id) as location
        from interlock.picking_sessions s
        where (v_after is null or s.id < v_after)
          and (
            v_search is null or s.id = v_id or s.number = v_number or s.code ilike v_like
            or s.id in (select o.picking_session_id from interlock.picking_session_orders o where o.order_id = v_id)
          )
          and case p_state
            when 'open' then s.ended_at is null
            else p_state is null or s.status = p_state
          end
        order by s.id desc
        limit p_limit + 1
      ) r;

    when 'findings' then
      select jsonb_agg(to_jsonb(r) order by r.id desc)
      into v_rows
      from (
        select
          f.id, f.kind, f.product_id, p.name as product, l.name as location, f.subject_id, f.expected, f.found, f.size, f.since, f.cause,
          f.status, f.found_at, f.decided_at, f.reason, f.decided_by
        from interlock.inventory_findings f
        left join interlock.products p on p.id = f.product_id
        left join interlock.locations l on l.id = f.location_id
        where (v_after is null or f.id < v_after)
          and (
            v_search is null or v_id in (f.id, f.product_id, f.subject_id) or f.kind ilike v_like or p.name ilike v_like
          )
          and (p_state is null or f.status = p_state)
        order by f.id desc
        limit p_limit + 1
      ) r;

    when 'deliveries' then
      select jsonb_agg(to_jsonb(r) order by r.id desc)
      into v_rows
      from (
        select
          d.id, e.type as event, d.subject, d.state, d.attempts, w.channel, coalesce(w.description, w.url, w.channel) as endpoint,
          d.created_at, case d.state when 'pending' then d.next_attempt_at end as next_attempt_at, d.ended_at,
          (
            select to_jsonb(a) - '{shop_id,id,delivery_id}'::text[]
            from interlock.delivery_attempts a
            where a.delivery_id = d.id
            order by a.id desc
            limit 1
          ) as last
        from interlock.deliveries d
        join interlock.webhook_endpoints w on w.id = d.endpoint_id
        left join interlock.find_event(d.transaction, d.position) e on true
        where (v_before is null or d.id < v_before)
          and (v_search is null or d.id = v_number or d.subject = v_search)
          and (p_state is null or d.state = p_state)
        order by d.id desc
        limit p_limit + 1
      ) r;
  end case;

  v_rows := coalesce(v_rows, '[]');
  return jsonb_build_object(
    'success', true,
    'next', case
      when jsonb_array_length(v_rows) <= p_limit then null
      when p_list = 'stock' then (coalesce(v_before, 0) + p_limit)::text
      else v_rows -> (p_limit - 1) ->> 'id'
    end,
    'rows', case when jsonb_array_length(v_rows) > p_limit then v_rows - p_limit else v_rows end
  );
end
$$;
