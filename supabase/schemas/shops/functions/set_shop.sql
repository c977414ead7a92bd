-- Change what is said of a shop: its state (open, closed, moving) and how many requests of it may be under way at a time (0: as many as come).
-- What is null stays as it is. Answers whether there is such a shop.
--
-- Callers: postgres; service_role.
-- Locks: the shop's row.
-- Errors: VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody else writes the list of shops.
create function interlock.set_shop(p_id int, p_state text default null, p_requests_at_once int default null)
returns boolean
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_state not in ('open', 'closed', 'moving') then
    perform interlock.refuse_problems(interlock.problem('/p_state', 'must be open, closed or moving'));
  elsif p_requests_at_once < 0 then
    perform interlock.refuse_problems(interlock.problem('/p_requests_at_once', 'must be a whole number from 0'));
  end if;
  update interlock.shops s
  set state = coalesce(p_state, s.state),
      requests_at_once = case when p_requests_at_once is null then s.requests_at_once else nullif(p_requests_at_once, 0) end
  where s.id = p_id;
  return found;
end
$$;
