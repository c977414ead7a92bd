-- Orders of the web shop whose points have still to be booked (interlock.settle_points): an order writes a row when it is paid,
-- refunded or ends, without a lock on the customer's points, so a checkout never waits for a till.
create table interlock.points_due (
  order_id uuid not null,
  user_id uuid not null,
  created_at timestamptz not null default now(),
  id uuid not null default interlock.new_id()
    constraint points_due_pkey primary key
);

comment on table interlock.points_due is
  'Orders whose points have still to be booked; emptied every minute, and before a customer''s next sale.';
comment on column interlock.points_due.user_id is
  'Whose order it is.';

create index points_due_by_user on interlock.points_due (user_id);

create trigger orders_points_due
  after insert or update of status, refunded on interlock.orders
  for each row
  execute function interlock.note_points_due();

alter table interlock.points_due enable row level security;

grant select on table interlock.points_due to service_role;
