create function public.store_card_payment(
  p_payment_id uuid,
  p_provider_id text default null,
  p_canceled boolean default false
)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return interlock.store_card_payment(p_payment_id, p_provider_id, p_canceled);
end
$$;

comment on function public.store_card_payment(uuid, text, boolean) is
  'The provider''s id of an attempt to pay an own order. Called by the function payment-intent.';
