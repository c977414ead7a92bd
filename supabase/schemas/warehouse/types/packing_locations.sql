-- The locations in whose warehouse the caller works, by token: `app_metadata.role` is `packer` or `manager`, and
-- `app_metadata.location_ids` lists the locations, without which it is the online location. Empty for anybody else.
--
-- Callers: policies; interlock.works_at.
create function interlock.packing_locations()
returns uuid[]
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_claims constant jsonb := auth.jwt() -> 'app_metadata';
begin
  if v_claims ->> 'role' in ('packer', 'manager') is not true then
    return '{}'::uuid[];
  elsif not v_claims ? 'location_ids' then
    return array[interlock.online_location()];
  elsif jsonb_typeof(v_claims -> 'location_ids') <> 'array' then
    return '{}'::uuid[];
  end if;
  return array(
    select l.id::uuid
    from jsonb_array_elements_text(v_claims -> 'location_ids') as l (id)
    where interlock.is_uuid(l.id)
  );
end
$$;
