-- What is wrong with the kind and the language of a mail; an empty list if nothing is.
--
-- Callers: interlock.set_mail_template, interlock.preview_mail.
-- Locks: none.
create function interlock.find_mail_problems(p_kind text, p_language text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when (p_kind in (
      'order_confirmed', 'payment_received', 'order_shipped', 'order_refunded', 'payment_reminder'
    )) is not true then interlock.problem(
      '/p_kind', 'must be order_confirmed, payment_received, order_shipped, order_refunded or payment_reminder'
    )
    else '[]'
  end || case
    when (p_language in ('en', 'de')) is not true then interlock.problem('/p_language', 'must be en or de')
    else '[]'
  end;
end
$$;
