create function public.link_customer(p_customer_id uuid, p_user_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.link_customer(p_customer_id, p_user_id);
end
$$;

comment on function public.link_customer(uuid, uuid) is
  'Says which account of the web shop a customer has; none with null. For managers, staff and the service role.';
