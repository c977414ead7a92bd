-- The lines of a file of stock that was brought in, read: what each names, the stock that is there now, and what is wrong
-- with it, the first thing of a line. A location is named by its id or its name, and is the web shop where none is. Without
-- p_replace a stock that is not empty must be what the file says: who sells from it already counts it instead.
--
-- Callers: interlock.import_stock.
-- Locks: none.
create function interlock.read_import(p_reference text, p_replace boolean)
returns table (
  line int, product_id uuid, location_id uuid, quantity numeric, present numeric, problem text
)
language sql
stable
set search_path = ''
as $$
  with read as (
    select
      l.line,
      p.id as product_id,
      p.kind = 'digital' as is_digital,
      p.decimals,
      w.location_id,
      w.found,
      w.closed,
      interlock.to_uuid(btrim(l.product)) is not null as is_uuid,
      case when btrim(l.quantity) ~ '^[0-9]{1,11}(\.[0-9]{1,3})?$' then btrim(l.quantity)::numeric end as quantity
    from interlock.stock_import_lines l
    left join interlock.products p on p.id = interlock.to_uuid(btrim(l.product))
    cross join lateral (
      select count(*) as found, case count(*) when 1 then (array_agg(c.id))[1] end as location_id, bool_or(not c.active) as closed
      from interlock.locations c
      where case
        when coalesce(btrim(l.location), '') = '' then c.id = interlock.online_location()
        else c.name = btrim(l.location) or c.id = interlock.to_uuid(btrim(l.location))
      end
    ) w
    where l.reference = p_reference
  ),
  placed as (
    select
      r.*,
      r.location_id = interlock.online_location() as is_online,
      trim_scale(coalesce(i.quantity, case
        when r.location_id = interlock.online_location() then q.available_quantity - (
          select coalesce(sum(u.used), 0) from interlock.counter_slots u where u.owner_id = q.id and q.stock_slots > 0
        )
      end, 0)) as present,
      first_value(r.line) over (partition by r.product_id, r.location_id order by r.line) as first_line
    from read r
    left join interlock.inventory i on i.product_id = r.product_id and i.location_id = r.location_id
    left join interlock.products q on q.id = r.product_id
  )
  select
    s.line, s.product_id, s.location_id, trim_scale(s.quantity), s.present,
    case
      when not s.is_uuid then 'product_id must be a UUID'
      when s.product_id is null then 'there is no such product'
      when s.is_digital then 'is a digital product: its stock is its codes'
      when s.found = 0 then 'there is no such location'
      when s.found > 1 then 'several locations have this name: give its id'
      when s.closed then 'the location is closed'
      when s.quantity is null then 'quantity must be a number from 0 below 100000000000, with at most 3 decimals'
      when s.is_online and s.quantity <> trunc(s.quantity) then 'quantity must be a whole number: the web shop sells whole units'
      when s.is_online and s.quantity > interlock.most_units() then format('quantity must be at most %s', interlock.most_units())
      when s.quantity <> round(s.quantity, s.decimals) then format('quantity must have at most %s decimals, as the product has', s.decimals)
      when s.line > s.first_line then format('names the same stock as line %s', s.first_line)
      when p_replace is not true and s.present <> 0 and s.present <> s.quantity then format('there are %s already', s.present)
    end
  from placed s
$$;
