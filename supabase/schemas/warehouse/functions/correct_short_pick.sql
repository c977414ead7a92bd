-- Note that somebody has looked after what a picker has not found: the stock was counted, or is right.
--
-- Callers: interlock.resolve_finding.
-- Locks: the row of the product in the session.
create function interlock.correct_short_pick(p_session_id uuid, p_product_id uuid)
returns void
language sql
set search_path = ''
as $$
  update interlock.picking_session_items i
  set checked_at = interlock.clock()
  where i.picking_session_id = p_session_id
    and i.product_id = p_product_id
$$;
