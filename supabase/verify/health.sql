-- What `npm run verify` looks at in the rows of a shop, once the tables are there, where there are many in those of each: one row for each
-- problem, and for each thing that a shop should know (level note). Reads only.
--
-- The first two are the monitoring lists of the incident reports: no negative stock, no driver and no
-- batch twice. Constraints keep them empty; rows from before a constraint, or one that is missing, show.

with checks (level, subject, todo, times) as (
  select
    'problem',
    'stock: products with less than nothing in stock',
    'count them, and set available_quantity to what is there; each change is written to stock_movements',
    (select count(*) from interlock.products where available_quantity < 0)

  union all
  select
    'problem',
    'batches: drivers who hold several at once',
    'let the driver release all but one of them, and then put the index batches_one_active_per_driver back',
    (
      select count(*)
      from (
        select from interlock.batches
        where status in ('claimed', 'in_progress')
        group by driver_id
        having count(*) > 1
      ) as several
    )

  union all
  select
    'problem',
    'books: ' || books.name || ' is not empty',
    'each of its rows names one difference between the books: select * from interlock.' || books.name,
    books.times
  from (
    select 'stock_differences', (select count(*) from interlock.stock_differences)
    union all
    select 'wallet_differences', (select count(*) from interlock.wallet_differences)
    union all
    select 'code_differences', (select count(*) from interlock.code_differences)
    union all
    select 'promo_differences', (select count(*) from interlock.promo_differences)
  ) as books (name, times)

  union all
  select
    'problem',
    'books: audits of the stock have open findings',
    'npm run audit tells them; resolve_finding corrects one, accept_finding lets it be',
    (select count(*) from interlock.inventory_findings where status = 'open')

  union all
  select
    'problem',
    'books: linked tables and products do not say the same',
    'select * from interlock.product_drift() tells where, and what to do about each',
    (select count(*) from interlock.product_drift())

  union all
  select
    'problem',
    'books: linked tables and customers do not say the same',
    'select * from interlock.customer_drift() tells where, and what to do about each',
    (select count(*) from interlock.customer_drift())

  union all
  select
    'problem',
    'books: linked tables and orders of the last 30 days do not say the same',
    'select * from interlock.order_drift() tells where, and what to do about each',
    (select count(*) from interlock.order_drift())

  union all
  select
    'problem',
    'settings: interlock.settings has no row',
    'insert into interlock.settings default values',
    (select count(*) from (select 1 where not exists (select from interlock.settings)) as none)

  union all
  select
    'note',
    'no promo code yet',
    'supabase/seed.sql has the samples WELCOME10 and SAVE50, for a database to try things on',
    (select count(*) from (select 1 where not exists (select from interlock.promo_codes)) as none)
)

select level, subject || case when level = 'problem' then ' (' || times || ')' else '' end as subject, todo
from checks
where times > 0
order by level desc, subject;
