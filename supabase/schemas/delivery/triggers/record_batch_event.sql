-- Write the history of a batch.
--
-- Callers: trigger batches_record_event.
-- Locks: none beyond the rows it inserts.
-- Security definer: nobody has insert on batch_events.
create function interlock.record_batch_event()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_lease_over boolean;
  v_is_claim boolean;
  v_event text;
begin
  if tg_op = 'INSERT' then
    insert into interlock.batch_events (batch_id, event, driver_id, version)
    values (new.id, 'created', new.driver_id, new.version);
    return null;
  end if;

  if tg_op = 'DELETE' then
    insert into interlock.batch_events (batch_id, event, driver_id, version)
    values (old.id, 'deleted', old.driver_id, old.version);
    return null;
  end if;

  v_lease_over := coalesce(old.lease_expires_at <= interlock.clock(), false);
  v_is_claim := new.status = 'claimed' and (
    old.status <> 'claimed'
    or new.driver_id is distinct from old.driver_id
    or (v_lease_over and new.lease_expires_at > interlock.clock())
  );

  if v_lease_over and (v_is_claim or new.status = 'available') then
    insert into interlock.batch_events (batch_id, event, driver_id, version)
    values (new.id, 'expired', old.driver_id, new.version);
  end if;

  v_event := case
    when v_is_claim then 'claimed'
    when new.status = old.status and new.lease_expires_at > old.lease_expires_at then 'renewed'
    when new.status = old.status and new.lease_expires_at < old.lease_expires_at then 'shortened'
    when new.status = old.status then null
    when new.status = 'in_progress' then 'started'
    when new.status = 'available' and not v_lease_over then 'released'
    when new.status in ('completed', 'cancelled') then new.status
  end;

  if v_event is not null then
    insert into interlock.batch_events (batch_id, event, driver_id, version)
    values (
      new.id,
      v_event,
      case when v_event in ('released', 'cancelled') then old.driver_id else new.driver_id end,
      new.version
    );
  end if;

  return null;
end
$$;
