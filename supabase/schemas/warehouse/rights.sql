-- Who may call what of the warehouse. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.abandon_picking_session(uuid),
  public.abandon_stale_sessions(int),
  public.claim_picking(uuid, uuid[]),
  public.create_picking_session(uuid[], uuid, text),
  public.get_picking_session(uuid),
  public.increment_packing_quantity(uuid, int, int, uuid, uuid),
  public.pack_item(uuid, uuid, uuid, text, int, text, text, text),
  public.pick_item(uuid, uuid, text, int, int, text, text, text),
  public.release_picking(uuid, uuid[]),
  public.remove_order_from_session(uuid, uuid),
  public.set_packed_quantity(uuid, int, int),
  public.start_packing(uuid),
  public.update_packing_progress_atomic(uuid, uuid, uuid, uuid)
from public, anon, authenticated, service_role;

-- Policies ask.
grant execute on function interlock.packing_locations to authenticated;

grant execute on function
  -- Who works in the warehouse, by token; anybody else is refused.
  public.abandon_picking_session(uuid), interlock.abandon_picking_session,
  public.claim_picking(uuid, uuid[]), interlock.claim_picking,
  public.create_picking_session(uuid[], uuid, text), interlock.create_picking_session,
  public.get_picking_session(uuid), interlock.get_picking_session,
  public.increment_packing_quantity(uuid, int, int, uuid, uuid), interlock.increment_packing_quantity,
  public.pack_item(uuid, uuid, uuid, text, int, text, text, text), interlock.pack_item,
  public.pick_item(uuid, uuid, text, int, int, text, text, text), interlock.pick_item,
  public.release_picking(uuid, uuid[]), interlock.release_picking,
  public.remove_order_from_session(uuid, uuid), interlock.remove_order_from_session,
  public.set_packed_quantity(uuid, int, int), interlock.set_packed_quantity,
  public.start_packing(uuid), interlock.start_packing,
  public.update_packing_progress_atomic(uuid, uuid, uuid, uuid), interlock.pack_units
to authenticated, service_role;

grant execute on function
  public.abandon_stale_sessions(int), interlock.abandon_stale_sessions
to service_role;
