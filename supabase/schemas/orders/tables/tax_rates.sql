-- Taxes, by class of product and country. The rate of an order's country comes before the one without a country, which is
-- that of everywhere else; without either there is no tax.
--
-- A shop without rates never looks here: settings.taxed says whether there are any.
create table interlock.tax_rates (
  id uuid not null default interlock.new_id()
    constraint tax_rates_pkey primary key,
  tax_class interlock.slug not null,
  country interlock.country_code,
  name interlock.label not null,
  percent interlock.percentage not null,
  inclusive boolean not null,
  constraint tax_rates_one_for_each unique nulls not distinct (tax_class, country)
);

comment on table interlock.tax_rates is
  'Taxes, by class of product and country. Managed by the shop with the service role; charged by checkout.';
comment on column interlock.tax_rates.id is
  'Made by new_id where none is given.';
comment on column interlock.tax_rates.tax_class is
  'Of the products and shipping methods that it is charged on.';
comment on column interlock.tax_rates.country is
  'Where the goods go; empty: everywhere that has no rate of its own.';
comment on column interlock.tax_rates.name is
  'As people read it: VAT 19 %.';
comment on column interlock.tax_rates.percent is
  'The rate in percent, with at most four decimals.';
comment on column interlock.tax_rates.inclusive is
  'Whether prices have the tax in them (true), or it is added to them (false).';

create trigger tax_rates_noted
  after insert or delete or truncate on interlock.tax_rates
  for each statement
  execute function interlock.note_tax_rates();

alter table interlock.tax_rates enable row level security;

grant select on table interlock.tax_rates to anon, authenticated;
grant select, insert, update, delete on table interlock.tax_rates to service_role;

create policy tax_rates_select_all
  on interlock.tax_rates
  for select
  to anon, authenticated
  using (true);
