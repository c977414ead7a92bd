-- Act for a shop until the transaction ends, as the role that sees one shop at a time; for null, nothing is done.
--
-- Callers: the jobs of interlock.jobs.
create function interlock.act_for(p_shop_id int)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_shop_id is not null then
    perform set_config('interlock.shop', p_shop_id::text, true);
    perform set_config('role', 'interlock_owner', true);
  end if;
end
$$;
