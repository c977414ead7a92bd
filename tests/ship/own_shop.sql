-- A shop on Supabase that has what Interlock has, under the same names, and a schema `private` as the platform's own
-- documentation recommends.
create table public.products (
  id bigint generated always as identity primary key,
  title text not null,
  price numeric(10, 2) not null,
  stock int not null
);
insert into public.products (title, price, stock) values ('Soap', 2.50, -1), ('Brush', 4.00, 12);

create table public.orders (
  id bigint generated always as identity primary key,
  customer text not null,
  status text not null default 'new'
);
insert into public.orders (customer) values ('Ann'), ('Bob');

create table public.order_items (
  order_id bigint not null references public.orders (id),
  product_id bigint not null references public.products (id),
  quantity int not null,
  primary key (order_id, product_id)
);
insert into public.order_items values (1, 1, 2), (2, 2, 1);

alter table public.products enable row level security;
create policy products_read on public.products for select to anon using (stock > 0);
grant select on public.products to anon;
grant all on public.orders to authenticated;

create view public.product_titles with (security_invoker = true) as select title from public.products;

create schema private;
create table private.notes (id int primary key, note text);
create function private.is_staff() returns boolean language sql stable as 'select false';
grant usage on schema private to authenticated;

-- Another function of the same name.
create function public.checkout(p_order bigint) returns text language sql as 'select ''theirs''';
