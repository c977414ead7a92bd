-- HMAC-SHA256 (RFC 2104) on the hash that Postgres has built in: pgcrypto has it too, but lies in another schema on each
-- kind of host, and may be missing.
--
-- Callers: interlock.find_signature_problem, interlock.find_mail_signature_problem, interlock.sign_webhook.
create function interlock.hmac_sha256(p_key bytea, p_message bytea)
returns bytea
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  v_key bytea := case when length(p_key) > 64 then sha256(p_key) else p_key end;
  v_inner bytea := decode(repeat('36', 64), 'hex');
  v_outer bytea := decode(repeat('5c', 64), 'hex');
begin
  for v_n in 0 .. length(v_key) - 1 loop
    v_inner := set_byte(v_inner, v_n, get_byte(v_key, v_n) # 54);
    v_outer := set_byte(v_outer, v_n, get_byte(v_key, v_n) # 92);
  end loop;
  return sha256(v_outer || sha256(v_inner || p_message));
end
$$;
