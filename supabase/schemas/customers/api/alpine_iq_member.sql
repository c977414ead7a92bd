create function public.alpine_iq_member(p_customer_id uuid)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.alpine_iq_member(p_customer_id);
end
$$;

comment on function public.alpine_iq_member(uuid) is
  'A customer as Alpine IQ takes them with createUpdateMember; null for one who may not be written to. For the service role.';
