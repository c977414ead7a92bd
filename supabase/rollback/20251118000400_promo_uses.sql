-- Undoes 20251118000400_promo_uses.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251118000400`.

set local lock_timeout = '5s';

do $$
begin
  if to_regclass('cron.job') is not null then
    execute $cron$
      select cron.unschedule(jobid) from cron.job where jobname = 'interlock-expire-promo-holds'
    $cron$;
  end if;
end
$$;

drop function public.increment_promo_usage(uuid);
drop function private.increment_promo_usage(uuid);
drop function private.expire_promo_holds(int);
drop function private.release_promo_hold(uuid, uuid, uuid);
drop function private.return_promo(uuid);
drop function private.return_promos(uuid[]);
drop function private.redeem_promo(uuid, text, uuid, uuid, text, jsonb);
drop function private.take_promo_use(uuid, uuid, uuid, uuid, bigint, text, timestamptz);
drop function private.find_promo_use(uuid, uuid, uuid);
drop function private.end_promo_uses(uuid[], text, text);
drop function private.lock_promo_users(uuid[], uuid[]);
drop function private.lock_first_order(uuid);
