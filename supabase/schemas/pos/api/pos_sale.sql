create function public.pos_sale(
  p_register_id uuid,
  p_lines jsonb,
  p_tenders jsonb default '[]',
  p_expected_total bigint default null,
  p_idempotency_key text default null
)
returns json
language sql
security invoker
set search_path = ''
as $$
  select interlock.pos_sale(p_register_id, p_lines, p_tenders, p_expected_total, p_idempotency_key)
$$;

comment on function public.pos_sale(uuid, jsonb, jsonb, bigint, text) is
  'A sale at a till: stock, lines, tenders, change, drawer and receipt number together, or nothing. For whoever works at a till, and the service role.';
