create function public.browse_shop(
  p_list text,
  p_search text default null,
  p_state text default null,
  p_after text default null,
  p_limit int default 25
)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.browse_shop(p_list, p_search, p_state, p_after, p_limit);
end
$$;

comment on function public.browse_shop(text, text, text, text, int) is
  'A page of orders, batches, drivers, stock, promo codes, picking sessions, findings or deliveries, found by a text and a state, for staff and the service role.';
