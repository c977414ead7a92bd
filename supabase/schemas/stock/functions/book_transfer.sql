-- Book what becomes of lines of a transfer that is locked, and end it with the last of them: p_quantities of p_product_ids are
-- received, lost or returned. More than is in transit of a product is refused, every line of that sort at once.
--
-- Callers: interlock.receive_transfer, interlock.cancel_transfer, interlock.lose_transfer. Each product occurs once.
-- Locks: the transfer is held.
-- Errors: TRANSFER_EXCEEDED.
create function interlock.book_transfer(
  p_transfer_id uuid,
  p_product_ids uuid[],
  p_quantities numeric[],
  p_as text,
  p_reason text
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_excess jsonb;
begin
  select jsonb_agg(
    jsonb_build_object(
      'product_id', w.product_id,
      'sent', coalesce(trim_scale(l.sent), 0),
      'received', coalesce(trim_scale(l.received), 0),
      'lost', coalesce(trim_scale(l.lost), 0),
      'requested', trim_scale(w.quantity)
    )
    order by w.n
  )
  into v_excess
  from unnest(p_product_ids, p_quantities) with ordinality as w (product_id, quantity, n)
  left join interlock.stock_transfer_lines l on l.transfer_id = p_transfer_id and l.product_id = w.product_id
  where w.quantity > coalesce(l.in_transit, 0);
  if v_excess is not null then
    perform interlock.raise_error('TRANSFER_EXCEEDED', jsonb_build_object('transfer_id', p_transfer_id, 'lines', v_excess));
  end if;

  update interlock.stock_transfer_lines l
  set received = trim_scale(l.received + case p_as when 'received' then w.quantity else 0 end),
      lost = trim_scale(l.lost + case p_as when 'lost' then w.quantity else 0 end),
      returned = trim_scale(l.returned + case p_as when 'returned' then w.quantity else 0 end),
      lost_reason = case p_as when 'lost' then p_reason else l.lost_reason end
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
  where l.transfer_id = p_transfer_id
    and l.product_id = w.product_id;

  update interlock.stock_transfers t
  set ended_at = interlock.clock(),
      cancelled = p_as = 'returned'
  where t.id = p_transfer_id
    and not exists (
      select from interlock.stock_transfer_lines l where l.transfer_id = p_transfer_id and l.in_transit > 0
    );
end
$$;
