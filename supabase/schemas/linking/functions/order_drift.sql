-- Where a linked table and the orders that were placed from p_since on do not say the same, in one snapshot, with what to do; empty where
-- all is well. An order that waits to be written counts once that is ten minutes old.
--
-- Callers: `npm run verify`; service_role, postgres.
-- Locks: none.
-- Security definer: the shop's table need not be open to who asks.
create function interlock.order_drift(p_target regclass default null, p_since timestamptz default now() - interval '30 days')
returns table (
  target text, order_id uuid, what text, in_target text, in_interlock text, todo text
)
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_link interlock.order_links;
  v_broken jsonb;
  v_target text;
  v_key text;
begin
  for v_link in
    select l.* from interlock.order_links l where p_target is null or l.target = p_target order by l.id
  loop
    v_target := interlock.source_name(v_link.target);
    v_broken := interlock.find_order_link_problems(v_link.target, v_link.map);
    if v_broken <> '[]' then
      return query
      select
        coalesce(v_target, v_link.target::oid::text), null::uuid, 'link', b ->> 'pointer', null::text,
        format(
          '%s; or select interlock.unlink_orders(%s)', b ->> 'message',
          coalesce(quote_literal(v_target), v_link.target::oid::text)
        )
      from jsonb_array_elements(v_broken) b;
      continue;
    end if;

    v_key := interlock.column_of(v_link.map -> 'id');
    return query execute format(
      $sql$
        with pair as materialized (
          select o.id, o.number, t.is_row, t.has, t.wanted, w.reason, w.since
          from interlock.orders o
          left join interlock.order_details d on d.order_id = o.id
          left join interlock.order_write_outs w on w.order_id = o.id and w.link_id = ($1).id
          cross join lateral jsonb_to_record(interlock.order_row($1, o, d, array(
            select i from interlock.order_items i where i.order_id = o.id
          ))) as r (%3$s)
          left join lateral (
            select true as is_row, jsonb_build_object(%4$s) as has, jsonb_build_object(%5$s) as wanted
            from %1$s t
            where t.%2$I = r.%2$I
          ) t on true
          where o.created_at >= greatest($2, ($1).since)
        )
        select $3, q.id, q.what, q.has, q.wanted, q.todo
        from (
          select
            p.id, 'missing' as what, null as has, p.number::text as wanted,
            case when p.reason is null then format('select interlock.fill_orders(%%L)', $3) else format('not written since %%s: %%s', p.since, p.reason) end as todo
          from pair p
          where p.is_row is null
            and coalesce(p.since < now() - interval '10 minutes', true)
          union all
          select
            p.id, n.key, p.has ->> n.key, n.value,
            case when p.reason is null then format('select interlock.fill_orders(%%L, p_again => true)', $3) else format('not written since %%s: %%s', p.since, p.reason) end
          from pair p
          cross join jsonb_each_text(p.wanted) n
          where p.has ->> n.key is distinct from n.value
            and coalesce(p.since < now() - interval '10 minutes', true)
        ) q
        order by q.id, q.what
      $sql$,
      v_target, v_key,
      (
        select string_agg(format('%I %s', k.name, interlock.type_of(v_link.target, k.name)), ', ')
        from (select interlock.column_of(e.value) as name from jsonb_each(v_link.map) e where e.key <> 'unit') k
      ),
      (
        select string_agg(format('%L, t.%I::text', k.name, k.name), ', ')
        from (select interlock.column_of(e.value) as name from jsonb_each(v_link.map) e where e.key <> 'unit') k
      ),
      (
        select string_agg(format('%L, r.%I::text', k.name, k.name), ', ')
        from (select interlock.column_of(e.value) as name from jsonb_each(v_link.map) e where e.key <> 'unit') k
      )
    ) using v_link, p_since, v_target;
  end loop;
end
$$;
