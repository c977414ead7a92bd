-- Whom a mail about an order goes to, in its normal form: the account's address, or what a guest has said (`email` of the order's
-- contact). Null where nobody is known.
--
-- Callers: interlock.write_mail, interlock.preview_mail.
-- Locks: none.
create function interlock.mail_recipient(p_order_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(
      case when not coalesce(u.is_anonymous, false) then interlock.normal_email(u.email) end,
      interlock.normal_email(d.contact ->> 'email')
    )
    from interlock.orders o
    join interlock.accounts u on u.id = o.user_id
    left join interlock.order_details d on d.order_id = o.id
    where o.id = p_order_id
  );
end
$$;
