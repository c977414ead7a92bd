-- What `npm run verify` looks at once for all shops, where the tables are there: pg_cron, and the parts of histories, of which there are as many as it has
-- come to. One row for each problem, and for each thing that should be known (level note). Reads only.
select
  'note' as level, 'pg_cron is not there' as subject,
  'enable it, or call expire_orders and the other cleaners yourself (docs/operations.md)' as todo
where pg_catalog.to_regnamespace('cron') is null

union all
select level, 'parts: ' || subject, todo
from interlock.find_part_problems()

order by level desc, subject;
