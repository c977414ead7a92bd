-- Transfers of stock of which the ledger does not say what their lines say: what was sent and is not back has gone from where
-- they began, and what was received has come to where they end. An id may be that of no transfer: then the ledger has moved
-- something for none. Transfers from before p_kept_since are left out, as rows of the ledger may be gone.
--
-- Callers: interlock.find_differences, interlock.correct_transfer.
-- Locks: none.
create function interlock.find_transfer_differences(p_transfer_ids uuid[], p_kept_since timestamptz default null)
returns table (
  product_id uuid, location_id uuid, transfer_id uuid, expected numeric, found numeric, since timestamptz, cause text
)
language sql
stable
set search_path = ''
as $$
  with asked as (
    select distinct u.id, t.id is not null as is_there, t.from_location_id, t.to_location_id, t.created_at
    from unnest(p_transfer_ids) as u (id)
    left join interlock.stock_transfers t on t.id = u.id
    where (t.created_at < p_kept_since) is not true
  ),
  books as (
    select a.id, a.is_there, a.created_at, l.product_id, a.from_location_id as location_id, l.returned - l.sent as said, null::numeric as moved
    from asked a
    join interlock.stock_transfer_lines l on l.transfer_id = a.id
    union all
    select a.id, a.is_there, a.created_at, l.product_id, a.to_location_id, l.received, null
    from asked a
    join interlock.stock_transfer_lines l on l.transfer_id = a.id
    union all
    select a.id, a.is_there, m.created_at, m.product_id, m.location_id, null, m.delta
    from asked a
    join interlock.stock_movements m on m.reference_id = a.id
  )
  select
    b.product_id, b.location_id, b.id, trim_scale(coalesce(sum(b.said), 0)), trim_scale(coalesce(sum(b.moved), 0)),
    max(b.created_at),
    case
      when not bool_or(b.is_there) then 'The ledger has moved stock for a transfer that is not there: it was removed by hand.'
      else 'The transfer, its lines or the ledger were changed past the functions.'
    end
  from books b
  group by b.product_id, b.location_id, b.id
  having coalesce(sum(b.said), 0) <> coalesce(sum(b.moved), 0)
$$;
