-- Whether the caller may hear what is broadcast under this topic: that of a picking session of a location at which they work.
--
-- Callers: the policy on the platform's messages (interlock.prepare_realtime).
create function interlock.may_hear_packing(p_topic text)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return case
    when p_topic not like 'packing:%' or interlock.is_uuid(substr(p_topic, 9)) is not true then false
    else exists (
      select
      from interlock.picking_sessions s
      where s.id = substr(p_topic, 9)::uuid
        and interlock.works_at(s.location_id)
    )
  end;
end
$$;
