-- The CRM: who sets it up, what it is told of, of whom it is not, and that whatever it refuses stops no other.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

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
select pg_temp.answer_as('staff', format('public.erase_customer(%L)', p.id)) from people p where p.name = 'Ann';
select is(pg_temp.happen('customer.changed', p.id::text) ->> 'state', 'skipped', 'who is erased is not told of') from people p where p.name = 'Ann';

select * from finish();
rollback;
