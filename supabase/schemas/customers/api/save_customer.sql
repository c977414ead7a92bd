create function public.save_customer(p_person jsonb, p_customer_id uuid default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.save_customer(p_person, p_customer_id);
end
$$;

comment on function public.save_customer(jsonb, uuid) is
  'Writes down a customer, or corrects one: name, phone, email, marketing. For whoever works at a till, and the service role.';
