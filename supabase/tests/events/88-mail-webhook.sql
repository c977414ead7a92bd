-- What Resend tells of mails: signed by Svix's scheme or refused, and what becomes of the addresses.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(66);

create function pg_temp.answer_as(p_role text, p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform set_config('role', p_role, true), set_config('request.jwt.claims', format('{"role": "%s"}', p_role), true);
  begin
    execute 'select ' || p_sql into v_answer;
  exception
    when others then
      get stacked diagnostics v_detail = pg_exception_detail;
      v_answer := jsonb_build_object('code', sqlerrm, 'details', case when v_detail ~ '^[{]' then v_detail::jsonb - 'message' end);
  end;
  reset role;
  return v_answer;
end
$$;

delete from interlock.mail_webhook_secrets;
select is(pg_temp.answer_as('anon', $$public.mail_webhook('{}', 'msg 1 v1,' || repeat('A', 43) || '=')$$) #>> '{details,reason}', 'no_secret', 'without a secret nothing is taken');
select is(pg_temp.answer_as(r, $$public.set_mail_webhook_secret('whsec_' || repeat('A', 32))$$) ->> 'code', 'permission denied for function set_mail_webhook_secret', 'no ' || r || ' sets it')
from unnest('{anon,authenticated}'::text[]) r;
select is(pg_temp.answer_as('service_role', format('public.set_mail_webhook_secret(%L)', s)) #>> '{details,problems,0,pointer}', '/p_secret', coalesce(s, 'none') || ' is no secret')
from unnest(array[null, '', 'whsec_', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_' || repeat('A', 28), 'whsec_' || repeat('A', 33), 'whsec_' || repeat('A', 92), 'whsec_' || repeat('!', 32)]) s;
select is(pg_temp.answer_as('service_role', $$public.set_mail_webhook_secret('whsec_plJ3nmyCDGBKInavdOK15jsl')$$) #>> '{details,problems,0,pointer}', '/p_secret', 'nor one of less than 24 bytes');
select is(pg_temp.answer_as('service_role', $$public.set_mail_webhook_secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')$$), '{"success": true}', 'the service role does');

-- Signed as the scheme says.
create function pg_temp.sign(p_secret text, p_id text, p_time bigint, p_body text)
returns text
language sql
as $$
  select 'v1,' || encode(interlock.hmac_sha256(decode(substr(p_secret, 7), 'base64'), convert_to(p_id || '.' || p_time || '.' || p_body, 'UTF8')), 'base64')
$$;
create function pg_temp.tell(
  p_body text, p_age int default 0, p_secret text default 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', p_signed text default null
)
returns jsonb
language plpgsql
as $$
declare
  v_time constant bigint := floor(extract(epoch from now())) - p_age;
begin
  return pg_temp.answer_as('anon', format(
    'public.mail_webhook(%L, %L)', p_body, concat_ws(' ', 'msg_1', v_time, pg_temp.sign(p_secret, 'msg_1', v_time, coalesce(p_signed, p_body)))
  ));
end
$$;
create function pg_temp.event(p_type text, p_data jsonb)
returns text
language sql
as $$ select jsonb_build_object('type', p_type, 'created_at', now(), 'data', p_data)::text $$;

select is(interlock.find_mail_signature_problem('{}', s.signature), s.problem, coalesce(s.signature, 'null') || ': ' || s.problem)
from (values
  (null, 'missing'), ('', 'missing'), ('  ', 'missing'), ('msg', 'malformed'), ('msg 1', 'malformed'), (' 1 v1,' || repeat('A', 43) || '=', 'malformed'),
  ('msg x v1,' || repeat('A', 43) || '=', 'malformed'), ('msg 1234567890123 v1,' || repeat('A', 43) || '=', 'malformed'),
  ('msg 1 v1,' || repeat('A', 44), 'malformed'), ('msg 1 v1,' || repeat('A', 42) || '==', 'malformed'), ('msg 1 v1a,' || repeat('A', 43) || '=', 'malformed'),
  ('msg 1 v1,' || repeat('A', 43) || '=' || repeat(' ', 5000), 'malformed'), ('msg 1 v1,' || repeat('A', 43) || '=', 'mismatch')
) as s (signature, problem);
select is(pg_temp.tell('{}', p_signed => '{ }') #>> '{details,reason}', 'mismatch', 'what was signed counts byte for byte');
select is(pg_temp.tell('{}', p_secret => 'whsec_' || repeat('A', 32)) #>> '{details,reason}', 'mismatch', 'and by whom');
select is(pg_temp.tell(pg_temp.event('x', '{}'), a.seconds) #>> '{details,reason}', a.problem, format('%s seconds old: %s', a.seconds, coalesce(a.problem, 'taken')))
from (values (0, null), (299, null), (301, 'too_old'), (-299, null), (-301, 'in_the_future')) as a (seconds, problem);
select is(pg_temp.tell('{}', 301, p_signed => 'x') #>> '{details,reason}', 'mismatch', 'a guess is not told of the time');
select is(pg_temp.tell(b.body) ->> 'code', 'VALIDATION_FAILED', b.body || ' is no event') from (values ('{}'), ('[]'), ('x'), (''), ('{"type": 1}'), ('{"type": "\u0000"}')) as b (body);
select is(pg_temp.tell(rpad(pg_temp.event('x', '{}'), n)) ->> 'outcome', outcome, format('%s bytes: %s', n, coalesce(outcome, 'too large')))
from (values (65536, 'ignored'), (65537, null)) as s (n, outcome);

-- Signed by another hand: Svix's own example, years ago.
select is(
  interlock.find_mail_signature_problem('{"test": 2432232314}', 'msg_p5jXN8AQM9LWM0D4loKWxJek 1614265330 v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='),
  'too_old', 'the signature of the scheme''s documentation is right'
);

-- What becomes of the addresses.
create function pg_temp.suppressed()
returns jsonb
language sql
as $$ select coalesce(jsonb_object_agg(s.email, s.reason), '{}') from interlock.mail_suppressions s where s.email like '%-88@example.com' $$;
select is(pg_temp.tell(pg_temp.event(t, '{"to": ["ann-88@example.com"]}')), '{"success": true, "outcome": "ignored"}', t || ' is nothing to us')
from unnest('{email.sent,email.delivered,email.delivery_delayed,email.opened,contact.created}'::text[]) t;
select is(pg_temp.tell(pg_temp.event('email.bounced', jsonb_build_object('to', '["ann-88@example.com"]'::jsonb, 'bounce', jsonb_build_object('type', b)))) ->> 'outcome', 'ignored', b || ' bounces pass')
from unnest('{Transient,Undetermined}'::text[]) b;
select is(pg_temp.tell(pg_temp.event('email.bounced', d)) ->> 'outcome', 'ignored', d::text || ' names nobody')
from unnest(array['{}', '{"to": "ann-88@example.com"}', '{"to": []}', '{"to": ["nobody", 7, null]}']::jsonb[]) d;
select is(pg_temp.suppressed(), '{}', 'nobody is suppressed by that');
select is(
  pg_temp.tell(pg_temp.event('email.bounced', '{"to": [" Ann-88@Example.com", "bob-88@example.com", "ann-88@example.com"], "bounce": {"type": "Permanent", "subType": "General"}}')),
  '{"success": true, "outcome": "suppressed"}', 'who is not there for good gets nothing any more'
);
select is(pg_temp.tell(pg_temp.event('email.bounced', '{"to": ["cy-88@example.com"]}')) ->> 'outcome', 'suppressed', 'a bounce of which no more is said is one for good');
select is(pg_temp.tell(pg_temp.event('email.complained', '{"to": ["bob-88@example.com"]}')) ->> 'outcome', 'suppressed', 'nor does who complains');
select is(pg_temp.suppressed(), '{"ann-88@example.com": "bounced", "bob-88@example.com": "complained", "cy-88@example.com": "bounced"}', 'and the list says why');

-- A secret is rolled.
select pg_temp.answer_as('service_role', format('public.set_mail_webhook_secret(%L)', 'whsec_' || repeat(s, 32))) from unnest('{B,C}'::text[]) s;
select is(pg_temp.tell(pg_temp.event('x', '{}'), p_secret => s.secret) ->> 'outcome', s.outcome, left(s.secret, 8) || ': ' || coalesce(s.outcome, 'refused'))
from (values ('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', null), ('whsec_' || repeat('B', 32), 'ignored'), ('whsec_' || repeat('C', 32), 'ignored')) as s (secret, outcome);
select pg_temp.answer_as('service_role', format('public.set_mail_webhook_secret(%L)', 'whsec_' || repeat(s, 32))) from unnest('{B,D}'::text[]) s;
select is(pg_temp.tell(pg_temp.event('x', '{}'), p_secret => 'whsec_' || repeat(s.secret, 32)) ->> 'outcome', s.outcome, s.secret || ', which was given again, is the latest: ' || coalesce(s.outcome, 'refused'))
from (values ('C', null), ('B', 'ignored'), ('D', 'ignored')) as s (secret, outcome);
select is(
  pg_temp.answer_as('anon', format('public.mail_webhook(%L, %L)', pg_temp.event('x', '{}'), concat_ws(
    ' ', 'm', t.now, 'v1a,x', 'v1,' || repeat('A', 43) || '=', pg_temp.sign('whsec_' || repeat('D', 32), 'm', t.now, pg_temp.event('x', '{}'))
  ))) ->> 'outcome', 'ignored', 'any of several signatures does'
)
from (select floor(extract(epoch from now()))::bigint as now) t;

select * from finish();
rollback;
