create function public.erase_customer(p_customer_id uuid)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.erase_customer(p_customer_id)
$$;

comment on function public.erase_customer(uuid) is
  'Takes the person out of a customer. For managers, staff and the service role.';
