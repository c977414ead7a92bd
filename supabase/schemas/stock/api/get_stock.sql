create function public.get_stock(p_product_ids uuid[])
returns table (
  product_id uuid, available_quantity int, stock_slots int, stock_policy text, backordered int, orderable_quantity int,
  state text
)
language sql
stable
security invoker
set search_path = ''
as $$
  select * from interlock.get_stock(p_product_ids)
$$;

comment on function public.get_stock(uuid[]) is
  'The exact stock of up to 1000 products, also of those that are sold from slots, and how many can be ordered (null: any number), and what a badge shows: in_stock, low, on_order or sold_out.';
