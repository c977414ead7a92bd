-- Guessing promo codes is throttled: after 20 unknown codes in 10 minutes a user is
-- refused whatever they send, a right code too, until the oldest of the 20 is 10 minutes old.
-- A code named for somebody else counts as unknown.
--
-- The count has to survive the refusal, and a raised error rolls back what it refuses. So
-- an unknown code is *answered*, not raised: private.refuse_unknown_promo counts, sets the
-- HTTP status through `response.status` and returns the body PostgREST would have made of
-- the error, {"code": "PT404", "message": "PROMO_NOT_FOUND", "details", "hint"}. PostgREST
-- commits, and the HTTP answer is the one of a raised error. Its caller must return that
-- body at once and must not have written anything before. A caller in SQL sees a row with
-- "message" instead of an exception. Every other refusal is raised.
--
-- Tests: supabase/tests/16-promo-rules.sql

set local lock_timeout = '5s';

-- One row for each user who ever sent an unknown code: when, the newest at most 20.
create table private.promo_attempts (
  user_id uuid not null
    constraint promo_attempts_pkey primary key,
  attempted_at timestamptz[] not null
    constraint promo_attempts_bounded check (cardinality(attempted_at) between 1 and 20)
);

comment on table private.promo_attempts is
  'When each user sent unknown promo codes lately, oldest first. See the migration for why it survives refusals.';

revoke all on table private.promo_attempts from public, anon, authenticated, service_role;
grant select, delete on table private.promo_attempts to service_role;

-- Purpose: the body PostgREST makes of an error of the catalogue, without raising it.
-- Callers: private.refuse_unknown_promo.
-- Locks: none. Errors: none.
-- Tests: supabase/tests/16-promo-rules.sql
create function private.error_body(p_code text, p_detail jsonb default null)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_state text;
  v_message text;
  v_detail text;
  v_hint text;
begin
  perform private.raise_error(p_code, p_detail);
  return null;
exception
  when others then
    get stacked diagnostics
      v_state = returned_sqlstate,
      v_message = message_text,
      v_detail = pg_exception_detail,
      v_hint = pg_exception_hint;
    return jsonb_build_object(
      'code', v_state, 'message', v_message, 'details', nullif(v_detail, ''), 'hint', v_hint
    );
end
$$;

comment on function private.error_body(text, jsonb) is
  'The body that PostgREST makes of an error of the catalogue.';

revoke all on function private.error_body(text, jsonb) from public, anon, authenticated, service_role;

-- Purpose: serialise one user's attempts, so that a burst of guesses is counted one by one.
-- Callers: private.refuse_unknown_promo.
-- Locks: an advisory lock until commit, waiting; before every other promo lock.
-- Errors: 55P03 after lock_timeout.
-- Tests: supabase/tests/16-promo-rules.sql
create function private.lock_promo_attempts(p_user_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('interlock promo attempts ' || p_user_id, 0));
end
$$;

comment on function private.lock_promo_attempts(uuid) is
  'Serialises one user''s attempts at promo codes until the transaction ends.';

revoke all on function private.lock_promo_attempts(uuid) from public, anon, authenticated, service_role;

-- Purpose: null if the user may use this code; else what to answer (see above).
-- Callers: private.validate_promo, private.checkout, before they write or lock anything.
-- Locks: lock_promo_attempts.
-- Errors: TOO_MANY_ATTEMPTS; 55P03 after lock_timeout. PROMO_NOT_FOUND is returned.
-- Tests: supabase/tests/16-promo-rules.sql
create function private.refuse_unknown_promo(p_user_id uuid, p_code text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_limit constant int := 20;
  v_window constant interval := interval '10 minutes';
  v_attempted_at timestamptz[];
  v_promo public.promo_codes;
begin
  perform private.lock_promo_attempts(p_user_id);

  v_attempted_at := array(
    select t.at
    from private.promo_attempts a
    cross join unnest(a.attempted_at) as t (at)
    where a.user_id = p_user_id
      and t.at > private.clock() - v_window
    order by t.at
  );

  if cardinality(v_attempted_at) >= v_limit then
    perform private.raise_error('TOO_MANY_ATTEMPTS', jsonb_build_object(
      'retry_after', greatest(
        1, ceil(extract(epoch from v_attempted_at[1] + v_window - private.clock()))::int
      )
    ));
  end if;

  v_promo := private.find_promo(p_code, p_user_id);
  if v_promo.id is not null then
    return null;
  end if;

  insert into private.promo_attempts (user_id, attempted_at)
  values (p_user_id, v_attempted_at || private.clock())
  on conflict (user_id) do update set attempted_at = excluded.attempted_at;

  perform set_config('response.status', '404', true);
  return private.error_body('PROMO_NOT_FOUND');
end
$$;

comment on function private.refuse_unknown_promo(uuid, text) is
  'Null for a code the user may use; else counts the attempt and returns the error body to answer with.';

revoke all on function private.refuse_unknown_promo(uuid, text) from public, anon, authenticated, service_role;
