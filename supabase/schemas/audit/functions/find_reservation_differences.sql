-- Reservations of these ids of which the ledger has not taken what they hold. One that has ended holds nothing, whatever
-- lines it has left.
--
-- Callers: interlock.find_differences, interlock.correct_reservation.
-- Locks: none.
create function interlock.find_reservation_differences(p_reservation_ids uuid[])
returns table (product_id uuid, reservation_id uuid, expected numeric, found numeric, since timestamptz, cause text)
language sql
stable
set search_path = ''
as $$
  with asked as (
    select distinct u.id from unnest(p_reservation_ids) as u (id)
  ),
  books as (
    select
      a.id, l.product_id, null::timestamptz as created_at, null::numeric as taken,
      case when r.expires_at is not null then l.quantity else 0 end as held,
      case when r.expires_at is null then l.quantity end as left_over
    from asked a
    join interlock.cart_reservations r on r.id = a.id
    join interlock.cart_reservation_lines l on l.user_id = r.user_id
    where not l.untracked
    union all
    select a.id, m.product_id, m.created_at, -m.delta, null, null
    from asked a
    join interlock.stock_movements m on m.reference_id = a.id
  )
  select
    b.product_id, b.id, coalesce(sum(b.held), 0), greatest(coalesce(sum(b.taken), 0), sum(b.left_over)), max(b.created_at),
    case
      when count(b.left_over) > 0 then 'The reservation has ended and its lines are still there: it was ended past the functions.'
      when coalesce(sum(b.held), 0) = 0 then
        'The reservation is gone and its units never came back: it was removed past the functions.'
      else 'The lines of the reservation were changed past the functions.'
    end
  from books b
  group by b.product_id, b.id
  having coalesce(sum(b.held), 0) <> coalesce(sum(b.taken), 0)
    or count(b.left_over) > 0
$$;
