-- When a lease that begins now will end: that of a started batch is a setting of its own.
create function interlock.next_lease_end(p_status text)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select interlock.clock() + case p_status when 'in_progress' then started_lease else claim_lease end
    from interlock.settings
  );
end
$$;
