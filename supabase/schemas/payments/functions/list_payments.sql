-- What public.list_payments does, with its owner's rights: payments by card that staff have to look at, the oldest first,
-- a page at a time. Without a status those whose money has to go back, or pays no order.
--
-- Callers: authenticated (staff) and service_role, through public.list_payments.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: payments of others are not readable otherwise.
create function interlock.list_payments(p_status text, p_after uuid, p_limit int)
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
  if p_status not in ('open', 'processing', 'canceled', 'succeeded', 'refund_due', 'refunded', 'flagged') then
    v_problems := v_problems || interlock.problem(
      '/p_status', 'must be open, processing, canceled, succeeded, refund_due, refunded or flagged'
    );
  end if;
  if p_limit is null or p_limit not between 1 and 200 then
    v_problems := v_problems || interlock.problem('/p_limit', 'must be an integer from 1 to 200');
  end if;
  perform interlock.refuse_problems(v_problems);

  return jsonb_build_object('success', true, 'payments', coalesce((
    select jsonb_agg(
      to_jsonb(f) - 'shop_id' || jsonb_build_object('user_id', o.user_id, 'order_status', o.status)
      order by f.id
    )
    from (
      select q.*
      from interlock.payments q
      where case when p_status is null then q.status in ('refund_due', 'flagged') else q.status = p_status end
        and (p_after is null or q.id > p_after)
      order by q.id
      limit p_limit
    ) f
    left join interlock.orders o on o.id = f.order_id
  ), '[]'));
end
$$;
