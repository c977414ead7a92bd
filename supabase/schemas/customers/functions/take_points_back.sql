-- Take back the points that a sale earned, as far as it came back: p_returned of its p_total in all so far. Called again with the same
-- numbers it changes nothing, so points are taken back exactly once whatever is returned in how many parts. Answers how many they are now.
--
-- Callers: interlock.take_returned_points, interlock.give_buyer_back, whose callers hold the sale.
-- Locks: as interlock.lock_points.
create function interlock.take_points_back(p_sale_id uuid, p_returned bigint, p_total bigint)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_customer_id uuid;
  v_points bigint;
  v_amount bigint;
begin
  select coalesce(c.merged_into, c.id) into v_customer_id
  from interlock.points_movements m
  join interlock.customers c on c.id = m.customer_id
  where m.sale_id = p_sale_id
  limit 1;
  if v_customer_id is null or p_total = 0 then
    return 0;
  end if;

  v_customer_id := (interlock.lock_points(v_customer_id)).customer_id;
  select
    ceil(coalesce(sum(m.points - m.owed) filter (where m.kind = 'earned'), 0)::numeric * p_returned / p_total)
      + coalesce(sum(m.points - m.owed) filter (where m.kind = 'taken_back'), 0),
    ceil(coalesce(sum(m.amount) filter (where m.kind = 'earned'), 0)::numeric * p_returned / p_total)
      + coalesce(sum(m.amount) filter (where m.kind = 'taken_back'), 0)
  into v_points, v_amount
  from interlock.points_movements m
  where m.sale_id = p_sale_id;
  perform interlock.book_points(v_customer_id, 'taken_back', -v_points, -v_amount, p_sale_id);
  perform interlock.settle_tier(v_customer_id);
  return v_points;
end
$$;
