-- Serialise a customer's orders under codes for first orders, so that two checkouts at once, under the same
-- code or two, are not both the first.
--
-- Callers: interlock.redeem_promo.
-- Locks: an advisory lock until commit, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_first_order(p_user_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform pg_advisory_xact_lock(hashtextextended('interlock first order ' || p_user_id, 0));
end
$$;
