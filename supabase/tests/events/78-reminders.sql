-- Of which orders somebody is reminded before they end, and of which nobody is.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(8);
-- Else what refers to accounts waits, where there are many shops, and a table that waits is not altered.
set constraints all immediate;

delete from interlock.webhook_endpoints;
insert into auth.users (id, aud, role, email)
values ('78000000-0000-4000-8000-0000000000bb', 'authenticated', 'authenticated', 'tap-78@example.com');
create function pg_temp.settings(p_more text) returns text language plpgsql as $$
declare
  v_answer jsonb;
begin
  perform set_config('role', 'service_role', true), set_config('request.jwt.claims', '{"role": "service_role"}', true);
  execute 'select public.set_mail_settings(' || p_more || ')' into v_answer;
  reset role;
  return v_answer ->> 'success';
end
$$;
select is(pg_temp.settings($$'shop@shop.example', p_remind_before => '24 hours', p_kinds => '{order_confirmed}'$$), 'true', 'mails are sent, but no reminders');

alter table interlock.orders disable trigger user;
create temporary table placed (name text, method text, hours_left int, hours_ago int, proof timestamptz);
insert into placed
values
  ('sooner', 'bank_transfer', 1, 72, null), ('soon', 'bank_transfer', 24, 72, null), ('by card', 'card', 1, 72, null),
  ('shown', 'bank_transfer', 1, 72, now()), ('over', 'bank_transfer', 0, 72, null), ('later', 'bank_transfer', 25, 72, null),
  ('short', 'bank_transfer', 1, 47, null), ('reminded', 'bank_transfer', 1, 72, null);
insert into interlock.orders (id, user_id, currency, subtotal, total, status, payment_method, payment_expires_at, created_at, proof_submitted_at)
select
  md5(p.name)::uuid, '78000000-0000-4000-8000-0000000000bb', 'EUR', 100, 100, 'pending_payment', p.method, now() + make_interval(hours => p.hours_left),
  now() - make_interval(hours => p.hours_ago), p.proof
from placed p;
alter table interlock.orders enable trigger user;
insert into interlock.mail_reminders (order_id) values (md5('reminded')::uuid);
-- Who has been reminded, beside the one of before.
create function pg_temp.reminded() returns text language sql as $$
  select string_agg(p.name, ', ' order by p.name) from placed p join interlock.events e on e.type = 'order.payment_due' and e.subject = md5(p.name)::uuid::text
$$;

select is(interlock.remind_payments(10), 0, 'where no reminders are written nobody is reminded');
select pg_temp.settings($$p_kinds => '{payment_reminder}', p_active => false$$);
select is(interlock.remind_payments(10), 0, 'nor where no mails are sent');
select pg_temp.settings('p_active => true');
select is(interlock.remind_payments(1), 1, 'one at a time');
select is(pg_temp.reminded(), 'sooner', 'those come first that end first');
select is(interlock.remind_payments(1), 1, 'then the next, however many there were before');
select is(pg_temp.reminded(), 'soon, sooner', 'who has transferred, need not, or has time, is not; nor who had so little from the start');
select is(interlock.remind_payments(10), 0, 'and everybody once');

select * from finish();
rollback;
