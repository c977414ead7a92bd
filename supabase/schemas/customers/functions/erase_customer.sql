-- What public.erase_customer does, with its owner's rights: take the person out of a customer. Sales, points and their ledger stay,
-- without a person. Points that are left are gone for whoever they were. Called again it answers the same.
--
-- Callers: authenticated (managers, staff) and service_role, through public.erase_customer; interlock.erase_user does the same.
-- Locks: as interlock.forget_customer. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, CUSTOMER_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write customers.
create function interlock.erase_customer(p_customer_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_id uuid;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if interlock.require_till() <> 'manager' then
    perform interlock.raise_error('FORBIDDEN');
  end if;
  if p_customer_id is null then
    perform interlock.refuse_problems(interlock.problem('/p_customer_id', 'is required'));
  end if;
  select coalesce(c.merged_into, c.id) into v_id from interlock.customers c where c.id = p_customer_id;
  if v_id is null then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;

  v_id := interlock.forget_customer(v_id);
  return jsonb_build_object('success', true, 'customer_id', v_id);
end
$$;
