-- Whether a checkout of these products is let in: unless as many as may run at a time are running.
--
-- Callers: interlock.checkout.
-- Locks: advisory, one of the tickets of each product, until the transaction ends; never waiting.
create function interlock.admit_checkout(p_product_ids uuid[], p_limit int)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  return not exists (
    select
    from unnest(p_product_ids) as u (product_id)
    where not exists (
      select
      from generate_series(1, p_limit) as t (ticket)
      where pg_try_advisory_xact_lock(hashtext('checkout of ' || u.product_id), t.ticket)
    )
  );
end
$$;
