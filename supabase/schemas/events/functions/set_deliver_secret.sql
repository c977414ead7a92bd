-- What public.set_deliver_secret does, with its owner's rights: the secret by which a worker may claim deliveries counts from
-- now on, and the one before it still does, until the next one comes. Its hash alone is kept.
--
-- Callers: service_role, through public.set_deliver_secret.
-- Locks: the table of secrets, against another one who sets a secret.
-- Errors: VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody reads or writes secrets.
create function interlock.set_deliver_secret(p_secret text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_hash constant bytea := sha256(convert_to(p_secret, 'UTF8'));
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if (char_length(p_secret) between 32 and 255 and p_secret ~ '^[\x21-\x7e]+$') is not true then
    perform interlock.refuse_problems(interlock.problem('/p_secret', 'must be 32 to 255 printable ASCII characters'));
  end if;

  lock table interlock.deliver_secrets in share row exclusive mode;
  delete from interlock.deliver_secrets s where s.hash = v_hash;
  insert into interlock.deliver_secrets (hash) values (v_hash);
  delete from interlock.deliver_secrets s
  where s.id not in (select l.id from interlock.deliver_secrets l order by l.id desc limit 2);
  return jsonb_build_object('success', true);
end
$$;
