create function public.replace_product_code(p_code_id bigint, p_reason text, p_new_code text default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.replace_product_code(p_code_id, p_reason, p_new_code);
end
$$;

comment on function public.replace_product_code(bigint, text, text) is
  'Gives the buyer of a delivered code that does not work another one, once: p_new_code, or a free one. For staff and the service role.';
