-- What public.park_sale does, with its owner's rights: put a cart aside, for any till of the location. With p_hold (the setting
-- hold_parked_stock, if it is not said) its goods are taken out of the stock and kept for it, until p_expires_at (the setting
-- parked_sale_limit). With p_parked_sale_id what this till has resumed is parked again, as it is now. Once for each reference.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.park_sale.
-- Locks: the reference; as interlock.find_or_make_customer; the parked sale; stock as interlock.put_back
--   and interlock.take_sold_stock. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, REGISTER_NOT_FOUND, BARCODE_NOT_FOUND,
--   INVENTORY_NOT_FOUND, PRODUCT_NOT_FOUND, STOCK_ELSEWHERE, MIXED_CURRENCIES, INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED,
--   PARKED_SALE_NOT_FOUND, PARKED_SALE_TAKEN, PARKED_SALE_ENDED; those of interlock.find_or_make_customer; 55P03 is transient.
-- Security definer: nobody has the right to write parked sales or stock.
create function interlock.park_sale(
  p_register_id uuid,
  p_name text,
  p_lines jsonb,
  p_customer jsonb,
  p_hold boolean,
  p_expires_at timestamptz,
  p_parked_sale_id uuid,
  p_reference text
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- Lines are few, and each is looked up; guessed at a hundred, they would have every row of a small shop read instead.
set enable_hashjoin = off
set enable_mergejoin = off
set timezone = 'UTC'
as $$
declare
  v_problems jsonb;
  v_answer jsonb;
  v_register interlock.registers;
  v_look interlock.sale_look;
  v_refusals text[];
  v_hold constant boolean := coalesce(p_hold, (select s.hold_parked_stock from interlock.settings s));
  v_expires_at constant timestamptz := coalesce(
    p_expires_at, interlock.clock() + (select s.parked_sale_limit from interlock.settings s)
  );
  v_customer_id uuid;
  v_parked interlock.parked_sales;
  v_put record;
  v_product_ids uuid[] := '{}'::uuid[];
  v_quantities numeric[] := '{}'::numeric[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_till();

  v_problems := coalesce(interlock.find_sale_problems(interlock.given(jsonb_build_object(
    'register_id', p_register_id, 'lines', p_lines, 'customer', p_customer
  )), null), '[]');
  if interlock.is_line(p_name, 200) is not true then
    v_problems := v_problems || interlock.problem('/name', 'must be 1 to 200 characters, without control characters');
  end if;
  if p_expires_at <= interlock.clock() then
    v_problems := v_problems || interlock.problem('/expires_at', 'must be in the future');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference('park_sale', p_reference, jsonb_build_array(
    p_register_id, p_name, p_lines, p_customer, p_hold, p_expires_at, p_parked_sale_id
  ));
  if v_answer is not null then
    return v_answer;
  end if;

  select r.* into v_register from interlock.registers r where r.id = p_register_id;
  v_look := interlock.look_at_sale(p_lines, v_register.location_id, false);
  v_refusals := interlock.look_refusals(v_look, v_register.currency, null, v_hold and p_parked_sale_id is null);
  if v_refusals <> '{}' then
    perform interlock.refuse_look(v_refusals[1], v_look, p_register_id, v_register, '/lines');
  end if;

  if p_customer is not null then
    v_customer_id := interlock.find_or_make_customer(p_customer);
  end if;
  if p_parked_sale_id is not null then
    v_parked := interlock.claim_parked_sale(p_parked_sale_id, v_register);
  end if;

  if v_hold then
    select coalesce(array_agg(h.product_id), '{}'), coalesce(array_agg(h.quantity), '{}')
    into v_product_ids, v_quantities
    from (
      select u.product_id, sum(u.quantity) as quantity
      from unnest(v_look.product_ids, v_look.quantities, v_look.untracked) as u (product_id, quantity, untracked)
      where not u.untracked
      group by u.product_id
    ) h;
  end if;
  if p_parked_sale_id is not null then
    v_put := interlock.put_back(v_look, v_register.location_id, p_parked_sale_id, null, v_parked);
    v_look := v_put.o_look;
  end if;
  v_parked.id := coalesce(p_parked_sale_id, interlock.new_id());
  if v_hold then
    perform interlock.take_sold_stock(v_look, v_register.location_id, v_parked.id, 'pos_park');
  end if;

  insert into interlock.parked_sales as p (
    id, location_id, register_id, name, lines, customer_id, hold, held_product_ids, held_quantities, parked_by, expires_at
  )
  values (
    v_parked.id, v_register.location_id, p_register_id, p_name, p_lines, v_customer_id, v_hold, v_product_ids, v_quantities,
    auth.uid(), v_expires_at
  )
  on conflict on constraint parked_sales_pkey do update
    set register_id = excluded.register_id,
        name = excluded.name,
        lines = excluded.lines,
        customer_id = excluded.customer_id,
        hold = excluded.hold,
        held_product_ids = excluded.held_product_ids,
        held_quantities = excluded.held_quantities,
        parked_by = excluded.parked_by,
        expires_at = excluded.expires_at,
        status = 'parked',
        resumed_at = null
  returning p.* into v_parked;

  return interlock.finish_reference('park_sale', p_reference, jsonb_build_object(
    'success', true, 'parked_sale', interlock.parked_sale_to_json(v_parked)
  ));
end
$$;
