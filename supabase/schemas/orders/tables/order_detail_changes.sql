-- What an order's details were before each correction, append-only. Goes with the buyer's account, as the details do.
create table interlock.order_detail_changes (
  id bigint generated always as identity,
  order_id uuid not null
    constraint order_detail_changes_order_id_fkey references interlock.orders (id),
  shipping_address interlock.details,
  contact interlock.details,
  metadata interlock.details,
  actor uuid,
  created_at timestamptz not null default now(),
  -- The corrections of one order are read in this order.
  constraint order_detail_changes_pkey primary key (order_id, id)
);

comment on table interlock.order_detail_changes is
  'Append-only history of corrections: what the details of an order were until then.';
comment on column interlock.order_detail_changes.actor is
  'The staff member who corrected it; empty for the shop.';

create trigger order_detail_changes_append_only
  before update or delete on interlock.order_detail_changes
  for each row
  execute function interlock.refuse_change('actor');

create trigger order_detail_changes_no_truncate
  before truncate on interlock.order_detail_changes
  for each statement
  execute function interlock.refuse_change();

alter table interlock.order_detail_changes enable row level security;

grant select on table interlock.order_detail_changes to service_role;
