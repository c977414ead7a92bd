-- What the reports' checkout reads, writes and calls by supabase-js, where the API looks for it. Their policies are as simple as such
-- tables have them: one's own orders.

create view public.bench_products with (security_invoker = true) as
select p.id, p.name, p.price, p.currency from bench_peers.products p;

create view public.bench_orders with (security_invoker = true) as
select o.id, o.user_id, o.status, o.currency, o.total, o.created_at from bench_peers.orders o;

create view public.bench_order_items with (security_invoker = true) as
select i.order_id, i.product_id, i.quantity, i.unit_price, i.name from bench_peers.order_items i;

alter table bench_peers.orders alter user_id set default auth.uid();
alter table bench_peers.orders enable row level security;
create policy orders_own on bench_peers.orders for all to authenticated using (user_id = auth.uid());
grant select on bench_peers.products, public.bench_products to authenticated;
grant select, insert on bench_peers.orders, public.bench_orders, bench_peers.order_items, public.bench_order_items to authenticated;

-- Report 001's decrement_inventory, word for word but for its table; it runs with its owner's rights.
create function public.bench_decrement_inventory(p_product_id uuid, p_quantity numeric)
returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_old_quantity numeric;
  v_new_quantity numeric;
begin
  select available_quantity into v_old_quantity
  from bench_peers.products
  where id = p_product_id
  for update;

  if v_old_quantity < p_quantity then
    raise exception 'Insufficient inventory. Available: %, Requested: %', v_old_quantity, p_quantity;
  end if;

  update bench_peers.products
  set available_quantity = available_quantity - p_quantity
  where id = p_product_id
    and available_quantity >= p_quantity
  returning available_quantity into v_new_quantity;

  return json_build_object(
    'success', true,
    'product_id', p_product_id,
    'old_quantity', v_old_quantity,
    'new_quantity', v_new_quantity,
    'deducted', p_quantity
  );
end
$$;

grant execute on function public.bench_decrement_inventory(uuid, numeric) to authenticated;
