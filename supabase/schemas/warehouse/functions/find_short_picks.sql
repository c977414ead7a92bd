-- What pickers of these sessions have not found on the shelf though the books say that it is there, and that nobody has looked after since.
--
-- Callers: interlock.find_differences.
-- Locks: none.
create function interlock.find_short_picks(p_session_ids uuid[])
returns table (
  product_id uuid, location_id uuid, session_id uuid, expected numeric, found numeric, since timestamptz, cause text
)
language sql
stable
set search_path = ''
as $$
  select
    i.product_id, s.location_id, s.id,
    (i.quantity_picked + i.quantity_short)::numeric, i.quantity_picked::numeric, s.created_at,
    concat_ws(' ', 'A picker has not found it on the shelf: count it.', i.short_reason)
  from interlock.picking_session_items i
  join interlock.picking_sessions s on s.id = i.picking_session_id
  where i.picking_session_id = any (p_session_ids)
    and i.quantity_short > 0
    and i.checked_at is null
$$;
