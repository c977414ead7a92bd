-- The location whose stock is products.available_quantity: what the web shop sells. There is always one, and only this
-- function knows its id.
--
-- Callers: whatever has to tell the stock of the web shop from that of another location.
create function interlock.online_location()
returns uuid
language sql
immutable
parallel safe
set search_path = ''
as $$
  select '00000000-0000-4000-8000-000000000001'::uuid
$$;
