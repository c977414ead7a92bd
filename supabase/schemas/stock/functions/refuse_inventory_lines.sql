-- Refuse lines that name what does not exist, all of a kind; then those that cannot be done to what they name. p_lines are what the caller
-- has sent, p_named what interlock.name_inventory_lines answers.
--
-- Callers: interlock.name_inventory_lines.
-- Locks: none.
-- Errors: INVENTORY_NOT_FOUND, LOCATION_NOT_FOUND, PRODUCT_NOT_FOUND, VALIDATION_FAILED.
create function interlock.refuse_inventory_lines(p_action text, p_lines jsonb, p_named jsonb, p_into boolean)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  v_found record;
begin
  with said as materialized (
    select
      (n.members ->> 'line')::int as line,
      n.members,
      (p_lines -> (n.members ->> 'line')::int ->> 'inventory_id')::uuid as asked_id,
      (n.members ->> 'product_id')::uuid as product_id,
      (n.members ->> 'location_id')::uuid as location_id
    from jsonb_array_elements(p_named) as n (members)
  ),
  named as (
    select
      s.line,
      s.members,
      s.asked_id,
      s.product_id,
      s.location_id,
      p.id is not null as is_product,
      p.kind = 'digital' as is_digital,
      case s.location_id when interlock.online_location() then 0 else p.decimals end as decimals,
      w.id is not null and (w.active or not p_into) as is_location,
      min(s.line) over same as first_line,
      first_value(s.members ->> 'began_at') over (same order by s.line) is distinct from s.members ->> 'began_at' as began_apart
    from said s
    left join interlock.products p on p.id = s.product_id
    left join interlock.locations w on w.id = s.location_id
    window same as (partition by s.product_id, s.location_id)
  )
  select
    jsonb_agg(distinct n.asked_id) filter (where n.asked_id is not null and not n.is_product) as no_inventory,
    jsonb_agg(distinct n.location_id) filter (where not n.is_location) as no_locations,
    jsonb_agg(distinct n.product_id) filter (where n.asked_id is null and not n.is_product) as no_products,
    (
      select coalesce(
        jsonb_agg(
          jsonb_build_object('pointer', format('/lines/%s/%s', b.line, b.member), 'message', b.message) order by b.line, b.member
        ),
        '[]'
      )
      from (
        select m.line, case when m.asked_id is null then 'product_id' else 'inventory_id' end as member,
          'is a digital product: its stock is its codes' as message
        from named m
        where m.is_digital and p_action <> 'get'
        union all
        select m.line, q.name, case m.location_id
          when interlock.online_location() then 'must be a whole number: the web shop sells whole units'
          else format('must have at most %s decimals, as the product has', m.decimals)
        end
        from named m
        cross join unnest(array['delta', 'quantity', 'counted']) as q (name)
        where (m.members ->> q.name)::numeric <> round((m.members ->> q.name)::numeric, m.decimals)
        union all
        select m.line, case when m.asked_id is null then 'product_id' else 'inventory_id' end,
          format('names the same stock as line %s', m.first_line)
        from named m
        where p_action = 'set' and m.line > m.first_line
        union all
        select m.line, 'began_at', format('must be that of line %s, which counts the same stock', m.first_line)
        from named m
        where p_action = 'count' and m.began_apart
      ) b
    ) as problems
  into v_found
  from named n;

  if v_found.no_inventory is not null then
    perform interlock.raise_error('INVENTORY_NOT_FOUND', jsonb_build_object('inventory_ids', v_found.no_inventory));
  end if;
  if v_found.no_locations is not null then
    perform interlock.raise_error('LOCATION_NOT_FOUND', jsonb_build_object('location_ids', v_found.no_locations));
  end if;
  if v_found.no_products is not null then
    perform interlock.raise_error('PRODUCT_NOT_FOUND', jsonb_build_object('product_ids', v_found.no_products));
  end if;
  perform interlock.refuse_problems(v_found.problems);
end
$$;
