-- What public.pack_item does, with its owner's rights: what function pack is asked for. One scan packs a unit of the
-- basket into an order (pack), takes one out again (unpack) or says that there will be none (short); complete closes the order.
--
-- Without a key each call is a scan of its own; under a key it counts once. Completing needs none.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.pack_item.
-- Locks: idempotency key; then as interlock.pack_units, interlock.give_up_units or interlock.complete_box; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, SESSION_NOT_FOUND, SESSION_STATE_CONFLICT, BARCODE_NOT_FOUND, PACKING_LINE_NOT_FOUND,
--   WRONG_ITEM, ALREADY_FULLY_PACKED, NO_UNITS_TO_PACK, NOTHING_PACKED, NOT_FULLY_PACKED, INSUFFICIENT_INVENTORY,
--   ORDER_STATE_CONFLICT, SHIPMENT_EXCEEDS_ORDER, IDEMPOTENCY_KEY_REUSED; 55P03 and 40P01 are transient and nothing has happened.
-- Security definer: nobody has the right to write sessions.
create function interlock.pack_item(
  p_session_id uuid,
  p_order_id uuid,
  p_product_id uuid,
  p_barcode text,
  p_quantity int,
  p_action text,
  p_tracking text,
  p_idempotency_key text
)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_action constant text := coalesce(p_action, 'pack');
  v_quantity constant int := coalesce(p_quantity, 1);
  v_problems jsonb := '[]'::jsonb;
  v_product_id uuid;
  v_answer text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if v_action not in ('pack', 'unpack', 'short', 'complete') then
    v_problems := v_problems || interlock.problem('/action', 'must be one of: pack, unpack, short, complete');
  elsif v_action = 'complete' then
    if num_nonnulls(p_product_id, p_barcode, p_quantity) > 0 then
      v_problems := v_problems || interlock.problem('/action', 'complete cannot go with product_id, barcode or quantity');
    end if;
    if p_tracking is not null and interlock.is_line(p_tracking, 200) is not true then
      v_problems := v_problems || interlock.problem('/tracking', 'must have 1 to 200 characters');
    end if;
  else
    v_problems := v_problems || interlock.find_scan_problems(p_product_id, p_barcode, p_quantity, 1);
    if p_tracking is not null then
      v_problems := v_problems || interlock.problem('/tracking', 'goes only with complete');
    end if;
  end if;
  if p_session_id is null then
    v_problems := v_problems || interlock.problem('/session_id', 'is required');
  end if;
  if p_order_id is null then
    v_problems := v_problems || interlock.problem('/order_id', 'is required');
  end if;
  if v_problems <> '[]' then
    perform interlock.require_packer();
    perform interlock.refuse_problems(v_problems);
  end if;

  if v_action = 'complete' then
    return interlock.complete_box(interlock.find_session(p_session_id), p_order_id, p_tracking)::text::json;
  end if;
  v_product_id := p_product_id;
  if p_barcode is not null then
    perform interlock.find_session(p_session_id);
    v_product_id := interlock.find_scanned_product(p_product_id, p_barcode);
  end if;

  if p_idempotency_key is not null then
    v_answer := interlock.begin_idempotent('pack_item', p_idempotency_key, jsonb_build_array(
      p_session_id, p_order_id, v_product_id, v_quantity, v_action
    ));
    if v_answer is not null then
      return v_answer::json;
    end if;
  end if;
  -- A scanner reads whatever lies there.
  if p_barcode is not null and not exists (
    select
    from interlock.packing_progress p
    where p.picking_session_id = p_session_id
      and p.order_id = p_order_id
      and p.product_id = v_product_id
  ) then
    perform interlock.raise_error('WRONG_ITEM', jsonb_build_object(
      'session_id', p_session_id, 'order_id', p_order_id, 'product_id', v_product_id
    ));
  end if;

  if v_action = 'short' then
    perform interlock.give_up_units(p_session_id, p_order_id, v_product_id, v_quantity);
  else
    perform interlock.pack_units(
      p_session_id, p_order_id, v_product_id, case v_action when 'pack' then v_quantity else -v_quantity end
    );
  end if;
  -- A statement of its own, which sees what was written.
  v_answer := interlock.packing_answer(p_session_id, p_order_id, v_product_id)::text;
  if p_idempotency_key is not null then
    perform interlock.finish_idempotent('pack_item', p_idempotency_key, v_answer);
  end if;
  return v_answer::json;
end
$$;
