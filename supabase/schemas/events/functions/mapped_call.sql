-- What the shop's CRM is told of an event by its mapping (interlock.crm_mappings): `{outlet, method, url, body, headers}`; null for nothing.
-- Placeholders find the event itself (`event.id`, `event.type`, `event.timestamp`, `event.subject`), what it says (`data.…`), and as
-- they are now the customer whom it names (`customer.…`). Who does not want to be written to is not told of, and what they buy is told
-- without them.
--
-- Callers: interlock.crm_calls.
-- Locks: none.
create function interlock.mapped_call(p_event jsonb, p_key text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_mapping interlock.crm_mappings;
  v_customer jsonb;
  v_facts jsonb;
begin
  select m.* into v_mapping from interlock.crm_mappings m where m.event_type = p_event ->> 'type';
  if not found then
    return null;
  end if;
  select jsonb_build_object(
    'id', c.id,
    'name', c.name,
    'first_name', split_part(c.name, ' ', 1),
    'last_name', nullif(substr(c.name, char_length(split_part(c.name, ' ', 1)) + 2), ''),
    'phone', c.phone,
    'email', c.email,
    'tier', a.tier,
    'since', c.created_at
  )
  into v_customer
  from interlock.customers c
  left join interlock.points_accounts a on a.customer_id = c.id
  where c.id = (p_event #>> '{data,customer_id}')::uuid
    and c.marketing
    and num_nonnulls(c.phone, c.email) > 0;
  if v_customer is null and p_event #>> '{data,customer_id}' = p_event ->> 'subject' then
    return null;
  end if;

  v_facts := jsonb_build_object(
    'event', p_event - 'data',
    'data', case when v_customer is null then (p_event -> 'data') - 'customer_id' else p_event -> 'data' end,
    'customer', v_customer
  );
  return jsonb_build_object(
    'outlet', 'CRM',
    'method', v_mapping.method,
    'url', interlock.fill_path(v_mapping.path, v_facts),
    'body', interlock.fill_json(v_mapping.body, v_facts)::text,
    'headers', jsonb_build_object('idempotency-key', p_key)
  );
end
$$;
