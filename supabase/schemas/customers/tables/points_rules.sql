-- How points are earned: for each full `per_amount` of what a sale has of a class of products (products.loyalty_class) there
-- are `points`, rounded down. A class without a rule earns nothing. Tax is in the amount; what is paid with points is not.
create table interlock.points_rules (
  currency interlock.currency_code not null,
  loyalty_class interlock.slug not null default 'standard',
  per_amount interlock.positive_amount not null default 100,
  points interlock.positive_count not null,
  constraint points_rules_pkey primary key (currency, loyalty_class)
);

comment on table interlock.points_rules is
  'How points are earned, by class of products. Managed by the shop with the service role.';
comment on column interlock.points_rules.currency is
  'ISO 4217 code of what it is sold for.';
comment on column interlock.points_rules.loyalty_class is
  'That of products.loyalty_class.';
comment on column interlock.points_rules.per_amount is
  'For each full one of it, in minor units.';
comment on column interlock.points_rules.points is
  'How many points there are.';

alter table interlock.points_rules enable row level security;

grant select on table interlock.points_rules to authenticated;
grant select, insert, update, delete on table interlock.points_rules to service_role;

create policy points_rules_select_till
  on interlock.points_rules
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);
