-- Lock an account against removal, as a foreign key to it does; the one helper for this kind of lock. Whether it exists.
--
-- A removal takes the account first and then what refers to it (wallet, orders, driver). So whoever locks one of those
-- and then needs the account (a foreign key that is checked, a wallet that is made) takes the account first.
--
-- Callers: functions that lock what refers to an account, before they do.
-- Locks: the row of auth.users, waiting, `key share`: nobody waits for it but a removal.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_user(p_user_id uuid)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1 from interlock.accounts u where u.id = p_user_id for key share;
  return found;
end
$$;
