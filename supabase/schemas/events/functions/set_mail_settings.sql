-- What public.set_mail_settings does, with its owner's rights: has mails written from now on, or changes how; what is null stays. An empty
-- text takes reply_to or order_url away.
--
-- Callers: authenticated (staff) and service_role, through public.set_mail_settings.
-- Locks: the cursor; the endpoint of mails.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody has the right to write endpoints and settings of mails.
create function interlock.set_mail_settings(
  p_sender text, p_reply_to text, p_language text, p_kinds text[], p_order_url text, p_remind_before interval, p_active boolean
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_kinds constant text[] := array[
    'order_confirmed', 'payment_received', 'order_shipped', 'order_refunded', 'payment_reminder'
  ];
  v_endpoint interlock.webhook_endpoints;
  v_settings interlock.mail_settings;
  v_problems jsonb := '[]'::jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  if p_sender is null and not exists (select from interlock.mail_settings) then
    v_problems := v_problems || interlock.problem('/p_sender', 'is required');
  elsif not (
    char_length(p_sender) <= 320
    and p_sender ~ '^([^<>@"\\[:cntrl:]]+ <[^@<>\s]+@[^@<>\s]+[.][^@<>\s]+>|[^@<>\s]+@[^@<>\s]+[.][^@<>\s]+)$'
  ) then
    v_problems := v_problems || interlock.problem('/p_sender', 'must be an address, or as Shop <orders@example.com>');
  end if;
  if p_reply_to <> '' and interlock.normal_email(p_reply_to) is null then
    v_problems := v_problems || interlock.problem('/p_reply_to', 'must be an e-mail address');
  end if;
  if p_language not in ('en', 'de') then
    v_problems := v_problems || interlock.problem('/p_language', 'must be en or de');
  end if;
  if not p_kinds <@ v_kinds then
    v_problems := v_problems || interlock.problem('/p_kinds', format('must be some of %s', array_to_string(v_kinds, ', ')));
  end if;
  if p_order_url <> '' and not (
    p_order_url ~ '^https?://[^[:space:]<>"]+$' and char_length(p_order_url) <= 500 and p_order_url like '%{order\_id}%'
  ) then
    v_problems := v_problems || interlock.problem(
      '/p_order_url', 'must be a URL of at most 500 characters with {order_id} in it'
    );
  end if;
  if not p_remind_before between interval '10 minutes' and interval '30 days' then
    v_problems := v_problems || interlock.problem('/p_remind_before', 'must be 10 minutes to 30 days');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_endpoint := interlock.open_channel('email', 'E-mail', interlock.mail_event_types(), p_active);
  insert into interlock.mail_settings as m (endpoint_id, sender, reply_to, language, kinds, order_url, remind_before)
  values (
    v_endpoint.id, coalesce(p_sender, (select s.sender from interlock.mail_settings s)), interlock.normal_email(p_reply_to),
    coalesce(p_language, 'en'), coalesce(p_kinds, v_kinds), nullif(p_order_url, ''), coalesce(p_remind_before, interval '24 hours')
  )
  on conflict on constraint mail_settings_pkey
  do update
  set sender = coalesce(p_sender, m.sender),
      reply_to = case when p_reply_to is null then m.reply_to else excluded.reply_to end,
      language = coalesce(p_language, m.language),
      kinds = coalesce(p_kinds, m.kinds),
      order_url = case when p_order_url is null then m.order_url else excluded.order_url end,
      remind_before = coalesce(p_remind_before, m.remind_before)
  returning * into v_settings;

  return jsonb_build_object(
    'success', true, 'mail', to_jsonb(v_settings) - 'shop_id' || jsonb_build_object('active', v_endpoint.active)
  );
end
$$;
