-- What public.approve_sale does, with its owner's rights: a manager allows a cashier at a register something, once, within
-- five minutes: pos_sale and void_sale take its id.
--
-- Callers: authenticated (managers, staff) and service_role, through public.approve_sale.
-- Locks: none.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, REGISTER_NOT_FOUND.
-- Security definer: nobody has the right to write approvals.
create function interlock.approve_sale(p_register_id uuid, p_actions text[], p_reason text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_approval interlock.sale_approvals;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if interlock.require_till() <> 'manager' then
    perform interlock.raise_error('FORBIDDEN');
  end if;

  if p_register_id is null then
    v_problems := v_problems || interlock.problem('/p_register_id', 'is required');
  end if;
  if (
    p_actions <@ array['discount', 'return_without_receipt', 'void'] and cardinality(p_actions) between 1 and 3
  ) is not true then
    v_problems := v_problems || interlock.problem(
      '/p_actions', 'must be 1 to 3 of discount, return_without_receipt and void'
    );
  end if;
  if interlock.is_line(p_reason, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must be 1 to 200 characters, without control characters');
  end if;
  perform interlock.refuse_problems(v_problems);
  if not exists (select from interlock.registers r where r.id = p_register_id) then
    perform interlock.raise_error('REGISTER_NOT_FOUND', jsonb_build_object('register_id', p_register_id));
  end if;

  insert into interlock.sale_approvals (register_id, actions, reason, approved_by, approved_at, expires_at)
  values (
    p_register_id, p_actions, p_reason, auth.uid(), interlock.clock(), interlock.clock() + interval '5 minutes'
  )
  returning * into v_approval;
  return jsonb_build_object('success', true, 'approval', jsonb_build_object(
    'id', v_approval.id, 'register_id', p_register_id, 'actions', p_actions, 'expires_at', v_approval.expires_at
  ));
end
$$;
