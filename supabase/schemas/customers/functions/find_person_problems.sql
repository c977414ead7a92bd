-- What is wrong with what is said of a person: name, phone, email, marketing, each if it is there. p_at is what its
-- members' pointers begin with.
--
-- Callers: interlock.find_customer_problems, interlock.save_customer.
create function interlock.find_person_problems(p_person jsonb, p_at text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object('pointer', p_at || m.name, 'message', m.message) order by m.name)
    from (
      select
        interlock.pointer_token(k.key) as name,
        case k.key
          when 'name' then case
            when (jsonb_typeof(k.value) = 'string' and interlock.is_line(k.value #>> '{}', 200)) is not true
            then 'must be 1 to 200 characters, without control characters'
          end
          when 'phone' then case
            when (jsonb_typeof(k.value) = 'string' and interlock.normal_phone(k.value #>> '{}') is not null) is not true
            then 'must be a phone number with its country, such as +491511234567'
          end
          when 'email' then case
            when (jsonb_typeof(k.value) = 'string' and interlock.normal_email(k.value #>> '{}') is not null) is not true
            then 'must be an e-mail address'
          end
          when 'marketing' then case when jsonb_typeof(k.value) <> 'boolean' then 'must be true or false' end
          else 'is not a known field'
        end as message
      from jsonb_each(p_person) k
    ) m
    where m.message is not null
  ), '[]');
end
$$;
