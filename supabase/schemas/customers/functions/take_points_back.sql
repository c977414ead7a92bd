-- Take back the points that a sale earned and give back those that paid it, as far as it came back: p_returned of its p_total in
-- all so far, and p_refunded of what points paid. Called again with the same numbers it changes nothing, so points come back
-- exactly once whatever is returned in how many parts.
--
-- Callers: interlock.take_returned_points, interlock.give_buyer_back, whose callers hold the sale.
-- Locks: as interlock.lock_points.
create function interlock.take_points_back(p_sale_id uuid, p_returned bigint, p_total bigint, p_refunded bigint)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_customer_id uuid;
  v_paid constant bigint := (
    select coalesce(sum(t.amount), 0) from interlock.sale_tenders t where t.sale_id = p_sale_id and t.type = 'points'
  );
  v_sum record;
begin
  select coalesce(c.merged_into, c.id) into v_customer_id
  from interlock.points_movements m
  join interlock.customers c on c.id = m.customer_id
  where m.sale_id = p_sale_id
  limit 1;
  if v_customer_id is null then
    return;
  end if;

  v_customer_id := (interlock.lock_points(v_customer_id)).customer_id;
  select
    coalesce(sum(m.points - m.owed) filter (where m.kind = 'earned'), 0) as earned,
    coalesce(sum(m.amount) filter (where m.kind = 'earned'), 0) as amount,
    coalesce(sum(m.points - m.owed) filter (where m.kind = 'taken_back'), 0) as taken,
    coalesce(sum(m.amount) filter (where m.kind = 'taken_back'), 0) as amount_back,
    coalesce(sum(-m.points) filter (where m.kind = 'spent'), 0) as spent,
    coalesce(sum(m.points - m.owed) filter (where m.kind = 'given_back'), 0) as given
  into v_sum
  from interlock.points_movements m
  where m.sale_id = p_sale_id;

  perform interlock.book_points(
    v_customer_id, 'given_back',
    (floor(v_sum.spent::numeric * p_refunded / nullif(v_paid, 0)) - v_sum.given)::bigint, 0, p_sale_id
  )
  where v_paid > 0;
  perform interlock.book_points(
    v_customer_id, 'taken_back',
    (-ceil(v_sum.earned::numeric * p_returned / nullif(p_total, 0)) - v_sum.taken)::bigint,
    (-ceil(v_sum.amount::numeric * p_returned / nullif(p_total, 0)) - v_sum.amount_back)::bigint,
    p_sale_id
  )
  where p_total > 0;
  perform interlock.settle_tier(v_customer_id);
end
$$;
