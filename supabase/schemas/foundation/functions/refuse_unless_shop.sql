-- Refuse whoever does not act for the shop.
--
-- Callers: functions that are for the shop alone, and that staff may call, too.
-- Errors: UNAUTHENTICATED without a user, FORBIDDEN for one.
create function interlock.refuse_unless_shop()
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not interlock.acts_for_shop() then
    perform interlock.raise_error(case when auth.uid() is null then 'UNAUTHENTICATED' else 'FORBIDDEN' end);
  end if;
end
$$;
