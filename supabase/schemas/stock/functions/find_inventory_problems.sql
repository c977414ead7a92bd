-- What is wrong with a request of public.manage_inventory by itself, all of it; an empty list if nothing is. A member that
-- is null is none.
--
-- Callers: interlock.manage_inventory.
-- Locks: none.
create function interlock.find_inventory_problems(
  p_action text,
  p_lines jsonb,
  p_reason text,
  p_reference text,
  p_transfer_id uuid,
  p_in_transit boolean,
  p_began_at timestamptz,
  p_rebase boolean,
  p_idempotency_key text
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_of_transfer constant boolean := coalesce(p_action = 'lose' or (p_action = 'receive' and p_transfer_id is not null), false);
  v_problems jsonb := '[]'::jsonb;
  v_names text[];
  v_kinds text[];
  v_needed boolean[];
begin
  if p_action is null or p_action <> all ('{get,adjust,receive,set,count,transfer,cancel,lose}'::text[]) then
    v_problems := v_problems || interlock.problem(
      '/action', 'must be one of get, adjust, receive, set, count, transfer, cancel, lose'
    );
  end if;
  if p_reason is not null and not interlock.is_line(p_reason, 100) then
    v_problems := v_problems || interlock.problem('/reason', 'must be a text of 1 to 100 characters without control characters');
  end if;
  if p_reference !~ '^[\x20-\x7e]+$' or char_length(p_reference) > 255 then
    v_problems := v_problems || interlock.problem('/reference', 'must be 1 to 255 printable ASCII characters');
  end if;
  if p_action = 'get' and num_nonnulls(p_reason, p_reference, p_idempotency_key) > 0 then
    v_problems := v_problems || interlock.problem('/action', 'reads: it takes no reason, reference or key');
  end if;
  if p_rebase and p_action <> 'set' then
    v_problems := v_problems || interlock.problem('/rebase', 'is for set');
  end if;
  if p_transfer_id is not null and p_action not in ('receive', 'cancel', 'lose') then
    v_problems := v_problems || interlock.problem('/transfer_id', 'is not for this action');
  elsif p_transfer_id is null and p_action in ('cancel', 'lose') then
    v_problems := v_problems || interlock.problem('/transfer_id', 'is required: what was answered when the goods were sent');
  end if;
  if p_in_transit is not null and p_action <> 'transfer' then
    v_problems := v_problems || interlock.problem('/in_transit', 'is not for this action');
  end if;
  if p_began_at is not null then
    if p_action <> 'count' then
      v_problems := v_problems || interlock.problem('/began_at', 'is for count');
    elsif interlock.find_began_problem(p_began_at) is not null then
      v_problems := v_problems || interlock.problem('/began_at', interlock.find_began_problem(p_began_at));
    end if;
  end if;

  if p_action = 'cancel' then
    return v_problems || case
      when coalesce(p_lines, 'null') in ('null', '[]') then '[]'
      else interlock.problem('/lines', 'must be empty: all that is in transit comes back')
    end;
  elsif jsonb_typeof(p_lines) is distinct from 'array' then
    return v_problems || interlock.problem('/lines', 'must be a list of 1 to 100 objects');
  elsif jsonb_array_length(p_lines) not between 1 and 100 then
    return v_problems || interlock.problem('/lines', 'must have 1 to 100 lines');
  elsif p_action in ('adjust', 'receive')
    and not v_of_transfer
    and interlock.are_plain_lines(p_lines, (case p_action when 'adjust' then 'delta' else 'quantity' end))
  then
    return v_problems;
  end if;

  select array_agg(m.name), array_agg(m.kind), array_agg(m.needed)
  into v_names, v_kinds, v_needed
  from interlock.inventory_members(p_action, v_of_transfer) m;
  return v_problems || (
    select coalesce(
      jsonb_agg(
        jsonb_build_object('pointer', format('/lines/%s%s', l.n - 1, p.pointer), 'message', p.message)
        order by l.n, p.pointer
      ),
      '[]'
    )
    from (
      select i.n, jsonb_typeof(i.line) = 'object' as is_object,
        case jsonb_typeof(i.line) when 'object' then jsonb_strip_nulls(i.line) else '{}' end as line
      from jsonb_array_elements(p_lines) with ordinality as i (line, n)
    ) l
    cross join lateral (
      select '' as pointer, 'must be a JSON object' as message
      where not l.is_object
      union all
      select '/' || m.name, case when l.line ? m.name then interlock.find_member_problem(l.line -> m.name, m.kind) else 'is required' end
      from unnest(v_names, v_kinds, v_needed) as m (name, kind, needed)
      where l.is_object
        and case when l.line ? m.name then interlock.find_member_problem(l.line -> m.name, m.kind) is not null else m.needed end
      union all
      select '/' || interlock.pointer_token(k.name), 'is not a field of this action'
      from jsonb_object_keys(l.line) as k (name)
      where k.name <> all (v_names)
      union all
      select '/inventory_id', case
        when l.line ? 'inventory_id' then 'cannot go with product_id or location_id'
        else 'is required, or product_id'
      end
      where l.is_object
        and (l.line ? 'inventory_id') = (l.line ?| array['product_id', 'location_id'])
        and 'inventory_id' = any (v_names)
      union all
      select '/product_id', 'is required with location_id'
      where l.line ? 'location_id'
        and not l.line ?| array['product_id', 'inventory_id']
      union all
      select '/to_location_id', 'must be another location than from_location_id'
      where lower(l.line ->> 'from_location_id') = lower(l.line ->> 'to_location_id')
      union all
      select '/' || e.name, 'must be that of line 0: what is in transit has one way'
      from unnest(array['from_location_id', 'to_location_id']) as e (name)
      where p_in_transit
        and lower(l.line ->> e.name) <> lower(p_lines -> 0 ->> e.name)
      union all
      select '/expected_version', 'is required, or expected_quantity: what you have read'
      where p_action = 'set'
        and l.is_object
        and not l.line ?| array['expected_version', 'expected_quantity']
      union all
      select '/expected_quantity', 'is required with rebase'
      where p_action = 'set'
        and p_rebase
        and l.line ? 'expected_version'
        and not l.line ? 'expected_quantity'
      union all
      select '/began_at', 'is required: when counting began'
      where p_action = 'count'
        and l.is_object
        and p_began_at is null
        and not l.line ? 'began_at'
    ) p
  );
end
$$;
