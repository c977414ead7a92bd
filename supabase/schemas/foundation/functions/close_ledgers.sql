-- Add what is older than interlock.settings.close_ledgers_after in the ledgers of stock and wallets to their closed
-- balances; answers how many movements, at most p_limit. Nothing is deleted: the views of differences read less.
--
-- A ledger whose first open movement is younger has its turn when that one is old enough. The ledger of a product, a row of
-- inventory or a wallet that is gone stays open.
--
-- It begins no further ledger a tenth of a second after it has closed the first. Call it until it answers 0.
--
-- Callers: service_role, through public.close_ledgers.
-- Locks: as interlock.close_ledger, wallets, then products, then inventory, each in the order of their ids.
-- Errors: none of a ledger's own.
-- Security definer: nobody has the right to write balances.
create function interlock.close_ledgers(p_limit int default 1000)
returns int
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_limit constant int := greatest(coalesce(p_limit, 1000), 0);
  v_owner_id uuid;
  v_until timestamptz;
  v_closed int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  for v_owner_id in
    select l.owner_id from interlock.ledgers_to_close() as l (owner_id)
  loop
    exit when v_closed >= v_limit or clock_timestamp() > v_until;
    v_closed := v_closed + interlock.close_ledger(v_owner_id, v_limit - v_closed);
    if v_closed > 0 then
      v_until := coalesce(v_until, clock_timestamp() + interval '100 milliseconds');
    end if;
  end loop;

  return v_closed;
end
$$;
