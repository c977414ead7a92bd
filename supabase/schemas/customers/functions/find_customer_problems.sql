-- What is wrong with how a customer is named or described; an empty array if nothing is. One is named by id, phone or e-mail
-- ({"id"}, {"phone"}, {"email"}), or found or made by what `create` says: name, phone, email, marketing, of which phone or
-- e-mail have to be there.
--
-- Callers: interlock.find_sale_problems.
create function interlock.find_customer_problems(p_customer jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_create constant jsonb := p_customer -> 'create';
  v_problems jsonb := jsonb '[]';
begin
  if jsonb_typeof(p_customer) <> 'object' or (select count(*) from jsonb_object_keys(p_customer)) <> 1
    or not (p_customer ?| array['id', 'phone', 'email', 'create'])
  then
    return interlock.problem('/customer', 'must be an object with one of id, phone, email and create');
  end if;

  if p_customer ? 'id' and (jsonb_typeof(p_customer -> 'id') = 'string' and interlock.is_uuid(p_customer ->> 'id')) is not true then
    v_problems := v_problems || interlock.problem('/customer/id', 'must be a UUID');
  end if;
  if p_customer ? 'create' then
    if jsonb_typeof(v_create) <> 'object' then
      return interlock.problem('/customer/create', 'must be an object');
    end if;
    v_problems := v_problems || interlock.find_person_problems(v_create, '/customer/create/');
    if not (v_create ?| array['phone', 'email']) then
      v_problems := v_problems || interlock.problem('/customer/create', 'must have a phone or an email');
    end if;
  else
    v_problems := v_problems || interlock.find_person_problems(p_customer - 'id', '/customer/');
  end if;
  return v_problems;
end
$$;
