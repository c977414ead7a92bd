-- The CRM: who sets it up, what it is told of, of whom it is not, and that whatever it refuses stops no other.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(65);

insert into auth.users (id, aud, role, email)
values
  ('82000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-82-staff@example.com'),
  ('82000000-0000-4000-8000-0000000000bb', 'authenticated', 'authenticated', 'tap-82@example.com');
create function pg_temp.answer_as(p_user text, p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform
    set_config('role', case when p_user in ('staff', 'ann') then 'authenticated' else p_user end, true),
    set_config('request.jwt.claims', case p_user
      when 'staff' then '{"sub": "82000000-0000-4000-8000-0000000000aa", "role": "authenticated", "app_metadata": {"role": "staff"}}'
      when 'ann' then '{"sub": "82000000-0000-4000-8000-0000000000bb", "role": "authenticated"}'
      else format('{"role": "%s"}', p_user)
    end, true);
  begin
    execute 'select (' || p_sql || ')::jsonb' into v_answer;
  exception
    when others then
      get stacked diagnostics v_detail = pg_exception_detail;
      v_answer := jsonb_build_object('code', sqlerrm, 'details', case when v_detail ~ '^[{]' then v_detail::jsonb - 'message' end);
  end;
  reset role;
  return v_answer;
end
$$;
create function pg_temp.happen(p_type text, p_subject text)
returns jsonb
language plpgsql
as $$
declare
  v_event bigint;
  v_claimed jsonb;
begin
  update interlock.deliveries set state = 'delivered', lease = null, lease_until = null, ended_at = now() where state = 'pending';
  insert into interlock.outbox (type, subject, payload, transaction) values (p_type, p_subject, '{}', '5')
  returning position into v_event;
  update interlock.delivery_cursor set seen = '3:3:', target = null, position = 0;
  v_claimed := interlock.claim_deliveries(repeat('s', 40), 50);
  return (
    select jsonb_build_object(
      'state', d.state, 'why', (select a.error from interlock.delivery_attempts a where a.delivery_id = d.id order by a.id desc limit 1),
      'call', (select c - '{id,lease}'::text[] from jsonb_array_elements(v_claimed -> 'deliveries') c where (c ->> 'id')::bigint = d.id)
    )
    from interlock.deliveries d
    where d.position = v_event
  );
end
$$;

delete from interlock.webhook_endpoints;
select interlock.set_deliver_secret(repeat('s', 40));

select is(pg_temp.answer_as('anon', $$public.set_crm_settings('a')$$) ->> 'code', 'permission denied for function set_crm_settings', 'not anybody sets it up');
select is(pg_temp.answer_as('ann', $$public.set_crm_settings('a')$$) ->> 'code', 'FORBIDDEN', 'nor does a customer');
select is(pg_temp.answer_as('staff', p.call) #>> '{details,problems,0,pointer}', '/p_account', p.call || ' names no account')
from (values ('public.set_crm_settings()'), ($$public.set_crm_settings('../x')$$), ($$public.set_crm_settings('')$$)) as p (call);
select is(pg_temp.answer_as('staff', $$public.set_crm_settings('4711')$$) #- '{crm,endpoint_id}', '{"success": true, "crm": {"account": "4711", "active": true}}', 'staff do');
select is(pg_temp.answer_as('staff', 'public.set_crm_settings(p_active => false)') #- '{crm,endpoint_id}', '{"success": true, "crm": {"account": "4711", "active": false}}', 'and switch it off');
select is(pg_temp.happen('customer.changed', gen_random_uuid()::text), null, 'then it is told nothing');
select is(pg_temp.answer_as('staff', 'public.set_crm_settings(p_active => true)') #>> '{crm,active}', 'true', 'and on');

create temp table people as
select n.name, (pg_temp.answer_as('staff', format('public.save_customer(%L)', jsonb_build_object(
  'name', n.name, 'email', n.name || '-82@example.com', 'marketing', n.marketing
))) #>> '{customer,id}')::uuid as id
from (values ('Ann', true), ('Bob', false)) as n (name, marketing);
select is(pg_temp.happen('customer.changed', p.id::text) -> 'call', jsonb_build_object(
  'outlet', 'ALPINE_IQ', 'url', '/api/v1.1/createUpdateMember/4711', 'headers', '{}'::jsonb,
  'body', jsonb_build_object('email', 'ann-82@example.com', 'pos_user', p.id, 'firstName', 'Ann')::text
), 'it is told of a customer; whose API it is, and no key of it, is said') from people p where p.name = 'Ann';
select is(pg_temp.happen('customer.changed', p.id::text), '{"state": "skipped", "why": "nobody who may be written to", "call": null}', 'but not of one who does not want it')
from people p where p.name = 'Bob';
select is(x ->> 'state' || ': ' || (x ->> 'why'), 'dead: it cannot be told: SALE_NOT_FOUND', 'a sale that is not there is dead') from pg_temp.happen('sale.completed', gen_random_uuid()::text) x;
select is(pg_temp.happen('audit.finding', 'x'), null, 'of other things it is not told');
select is(
  (select array_agg(distinct d.state::text) from interlock.deliveries d join interlock.delivery_attempts a on a.delivery_id = d.id where a.error = 'nobody who may be written to'),
  '{skipped}', 'what was not told of stays so'
);
update interlock.deliveries d set state = 'delivered', ended_at = now()
where d.subject = (select p.id::text from people p where p.name = 'Bob');
select pg_temp.happen('customer.changed', p.id::text) from people p where p.name = 'Ann';
select is(
  (select array_agg(distinct d.state::text) from interlock.deliveries d where d.subject = (select p.id::text from people p where p.name = 'Bob')),
  '{delivered}', 'and nobody looks at what is not being sent'
);
update interlock.deliveries set state = 'delivered', lease = null, lease_until = null, ended_at = now() where state = 'pending';
insert into interlock.outbox (type, subject, payload, transaction)
select 'customer.changed', p.id::text, '{}', '5' from people p where p.name = 'Bob';
update interlock.delivery_cursor set seen = '3:3:', target = null, position = 0;
select is(interlock.claim_deliveries(repeat('s', 40), 50) -> 'deliveries', '[]', 'a worker is not told of what is not to be sent');
select pg_temp.answer_as('staff', format('public.erase_customer(%L)', p.id)) from people p where p.name = 'Ann';
select is(pg_temp.happen('customer.changed', p.id::text) ->> 'state', 'skipped', 'who is erased is not told of') from people p where p.name = 'Ann';

-- Any other CRM, by a mapping ------------------------------------------------------------

create function pg_temp.map(p_mappings jsonb)
returns jsonb
language sql
as $$ select pg_temp.answer_as('staff', format('public.set_crm_mappings(%L)', p_mappings)) $$;
select pg_temp.answer_as('staff', 'public.set_crm_settings(p_active => false)');
select is(pg_temp.answer_as('anon', $$public.set_crm_mappings('[]')$$) ->> 'code', 'permission denied for function set_crm_mappings', 'not anybody maps');
select is(pg_temp.answer_as('ann', $$public.set_crm_mappings('[]')$$) ->> 'code', 'FORBIDDEN', 'nor does a customer');
select is(pg_temp.answer_as('staff', 'public.set_crm_mappings()') #>> '{details,problems,0,pointer}', '/p_mappings', 'at first there is nothing to switch on');
select is(pg_temp.map(p.mappings) #>> '{details,problems,0,pointer}', p.pointer, p.mappings::text || ': ' || p.pointer)
from (values
  ('{}'::jsonb, '/p_mappings'), ('[1]', '/p_mappings/0'), ('[{"event_type": "a.b", "path": "/", "body": {}, "url": "x"}]', '/p_mappings/0'),
  ('[{"path": "/", "body": {}}]', '/p_mappings/0/event_type'), ('[{"event_type": "customer", "path": "/", "body": {}}]', '/p_mappings/0/event_type'),
  ('[{"event_type": 1, "path": "/", "body": {}}]', '/p_mappings/0/event_type'),
  ('[{"event_type": "a.b", "path": "/", "body": {}}, {"event_type": "a.b", "path": "/", "body": {}}]', '/p_mappings/1/event_type'),
  ('[{"event_type": "a.b", "method": "DELETE", "path": "/", "body": {}}]', '/p_mappings/0/method'),
  ('[{"event_type": "a.b", "body": {}}]', '/p_mappings/0/path'), ('[{"event_type": "a.b", "path": "@evil.example/", "body": {}}]', '/p_mappings/0/path'),
  ('[{"event_type": "a.b", "path": "/ ", "body": {}}]', '/p_mappings/0/path'), ('[{"event_type": "a.b", "path": "/\\", "body": {}}]', '/p_mappings/0/path'),
  ('[{"event_type": "a.b", "path": "/"}]', '/p_mappings/0/body'), ('[{"event_type": "a.b", "path": "/", "body": []}]', '/p_mappings/0/body'),
  ('[{"event_type": "a.b", "path": "/{{settings.key}}", "body": {}}]', '/p_mappings/0'), ('[{"event_type": "a.b", "path": "/{{customer.id", "body": {}}]', '/p_mappings/0'),
  ('[{"event_type": "a.b", "path": "/", "body": {"a": [{"b": "{{x}}"}]}}]', '/p_mappings/0'), ('[{"event_type": "a.b", "path": "/", "body": {"a": "}}"}}]', '/p_mappings/0'),
  ('[{"event_type": "a.b", "path": "/", "body": {"a": {"$each": "x", "$item": 1}}}]', '/p_mappings/0'), ('[{"event_type": "a.b", "path": "/", "body": {"a": {"$each": 1}}}]', '/p_mappings/0')
) as p (mappings, pointer);
select is(jsonb_array_length(pg_temp.map((
  select jsonb_agg(jsonb_build_object('event_type', 'a.' || translate(n::text, '0123456789', 'abcdefghij'), 'path', '/', 'body', '{}'::jsonb)) from generate_series(1, p.n) n
)) #> '{crm,mappings}'), p.taken, format('%s of them: %s', p.n, coalesce(p.taken::text, 'too many'))) from (values (50, 50), (51, null)) as p (n, taken);
select is(pg_temp.map($$[
  {"event_type": "customer.changed", "method": "PUT", "path": "/contacts/{{customer.email}}?of={{event.type}}",
    "body": {"id": "{{customer.id}}", "name": "{{customer.last_name}}, {{customer.first_name}}", "tel": "{{customer.phone}}", "n": 1, "on": true, "none": null, "tags": ["a", "{{customer.tier}}"]}},
  {"event_type": "loyalty.tier_changed", "path": "/tiers", "body": {"who": "{{customer.id}}", "tier": "{{data.tier}}", "now": "{{customer.tier}}"}},
  {"event_type": "sale.completed", "method": "PATCH", "path": "/sales/{{data.id}}", "body": {
    "who": "{{customer.id}}", "person": {"id": "{{data.customer_id}}"}, "total": "{{data.total}}", "text": "{{data.total}} {{data.nothing}}",
    "lines": {"$each": "data.lines", "$item": {"sku": "{{item.sku}}", "of": "{{event.subject}}", "parts": {"$each": "item.parts", "$item": "{{item}}"}}}, "gone": {"$each": "data.nothing", "$item": 1}}}
]$$) #>> '{crm,active}', 'true', 'staff map what it is told, and it is');

-- What a delivery of an event that says something comes to.
create function pg_temp.happen(p_type text, p_subject text, p_payload jsonb)
returns jsonb
language plpgsql
as $$
declare
  v_event bigint;
  v_claimed jsonb;
begin
  update interlock.deliveries set state = 'delivered', lease = null, lease_until = null, ended_at = now() where state = 'pending';
  insert into interlock.outbox (type, subject, payload, transaction) values (p_type, p_subject, p_payload, '5')
  returning position into v_event;
  update interlock.delivery_cursor set seen = '3:3:', target = null, position = 0;
  v_claimed := interlock.claim_deliveries(repeat('s', 40), 50);
  return (
    select jsonb_build_object(
      'state', d.state, 'why', (select a.error from interlock.delivery_attempts a where a.delivery_id = d.id order by a.id desc limit 1),
      'call', (select c - '{id,lease}'::text[] from jsonb_array_elements(v_claimed -> 'deliveries') c where (c ->> 'id')::bigint = d.id),
      'key', concat_ws('.', (select e.id from interlock.events e where e.transaction = d.transaction and e.position = d.position), d.endpoint_id)
    )
    from interlock.deliveries d
    where d.position = v_event
  );
end
$$;
create temp table others as
select n.name, (pg_temp.answer_as('staff', format('public.save_customer(%L)', jsonb_build_object(
  'name', n.name, 'email', n.email, 'marketing', n.marketing
))) #>> '{customer,id}')::uuid as id
from (values ('Cy O''Neil Ng', 'c+y/82@example.com', true), ('Di', 'di-82@example.com', false), ('Ed', null, true)) as n (name, email, marketing)
where n.email is not null;
insert into interlock.customers (id, name) values ('82000000-0000-4000-8000-0000000000ed', 'Ed');
insert into others values ('Ed', '82000000-0000-4000-8000-0000000000ed');
create function pg_temp.id(p_name text) returns uuid language sql as $$ select o.id from others o where o.name like p_name || '%' $$;
create function pg_temp.changed(p_name text)
returns jsonb
language sql
as $$ select pg_temp.happen('customer.changed', pg_temp.id(p_name)::text, jsonb_build_object('customer_id', pg_temp.id(p_name))) $$;

select is(x -> 'call', jsonb_build_object(
  'outlet', 'CRM', 'method', 'PUT', 'url', '/contacts/c%2By%2F82%40example.com?of=customer.changed', 'headers', jsonb_build_object('idempotency-key', x ->> 'key'),
  'body', jsonb_build_object('id', pg_temp.id('Cy'), 'name', 'O''Neil Ng, Cy', 'n', 1, 'on', true, 'tags', '["a", null]'::jsonb)::text
), 'it is told in its own fields, what is not there is left out, and nobody''s name is a step in the path') from pg_temp.changed('Cy') x;
insert into interlock.points_accounts (customer_id, tier) values (pg_temp.id('Cy'), 'gold') on conflict on constraint points_accounts_pkey do update set tier = 'gold';
select is((x #>> '{call,body}')::jsonb, jsonb_build_object('who', pg_temp.id('Cy'), 'tier', 'silver', 'now', 'gold'), 'of a tier, too: what was, and what is')
from pg_temp.happen('loyalty.tier_changed', pg_temp.id('Cy')::text, jsonb_build_object('customer_id', pg_temp.id('Cy'), 'tier', 'silver')) x;
select is(x - 'key', '{"state": "skipped", "why": "nobody who may be written to", "call": null}', n || ' is not told of') from unnest('{Di,Ed}'::text[]) n, pg_temp.changed(n) x;
select is(x - 'key', '{"state": "skipped", "why": "nobody who may be written to", "call": null}', 'nor their tier')
from pg_temp.happen('loyalty.tier_changed', pg_temp.id('Di')::text, jsonb_build_object('customer_id', pg_temp.id('Di'), 'tier', 'silver')) x;
create function pg_temp.sale(p_customer uuid)
returns jsonb
language sql
as $$ select jsonb_build_object(
  'id', 's/1', 'customer_id', p_customer, 'total', 1250, 'lines', '[{"sku": "a", "parts": [1, {"b": 2}]}, {"sku": 7}]'::jsonb
) $$;
select is(jsonb_set(x -> 'call', '{body}', (x #>> '{call,body}')::jsonb) - '{headers,outlet}'::text[], jsonb_build_object(
  'method', 'PATCH', 'url', '/sales/s%2F1', 'body', jsonb_build_object(
    'total', 1250, 'text', '1250 ', 'lines', '[{"sku": "a", "of": "S", "parts": [1, {"b": 2}]}, {"sku": 7, "of": "S"}]'::jsonb
  ) || p.person
), p.about)
from (values
  ('Cy', jsonb_build_object('who', pg_temp.id('Cy'), 'person', jsonb_build_object('id', pg_temp.id('Cy'))), 'a sale with its lines and who bought'),
  ('Di', '{"person": {}}', 'but not who does not want to be written to'), (null, '{"person": {}}', 'nor nobody')
) as p (name, person, about)
cross join lateral pg_temp.happen('sale.completed', 'S', pg_temp.sale(pg_temp.id(p.name))) x;
select is(x ->> 'state' || ': ' || (x ->> 'why'), 'dead: it cannot be told: there is no data.id', 'what its path needs must be there')
from unnest('{null,"\".\"","\"..\"","\"\""}'::jsonb[]) v, pg_temp.happen('sale.completed', 'S', pg_temp.sale(null) || jsonb_build_object('id', v)) x;
select is(pg_temp.happen('audit.finding', 'x', '{}'), null, 'of what is not mapped it is not told');
select is(pg_temp.answer_as('staff', 'public.set_crm_mappings(p_active => false)') #> '{crm,active}', 'false', 'it is switched off');
select is(pg_temp.changed('Cy'), null, 'then it is told nothing');
select is(jsonb_build_array(x #> '{crm,active}', jsonb_array_length(x #> '{crm,mappings}')), '[true, 3]', 'the mapping stays, and counts again')
from pg_temp.answer_as('staff', 'public.set_crm_mappings(p_active => true)') x;
select is(pg_temp.changed('Cy') ->> 'state', 'pending', 'so it is told');
select is(pg_temp.map('[{"event_type": "sale.voided", "path": "/v", "body": {}}]') #> '{crm,mappings}', '[{"event_type": "sale.voided", "method": "POST", "path": "/v", "body": {}}]', 'another list replaces it');
select is(pg_temp.changed('Cy'), null, 'whole');
update interlock.deliveries set state = 'delivered', lease = null, lease_until = null, ended_at = now() where state = 'pending';
insert into interlock.outbox (type, subject, payload, transaction) values ('sale.voided', 'V', '{}', '5');
update interlock.delivery_cursor set seen = '3:3:', target = null, position = 0;
select interlock.make_deliveries(1000);
select pg_temp.map('[{"event_type": "customer.changed", "path": "/v", "body": {}}]');
select is(interlock.claim_deliveries(repeat('s', 40), 50) -> 'deliveries', '[]', 'what was on its way and is not mapped any more is not sent');
select is((select d.state::text from interlock.deliveries d where d.subject = 'V'), 'skipped', 'but skipped');
select is(pg_temp.map('[]') #- '{crm,endpoint_id}', '{"success": true, "crm": {"active": false, "mappings": []}}', 'an empty one is none');

select * from finish();
rollback;
