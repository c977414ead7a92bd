-- Whether an API has refused a call for good, so that the same one will be refused again. A key that it does not know, or an
-- address that is not verified, is the shop's to set right; 409 is for good unless the very call is still under way (Resend).
--
-- Callers: interlock.record_delivery.
-- Locks: none.
create function interlock.is_refused(p_status int, p_answer text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return p_status between 400 and 499
    and p_status not in (401, 403, 408, 425, 429)
    and not (p_status = 409 and coalesce(p_answer, '') like '%concurrent_idempotent_requests%');
end
$$;
