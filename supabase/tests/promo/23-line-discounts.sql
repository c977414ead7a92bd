-- What a promo code takes off each line of an order: as promo-validate shows it, and exactly the order's discount.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(26);

insert into auth.users (id, aud, role, email)
values ('7c230000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-ann@example.com');
select set_config(
  'request.jwt.claims', '{"role": "authenticated", "sub": "7c230000-0000-4000-8000-000000000001"}', true
);
create function pg_temp.p(p_n int)
returns uuid
language sql
as $$ select ('7d230000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;
insert into interlock.products (id, name, price, currency, available_quantity, kind)
values
  (pg_temp.p(1), 'tap tea', 333, 'EUR', 1000, 'physical'),
  (pg_temp.p(2), 'tap mug', 1001, 'EUR', 1000, 'physical'),
  (pg_temp.p(3), 'tap flyer', 0, 'EUR', 1000, 'physical'),
  (pg_temp.p(4), 'tap song', 99, 'EUR', 0, 'digital');
insert into interlock.product_codes (product_id, code) select pg_temp.p(4), 'tap-song-' || n from generate_series(1, 50) n;
insert into interlock.wallets (user_id, balance, currency) values ('7c230000-0000-4000-8000-000000000001', 10000000, 'EUR');
insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses_per_user)
values
  ('7f230000-0000-4000-8000-000000000001', 'tap-third', 'percentage', 33.33, 1000),
  ('7f230000-0000-4000-8000-000000000002', 'tap-all', 'percentage', 100, 1000),
  ('7f230000-0000-4000-8000-000000000003', 'tap-mug-only', 'percentage', 10, 1000);
insert into interlock.promo_codes (id, code, discount_type, discount_value, currency, max_uses_per_user)
values ('7f230000-0000-4000-8000-000000000004', 'tap-one', 'fixed', 1, 'EUR', 1000);
insert into interlock.promo_code_products (promo_id, product_id) values ('7f230000-0000-4000-8000-000000000003', pg_temp.p(2));

-- A cart that is shown, then bought: what is taken off each line, shown, answered and stored.
create function pg_temp.discounts(p_code text, variadic p_pairs int[])
returns table (shown jsonb, answered jsonb, stored jsonb, discount bigint)
language plpgsql
as $$
declare
  v_cart jsonb := (
    select jsonb_agg(jsonb_build_object('product_id', pg_temp.p(p_pairs[i]), 'quantity', p_pairs[i + 1]))
    from generate_series(1, cardinality(p_pairs), 2) i
  );
  v_shown jsonb;
  v_order jsonb;
begin
  set local role authenticated;
  v_shown := public.validate_promo(p_code, v_cart, p_dry_run => true);
  v_order := public.checkout(v_cart, p_code, p_payment_method => 'wallet')::jsonb -> 'order';
  shown := v_shown -> 'lines';
  discount := (v_order ->> 'discount')::bigint;
  answered := jsonb_path_query_array(v_order -> 'items', '$[*].discount');
  stored := (
    select jsonb_agg(i.discount order by i.product_id) from public.order_items i where i.order_id = (v_order ->> 'id')::uuid
  );
  reset role;
  shown := jsonb_path_query_array(shown, '$[*].discount');
  return next;
end
$$;

create temporary table bought as
select t.n, t.what, t.expected, d.*
from (values
  (1, 'tap-third', array[1, 1], 'one line has all of it', '[111]'::jsonb),
  (2, 'tap-third', array[1, 1, 2, 1], 'each line has its share', '[111, 334]'),
  (3, 'tap-third', array[1, 2, 2, 1, 3, 5], 'what costs nothing has none', '[222, 334, 0]'),
  (4, 'tap-all', array[1, 3, 2, 2], 'all of it', '[999, 2002]'),
  (5, 'tap-mug-only', array[1, 3, 2, 1], 'a code for one product is taken off that', '[0, 100]'),
  (6, 'tap-one', array[2, 1, 1, 1], 'one cent is one line''s', '[0, 1]'),
  (7, 'tap-third', array[1, 1, 4, 2], 'what is digital, too', '[111, 66]')
) as t (n, code, cart, what, expected)
cross join lateral pg_temp.discounts(t.code, variadic t.cart) d;

select is(answered, expected, what || ': answered') from bought order by n;
select is(stored, answered, what || ': stored') from bought order by n;
select is(shown, answered, what || ': as it was shown') from bought order by n;
select is_empty(
  $$
    select o.id
    from interlock.orders o
    join interlock.order_items i on i.order_id = o.id
    where o.user_id = '7c230000-0000-4000-8000-000000000001'
    group by o.id, o.discount
    having sum(i.discount) <> o.discount or bool_or(i.discount > i.quantity * i.unit_price)
  $$,
  'the lines sum to the discount, and no line has more than it costs'
);
select is(
  (select sum(discount)::bigint from bought),
  (select sum(discount)::bigint from interlock.orders where user_id = '7c230000-0000-4000-8000-000000000001'),
  'nothing is lost'
);

set local role authenticated;
select is(
  jsonb_path_query_array(
    public.checkout(jsonb_build_array(jsonb_build_object('product_id', pg_temp.p(1), 'quantity', 2)))::jsonb,
    '$.order.items[*].discount'
  ),
  '[0]', 'without a code nothing is taken off'
);
reset role;
select throws_ok(
  'update interlock.order_items set discount = 1', '23001', null, 'what was taken off never changes'
);
select throws_ok(
  format(
    $$insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind, discount)
      select o.id, %L, 1, 1, 'x', 'physical', -1 from interlock.orders o limit 1$$,
    pg_temp.p(9)
  ),
  '23514', null, 'nothing is put on'
);

select * from finish();
rollback;
