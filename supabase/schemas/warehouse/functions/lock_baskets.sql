-- Lock baskets of a session against whoever picks or packs: those of these products, or with null all. Who packs goes from the basket to the
-- line, so with them the lines of these products stay as they are, too.
--
-- Callers: interlock.take_out_order, interlock.take_off_lines, interlock.close_sent_box, interlock.abandon_session; with the boxes locked.
--   interlock.refuse_pack, of one.
-- Locks: the baskets by product, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_baskets(p_session_id uuid, p_product_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.picking_session_items i
  where i.picking_session_id = p_session_id
    and (p_product_ids is null or i.product_id = any (p_product_ids))
  order by i.product_id
  for no key update;
end
$$;
