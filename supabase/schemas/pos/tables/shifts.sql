-- Shifts: the time in which a drawer is somebody's. A register has one open shift at most (shifts_one_open_per_register).
--
-- A shift changes and its sales are written under its register's row lock, so what is closed is added up whole: a sale that comes
-- later finds it closed.
create table interlock.shifts (
  id uuid not null default interlock.new_id()
    constraint shifts_pkey primary key,
  register_id uuid not null
    constraint shifts_register_id_fkey references interlock.registers,
  opened_at timestamptz not null default now(),
  opened_by uuid,
  opening_cash interlock.amount not null,
  closed_at timestamptz,
  closed_by uuid,
  counted_cash interlock.amount,
  expected_cash bigint,
  report jsonb,
  constraint shifts_closed_whole check (
    case when closed_at is null then num_nonnulls(closed_by, counted_cash, expected_cash, report) = 0
    else num_nulls(counted_cash, expected_cash, report) = 0 and closed_at >= opened_at end
  )
);

comment on table interlock.shifts is
  'The shifts of registers: who had the drawer, from when to when, what was in it. Read by whoever works at a till.';
comment on column interlock.shifts.opened_by is
  'Who opened it; empty for the shop itself.';
comment on column interlock.shifts.opening_cash is
  'What was in the drawer at first, in minor units of the register''s currency.';
comment on column interlock.shifts.closed_by is
  'Who closed it, at the till or from afar; empty for the shop itself.';
comment on column interlock.shifts.counted_cash is
  'What was counted in the drawer when it was closed, in minor units.';
comment on column interlock.shifts.expected_cash is
  'What had to be in it then: opening cash, cash that was taken less change and refunds, and what was put in or taken out.';
comment on column interlock.shifts.report is
  'The closing report, as it was answered.';

create unique index shifts_one_open_per_register on interlock.shifts (register_id) where closed_at is null;
create index shifts_by_register on interlock.shifts (register_id, opened_at);

alter table interlock.shifts enable row level security;

grant select on table interlock.shifts to authenticated, service_role;

create policy shifts_select_till
  on interlock.shifts
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);
