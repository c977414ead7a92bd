-- A digital key exists once, however it is entered, is delivered as it was entered, and is replaced once if it does not
-- work. What two sessions do to each other is in tests/areas.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(76);

insert into auth.users (id, aud, role, email)
values
  ('25000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-25@example.com'),
  ('25000000-0000-4000-8000-0000000000bb', 'authenticated', 'authenticated', 'tap-25-staff@example.com');
insert into interlock.products (id, name, price, currency, kind)
values
  ('25000000-0000-4000-8000-000000000001', 'game', 100, 'EUR', 'digital'),
  ('25000000-0000-4000-8000-000000000002', 'other game', 100, 'EUR', 'digital');

-- Product or order n.
create function pg_temp.p(p_n int)
returns uuid
language sql
as $$ select ('25000000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;

-- The id of a code of product 1.
create function pg_temp.c(p_code text)
returns bigint
language sql
security definer
as $$ select id from interlock.product_codes where product_id = pg_temp.p(1) and code = p_code $$;

-- The codes of product 1: `code`, with `>order`, `!` once delivered, `~code` if replaced by that.
create function pg_temp.codes()
returns text
language sql
as $$
  select string_agg(
    concat(
      c.code, '>' || right(c.order_id::text, 1), case when c.used_at is not null then '!' end, '~' || n.code
    ),
    ' ' order by c.id
  )
  from interlock.product_codes c
  left join interlock.product_codes n on n.id = c.replaced_by
  where c.product_id = pg_temp.p(1)
$$;

create function pg_temp.verdict(p_sql text)
returns text
language plpgsql
as $$
declare
  v_constraint text;
begin
  execute p_sql;
  return 'ok';
exception
  when others then
    get stacked diagnostics v_constraint = constraint_name;
    return concat_ws(' ', sqlstate, case when sqlstate like 'PT%' then sqlerrm end, nullif(v_constraint, ''));
end
$$;

create temporary table callers (caller text primary key, role text, claims text);
insert into callers
values
  ('shop', 'service_role', '{"role": "service_role"}'),
  ('staff', 'authenticated',
    '{"role": "authenticated", "sub": "25000000-0000-4000-8000-0000000000bb", "app_metadata": {"role": "staff"}}'),
  ('buyer', 'authenticated', '{"role": "authenticated", "sub": "25000000-0000-4000-8000-0000000000aa"}'),
  ('nobody', 'authenticated', '{"role": "authenticated"}');

-- What a caller is answered: the value, or the code of the refusal with its details.
create function pg_temp.ask(p_caller text, p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_caller callers;
  v_answer jsonb;
  v_detail text;
begin
  select * into strict v_caller from callers where caller = p_caller;
  perform set_config('request.jwt.claims', v_caller.claims, true);
  begin
    execute format('set local role %I', v_caller.role);
    execute 'select to_jsonb(' || p_sql || ')' into v_answer;
    reset role;
  exception
    when others then
      get stacked diagnostics v_detail = pg_exception_detail;
      v_answer := case
        when sqlstate like 'PT%' then jsonb_build_object(sqlerrm, nullif(v_detail, '')::jsonb - 'message')
        else to_jsonb(sqlstate)
      end;
  end;
  perform set_config('request.jwt.claims', '', true);
  return v_answer;
end
$$;

-- Once, however it is entered -------------------------------------------------

select is(interlock.normal_code(t.code), t.normal, format('%L is %L', t.code, t.normal))
from (values
  ('ABCD-1234', 'abcd-1234'),
  (' abcd-1234 ', 'abcd-1234'),
  (U&'ABCD\20111234', 'abcd-1234'),
  (U&'abcd\20131234', 'abcd-1234'),
  (U&'abcd\22121234', 'abcd-1234'),
  (U&'ABCD\20141234', 'abcd-1234'),
  (U&'\FF21BCD\FF0D1234', 'abcd-1234'),
  (U&'ABCD\00a0-\200b1234', 'abcd-1234'),
  ('ABCD1234', 'abcd1234'),
  (U&' \00a0', ''),
  (null, null)
) as t (code, normal);

set local role service_role;
insert into interlock.product_codes (product_id, code) values ('25000000-0000-4000-8000-000000000001', ' ABCD-1234');
reset role;
select is(pg_temp.verdict(t.sql), t.verdict, t.sql)
from (values
  ($$insert into interlock.product_codes (product_id, code) values (pg_temp.p(1), ' ABCD-1234')$$, '23505 product_codes_unique'),
  ($$insert into interlock.product_codes (product_id, code) values (pg_temp.p(1), 'ABCD-1234')$$, '23505 product_codes_once'),
  ($$insert into interlock.product_codes (product_id, code) values (pg_temp.p(1), 'ABCD-1234 ')$$, '23505 product_codes_once'),
  ($$insert into interlock.product_codes (product_id, code) values (pg_temp.p(1), 'abcd-1234')$$, '23505 product_codes_once'),
  ($$insert into interlock.product_codes (product_id, code) values (pg_temp.p(2), 'abcd-1234')$$, 'ok'),
  ($$insert into interlock.product_codes (product_id, code) values (pg_temp.p(1), 'ABCD1234')$$, 'ok'),
  ($$insert into interlock.product_codes (product_id, code) values (pg_temp.p(1), U&' \00a0')$$, '23514 product_codes_code_readable'),
  ($$update interlock.product_codes set code = '  ' where id = pg_temp.c('ABCD1234')$$, '23514 product_codes_code_readable'),
  ($$update interlock.product_codes set code = 'abcd-1234' where id = pg_temp.c('ABCD1234')$$, '23505 product_codes_once'),
  ($$update interlock.product_codes set code = 'b' where id = pg_temp.c('ABCD1234')$$, 'ok')
) as t (sql, verdict);
insert into interlock.product_codes (product_id, code) select pg_temp.p(1), n from unnest(array['c', 'd']) n;
select is(pg_temp.codes(), ' ABCD-1234 b c d', 'as they were entered');

-- Replaced ------------------------------------------------------------------

insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at, paid_at)
values
  (pg_temp.p(1), '25000000-0000-4000-8000-0000000000aa', 'paid', 'EUR', 0, 0, 'wallet', null, now()),
  (pg_temp.p(2), '25000000-0000-4000-8000-0000000000aa', 'pending_payment', 'EUR', 0, 0, 'bank_transfer', now() + interval '1 day', null),
  (pg_temp.p(3), '25000000-0000-4000-8000-0000000000aa', 'paid', 'EUR', 0, 0, 'wallet', null, now());
select public.claim_product_codes_atomic(pg_temp.p(1), 1, pg_temp.p(1));
select public.claim_product_codes_atomic(pg_temp.p(1), 1, pg_temp.p(2));
select is(pg_temp.codes(), ' ABCD-1234>1! b>2 c d', 'one is delivered, one reserved, two are free');

select is(pg_temp.ask(t.caller, 'public.' || t.call), t.refusal::jsonb, format('%s: %s', t.caller, t.call))
from (values
  ('buyer', $$replace_product_code(1, 'x')$$, '{"FORBIDDEN": {}}'),
  ('nobody', $$replace_product_code(1, 'x')$$, '{"UNAUTHENTICATED": {}}'),
  ('shop', $$replace_product_code(-1, 'x')$$, '{"PRODUCT_CODE_NOT_FOUND": {"code_id": -1}}'),
  ('shop', $$replace_product_code(pg_temp.c('b'), 'x')$$, format('{"PRODUCT_CODE_NOT_DELIVERED": {"code_id": %s}}', pg_temp.c('b'))),
  ('shop', $$replace_product_code(pg_temp.c('c'), 'x')$$, format('{"PRODUCT_CODE_NOT_DELIVERED": {"code_id": %s}}', pg_temp.c('c')))
) as t (caller, call, refusal);
select is(
  jsonb_path_query_array(pg_temp.ask('shop', 'public.' || t.call) -> 'VALIDATION_FAILED', '$.problems[*].pointer'),
  t.pointers::jsonb,
  format('%s names %s', t.call, t.pointers)
)
from (values
  ($$replace_product_code(null, null, '')$$, '["/p_code_id", "/p_reason", "/p_new_code"]'),
  ($$replace_product_code(pg_temp.c(' ABCD-1234'), '  ')$$, '["/p_reason"]'),
  ($$replace_product_code(pg_temp.c(' ABCD-1234'), repeat('x', 201))$$, '["/p_reason"]'),
  ($$replace_product_code(pg_temp.c(' ABCD-1234'), 'x', ' ')$$, '["/p_new_code"]'),
  ($$replace_product_code(pg_temp.c(' ABCD-1234'), 'x', repeat('x', 501))$$, '["/p_new_code"]'),
  ($$replace_product_code(pg_temp.c(' ABCD-1234'), 'x', 'C ')$$, '["/p_new_code"]')
) as t (call, pointers);
select is(pg_temp.codes(), ' ABCD-1234>1! b>2 c d', 'refusals change nothing');

create temporary table answers (n int, answer jsonb);
grant all on answers to service_role, authenticated;
insert into answers values (1, pg_temp.ask('staff', $$public.replace_product_code(pg_temp.c(' ABCD-1234'), 'used already')$$));
select is(
  (select answer - 'replaced_at' from answers where n = 1),
  jsonb_build_object(
    'success', true, 'code_id', pg_temp.c(' ABCD-1234'), 'replaced_by', pg_temp.c('c'), 'reason', 'used already',
    'product_id', pg_temp.p(1), 'order_id', pg_temp.p(1)
  ),
  'staff replaces a key that does not work, and is not told any key'
);
select is(pg_temp.codes(), ' ABCD-1234>1!~c b>2 c>1! d', 'a free one takes its place, and both stay');
select results_eq(
  $$select replaced_reason::text, right(replaced_actor::text, 2), replaced_at = used_at from interlock.product_codes where replaced_by is not null and product_id = pg_temp.p(1)$$,
  $$values ('used already', 'bb', true)$$,
  'with the reason, by whom and when'
);
select results_eq(
  $$select delta::int, balance_after::int, reason::text, reference_id from interlock.stock_movements where product_id = pg_temp.p(1) order by id desc limit 1$$,
  $$values (-1, 1, 'replacement', pg_temp.p(1))$$,
  'the ledger has it'
);
select is(
  jsonb_path_query_array(interlock.order_to_json(pg_temp.p(1)), '$.codes[*].code'), '["c"]', 'the order shows the new one'
);
select set_config('request.jwt.claims', '{"role": "authenticated", "sub": "25000000-0000-4000-8000-0000000000aa"}', true);
set local role authenticated;
select results_eq('select code::text from public.product_codes', array['c'], 'the buyer sees the new one alone');
reset role;
select set_config('request.jwt.claims', '', true);
select results_eq(
  'select code from public.claim_product_codes_atomic(pg_temp.p(1), 1, pg_temp.p(1))', array['c'],
  'it is the order''s one code of that product'
);
insert into answers values
  (2, pg_temp.ask('shop', $$public.replace_product_code(pg_temp.c(' ABCD-1234'), 'again')$$)),
  (3, pg_temp.ask('shop', $$public.replace_product_code(pg_temp.c(' ABCD-1234'), 'again', 'C')$$));
select is(a.answer, (select answer from answers where n = 1), 'once more it is answered the same')
from answers a where n in (2, 3);
select is(
  (pg_temp.ask('shop', $$public.replace_product_code(pg_temp.c(' ABCD-1234'), 'again', 'e')$$) -> 'PRODUCT_CODE_REPLACED') - 'replaced_at',
  jsonb_build_object('code_id', pg_temp.c(' ABCD-1234'), 'replaced_by', pg_temp.c('c')),
  'by another key it is not replaced any more'
);
select is(pg_temp.codes(), ' ABCD-1234>1!~c b>2 c>1! d', 'nothing has changed');
select is(
  (pg_temp.ask('shop', $$public.replace_product_code(pg_temp.c('c'), 'not that either', 'New Key')$$) ->> 'replaced_by')::bigint,
  pg_temp.c('New Key'),
  'what was given instead can be replaced, too, by a key that is given'
);
select is(pg_temp.codes(), ' ABCD-1234>1!~c b>2 c>1!~New Key d New Key>1!', 'which is delivered as it was entered');
select is((select available_quantity::int from interlock.products where id = pg_temp.p(1)), 1, 'and takes no stock');
select is(
  (select replaced_actor from interlock.product_codes where id = pg_temp.c('c')), null, 'the shop is nobody in particular'
);
delete from interlock.product_codes where id = pg_temp.c('d');
select is(
  pg_temp.ask('shop', $$public.replace_product_code(pg_temp.c('New Key'), 'x')$$),
  jsonb_build_object('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p(1), 'requested', 1, 'available', 0)
  ))),
  'no free key is left'
);
update interlock.orders set status = 'refunded' where id = pg_temp.p(1);
select is(
  pg_temp.ask('shop', $$public.replace_product_code(pg_temp.c('New Key'), 'x', 'f')$$),
  jsonb_build_object('ORDER_STATE_CONFLICT', jsonb_build_object('order_id', pg_temp.p(1), 'status', 'refunded')),
  'an order that has ended gets no other key'
);
select is(
  pg_temp.ask('shop', $$public.replace_product_code(pg_temp.c(' ABCD-1234'), 'x')$$), (select answer from answers where n = 1),
  'but is answered what was done'
);
select is(pg_temp.codes(), ' ABCD-1234>1!~c b>2 c>1!~New Key New Key>1!', 'no key comes back into the shelf');

