-- Whether the caller may work in the warehouse of this location: its packers and managers by token, staff, the shop itself.
--
-- Callers: the functions of the warehouse.
create function interlock.works_at(p_location_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Most calls are of packers, who are nobody else.
  if auth.jwt() -> 'app_metadata' ->> 'role' in ('packer', 'manager') then
    return p_location_id = any (interlock.packing_locations())
      and exists (select from interlock.accounts u where u.id = auth.uid());
  end if;
  return interlock.acts_for_shop();
end
$$;
