-- What public.set_mail_webhook_secret does, with its owner's rights: the secret by which Resend signs what it tells of mails counts from now on,
-- and the one before it still does, until the next one comes. Given again it is the latest.
--
-- Callers: service_role, through public.set_mail_webhook_secret.
-- Locks: the table of secrets, against another one who sets a secret.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: nobody reads or writes secrets.
create function interlock.set_mail_webhook_secret(p_secret text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if (p_secret ~ '^whsec_([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$' and char_length(p_secret) between 38 and 94) is not true then
    perform interlock.refuse_problems(interlock.problem('/p_secret', 'must be whsec_ and the base64 of 24 to 64 bytes'));
  end if;

  lock table interlock.mail_webhook_secrets in share row exclusive mode;
  delete from interlock.mail_webhook_secrets s where s.secret = p_secret;
  insert into interlock.mail_webhook_secrets (secret) values (p_secret);
  delete from interlock.mail_webhook_secrets s
  where s.id not in (select l.id from interlock.mail_webhook_secrets l order by l.id desc limit 2);
  return jsonb_build_object('success', true);
end
$$;
