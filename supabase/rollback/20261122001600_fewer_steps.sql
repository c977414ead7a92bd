-- Undoes 20261122001600_fewer_steps.sql.
-- Newest first: run it in one transaction, then `supabase migration repair --status reverted 20261122001600`.

set local lock_timeout = '5s';

create or replace function private.checkout(
  p_cart_items jsonb,
  p_promo_code text,
  p_cart_id uuid,
  p_payment_method text,
  p_idempotency_key text
)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
-- Statements over arrays are otherwise planned again at each call.
set plan_cache_mode = force_generic_plan
set timezone = 'UTC'
as $$
declare
  v_user_id constant uuid := auth.uid();
  v_payment_method constant text := coalesce(p_payment_method, 'cash_on_delivery');
  v_order_id constant uuid := gen_random_uuid();
  v_now constant timestamptz := private.clock();
  v_request jsonb;
  v_product_ids uuid[];
  v_quantities int[];
  v_unit_prices bigint[];
  v_names text[];
  v_kinds text[];
  v_currencies text[];
  v_subtotal bigint;
  v_missing uuid[];
  v_shortages jsonb;
  v_slotted uuid[];
  v_refusal text;
  v_detail jsonb;
  v_wallet public.wallets;
  v_promo_id uuid;
  v_discount bigint := 0;
  v_status text;
  v_digital boolean;
  v_answer text;
