-- Bring used_count of promo codes and available_quantity of products that have slots up to date, of all or of one.
-- Returns how many.
--
-- Each gate is held until the transaction ends, and whoever needs it waits so long: the job of interlock.schedule_jobs
-- settles one owner in a transaction.
--
-- Callers: pg_cron, every minute where it is present; service_role, also through public.settle_slots.
-- Locks: promo codes, then products, each in the order of their ids, never waiting (whoever holds one settles it or is
--   quick); their slots, waiting.
-- Errors: 55P03 after lock_timeout.
-- Security definer: nobody has the right to write slots.
create function interlock.settle_slots(p_owner_id uuid default null)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_owner_id uuid;
  v_settled int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  for v_owner_id in
    select p.id
    from interlock.promo_codes p
    where p.id in (select s.owner_id from interlock.counter_slots s where s.used > 0)
      and (p_owner_id is null or p.id = p_owner_id)
    order by p.id
  loop
    perform 1 from interlock.promo_codes p where p.id = v_owner_id for no key update skip locked;
    if found then
      perform interlock.settle_promo_uses(v_owner_id);
      perform interlock.grant_promo_uses(v_owner_id);
      v_settled := v_settled + 1;
    end if;
  end loop;

  for v_owner_id in
    select p.id
    from interlock.products p
    where p.id in (select s.owner_id from interlock.counter_slots s where s.used > 0)
      and (p_owner_id is null or p.id = p_owner_id)
    order by p.id
  loop
    perform 1 from interlock.products p where p.id = v_owner_id for no key update skip locked;
    if found then
      perform interlock.grant_slots(p.id, p.stock_slots, interlock.settle_stock(p.id))
      from interlock.products p
      where p.id = v_owner_id;
      v_settled := v_settled + 1;
    end if;
  end loop;

  return v_settled;
end
$$;
