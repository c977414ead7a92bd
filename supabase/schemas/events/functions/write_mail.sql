-- Write the mail of a delivery, once; answers why there is none to send, or null. While somebody removes or moves the buyer's account it is
-- `busy`: what is written of a person must not outlive them.
--
-- Callers: interlock.write_mails.
-- Locks: the buyer's account, shared; it is not waited for.
create function interlock.write_mail(
  p_delivery_id bigint, p_subject text, p_event_type text, p_at timestamptz
)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_settings constant interlock.mail_settings := (select s from interlock.mail_settings s);
  v_order interlock.orders;
  v_kind text;
  v_recipient text;
  v_mail jsonb;
begin
  select o.* into v_order from interlock.orders o where o.id = p_subject::uuid;
  v_kind := interlock.mail_kind_of(p_event_type, v_order);
  if v_kind is null then
    return 'nothing to say';
  elsif not v_kind = any (v_settings.kinds) then
    return 'not of the kinds that are written';
  end if;
  if v_order.user_id is not null then
    perform from interlock.accounts u where u.id = v_order.user_id for key share skip locked;
    if not found then
      return 'busy';
    end if;
  end if;
  v_recipient := interlock.mail_recipient(v_order.id);
  if v_recipient is null then
    return 'no address';
  elsif exists (select from interlock.mail_suppressions s where s.email = v_recipient) then
    return 'suppressed';
  end if;

  v_mail := interlock.render_mail(v_order, v_kind, interlock.mail_language(v_order.id), p_event_type, p_at);
  insert into interlock.mails (delivery_id, order_id, kind, recipient, body)
  values (p_delivery_id, v_order.id, v_kind, v_recipient, jsonb_strip_nulls(jsonb_build_object(
    'from', v_settings.sender, 'to', jsonb_build_array(v_recipient), 'reply_to', v_settings.reply_to,
    'subject', v_mail -> 'subject', 'text', v_mail -> 'text', 'html', v_mail -> 'html',
    'tags', jsonb_build_array(jsonb_build_object('name', 'kind', 'value', v_kind))
  ))::text);
  return null;
end
$$;
