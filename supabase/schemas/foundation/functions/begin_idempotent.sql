-- Take the key for this transaction, or answer what a twin has answered. With p_response, the answer that the
-- caller will give, nothing is left to be finished. With p_shop the key is a reference of the shop's own code
-- (interlock.begin_reference): it is nobody's in particular, and lives longer.
--
-- Callers: every function with p_idempotency_key, before it locks anything else.
-- Locks: the key's row until the transaction ends. Waits for a twin, holding nothing.
-- Errors: VALIDATION_FAILED for a key of wrong length or characters; as interlock.find_idempotent; 55P03 after
--   lock_timeout. Null means: do the work, then, without p_response, call interlock.finish_idempotent.
create function interlock.begin_idempotent(
  p_operation text,
  p_key text,
  p_request jsonb,
  p_response text default null,
  p_shop boolean default false
)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_answer text;
begin
  if p_key is null then
    return null;
  end if;

  if p_key !~ '^[\x20-\x7e]+$' or char_length(p_key) > 255 then
    perform interlock.refuse_problems(
      interlock.problem(
        case when p_shop then '/p_reference' else '/headers/idempotency-key' end,
        'must be 1 to 255 printable ASCII characters'
      )
    );
  end if;

  loop
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    -- A key that is over is taken over; a live one changes nothing here. Each further turn means that it
    -- was over by the time it was looked for.
    insert into interlock.idempotency_keys as k (user_id, operation, key, request_hash, response, expires_at)
    select
      coalesce(case when not p_shop then auth.uid() end, '00000000-0000-0000-0000-000000000000'),
      p_operation,
      p_key,
      sha256(convert_to(p_request::text, 'UTF8')),
      p_response,
      interlock.clock() + case when p_shop then s.reference_lifetime else s.idempotency_key_lifetime end
    from interlock.settings s
    on conflict on constraint idempotency_keys_pkey do update
      set request_hash = excluded.request_hash,
          response = excluded.response,
          created_at = interlock.clock(),
          expires_at = excluded.expires_at
      where k.expires_at <= interlock.clock();

    exit when found;

    v_answer := interlock.find_idempotent(p_operation, p_key, p_request, p_shop);
    exit when v_answer is not null;
  end loop;

  return v_answer;
end
$$;
