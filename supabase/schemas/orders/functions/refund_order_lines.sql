-- What public.refund_order_lines does, with its owner's rights: so many units of lines of an order, and its shipping, are
-- taken off it. Before it is paid it costs less by that, and only what the wallet
-- has paid for it goes back; after that the money goes back as interlock.give_back says, unless
-- the shop has given it back itself (p_outside). An order of which no unit is left is cancelled or refunded as a whole,
-- with its shipping. One that has nothing to pay any more is paid.
--
-- Of a line that was sent in part the units that have not left come first, unless it says which are meant (shipped).
--
-- Units come back into stock as the line says (restock), else as p_restock says, else if they have not been sent. Of
-- digital products the codes that nobody has seen do, and no others; of what took nothing from the stock nothing does.
--
-- Callers: authenticated (staff) and service_role, through public.refund_order_lines.
-- Locks: the reference; then as interlock.take_off_order. Two seconds at most in all.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT (the order has ended),
--   REFUND_EXCEEDS_ORDER, WALLET_OWNER_GONE, STOCK_LIMIT_EXCEEDED, IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.refund_order_lines(
  p_order_id uuid,
  p_lines jsonb,
  p_reason text,
  p_restock boolean,
  p_shipping boolean,
  p_outside boolean,
  p_reference text
)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_answer jsonb;
  v_refund_id uuid;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  if p_order_id is null then
    v_problems := v_problems || interlock.problem('/p_order_id', 'is required');
  end if;
  -- Shipping alone goes back without lines.
  if not (p_shipping is true and coalesce(p_lines, '[]') = '[]') then
    v_problems := v_problems || interlock.find_line_problems(p_lines, array['restock', 'shipped']);
  end if;
  if not interlock.is_line(p_reason, 200) then
    v_problems := v_problems || interlock.problem('/p_reason', 'must have 1 to 200 characters');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference('refund_order_lines', p_reference, jsonb_build_array(
    p_order_id, p_lines, p_reason, p_restock, p_shipping, p_outside
  ));
  if v_answer is not null then
    return v_answer::json;
  end if;

  v_refund_id := interlock.take_off_order(p_order_id, p_lines, p_reason, p_restock, p_shipping, p_outside);

  return interlock.finish_reference(
    'refund_order_lines', p_reference,
    interlock.order_answer(p_order_id)::jsonb || jsonb_build_object('refund_id', v_refund_id)
  )::text::json;
end
$$;
