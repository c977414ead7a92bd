-- Open orders of a customer and the units in them: what is promised to them and not paid for. The row is the guard of
-- settings.max_open_orders_per_customer and max_open_units_per_customer: a checkout counts itself here within the
-- limits, or is refused. An order says how many units it counts (orders.counted_units); one that was placed while there
-- was no limit does not count, and costs nothing here.
--
-- The counters are the sums of the open orders that count, always: a checkout adds its own, and trigger
-- orders_count_open follows every change of an order, so it is given back once, whatever ends or pays it.
create table interlock.customer_open_orders (
  user_id uuid not null
    constraint customer_open_orders_pkey primary key,
  orders interlock.unit_count not null default 0,
  units interlock.unit_count not null default 0
);

comment on table interlock.customer_open_orders is
  'Open orders of each customer and the units in them, as far as they count against a limit. The row is the guard.';
comment on column interlock.customer_open_orders.orders is
  'Orders that are not paid and have not ended.';
comment on column interlock.customer_open_orders.units is
  'Units in those orders.';

create trigger settings_count_orders
  after update on interlock.settings
  for each row
  when (
    num_nonnulls(old.max_open_orders_per_customer, old.max_open_units_per_customer) = 0
    and num_nonnulls(new.max_open_orders_per_customer, new.max_open_units_per_customer) > 0
  )
  execute function interlock.count_orders_so_far();

alter table interlock.customer_open_orders enable row level security;

grant select on table interlock.customer_open_orders to service_role;
