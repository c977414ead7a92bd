create function public.merge_customers(p_from uuid, p_into uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.merge_customers(p_from, p_into);
end
$$;

comment on function public.merge_customers(uuid, uuid) is
  'Makes one customer of two: points, sales and account go to the second. For managers, staff and the service role.';
