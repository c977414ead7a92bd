-- The customer whom a sale names. With `create` they are made unless their phone or e-mail is known already: two tills that make
-- the same one at once get one, because the second waits for the first.
--
-- Callers: interlock.lock_buyer, with what interlock.find_customer_problems has found no problem in.
-- Locks: phone and e-mail of a new customer, in their indexes.
-- Errors: CUSTOMER_NOT_FOUND; CUSTOMERS_DIFFER where phone and e-mail are two customers'; 55P03 after lock_timeout.
create function interlock.find_or_make_customer(p_customer jsonb)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_person constant jsonb := coalesce(p_customer -> 'create', p_customer - 'id');
  v_phone constant text := interlock.normal_phone(v_person ->> 'phone');
  v_email constant text := interlock.normal_email(v_person ->> 'email');
  v_ids uuid[];
begin
  if p_customer ? 'id' then
    v_ids := array[interlock.live_customer((p_customer ->> 'id')::uuid)];
  else
    if p_customer ? 'create' then
      if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
        perform interlock.limit_wait();
      end if;
      insert into interlock.customers as c (name, phone, email, marketing)
      select v_person ->> 'name', v_phone, v_email, coalesce((v_person ->> 'marketing')::boolean, true)
      where not exists (select from interlock.customers o where o.phone = v_phone or o.email = v_email)
      on conflict do nothing
      returning array[c.id] into v_ids;
      if found then
        perform interlock.note_customer(v_ids[1]);
        return v_ids[1];
      end if;
    end if;
    v_ids := array(select c.id from interlock.customers c where c.phone = v_phone or c.email = v_email order by c.id);
  end if;

  if v_ids[1] is null then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  elsif cardinality(v_ids) > 1 then
    perform interlock.raise_error('CUSTOMERS_DIFFER', jsonb_build_object('customer_ids', to_jsonb(v_ids)));
  end if;

  return v_ids[1];
end
$$;