select is(
  jsonb_path_query_array(
    pg_temp.ask('staff', $$public.list_orders(p_user_id => '25000000-0000-4000-8000-0000000000aa')$$), '$.orders[*] ? (@.id == $id).codes[*]', jsonb_build_object('id', pg_temp.p(1))
  ) -> 0,
  (select to_jsonb(c) - 'code' - 'order_id' - 'shop_id' from interlock.product_codes c where id = pg_temp.c(' ABCD-1234')),
  'staff reads which codes an order has, and what became of them, but not the codes'
);
select is(
  jsonb_path_query_array(pg_temp.ask('staff', $$public.list_orders(p_user_id => '25000000-0000-4000-8000-0000000000aa')$$), '$.orders[*] ? (@.status == "pending_payment").codes'),
  '[[]]', 'and of an unpaid one none'
);

-- Otherwise than by that function ------------------------------------------------

insert into interlock.product_codes (product_id, code, order_id, used_at)
values
  (pg_temp.p(1), 'x', pg_temp.p(3), now()), (pg_temp.p(1), 'y', pg_temp.p(3), now()), (pg_temp.p(1), 'free', null, null),
  (pg_temp.p(1), 'kept', pg_temp.p(3), null),
  (pg_temp.p(2), 'z', pg_temp.p(3), now());
