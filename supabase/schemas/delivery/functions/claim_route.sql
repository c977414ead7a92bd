-- What public.claim_route does, with its owner's rights, replayed under an idempotency key.
--
-- Reads decide first, without a lock, so a refusal never makes the winner wait. The guard is the conditional update:
-- it changes the row only if the rule still holds on its newest version. Where an update finds that it does not, the
-- function looks again; every turn of such a loop means that somebody else's transaction has succeeded.
--
-- No transaction of ours ever *waits* for a batch row while it holds another one, so two drivers cannot deadlock. One
-- call needs two batch rows: a driver whose lease on batch X is over claims batch Y, and X must be given back first,
-- because of batches_one_active_per_driver. It waits for Y, then takes X with `nowait`. If somebody is claiming X at
-- that moment the call fails with 55P03 and leaves nothing behind; the function claim-route repeats it.
--
-- Callers: authenticated and service_role, through public.claim_route.
-- Locks: idempotency key, driver row, then batch rows as claim_batch, claim_next_batch and act_on_held_batch say. Each
--   wait lasts two seconds at most.
-- Errors: VALIDATION_FAILED, UNAUTHENTICATED, IDEMPOTENCY_KEY_REUSED, NOT_A_DRIVER, BATCH_NOT_FOUND,
--   BATCH_UNAVAILABLE, NO_BATCH_AVAILABLE, DRIVER_BUSY, LEASE_EXPIRED, BATCH_NOT_HELD; 55P03 and 40P01 are transient
--   and nothing has happened.
-- Security definer: drivers have no right to write batches. Nothing here trusts an argument for who is calling; that
--   is auth.uid().
create function interlock.claim_route(p_batch_id uuid, p_action text, p_idempotency_key text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_action constant text := coalesce(p_action, 'claim');
  v_driver_id uuid;
  v_batch interlock.batches;
  v_constraint text;
  v_answer text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.check_claim_route_arguments(p_batch_id, v_action);
  if auth.uid() is null then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;

  v_answer := interlock.begin_idempotent(
    'claim_route', p_idempotency_key, jsonb_build_object('batch_id', p_batch_id, 'action', v_action)
  );
  if v_answer is not null then
    return v_answer::jsonb;
  end if;

  v_driver_id := interlock.lock_driver();

  if v_action <> 'claim' then
    v_batch := interlock.act_on_held_batch(p_batch_id, v_driver_id, v_action);
  else
    -- The sub-transaction holds all batch locks and updates of a claim: a row that is locked outside one and updated
    -- inside costs a multixact.
    begin
      if p_batch_id is null then
        v_batch := interlock.claim_next_batch(v_driver_id);
      else
        v_batch := interlock.claim_batch(p_batch_id, v_driver_id);
      end if;
    exception
      -- Only if something else than this function gave the driver a batch meanwhile.
      when unique_violation then
        get stacked diagnostics v_constraint = constraint_name;
        if v_constraint <> 'batches_one_active_per_driver' then
          raise;
        end if;
        perform interlock.raise_error(
          'DRIVER_BUSY',
          interlock.batch_state(interlock.find_held_batch(v_driver_id))
        );
    end;
  end if;

  v_answer := jsonb_build_object('success', true, 'batch', interlock.batch_to_json(v_batch))::text;
  perform interlock.finish_idempotent('claim_route', p_idempotency_key, v_answer);
  return v_answer::jsonb;
end
$$;
