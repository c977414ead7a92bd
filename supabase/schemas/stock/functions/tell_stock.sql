-- Tell that a product is in another state than it was: a broadcast to whoever looks at it, and the event stock.low when it
-- has come to be low, or less than that. Only then: not with each sale below, and again only after it was above.
--
-- Callers: interlock.record_stock_movement, where the state may be another one.
-- Locks: none; the product is locked, so what is told of one product is in the order of what happened.
create function interlock.tell_stock(p_old interlock.products, p_new interlock.products)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_before constant text := interlock.stock_state(p_old, p_old.available_quantity);
  v_state constant text := interlock.stock_state(p_new, p_new.available_quantity);
begin
  if v_state <> v_before then
    perform interlock.broadcast('stock:' || p_new.id, 'stock.changed', jsonb_build_object(
      'product_id', p_new.id,
      'available_quantity', p_new.available_quantity,
      'stock_policy', p_new.stock_policy,
      'state', v_state
    ));
  end if;
  -- Of what cannot be bought nobody has to buy more.
  if p_new.active and v_state <> 'in_stock' and not (p_old.active and v_before <> 'in_stock') then
    perform interlock.note_event('stock.low', p_new.id::text, jsonb_build_object(
      'product_id', p_new.id,
      'location_id', null,
      'available_quantity', p_new.available_quantity,
      'low_stock_at', p_new.low_stock_at,
      'state', v_state
    ));
  end if;
end
$$;
