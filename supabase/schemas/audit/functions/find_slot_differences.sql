-- Owners of slots among these whose slots are not what their row says: another number of them, more granted than there is, or
-- slots of a product that is not there.
--
-- Callers: interlock.find_differences, interlock.correct_slots.
-- Locks: none.
create function interlock.find_slot_differences(p_product_ids uuid[])
returns table (product_id uuid, expected numeric, found numeric, cause text)
language sql
stable
set search_path = ''
as $$
  select
    d.id,
    case when d.slots <> d.counted then d.counted else d.available end,
    case when d.slots <> d.counted then d.slots else d.granted end,
    case
      when d.slots <> d.counted then format('It has %s slots, and its row says %s: one was changed by hand.', d.slots, d.counted)
      else format('Its slots may sell %s units, and it has %s: the stock was changed past the triggers.', d.granted, d.available)
    end
  from (
    select
      a.id, s.slots, s.granted,
      coalesce(p.stock_slots, 0) as counted,
      coalesce(p.available_quantity, 0) as available
    from (select distinct u.id from unnest(p_product_ids) as u (id)) a
    left join interlock.products p on p.id = a.id
    cross join lateral (
      select count(*) as slots, coalesce(sum(c.granted), 0) as granted
      from interlock.counter_slots c
      where c.owner_id = a.id
    ) s
    where not exists (select from interlock.promo_codes o where o.id = a.id)
  ) d
  where d.slots <> d.counted
    or d.granted > d.available
$$;
