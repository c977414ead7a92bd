-- Raise an error of the catalogue. SQLSTATE is PT + HTTP status (PostgREST answers with that status), message
-- is the code, detail a JSON text for machines, hint the next step for the client.
--
-- Errors: the one asked for; INTERNAL for a code that is not in the catalogue.
create function interlock.raise_error(p_code text, p_detail jsonb default null)
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
    when 'INSUFFICIENT_FUNDS' then
      v_status := '402';
      v_hint := 'Top up the wallet, or choose another payment_method; details has the balance and the amount.';
    when 'FORBIDDEN' then
      v_status := '403';
      v_hint := 'Sign in as a user who has the right to do it.';
    when 'NOT_A_DRIVER' then
      v_status := '403';
      v_hint := 'Ask the shop to add this user to its drivers, or to activate the driver again.';
    when 'BATCH_NOT_FOUND' then
      v_status := '404';
      v_hint := 'Check batch_id, or send {} to claim the next available batch.';
    when 'PRODUCT_NOT_FOUND' then
      v_status := '404';
      v_hint := 'Remove the products in details.product_ids from the cart: they do not exist or are not for sale.';
    when 'ORDER_NOT_FOUND' then
      v_status := '404';
      v_hint := 'Check order_id, and that you are signed in as the user who placed the order.';
    when 'USER_NOT_FOUND' then
      v_status := '404';
      v_hint := 'Check the user id.';
    when 'PROMO_NOT_FOUND' then
      v_status := '404';
      v_hint := 'Check the spelling of the code, or send the request without it.';
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
    when 'INSUFFICIENT_INVENTORY' then
      v_status := '409';
      v_hint := 'Lower each quantity in details.shortages to what is available, or remove the line.';
    when 'ORDER_NOT_CANCELLABLE' then
      v_status := '409';
      v_hint := 'Look at details.status: an order that is paid is cancelled or refunded by the shop, one that has ended cannot be.';
    when 'ORDER_STATE_CONFLICT' then
      v_status := '409';
      v_hint := 'Look at details.status: the order is not in a state in which this can be done.';
    when 'PROMO_EXHAUSTED' then
      v_status := '409';
      v_hint := 'Use another code, or send the request without it.';
    when 'PROMO_ALREADY_APPLIED' then
      v_status := '409';
      v_hint := 'Use the code in the cart that holds it, or wait until that hold is over.';
    when 'PROMO_CHANGED' then
      v_status := '409';
      v_hint := 'Validate the code again: its terms are no longer those it was held under.';
    when 'PROMO_EXPIRED' then
      v_status := '410';
      v_hint := 'Use another code, or send the request without it.';
    when 'BODY_TOO_LARGE' then
      v_status := '413';
      v_hint := 'Send at most 64 KiB.';
    when 'UNSUPPORTED_MEDIA_TYPE' then
      v_status := '415';
      v_hint := 'Send the header Content-Type: application/json.';
    when 'IDEMPOTENCY_KEY_REUSED' then
      v_status := '422';
      v_hint := 'Use a new Idempotency-Key for a new request; repeat a key only with exactly the same request.';
    when 'MIXED_CURRENCIES' then
      v_status := '422';
      v_hint := 'Check out the products of each currency in details.currencies separately.';
    when 'CURRENCY_MISMATCH' then
      v_status := '422';
      v_hint := 'Choose another payment_method, or products in the wallet''s currency; details has both.';
    when 'PROMO_NOT_APPLICABLE' then
      v_status := '422';
      v_hint := 'Look at details.reason: change the cart, or send the request without the code.';
    when 'PROMO_NOT_STARTED' then
      v_status := '422';
      v_hint := 'Try the code again once details.starts_at has come.';
    when 'TOO_MANY_ATTEMPTS' then
      v_status := '429';
      v_hint := 'Wait Retry-After seconds before the next attempt.';
    when 'INTERNAL' then
      v_status := '500';
      v_hint := 'Tell the shop''s operator the request_id; the function''s log has the cause under it.';
    when 'UPSTREAM_UNAVAILABLE' then
      v_status := '503';
      v_hint := 'Send the same request again after Retry-After seconds.';
    when 'UPSTREAM_TIMEOUT' then
      v_status := '504';
      v_hint := 'Send it again under the same Idempotency-Key; without one, look first whether it took effect.';
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
