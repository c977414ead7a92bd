create function public.begin_card_payment(p_order_id uuid default null)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return interlock.begin_card_payment(p_order_id);
end
$$;

comment on function public.begin_card_payment(uuid) is
  'The open attempt to pay an own order by card, or a new one. Called by the function payment-intent.';
