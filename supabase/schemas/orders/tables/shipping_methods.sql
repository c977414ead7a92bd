-- Ways to send an order, and what each costs. The app chooses one of them (p_shipping_method), the database says the price
-- (interlock.charge_order). A method has one currency; a shop that sells in two has one for each.
--
-- Everybody sees the active ones. The shop (service role) writes; an order keeps the price that it was placed for.
create table interlock.shipping_methods (
  code interlock.slug not null
    constraint shipping_methods_pkey primary key,
  name interlock.label not null,
  price interlock.price not null,
  currency interlock.currency_code not null,
  free_from interlock.amount,
  tax_class interlock.slug,
  active boolean not null default true,
  created_at timestamptz not null default now()
);

comment on table interlock.shipping_methods is
  'Ways to send an order, and what each costs. Managed by the shop with the service role; checkout names one.';
comment on column interlock.shipping_methods.code is
  'What checkout calls it by, as shipping_method.';
comment on column interlock.shipping_methods.name is
  'As people read it.';
comment on column interlock.shipping_methods.price is
  'What it costs, in minor units.';
comment on column interlock.shipping_methods.currency is
  'ISO 4217 code, upper case: of the carts that it can be chosen for.';
comment on column interlock.shipping_methods.created_at is
  'When it was added.';
comment on column interlock.shipping_methods.free_from is
  'From this value of the goods on, after the promo code, it costs nothing; empty: never.';
comment on column interlock.shipping_methods.tax_class is
  'Which of tax_rates is charged on its price; empty: none.';
comment on column interlock.shipping_methods.active is
  'An inactive one can neither be seen nor chosen.';

alter table interlock.shipping_methods enable row level security;

grant select on table interlock.shipping_methods to anon, authenticated;
grant select, insert, update, delete on table interlock.shipping_methods to service_role;

create policy shipping_methods_select_active
  on interlock.shipping_methods
  for select
  to anon, authenticated
  using (active);
