-- Up to where deliveries have been made of events: all that was visible in `seen`, and of what is visible in `target` what
-- has a lower position than `position`. No plain number would do: neither ids nor positions nor transactions are committed
-- in their order, so whoever commits late would be passed over.
create table interlock.delivery_cursor (
  singleton boolean not null default true
    constraint delivery_cursor_pkey primary key
    constraint delivery_cursor_single_row check (singleton),
  seen pg_snapshot not null,
  target pg_snapshot,
  position bigint not null default 0
);

comment on table interlock.delivery_cursor is
  'Up to where deliveries have been made of events.';
comment on column interlock.delivery_cursor.seen is
  'The snapshot whose events are all dealt with.';
comment on column interlock.delivery_cursor.target is
  'The snapshot whose events are being dealt with, if they are too many for one call.';
comment on column interlock.delivery_cursor.position is
  'The position of the latest of these.';

alter table interlock.delivery_cursor enable row level security;

insert into interlock.delivery_cursor (seen) values (pg_current_snapshot());
