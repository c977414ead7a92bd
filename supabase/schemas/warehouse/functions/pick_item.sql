-- What public.pick_item does, with its owner's rights: units of a product come from the shelf into the basket; with a quantity below 0 they
-- go back, also of a session that has ended. p_short of them are not on the shelf though the books say so: that is
-- told (stock.short_pick) and the next audit files it (picked_short).
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.pick_item.
-- Locks: idempotency key; the row of the product in the session; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, BARCODE_NOT_FOUND, SESSION_NOT_FOUND, SESSION_STATE_CONFLICT, WRONG_ITEM, PICK_CLAIMED,
--   PICK_EXCEEDS_NEEDED, NOTHING_PICKED, IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.pick_item(
  p_session_id uuid,
  p_product_id uuid,
  p_barcode text,
  p_quantity int,
  p_short int,
  p_reason text,
  p_basket text,
  p_idempotency_key text
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_quantity constant int := coalesce(p_quantity, case when p_short > 0 then 0 else 1 end);
  v_short constant int := coalesce(p_short, 0);
  v_problems jsonb := interlock.find_scan_problems(p_product_id, p_barcode, p_quantity, -1000);
  v_answer text;
  v_session interlock.picking_sessions;
  v_product_id uuid;
  v_item interlock.picking_session_items;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_packer();
  if p_session_id is null then
    v_problems := v_problems || interlock.problem('/p_session_id', 'is required');
  end if;
  if v_short not between -1000 and 1000 then
    v_problems := v_problems || interlock.problem('/p_short', 'must be -1000 to 1000');
  elsif v_quantity = 0 and v_short = 0 then
    v_problems := v_problems || interlock.problem('/p_quantity', 'must not be 0 without p_short');
  end if;
  if p_reason is not null and interlock.is_line(p_reason, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must have 1 to 200 characters');
  end if;
  if p_basket is not null and interlock.is_line(p_basket, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_basket', 'must have 1 to 200 characters');
  end if;
  perform interlock.refuse_problems(v_problems);
  v_session := interlock.find_session(p_session_id);
  v_product_id := interlock.find_scanned_product(p_product_id, p_barcode);

  v_answer := interlock.begin_idempotent('pick_item', p_idempotency_key, jsonb_build_array(
    p_session_id, v_product_id, v_quantity, v_short, p_reason, p_basket
  ));
  if v_answer is not null then
    return v_answer::jsonb;
  end if;

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select i.*
  into v_item
  from interlock.picking_session_items i
  where i.picking_session_id = p_session_id
    and i.product_id = v_product_id
  for no key update;
  if not found then
    perform interlock.raise_error('WRONG_ITEM', jsonb_build_object('session_id', p_session_id, 'product_id', v_product_id));
  end if;
  if (v_quantity > 0 or v_short <> 0) and exists (
    select from interlock.picking_sessions s where s.id = p_session_id and s.ended_at is not null
  ) then
    perform interlock.refuse_session(p_session_id);
  end if;
  if v_quantity > 0 and v_item.picker_id <> auth.uid() and v_item.picker_until > interlock.clock() then
    perform interlock.raise_error('PICK_CLAIMED', jsonb_build_object('session_id', p_session_id, 'items', jsonb_build_array(
      jsonb_build_object('product_id', v_product_id, 'picker_until', v_item.picker_until)
    )));
  end if;
  if (v_quantity > 0 or v_short > 0)
    and v_item.quantity_picked + v_item.quantity_short + v_quantity + v_short > v_item.quantity_needed then
    perform interlock.raise_error('PICK_EXCEEDS_NEEDED', interlock.item_state(v_item));
  end if;
  if v_item.quantity_picked + v_quantity < v_item.quantity_packed or v_item.quantity_short + v_short < 0 then
    perform interlock.raise_error('NOTHING_PICKED', interlock.item_state(v_item));
  end if;

  update interlock.picking_session_items i
  set quantity_picked = i.quantity_picked + v_quantity,
      quantity_short = i.quantity_short + v_short,
      short_reason = case when v_short > 0 then coalesce(p_reason, i.short_reason) else i.short_reason end,
      checked_at = case when v_short > 0 then null else i.checked_at end,
      basket = coalesce(p_basket, i.basket),
      picker_until = case
        when i.picker_id = auth.uid() then (select interlock.clock() + s.pick_lease from interlock.settings s)
        else i.picker_until
      end,
      version = i.version + 1
  where i.picking_session_id = p_session_id
    and i.product_id = v_product_id
  returning i.* into v_item;
  if v_quantity <> 0 then
    perform interlock.note_scan(
      p_session_id, null, v_product_id, case when v_quantity > 0 then 'pick' else 'put_back' end, v_quantity
    );
  end if;
  if v_short <> 0 then
    perform interlock.note_scan(p_session_id, null, v_product_id, 'short_pick', v_short);
    perform interlock.note_event('stock.short_pick', v_product_id::text, jsonb_build_object(
      'session_id', p_session_id, 'product_id', v_product_id, 'location_id', v_session.location_id,
      'quantity', v_short, 'quantity_short', v_item.quantity_short, 'reason', p_reason
    ));
  end if;

  v_answer := jsonb_build_object('success', true, 'item', interlock.item_state(v_item))::text;
  perform interlock.finish_idempotent('pick_item', p_idempotency_key, v_answer);
  return v_answer::jsonb;
end
$$;
