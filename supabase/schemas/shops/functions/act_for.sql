-- Act for a shop until the transaction ends, as the role that sees one shop at a time; for null, nothing is done. For a shop that is being moved it is as
-- if there were none: it has no rows.
--
-- Callers: the jobs of interlock.jobs; interlock.in_each_shop; postgres.
-- Locks: the shop, advisory, shared, until the transaction ends; never waiting.
create function interlock.act_for(p_shop_id int)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_shop_id is not null then
    perform set_config(
      'interlock.shop',
      case when pg_try_advisory_xact_lock_shared(hashtext('interlock shop'), p_shop_id) then p_shop_id else 0 end::text,
      true
    );
    perform set_config('role', 'interlock_owner', true);
  end if;
end
$$;
