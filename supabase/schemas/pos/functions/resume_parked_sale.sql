-- What public.resume_parked_sale does, with its owner's rights: a till takes a parked sale to go on with it, and has it alone. What it
-- holds stays held, until the till sells it (pos_sale with its id), parks it again or discards it. Called again by the same
-- till it answers the same.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.resume_parked_sale.
-- Locks: as interlock.claim_parked_sale; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, REGISTER_NOT_FOUND, PARKED_SALE_NOT_FOUND, PARKED_SALE_TAKEN,
--   PARKED_SALE_ENDED; 55P03 is transient.
-- Security definer: nobody has the right to write parked sales.
create function interlock.resume_parked_sale(p_parked_sale_id uuid, p_register_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_register interlock.registers;
  v_parked interlock.parked_sales;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_till();

  if p_parked_sale_id is null then
    v_problems := v_problems || interlock.problem('/p_parked_sale_id', 'is required');
  end if;
  if p_register_id is null then
    v_problems := v_problems || interlock.problem('/p_register_id', 'is required');
  end if;
  perform interlock.refuse_problems(v_problems);

  select r.* into v_register from interlock.registers r where r.id = p_register_id;
  if not found then
    perform interlock.raise_error('REGISTER_NOT_FOUND', jsonb_build_object('register_id', p_register_id));
  end if;
  perform interlock.claim_parked_sale(p_parked_sale_id, v_register);

  update interlock.parked_sales p
  set status = 'resumed',
      register_id = p_register_id,
      resumed_at = coalesce(p.resumed_at, interlock.clock())
  where p.id = p_parked_sale_id
  returning p.* into v_parked;
  return jsonb_build_object('success', true, 'parked_sale', interlock.parked_sale_to_json(v_parked));
end
$$;
