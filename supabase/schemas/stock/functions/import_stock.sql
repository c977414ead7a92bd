-- Take a file of stock that interlock.stage_stock has brought in: every stock that it names becomes what it says, all or
-- none, in this transaction. Problems are answered, all of them by line, and then nothing is done; nor with p_dry_run.
-- A reference, which `npm run import-stock` makes of what is in the file, counts once: again is answered again.
--
-- It locks all that it changes until it ends, so a large file is for a quiet hour; and it waits for nobody longer than ten
-- seconds.
--
-- Callers: `npm run import-stock`; postgres.
-- Locks: the reference; new rows of inventory in the order of product and location; rows of inventory by id, products by id,
--   their slots.
-- Errors: VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
create function interlock.import_stock(p_reference text, p_replace boolean, p_dry_run boolean)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '10s'
as $$
declare
  v_answer jsonb;
  v_online uuid[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  v_answer := interlock.find_idempotent('import_stock', p_reference, to_jsonb(p_reference), true)::jsonb;
  if v_answer is null then
    v_answer := interlock.sum_up_import(p_reference, p_replace, p_dry_run);
    if p_dry_run or not (v_answer ->> 'success')::boolean then
      return v_answer;
    end if;
    v_answer := interlock.begin_reference('import_stock', p_reference, to_jsonb(p_reference));
  end if;
  if v_answer is not null then
    delete from interlock.stock_import_lines l where l.reference = p_reference;
    return v_answer || '{"again": true}';
  end if;

  insert into interlock.inventory (product_id, location_id)
  select r.product_id, r.location_id
  from interlock.read_import(p_reference, true) r
  where r.problem is null
    and r.location_id <> interlock.online_location()
  order by r.product_id, r.location_id
  on conflict do nothing;
  perform 1
  from interlock.inventory i
  join interlock.read_import(p_reference, true) r on r.product_id = i.product_id and r.location_id = i.location_id
  order by i.id
  for no key update of i;

  v_online := array(
    select r.product_id
    from interlock.read_import(p_reference, true) r
    where r.location_id = interlock.online_location()
    order by r.product_id
  );
  perform interlock.lock_stock(v_online);
  perform interlock.settle_stock(p.id)
  from unnest(v_online) with ordinality as u (id, n)
  join interlock.products p on p.id = u.id
  where p.stock_slots > 0
  order by u.n;

  -- The same as before it was locked, unless somebody sold or moved meanwhile.
  v_answer := interlock.sum_up_import(p_reference, p_replace, p_dry_run);
  if not (v_answer ->> 'success')::boolean then
    raise exception using
      errcode = 'lock_not_available',
      message = 'stock changed while it was imported; nothing has happened',
      hint = 'Import the same file again.';
  end if;

  perform interlock.set_ledger_context('import', null);
  update interlock.inventory i
  set quantity = r.quantity
  from interlock.read_import(p_reference, true) r
  where i.product_id = r.product_id
    and i.location_id = r.location_id
    and i.quantity <> r.quantity;
  update interlock.products p
  set available_quantity = r.quantity
  from interlock.read_import(p_reference, true) r
  where p.id = r.product_id
    and r.location_id = interlock.online_location()
    and p.available_quantity <> r.quantity;
  perform interlock.set_ledger_context(null, null);
  perform interlock.grant_slots(p.id, p.stock_slots, p.available_quantity)
  from interlock.products p
  where p.id = any (v_online)
    and p.stock_slots > 0;

  delete from interlock.stock_import_lines l where l.reference = p_reference;
  return interlock.finish_reference('import_stock', p_reference, v_answer);
end
$$;
