-- One event. A join with the view would read the histories whole: Postgres hands what it joins by into no part of a union that is more than a table,
-- and with 200,000 orders a worker that claimed twenty deliveries was not done in minutes.
--
-- Callers: the functions that say what a delivery is of.
-- Locks: none.
create function interlock.find_event(p_transaction xid8, p_position bigint)
returns table (id uuid, type text, subject text, payload jsonb, created_at timestamptz)
language plpgsql
stable
rows 1
set search_path = ''
as $$
begin
  return query
    select e.id, e.type, e.subject, e.payload, e.created_at
    from interlock.events e
    where e.transaction = p_transaction
      and e.position = p_position;
end
$$;
