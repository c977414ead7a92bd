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
  v_assigned boolean;
  v_is_claim boolean;
  v_event text;
begin
  if tg_op = 'INSERT' then
    insert into interlock.batch_events (batch_id, event, driver_id, version, actor_id)
    values (new.id, 'created', new.driver_id, new.version, auth.uid());
    return null;
  end if;

  if tg_op = 'DELETE' then
    insert into interlock.batch_events (batch_id, event, driver_id, version, actor_id)
    values (old.id, 'deleted', old.driver_id, old.version, auth.uid());
    return null;
  end if;

  v_lease_over := coalesce(old.lease_expires_at <= interlock.clock(), false);
  v_assigned := new.id::text is not distinct from current_setting('interlock.assigned_batch', true);
  v_is_claim := case
    when new.status = 'claimed' and (old.status <> 'claimed' or new.driver_id is distinct from old.driver_id) then true
    when new.status in ('claimed', 'in_progress') and new.status = old.status then
      v_lease_over and new.lease_expires_at > interlock.clock()
    else false
  end;

  -- What the driver concerned had until now.
  v_event := case
    when not (v_is_claim or new.status = 'available' and old.status <> 'available') then null
    when v_lease_over then 'expired'
    when old.driver_id is not null then 'released'
  end;
  if v_event is not null then
    insert into interlock.batch_events (batch_id, event, driver_id, version, actor_id, reason)
    values (
      new.id, v_event, old.driver_id, new.version, auth.uid(),
      case when v_assigned then nullif(current_setting('interlock.assignment_reason', true), '') end
    );
  end if;

  v_event := case
    when v_is_claim and v_assigned then 'assigned'
    when v_is_claim then 'claimed'
    when new.status = old.status and new.lease_expires_at > old.lease_expires_at then 'renewed'
    when new.status = old.status and new.lease_expires_at < old.lease_expires_at then 'shortened'
    when new.status = old.status then null
    when new.status = 'in_progress' then 'started'
    when new.status in ('completed', 'cancelled') then new.status
  end;
  if v_event is not null then
    insert into interlock.batch_events (batch_id, event, driver_id, version, actor_id, reason)
    values (
      new.id, v_event, case when v_event = 'cancelled' then old.driver_id else new.driver_id end, new.version, auth.uid(),
      case when v_assigned then nullif(current_setting('interlock.assignment_reason', true), '') end
    );
  end if;

  return null;
end
$$;
