-- What our functions write, written into the same tables and checked by nobody: each row once, as it is in the end, with the triggers and
-- constraints of its table. No right, no argument, no rule and no twin is looked at, nothing is locked beforehand, and settings are numbers. The
-- benchmark compares the rows that both have written before it measures (Session::written), so that none of these drifts.

-- Of the present transaction: what each row is of that it has written, and which of its columns are filled.
create function bench_peers.written()
returns setof text
language plpgsql
set search_path = ''
as $$
declare
  v_table regclass;
begin
  for v_table in
    select c.oid
    from pg_class c
    where c.relkind = 'r'
      and c.relnamespace::regnamespace::text in ('interlock', 'interlock_parts')
    order by c.oid::regclass::text
  loop
    -- Also by its sub-transactions, whose numbers follow its own.
    return query execute format(
      $q$
        select format('%%s: %%s', %L, string_agg(f.key, ', ' order by f.key))
        from (select row_number() over () as n, to_jsonb(t) as filled from %s t where age(t.xmin) <= 0) r
        cross join jsonb_each(jsonb_strip_nulls(r.filled)) f
        group by r.n
        order by 1
      $q$,
      v_table, v_table
    );
  end loop;
end
$$;

-- The key of a request, if it has one.
create function bench_peers.write_key(p_operation text, p_key text, p_request jsonb, p_answer text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_key is not null then
    insert into interlock.idempotency_keys (user_id, operation, key, request_hash, response, expires_at)
    values (
      auth.uid(), p_operation, p_key, sha256(convert_to(p_request::text, 'UTF8')), p_answer, now() + interval '24 hours'
    );
  end if;
end
$$;

-- public.claim_route of the next batch. It passes over what others are taking, or it would have theirs.
create function bench_peers.claim_next_unchecked(p_key text)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_batch interlock.batches;
  v_answer jsonb;
begin
  update interlock.batches b
  set status = 'claimed',
      driver_id = auth.uid(),
      claimed_at = now(),
      lease_expires_at = now() + interval '15 minutes'
  where b.id = (
    select a.id
    from interlock.batches a
    where a.status = 'available'
    order by a.priority desc, a.created_at, a.id
    limit 1
    for no key update skip locked
  )
  returning b.* into v_batch;
  v_answer := jsonb_build_object('success', true, 'batch', to_jsonb(v_batch));
  perform bench_peers.write_key('claim_route', p_key, '{"action": "claim", "batch_id": null}', v_answer::text);
  return v_answer;
end
$$;

-- public.claim_route that completes it.
create function bench_peers.complete_unchecked(p_batch_id uuid, p_key text)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_batch interlock.batches;
  v_answer jsonb;
begin
  update interlock.batches b
  set status = 'completed',
      lease_expires_at = null,
      completed_at = now()
  where b.id = p_batch_id
  returning b.* into v_batch;
  v_answer := jsonb_build_object('success', true, 'batch', to_jsonb(v_batch));
  perform bench_peers.write_key(
    'claim_route', p_key, jsonb_build_object('action', 'complete', 'batch_id', p_batch_id), v_answer::text
  );
  return v_answer;
end
$$;

-- public.validate_promo, which holds a use for a cart.
create function bench_peers.hold_unchecked(p_code text, p_cart_items jsonb, p_cart_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_promo interlock.promo_codes;
  v_line record;
  v_product interlock.products;
  v_amount bigint;
  v_lines jsonb := '[]';
  v_subtotal bigint := 0;
  v_discount bigint;
  v_held_until constant timestamptz := now() + interval '15 minutes';
begin
  update interlock.promo_codes p
  set used_count = p.used_count + 1
  where interlock.normal_text(p.code) = interlock.normal_text(p_code)
  returning p.* into v_promo;

  for v_line in select * from jsonb_to_recordset(p_cart_items) as l (product_id uuid, quantity int) loop
    select p.* into v_product from interlock.products p where p.id = v_line.product_id;
    v_amount := v_product.price * v_line.quantity;
    v_subtotal := v_subtotal + v_amount;
    v_lines := v_lines || jsonb_build_object(
      'product_id', v_line.product_id, 'discount', round(v_amount * v_promo.discount_value / 100)
    );
  end loop;
  v_discount := round(v_subtotal * v_promo.discount_value / 100);

  insert into interlock.promo_user_uses as u (promo_id, user_id, used, held_since)
  values (v_promo.id, auth.uid(), 1, now())
  on conflict (promo_id, user_id) do update set used = u.used + 1;
  insert into interlock.promo_redemptions (promo_id, user_id, cart_id, status, discount, currency, held_until)
  values (v_promo.id, auth.uid(), p_cart_id, 'held', v_discount, v_product.currency, v_held_until);

  return jsonb_build_object(
    'valid', true,
    'code', v_promo.code,
    'discount_type', v_promo.discount_type,
    'discount', v_discount,
    'subtotal', v_subtotal,
    'total', v_subtotal - v_discount,
    'currency', v_product.currency,
    'held_until', v_held_until,
    'lines', v_lines
  );
end
$$;

-- public.pos_sale. What its table does not have it answers as it is in a sale of this kind.
create function bench_peers.sell_unchecked(p_register_id uuid, p_lines jsonb, p_tenders jsonb, p_key text)
returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_sale_id constant uuid := interlock.new_id();
  v_register interlock.registers;
  v_shift_id uuid;
  v_line record;
  v_product_id uuid;
  v_product interlock.products;
  v_lines jsonb := '[]';
  v_total bigint := 0;
  v_sale json;
  v_answer text;
begin
  update interlock.registers r
  set last_receipt = r.last_receipt + 1
  where r.id = p_register_id
  returning r.* into v_register;
  select s.id into v_shift_id from interlock.shifts s where s.register_id = p_register_id and s.closed_at is null;

  perform set_config('interlock.reason', 'pos_sale', true), set_config('interlock.reference_id', v_sale_id::text, true);
  for v_line in
    select *
    from rows from (jsonb_to_recordset(p_lines) as (inventory_id uuid, quantity numeric))
      with ordinality as l (inventory_id, quantity, n)
  loop
    update interlock.inventory i
    set quantity = i.quantity - v_line.quantity
    where i.id = v_line.inventory_id
    returning i.product_id into v_product_id;
    select p.* into v_product from interlock.products p where p.id = v_product_id;
    v_total := v_total + v_product.price * v_line.quantity;
    v_lines := v_lines || jsonb_build_object(
      'line', v_line.n - 1,
      'product_id', v_product_id,
      'inventory_id', v_line.inventory_id,
      'name', v_product.name,
      'quantity', v_line.quantity,
      'unit_price', v_product.price,
      'subtotal', (v_product.price * v_line.quantity)::bigint,
      'discount', 0,
      'promo_discount', 0,
      'tax', 0,
      'total', (v_product.price * v_line.quantity)::bigint
    );
  end loop;

  insert into interlock.sales (
    id, register_id, shift_id, location_id, receipt_number, currency, subtotal, discount, tax, tax_included, total, cashier
  )
  values (
    v_sale_id, p_register_id, v_shift_id, v_register.location_id, v_register.last_receipt, v_register.currency,
    v_total, 0, 0, 0, v_total, auth.uid()
  );
  insert into interlock.sale_lines (
    sale_id, line, product_id, inventory_id, name, quantity, unit_price, subtotal, total
  )
  select v_sale_id, l.line, l.product_id, l.inventory_id, l.name, l.quantity, l.unit_price, l.subtotal, l.total
  from jsonb_to_recordset(v_lines) as l (
    line int, product_id uuid, inventory_id uuid, name text, quantity numeric, unit_price bigint, subtotal bigint, total bigint
  );
  insert into interlock.sale_tenders (sale_id, n, type, amount, reference)
  select v_sale_id, t.n - 1, t.type, t.amount, t.reference
  from rows from (jsonb_to_recordset(p_tenders) as (type text, amount bigint, reference text))
    with ordinality as t (type, amount, reference, n);

  v_sale := json_build_object(
    'id', v_sale_id,
    'register_id', p_register_id,
    'shift_id', v_shift_id,
    'location_id', v_register.location_id,
    'receipt_number', v_register.last_receipt,
    'receipt', lpad(v_register.last_receipt::text, 6, '0'),
    'status', 'completed',
    'currency', v_register.currency,
    'lines', v_lines,
    'returns', json_build_array(),
    'subtotal', v_total,
    'discount', 0,
    'tax', 0,
    'tax_included', 0,
    'returned', 0,
    'total', v_total,
    'tenders', p_tenders,
    'change_due', 0,
    'customer', null,
    'promo_code', null,
    'loyalty', null,
    'approved_by', null,
    'sold_at', now(),
    'recorded_at', now(),
    'offline', false,
    'late', false,
    'needs_review', json_build_array(),
    'shortfalls', json_build_array()
  );
  insert into interlock.outbox (type, subject, payload)
  values ('sale.completed', v_sale_id, v_sale::jsonb - 'customer' || '{"customer_id": null}');
  v_answer := json_build_object('success', true, 'sale', v_sale)::text;
  insert into interlock.sale_keys (register_id, key, request_hash, sale_id, answer)
  values (
    p_register_id, p_key,
    sha256(convert_to(jsonb_build_object('register_id', p_register_id, 'lines', p_lines, 'tenders', p_tenders)::text, 'UTF8')),
    v_sale_id, v_answer
  );
  return v_answer::json;
end
$$;

-- public.manage_inventory with the action adjust.
create function bench_peers.adjust_unchecked(p_lines jsonb, p_key text)
returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_line record;
  v_stock interlock.inventory;
  v_lines jsonb := '[]';
  v_answer text;
begin
  perform set_config('interlock.reason', 'adjustment', true);
  for v_line in select * from jsonb_to_recordset(p_lines) as l (inventory_id uuid, delta numeric) loop
    update interlock.inventory i
    set quantity = i.quantity + v_line.delta
    where i.id = v_line.inventory_id
    returning i.* into v_stock;
    v_lines := v_lines || jsonb_build_object(
      'inventory_id', v_stock.id,
      'product_id', v_stock.product_id,
      'location_id', v_stock.location_id,
      'old_quantity', trim_scale(v_stock.quantity - v_line.delta),
      'new_quantity', trim_scale(v_stock.quantity),
      'version', v_stock.version
    );
  end loop;
  v_answer := json_build_object('success', true, 'action', 'adjust', 'lines', v_lines)::text;
  perform bench_peers.write_key('manage_inventory', p_key, jsonb_build_array('adjust', p_lines), v_answer);
  return v_answer::json;
end
$$;

-- public.pack_item, of one unit. It answers nothing but how many are packed.
create function bench_peers.pack_unchecked(p_session_id uuid, p_order_id uuid, p_product_id uuid)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_line interlock.packing_progress;
begin
  update interlock.picking_session_items i
  set quantity_packed = i.quantity_packed + 1,
      version = i.version + 1
  where i.picking_session_id = p_session_id
    and i.product_id = p_product_id;
  update interlock.packing_progress p
  set quantity_packed = p.quantity_packed + 1,
      version = p.version + 1,
      updated_at = now()
  where p.picking_session_id = p_session_id
    and p.order_id = p_order_id
    and p.product_id = p_product_id
  returning p.* into v_line;
  insert into interlock.packing_scans (
    picking_session_id, order_id, product_id, action, quantity, actor, quantity_packed, quantity_needed, quantity_short, version
  )
  values (
    p_session_id, p_order_id, p_product_id, 'pack', 1, auth.uid(),
    v_line.quantity_packed, v_line.quantity_needed, v_line.quantity_short, v_line.version
  );
  return v_line.quantity_packed;
end
$$;

grant execute on all functions in schema bench_peers to authenticated;