-- Replaces by hand, as well as that can be done.
create function pg_temp.by_hand(p_old text, p_new bigint)
returns text
language sql
as $$
  select pg_temp.verdict(format(
    'update interlock.product_codes set replaced_by = %s, replaced_at = now(), replaced_reason = ''x'' where id = %s',
    p_new, pg_temp.c(p_old)
  ))
$$;
select is(pg_temp.by_hand(t.old, t.new), t.verdict, t.what)
from (values
  ('x', pg_temp.c('free'), '23514 product_codes_replaced_once', 'not by one that is not delivered'),
  ('x', pg_temp.c('kept'), '23514 product_codes_replaced_once', 'nor by one that only waits for its order'),
  ('x', pg_temp.c('New Key'), '23514 product_codes_replaced_once', 'not by one of another order'),
  ('x', (select id from interlock.product_codes where product_id = pg_temp.p(2) and code = 'z'), '23514 product_codes_replaced_once', 'not by one of another product'),
  ('x', pg_temp.c('x'), '23514 product_codes_replaced_once', 'not by itself'),
  ('free', pg_temp.c('x'), '23514 product_codes_replaced_once', 'not one that is free'),
  ('c', pg_temp.c('New Key'), '23514 product_codes_replaced_once', 'not a second time'),
  ('x', pg_temp.c('y'), 'ok', 'a delivered one by another one of the order')
) as t (old, new, verdict, what);
insert into interlock.product_codes (product_id, code, order_id, used_at) values (pg_temp.p(1), 'w', pg_temp.p(3), now());
select is(pg_temp.by_hand('w', pg_temp.c('y')), '23505 product_codes_replaces_one', 'one takes the place of one');
select is(pg_temp.by_hand('w', pg_temp.c('x')), '23514 product_codes_replaced_once', 'not by one that was replaced itself');
select is(pg_temp.verdict(t.sql), t.verdict, t.sql)
from (values
  ($$update interlock.product_codes set replaced_by = null, replaced_at = null, replaced_reason = null where id = pg_temp.c('x')$$, '23514 product_codes_replaced_once'),
  ($$update interlock.product_codes set replaced_reason = 'y' where id = pg_temp.c('x')$$, '23514 product_codes_replaced_once'),
  ($$update interlock.product_codes set replaced_reason = 'y' where id = pg_temp.c('w')$$, '23514 product_codes_replaced_once'),
  ($$update interlock.product_codes set replaced_by = pg_temp.c('y') where id = pg_temp.c('w')$$, '23514 product_codes_replaced_whole'),
  ($$insert into interlock.product_codes (product_id, code, order_id, used_at, replaced_by, replaced_at, replaced_reason)
     values (pg_temp.p(1), 'v', pg_temp.p(3), now(), pg_temp.c('w'), now(), 'x')$$, '23514 product_codes_replaced_once'),
  ($$insert into interlock.product_codes (product_id, code, replaced_reason) values (pg_temp.p(1), 'v', 'x')$$, '23514 product_codes_replaced_whole'),
  ($$update interlock.product_codes set created_at = now() where id = pg_temp.c('x')$$, 'ok'),
  ($$delete from interlock.product_codes where id = pg_temp.c('free')$$, 'ok')
) as t (sql, verdict);
select is_empty('select * from interlock.stock_differences', 'the ledger adds up');
select is_empty('select * from interlock.code_differences', 'stock and free codes agree');

select * from finish();
rollback;
