-- The tables of the peers: what a shop needs to do the work that public.checkout does
-- (order, lines, stock ledger, idempotency key), with a foreign key from lines to
-- products, as the incident reports' shops have it. Indexes and fill factors are
-- Interlock's own, so that only the approaches differ.

drop schema if exists bench_peers cascade;
create schema bench_peers;
grant usage on schema bench_peers to authenticated;

create table bench_peers.products (
  id uuid primary key,
  name text not null,
  price bigint not null check (price >= 0),
  currency char(3) not null,
  available_quantity int not null check (available_quantity >= 0),
  version bigint not null default 0
)
with (fillfactor = 70);

create table bench_peers.orders (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id),
  status text not null,
  currency char(3) not null,
  total bigint not null,
  created_at timestamptz not null default now()
);

create index orders_by_user on bench_peers.orders (user_id, created_at desc);

create table bench_peers.order_items (
  order_id uuid not null references bench_peers.orders (id),
  product_id uuid not null references bench_peers.products (id),
  quantity int not null check (quantity > 0),
  unit_price bigint not null,
  name text not null,
  primary key (order_id, product_id)
);

create index order_items_by_product on bench_peers.order_items (product_id);

create table bench_peers.stock_movements (
  id bigint generated always as identity primary key,
  product_id uuid not null,
  delta int not null,
  balance_after int not null,
  reason text not null,
  reference_id uuid,
  actor uuid,
  created_at timestamptz not null default now()
);

create index stock_movements_by_product on bench_peers.stock_movements (product_id, id);
create index stock_movements_by_reference on bench_peers.stock_movements (reference_id);

create table bench_peers.idempotency_keys (
  user_id uuid not null,
  key text not null,
  request_hash bytea not null,
  response jsonb,
  created_at timestamptz not null default now(),
  primary key (user_id, key)
)
with (fillfactor = 80);

-- Takes the key, or answers what the same request was answered before.
create function bench_peers.begin_request(p_key text, p_request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_response jsonb;
begin
  insert into bench_peers.idempotency_keys (user_id, key, request_hash)
  values (auth.uid(), p_key, sha256(convert_to(p_request::text, 'UTF8')))
  on conflict do nothing;

  if not found then
    select k.response into v_response
    from bench_peers.idempotency_keys k
    where k.user_id = auth.uid() and k.key = p_key;
  end if;
  return v_response;
end
$$;

-- Writes the order and its lines, at the products' prices, and stores the answer.
create function bench_peers.finish_order(p_order_id uuid, p_cart_items jsonb, p_key text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_total bigint;
  v_response jsonb;
begin
  insert into bench_peers.orders (id, user_id, status, currency, total)
  select p_order_id, auth.uid(), 'confirmed', min(p.currency), sum(p.price * (i.item ->> 'quantity')::int)
  from jsonb_array_elements(p_cart_items) as i (item)
  join bench_peers.products p on p.id = (i.item ->> 'product_id')::uuid
  returning total into v_total;

  insert into bench_peers.order_items (order_id, product_id, quantity, unit_price, name)
  select p_order_id, p.id, (i.item ->> 'quantity')::int, p.price, p.name
  from jsonb_array_elements(p_cart_items) as i (item)
  join bench_peers.products p on p.id = (i.item ->> 'product_id')::uuid;

  v_response := jsonb_build_object('success', true, 'order', jsonb_build_object(
    'id', p_order_id, 'status', 'confirmed', 'total', v_total, 'items', p_cart_items
  ));
  update bench_peers.idempotency_keys k
  set response = v_response
  where k.user_id = auth.uid() and k.key = p_key;
  return v_response;
end
$$;

-- Writes the ledger.
create function bench_peers.record_movement(p_product_id uuid, p_delta int, p_balance int, p_order_id uuid)
returns void
language sql
set search_path = ''
as $$
  insert into bench_peers.stock_movements (product_id, delta, balance_after, reason, reference_id, actor)
  values (p_product_id, p_delta, p_balance, 'checkout', p_order_id, auth.uid())
$$;
