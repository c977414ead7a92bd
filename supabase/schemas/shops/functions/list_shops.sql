-- What public.list_shops does: the shops of this installation, whatever their state, by their ids; where it serves one, that one.
--
-- Callers: service_role, through public.list_shops.
-- Locks: none.
-- Errors: VALIDATION_FAILED.
-- Security definer: the list of shops is the platform's.
create function interlock.list_shops(p_after int, p_limit int)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
begin
  if p_limit is null or p_limit not between 1 and 1000 then
    perform interlock.refuse_problems(interlock.problem('/p_limit', 'must be an integer from 1 to 1000'));
  end if;
  return jsonb_build_object('success', true, 'shops', coalesce((
    select jsonb_agg(interlock.shop_to_json(s) order by s.id)
    from interlock.shops s
    where s.id in (
      select l.id
      from interlock.shops l
      where p_after is null or l.id > p_after
      order by l.id
      limit p_limit
    )
  ), '[]'));
end
$$;
