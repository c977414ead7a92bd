create function public.save_customer(p_person jsonb, p_customer_id uuid default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.save_customer(p_person, p_customer_id)
$$;

comment on function public.save_customer(jsonb, uuid) is
  'Writes down a customer, or corrects one: name, phone, email, marketing. For whoever works at a till, and the service role.';
