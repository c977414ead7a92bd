-- Undoes 20251119000100_idempotency.sql: claim_route without a key again. Newest first: run
-- it in one transaction, then `supabase migration repair --status reverted 20251119000100`.
-- Drops every idempotency key.

set local lock_timeout = '5s';

drop function public.claim_route(uuid, text, text);
drop function private.claim_route(uuid, text, text);
grant execute on function private.claim_route(uuid, text) to authenticated, service_role;

create function public.claim_route(p_batch_id uuid default null, p_action text default 'claim')
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select private.claim_route(p_batch_id, p_action)
$$;

comment on function public.claim_route(uuid, text) is
  'Claims a delivery batch for the calling driver (the next one without p_batch_id); p_action renew, release, start or complete acts on one they hold.';

revoke all on function public.claim_route(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.claim_route(uuid, text) to authenticated, service_role;

do $$
begin
  if to_regclass('cron.job') is not null then
    perform cron.unschedule(jobid) from cron.job where jobname = 'interlock-purge-idempotency-keys';
  end if;
end
$$;

drop function private.purge_idempotency_keys();
drop function private.finish_idempotent(text, text, text);
drop function private.begin_idempotent(text, text, jsonb);
drop function private.find_idempotent(text, text, jsonb);
drop table private.idempotency_keys;
alter table private.settings drop column idempotency_key_lifetime;
