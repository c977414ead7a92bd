-- A single line goes a way of its own (interlock.checkout_line), and nobody can tell: what is not plain is sold or refused as in a cart, and so is
-- what has changed between its look and its lock. What somebody else does then is done by a trigger here, as soon as the order stands.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

-- Limits of customers are set where they are asked for.
update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null, confirmation_window = null;

insert into auth.users (id, aud, role, email)
values ('45000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-45@example.com');

-- Product n.
create function pg_temp.p(p_n int)
returns uuid
language sql
as $$ select ('45000000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;

insert into interlock.products (id, name, price, currency, available_quantity, stock_policy)
values
  (pg_temp.p(1), 'plain', 700, 'EUR', 10, 'tracked'),
  (pg_temp.p(2), 'untracked', 700, 'EUR', 10, 'untracked'),
  (pg_temp.p(3), 'in slots', 700, 'EUR', 40, 'tracked'),
  -- It has the terms that the others lose.
  (pg_temp.p(4), 'as it was', 700, 'EUR', 10, 'tracked');
select public.set_stock_slots(pg_temp.p(3), 2);

-- Buys a line: the status of the order, or the error.
create function pg_temp.buy(p_n int, p_quantity int, p_more jsonb default '{}', p_user text default 'aa')
returns text
language plpgsql
as $$
declare
  v_answer text;
begin
  perform set_config('request.jwt.claims', jsonb_build_object(
    'sub', '45000000-0000-4000-8000-0000000000' || p_user, 'role', 'authenticated')::text, true);
  v_answer := public.checkout(jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p(p_n), 'quantity', p_quantity) || p_more
  )) #>> '{order,status}';
  return v_answer;
exception
  when others then
    return case when sqlstate like 'PT%' then sqlerrm else sqlstate end;
end
$$;
create function pg_temp.stock(p_n int)
returns int
language sql
as $$ select available_quantity from public.get_stock(array[pg_temp.p(p_n)]) $$;

-- What is said to a line of the first product, or to another cart.
create function pg_temp.refusal(p_cart text, p_key text)
returns text
language plpgsql
as $$
begin
  perform public.checkout(replace(p_cart, '%s', pg_temp.p(1)::text)::jsonb, p_idempotency_key => p_key);
  return 'sold';
exception
  when others then
    return case when sqlstate like 'PT%' then sqlerrm else sqlstate || ': ' || sqlerrm end;
end
$$;

-- What is not plain.
select is(pg_temp.buy(1, 1, '{"expected_unit_price": 700}'), 'confirmed', 'a line at the price that was expected is sold');
select is(pg_temp.buy(1, 1, '{"expected_unit_price": 699}'), 'PRICE_CHANGED', 'but not at another one');
select is(pg_temp.stock(1), 9, 'once');
select is(pg_temp.buy(2, 3), 'confirmed', 'what is untracked is sold');
select is(pg_temp.stock(2), 10, 'and nothing taken, whatever its stock says');
select is(
  (select i.untracked from interlock.order_items i where i.product_id = pg_temp.p(2)), true, 'so nothing comes back from that order'
);
update interlock.settings set shipping_required = true;
select is(pg_temp.buy(1, 1), 'SHIPPING_METHOD_NOT_AVAILABLE', 'where goods must be sent, a line without a way is refused');
update interlock.settings set shipping_required = false;
select is(
  pg_temp.buy(1, 1, p_user => 'bb'), 'UNAUTHENTICATED', 'a token that outlives its user buys nothing'
);

