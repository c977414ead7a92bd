-- Fill in what `create` says of a customer and nobody has known so far; what is known is kept.
--
-- Callers: interlock.lock_buyer, which holds their points.
-- Locks: the row of the customer; phone and e-mail in their indexes.
create function interlock.fill_in_customer(p_customer_id uuid, p_person jsonb)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_phone constant text := interlock.normal_phone(p_person ->> 'phone');
  v_email constant text := interlock.normal_email(p_person ->> 'email');
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.customers c
  set name = coalesce(c.name, p_person ->> 'name'),
      phone = coalesce(c.phone, v_phone),
      email = coalesce(c.email, v_email)
  where c.id = p_customer_id
    and (
      c.name is null and p_person ->> 'name' is not null
      or c.phone is null and v_phone is not null
      or c.email is null and v_email is not null
    );
  if found then
    perform interlock.note_customer(p_customer_id);
  end if;
end
$$;
