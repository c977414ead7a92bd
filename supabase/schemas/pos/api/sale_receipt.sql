create function public.sale_receipt(
  p_sale_id uuid,
  p_format text default 'text',
  p_columns int default 48,
  p_language text default null
)
returns text
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.sale_receipt(p_sale_id, p_format, p_columns, p_language);
end
$$;

comment on function public.sale_receipt(uuid, text, int, text) is
  'The receipt of a sale for people: text of so many columns, or an HTML page to print. For whoever works at a till, and the service role.';
