-- Mails: which event is worth which, to whom and in which language, what they say, what is never sent, and what is left of them when
-- somebody is erased.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(139);
-- Else what refers to accounts waits, where there are many shops, and a table that waits is not altered.
set constraints all immediate;

create function pg_temp.act_as(p_user text)
returns void
language sql
as $$
  select
    set_config('role', case when p_user in ('staff', 'ann', 'guest') then 'authenticated' else p_user end, true),
    set_config('request.jwt.claims', case p_user
      when 'staff' then '{"sub": "81000000-0000-4000-8000-0000000000aa", "role": "authenticated", "app_metadata": {"role": "staff"}}'
      when 'ann' then '{"sub": "81000000-0000-4000-8000-0000000000bb", "role": "authenticated"}'
      when 'guest' then '{"sub": "81000000-0000-4000-8000-0000000000cc", "role": "authenticated", "is_anonymous": true}'
      else format('{"role": "%s"}', p_user)
    end, true)
$$;
create function pg_temp.answer_as(p_user text, p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform pg_temp.act_as(p_user);
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
-- An order as its buyer places it; what it is called here.
create temp table placed (name text primary key, id uuid);
create function pg_temp.place(p_name text, p_user text, p_quantity int, p_more text)
returns uuid
language plpgsql
as $$
declare
  v_answer jsonb := pg_temp.answer_as(p_user, format(
    $call$public.checkout('[{"product_id": "81000000-0000-4000-8000-000000000001", "quantity": %s}]', %s)$call$, p_quantity, p_more
  ));
begin
  insert into placed values (p_name, (v_answer #>> '{order,id}')::uuid);
  return v_answer #>> '{order,id}';
end
$$;
create function pg_temp.id(p_name text) returns uuid language sql as $$ select p.id from placed p where p.name = p_name $$;
-- Lets an event of an order happen, and claims what is due; answers the state of its delivery and what came of it.
create function pg_temp.happen(p_name text, p_type text)
returns jsonb
language plpgsql
as $$
declare
  v_event bigint;
begin
  -- Of one subject, or of a channel, not everything is under way at once.
  update interlock.deliveries set state = 'delivered', lease = null, lease_until = null, ended_at = now() where state = 'pending';
  insert into interlock.outbox (type, subject, payload, transaction)
  values ('order.' || p_type, pg_temp.id(p_name)::text, '{}', '5')
  returning position into v_event;
  update interlock.delivery_cursor set seen = '3:3:', target = null, position = 0;
  perform interlock.claim_deliveries(repeat('s', 40), 50);
  return (
    select jsonb_build_object(
      'id', d.id, 'state', d.state, 'why', (select a.error from interlock.delivery_attempts a where a.delivery_id = d.id order by a.id desc limit 1),
      'to', m.recipient, 'kind', m.kind, 'body', m.body::jsonb
    )
    from interlock.deliveries d
    left join interlock.mails m on m.delivery_id = d.id
    where d.position = v_event
  );
end
$$;
create function pg_temp.say(p_name text, p_type text, p_what text) returns text language sql as $$
  select pg_temp.happen(p_name, p_type) -> 'body' ->> p_what
$$;

delete from interlock.webhook_endpoints;
update interlock.settings
set payment_methods = '{wallet,bank_transfer,cash_on_delivery}', shop_name = 'Tea & <Co>', shop_address = E'Lane 1\n12345 Town', shop_time_zone = 'UTC',
    max_open_orders_per_customer = null, max_open_units_per_customer = null;
insert into auth.users (id, aud, role, email, is_anonymous, raw_user_meta_data)
values
  ('81000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-81-staff@example.com', false, '{}'),
  ('81000000-0000-4000-8000-0000000000bb', 'authenticated', 'authenticated', 'Tap-81-Ann@Example.com', false, '{"locale": "de-AT"}'),
  ('81000000-0000-4000-8000-0000000000cc', 'authenticated', 'authenticated', null, true, '{}');
insert into interlock.products (id, name, price, currency, available_quantity)
values ('81000000-0000-4000-8000-000000000001', '<b>Tea</b> "{{total}}" & more', 123456, 'EUR', 1000);
select interlock.set_deliver_secret(repeat('s', 40));

-- Who may do what ---------------------------------------------------------------

select is(pg_temp.answer_as(r.role, c.call) ->> 'code', case r.role when 'anon' then 'permission denied for function ' || split_part(split_part(c.call, '.', 2), '(', 1) else 'FORBIDDEN' end, r.role || ' does not call ' || c.call)
from (values ('anon'), ('ann')) as r (role)
cross join (values
  ($$public.set_mail_settings('a@b.example')$$), ($$public.set_mail_template('order_shipped', 'en')$$), ($$public.preview_mail(gen_random_uuid(), 'order_shipped')$$),
  ($$public.suppress_email('a@b.example')$$), ($$public.allow_email('a@b.example')$$)
) as c (call);
select is(pg_temp.answer_as('ann', format('to_jsonb((select t.* is null from interlock.%s t limit 1))', t.name)) ->> 'code', 'permission denied for table ' || t.name, 'no customer reads ' || t.name)
from (values ('mails'), ('mail_settings'), ('mail_templates'), ('mail_suppressions'), ('mail_reminders')) as t (name);

-- Settings ------------------------------------------------------------------------

select is(pg_temp.answer_as('staff', 'public.set_mail_settings()') #>> '{details,problems,0,pointer}', '/p_sender', 'there is no mail without a sender');
select is(
  (select array_agg(p ->> 'pointer') from jsonb_array_elements(pg_temp.answer_as(
    'staff', $$public.set_mail_settings(E'Shop\r\nBcc: x@y.example <a@b.example>', 'no', 'fr', '{spam}', 'https://shop.example/', '1 minute')$$
  ) #> '{details,problems}') p),
  array['/p_sender', '/p_reply_to', '/p_language', '/p_kinds', '/p_order_url', '/p_remind_before'], 'all that is wrong is said at once'
);
select is(
  pg_temp.answer_as('staff', $$public.set_mail_settings('Tea <orders@tea.example>', 'Help@tea.example', p_order_url => 'https://tea.example/o/{order_id}')$$) #- '{mail,endpoint_id}',
  '{"success": true, "mail": {"active": true, "sender": "Tea <orders@tea.example>", "reply_to": "help@tea.example", "language": "en", "remind_before": "24:00:00",
    "order_url": "https://tea.example/o/{order_id}", "kinds": ["order_confirmed", "payment_received", "order_shipped", "order_refunded", "payment_reminder"]}}',
  'staff switch mails on'
);
select is(pg_temp.answer_as('staff', $$public.set_mail_settings(p_reply_to => '')$$) #> '{mail,reply_to}', 'null', 'and change what they say');
select is(count(*), 1::bigint, 'there is one channel of mails') from interlock.webhook_endpoints;
select is(pg_temp.answer_as('staff', format('public.%s(%L)', f.name, w.id)) ->> 'code', 'WEBHOOK_ENDPOINT_NOT_FOUND', f.name || ' is for webhooks')
from interlock.webhook_endpoints w
cross join (values ('delete_webhook_endpoint'), ('send_test_event'), ('roll_webhook_secret'), ('update_webhook_endpoint')) as f (name);

-- Which, to whom, in which language ---------------------------------------------------

select pg_temp.place('cash', 'ann', 2, $$p_payment_method => 'cash_on_delivery'$$);
select pg_temp.place('transfer', 'ann', 1, $$p_payment_method => 'bank_transfer', p_contact => '{"locale": "en", "email": "other@example.com"}'$$);
select pg_temp.place('guest', 'guest', 1, $$p_payment_method => 'cash_on_delivery', p_contact => '{"email": " Guest-81@Example.com ", "locale": "de"}'$$);
select pg_temp.place('nobody', 'guest', 1, $$p_payment_method => 'cash_on_delivery'$$);
select pg_temp.place('wrong', 'guest', 1, $$p_payment_method => 'cash_on_delivery', p_contact => '{"email": "no address"}'$$);

create temp table said as select pg_temp.happen('cash', 'confirmed') as answer;
select is(answer ->> 'state', 'pending', 'an order is confirmed') from said;
select is(answer ->> 'to', 'tap-81-ann@example.com', 'to the address of the account') from said;
select is(answer #>> '{body,subject}', format('Ihre Bestellung %s bei Tea & <Co>', o.number), 'in the language of the account')
from said cross join interlock.orders o where o.id = pg_temp.id('cash');
select is(
  answer #>> '{body,text}',
  format(
    E'Vielen Dank für Ihre Bestellung %1$s vom %2$s.\n\n<b>Tea</b> "{{total}}" & more\n  2 x 1.234,56                                      2.469,12\nGesamt                                          2.469,12\u00a0EUR\n\n'
    'Sie zahlen bei der Lieferung: 2.469,12\u00a0EUR.\n\nIhre Bestellung ansehen: https://tea.example/o/%3$s\n\n-- \nTea & <Co>\nLane 1\n12345 Town\n',
    o.number, to_char(now() at time zone 'UTC', 'DD.MM.YYYY'), o.id
  ),
  'as text: what was ordered, what it costs, how it is paid, and nothing that is not the case'
) from said cross join interlock.orders o where o.id = pg_temp.id('cash');
select ok(position('<td>&lt;b&gt;Tea&lt;/b&gt; &quot;{{total}}&quot; &amp; more</td>' in answer #>> '{body,html}') > 0, 'in HTML nobody''s words are markup, nor placeholders') from said;
select ok(position('Tea &amp; &lt;Co&gt;<br>Lane 1<br>12345 Town' in answer #>> '{body,html}') > 0, 'nor the shop''s') from said;
select ok(position('<Co>' in answer #>> '{body,html}') + position('<b>' in answer #>> '{body,html}') = 0, 'nowhere') from said;
select matches(answer #>> '{body,html}', '<html lang="de">', 'it says its language') from said;
select is(answer #> '{body,tags}', '[{"name": "kind", "value": "order_confirmed"}]', 'and its kind') from said;

select matches(pg_temp.say('transfer', 'pending_payment', 'text'), 'Please transfer 1,234.56\u00a0EUR by \d{4}-\d\d-\d\d \d\d:\d\d, and name', 'an order by bank transfer says until when; its contact says which language');
select is(pg_temp.happen('transfer', 'pending_payment') ->> 'to', 'tap-81-ann@example.com', 'who has an account gets mails there and nowhere else');
select is(pg_temp.happen('guest', 'confirmed') ->> 'to', 'guest-81@example.com', 'a guest where they have said');
select is(jsonb_build_array(x -> 'to', x -> 'why'), '[null, "no address"]', 'nobody is nobody') from (select pg_temp.happen(n, 'confirmed') as x from unnest(array['nobody', 'wrong']) n) y;
select is(x ->> 'state', 'skipped', 'and the delivery has its end') from pg_temp.happen('nobody', 'confirmed') x;
select is(pg_temp.happen('cash', 'paid') ->> 'kind', 'payment_received', 'a payment is acknowledged');
select is(x ->> 'state' || ': ' || (x ->> 'why'), 'skipped: nothing to say', 'a reminder has nothing to say of what need not be transferred') from pg_temp.happen('cash', 'payment_due') x;
select is(pg_temp.happen('transfer', 'payment_due') ->> 'kind', 'payment_reminder', 'of what must it does');
select is(pg_temp.happen('cash', 'fulfilled'), null, 'some events are worth none');
select is(interlock.mail_kind_of(c.type, o), c.kind, format('%s of an order by %s, %s: %s', c.type, c.method, c.status, coalesce(c.kind, 'none')))
from (values
  ('order.pending_payment', 'card', 'pending_payment', null), ('order.fulfilled', 'wallet', 'fulfilled', null), ('order.paid', 'wallet', 'paid', 'order_confirmed'),
  ('order.paid', 'card', 'paid', 'order_confirmed'), ('order.paid', 'bank_transfer', 'paid', 'payment_received'), ('order.pending_payment', 'bank_transfer', 'expired', null),
  ('order.shipped', 'card', 'paid', 'order_shipped'), ('order.partly_shipped', 'card', 'paid', 'order_shipped'), ('order.cancelled', 'card', 'cancelled', null),
  ('order.refunded', 'card', 'refunded', 'order_refunded'), ('order.payment_due', 'bank_transfer', 'paid', null)
) as c (type, method, status, kind)
cross join lateral jsonb_populate_record(null::interlock.orders, jsonb_build_object('payment_method', c.method, 'status', c.status)) o;

-- What is said of parcels and refunds ----------------------------------------------------

select is(pg_temp.answer_as('staff', format($$public.accept_payment(%L)$$, pg_temp.id('transfer'))) ->> 'success', 'true', 'it is paid');
select is(pg_temp.answer_as('staff', format($$public.ship_order(%L, 'DHL <1>')$$, pg_temp.id('transfer'))) ->> 'success', 'true', 'and leaves');
update said set answer = pg_temp.happen('transfer', 'shipped');
select matches(answer #>> '{body,text}', E'has left us.\n\n<b>Tea</b> "{{total}}" & more +1 x\n\nTracking number: DHL <1>\n', 'a parcel says what is in it and its number') from said;
select matches(answer #>> '{body,html}', 'Tracking number: DHL &lt;1&gt;</p>', 'which is no markup, either') from said;
select pg_temp.answer_as('staff', format($$public.refund_order(%L)$$, pg_temp.id('transfer')));
select matches(pg_temp.say('transfer', 'refunded', 'text'), E'^We give back 1,234.56\u00a0EUR of your order', 'a refund says how much');

select is(interlock.format_money(c.amount, c.currency, c.language), c.text, c.text)
from (values
  (123456, 'EUR', 'de', E'1.234,56\u00a0EUR'), (123456, 'EUR', 'en', E'1,234.56\u00a0EUR'), (123456, 'JPY', 'en', E'123,456\u00a0JPY'), (123456, 'KWD', 'de', E'123,456\u00a0KWD')
) as c (amount, currency, language, text);

-- The shop's own words -------------------------------------------------------------------

select is(
  (select array_agg(p ->> 'pointer' || ' ' || substring(p ->> 'message' from '(placeholder \w+|that belong|must have \S+)')) from jsonb_array_elements(pg_temp.answer_as(
    'staff', $$public.set_mail_template('order_confirmed', 'en', 'Hi {{tracking}}', 'Hi {{password}} {{total}', '<p>{{boddy}}</p>')$$
  ) #> '{details,problems}') p),
  array['/p_html must have {{body}}', '/p_subject placeholder tracking', '/p_body placeholder password', '/p_body that belong', '/p_html placeholder boddy'],
  'a placeholder that there is not is refused by its name'
);
select is(
  pg_temp.answer_as('staff', $$public.set_mail_template('order_confirmed', 'en', 'Order {{order_number}}', E'Hi & <welcome>, {{ total }}.\n\n{{tracking}}\n\n{{lines}}', '<main title="{{shop}}">{{body}}</main>')$$) ->> 'success',
  'true', 'the shop has its own words'
);
update said set answer = pg_temp.answer_as('staff', format($$public.preview_mail(%L, 'order_confirmed', 'en')$$, pg_temp.id('cash')));
select is(answer ->> 'subject', format('Order %s', o.number), 'which a preview shows') from said cross join interlock.orders o where o.id = pg_temp.id('cash');
select matches(answer ->> 'html', '^<main title="Tea &amp; &lt;Co&gt;"><p>Hi &amp; &lt;welcome&gt;, 2,469.12\u00a0EUR.</p>\n<table .*</table></main>$', 'in its own page') from said;
select matches(pg_temp.answer_as('staff', format($$public.preview_mail(%L, 'order_confirmed')$$, pg_temp.id('cash'))) ->> 'subject', '^Ihre Bestellung', 'other languages are as they were');
select pg_temp.answer_as('staff', $$public.set_mail_template('order_confirmed', 'en')$$);
select is((select count(*) from interlock.mail_templates), 0::bigint, 'and it can take them back');
select is(pg_temp.answer_as('staff', $$public.preview_mail(gen_random_uuid(), 'order_confirmed')$$) ->> 'code', 'ORDER_NOT_FOUND', 'no order, no preview');
select is(pg_temp.answer_as('staff', format($$public.preview_mail(%L, 'spam')$$, pg_temp.id('cash'))) #>> '{details,problems,0,pointer}', '/p_kind', 'no such kind, neither');
select isnt(pg_temp.answer_as('staff', format($$public.preview_mail(%L, %L, %L)$$, pg_temp.id('cash'), k.kind, l.language)) ->> 'subject', null, k.kind || ' in ' || l.language)
from unnest(array['order_confirmed', 'payment_received', 'order_shipped', 'order_refunded', 'payment_reminder']) as k (kind)
cross join (values ('en'), ('de')) as l (language);
select is(array_agg(f.name), null, 'no template has a placeholder that there is not')
from unnest(array['order_confirmed', 'payment_received', 'order_shipped', 'order_refunded', 'payment_reminder']) as k (kind)
cross join (values ('en'), ('de')) as l (language)
cross join lateral interlock.mail_template(k.kind, l.language) t
cross join lateral (select (regexp_matches(t.subject || t.body, '\{\{(.*?)\}\}', 'g'))[1] as name) f
where not f.name = any (interlock.mail_placeholders());

-- What is never sent ----------------------------------------------------------------------

select is(pg_temp.answer_as('staff', $$public.suppress_email('nobody', 'spite')$$) #> '{details,problems}' -> 1 ->> 'pointer', '/p_reason', 'there are three reasons');
select is(pg_temp.answer_as('staff', $$public.suppress_email(' GUEST-81@example.com', 'bounced')$$) ->> 'email', 'guest-81@example.com', 'an address is suppressed');
select is(x ->> 'state' || ': ' || (x ->> 'why'), 'skipped: suppressed', 'and nothing goes there') from pg_temp.happen('guest', 'confirmed') x;
select is(x ->> 'body', null, 'nothing was even written') from pg_temp.happen('guest', 'confirmed') x;
select pg_temp.answer_as('staff', $$public.allow_email('guest-81@example.com')$$);
select is(pg_temp.happen('guest', 'confirmed') ->> 'state', 'pending', 'until it is allowed again');
select is(pg_temp.answer_as('staff', $$public.allow_email('nobody')$$) #>> '{details,problems,0,pointer}', '/p_email', 'whom nobody can write to cannot be allowed');
select pg_temp.answer_as('staff', $$public.set_mail_settings(p_kinds => '{order_shipped}')$$);
select is(pg_temp.happen('guest', 'confirmed') ->> 'why', 'not of the kinds that are written', 'nor what the shop does not write');
select pg_temp.answer_as('staff', $$public.set_mail_settings(p_kinds => '{order_confirmed,payment_reminder}')$$);
insert into placed values ('gone', gen_random_uuid());
select is(pg_temp.happen('gone', 'confirmed') ->> 'why', 'nothing to say', 'an order that is not there stops no other');

-- Repetitions -----------------------------------------------------------------------------

create function pg_temp.record(p_id bigint, p_status int, p_error text, p_answer text default null, p_attempts int default 4)
returns text
language sql
as $$
  update interlock.deliveries d
  set state = 'pending', ended_at = null, attempts = p_attempts, lease = '81000000-0000-4000-8000-0000000000ee', lease_until = now() + interval '1 minute'
  where d.id = p_id;
  select interlock.record_delivery(p_id, '81000000-0000-4000-8000-0000000000ee', p_status, p_error, 1, null, p_answer) ->> 'state'
$$;
update said set answer = pg_temp.happen('guest', 'confirmed');
select is(pg_temp.record((s.answer ->> 'id')::bigint, c.status, c.error, c.answer), c.state, format('%s %s %s: %s', c.status, c.error, c.answer, c.state))
from said s
cross join (values
  (200, null, null, 'delivered'), (500, null, null, 'pending'), (503, null, null, 'pending'), (429, null, null, 'pending'), (408, null, null, 'pending'), (401, null, null, 'pending'),
  (403, null, null, 'pending'), (409, null, '{"name":"concurrent_idempotent_requests"}', 'pending'), (409, null, '{"name":"invalid_idempotent_request"}', 'dead'), (409, null, null, 'dead'),
  (400, null, null, 'dead'), (404, null, null, 'dead'), (410, null, null, 'dead'), (422, null, null, 'dead'), (302, null, null, 'pending'), (null, 'timed_out', null, 'pending')
) as c (status, error, answer, state);
select ok(w.active, 'no refusal switches mails off') from interlock.webhook_endpoints w;
select is(
  (select a.answer from interlock.delivery_attempts a join said s on a.delivery_id = (s.answer ->> 'id')::bigint where a.status = 409 order by a.id limit 1),
  '{"name":"concurrent_idempotent_requests"}', 'what is answered to a mail that is there is kept'
);
select is(
  (select array_agg(d -> 'mail') from jsonb_array_elements(pg_temp.answer_as('staff', 'public.list_deliveries(p_limit => 200)') -> 'deliveries') d where d -> 'id' = s.answer -> 'id'),
  '{"{\"kind\": \"order_confirmed\", \"recipient\": \"guest-81@example.com\"}"}', 'a delivery is listed with its mail'
) from said s;
-- Whether the channel counts as failing, and is on, after an outcome.
create function pg_temp.after(p_status int, p_error text, p_attempts int) returns text language plpgsql as $$
begin
  update interlock.webhook_endpoints set failing_since = null;
  perform pg_temp.record((s.answer ->> 'id')::bigint, p_status, p_error, null, p_attempts) from said s;
  return (select concat_ws(' ', case when w.failing_since is null then 'well' else 'failing' end, case when w.active then 'on' else 'off' end) from interlock.webhook_endpoints w);
end
$$;
select is(pg_temp.after(c.status, c.error, c.attempts), c.state, format('%s %s after %s: %s', c.status, c.error, c.attempts, c.state))
from (values
  (422, null, 4, 'well on'), (410, null, 4, 'well on'), (500, null, 4, 'failing on'), (null, 'timed_out', 4, 'failing on'), (422, null, 11, 'failing on'), (410, null, 11, 'failing on')
) as c (status, error, attempts, state);
update interlock.webhook_endpoints set failing_since = null;
-- What has never left may be tried whenever.
create function pg_temp.forgotten(p_error text, p_since interval) returns boolean[] language plpgsql as $$
begin
  update interlock.mails set tried_at = now() - p_since;
  perform pg_temp.record((s.answer ->> 'id')::bigint, null, p_error) from said s;
  return array[
    (select m.tried_at is null from interlock.mails m join said s on m.delivery_id = (s.answer ->> 'id')::bigint),
    exists (select from interlock.mails m join said s on m.delivery_id <> (s.answer ->> 'id')::bigint where m.tried_at is null)
  ];
end
$$;
select is(pg_temp.forgotten(c.error, c.since), array[c.forgotten, false], format('%s, tried %s ago: %s', c.error, c.since, c.forgotten))
from (values
  ('unsent', interval '0', true), ('RESEND_API_KEY is not set', '0', true), ('timed_out', '0', false), ('unsent', '1 second', false)
) as c (error, since, forgotten);
-- Its key is forgotten soon.
update interlock.mails m set tried_at = now() - interval '22 hours 59 minutes' from said s where m.delivery_id = (s.answer ->> 'id')::bigint;
select is(pg_temp.record((s.answer ->> 'id')::bigint, 500, null), 'dead', 'what would be tried when its key is forgotten is dead') from said s;
update interlock.deliveries d set state = 'pending', ended_at = null, attempts = 1, next_attempt_at = '-infinity' from said s where d.id = (s.answer ->> 'id')::bigint;
update interlock.mails m set tried_at = now() - interval '23 hours 1 minute' from said s where m.delivery_id = (s.answer ->> 'id')::bigint;
update interlock.webhook_endpoints set failing_since = null;
update interlock.deliveries set lease = null, lease_until = null where lease is not null;
update interlock.deliveries d set next_attempt_at = 'infinity' from said s where d.state = 'pending' and d.id <> (s.answer ->> 'id')::bigint;
select interlock.claim_deliveries(repeat('s', 40), 50);
select is(d.state, 'dead', 'and so is what was left for so long') from interlock.deliveries d join said s on d.id = (s.answer ->> 'id')::bigint;
select interlock.retry_delivery((s.answer ->> 'id')::bigint, null, null, null) from said s;
select is(interlock.claim_deliveries(repeat('s', 40), 50) #>> '{deliveries,0,body}', m.body, 'but whoever wants it sends it again, the same, byte for byte')
from said s join interlock.mails m on m.delivery_id = (s.answer ->> 'id')::bigint;
update interlock.deliveries set lease = null, lease_until = null where lease is not null;
select is(
  (interlock.claim_deliveries(repeat('s', 40), 50) #> '{deliveries,0}') - '{body,lease}'::text[], jsonb_build_object(
    'id', d.id, 'outlet', 'RESEND', 'url', '/emails', 'headers', jsonb_build_object('idempotency-key', (
      select e.id from interlock.events e where e.transaction = d.transaction and e.position = d.position
    ) || '.' || d.endpoint_id)
  ),
  'under the key of the first time; whose API it is, and no key of it, is told'
) from said s join interlock.deliveries d on d.id = (s.answer ->> 'id')::bigint;

-- Which are looked at ---------------------------------------------------------------------

-- An event of a subject; what is pending beside it stays.
create function pg_temp.told(p_type text, p_subject text) returns text language plpgsql as $$
declare
  v_event bigint;
begin
  insert into interlock.outbox (type, subject, payload, transaction) values (p_type, p_subject, '{}', '5') returning position into v_event;
  update interlock.delivery_cursor set seen = '3:3:', target = null, position = 0;
  perform interlock.claim_deliveries(repeat('s', 40), 50);
  return (
    select concat_ws(': ', d.state, (select a.error from interlock.delivery_attempts a where a.delivery_id = d.id order by a.id desc limit 1))
    from interlock.deliveries d where d.position = v_event
  );
end
$$;
update interlock.deliveries set state = 'delivered', lease = null, lease_until = null, ended_at = now() where state = 'pending';
update interlock.deliveries d set state = 'pending', ended_at = null, next_attempt_at = 'infinity' from said s where d.id = (s.answer ->> 'id')::bigint;
update interlock.mails m set tried_at = null;
select is(pg_temp.told('order.confirmed', 'no id'), 'dead: it cannot be written: invalid input syntax for type uuid: "no id"', 'what cannot be written is dead');
select is(pg_temp.told('order.confirmed', pg_temp.id('nobody')::text), 'skipped: no address', 'and one that is to nobody is skipped');
select is(
  (select d.state || coalesce(m.tried_at::text, '') from interlock.deliveries d join said s on d.id = (s.answer ->> 'id')::bigint join interlock.mails m on m.delivery_id = d.id), 'pending',
  'one that is not due is not looked at'
);
create function pg_temp.due() returns text language plpgsql as $$
begin
  update interlock.deliveries d
  set state = 'pending', ended_at = null, next_attempt_at = now(), lease = null, lease_until = null
  from said s where d.id = (s.answer ->> 'id')::bigint;
  perform interlock.claim_deliveries(repeat('s', 40), 50);
  return (
    select concat_ws(' ', d.state, extract(epoch from now() - m.tried_at)::int)
    from interlock.deliveries d join said s on d.id = (s.answer ->> 'id')::bigint join interlock.mails m on m.delivery_id = d.id
  );
end
$$;
select is(pg_temp.due(), 'pending 0', 'when it is sent for the first time is kept in mind');
update interlock.mails m set tried_at = now() - interval '1 hour';
select is(pg_temp.due(), 'pending 3600', 'and not when it was again');
select pg_temp.answer_as('staff', $$public.suppress_email('guest-81@example.com')$$);
select is(pg_temp.due(), 'skipped 3600', 'one that was written before its address was suppressed is not sent');
select pg_temp.answer_as('staff', $$public.allow_email('guest-81@example.com')$$);

-- Reminders -------------------------------------------------------------------------------

select pg_temp.place('late', 'ann', 1, $$p_payment_method => 'bank_transfer'$$);
update interlock.settings set payment_window = '10 days';
select pg_temp.place('early', 'ann', 1, $$p_payment_method => 'bank_transfer'$$);
select interlock.remind_payments(100);
select is((select count(*) from interlock.mail_reminders r where r.order_id in (pg_temp.id('late'), pg_temp.id('early'))), 0::bigint, 'nobody is reminded early, nor at once');
alter table interlock.orders disable trigger user;
update interlock.orders o set created_at = o.created_at - interval '9 days 1 hour', payment_expires_at = o.payment_expires_at - interval '9 days 1 hour' where o.id = pg_temp.id('early');
alter table interlock.orders enable trigger user;
select is(interlock.remind_payments(100), 1, 'a day before the end they are');
select is(interlock.remind_payments(100), 0, 'once');
select is((select count(*) from interlock.events e where e.type = 'order.payment_due' and e.subject = pg_temp.id('early')::text), 1::bigint, 'by an event');

-- What is left of somebody ------------------------------------------------------------------

select pg_temp.answer_as('staff', $$public.suppress_email('tap-81-ann@example.com')$$);
select isnt((select count(*) from interlock.mails m where m.recipient = 'tap-81-ann@example.com'), 0::bigint, 'there are mails to Ann');
update interlock.delivery_attempts set answer = 'to tap-81-ann@example.com' where delivery_id in (select m.delivery_id from interlock.mails m where m.recipient = 'tap-81-ann@example.com');
select pg_temp.answer_as('service_role', format('public.cancel_order(%L)', p.id)) from placed p where p.name in ('cash', 'late', 'early');
set constraints all deferred;
select is(interlock.erase_user('81000000-0000-4000-8000-0000000000bb') ->> 'success', 'true', 'she is erased');
select is((select count(*) from interlock.mails m where m.recipient = 'tap-81-ann@example.com' or m.body ilike '%tap-81-ann%'), 0::bigint, 'no mail is left');
select is((select count(*) from interlock.mail_suppressions), 0::bigint, 'nor what was said of the address');
select is((select count(*) from interlock.delivery_attempts a where a.answer ilike '%tap-81-ann%'), 0::bigint, 'nor what was answered');
select isnt((select count(*) from interlock.mails m), 0::bigint, 'others keep theirs');

select * from finish();
rollback;
