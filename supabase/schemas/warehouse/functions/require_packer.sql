-- Refuse whoever works in no warehouse at all.
--
-- Callers: every function of the warehouse, before it looks at anything.
-- Errors: UNAUTHENTICATED without a user whose account exists, FORBIDDEN for one.
create function interlock.require_packer()
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not interlock.acts_for_shop() then
    perform interlock.require_user();
    if interlock.packing_locations() = '{}' then
      perform interlock.raise_error('FORBIDDEN');
    end if;
  end if;
end
$$;
