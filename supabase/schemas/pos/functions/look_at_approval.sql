-- What a manager has allowed at a register under this id, without a lock: null unless it can be used yet.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals, which uses it later (interlock.use_approval).
-- Locks: none.
create function interlock.look_at_approval(p_approval_id uuid, p_register_id uuid)
returns text[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select a.actions
    from interlock.sale_approvals a
    where a.id = p_approval_id
      and a.register_id = p_register_id
      and a.used_at is null
      and a.expires_at > interlock.clock()
  );
end
$$;
