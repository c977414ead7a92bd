create function public.claim_route(
  p_batch_id uuid default null,
  p_action text default 'claim',
  p_idempotency_key text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.claim_route(p_batch_id, p_action, p_idempotency_key);
end
$$;

comment on function public.claim_route(uuid, text, text) is
  'Claims a delivery batch for the calling driver (the next one without p_batch_id); p_action renew, release, start or complete acts on one they hold.';
