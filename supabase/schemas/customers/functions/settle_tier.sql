-- Put a customer whom interlock.lock_points has locked into the tier that they have reached: the highest whose threshold is not
-- above what they have earned, or bought, within settings.tier_window. A change is an event (loyalty.tier_changed). Answers the tier.
--
-- Callers: interlock.earn_points, interlock.book_orders, interlock.take_points_back, interlock.merge_customers,
--   interlock.settle_customer_tier.
-- Locks: the row of points_accounts, held already.
create function interlock.settle_tier(p_customer_id uuid)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_before text;
  v_reached numeric;
  v_tier text;
begin
  if not exists (select from interlock.tiers) and not exists (
    select from interlock.points_accounts a where a.customer_id = p_customer_id and a.tier is not null
  ) then
    return null;
  end if;

  select coalesce(sum(
    case s.tier_basis
      when 'turnover' then m.amount
      else case when m.kind in ('earned', 'taken_back') then m.points - m.owed else 0 end
    end
  ), 0)
  into v_reached
  from interlock.settings s
  left join interlock.points_movements m
    on m.customer_id = p_customer_id
    and m.created_at >= coalesce(interlock.clock() - s.tier_window, '-infinity');

  select a.tier into v_before from interlock.points_accounts a where a.customer_id = p_customer_id;
  select t.name into v_tier from interlock.tiers t where t.threshold <= v_reached order by t.threshold desc limit 1;
  if v_tier is distinct from v_before then
    update interlock.points_accounts a set tier = v_tier where a.customer_id = p_customer_id;
    perform interlock.note_event('loyalty.tier_changed', p_customer_id::text, jsonb_build_object(
      'customer_id', p_customer_id, 'tier', v_tier, 'tier_before', v_before
    ));
  end if;
  return v_tier;
end
$$;
