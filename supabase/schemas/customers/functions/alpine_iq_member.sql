-- A customer as Alpine IQ takes them (POST /api/v1.1/createUpdateMember/:uid); null for one who may not be written to, who was merged
-- into another or erased: whoever delivers events has nothing to send then.
--
-- Callers: service_role, through public.alpine_iq_member.
-- Errors: CUSTOMER_NOT_FOUND.
-- Security definer: the service role has no rights on the functions that it uses.
create function interlock.alpine_iq_member(p_customer_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_customer interlock.customers;
begin
  select c.* into v_customer from interlock.customers c where c.id = p_customer_id;
  if not found then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;
  if not v_customer.marketing or num_nonnulls(v_customer.phone, v_customer.email) = 0 then
    return null;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'pos_user', v_customer.id,
    'firstName', split_part(v_customer.name, ' ', 1),
    'lastName', nullif(substr(v_customer.name, char_length(split_part(v_customer.name, ' ', 1)) + 2), ''),
    'mobilePhone', v_customer.phone,
    'email', v_customer.email
  ));
end
$$;
