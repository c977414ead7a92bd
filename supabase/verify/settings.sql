-- What `npm run doctor` asks of a database's settings, once for all shops: one row for each finding, by part, with what to do. Reads only.
with settings (setting) as (
  -- Those of this database, and of all on its server.
  select unnest(r.setconfig)
  from pg_catalog.pg_db_role_setting r
  where r.setdatabase in (0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database()))
)

select
  'database' as part, 'problem' as level, 'Postgres ' || current_setting('server_version') || ' is older than 15' as subject,
  'upgrade the database: Interlock is tested on 15 and 17' as todo
where current_setting('server_version_num')::int < 150000

union all
select
  'database', 'problem', 'transactions do not begin as read committed: ' || s.setting,
  'take it back, as docs/operations.md (Isolation level) says: every call is answered with 500'
from (
  select 'default_transaction_isolation=' || current_setting('default_transaction_isolation') as setting
  union
  select s.setting from settings s
) s
where s.setting ~ '^default_transaction_isolation=' and s.setting !~ 'read committed'

union all
select
  'api', 'problem', 'the schema interlock is exposed by the API', 'take it out of the exposed schemas (dashboard, Data API): ' || s.setting
from settings s
where s.setting ~ '^pgrst[.]db_schemas=' and s.setting ~ '\minterlock\M'

union all
select
  'api', 'problem', 'the schema public is not exposed by the API', 'add it to the exposed schemas (dashboard, Data API): ' || s.setting
from settings s
where s.setting ~ '^pgrst[.]db_schemas=' and s.setting !~ '\mpublic\M'

order by part, level, subject;
