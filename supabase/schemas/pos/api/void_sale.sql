create function public.void_sale(p_sale_id uuid, p_reason text, p_approval_id uuid default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.void_sale(p_sale_id, p_reason, p_approval_id);
end
$$;

comment on function public.void_sale(uuid, text, uuid) is
  'Undoes a sale as long as its shift is open. For managers and staff, the cashier who sold or has a manager''s approval, and the service role.';
