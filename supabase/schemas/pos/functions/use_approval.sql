-- Use what a manager has allowed, once, and answer who that was. Nothing is in the row that is not compared again after a wait.
--
-- Callers: interlock.make_sale, interlock.void_sale.
-- Locks: the approval, waiting.
-- Errors: APPROVAL_NOT_FOUND (unknown, of another register, used, over, or of nothing of the kind); 55P03 after lock_timeout.
create function interlock.use_approval(p_approval_id uuid, p_register_id uuid, p_actions text[], p_sale_id uuid)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_approved_by uuid;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.sale_approvals a
  set used_at = interlock.clock(),
      sale_id = p_sale_id
  where a.id = p_approval_id
    and a.register_id = p_register_id
    and a.used_at is null
    and a.expires_at > interlock.clock()
    and a.actions && p_actions
  returning a.approved_by into v_approved_by;
  if not found then
    perform interlock.raise_error('APPROVAL_NOT_FOUND', jsonb_build_object('approval_id', p_approval_id));
  end if;
  return v_approved_by;
end
$$;
