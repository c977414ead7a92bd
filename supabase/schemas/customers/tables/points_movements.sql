-- The ledger of points, append-only. The sum of `points` of a customer is the balance, that of `owed` what they owe. What a
-- movement counts towards a tier is `points - owed` of what was earned or taken back, or `amount`.
create table interlock.points_movements (
  id uuid not null default interlock.new_id(),
  customer_id uuid not null
    constraint points_movements_customer_id_fkey references interlock.customers,
  kind interlock.points_kind not null,
  points bigint not null,
  owed bigint not null default 0,
  amount bigint not null default 0,
  balance_after interlock.points not null,
  sale_id uuid,
  order_id uuid,
  reason interlock.label,
  actor uuid,
  created_at timestamptz not null default now(),
  constraint points_movements_pkey primary key (customer_id, id)
);

comment on table interlock.points_movements is
  'Append-only ledger of points, read by the customer and at tills.';
comment on column interlock.points_movements.points is
  'The change of the balance.';
comment on column interlock.points_movements.owed is
  'The change of what is owed.';
comment on column interlock.points_movements.amount is
  'The change of the turnover, in minor units.';
comment on column interlock.points_movements.sale_id is
  'The sale at a till that earned or spent them.';
comment on column interlock.points_movements.order_id is
  'The order of the web shop that earned them.';
comment on column interlock.points_movements.reason is
  'Why, as somebody said it.';
comment on column interlock.points_movements.actor is
  'Who did it; empty for the shop''s own code.';

create index points_movements_by_sale on interlock.points_movements (sale_id) where sale_id is not null;
create index points_movements_by_order on interlock.points_movements (order_id) where order_id is not null;

create trigger points_movements_append_only
  before update or delete on interlock.points_movements
  for each row
  execute function interlock.refuse_change('customer_id', 'actor');

create trigger points_movements_no_truncate
  before truncate on interlock.points_movements
  for each statement
  execute function interlock.refuse_change();

alter table interlock.points_movements enable row level security;

grant select on table interlock.points_movements to authenticated, service_role;

create policy points_movements_select_till_or_own
  on interlock.points_movements
  for select
  to authenticated
  using (
    customer_id = any (array(select c.id from interlock.customers c where c.user_id = (select auth.uid())))
    or (select interlock.till_role()) is not null
  );
