-- What public.find_customer does, with its owner's rights: the customer of a phone number or an e-mail address.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.find_customer.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, CUSTOMER_NOT_FOUND.
-- Security definer: phone numbers are read in the form of the shop's country, which is a setting.
create function interlock.find_customer(p_phone text, p_email text)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_id uuid;
begin
  perform interlock.require_till();
  perform interlock.refuse_problems(
    case
      when num_nonnulls(p_phone, p_email) <> 1 then interlock.problem('/p_phone', 'is required, or else p_email')
      else interlock.find_person_problems(interlock.given(jsonb_build_object('phone', p_phone, 'email', p_email)), '/p_')
    end
  );
  select c.id into v_id
  from interlock.customers c
  where c.phone = interlock.normal_phone(p_phone)
    or c.email = interlock.normal_email(p_email);
  if v_id is null then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;
  return jsonb_build_object('success', true, 'customer', interlock.customer_to_json(v_id));
end
$$;
