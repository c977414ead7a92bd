-- The race lab's schema: the tables that the code of the incident reports reads and writes, and what sets a race up and reads its
-- books. The reports' code itself is in crates/console/src/reports.rs: it ran outside the database, one call after another.
--
-- The tables have names that schema public has too: a browser asks first whether it may call an address (OPTIONS), and the local API
-- answers that by the tables of its first schema.
--
-- Only the local stack makes it, at each start. No migration has it, and no project on the platform.

drop schema if exists race_lab cascade;
create schema race_lab;

-- Report 000, CheckoutService.ts, and report 004: as before the check that no quantity is below zero.
create table race_lab.products (
  id uuid primary key,
  available_quantity int not null
);
create table race_lab.orders (
  id uuid primary key default gen_random_uuid(),
  product_id uuid not null,
  user_id uuid not null
);

-- Report 000, claim-route.
create table race_lab.batches (
  id uuid primary key,
  status text not null default 'available',
  driver_id uuid
);
create table race_lab.batch_events (
  batch_id uuid not null,
  event text not null,
  driver_id uuid not null
);

-- Report 001, pos/sales/create.
create table race_lab.inventory (
  id uuid primary key,
  quantity numeric not null
);
create table race_lab.sales (
  id uuid primary key default gen_random_uuid(),
  inventory_id uuid not null,
  quantity numeric not null
);

-- Report 002, CheckoutClient.tsx.
create table race_lab.promo_codes (
  id uuid primary key,
  max_uses int not null,
  used_count int not null default 0
);
create table race_lab.promo_redemptions (
  promo_id uuid not null,
  user_id uuid not null
);
-- Report 002, api/orders/create: payments from a wallet.
create table race_lab.wallets (
  id uuid primary key,
  balance bigint not null
);
create table race_lab.wallet_movements (
  wallet_id uuid not null,
  amount bigint not null
);

-- Report 002, api/orders/create: codes of a digital product, before claim_product_codes_atomic.
create table race_lab.product_codes (
  id uuid primary key default gen_random_uuid(),
  product_id uuid not null,
  code text not null,
  used_at timestamptz
);
create table race_lab.order_items (
  product_id uuid not null,
  code text not null,
  user_id uuid not null
);

-- No report has it: what a provider's event does that comes twice, by the pattern of all of them.
create table race_lab.payments (
  id uuid primary key,
  status text not null default 'open'
);
create table race_lab.order_shipments (
  payment_id uuid not null
);

-- Report 003, updatePackingProgress. Of a basket that several orders share, each line has what was picked beside it, which its code read
-- from a table of its own: nobody changes it.
create table race_lab.packing_progress (
  id uuid primary key,
  picking_session_id uuid,
  quantity_picked int,
  quantity_needed int not null,
  quantity_packed int not null default 0
);

-- What follows in this transaction is done by somebody of the shop.
create function race_lab.act_as_staff(p_user_id uuid)
returns void
language sql
set search_path = ''
as $$
  select set_config(
    'request.jwt.claims',
    jsonb_build_object('sub', p_user_id, 'role', 'authenticated', 'app_metadata', jsonb_build_object('role', 'staff'))::text,
    true
  )
$$;

-- Makes what one race needs, on both sides, for people whom nobody has seen before. Answers what our side is called with.
create function race_lab.prepare(p_scene text, p_id uuid, p_users uuid[], p_at_once int)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_product_id uuid;
  v_inventory_id uuid;
  v_register_id uuid;
  v_order_id uuid;
  v_order_ids uuid[];
  v_user_id uuid;
  v_session_id uuid;
  v_secret text;
  v_body text;
  v_time constant bigint := extract(epoch from now());
