-- Every guess at a promo code counts, also one that is made with GET.
--
-- PostgREST runs a function that is called with GET or HEAD in a read-only transaction. There an
-- unknown code could not be counted, so the call failed with 405, while a dry run of a known
-- code needs to write nothing and was answered: whoever asked with GET could guess for ever.
-- Where a guess cannot be counted no code is looked up now, whether there is one or not.
--
-- Tests: supabase/tests/16-promo-rules.sql

set local lock_timeout = '5s';

-- Purpose: null if the user may use this code; else what to answer (see above).
-- Callers: private.validate_promo, private.checkout, before they write or lock anything.
-- Locks: lock_promo_attempts.
-- Errors: METHOD_NOT_ALLOWED in a read-only transaction, TOO_MANY_ATTEMPTS; 55P03 after
--   lock_timeout. PROMO_NOT_FOUND is returned.
-- Tests: supabase/tests/16-promo-rules.sql
create or replace function private.refuse_unknown_promo(p_user_id uuid, p_code text)
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
  if current_setting('transaction_read_only')::boolean then
    perform private.raise_error('METHOD_NOT_ALLOWED');
  end if;

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
