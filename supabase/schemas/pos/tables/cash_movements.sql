-- Cash that is put into a drawer or taken out of it beside sales; append-only, written by public.move_cash.
create table interlock.cash_movements (
  id uuid not null default interlock.new_id()
    constraint cash_movements_pkey primary key,
  shift_id uuid not null
    constraint cash_movements_shift_id_fkey references interlock.shifts,
  kind interlock.cash_movement_kind not null,
  amount interlock.positive_amount not null,
  reason interlock.label not null,
  actor uuid,
  created_at timestamptz not null default now()
);

comment on table interlock.cash_movements is
  'Cash that is put into a drawer (paid_in) or taken out of it (paid_out) beside sales. Append-only.';
comment on column interlock.cash_movements.amount is
  'Minor units of the register''s currency.';
comment on column interlock.cash_movements.actor is
  'Who did it; empty for the shop itself.';

create index cash_movements_by_shift on interlock.cash_movements (shift_id);

create trigger cash_movements_append_only
  before update or delete on interlock.cash_movements
  for each row
  execute function interlock.refuse_change('actor');

create trigger cash_movements_no_truncate
  before truncate on interlock.cash_movements
  for each statement
  execute function interlock.refuse_change();

alter table interlock.cash_movements enable row level security;

grant select on table interlock.cash_movements to authenticated, service_role;

create policy cash_movements_select_till
  on interlock.cash_movements
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);
