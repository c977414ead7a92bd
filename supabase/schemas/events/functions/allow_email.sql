-- What public.allow_email does, with its owner's rights: mails are sent to an address again. What was skipped stays so: retry_delivery.
--
-- Callers: authenticated (staff) and service_role, through public.allow_email.
-- Locks: the address's row.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody has the right to write suppressions.
create function interlock.allow_email(p_email text)
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
  );
  delete from interlock.mail_suppressions s where s.email = v_email;
  return jsonb_build_object('success', true, 'email', v_email, 'suppressed', false);
end
$$;
