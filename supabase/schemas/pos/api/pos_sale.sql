create function public.pos_sale(
  p_register_id uuid,
  p_lines jsonb default null,
  p_tenders jsonb default null,
  p_returns jsonb default null,
  p_customer jsonb default null,
  p_promo_code text default null,
  p_parked_sale_id uuid default null,
  p_client_time timestamptz default null,
  p_shift_id uuid default null,
  p_approval_id uuid default null,
  p_expected_total bigint default null,
  p_idempotency_key text default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.pos_sale(
    p_register_id, p_lines, p_tenders, p_returns, p_customer, p_promo_code, p_parked_sale_id, p_client_time, p_shift_id,
    p_approval_id, p_expected_total, p_idempotency_key
  );
end
$$;

comment on function public.pos_sale(uuid, jsonb, jsonb, jsonb, jsonb, text, uuid, timestamptz, uuid, uuid, bigint, text) is
  'A sale at a till: stock, lines, tenders, change, drawer and receipt number together, or nothing. For whoever works at a till, and the service role.';
