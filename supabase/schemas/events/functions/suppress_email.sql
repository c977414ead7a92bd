-- What public.suppress_email does, with its owner's rights: nothing is sent to an address from now on.
--
-- Callers: authenticated (staff) and service_role, through public.suppress_email.
-- Locks: the address's row.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody has the right to write suppressions.
create function interlock.suppress_email(p_email text, p_reason text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_email constant text := interlock.normal_email(p_email);
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  perform interlock.refuse_problems(
    case when v_email is null then interlock.problem('/p_email', 'must be an e-mail address') else '[]' end
    || case when (p_reason in ('bounced', 'complained', 'unwanted')) is not true then
      interlock.problem('/p_reason', 'must be bounced, complained or unwanted') else '[]' end
  );
  insert into interlock.mail_suppressions (email, reason) values (v_email, p_reason)
  on conflict on constraint mail_suppressions_pkey do update set reason = excluded.reason;
  return jsonb_build_object('success', true, 'email', v_email, 'suppressed', true);
end
$$;
