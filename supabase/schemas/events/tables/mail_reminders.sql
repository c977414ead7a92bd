-- Orders whose buyers were reminded to pay, each once.
create table interlock.mail_reminders (
  order_id uuid not null
    constraint mail_reminders_pkey primary key
    constraint mail_reminders_order references interlock.orders (id),
  created_at timestamptz not null default now()
);

comment on table interlock.mail_reminders is
  'Orders whose buyers were reminded to pay. Written by interlock.remind_payments.';

alter table interlock.mail_reminders enable row level security;
