create function public.erase_customer(p_customer_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.erase_customer(p_customer_id);
end
$$;

comment on function public.erase_customer(uuid) is
  'Takes the person out of a customer. For managers, staff and the service role.';
