-- What is changed of an endpoint and what stays, from when on it is told, and how its deliveries are listed.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(30);

insert into auth.users (id, aud, role, email)
values ('79000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-79-staff@example.com');
create function pg_temp.answer(p_sql text) returns jsonb language plpgsql as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform
    set_config('role', 'authenticated', true),
    set_config('request.jwt.claims', '{"sub": "79000000-0000-4000-8000-0000000000aa", "role": "authenticated", "app_metadata": {"role": "staff"}}', true);
  begin
    execute 'select public.' || p_sql into v_answer;
  exception
    when others then
      get stacked diagnostics v_detail = pg_exception_detail;
      v_answer := jsonb_build_object('code', sqlerrm, 'pointer', case when v_detail ~ '^[{]' then v_detail::jsonb #>> '{problems,0,pointer}' end);
  end;
  reset role;
  return v_answer;
end
$$;
delete from interlock.webhook_endpoints;

-- Made ---------------------------------------------------------------------------------------

create temporary table made as
select pg_temp.answer($$create_webhook_endpoint('https://one.example.com/', '', '{}', null)$$) -> 'endpoint' as endpoint;
select is(
  endpoint - '{id,created_at,url,channel}'::text[], '{"description": null, "event_types": null, "ordered": false, "active": true, "failing_since": null, "disabled_at": null}',
  'what is said empty is not said'
) from made;
create function pg_temp.id() returns uuid language sql as $$ select (m.endpoint ->> 'id')::uuid from made m $$;
-- What is there once it is changed, without what nobody changes.
create function pg_temp.changed(p_to text) returns jsonb language sql as $$
  select (pg_temp.answer(format('update_webhook_endpoint(%L, %s)', pg_temp.id(), p_to)) -> 'endpoint') - '{id,created_at,channel}'::text[]
$$;
select is(
  pg_temp.changed($$'https://two.example.com/', 'Two', '{order.paid}', true$$),
  '{"url": "https://two.example.com/", "description": "Two", "event_types": ["order.paid"], "ordered": true, "active": true, "failing_since": null, "disabled_at": null}', 'all of it can be changed'
);
select is(
  pg_temp.changed('p_url => null'),
  '{"url": "https://two.example.com/", "description": "Two", "event_types": ["order.paid"], "ordered": true, "active": true, "failing_since": null, "disabled_at": null}', 'what is not said stays'
);
select is(pg_temp.changed($$p_description => ''$$) -> 'description', 'null', 'a description can be taken away');

-- On and off ------------------------------------------------------------------------------------

create function pg_temp.times() returns text language sql as $$
  select concat_ws(' ', w.active_since = now(), coalesce((w.failing_since = now())::text, '-'), coalesce((w.disabled_at = now())::text, '-')) from interlock.webhook_endpoints w
$$;
update interlock.webhook_endpoints set active_since = now() - interval '1 day', failing_since = now();
select pg_temp.changed('p_active => true');
select is(pg_temp.times(), 'f true -', 'one that is on is not begun anew, nor does it fail any less');
update interlock.delivery_cursor set seen = '200:200:', target = '300:300:', position = 7;
select pg_temp.changed('p_active => true');
select is((select c.seen::text from interlock.delivery_cursor c), '200:200:', 'and nothing is passed over');
select pg_temp.changed('p_active => false');
select is(pg_temp.times(), 'f true -', 'one that is switched off says since when it fails');
select pg_temp.changed($$p_description => 'Off'$$);
select is((select c.seen::text from interlock.delivery_cursor c), '200:200:', 'a change of one that is off is no beginning');
select is((select w.active from interlock.webhook_endpoints w), false, 'nor does it switch it on');
update interlock.webhook_endpoints set disabled_at = now();
select pg_temp.changed('p_active => true');
select is(pg_temp.times(), 't - -', 'one that is switched on again begins afresh');
select is((select c.seen::text <> '200:200:' and c.target is null and c.position = 0 from interlock.delivery_cursor c), true, 'with what happens from now on, if nobody else was there');
update interlock.delivery_cursor set seen = '200:200:';
select is(pg_temp.answer($$create_webhook_endpoint('https://three.example.com/')$$) -> 'success', 'true', 'a second one');
select is((select c.seen::text from interlock.delivery_cursor c), '200:200:', 'makes the first miss nothing');
delete from interlock.webhook_endpoints w where w.id <> pg_temp.id();

-- Secrets -------------------------------------------------------------------------------------

select pg_temp.answer(format('roll_webhook_secret(%L, 168)', pg_temp.id())), pg_temp.answer(format('roll_webhook_secret(%L, 0)', pg_temp.id()));
select is((select count(*) from interlock.webhook_secrets s where s.endpoint_id = pg_temp.id()), 2::bigint, 'of secrets there are two at most');
select throws_ok(format('select interlock.set_deliver_secret(%L)', s), 'PT400', 'VALIDATION_FAILED', 'no secret of the worker: ' || left(s, 3))
from unnest(array[repeat('é', 40), repeat(' ', 40), repeat('x', 31), repeat('x', 256)]) s;

-- Due -----------------------------------------------------------------------------------------

update interlock.webhook_endpoints set event_types = null;
insert into interlock.outbox (type, subject, payload, transaction) select 'tap.list', n, jsonb_build_object('n', n), '300' from generate_series(1, 3) n;
update interlock.delivery_cursor set seen = '300:300:', target = null, position = 0;
select is(interlock.make_deliveries(100), 3, 'deliveries of three events of a transaction');
update interlock.delivery_cursor set seen = format('%s:%1$s:', pg_current_xact_id()::text::bigint + 1)::pg_snapshot;
update interlock.deliveries d set next_attempt_at = now();
select is(d.since, now(), 'are due') from interlock.deliveries_due() d;
update interlock.deliveries d set state = case d.subject when '1' then 'delivered' when '2' then 'dead' else 'pending' end::interlock.delivery_state, ended_at = case when d.subject <> '3' then now() end,
  next_attempt_at = case d.subject when '3' then now() + interval '1 minute' else now() end;
select is(d.since, null, 'but not what has come to its end') from interlock.deliveries_due() d;

-- Listed --------------------------------------------------------------------------------------

create function pg_temp.listed(p_what text) returns text[] language sql as $$
  select array_agg(concat_ws(' ', d ->> 'subject', d ->> 'state', d -> 'log') order by n)
  from jsonb_array_elements(pg_temp.answer('list_deliveries(' || p_what || ')') -> 'deliveries') with ordinality as x (d, n)
$$;
select is(pg_temp.listed(''), '{"3 pending []","2 dead []","1 delivered []"}', 'the newest comes first');
select is(pg_temp.listed($$p_state => 'dead'$$), '{"2 dead []"}', 'those of a state');
select is(pg_temp.listed('p_before => ' || (select max(d.id) from interlock.deliveries d)), '{"2 dead []","1 delivered []"}', 'those before another');
select is(pg_temp.listed('p_limit => 1'), '{"3 pending []"}', 'so many');
select is(pg_temp.answer(format('list_deliveries(%L)', gen_random_uuid())), '{"success": true, "deliveries": []}', 'none is an empty list');
select is(pg_temp.answer('list_deliveries(' || p.what || ')') ->> 'pointer', p.pointer, p.what || ' is not taken')
from (values ($$p_state => 'gone'$$, '/p_state'), ('p_limit => null', '/p_limit'), ('p_limit => 0', '/p_limit'), ('p_limit => 201', '/p_limit')) as p (what, pointer);

select * from finish();
rollback;
