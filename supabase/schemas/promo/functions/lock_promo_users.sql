-- Lock the uses of customers of promo codes: pairs (p_promo_ids[n], p_user_ids[n]).
--
-- Callers: whatever changes uses, once in a transaction and before any row of promo_codes.
-- Locks: rows of interlock.promo_user_uses by promo and customer, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_promo_users(p_promo_ids uuid[], p_user_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.promo_user_uses u
  where (u.promo_id, u.user_id) in (select * from unnest(p_promo_ids, p_user_ids))
  order by u.promo_id, u.user_id
  for no key update;
end
$$;
