create function public.alpine_iq_sale(p_sale_id uuid)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.alpine_iq_sale(p_sale_id);
end
$$;

comment on function public.alpine_iq_sale(uuid) is
  'A sale as Alpine IQ takes it with createUpdateSale. For the service role.';