begin
  insert into auth.users (id, aud, role, email)
  select u, 'authenticated', 'authenticated', u || '@race-lab.example'
  from unnest(p_users) as u;

  if p_scene <> 'batch' then
    insert into interlock.products (name, price, currency, kind, available_quantity)
    values (
      'Race lab', 700, 'EUR',
      case p_scene when 'code' then 'digital' else 'physical' end,
      case p_scene when 'stock' then 1 when 'till' then 0 when 'code' then 0 else 1000 end
    )
    returning id into v_product_id;
  end if;

  case p_scene
    when 'stock' then
      insert into race_lab.products (id, available_quantity) values (p_id, 1);
      return jsonb_build_object('product_id', v_product_id);

    when 'batch' then
      insert into race_lab.batches (id) values (p_id);
      insert into interlock.drivers (user_id) select u from unnest(p_users) as u;
      insert into interlock.batches (id, reference) values (p_id, 'Race lab');
      return jsonb_build_object('batch_id', p_id);

    when 'promo' then
      insert into race_lab.promo_codes (id, max_uses) values (p_id, 1);
      insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses)
      values (p_id, 'LAB-' || upper(left(p_id::text, 8)), 'percentage', 10, 1);
      return jsonb_build_object('product_id', v_product_id, 'promo_code', 'LAB-' || upper(left(p_id::text, 8)));

    when 'wallet' then
      insert into race_lab.wallets (id, balance) values (p_id, 700);
      perform race_lab.act_as_staff(p_users[1]);
      perform public.top_up_wallet(p_users[1], 700, 'EUR', p_id::text);
      return jsonb_build_object('product_id', v_product_id, 'user_id', p_users[1]);

    when 'code' then
      insert into race_lab.product_codes (product_id, code)
      select p_id, 'LAB-' || n from generate_series(1, p_at_once) n;
      insert into interlock.product_codes (product_id, code)
      select v_product_id, 'LAB-' || n from generate_series(1, p_at_once) n;
      perform race_lab.act_as_staff(p_users[1]);
      perform public.top_up_wallet(u, 700, 'EUR', u::text) from unnest(p_users) as u;
      return jsonb_build_object('product_id', v_product_id);

    when 'webhook' then
      insert into race_lab.payments (id) values (p_id);
      -- A stack that speaks to Stripe itself keeps its secret; one without any takes no cards yet.
      update interlock.settings
      set payment_methods = payment_methods || '{card}'
      where not 'card' = any (payment_methods);
      if not exists (select from interlock.payment_secrets s where s.provider = 'stripe') then
        perform public.set_payment_secret('stripe', 'whsec_' || replace(p_id::text, '-', ''));
      end if;
      select s.secret into v_secret from interlock.payment_secrets s where s.provider = 'stripe' order by s.id desc limit 1;
      perform set_config(
        'request.jwt.claims', jsonb_build_object('sub', p_users[1], 'role', 'authenticated')::text, true
      );
      v_order_id := public.checkout(
        jsonb_build_array(jsonb_build_object('product_id', v_product_id, 'quantity', 1)), p_payment_method => 'card'
      ) #>> '{order,id}';
      v_body := jsonb_build_object(
        'id', 'evt_' || replace(p_id::text, '-', ''),
        'type', 'payment_intent.succeeded',
        'created', v_time,
        'data', jsonb_build_object('object', jsonb_build_object(
          'id', 'pi_' || replace(p_id::text, '-', ''),
          'amount', 700,
          'amount_received', 700,
          'currency', 'eur',
          'metadata', jsonb_build_object(
            'order_id', v_order_id, 'payment_id', public.begin_card_payment(v_order_id) #>> '{payment,id}'
          )
        ))
      )::text;
      return jsonb_build_object('order_id', v_order_id, 'body', v_body, 'signature', format(
        't=%s,v1=%s', v_time,
        encode(interlock.hmac_sha256(convert_to(v_secret, 'UTF8'), convert_to(v_time || '.' || v_body, 'UTF8')), 'hex')
      ));

    when 'packing' then
      insert into race_lab.packing_progress (id, quantity_needed) values (p_id, p_at_once);
      perform set_config(
        'request.jwt.claims', jsonb_build_object('sub', p_users[1], 'role', 'authenticated')::text, true
      );
      v_order_id := public.checkout(
        jsonb_build_array(jsonb_build_object('product_id', v_product_id, 'quantity', p_at_once))
      ) #>> '{order,id}';
      perform race_lab.act_as_staff(p_users[1]);
      v_session_id := public.create_picking_session(array[v_order_id]) #>> '{session,id}';
      perform public.pick_item(v_session_id, v_product_id, p_quantity => p_at_once);
      perform public.start_packing(v_session_id);
      return jsonb_build_object('session_id', v_session_id, 'order_id', v_order_id, 'product_id', v_product_id);

    when 'basket' then
      -- A line for each worker, with the worker's id; half of what is scanned was picked.
      insert into race_lab.packing_progress (id, picking_session_id, quantity_needed, quantity_picked)
      select u, p_id, p_at_once, (p_at_once + 1) / 2
      from unnest(p_users) as u;
      foreach v_user_id in array p_users loop
        perform set_config(
          'request.jwt.claims', jsonb_build_object('sub', v_user_id, 'role', 'authenticated')::text, true
        );
        v_order_ids := v_order_ids || (public.checkout(
          jsonb_build_array(jsonb_build_object('product_id', v_product_id, 'quantity', p_at_once))
        ) #>> '{order,id}')::uuid;
      end loop;
      perform race_lab.act_as_staff(p_users[1]);
      v_session_id := public.create_picking_session(v_order_ids) #>> '{session,id}';
      perform public.pick_item(v_session_id, v_product_id, p_quantity => (p_at_once + 1) / 2);
      perform public.start_packing(v_session_id);
      return jsonb_build_object('session_id', v_session_id, 'product_id', v_product_id, 'order_ids', (
        select jsonb_object_agg(o.user_id, o.id) from interlock.orders o where o.id = any (v_order_ids)
      ));

    when 'till' then
      insert into race_lab.inventory (id, quantity) values (p_id, 100);
      -- The tokens of the cashiers have it already.
      insert into interlock.locations (id, name) values (p_id, 'Race lab');
      insert into interlock.inventory (product_id, location_id, quantity)
      values (v_product_id, p_id, 100)
      returning id into v_inventory_id;
      insert into interlock.registers (location_id, name, currency, receipt_prefix)
      values (p_id, 'Race lab', 'EUR', upper(left(p_id::text, 8)))
      returning id into v_register_id;
      perform race_lab.act_as_staff(p_users[1]);
      perform public.open_shift(v_register_id, 10000);
      return jsonb_build_object('register_id', v_register_id, 'inventory_id', v_inventory_id);
  end case;
end
$$;

-- The books of both sides after a race: what there was to give, what is left of it, and what was given away by what stands written.
create function race_lab.books(p_scene text, p_id uuid, p_ours jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_theirs jsonb;
  v_ours jsonb;
begin
  case p_scene
    when 'stock' then
      select jsonb_build_object(
        'had', 1, 'left', p.available_quantity,
        'given', (select count(*) from race_lab.orders o where o.product_id = p.id)
      )
      into v_theirs
      from race_lab.products p
      where p.id = p_id;
      select jsonb_build_object(
        'had', 1, 'left', p.available_quantity,
        'given', (select count(*) from interlock.order_items i where i.product_id = p.id)
      )
      into v_ours
      from interlock.products p
      where p.id = (p_ours ->> 'product_id')::uuid;

    when 'batch' then
      select jsonb_build_object(
        'had', 1, 'left', (b.status = 'available')::int,
        'given', (select count(*) from race_lab.batch_events e where e.batch_id = b.id and e.event = 'claimed')
      )
      into v_theirs
      from race_lab.batches b
      where b.id = p_id;
      select jsonb_build_object(
        'had', 1, 'left', (b.status = 'available')::int,
        'given', (select count(*) from interlock.batch_events e where e.batch_id = b.id and e.event = 'claimed')
      )
      into v_ours
      from interlock.batches b
      where b.id = p_id;

    when 'promo' then
      select jsonb_build_object(
        'had', c.max_uses, 'left', c.max_uses - c.used_count,
        'given', (select count(*) from race_lab.promo_redemptions r where r.promo_id = c.id)
      )
      into v_theirs
      from race_lab.promo_codes c
      where c.id = p_id;
      select jsonb_build_object(
        'had', c.max_uses, 'left', c.max_uses - c.used_count,
        'given', (select count(*) from interlock.promo_redemptions r where r.promo_id = c.id and r.status = 'redeemed')
      )
      into v_ours
      from interlock.promo_codes c
      where c.id = p_id;

    when 'wallet' then
      select jsonb_build_object(
        'had', 1, 'left', w.balance / 700,
        'given', (select count(*) from race_lab.wallet_movements p where p.wallet_id = w.id)
      )
      into v_theirs
      from race_lab.wallets w
      where w.id = p_id;
      select jsonb_build_object(
        'had', 1, 'left', w.balance / 700,
        'given', (select count(*) from interlock.orders o where o.user_id = w.user_id)
      )
      into v_ours
      from interlock.wallets w
      where w.user_id = (p_ours ->> 'user_id')::uuid;

    when 'code' then
      select jsonb_build_object(
        'had', count(*), 'left', count(*) filter (where c.used_at is null),
        'given', (select count(*) from race_lab.order_items i where i.product_id = p_id)
      )
      into v_theirs
      from race_lab.product_codes c
      where c.product_id = p_id;
      select jsonb_build_object(
        'had', count(*), 'left', count(*) filter (where c.order_id is null),
        'given', (
          select coalesce(sum(i.quantity), 0)
          from interlock.order_items i
          where i.product_id = (p_ours ->> 'product_id')::uuid
        )
      )
      into v_ours
      from interlock.product_codes c
      where c.product_id = (p_ours ->> 'product_id')::uuid;

    when 'webhook' then
      select jsonb_build_object(
        'had', 1, 'left', (p.status = 'open')::int,
        'given', (select count(*) from race_lab.order_shipments s where s.payment_id = p.id)
      )
      into v_theirs
      from race_lab.payments p
      where p.id = p_id;
      select jsonb_build_object(
        'had', 1, 'left', (o.status = 'pending_payment')::int,
        'given', (select count(*) from interlock.order_events e where e.order_id = o.id and e.event = 'paid')
      )
      into v_ours
      from interlock.orders o
      where o.id = (p_ours ->> 'order_id')::uuid;

    when 'packing' then
      -- What was given is what the workers were told: the page counts it.
      select jsonb_build_object('had', p.quantity_needed, 'left', p.quantity_needed - p.quantity_packed)
      into v_theirs
      from race_lab.packing_progress p
      where p.id = p_id;
      select jsonb_build_object('had', p.quantity_needed, 'left', p.quantity_needed - p.quantity_packed)
      into v_ours
      from interlock.packing_progress p
      where p.order_id = (p_ours ->> 'order_id')::uuid;

    when 'basket' then
      select jsonb_build_object('had', max(p.quantity_picked), 'left', max(p.quantity_picked) - sum(p.quantity_packed))
      into v_theirs
      from race_lab.packing_progress p
      where p.picking_session_id = p_id;
      select jsonb_build_object('had', i.quantity_picked, 'left', i.quantity_picked - (
        select sum(p.quantity_packed) from interlock.packing_progress p where p.picking_session_id = i.picking_session_id
      ))
      into v_ours
      from interlock.picking_session_items i
      where i.picking_session_id = (p_ours ->> 'session_id')::uuid;

    when 'till' then
      select jsonb_build_object(
        'had', 100, 'left', i.quantity,
        'given', (select coalesce(sum(s.quantity), 0) from race_lab.sales s where s.inventory_id = i.id)
      )
      into v_theirs
      from race_lab.inventory i
      where i.id = p_id;
      select jsonb_build_object(
        'had', 100, 'left', i.quantity,
        'given', (select coalesce(sum(l.quantity), 0) from interlock.sale_lines l where l.inventory_id = i.id)
      )
      into v_ours
      from interlock.inventory i
      where i.id = (p_ours ->> 'inventory_id')::uuid;
  end case;
  return jsonb_build_object('theirs', v_theirs, 'ours', v_ours);
end
$$;

grant usage on schema race_lab to authenticated;
grant select, insert, update on all tables in schema race_lab to authenticated;
revoke execute on all functions in schema race_lab from public;
grant execute on function race_lab.prepare, race_lab.books to authenticated;
