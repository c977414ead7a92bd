-- What is in a transfer of stock: of each product what was sent, and what has become of it. The rest is in transit.
create table interlock.stock_transfer_lines (
  transfer_id uuid not null
    constraint stock_transfer_lines_transfer_id_fkey references interlock.stock_transfers,
  product_id uuid not null
    constraint stock_transfer_lines_product_id_fkey references interlock.products,
  sent interlock.quantity not null,
  received interlock.quantity not null default 0,
  lost interlock.quantity not null default 0,
  returned interlock.quantity not null default 0,
  lost_reason interlock.movement_reason,
  in_transit numeric not null generated always as (trim_scale(sent - received - lost - returned)) stored,
  constraint stock_transfer_lines_pkey primary key (transfer_id, product_id),
  constraint stock_transfer_lines_within_sent check (
    sent > 0 and least(received, lost, returned) >= 0 and received + lost + returned <= sent
  )
);

comment on table interlock.stock_transfer_lines is
  'What is in stock_transfers: sent = received + lost + returned + in_transit. Staff and the shop read it.';
comment on column interlock.stock_transfer_lines.received is
  'What is on the shelf of its destination.';
comment on column interlock.stock_transfer_lines.lost is
  'What will never arrive.';
comment on column interlock.stock_transfer_lines.returned is
  'What is back where it came from.';
comment on column interlock.stock_transfer_lines.lost_reason is
  'Why it was lost, as whoever booked it said last.';

-- What of a product is in transit.
create index stock_transfer_lines_in_transit
  on interlock.stock_transfer_lines (product_id)
  where received + lost + returned < sent;

create trigger stock_transfer_lines_no_delete
  before delete on interlock.stock_transfer_lines
  for each row
  execute function interlock.refuse_change();

create trigger stock_transfer_lines_no_truncate
  before truncate on interlock.stock_transfer_lines
  for each statement
  execute function interlock.refuse_change();

alter table interlock.stock_transfer_lines enable row level security;

grant select on table interlock.stock_transfer_lines to authenticated, service_role;

create policy stock_transfer_lines_select_staff
  on interlock.stock_transfer_lines
  for select
  to authenticated
  using ((select interlock.is_staff()));
