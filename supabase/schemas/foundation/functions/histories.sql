-- The histories that have parts: tables partitioned by the position of their rows (ids of a sequence), which is in every key of
-- theirs, so that parts need no other keys. `rest` takes what no part is there for. With each: where its positions come from,
-- how long the settings have it kept, conditions on a row `h` by which interlock.purge_history keeps it whatever its age, and by
-- what rows belong together if the last of them tells for all.
--
-- Callers: interlock.make_history_parts, interlock.archive_history.
-- Locks: none.
create function interlock.histories()
returns table (name text, position_column text, sequence text, keep interval, stays text[], together text)
language sql
stable
rows 3
set search_path = ''
as $histories$
  select h.*
  -- Where many shops are looked at, a history is kept for as long as any of them keeps it.
  from (
    select
      case when bool_and(k.keep_stock_movements is not null) then max(k.keep_stock_movements) end as keep_stock_movements,
      case when bool_and(k.keep_order_events is not null) then max(k.keep_order_events) end as keep_order_events,
      case when bool_and(k.keep_events is not null) then max(k.keep_events) end as keep_events
    from interlock.settings k
  ) s
  cross join lateral (values
    (
      'stock_movements', 'id', pg_get_serial_sequence('interlock.stock_movements', 'id'), s.keep_stock_movements,
      array[
        $$
          not exists (
            select from interlock.stock_balances b
            where b.product_id = h.product_id and b.location_id = h.location_id and b.closed_through >= h.id
          )
        $$
      ],
      'product_id, location_id'
    ),
    (
      'order_events', 'id', 'interlock.event_position', s.keep_order_events,
      array[
        'exists (select from interlock.deliveries d where d.position = h.id)',
        'exists (select from interlock.orders o where o.id = h.order_id and interlock.is_owed_order(o.status))'
      ],
      null
    ),
    (
      'outbox', 'position', 'interlock.event_position', s.keep_events,
      array['exists (select from interlock.deliveries d where d.position = h.position)'],
      null
    )
  ) as h (name, position_column, sequence, keep, stays, together)
$histories$;
