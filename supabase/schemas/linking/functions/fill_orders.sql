-- Write some more of the orders that a linked table does not have yet, p_limit of them at most, while the shop goes on. Orders that
-- somebody holds are passed over: who changes one writes it. Call it until `filled` is true; a job does so every minute. With p_again it
-- writes those that interlock.order_drift tells.
--
-- Callers: interlock.fill_links, interlock.link_orders; postgres.
-- Locks: the link; orders, never waiting; as interlock.write_order_row.
-- Errors: VALIDATION_FAILED if the table is not linked; 55P03 is transient.
create function interlock.fill_orders(p_target regclass, p_limit int default 1000, p_again boolean default false)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_link interlock.order_links;
  v_target constant text := interlock.source_name(p_target);
  v_limit constant int := greatest(coalesce(p_limit, 1000), 0);
  v_ids uuid[];
  v_done bigint;
  v_left bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  select l.* into v_link from interlock.order_links l where l.target = p_target for no key update;
  if not found then
    perform interlock.refuse_problems(interlock.problem('/p_target', 'is not linked: interlock.link_orders links it'));
  end if;

  if p_again then
    v_ids := array(select distinct d.order_id from interlock.order_drift(p_target, v_link.since) d where d.order_id is not null limit v_limit);
    v_ids := array(
      select o.id from interlock.orders o where o.id = any (v_ids) order by o.id for no key update skip locked
    );
  else
    -- What was refused is noted, and tried by a job of its own.
    execute format(
      $sql$
        select array(
          select o.id
          from interlock.orders o
          where o.created_at >= $1
            and not exists (select from %1$s t where t.%2$I = o.id::%3$s)
            and not exists (select from interlock.order_write_outs w where w.order_id = o.id and w.link_id = $2)
          order by o.id
          limit $3
          for no key update of o skip locked
        )
      $sql$,
      v_target, interlock.column_of(v_link.map -> 'id'), interlock.type_of(p_target, interlock.column_of(v_link.map -> 'id'))
    ) into v_ids using v_link.since, v_link.id, v_limit;
  end if;
  select count(*) filter (where interlock.write_order_row(v_link, i.id)) into v_done from unnest(v_ids) as i (id);
  execute format(
    'select count(*) from interlock.orders o where o.created_at >= $1 and not exists (select from %1$s t where t.%2$I = o.id::%3$s)',
    v_target, interlock.column_of(v_link.map -> 'id'), interlock.type_of(p_target, interlock.column_of(v_link.map -> 'id'))
  ) into v_left using v_link.since;

  update interlock.order_links l
  set filled_at = case when v_left = 0 then coalesce(l.filled_at, now()) end
  where l.id = v_link.id;
  return jsonb_build_object('success', true, 'target', v_target, 'done', v_done, 'left', v_left, 'filled', v_left = 0);
end
$$;
