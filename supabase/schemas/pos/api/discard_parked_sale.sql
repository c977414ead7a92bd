create function public.discard_parked_sale(p_parked_sale_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.discard_parked_sale(p_parked_sale_id);
end
$$;

comment on function public.discard_parked_sale(uuid) is
  'Ends a parked sale; what it holds is on the shelf again. For whoever works at a till, and the service role.';
