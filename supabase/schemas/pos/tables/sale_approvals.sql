-- What managers have allowed at a till (public.approve_sale): used once, within five minutes, at that register.
create table interlock.sale_approvals (
  id uuid not null default interlock.new_id()
    constraint sale_approvals_pkey primary key,
  register_id uuid not null
    constraint sale_approvals_register_id_fkey references interlock.registers,
  actions interlock.approval_actions not null,
  reason interlock.label not null,
  approved_by uuid,
  approved_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  sale_id uuid
);

comment on table interlock.sale_approvals is
  'What managers have allowed at a till, each to be used once. Written by approve_sale, pos_sale and void_sale.';
comment on column interlock.sale_approvals.actions is
  'What is allowed: a discount beyond a cashier''s limit, a return without a receipt, the void of somebody else''s sale.';
comment on column interlock.sale_approvals.approved_by is
  'Who allowed it; empty for the shop itself.';
comment on column interlock.sale_approvals.used_at is
  'When it was used, for sale_id.';

alter table interlock.sale_approvals enable row level security;

grant select on table interlock.sale_approvals to authenticated, service_role;

create policy sale_approvals_select_till
  on interlock.sale_approvals
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);
