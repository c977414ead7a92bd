-- The customer of an id: that into whom they were merged, if they were. Null if there is none, or the person was taken out.
--
-- Callers: whoever is given the id of a customer.
-- Locks: none.
create function interlock.live_customer(p_customer_id uuid)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select l.id
    from interlock.customers c
    join interlock.customers l on l.id = coalesce(c.merged_into, c.id)
    where c.id = p_customer_id
      and l.erased_at is null
  );
end
$$;
