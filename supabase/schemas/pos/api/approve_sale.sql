create function public.approve_sale(p_register_id uuid, p_actions text[], p_reason text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.approve_sale(p_register_id, p_actions, p_reason);
end
$$;

comment on function public.approve_sale(uuid, text[], text) is
  'Allows a cashier at a register something once, within five minutes. For managers and staff, and the service role.';