-- The answer is what the order is, however it is paid and whatever is said with it.
update interlock.settings set payment_methods = '{wallet,bank_transfer,cash_on_delivery,card}', confirmation_window = '7 days';
update interlock.products set name = E'pl"ain\\ \u00e9' where id = pg_temp.p(4);
create temporary table answers as
select a.n, a.answer
from (values
  (1, 'cash_on_delivery', null::uuid, null::jsonb, null::jsonb),
  (2, 'card', null, '{"city": "}", "country": "DE"}', '{"a": "b"}'),
  (3, 'bank_transfer', '45000000-0000-4000-8000-00000000ca27', null, '{}')
) as c (n, payment_method, cart_id, address, metadata)
cross join lateral (
  select c.n, public.checkout(
    jsonb_build_array(jsonb_build_object('product_id', upper(pg_temp.p(4)::text), 'quantity', 2)), null, c.cart_id, c.payment_method,
    'tap-45-' || c.n, 1400, c.address, null, c.metadata
  )::jsonb as answer
) a;
select results_eq(
  $$select n, answer from answers order by n$$,
  $$
    select n, jsonb_build_object('success', true, 'order', interlock.order_to_json((answer #>> '{order,id}')::uuid))
    from answers order by n
  $$,
  'the answer is what the order is'
);
select is(
  (select array_agg(answer #>> '{order,status}' order by n) from answers), array['confirmed', 'pending_payment', 'pending_payment'],
  'with the status that follows from how it is paid'
);
select is(
  (select array_agg(k.response::jsonb = a.answer) from answers a join interlock.idempotency_keys k on k.key = 'tap-45-' || a.n),
  array[true, true, true], 'and what is stored'
);
select is(
  public.checkout(jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p(4), 'quantity', 1), jsonb_build_object('product_id', pg_temp.p(4), 'quantity', 1)
  ), p_payment_method => 'card', p_idempotency_key => 'tap-45-2', p_shipping_address => '{"city": "}", "country": "DE"}',
    p_metadata => '{"a": "b"}')::jsonb,
  (select answer from answers where n = 2),
  'the same cart in two lines is the same request'
);
select throws_ok(
  $$select public.checkout(
    jsonb_build_array(jsonb_build_object('product_id', pg_temp.p(4), 'quantity', 1)), p_idempotency_key => 'tap-45-1'
  )$$,
  'PT422', 'IDEMPOTENCY_KEY_REUSED', 'another line is not'
);
update interlock.idempotency_keys set expires_at = now() where key = 'tap-45-1';
select isnt(
  public.checkout(
    jsonb_build_array(jsonb_build_object('product_id', pg_temp.p(4), 'quantity', 2)), p_idempotency_key => 'tap-45-1'
  ) #>> '{order,id}',
  (select answer #>> '{order,id}' from answers where n = 1),
  'a key that is over counts no more'
);
select is(current_setting('request.jwt.claim.sub', true), '', 'who calls is looked up in the claims again after a sale');
select is(
  (select array_agg(distinct e.actor) from interlock.order_events e join answers a on e.order_id = (a.answer #>> '{order,id}')::uuid),
  array['45000000-0000-4000-8000-0000000000aa'::uuid], 'and is whom the history names'
);
update interlock.settings set confirmation_window = null;

-- Refused as in a cart of more lines.
select is_empty(
  $$
    select c.cart, c.key, pg_temp.refusal(c.cart, c.key)
    from (values
      ('5', 'k'), ('"x"', 'k'), ('{}', 'k'), ('[]', 'k'), ('[5]', 'k'), ('["x"]', 'k'), ('[null]', 'k'), ('[[]]', 'k'), ('[{}]', 'k'),
      ('[{"product_id": "%s"}]', 'k'), ('[{"quantity": 1}]', 'k'),
      ('[{"product_id": "%s", "quantity": "1"}]', 'k'), ('[{"product_id": "%s", "quantity": 1.5}]', 'k'),
      ('[{"product_id": "%s", "quantity": 0}]', 'k'), ('[{"product_id": "%s", "quantity": -1}]', 'k'),
      ('[{"product_id": "%s", "quantity": 10001}]', 'k'), ('[{"product_id": "%s", "quantity": null}]', 'k'),
      ('[{"product_id": "{%s}", "quantity": 1}]', 'k'), ('[{"product_id": " %s", "quantity": 1}]', 'k'),
      ('[{"product_id": "----5000-0000-4000-8000-000000000001", "quantity": 1}]', 'k'),
      ('[{"product_id": "4500000x-0000-4000-8000-000000000001", "quantity": 1}]', 'k'),
      ('[{"product_id": "%s", "quantity": 1, "note": 1}]', 'k'),
      ('[{"product_id": "%s", "quantity": 1, "expected_unit_price": "700"}]', 'k'),
      ('[{"product_id": "%s", "quantity": 1, "expected_unit_price": null}]', 'k'),
      ('[{"product_id": "%s", "quantity": 1}]', ''), ('[{"product_id": "%s", "quantity": 1}]', repeat('k', 256)),
      ('[{"product_id": "%s", "quantity": 1}]', E'k\n'), ('[{"product_id": "%s", "quantity": 1}]', E'k\u00e9')
    ) as c (cart, key)
    where pg_temp.refusal(c.cart, c.key) is distinct from 'VALIDATION_FAILED'
  $$,
  'what is not written as a line has to be is refused'
);

-- Between the look and the lock.
create function pg_temp.meanwhile()
returns trigger
language plpgsql
as $$
begin
  execute current_setting('tap.meanwhile');
  return new;
end
$$;
create trigger meanwhile after insert on interlock.orders for each row execute function pg_temp.meanwhile();

create function pg_temp.buy_while(p_n int, p_quantity int, p_change text)
returns text
language plpgsql
as $$
begin
  perform set_config('tap.meanwhile', format('update interlock.products set %s where id = %L', p_change, pg_temp.p(p_n)), true);
  return pg_temp.buy(p_n, p_quantity);
end
$$;
select is(
  (select array_agg(pg_temp.buy_while(n, 1, change) order by change, n)
   from unnest(array['active = false', 'currency = ''USD''', 'price = 701']) change, unnest(array[1, 3]) n),
  array_fill('55P03'::text, array[6]),
  'a product that has other terms meanwhile is not sold, from its row or from a slot'
);
select is(pg_temp.stock(1), 9, 'nothing is taken from the row');
select is(pg_temp.stock(3), 40, 'nor from a slot');
select is(
  pg_temp.buy_while(1, 2, 'available_quantity = 1'), 'INSUFFICIENT_INVENTORY', 'what is sold out meanwhile is refused'
);
select is(
  pg_temp.buy_while(1, 2, 'available_quantity = 0, stock_policy = ''backorder'', backorder_limit = 5'), '55P03',
  'what would be owed since is not answered as if it were there'
);
select is(
  (select p.available_quantity - p.backordered from interlock.products p where p.id = pg_temp.p(1)), 9, 'and is not owed'
);
-- What was sold from slots the row does not know yet.
drop trigger meanwhile on interlock.orders;
select is(pg_temp.buy(3, 19), 'confirmed', 'a slot has nineteen');
select is(pg_temp.buy(3, 19), 'confirmed', 'and the other one');
select is((select available_quantity from interlock.products where id = pg_temp.p(3)), 40, 'the row knows nothing of it');
update interlock.settings set max_open_units_per_customer = 1;
select is(
  pg_temp.buy(3, 3), 'INSUFFICIENT_INVENTORY', 'what is not there is said before what the customer has too much of, as of a cart'
);
update interlock.settings set max_open_units_per_customer = null;
select is(pg_temp.buy(3, 2), 'confirmed', 'what no slot has is sold at the gate');
select is(pg_temp.stock(3), 0, 'to the last unit');

select is_empty('select * from interlock.stock_differences', 'the books agree');

select * from finish();
rollback;
