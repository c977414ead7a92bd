-- Serialise one user's attempts, so that a burst of guesses is counted one by one.
--
-- Callers: interlock.refuse_unknown_promo.
-- Locks: an advisory lock until commit, waiting; before every other promo lock.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_promo_attempts(p_user_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('interlock promo attempts ' || p_user_id, 0));
end
$$;
