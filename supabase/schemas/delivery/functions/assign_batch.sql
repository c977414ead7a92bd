-- What public.assign_batch does, with its owner's rights: the shop gives a batch to a driver in one step, whoever
-- has it. The new driver begins anew, with a claim of their own; the history says who lost it, who got it, by whom
-- and why. To a driver who has it under a live lease it changes nothing, so the call can be sent again.
--
-- Only the driver who gets it is locked. Whoever has it may be claiming, renewing or completing it at that moment: they
-- meet on the row of the batch, and each asks it again who has it.
--
-- Callers: authenticated (staff) and service_role, through public.assign_batch.
-- Locks: the driver, then the batch row, waiting; then, only if that driver's lease on another batch is over, that
--   batch's row with `nowait`. Each wait lasts two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, DRIVER_NOT_FOUND, BATCH_NOT_FOUND, BATCH_FINISHED, DRIVER_BUSY;
--   55P03 and 40P01 are transient and nothing has happened.
-- Security definer: staff have no right to write batches.
create function interlock.assign_batch(p_batch_id uuid, p_driver_user_id uuid, p_reason text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_held interlock.batches;
  v_batch interlock.batches;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();

  if p_batch_id is null then
    v_problems := v_problems || interlock.problem('/p_batch_id', 'is required');
  end if;
  if p_driver_user_id is null then
    v_problems := v_problems || interlock.problem('/p_driver_user_id', 'is required');
  end if;
  if char_length(p_reason) not between 1 and 200 then
    v_problems := v_problems || interlock.problem('/p_reason', 'must be 1 to 200 characters');
  end if;
  perform interlock.refuse_problems(v_problems);

  perform 1
  from interlock.drivers d
  where d.user_id = p_driver_user_id
    and d.active
  for no key update;
  if not found then
    perform interlock.raise_error('DRIVER_NOT_FOUND', jsonb_build_object('driver_user_id', p_driver_user_id));
  end if;

  loop
    -- In this order: a batch that leaves the driver between the two looks was theirs at the first.
    v_held := interlock.find_held_batch(p_driver_user_id);
    select b.* into v_batch from interlock.batches b where b.id = p_batch_id;
    if not found then
      perform interlock.raise_error('BATCH_NOT_FOUND', jsonb_build_object('batch_id', p_batch_id));
    end if;
    if v_held.lease_expires_at > interlock.clock() then
      exit when v_held.id = p_batch_id;
      perform interlock.raise_error('DRIVER_BUSY', interlock.batch_state(v_held));
    end if;

    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    -- Which of its statuses it has does not matter, so a lock says whether it still has one of them.
    perform 1
    from interlock.batches b
    where b.id = p_batch_id
      and b.status in ('available', 'claimed', 'in_progress')
    for no key update;
    if not found then
      select b.* into v_batch from interlock.batches b where b.id = p_batch_id;
      continue when not found;
      perform interlock.raise_error('BATCH_FINISHED', interlock.batch_state(v_batch));
    end if;

    if v_held.id <> p_batch_id then
      perform interlock.give_back_stale_batch(p_driver_user_id);
    end if;
    perform set_config('interlock.assigned_batch', p_batch_id::text, true),
      set_config('interlock.assignment_reason', coalesce(p_reason, ''), true);
    begin
      update interlock.batches b
      set status = case when b.driver_id = p_driver_user_id then b.status else 'claimed' end,
          driver_id = p_driver_user_id,
          claimed_at = interlock.clock(),
          lease_expires_at = interlock.next_lease_end(
            case when b.driver_id = p_driver_user_id then b.status else 'claimed' end
          )
      where b.id = p_batch_id
      returning b.* into v_batch;
    exception
      -- Only if something else than our functions gave the driver a batch meanwhile.
      when unique_violation then
        perform interlock.raise_error(
          'DRIVER_BUSY', interlock.batch_state(interlock.find_held_batch(p_driver_user_id))
        );
    end;
    perform set_config('interlock.assigned_batch', '', true), set_config('interlock.assignment_reason', '', true);
    exit;
  end loop;

  return jsonb_build_object('success', true, 'batch', interlock.batch_to_json(v_batch));
end
$$;