begin
  if v_user_id is null then
    perform private.raise_error('UNAUTHENTICATED');
  end if;
  perform private.check_checkout_arguments(p_cart_items, p_promo_code, v_payment_method, p_idempotency_key);

  v_request := jsonb_build_object(
    'cart_items', p_cart_items,
    'promo_code', p_promo_code,
    'cart_id', p_cart_id,
    'payment_method', v_payment_method
  );

  -- The look.
  select
    array_agg(c.product_id),
    array_agg(c.quantity),
    array_agg(c.price),
    array_agg(c.name),
    array_agg(c.kind),
    array_agg(distinct c.currency::text),
    sum(c.quantity * c.price),
    array_agg(c.product_id) filter (where c.active is not true),
    jsonb_agg(
      jsonb_build_object(
        'product_id', c.product_id,
        'requested', c.quantity,
        'available', c.available_quantity
      )
      order by c.product_id
    ) filter (where c.available_quantity < c.quantity),
    -- From slots only if each product that has slots has one with enough.
    case
      when bool_and(c.in_a_slot) then array_agg(c.product_id) filter (where c.in_a_slot)
    end
  into
    v_product_ids, v_quantities, v_unit_prices, v_names, v_kinds, v_currencies,
    v_subtotal, v_missing, v_shortages, v_slotted
  from (
    select
      l.product_id, l.quantity, p.price, p.name, p.kind, p.currency, p.active, p.available_quantity,
      p.in_one_slot >= l.quantity as in_a_slot
    from (
      select (i.item ->> 'product_id')::uuid as product_id, sum((i.item ->> 'quantity')::numeric)::int as quantity
      from jsonb_array_elements(p_cart_items) as i (item)
      group by 1
    ) l
    -- `limit 1` asks for one look-up by id for each line, whatever the planner thinks of
    -- the number of lines: without it a small cart may read the whole catalogue.
    left join lateral (
      select
        q.price, q.name, q.kind, q.currency, q.active,
        (q.available_quantity - coalesce(s.used, 0))::int as available_quantity,
        case when q.stock_slots > 0 then coalesce(s.in_one_slot, 0) end as in_one_slot
      from public.products q
      left join lateral (
        select sum(c.used) as used, max(c.granted - c.used) as in_one_slot
        from private.counter_slots c
        where c.owner_id = q.id
          and q.stock_slots > 0
      ) s on true
      where q.id = l.product_id
      limit 1
    ) p on true
    order by l.product_id
  ) c;

  if v_missing is not null then
    v_refusal := 'PRODUCT_NOT_FOUND';
    v_detail := jsonb_build_object('product_ids', v_missing);
  elsif cardinality(v_currencies) > 1 then
    v_refusal := 'MIXED_CURRENCIES';
    v_detail := jsonb_build_object('currencies', v_currencies);
  elsif v_shortages is not null then
    v_refusal := 'INSUFFICIENT_INVENTORY';
    v_detail := jsonb_build_object('shortages', v_shortages);
  end if;

  if v_refusal is not null then
    v_answer := private.find_idempotent('checkout', p_idempotency_key, v_request);
    if v_answer is not null then
      return v_answer::json;
    end if;
    perform private.raise_error(v_refusal, v_detail);
  end if;

  perform private.limit_checkouts(v_product_ids);

  -- A guess at a promo code must count though nothing else of the request happens, so an
  -- unknown code is answered and not raised: see 20251118000500_promo_attempts.sql.
  if p_promo_code is not null then
    v_answer := coalesce(
      private.find_idempotent('checkout', p_idempotency_key, v_request),
      private.refuse_unknown_promo(v_user_id, p_promo_code)::text
    );
    if v_answer is not null then
      return v_answer::json;
    end if;
  end if;

  -- The key, before anything else but the customer's promo attempts is locked.
  v_answer := private.begin_idempotent('checkout', p_idempotency_key, v_request);
  if v_answer is not null then
    return v_answer::json;
  end if;

  -- The price, and the money.
  if v_payment_method = 'wallet' then
    v_wallet := private.lock_wallet(v_user_id);
  end if;

  if p_promo_code is not null then
    v_discount := private.redeem_promo(
      v_user_id,
      p_promo_code,
      p_cart_id,
      v_order_id,
      v_currencies[1],
      (
        select jsonb_agg(jsonb_build_object(
          'product_id', l.product_id, 'quantity', l.quantity, 'unit_price', l.unit_price
        ))
        from unnest(v_product_ids, v_quantities, v_unit_prices) as l (product_id, quantity, unit_price)
      )
    );
    select r.promo_id
    into v_promo_id
    from public.promo_redemptions r
    where r.order_id = v_order_id
      and r.status = 'redeemed';
  end if;

  if v_payment_method = 'wallet' then
    perform private.debit_wallet(v_wallet, v_subtotal - v_discount, v_currencies[1], v_order_id);
  end if;

  -- The order.
  v_status := case
    when v_payment_method = 'wallet' or v_subtotal = v_discount then 'paid'
    when v_payment_method = 'bank_transfer' then 'pending_payment'
    else 'confirmed'
  end;

  insert into public.orders (
    id, user_id, status, currency, subtotal, discount, total, payment_method,
    promo_code_id, cart_id, payment_expires_at, created_at, paid_at
  )
  values (
    v_order_id, v_user_id, v_status, v_currencies[1], v_subtotal, v_discount, v_subtotal - v_discount,
    v_payment_method, v_promo_id, p_cart_id,
    case when v_status = 'pending_payment' then v_now + (select s.payment_window from private.settings s) end,
    v_now,
    case when v_status = 'paid' then v_now end
  );

  insert into public.order_items (order_id, product_id, quantity, unit_price, name, kind)
  select v_order_id, l.product_id, l.quantity, l.unit_price, l.name, l.kind
  from unnest(v_product_ids, v_quantities, v_unit_prices, v_names, v_kinds)
    as l (product_id, quantity, unit_price, name, kind);

  -- The answer comes before the stock if it does not need the codes.
  v_digital := 'digital' = any (v_kinds);
  if not v_digital then
    v_answer := jsonb_build_object('success', true, 'order', private.order_to_json(v_order_id))::text;
    perform private.finish_idempotent('checkout', p_idempotency_key, v_answer);
  end if;

  perform private.take_stock(
    v_product_ids, v_quantities, 'checkout', v_order_id, v_unit_prices, v_currencies[1], v_slotted
  );

  if v_digital then
    perform private.take_product_codes(d.product_ids, d.quantities, v_order_id, 'checkout', v_status = 'paid')
    from (
      select array_agg(l.product_id) as product_ids, array_agg(l.quantity) as quantities
      from unnest(v_product_ids, v_quantities, v_kinds) as l (product_id, quantity, kind)
      where l.kind = 'digital'
    ) d;
    v_answer := jsonb_build_object('success', true, 'order', private.order_to_json(v_order_id))::text;
    perform private.finish_idempotent('checkout', p_idempotency_key, v_answer);
  end if;

  return v_answer::json;
end
$$;

