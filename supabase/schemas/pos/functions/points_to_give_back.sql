-- How many points a customer gets back where so much is paid out in points: of all that they spent on the sale with which it began and on
-- what it was exchanged for, the share of the amount that has been paid out by now, this time included, rounded down, less what they got before.
-- So parts always sum to what was spent, whatever a point is worth by now.
--
-- Callers: interlock.charge_buyer, whose caller holds that sale, after interlock.refuse_refund.
-- Locks: none beyond it.
create function interlock.points_to_give_back(p_customer_id uuid, p_root_sale_id uuid, p_amount bigint)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  v_paid numeric;
  v_refunded numeric;
  v_spent numeric;
  v_given numeric;
begin
  select
    coalesce(sum(t.amount) filter (where s.total >= 0), 0),
    coalesce(sum(t.amount) filter (where s.total < 0), 0) + p_amount
  into v_paid, v_refunded
  from interlock.exchanged_sales(p_root_sale_id) s
  join interlock.sale_tenders t on t.sale_id = s.id and t.type = 'points'
  where s.customer_id = p_customer_id;
  select
    coalesce(sum(-m.points) filter (where m.kind = 'spent'), 0),
    coalesce(sum(m.points - m.owed) filter (where m.kind = 'given_back'), 0)
  into v_spent, v_given
  from interlock.exchanged_sales(p_root_sale_id) s
  join interlock.points_movements m on m.sale_id = s.id
  where s.customer_id = p_customer_id;
  -- Points that were spent since may have been worth more than those that came back.
  return greatest(floor(v_spent * v_refunded / v_paid) - v_given, 0)::bigint;
end
$$;
