-- What is in a customer's reservation (interlock.cart_reservations), which is locked by whoever writes here.
create table interlock.cart_reservation_lines (
  user_id uuid not null,
  product_id uuid not null,
  quantity interlock.positive_count not null,
  untracked boolean not null,
  constraint cart_reservation_lines_pkey primary key (user_id, product_id)
);

comment on table interlock.cart_reservation_lines is
  'Products and units of the reservations there are. A user sees their own.';
comment on column interlock.cart_reservation_lines.untracked is
  'Whether it took nothing from the stock, because the product was untracked.';

alter table interlock.cart_reservation_lines enable row level security;

grant select on table interlock.cart_reservation_lines to authenticated, service_role;

create policy cart_reservation_lines_select_own
  on interlock.cart_reservation_lines
  for select
  to authenticated
  using (user_id = (select auth.uid()));
