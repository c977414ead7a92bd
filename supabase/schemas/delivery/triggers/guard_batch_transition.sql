-- Trigger: refuse an illegal change of a batch, count its version, fill in what a new status implies.
--
-- Which change is allowed, for everybody: our functions, the shop's own SQL, a bug.
--
--   from \ to     available      claimed            in_progress   completed    cancelled
--   available     edit           claim              –             –            yes
--   claimed       give back      renew; re-claim *  same driver   same driver  yes
--   in_progress   give back      re-claim *         renew         same driver  yes
--   completed     –              –                  –             edit **      –
--   cancelled     –              –                  –             –            edit **
--
--   *  To another driver, and from in_progress also to the same one, only once the lease is over. A live lease is
--      handed over in one step by interlock.assign_batch only; your own SQL gives back first.
--   ** Other columns may change; the driver can only be emptied (account removed).
--
-- What follows from a new status is filled in, so `update batches set status = 'available' where id = …` is all a shop
-- needs to take a batch back: holder and times are emptied. Likewise `completed`, `cancelled` (lease emptied),
-- `in_progress` (start set, the longer lease of a started batch unless another is given) and, with a driver_id,
-- `claimed` (missing times set, start emptied).
--
-- Callers: trigger batches_guard_transition.
-- Errors: 23514 check_violation with constraint name batches_transition_allowed (a bug or the shop's own SQL; never an
--   answer to a driver).
-- Security definer: so that it may read the settings whoever updates the row.
create function interlock.guard_batch_transition()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_same_driver constant boolean := new.driver_id is not distinct from old.driver_id;
  v_lease_over constant boolean := coalesce(old.lease_expires_at <= interlock.clock(), false);
  v_assigned constant boolean := new.id::text is not distinct from current_setting('interlock.assigned_batch', true);
  v_allowed boolean;
begin
  v_allowed := case old.status
    when 'available' then new.status in ('available', 'claimed', 'cancelled')
    when 'claimed' then
      case
        when new.status = 'claimed' then v_same_driver or v_lease_over or v_assigned
        when new.status in ('in_progress', 'completed') then v_same_driver
        else new.status in ('available', 'cancelled')
      end
    when 'in_progress' then
      case
        when new.status = 'claimed' then v_lease_over or v_assigned
        when new.status in ('in_progress', 'completed') then v_same_driver
        else new.status in ('available', 'cancelled')
      end
    else new.status = old.status and (v_same_driver or new.driver_id is null)
  end;

  if not v_allowed then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'batches_transition_allowed',
      message = format('batch %s cannot go from %s to %s in this way', old.id, old.status, new.status),
      hint = 'docs/operations.md has the table of transitions.';
  end if;

  new.version := old.version + 1;

  if new.status <> old.status then
    case new.status
      when 'available' then
        new.driver_id := null;
        new.claimed_at := null;
        new.lease_expires_at := null;
        new.started_at := null;
      when 'claimed' then
        new.claimed_at := coalesce(new.claimed_at, interlock.clock());
        new.lease_expires_at := coalesce(new.lease_expires_at, interlock.next_lease_end('claimed'));
        new.started_at := null;
      when 'in_progress' then
        new.started_at := coalesce(new.started_at, interlock.clock());
        if new.lease_expires_at = old.lease_expires_at then
          new.lease_expires_at := greatest(old.lease_expires_at, interlock.next_lease_end('in_progress'));
        end if;
      when 'completed' then
        new.lease_expires_at := null;
        new.completed_at := coalesce(new.completed_at, interlock.clock());
      else
        new.lease_expires_at := null;
    end case;
  end if;

  return new;
end
$$;
