set local lock_timeout = '5s';

select interlock.conceal('packing_differences');
select interlock.conceal('packing_conflict_rates');
select interlock.conceal('put_backs');
select interlock.conceal('packing_scans');
select interlock.conceal('packing_progress');
select interlock.conceal('picking_session_items');
select interlock.conceal('picking_session_orders');
select interlock.conceal('picking_sessions');
drop function
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
  public.update_packing_progress_atomic(uuid, uuid, uuid, uuid);
drop view interlock.put_backs;
drop view interlock.packing_differences;
drop view interlock.packing_conflict_rates;
drop function
  interlock.abandon_picking_session,
  interlock.abandon_session,
  interlock.abandon_stale_sessions,
  interlock.box_answer,
  interlock.broadcast_line,
  interlock.claim_picking,
  interlock.close_box,
  interlock.close_sent_box,
  interlock.complete_box,
  interlock.correct_short_pick,
  interlock.create_picking_session,
  interlock.find_packing_line,
  interlock.find_scan_problems,
  interlock.find_scanned_product,
  interlock.find_session,
  interlock.find_short_picks,
  interlock.get_picking_session,
  interlock.give_up_units,
  interlock.increment_packing_quantity,
  interlock.item_state,
  interlock.leave_sessions,
  interlock.lock_baskets,
  interlock.lock_box,
  interlock.need_less,
  interlock.note_scan,
  interlock.pack_item,
  interlock.pack_units,
  interlock.packing_answer,
  interlock.pick_item,
  interlock.refuse_pack,
  interlock.refuse_session,
  interlock.release_picking,
  interlock.remove_order_from_session,
  interlock.require_packer,
  interlock.session_to_json,
  interlock.set_packed_quantity,
  interlock.start_packing,
  interlock.take_off_lines,
  interlock.take_out_order,
  interlock.take_packed_stock,
  interlock.works_at;
drop table
  interlock.picking_session_items,
  interlock.packing_scans,
  interlock.packing_progress,
  interlock.packing_conflicts,
  interlock.picking_session_orders,
  interlock.picking_sessions;
drop domain
  interlock.picking_session_status,
  interlock.picking_order_status,
  interlock.packing_action,
  interlock.unit_change;
drop function
  interlock.broadcast_packing,
  interlock.guard_picker,
  interlock.guard_scan,
  interlock.packing_locations;
