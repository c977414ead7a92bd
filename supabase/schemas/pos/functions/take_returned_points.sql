-- Take back the points that a sale has earned in the part of it that came back, or give them back where that was voided: what counts
-- is how much of its lines has come back by now, so it is done once however often this is called. Answers how many they are now.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals, interlock.give_buyer_back, whose callers hold the sale.
-- Locks: as interlock.lock_points, of its customer.
create function interlock.take_returned_points(p_sale_id uuid)
returns bigint
language plpgsql
set search_path = ''
as $$
begin
  return (
    select interlock.take_points_back(p_sale_id, sum(l.returned_amount)::bigint, sum(l.total)::bigint)
    from interlock.sale_lines l
    where l.sale_id = p_sale_id
  );
end
$$;
