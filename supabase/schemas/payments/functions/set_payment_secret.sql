-- What public.set_payment_secret does, with its owner's rights: the secret counts from now on, and the one before it
-- still does, until the next one comes. Given again it is the latest.
--
-- Callers: service_role, through public.set_payment_secret.
-- Locks: the table of secrets, against another one who sets a secret.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: nobody reads or writes secrets.
create function interlock.set_payment_secret(p_provider text, p_secret text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_provider is distinct from 'stripe' then
    v_problems := v_problems || interlock.problem('/p_provider', 'must be stripe');
  end if;
  if (char_length(p_secret) between 16 and 255 and p_secret ~ '^[\x21-\x7e]+$') is not true then
    v_problems := v_problems || interlock.problem('/p_secret', 'must be 16 to 255 printable ASCII characters, as whsec_…');
  end if;
  perform interlock.refuse_problems(v_problems);

  lock table interlock.payment_secrets in share row exclusive mode;
  delete from interlock.payment_secrets s where s.provider = p_provider and s.secret = p_secret;
  insert into interlock.payment_secrets (provider, secret) values (p_provider, p_secret);
  delete from interlock.payment_secrets s
  where s.provider = p_provider
    and s.id not in (
      select l.id from interlock.payment_secrets l where l.provider = p_provider order by l.id desc limit 2
    );

  return jsonb_build_object('success', true, 'provider', p_provider);
end
$$;
