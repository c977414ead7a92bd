-- Undoes 20251110000050_error_catalogue.sql: the catalogue of 20251101000200 again. Newest first: run it
-- in one transaction, then `supabase migration repair --status reverted 20251110000050`.

set local lock_timeout = '5s';

create or replace function private.raise_error(p_code text, p_detail jsonb default null)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_status text;
  v_hint text;
begin
  case p_code
    when 'VALIDATION_FAILED' then
      v_status := '400';
      v_hint := 'Correct every problem listed in details.problems; each has a JSON pointer to its field.';
    when 'UNAUTHENTICATED' then
      v_status := '401';
      v_hint := 'Sign in and send the user''s access token as Authorization: Bearer <token>; an API key is not a user.';
    when 'FORBIDDEN' then
      v_status := '403';
      v_hint := 'Sign in as a user who has the right to do it.';
    when 'NOT_A_DRIVER' then
      v_status := '403';
      v_hint := 'Ask the shop to add this user to its drivers, or to activate the driver again.';
    when 'BATCH_NOT_FOUND' then
      v_status := '404';
      v_hint := 'Check batch_id, or send {} to claim the next available batch.';
    when 'METHOD_NOT_ALLOWED' then
      v_status := '405';
      v_hint := 'Send the same request as POST.';
    when 'BATCH_UNAVAILABLE' then
      v_status := '409';
      v_hint := 'Take another batch: send {} to claim the next available one.';
    when 'NO_BATCH_AVAILABLE' then
      v_status := '409';
      v_hint := 'Ask again when new batches come in.';
    when 'DRIVER_BUSY' then
      v_status := '409';
      v_hint := 'Complete or release the batch in details.batch_id first.';
    when 'LEASE_EXPIRED' then
      v_status := '409';
      v_hint := 'Claim the batch again; if another driver has it by then, take another one.';
    when 'BATCH_NOT_HELD' then
      v_status := '409';
      v_hint := 'Claim the batch before you renew, release, start or complete it.';
    when 'BODY_TOO_LARGE' then
      v_status := '413';
      v_hint := 'Send at most 64 KiB.';
    when 'UNSUPPORTED_MEDIA_TYPE' then
      v_status := '415';
      v_hint := 'Send the header Content-Type: application/json.';
    when 'INTERNAL' then
      v_status := '500';
      v_hint := 'Tell the shop''s operator the request_id; the function''s log has the cause under it.';
    when 'UPSTREAM_UNAVAILABLE' then
      v_status := '503';
      v_hint := 'Send the same request again after Retry-After seconds.';
    when 'UPSTREAM_TIMEOUT' then
      v_status := '504';
      v_hint := 'Send the same request again after Retry-After seconds.';
    else
      raise exception using
        errcode = 'PT500',
        message = 'INTERNAL',
        detail = jsonb_build_object('unknown_code', p_code)::text,
        hint = 'Report this with the request id.';
  end case;

  raise exception using
    errcode = 'PT' || v_status,
    message = p_code,
    detail = coalesce(p_detail::text, ''),
    hint = v_hint;
end
$$;
