-- What public.set_crm_mappings does, with its owner's rights: has the shop's CRM told of these events from now on, each by its mapping, and of
-- no others; null leaves them as they are.
--
-- Callers: authenticated (staff) and service_role, through public.set_crm_mappings.
-- Locks: the cursor; the endpoint of the CRM; its mappings.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody has the right to write endpoints and mappings.
create function interlock.set_crm_mappings(p_mappings jsonb, p_active boolean)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_endpoint interlock.webhook_endpoints;
  v_types text[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  if p_mappings is not null then
    perform interlock.refuse_problems(interlock.find_crm_problems(p_mappings));
  end if;
  -- Whoever sets it up meanwhile waits here, and comes after us.
  perform interlock.watch_events();
  v_types := case
    when p_mappings is not null then array(select m ->> 'event_type' from jsonb_array_elements(p_mappings) m)
    else array(select m.event_type::text from interlock.crm_mappings m)
  end;
  if v_types = '{}' and p_active is not false then
    if p_mappings is null then
      perform interlock.refuse_problems(interlock.problem('/p_mappings', 'must be there at first'));
    end if;
    p_active := false;
  end if;

  v_endpoint := interlock.open_channel('crm', 'CRM', nullif(v_types, '{}'), p_active);
  if p_mappings is not null then
    delete from interlock.crm_mappings m where m.event_type <> all (v_types);
    insert into interlock.crm_mappings (event_type, method, path, body)
    select m ->> 'event_type', coalesce(m ->> 'method', 'POST'), m ->> 'path', m -> 'body'
    from jsonb_array_elements(p_mappings) m
    on conflict on constraint crm_mappings_pkey
    do update set method = excluded.method, path = excluded.path, body = excluded.body;
  end if;
  return jsonb_build_object('success', true, 'crm', jsonb_build_object(
    'endpoint_id', v_endpoint.id,
    'active', v_endpoint.active,
    'mappings', (
      select coalesce(jsonb_agg(to_jsonb(m) - 'shop_id' order by m.event_type), '[]') from interlock.crm_mappings m
    )
  ));
end
$$;