create or replace function private.order_to_json(p_order_id uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_order public.orders;
  v_items jsonb;
  v_codes jsonb;
begin
  select o.* into v_order from public.orders o where o.id = p_order_id;

  select jsonb_agg(
    jsonb_build_object(
      'product_id', i.product_id,
      'name', i.name,
      'quantity', i.quantity,
      'unit_price', i.unit_price,
      'total', i.quantity * i.unit_price
    )
    order by i.product_id
  )
  into v_items
  from public.order_items i
  where i.order_id = p_order_id;

  if v_order.status in ('paid', 'fulfilled') then
    select jsonb_agg(jsonb_build_object('product_id', c.product_id, 'code', c.code) order by c.product_id, c.id)
    into v_codes
    from public.product_codes c
    where c.order_id = p_order_id
      and c.used_at is not null;
  end if;

  return jsonb_build_object(
    'id', v_order.id,
    'status', v_order.status,
    'currency', v_order.currency,
    'subtotal', v_order.subtotal,
    'discount', v_order.discount,
    'total', v_order.total,
    'payment_method', v_order.payment_method,
    'cart_id', v_order.cart_id,
    'created_at', v_order.created_at,
    'payment_expires_at', v_order.payment_expires_at,
    'paid_at', v_order.paid_at,
    'fulfilled_at', v_order.fulfilled_at,
    'cancelled_at', v_order.cancelled_at,
    'refunded_at', v_order.refunded_at,
    'items', v_items
  ) || case when v_codes is null then '{}' else jsonb_build_object('codes', v_codes) end;
end
$$;

drop function private.shape_order(
  uuid, text, text, bigint, bigint, text, uuid, timestamptz, timestamptz, timestamptz, jsonb,
  timestamptz, timestamptz, timestamptz
);
drop function private.payment_terms(text, bigint, timestamptz);

create or replace function private.check_checkout_arguments(
  p_cart_items jsonb,
  p_promo_code text,
  p_payment_method text,
  p_idempotency_key text
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_uuid constant text := '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$';
  v_problems jsonb := '[]'::jsonb;
begin
  if jsonb_typeof(p_cart_items) is distinct from 'array' then
    v_problems := jsonb_build_array(
      jsonb_build_object('pointer', '/cart_items', 'message', 'must be an array of 1 to 100 lines')
    );
  elsif jsonb_array_length(p_cart_items) not between 1 and 100 then
    v_problems := jsonb_build_array(
      jsonb_build_object('pointer', '/cart_items', 'message', 'must have 1 to 100 lines')
    );
  elsif exists (
    -- A valid cart is recognised by a plain look; what is wrong with another one takes a longer query.
    select
    from jsonb_array_elements(p_cart_items) as i (item)
    where (
      jsonb_typeof(i.item) = 'object'
      and i.item - 'product_id' - 'quantity' = '{}'
      and jsonb_typeof(i.item -> 'product_id') = 'string'
      and i.item ->> 'product_id' ~ v_uuid
      and case
        when jsonb_typeof(i.item -> 'quantity') = 'number' then
          (i.item ->> 'quantity')::numeric between 1 and 10000
          and (i.item ->> 'quantity')::numeric = trunc((i.item ->> 'quantity')::numeric)
      end
    ) is not true
  ) then
    select coalesce(
      jsonb_agg(
        jsonb_build_object('pointer', format('/cart_items/%s%s', c.n - 1, p.pointer), 'message', p.message)
        order by c.n, p.pointer
      ),
      '[]'
    )
    into v_problems
    from (
      select
        i.n,
        i.item,
        jsonb_typeof(i.item) = 'object' as is_object,
        coalesce(
          jsonb_typeof(i.item -> 'product_id') = 'string' and i.item ->> 'product_id' ~ v_uuid,
          false
        ) as product_id_valid,
        case
          when jsonb_typeof(i.item -> 'quantity') = 'number' then
            (i.item ->> 'quantity')::numeric between 1 and 10000
            and (i.item ->> 'quantity')::numeric = trunc((i.item ->> 'quantity')::numeric)
          else false
        end as quantity_valid,
        case when jsonb_typeof(i.item) = 'object' then i.item - 'product_id' - 'quantity' end as others
      from jsonb_array_elements(p_cart_items) with ordinality as i (item, n)
    ) c
    cross join lateral (
      select '' as pointer, 'must be an object with product_id and quantity' as message
      where not c.is_object
      union all
      select '/product_id', 'must be a UUID'
      where c.is_object and not c.product_id_valid
      union all
      select '/quantity', 'must be an integer from 1 to 10000'
      where c.is_object and not c.quantity_valid
      union all
      select '/' || replace(replace(left(k.name, 100), '~', '~0'), '/', '~1'), 'is not a known field'
      from jsonb_object_keys(c.others) as k (name)
    ) p
    where not (c.is_object and c.product_id_valid and c.quantity_valid and c.others = '{}');
  end if;

  if char_length(btrim(p_promo_code)) not between 1 and 64 then
    v_problems := v_problems
      || jsonb_build_object('pointer', '/promo_code', 'message', 'must be 1 to 64 characters');
  end if;

  if p_payment_method not in ('wallet', 'bank_transfer', 'cash_on_delivery') then
    v_problems := v_problems || jsonb_build_object(
      'pointer', '/payment_method', 'message', 'must be wallet, bank_transfer or cash_on_delivery'
    );
  end if;

  if p_idempotency_key !~ '^[\x20-\x7e]+$' or char_length(p_idempotency_key) > 255 then
    v_problems := v_problems || jsonb_build_object(
      'pointer', '/headers/idempotency-key', 'message', 'must be 1 to 255 printable ASCII characters'
    );
  end if;

  if v_problems <> '[]' then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', v_problems));
  end if;
end
$$;

drop function private.find_checkout_problems(jsonb, text, text, text);
drop function private.admit_checkout(uuid[], int);

comment on column private.settings.checkouts_per_product is
  'How many checkouts of one product may run at a time; null means no limit. A third of the connections that the API has is a good number.';

create function private.limit_checkouts(p_product_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_limit constant int := (select s.checkouts_per_product from private.settings s);
begin
  if v_limit is not null and exists (
    select
    from unnest(p_product_ids) as u (product_id)
    where not exists (
      select
      from generate_series(1, v_limit) as t (ticket)
      where pg_try_advisory_xact_lock(hashtext('checkout of ' || u.product_id), t.ticket)
    )
  ) then
    perform private.raise_error('UPSTREAM_UNAVAILABLE');
  end if;
end
$$;

comment on function private.limit_checkouts(uuid[]) is
  'Lets a checkout in unless as many of one of its products as may run at a time are running.';

revoke all on function private.limit_checkouts(uuid[]) from public, anon, authenticated, service_role;

drop function private.take_stock(uuid[], int[], text, uuid, bigint[], text);

create function private.take_stock(
  p_product_ids uuid[],
  p_quantities int[],
  p_reason text,
  p_reference_id uuid,
  p_unit_prices bigint[] default null,
  p_currency text default null,
  p_slotted uuid[] default null
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_rows record;
  v_wanted record;
  v_available int;
begin
  if p_slotted is not null and private.take_from_slots(
    p_product_ids, p_quantities, p_reason, p_reference_id, p_unit_prices, p_currency, p_slotted
  ) then
    return;
  end if;

  perform private.set_ledger_context(p_reason, p_reference_id);

  v_rows := private.take_from_rows(p_product_ids, p_quantities, p_unit_prices, p_currency);

  if v_rows.o_with_slots is not null then
    for v_wanted in
      select w.product_id, w.quantity
      from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
      where w.product_id = any (v_rows.o_with_slots)
      order by w.product_id
    loop
      v_available := private.take_at_gate(v_wanted.product_id, v_wanted.quantity);
      if v_available is not null then
        v_rows.o_shortages := coalesce(v_rows.o_shortages, '[]') || jsonb_build_object(
          'product_id', v_wanted.product_id,
          'requested', v_wanted.quantity,
          'available', v_available
        );
      end if;
    end loop;
  end if;

  perform private.set_ledger_context(null, null);

  if v_rows.o_shortages is not null then
    perform private.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', (
      select jsonb_agg(s.shortage order by s.shortage ->> 'product_id')
      from jsonb_array_elements(v_rows.o_shortages) as s (shortage)
    )));
  end if;

  if v_rows.o_changed then
    perform private.raise_product_changed();
  end if;
end
$$;

comment on function private.take_stock(uuid[], int[], text, uuid, bigint[], text, uuid[]) is
  'Takes the stock of products, from slots or from their rows locked by id, or refuses with every shortage.';

revoke all on function private.take_stock(uuid[], int[], text, uuid, bigint[], text, uuid[])
  from public, anon, authenticated, service_role;

create or replace function private.take_from_slots(
  p_product_ids uuid[],
  p_quantities int[],
  p_reason text,
  p_reference_id uuid,
  p_unit_prices bigint[],
  p_currency text,
  p_slotted uuid[]
)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_wait boolean;
  v_others record;
  v_rows record;
  v_wanted record;
  v_changed boolean := false;
begin
  foreach v_wait in array array[false, true] loop
    begin
      if cardinality(p_slotted) < cardinality(p_product_ids) then
        select
          array_agg(w.product_id) as product_ids,
          array_agg(w.quantity) as quantities,
          array_agg(w.unit_price) as unit_prices
        into v_others
        from unnest(p_product_ids, p_quantities, p_unit_prices) as w (product_id, quantity, unit_price)
        where w.product_id <> all (p_slotted);

        perform private.set_ledger_context(p_reason, p_reference_id);
        v_rows := private.take_from_rows(
          v_others.product_ids, v_others.quantities, v_others.unit_prices, p_currency
        );
        perform private.set_ledger_context(null, null);

        -- The gate knows every shortage, and in which order to take slots.
        if v_rows.o_shortages is not null or v_rows.o_with_slots is not null then
          raise exception using errcode = 'IL002', message = 'not without the gate';
        end if;
        v_changed := v_rows.o_changed;
      end if;

      for v_wanted in
        select w.product_id, w.quantity
        from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
        where w.product_id = any (p_slotted)
        order by w.product_id
      loop
        perform private.use_slot(v_wanted.product_id, v_wanted.quantity, v_wait);
      end loop;

      insert into public.stock_movements (product_id, delta, reason, reference_id, actor)
      select w.product_id, -w.quantity, p_reason, p_reference_id, auth.uid()
      from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
      where w.product_id = any (p_slotted);

      if v_changed or exists (
        select
        from unnest(p_product_ids, p_unit_prices) as w (product_id, unit_price)
        left join public.products p on p.id = w.product_id
        where w.product_id = any (p_slotted)
          and (p.active and p.price = w.unit_price and p.currency = p_currency) is not true
      ) then
        perform private.raise_product_changed();
      end if;
      return true;
    exception
      when sqlstate 'IL002' then
        null;
    end;
  end loop;

  return false;
end
$$;

drop function private.begin_idempotent(text, text, jsonb, text);

create function private.begin_idempotent(p_operation text, p_key text, p_request jsonb)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_answer text;
begin
  if p_key is null then
    return null;
  end if;

  loop
    v_answer := private.find_idempotent(p_operation, p_key, p_request);
    if v_answer is not null then
      return v_answer;
    end if;

    -- A key that is over is taken over; a live one changes nothing here, and the next
    -- turn finds it. Each turn means that somebody else's transaction has ended.
    insert into private.idempotency_keys as k (user_id, operation, key, request_hash, expires_at)
    select
      coalesce(auth.uid(), '00000000-0000-0000-0000-000000000000'),
      p_operation,
      p_key,
      sha256(convert_to(p_request::text, 'UTF8')),
      private.clock() + s.idempotency_key_lifetime
    from private.settings s
    on conflict (user_id, operation, key) do update
      set request_hash = excluded.request_hash,
          response = null,
          created_at = private.clock(),
          expires_at = excluded.expires_at
      where k.expires_at <= private.clock();

    exit when found;
  end loop;

  return null;
end
$$;

comment on function private.begin_idempotent(text, text, jsonb) is
  'Takes the key for this transaction (null), or answers what the same request was answered before.';

revoke all on function private.begin_idempotent(text, text, jsonb) from public, anon, authenticated, service_role;

create or replace function private.find_idempotent(p_operation text, p_key text, p_request jsonb)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_row private.idempotency_keys;
begin
  if p_key is null then
    return null;
  end if;

  if p_key !~ '^[\x20-\x7e]+$' or char_length(p_key) > 255 then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', jsonb_build_array(
      jsonb_build_object(
        'pointer', '/headers/idempotency-key',
        'message', 'must be 1 to 255 printable ASCII characters'
      )
    )));
  end if;

  select k.*
  into v_row
  from private.idempotency_keys k
  where k.user_id = coalesce(auth.uid(), '00000000-0000-0000-0000-000000000000')
    and k.operation = p_operation
    and k.key = p_key
    and k.expires_at > private.clock();

  if not found then
    return null;
  end if;

  if v_row.request_hash <> sha256(convert_to(p_request::text, 'UTF8')) then
    perform private.raise_error('IDEMPOTENCY_KEY_REUSED', jsonb_build_object('operation', p_operation));
  end if;

  -- Only a function that has begun and not finished leaves a key without an answer.
  if v_row.response is null then
    perform private.raise_error('INTERNAL', jsonb_build_object('operation', p_operation));
  end if;

  perform set_config('response.headers', '[{"Idempotent-Replayed": "true"}]', true);
  return v_row.response;
end
$$;
