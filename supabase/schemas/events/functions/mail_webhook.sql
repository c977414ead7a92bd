-- What public.mail_webhook does, with its owner's rights: what Resend tells of a mail. Nobody is signed in; the signature of the raw body is
-- what gives it its right, and is asked for before anything is read or written. To an address that has bounced for good, or whose reader
-- has complained, nothing is sent from now on. Told twice it is the same. All else is answered with success, too: it would be sent
-- again for days.
--
-- Callers: anon, authenticated and service_role, through public.mail_webhook, of the function mail-webhook.
-- Locks: the addresses' rows, in their order.
-- Errors: VALIDATION_FAILED, WEBHOOK_SIGNATURE_INVALID with the reason; 55P03 is transient.
-- Security definer: nobody has the right to write suppressions.
create function interlock.mail_webhook(p_body text, p_signature text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problem text;
  v_event jsonb;
  v_reason text;
  v_suppressed int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_body is null or octet_length(p_body) > 65536 then
    perform interlock.refuse_problems(interlock.problem('', 'must be an event of at most 64 KiB'));
  end if;
  v_problem := interlock.find_mail_signature_problem(p_body, p_signature);
  if v_problem is not null then
    perform interlock.raise_error('WEBHOOK_SIGNATURE_INVALID', jsonb_build_object('reason', v_problem));
  end if;

  begin
    v_event := p_body::jsonb;
  exception
    when others then
      -- No JSON, or text that the database cannot hold.
      v_event := null;
  end;
  if (jsonb_typeof(v_event -> 'type') = 'string') is not true then
    perform interlock.refuse_problems(interlock.problem('', 'must be an event: a JSON object with type and data'));
  end if;

  v_reason := case
    when v_event ->> 'type' = 'email.complained' then 'complained'
    -- A full mailbox, or a server that is away, is no reason for good.
    when v_event ->> 'type' = 'email.bounced' and coalesce(v_event #>> '{data,bounce,type}', 'Permanent') = 'Permanent' then 'bounced'
  end;
  if v_reason is not null and jsonb_typeof(v_event #> '{data,to}') = 'array' then
    insert into interlock.mail_suppressions (email, reason)
    select distinct interlock.normal_email(t.address), v_reason
    from (select * from jsonb_array_elements_text(v_event #> '{data,to}') limit 100) as t (address)
    where interlock.normal_email(t.address) is not null
    order by 1
    on conflict on constraint mail_suppressions_pkey do update set reason = excluded.reason;
    get diagnostics v_suppressed = row_count;
  end if;

  return jsonb_build_object(
    'success', true, 'outcome', case when v_suppressed > 0 then 'suppressed' else 'ignored' end
  );
end
$$;
