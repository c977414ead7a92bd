-- Take over what rows of a linked table say about products that are there, and move their stock by what the rows have moved it.
-- What is untracked, and a row that is gone, never ends below 0.
--
-- Callers: interlock.bring_products, which holds the products and has called in their slots.
-- Locks: the products, held already.
-- Errors: INSUFFICIENT_INVENTORY with every shortage; STOCK_LIMIT_EXCEEDED with every product that has no room.
create function interlock.move_linked_stock(
  p_link interlock.product_links,
  p_rows interlock.source_row[],
  p_product_ids uuid[],
  p_ids text[],
  p_differences numeric[],
  p_set boolean
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_moves interlock.linked_move[];
  v_refused jsonb;
  v_bringing constant text := current_setting('interlock.bringing_products', true);
begin
  v_moves := array(
    select (
      p.id, coalesce(r.name, p.name), coalesce(r.price, p.price), coalesce(r.currency, p.currency), coalesce(r.active, false),
      p.available_quantity,
      case when r.source_id is null or p.stock_policy = 'untracked' then greatest(d.quantity, 0) else d.quantity end
    )::interlock.linked_move
    from unnest(p_ids, p_differences) as u (source_id, difference)
    join interlock.linked_products m on m.link_id = p_link.id and m.source_id = u.source_id
    join unnest(p_product_ids) as k (id) on k.id = m.product_id
    join interlock.products p on p.id = k.id
    left join unnest(p_rows) r on r.source_id = u.source_id
    cross join lateral (
      select case when p_set then r.quantity else p.available_quantity + u.difference end as quantity
    ) d
  );

  select jsonb_agg(
    jsonb_build_object('product_id', v.id, 'requested', v.available - v.quantity, 'available', v.available) order by v.id
  )
  into v_refused
  from unnest(v_moves) v
  where v.quantity < 0;
  if v_refused is not null then
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', v_refused));
  end if;

  select jsonb_agg(v.id order by v.id)
  into v_refused
  from unnest(v_moves) v
  where v.quantity > interlock.most_units();
  if v_refused is not null then
    perform interlock.raise_error(
      'STOCK_LIMIT_EXCEEDED', jsonb_build_object('product_ids', v_refused, 'limit', interlock.most_units())
    );
  end if;

  perform interlock.set_ledger_context('linked', null);
  -- By its depth of triggers: what triggers of the shop's sell meanwhile lies deeper, and is written back.
  perform set_config('interlock.bringing_products', pg_trigger_depth()::text, true);
  update interlock.products p
  set name = c.name,
      price = c.price,
      currency = c.currency,
      active = c.active,
      available_quantity = c.quantity::int
  from unnest(v_moves) c
  where p.id = c.id
    and (p.name::text, p.price::bigint, p.currency::text, p.active, p.available_quantity)
      is distinct from (c.name, c.price, c.currency, c.active, c.quantity);
  perform set_config('interlock.bringing_products', v_bringing, true);
  perform interlock.set_ledger_context(null, null);
end
$$;
