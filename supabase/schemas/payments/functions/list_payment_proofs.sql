-- What public.list_payment_proofs does, with its owner's rights: the queue of proofs that staff and the shop decide, the
-- oldest first, a page at a time.
--
-- Callers: authenticated (staff) and service_role, through public.list_payment_proofs.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: proofs of others are not readable otherwise.
create function interlock.list_payment_proofs(p_status text, p_after bigint, p_limit int)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  perform interlock.refuse_unless_shop();
  if p_status is null or p_status not in ('submitted', 'accepted', 'rejected', 'closed') then
    v_problems := v_problems || interlock.problem('/p_status', 'must be submitted, accepted, rejected or closed');
  end if;
  if p_limit is null or p_limit not between 1 and 200 then
    v_problems := v_problems || interlock.problem('/p_limit', 'must be an integer from 1 to 200');
  end if;
  perform interlock.refuse_problems(v_problems);

  return jsonb_build_object('success', true, 'payment_proofs', coalesce((
    select jsonb_agg(
      to_jsonb(f) - 'shop_id' || jsonb_build_object(
        'user_id', o.user_id,
        'order_status', o.status,
        'total', o.total,
        'wallet_amount', o.wallet_amount,
        'refunded', o.refunded,
        'currency', o.currency,
        'payment_expires_at', o.payment_expires_at
      )
      order by f.id
    )
    from (
      select q.*
      from interlock.payment_proofs q
      where q.status = p_status
        and (p_after is null or q.id > p_after)
      order by q.id
      limit p_limit
    ) f
    join interlock.orders o on o.id = f.order_id
  ), '[]'));
end
$$;
