-- Proofs of payment: how long the shop has to decide, another try, how many, how they close, the queue, and the files.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(100);

-- Limits of customers have a file of their own: 31-open-orders.sql.
update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null, confirmation_window = null;

insert into auth.users (id, aud, role, email)
values
  ('7c000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-ann@example.com'),
  ('7c000000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'tap-bob@example.com'),
  ('7c000000-0000-4000-8000-000000000003', 'authenticated', 'authenticated', 'tap-staff@example.com');
insert into interlock.products (id, name, price, currency, available_quantity)
values ('7d000000-0000-4000-8000-000000000001', 'tap oil', 1000, 'EUR', 1000);

-- Nobody's order or proof but ours.
update interlock.orders set payment_expires_at = now() + interval '1 day' where status = 'pending_payment';
update interlock.payment_proofs set status = 'closed', decided_at = now() where status = 'submitted';

create temporary table cast_of (name text primary key, role text, claims jsonb);
insert into cast_of
values
  ('ann', 'authenticated', '{"sub": "7c000000-0000-4000-8000-000000000001"}'),
  ('bob', 'authenticated', '{"sub": "7c000000-0000-4000-8000-000000000002"}'),
  ('staff', 'authenticated', '{"sub": "7c000000-0000-4000-8000-000000000003", "app_metadata": {"role": "staff"}}'),
  ('nameless', 'authenticated', '{}'),
  ('shop', 'service_role', '{}');

create function pg_temp.call(p_who text, p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_who cast_of;
  v_answer jsonb;
  v_detail text;
begin
  select * into strict v_who from cast_of where name = p_who;
  perform set_config('request.jwt.claims', (jsonb_build_object('role', v_who.role) || v_who.claims)::text, true);
  execute format('set local role %I', v_who.role);
  execute format('select (%s)::jsonb', p_sql) into v_answer;
  reset role;
  perform set_config('request.jwt.claims', '', true);
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('message', sqlerrm, 'detail', nullif(v_detail, '')::jsonb - 'message' - 'retryable');
end
$$;

create temporary table memo (id uuid, answer jsonb);
insert into memo default values;

-- Ann buys by bank transfer.
create function pg_temp.buy()
returns void
language plpgsql
as $$
declare
  v_answer constant jsonb := pg_temp.call('ann', $sql$public.checkout(
    '[{"product_id": "7d000000-0000-4000-8000-000000000001", "quantity": 1}]', p_payment_method => 'bank_transfer')$sql$);
begin
  assert v_answer ? 'success', v_answer;
  update memo set id = (v_answer #>> '{order,id}')::uuid, answer = null;
end
$$;

create function pg_temp.path(p_name text)
returns text
language sql
as $$
  select format('7c000000-0000-4000-8000-000000000001/%s/%s', id, p_name) from memo
$$;

-- Hands in a file; where there is a storage schema it is uploaded first.
create function pg_temp.submit(p_name text)
returns jsonb
language plpgsql
as $$
begin
  if to_regclass('storage.objects') is not null then
    execute 'insert into storage.objects (bucket_id, name) values ($1, $2)' using 'payment-proofs', pg_temp.path(p_name);
  end if;
  return pg_temp.call('ann', format('public.submit_payment_proof(%L, %L)', (select id from memo), pg_temp.path(p_name)));
end
$$;

create function pg_temp.reject(p_rest text default '')
returns jsonb
language sql
as $$
  select pg_temp.call('shop', format('public.reject_payment(%L%s)', id, p_rest)) from memo
$$;

-- What is to be seen of the order: status, deadline from now on, proofs, history.
create function pg_temp.look()
returns text
language sql
as $$
  select concat_ws(' | ',
    o.status,
    o.payment_expires_at - now(),
    case when o.proof_submitted_at is not null then 'in review' end,
    (select string_agg(concat_ws(':', f.status, f.reason), ' ' order by f.id) from interlock.payment_proofs f where f.order_id = o.id),
    (select string_agg(e.event, ' ' order by e.id) from interlock.order_events e where e.order_id = o.id)
  )
  from interlock.orders o
  where o.id = (select id from memo)
$$;

create function pg_temp.stock()
returns int
language sql
as $$
  select available_quantity from interlock.products where id = '7d000000-0000-4000-8000-000000000001'
$$;

-- The deadline --------------------------------------------------------------

select pg_temp.buy();
select is(pg_temp.look(), 'pending_payment | 1 day | pending_payment', 'an order waits for its payment for a day');
select pg_temp.submit('a.pdf');
select is(
  pg_temp.look(), 'pending_payment | 7 days | in review | submitted | pending_payment proof_submitted',
  'with a proof it waits for the shop for seven days'
);
update interlock.orders set payment_expires_at = now() + interval '1 hour' where id = (select id from memo);
update interlock.orders set proof_submitted_at = now() - interval '1 hour' where id = (select id from memo);
select is(pg_temp.submit('b.pdf') #>> '{order,status}', 'pending_payment', 'a second proof is taken');
select is(
  pg_temp.look(),
  'pending_payment | 01:00:00 | in review | submitted submitted | pending_payment proof_submitted proof_submitted proof_submitted',
  'and gives no more time'
);
update interlock.orders set payment_expires_at = now() where id = (select id from memo);
select is(pg_temp.call('shop', 'public.expire_orders()') -> 'expired', '1', 'an order whose proof nobody decided expires');
select is(
  pg_temp.look(),
  'expired | 00:00:00 | in review | closed closed | pending_payment proof_submitted proof_submitted proof_submitted expired',
  'and closes its proofs'
);
select is(pg_temp.stock(), 1000, 'and the goods are back');
select is(
  (select count(*)::int from interlock.payment_proofs where order_id = (select id from memo) and decided_at = now()), 2,
  'the proofs say since when'
);

update interlock.settings set payment_window = '30 days';
select pg_temp.buy();
select pg_temp.submit('a.pdf');
select is(
  pg_temp.look(), 'pending_payment | 30 days | in review | submitted | pending_payment proof_submitted',
  'a proof does not make the time shorter'
);
update interlock.settings set payment_window = '1 day', review_window = null;
select pg_temp.buy();
select pg_temp.submit('a.pdf');
select is(
  pg_temp.look(), 'pending_payment | in review | submitted | pending_payment proof_submitted',
  'without a window the shop has for ever'
);
select is(pg_temp.call('shop', 'public.expire_orders()') -> 'expired', '0', 'and nothing expires');
update interlock.settings set review_window = '7 days';
select throws_ok(
  $$update interlock.orders set proof_submitted_at = null where id = (select id from memo)$$, '23514', null,
  'but only while there is a proof'
);

-- Another try ---------------------------------------------------------------

insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, proof_submitted_at)
values (
  '70240000-0000-4000-8000-000000000001', '7c000000-0000-4000-8000-000000000001', 'pending_payment', 'EUR', 1, 1, 'bank_transfer', now()
);
insert into interlock.payment_proofs (order_id, object_path) values ('70240000-0000-4000-8000-000000000001', 'x');
select is(pg_temp.reject(', ''Not legible''') #>> '{order,status}', 'pending_payment', 'a proof is rejected');
select ok(
  f.status = 'submitted' and o.proof_submitted_at is not null, 'that of another order is not'
)
from interlock.payment_proofs f join interlock.orders o on o.id = f.order_id
where o.id = '70240000-0000-4000-8000-000000000001';
delete from interlock.payment_proofs where order_id = '70240000-0000-4000-8000-000000000001';
update interlock.orders set status = 'cancelled' where id = '70240000-0000-4000-8000-000000000001';
select is(
  pg_temp.look(), 'pending_payment | 1 day | rejected:Not legible | pending_payment proof_submitted proof_rejected',
  'and the buyer has time for another one'
);
select is(pg_temp.stock(), 998, 'the goods are still theirs');
update interlock.orders set payment_expires_at = now() + interval '1 hour' where id = (select id from memo);
update memo set answer = pg_temp.reject(', ''Other words''');
select is((select answer #>> '{order,status}' from memo), 'pending_payment', 'again: the same answer');
select is(
  pg_temp.look(), 'pending_payment | 01:00:00 | rejected:Not legible | pending_payment proof_submitted proof_rejected',
  'and no more time, nor another reason'
);
select is(
  (select decided_at from interlock.payment_proofs where order_id = (select id from memo)), now(), 'the proof says when'
);
select pg_temp.submit('b.pdf');
select is(
  pg_temp.look(),
  'pending_payment | 7 days | in review | rejected:Not legible submitted | pending_payment proof_submitted proof_rejected proof_submitted',
  'another proof is another look'
);
select pg_temp.call('shop', format('public.accept_payment(%L)', (select id from memo)));
select is(
  pg_temp.look(),
  'paid | 7 days | in review | rejected:Not legible accepted | pending_payment proof_submitted proof_rejected proof_submitted paid',
  'the payment is accepted, and the proof that was open with it'
);
select is(pg_temp.reject() ->> 'message', 'ORDER_STATE_CONFLICT', 'what is paid is not rejected');

select set_config('request.jwt.claims', '{"sub": "7c000000-0000-4000-8000-000000000001", "role": "authenticated"}', true);
grant select on memo to authenticated;
set local role authenticated;
select is(
  (select array_agg(reason::text order by id) from public.payment_proofs where order_id = (select id from memo)),
  array['Not legible', null], 'the buyer reads why'
);
reset role;
select set_config('request.jwt.claims', '', true);

select pg_temp.buy();
select is(pg_temp.reject() #>> '{order,status}', 'cancelled', 'without a proof there is nothing to try again');
select is(pg_temp.reject() #>> '{order,status}', 'cancelled', 'again: the same');
select pg_temp.buy();
select pg_temp.submit('a.pdf');
select is(pg_temp.reject(', null, true') #>> '{order,status}', 'cancelled', 'a payment is rejected for good');
select is(
  pg_temp.look(), 'cancelled | 7 days | in review | rejected | pending_payment proof_submitted cancelled',
  'the proof is rejected, not closed'
);
select pg_temp.buy();
select pg_temp.submit('a.pdf');
select pg_temp.reject();
select is(pg_temp.reject(', null, true') #>> '{order,status}', 'cancelled', 'a second thought: cancelled after all');
select is(pg_temp.reject(', p_cancel => null') #>> '{order,status}', 'cancelled', 'null is no');
select is(pg_temp.reject(', ' || t.reason) #>> '{detail,problems,0,pointer}', '/p_reason', 'no reason: ' || left(t.reason, 10))
from (values ($$''$$), ('repeat(''x'', 501)')) as t (reason);
select pg_temp.buy();
select pg_temp.submit('a.pdf');
select is(pg_temp.reject(', repeat(''x'', 500)') #>> '{order,status}', 'pending_payment', 'a reason of 500 characters');
select is(
  pg_temp.call('shop', 'public.reject_payment(gen_random_uuid())') ->> 'message', 'ORDER_NOT_FOUND', 'of an unknown order'
);

-- How many --------------------------------------------------------------------

update interlock.settings set max_payment_proofs = 2;
select pg_temp.buy();
select pg_temp.submit('a.pdf');
select pg_temp.submit('b.pdf');
select is(
  pg_temp.call('ann', format('public.submit_payment_proof(%L, %L)', (select id from memo), pg_temp.path('b.pdf'))) #>> '{order,status}',
  'pending_payment', 'one that is there already is taken'
);
-- As if it had been uploaded while there was room.
do $$
begin
  if to_regclass('storage.objects') is not null then
    update interlock.settings set max_payment_proofs = 3;
    execute 'insert into storage.objects (bucket_id, name) values ($1, $2)' using 'payment-proofs', pg_temp.path('c.pdf');
    update interlock.settings set max_payment_proofs = 2;
  end if;
end
$$;
select is(
  pg_temp.call('ann', format('public.submit_payment_proof(%L, %L)', (select id from memo), pg_temp.path('c.pdf'))),
  (select jsonb_build_object('message', 'TOO_MANY_PROOFS', 'detail', jsonb_build_object('order_id', id, 'max_payment_proofs', 2)) from memo),
  'one too many is not'
);
select is(pg_temp.reject(', ''No''') #>> '{order,status}', 'cancelled', 'the last proof that it may have is the last try');
select is(
  pg_temp.look(),
  'cancelled | 7 days | in review | rejected:No rejected:No | pending_payment proof_submitted cancelled',
  'all of them are rejected'
);
select is(
  pg_temp.call('ann', format('public.submit_payment_proof(%L, %L)', (select id from memo), pg_temp.path('c.pdf'))) ->> 'message',
  'ORDER_STATE_CONFLICT', 'an order that has ended takes none'
);
update interlock.settings set max_payment_proofs = 5;

-- Which files -----------------------------------------------------------------

select is(interlock.is_proof_path(replace(t.path, 'U', '7c000000-0000-4000-8000-000000000001')), t.is_one, 'path ' || to_json(t.path))
from (values
  ('U/U/a.pdf', true), ('U/U/a.PDF', true), ('U/U/a b-c_d.1.jpeg', true), ('U/U/a.jpg', true), ('U/U/a.png', true),
  ('U/U/a.webp', true), ('U/U/a.heic', true), ('U/U/' || repeat('a', 122) || '.pdf', true),
  ('U/U/' || repeat('a', 123) || '.pdf', false),
  ('U/U/a.html', false), ('U/U/a.pdf.html', false), ('U/U/a.svg', false), ('U/U/apdf', false), ('U/U/.pdf', false),
  ('U/U/a/b.pdf', false), ('U/a.pdf', false), ('x/U/U/a.pdf', false), (e'U/U/a.pdf\n', false), ('U/U/ä.pdf', false), ('', false)
) as t (path, is_one);
select pg_temp.buy();
select is(
  pg_temp.call('ann', format('public.submit_payment_proof(%L, %L)', (select id from memo), pg_temp.path('a.html')))
    #>> '{detail,problems,0,pointer}',
  '/p_object_path', 'a page is no proof'
);

-- Closed by others ------------------------------------------------------------

select pg_temp.submit('a.pdf');
select pg_temp.call('ann', format('public.cancel_order(%L)', (select id from memo)));
select is(
  pg_temp.look(), 'cancelled | 7 days | in review | closed | pending_payment proof_submitted cancelled',
  'a cancelled order closes its proof'
);
select pg_temp.buy();
select pg_temp.submit('a.pdf');
create temporary table before_other as select id from memo;
select pg_temp.buy();
select pg_temp.submit('b.pdf');
update interlock.orders set status = 'paid' where id = (select id from memo);
select is(
  pg_temp.look(), 'paid | 7 days | in review | accepted | pending_payment proof_submitted paid',
  'paid by the shop''s own SQL: accepted'
);
select is(
  (select status::text from interlock.payment_proofs where order_id = (select id from before_other)), 'submitted',
  'and nobody else''s'
);

-- The queue -------------------------------------------------------------------

update memo set id = (select id from before_other);
select is(
  pg_temp.call('shop', 'public.list_payment_proofs()') -> 'payment_proofs' -> -1,
  (
    select jsonb_build_object(
      'id', f.id, 'order_id', o.id, 'object_path', pg_temp.path('a.pdf'), 'status', 'submitted', 'reason', null,
      'created_at', f.created_at, 'decided_at', null, 'user_id', o.user_id, 'order_status', 'pending_payment',
      'total', 1000, 'wallet_amount', 0, 'refunded', 0, 'currency', 'EUR', 'payment_expires_at', o.payment_expires_at
    )
    from interlock.orders o join interlock.payment_proofs f on f.order_id = o.id
    where o.id = (select id from memo)
  ),
  'the shop reads what waits for it'
);
select pg_temp.buy();
select pg_temp.submit('a.pdf');
create temporary table queue as
select n, e as proof
from jsonb_array_elements(pg_temp.call('shop', 'public.list_payment_proofs()') -> 'payment_proofs') with ordinality as q (e, n);
select ok((select count(*) from queue) >= 2, 'all of it');
select results_eq(
  $$select (proof ->> 'id')::bigint from queue order by n$$,
  $$select id from interlock.payment_proofs where status = 'submitted' order by id$$,
  'the oldest first'
);
select is(
  pg_temp.call('staff', 'public.list_payment_proofs(p_limit => 1)') -> 'payment_proofs',
  (select jsonb_agg(proof) from queue where n = 1), 'staff too, a page'
);
select is(
  pg_temp.call('staff', format('public.list_payment_proofs(p_after => %s, p_limit => 1)', (select proof ->> 'id' from queue where n = 1)))
    -> 'payment_proofs',
  (select jsonb_agg(proof) from queue where n = 2), 'and the next'
);
select is(
  pg_temp.call('shop', $$public.list_payment_proofs('rejected')$$) #>> '{payment_proofs,0,status}', 'rejected', 'or what is decided'
);
select is(
  pg_temp.call('shop', format('public.list_payment_proofs(%s)', t.s)) #> '{detail,problems}',
  '[{"pointer": "/p_status", "message": "must be submitted, accepted, rejected or closed"}]', 'a status is one that there is: ' || t.s
)
from unnest(array['''lost''', 'null']) as t (s);
select is(
  pg_temp.call('shop', format('public.list_payment_proofs(%L)', t.s)) -> 'success', 'true', 'as ' || t.s
)
from unnest(array['accepted', 'closed']) as t (s)
;
select is(pg_temp.call('ann', 'public.list_payment_proofs()') ->> 'message', 'FORBIDDEN', 'a buyer does not');
select is(pg_temp.call('nameless', 'public.list_payment_proofs()') ->> 'message', 'UNAUTHENTICATED', 'nor nobody');
select is(
  pg_temp.call('shop', format('public.list_payment_proofs(p_limit => %s)', t.l)) #>> '{detail,problems,0,pointer}', '/p_limit',
  'a page has 1 to 200: ' || t.l
)
from unnest(array['0', '201', 'null']) as t (l);
select is(pg_temp.call('shop', 'public.list_payment_proofs(p_limit => 200)') -> 'success', 'true', 'as 200');
-- Files: the platform's storage, or as much of it as is needed. -----------------

do $do$
begin
  if to_regclass('storage.objects') is null then
    create schema storage;
    create table storage.buckets (
      id text primary key, name text not null, public boolean default false, file_size_limit bigint, allowed_mime_types text[]
    );
    create table storage.objects (
      id uuid primary key default gen_random_uuid(), bucket_id text references storage.buckets (id), name text,
      unique (bucket_id, name)
    );
    alter table storage.objects enable row level security;
    grant usage on schema storage to authenticated, service_role;
    grant select, insert, update, delete on storage.objects to authenticated, service_role;
  end if;
end
$do$;
select is(interlock.prepare_storage(), true, 'storage is made ready');
select is(
  (select to_jsonb(b) from (select public, file_size_limit, allowed_mime_types from storage.buckets where id = 'payment-proofs') b),
  '{
    "public": false, "file_size_limit": 10485760,
    "allowed_mime_types": ["application/pdf", "image/jpeg", "image/png", "image/webp", "image/heic"]
  }',
  'a private bucket for documents and pictures of 10 MiB at most'
);
update storage.buckets set public = true, file_size_limit = 1000, allowed_mime_types = '{image/png}' where id = 'payment-proofs';
select is(interlock.prepare_storage(), true, 'as often as one asks');
select is(
  (select to_jsonb(b) from (select public, file_size_limit, allowed_mime_types from storage.buckets where id = 'payment-proofs') b),
  '{"public": false, "file_size_limit": 1000, "allowed_mime_types": ["image/png"]}',
  'private, with the limits that the shop has set'
);

-- An upload by somebody: whether it was taken, or why not.
create function pg_temp.upload(p_who text, p_path text, p_bucket text default 'payment-proofs')
returns text
language plpgsql
as $$
declare
  v_who cast_of;
begin
  select * into strict v_who from cast_of where name = p_who;
  perform set_config('request.jwt.claims', (jsonb_build_object('role', v_who.role) || v_who.claims)::text, true);
  execute format('set local role %I', v_who.role);
  execute 'insert into storage.objects (bucket_id, name) values ($1, $2)' using p_bucket, p_path;
  reset role;
  perform set_config('request.jwt.claims', '', true);
  return 'taken';
exception
  when others then
    return case when sqlstate = '42501' then 'not allowed' else sqlerrm end;
end
$$;

update interlock.settings set max_payment_proofs = 2;
select pg_temp.buy();
select is(pg_temp.upload('bob', pg_temp.path('a.pdf')), 'not allowed', 'not for somebody else''s order');
select is(
  pg_temp.upload('bob', replace(pg_temp.path('a.pdf'), '000000000001/', '000000000002/')), 'not allowed', 'nor from a folder of one''s own'
);
select is(pg_temp.upload('ann', pg_temp.path('a.html')), 'not allowed', 'no page');
select is(pg_temp.upload('ann', pg_temp.path('x/a.pdf')), 'not allowed', 'no folder');
select is(
  pg_temp.upload('ann', replace(pg_temp.path('a.pdf'), (select id::text from memo), gen_random_uuid()::text)), 'not allowed', 'no order'
);
select is(pg_temp.upload('ann', pg_temp.path('a.pdf')), 'taken', 'the buyer uploads');
select ok(
  exists (
    select
    from pg_locks l
    where l.locktype = 'advisory'
      and l.pid = pg_backend_pid()
      and (l.classid::bigint << 32 | l.objid::bigint)
        = hashtextextended('interlock payment proofs ' || pg_temp.path(''), 0)
  ),
  'and of two uploads for one order the second waits for the first'
);
select is(pg_temp.upload('ann', pg_temp.path('b.pdf')), 'taken', 'as many as it may have');
select is(pg_temp.upload('ann', pg_temp.path('c.pdf')), 'TOO_MANY_PROOFS', 'and no more');
select is(pg_temp.upload('shop', pg_temp.path('c.pdf')), 'TOO_MANY_PROOFS', 'whoever writes the row');
select is(pg_temp.upload('shop', 'elsewhere.txt'), 'taken', 'the shop''s own files are its own');
alter table storage.objects disable trigger interlock_payment_proofs_limit;
select is(pg_temp.upload('ann', pg_temp.path('c.pdf')), 'not allowed', 'the policy knows it too');
alter table storage.objects enable trigger interlock_payment_proofs_limit;
create temporary table full_one as select id from memo;
select pg_temp.buy();
select is(pg_temp.upload('ann', pg_temp.path('a.pdf')), 'taken', 'each order has room of its own');
select pg_temp.call('ann', format('public.cancel_order(%L)', (select id from memo)));
select is(pg_temp.upload('ann', pg_temp.path('b.pdf')), 'not allowed', 'an order that has ended takes no file');

create function pg_temp.files(p_who text)
returns bigint
language plpgsql
as $$
declare
  v_who cast_of;
  v_files bigint;
begin
  select * into strict v_who from cast_of where name = p_who;
  perform set_config('request.jwt.claims', (jsonb_build_object('role', v_who.role) || v_who.claims)::text, true);
  execute format('set local role %I', v_who.role);
  execute $sql$select count(*) from storage.objects where name like '7c000000-0000-4000-8000-000000000001/%'$sql$ into v_files;
  reset role;
  perform set_config('request.jwt.claims', '', true);
  return v_files;
end
$$;
select is(pg_temp.files('ann') >= 3, true, 'the buyer reads their files');
select is(pg_temp.files('staff'), pg_temp.files('ann'), 'staff all');
select is(pg_temp.files('bob'), 0::bigint, 'nobody else');

-- And the books.
select is_empty('select * from interlock.stock_differences where product_id = ''7d000000-0000-4000-8000-000000000001''', 'the stock ledger adds up');

select * from finish();
rollback;
