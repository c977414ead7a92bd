-- Move stock between locations, or send it: then it is in transit until it is received. Each way has a transfer of its own, whose
-- id the ledger has. All that is asked of a stock has to be there before anything comes in.
--
-- Callers: interlock.change_transfer.
-- Locks: as interlock.lock_inventory.
-- Errors: LOCATION_NOT_FOUND, PRODUCT_NOT_FOUND, VALIDATION_FAILED, INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED; 55P03 after
--   lock_timeout.
create function interlock.transfer_inventory(
  p_lines jsonb,
  p_in_transit boolean,
  p_reason text,
  out o_transfer_id uuid,
  out o_lines json
)
language plpgsql
set search_path = ''
as $$
declare
  v_from constant jsonb := interlock.name_transfer_ends(p_lines, 'from_location_id', -1);
  v_to constant jsonb := interlock.name_transfer_ends(p_lines, 'to_location_id', 1);
  v_stock constant jsonb := interlock.lock_inventory(case when p_in_transit then v_from else v_from || v_to end);
  v_way record;
begin
  -- In parts nothing could be missed that is asked for twice.
  perform interlock.refuse_shortages(v_from, v_stock);

  for v_way in
    select l.from_location_id, l.to_location_id, jsonb_agg(l.n - 1) as lines
    from (
      select (i.line ->> 'from_location_id')::uuid as from_location_id, (i.line ->> 'to_location_id')::uuid as to_location_id, i.n
      from jsonb_array_elements(p_lines) with ordinality as i (line, n)
    ) l
    group by l.from_location_id, l.to_location_id
    order by min(l.n)
  loop
    insert into interlock.stock_transfers (from_location_id, to_location_id, reason, reference, actor, ended_at)
    values (
      v_way.from_location_id, v_way.to_location_id, p_reason, nullif(current_setting('interlock.reference', true), ''),
      auth.uid(), case when p_in_transit is not true then interlock.clock() end
    )
    returning id into o_transfer_id;

    insert into interlock.stock_transfer_lines (transfer_id, product_id, sent, received)
    select
      o_transfer_id, l.product_id, trim_scale(sum(l.change)),
      case when p_in_transit then 0 else trim_scale(sum(l.change)) end
    from jsonb_to_recordset(v_to) as l (of_line int, product_id uuid, change numeric)
    where v_way.lines @> to_jsonb(l.of_line)
    group by l.product_id;

    perform interlock.move_quantities(jsonb_agg(e), coalesce(p_reason, 'transfer_out'), o_transfer_id)
    from jsonb_array_elements(v_from) as e
    where v_way.lines @> (e -> 'of_line');
    if p_in_transit is not true then
      perform interlock.move_quantities(jsonb_agg(e), coalesce(p_reason, 'transfer_in'), o_transfer_id)
      from jsonb_array_elements(v_to) as e
      where v_way.lines @> (e -> 'of_line');
    end if;
  end loop;

  o_lines := interlock.moved_inventory(v_stock);
end
$$;
