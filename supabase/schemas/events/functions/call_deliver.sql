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
  v_secret text;
begin
  if v_url is null
    or to_regprocedure('net.http_post(text, jsonb, jsonb, jsonb, integer)') is null
    or to_regclass('vault.decrypted_secrets') is null
  then
    return 0;
  end if;
  select d.since, d.again into v_due from interlock.deliveries_due() d;
  if v_due.since is not null then
    execute 'select s.decrypted_secret from vault.decrypted_secrets s where s.name = $1'
    into v_secret
    using 'interlock_deliver_secret';
    if v_secret is null then
      raise exception 'the vault has no secret interlock_deliver_secret'
        using hint = 'select vault.create_secret(SECRET, ''interlock_deliver_secret''), with the one that set_deliver_secret was given';
    end if;
    execute 'select net.http_post($1, $2, $3, $4, $5)'
    using v_url, '{}'::jsonb, '{}'::jsonb, jsonb_build_object(
      'content-type', 'application/json', 'x-deliver-secret', v_secret
    ), 60000;
  end if;
  return case when v_due.again then 1 else 0 end;
end
$$;
