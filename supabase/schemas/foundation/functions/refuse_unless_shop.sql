-- Refuse whoever does not act for the shop.
--
-- Callers: functions that are for the shop alone, and that staff may call, too.
-- Errors: UNAUTHENTICATED without a user whose account exists, FORBIDDEN for one.
create function interlock.refuse_unless_shop()
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not interlock.acts_for_shop() then
    perform interlock.require_user();
    perform interlock.raise_error('FORBIDDEN');
  end if;
end
$$;
