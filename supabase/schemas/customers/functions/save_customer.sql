-- What public.save_customer does, with its owner's rights: write down a customer (without an id) or correct one. Members that are
-- there are set, null empties one; of phone and email one stays.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.save_customer.
-- Locks: the row of the customer; phone and e-mail in their indexes, waiting for who takes the same. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, CUSTOMER_NOT_FOUND, CONTACT_TAKEN; 55P03 is transient.
-- Security definer: nobody has the right to write customers.
create function interlock.save_customer(p_person jsonb, p_customer_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_customer interlock.customers;
  v_id uuid;
  v_other uuid;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_till();

  if jsonb_typeof(p_person) is distinct from 'object' then
    v_problems := interlock.problem('/p_person', 'must be an object');
  else
    v_problems := interlock.find_person_problems(interlock.given(p_person), '/p_person/');
  end if;
  perform interlock.refuse_problems(v_problems);

  if p_customer_id is not null then
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    select c.* into v_customer
    from interlock.customers c
    where c.id = interlock.live_customer(p_customer_id)
    for no key update;
    if not found then
      perform interlock.raise_error('CUSTOMER_NOT_FOUND');
    end if;
  end if;
  v_customer.name := case when p_person ? 'name' then p_person ->> 'name' else v_customer.name end;
  v_customer.phone := case when p_person ? 'phone' then interlock.normal_phone(p_person ->> 'phone') else v_customer.phone end;
  v_customer.email := case when p_person ? 'email' then interlock.normal_email(p_person ->> 'email') else v_customer.email end;
  v_customer.marketing := coalesce((p_person ->> 'marketing')::boolean, v_customer.marketing, true);
  if num_nonnulls(v_customer.phone, v_customer.email) = 0 then
    perform interlock.refuse_problems(interlock.problem('/p_person', 'must have a phone or an email'));
  end if;

  begin
    if v_customer.id is null then
      insert into interlock.customers (name, phone, email, marketing)
      values (v_customer.name, v_customer.phone, v_customer.email, v_customer.marketing)
      returning id into v_id;
    else
      v_id := v_customer.id;
      update interlock.customers c
      set name = v_customer.name,
          phone = v_customer.phone,
          email = v_customer.email,
          marketing = v_customer.marketing
      where c.id = v_id;
    end if;
  exception
    when unique_violation then
      select c.id into v_other
      from interlock.customers c
      where (c.phone = v_customer.phone or c.email = v_customer.email)
        and c.id is distinct from v_customer.id
      limit 1;
      perform interlock.raise_error('CONTACT_TAKEN', jsonb_build_object('customer_id', v_other));
  end;
  perform interlock.note_customer(v_id);
  return jsonb_build_object('success', true, 'customer', interlock.customer_to_json(v_id));
end
$$;
