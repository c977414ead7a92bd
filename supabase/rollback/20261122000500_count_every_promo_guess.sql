-- Undoes 20261122000500_count_every_promo_guess.sql: guesses with GET are not counted again. Newest first: run
-- it in one transaction, then `supabase migration repair --status reverted 20261122000500`.

set local lock_timeout = '5s';

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
