-- Have the function deliver called, if there is anything to deliver, where the platform has pg_net and its vault:
-- settings.deliver_url says where it is, the vault's secret interlock_deliver_secret what it is called with. Where they are
-- not, `npm run deliver` or another scheduler calls it.
--
-- A call sends a few deliveries of each endpoint, so the job calls it again, a second later, for as long as something is due and calls come to
-- something. They do not where the secret is wrong, say, or where a receiver refuses all: once something of an endpoint has been due for a minute in
-- which no delivery of this endpoint came to its end, there is one call a minute for it. Answers 1 if the job is to look again, or 0.
--
-- Callers: the jobs of interlock.jobs.
-- Locks: none.
-- Errors: P0001, which the job reports, if the vault does not have the secret.
create function interlock.call_deliver()
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_url constant text := (select s.deliver_url from interlock.settings s);
  v_due record;
begin
  if v_url is null then
    return 0;
  end if;
  select d.since, d.again into v_due from interlock.deliveries_due() d;
  if v_due.since is not null and not interlock.post_deliver(v_url) then
    return 0;
  end if;
  return case when v_due.again then 1 else 0 end;
end
$$;
