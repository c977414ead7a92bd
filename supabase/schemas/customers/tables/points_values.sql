-- What a point is worth as a tender, by currency. Without a row points pay nothing in that currency.
create table interlock.points_values (
  currency interlock.currency_code not null
    constraint points_values_pkey primary key,
  value interlock.positive_amount not null
);

comment on table interlock.points_values is
  'What a point is worth as a tender. Managed by the shop with the service role; who is signed in may read it.';
comment on column interlock.points_values.currency is
  'ISO 4217 code of what it pays.';
comment on column interlock.points_values.value is
  'Minor units for one point.';

alter table interlock.points_values enable row level security;

grant select on table interlock.points_values to authenticated;
grant select, insert, update, delete on table interlock.points_values to service_role;

create policy points_values_select_authenticated
  on interlock.points_values
  for select
  to authenticated
  using (true);
