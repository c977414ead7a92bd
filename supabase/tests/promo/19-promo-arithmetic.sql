-- The arithmetic of promo codes on thousands of random carts and rules: a discount is
-- never negative and never more than what it applies to, half a minor unit rounds up, and
-- the shares of the lines sum exactly. The seed is fixed; change it to look further.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(26);

select setseed(0.5);

-- Known values --------------------------------------------------------------

select is(interlock.promo_discount(t.type, t.value, t.cap, t.amount), t.discount, format('%s %s cap %s on %s', t.type, t.value, t.cap, t.amount))
from (values
  ('percentage', 10, null::bigint, 4::bigint, 0::bigint),
  ('percentage', 10, null, 5, 1),
  ('percentage', 10, null, 15, 2),
  ('percentage', 12.5, null, 4, 1),
  ('percentage', 0.01, null, 4999, 0),
  ('percentage', 0.01, null, 5000, 1),
  ('percentage', 99.99, null, 9007199254740991, 9006298534815517),
  ('percentage', 100, null, 9007199254740991, 9007199254740991),
  ('percentage', 50, 100, 200, 100),
  ('percentage', 50, 100, 202, 100),
  ('percentage', 50, 100, 198, 99),
  ('fixed', 5000, null, 5001, 5000),
  ('fixed', 5000, null, 4999, 4999),
  ('fixed', 5000, null, 0, 0)
) as t (type, value, cap, amount, discount);

select is(interlock.split_discount(t.discount, t.amounts), t.shares, format('%s over %s', t.discount, t.amounts))
from (values
  (100::bigint, array[1, 1, 1]::bigint[] || 997, array[0, 0, 0, 100]::bigint[]),
  (2, array[1, 1, 1], array[1, 1, 0]),
  (10, array[0, 30, 60], array[0, 3, 7]),
  (0, array[5, 5], array[0, 0]),
  (0, array[0, 0], array[0, 0])
) as t (discount, amounts, shares);

-- Random rules ----------------------------------------------------------------

create temporary table rules as
select
  n,
  case when random() < 0.6 then 'percentage' else 'fixed' end as type,
  case when random() < 0.3 then floor(random() * 1000)::bigint + 1 end as cap,
  case
    when random() < 0.1 then floor(random() * 20)
    when random() < 0.2 then floor(random() * 9007199254740991)
    else floor(random() * 1000000)
  end::bigint as amount,
  greatest(0.01, round((random() * 100)::numeric, (random() * 2)::int)) as per_cent,
  floor(random() * 1000000)::bigint + 1 as fixed
from generate_series(1, 5000) n;

create temporary table results as
select
  r.*,
  interlock.promo_discount(
    type, case type when 'percentage' then per_cent else fixed end, case type when 'percentage' then cap end, amount
  ) as discount
from rules r;

select is_empty('select * from results where discount not between 0 and amount', 'no discount is negative or more than its amount');
select is_empty(
  $$ select * from results where type = 'percentage' and cap is null
     and not (discount <= amount * per_cent / 100 + 0.5 and discount > amount * per_cent / 100 - 0.5) $$,
  'an uncapped percentage is within half a minor unit of the exact value, and the half rounds up'
);
select is_empty(
  $$ select * from results where type = 'percentage' and cap is not null
     and discount <> least(cap, interlock.promo_discount('percentage', per_cent, null, amount)) $$,
  'a cap only caps'
);

-- Random carts ------------------------------------------------------------------

create temporary table random_carts as
select
  c.n,
  array_agg(
    (case when random() < 0.2 then 0 when random() < 0.1 then floor(random() * 1e12) else floor(random() * 10000) end)::bigint
  ) as amounts
from (select n, 1 + floor(power(random(), 3) * 100)::int as lines from generate_series(1, 3000) n) c
cross join lateral generate_series(1, c.lines)
group by c.n;

create temporary table splits as
select s.n, s.amounts, s.discount, interlock.split_discount(s.discount, s.amounts) as shares
from (
  select c.n, c.amounts, floor(random() * (t.total + 1))::bigint as discount
  from random_carts c
  cross join lateral (select sum(a) as total from unnest(c.amounts) a) t
) s;

select is_empty(
  $$ select n from splits s where (select sum(x) from unnest(shares) x) <> discount or cardinality(shares) <> cardinality(amounts) $$,
  'the shares of a cart sum exactly to its discount'
);
select is_empty(
  $$
    select s.n
    from splits s
    cross join lateral (select sum(a) as total from unnest(s.amounts) a) t
    cross join lateral unnest(s.amounts, s.shares) as l (amount, share)
    where l.share not between 0 and l.amount
      or abs(l.share - s.discount * l.amount::numeric / greatest(t.total, 1)) >= 1
  $$,
  'no share exceeds its line, and each is within one minor unit of its exact part'
);

-- Random carts under a product scope ----------------------------------------------

insert into interlock.products (id, name, price, currency)
select ('7d000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'Product ' || n, n * 7, 'EUR'
from generate_series(1, 20) n;

insert into interlock.promo_codes (id, code, discount_type, discount_value, currency)
values ('7c000000-0000-4000-8000-000000000001', 'tap scoped', 'percentage', 33.33, 'EUR');
insert into interlock.promo_code_products
select '7c000000-0000-4000-8000-000000000001', ('7d000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
from generate_series(1, 20, 2) n;

create temporary table scoped as
select c.n, c.lines, c.subtotal, c.matching, v.*
from (
  select
    n,
    jsonb_agg(
      jsonb_build_object('product_id', p.id, 'quantity', l.quantity, 'unit_price', p.price) order by p.id
    ) as lines,
    sum(l.quantity * p.price) as subtotal,
    coalesce(sum(l.quantity * p.price) filter (where s.product_id is not null), 0) as matching
  from generate_series(1, 1000) n
  cross join lateral (
    select k, 1 + floor(random() * 50)::int as quantity
    from generate_series(1, 20) k
    where random() < 0.2 and n > 0
  ) l
  join interlock.products p on p.id = ('7d000000-0000-4000-8000-' || lpad(l.k::text, 12, '0'))::uuid
  left join interlock.promo_code_products s
    on s.product_id = p.id and s.promo_id = '7c000000-0000-4000-8000-000000000001'
  group by n
) c
cross join interlock.promo_codes k
cross join lateral interlock.evaluate_promo(k, null, null, 'EUR', c.lines, null) v
where k.id = '7c000000-0000-4000-8000-000000000001';

select cmp_ok(
  (select count(*) from scoped where o_refusal is null), '>', 800::bigint,
  'most random carts have a matching line'
);
select is_empty(
  $$
    select n
    from scoped
    where o_subtotal <> subtotal
      or case
        when matching = 0 then o_detail is distinct from '{"reason": "products"}' or o_discount is not null
        else o_refusal is not null or o_discount <> floor(matching * 33.33 / 100 + 0.5)
          or (select sum(a) from unnest(o_amounts) a) <> matching
          or o_discount > matching
      end
  $$,
  'the discount is on the matching lines only, and without any the code does not apply'
);

select * from finish();
rollback;
