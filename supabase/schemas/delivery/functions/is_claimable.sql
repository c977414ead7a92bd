-- The one rule that says whether a batch may be claimed. Used as the guard of every lock and update,
-- where Postgres evaluates it again on the newest version of the row after a wait.
create function interlock.is_claimable(p_status text, p_lease_expires_at timestamptz)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return p_status = 'available'
    or (p_status in ('claimed', 'in_progress') and p_lease_expires_at <= interlock.clock());
end
$$;
