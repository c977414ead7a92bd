-- What public.preview_mail does, with its owner's rights: a mail about an order as it would be written now, and who would get it.
--
-- Callers: authenticated (staff) and service_role, through public.preview_mail.
-- Locks: none.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, ORDER_NOT_FOUND.
-- Security definer: nobody has the right to read templates and accounts.
create function interlock.preview_mail(p_order_id uuid, p_kind text, p_language text)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_order interlock.orders;
  v_language text;
begin
  perform interlock.refuse_unless_shop();
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  v_language := coalesce(p_language, interlock.mail_language(p_order_id));
  perform interlock.refuse_problems(interlock.find_mail_problems(p_kind, v_language));
  if v_order.id is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;
  return jsonb_build_object('success', true, 'to', interlock.mail_recipient(p_order_id), 'language', v_language)
    || interlock.render_mail(
      v_order, p_kind, v_language,
      case
        when p_kind = 'order_shipped' and v_order.fulfillment = 'partly_shipped' then 'order.partly_shipped'
        when p_kind = 'order_refunded' and exists (
          select from interlock.order_refunds r where r.order_id = p_order_id
        ) then 'order.lines_refunded'
      end,
      interlock.clock()
    );
end
$$;
