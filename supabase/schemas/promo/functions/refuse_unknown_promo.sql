-- Refuse a code that this user may not know, and count the guess. Null if they may; else what to answer
-- (promo/tables/promo_attempts.sql).
--
-- Callers: interlock.validate_promo, interlock.checkout, before they write or lock anything.
-- Locks: lock_promo_attempts.
-- Errors: METHOD_NOT_ALLOWED in a read-only transaction, READ_ONLY at a replica, UNAUTHENTICATED, TOO_MANY_ATTEMPTS; 55P03 after lock_timeout.
--   PROMO_NOT_FOUND is returned.
create function interlock.refuse_unknown_promo(p_user_id uuid, p_code text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_limit constant int := 20;
  v_window constant interval := interval '10 minutes';
  v_attempted_at timestamptz[];
  v_promo interlock.promo_codes;
begin
  if current_setting('transaction_read_only')::boolean then
    perform interlock.raise_error(case when pg_is_in_recovery() then 'READ_ONLY' else 'METHOD_NOT_ALLOWED' end);
  end if;

  perform interlock.lock_promo_attempts(p_user_id);
  perform interlock.require_user();

  v_attempted_at := array(
    select t.at
    from interlock.promo_attempts a
    cross join unnest(a.attempted_at) as t (at)
    where a.user_id = p_user_id
      and t.at > interlock.clock() - v_window
    order by t.at
  );

  if cardinality(v_attempted_at) >= v_limit then
    perform interlock.raise_error('TOO_MANY_ATTEMPTS', jsonb_build_object(
      'retry_after', greatest(
        1, ceil(extract(epoch from v_attempted_at[1] + v_window - interlock.clock()))::int
      )
    ));
  end if;

  v_promo := interlock.find_promo(p_code, p_user_id);
  if v_promo.id is not null then
    return null;
  end if;

  insert into interlock.promo_attempts (user_id, attempted_at)
  values (p_user_id, v_attempted_at || interlock.clock())
  on conflict on constraint promo_attempts_pkey do update set attempted_at = excluded.attempted_at;

  perform set_config('response.status', '404', true);
  return interlock.error_body('PROMO_NOT_FOUND');
end
$$;
