-- Count one use on the code itself, within its limit. With slots all of them are called in first, so that the
-- last use is found wherever it is, and shared out again.
--
-- Callers: interlock.take_promo_use.
-- Locks: the row of promo_codes, waiting; its slots in order, waiting.
-- Errors: IL001 if the limit is reached; 55P03 after lock_timeout.
create function interlock.count_promo_use(p_promo_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.promo_codes p
  set used_count = p.used_count + 1
  where p.id = p_promo_id
    and p.use_slots = 0
    and (p.max_uses is null or p.used_count < p.max_uses);
  if found then
    return;
  end if;

  perform 1 from interlock.promo_codes p where p.id = p_promo_id and p.use_slots > 0 for no key update;
  if found then
    perform interlock.settle_promo_uses(p_promo_id);

    update interlock.promo_codes p
    set used_count = p.used_count + 1
    where p.id = p_promo_id
      and (p.max_uses is null or p.used_count < p.max_uses);
    if found then
      perform interlock.grant_promo_uses(p_promo_id);
      return;
    end if;
  end if;

  raise exception using errcode = 'IL001', message = 'used up meanwhile: look again';
end
$$;
