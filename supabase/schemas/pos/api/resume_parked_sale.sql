create function public.resume_parked_sale(p_parked_sale_id uuid, p_register_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.resume_parked_sale(p_parked_sale_id, p_register_id);
end
$$;

comment on function public.resume_parked_sale(uuid, uuid) is
  'Takes a parked sale to a till, which has it alone then. For whoever works at a till, and the service role.';
