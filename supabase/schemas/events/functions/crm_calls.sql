-- The calls of CRMs that deliveries come to, by their ids. Where there is nothing to tell the delivery ends here; what cannot be told is dead,
-- and stops no other.
--
-- Callers: interlock.claim_deliveries.
-- Locks: the deliveries, which the caller has.
create function interlock.crm_calls(p_delivery_ids bigint[])
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_calls jsonb := jsonb '{}';
  v_call jsonb;
  v_one record;
begin
  for v_one in
    select
      d.id, w.channel, e.type, e.subject, concat_ws('.', e.id, w.id) as key,
      jsonb_build_object('id', e.id, 'type', e.type, 'timestamp', e.created_at, 'subject', e.subject, 'data', e.payload) as event
    from interlock.deliveries d
    join interlock.webhook_endpoints w on w.id = d.endpoint_id and w.channel in ('alpine_iq', 'crm')
    cross join interlock.find_event(d.transaction, d.position) e
    where d.id = any (p_delivery_ids)
    order by d.id
  loop
    begin
      v_call := case v_one.channel
        when 'alpine_iq' then interlock.crm_call(v_one.type, v_one.subject)
        else interlock.mapped_call(v_one.event, v_one.key)
      end;
    exception
      when others then
        perform interlock.skip_delivery(v_one.id, 'dead', format('it cannot be told: %s', sqlerrm));
        continue;
    end;
    if v_call is null then
      perform interlock.skip_delivery(v_one.id, 'skipped', 'nobody who may be written to');
    else
      v_calls := v_calls || jsonb_build_object(v_one.id, v_call);
    end if;
  end loop;
  return v_calls;
end
$$;
