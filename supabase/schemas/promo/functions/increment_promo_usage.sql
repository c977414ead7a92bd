-- What public.increment_promo_usage does, with its owner's rights. With a reference it counts once: the same call
-- again answers the same and counts nothing.
--
-- Callers: service_role, through public.increment_promo_usage.
-- Locks: the reference; the row of promo_codes, waiting; and where an expired hold has to be taken back, its customer's
--   row of promo_user_uses before that.
-- Errors: VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, PROMO_NOT_FOUND, PROMO_EXHAUSTED; 55P03 after lock_timeout.
-- Security definer: nobody has the right to write used_count.
create function interlock.increment_promo_usage(p_promo_id uuid, p_reference text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_answer jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  v_answer := interlock.begin_reference('increment_promo_usage', p_reference, to_jsonb(p_promo_id));
  if v_answer is not null then
    return v_answer;
  end if;

  perform interlock.take_promo_use(p_promo_id, null, null, null, null, null, null);

  return interlock.finish_reference('increment_promo_usage', p_reference, jsonb_build_object(
    'success', true,
    -- With slots nobody knows it: others are counting beside us.
    'used_count', (select p.used_count from interlock.promo_codes p where p.id = p_promo_id and p.use_slots = 0)
  ));
end
$$;
