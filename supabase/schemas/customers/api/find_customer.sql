create function public.find_customer(p_phone text default null, p_email text default null)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.find_customer(p_phone, p_email);
end
$$;

comment on function public.find_customer(text, text) is
  'Finds a customer by phone or e-mail as people type them. For whoever works at a till, and the service role.';
