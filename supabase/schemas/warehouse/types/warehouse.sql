create domain interlock.picking_session_status as text
  constraint picking_sessions_status_known check (value in ('picking', 'packing', 'completed', 'abandoned'));

-- What has become of an order in a session.
create domain interlock.picking_order_status as text
  constraint picking_session_orders_status_known check (value in ('open', 'completed', 'removed', 'cancelled'));

-- What was done with goods of a session.
create domain interlock.packing_action as text
  constraint packing_scans_action_known
  check (value in ('pick', 'short_pick', 'put_back', 'pack', 'unpack', 'short', 'take_out', 'complete'));

-- A change of a number of units, in either direction.
create domain interlock.unit_change as int
  constraint unit_change_nonzero check (value <> 0);
