-- Take from the stock what a reservation holds and the ledger has not taken for it, or give back what it has taken too much.
-- Lines that one has left which has ended go.
--
-- Callers: interlock.resolve_finding.
-- Locks: the reservation; the product's stock row, its slots.
-- Errors: INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED, PRODUCT_NOT_FOUND; 55P03 is transient.
create function interlock.correct_reservation(p_reservation_id uuid, p_product_id uuid, p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_missing int;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1 from interlock.cart_reservations r where r.id = p_reservation_id for no key update;
  delete from interlock.cart_reservation_lines l
  using interlock.cart_reservations r
  where r.id = p_reservation_id
    and r.expires_at is null
    and l.user_id = r.user_id
    and l.product_id = p_product_id;

  select d.expected - d.found
  into v_missing
  from interlock.find_reservation_differences(array[p_reservation_id]) d
  where d.product_id = p_product_id;

  if v_missing > 0 then
    perform interlock.take_stock(array[p_product_id], array[v_missing], p_reason, p_reservation_id);
  elsif v_missing < 0 then
    perform interlock.return_stock(array[p_product_id], array[-v_missing], p_reason, p_reservation_id);
  end if;
end
$$;
