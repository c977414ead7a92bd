-- Whether a path is one of a payment proof: USER_ID/ORDER_ID/NAME, the name of plain characters and with the ending of a
-- document or picture.
--
-- Callers: interlock.submit_payment_proof, interlock.may_upload_proof, interlock.guard_proof_upload.
create function interlock.is_proof_path(p_path text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return p_path ~ '^[0-9a-f-]{36}/[0-9a-f-]{36}/[A-Za-z0-9][A-Za-z0-9._ -]*$'
    and p_path ~* '\.(pdf|jpg|jpeg|png|webp|heic)$'
    and char_length(p_path) <= 200;
end
$$;
