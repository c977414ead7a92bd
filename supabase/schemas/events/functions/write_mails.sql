-- Have all mails of deliveries written that are about to be sent. What is not to be sent ends here: a mail to nobody or to
-- an address that is suppressed is skipped; one that was tried a day ago is dead, as Resend has forgotten by then whether it
-- had it; and one that cannot be written is dead, and stops no other.
--
-- Callers: interlock.claim_deliveries.
-- Locks: the deliveries, which the caller has; as interlock.write_mail.
create function interlock.write_mails(p_delivery_ids bigint[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_now constant timestamptz := interlock.clock();
  v_one record;
  v_reason text;
begin
  for v_one in
    select d.id, d.subject, e.type, e.created_at, m.delivery_id is not null as written, m.tried_at, s.reason as suppressed
    from interlock.deliveries d
    join interlock.webhook_endpoints w on w.id = d.endpoint_id and w.channel = 'email'
    cross join interlock.find_event(d.transaction, d.position) e
    left join interlock.mails m on m.delivery_id = d.id
    left join interlock.mail_suppressions s on s.email = m.recipient
    where d.id = any (p_delivery_ids)
    order by d.id
  loop
    v_reason := null;
    if v_one.tried_at < v_now - interval '23 hours' then
      perform interlock.skip_delivery(v_one.id, 'dead', 'tried a day ago: it may have arrived');
      continue;
    elsif v_one.suppressed is not null then
      v_reason := 'suppressed';
    elsif not v_one.written then
      begin
        v_reason := interlock.write_mail(v_one.id, v_one.subject, v_one.type, v_one.created_at);
      exception
        when others then
          perform interlock.skip_delivery(v_one.id, 'dead', format('it cannot be written: %s', sqlerrm));
          continue;
      end;
    end if;
    if v_reason = 'busy' then
      update interlock.deliveries d
      set lease = null, lease_until = null, next_attempt_at = v_now + interval '5 seconds'
      where d.id = v_one.id;
    elsif v_reason is not null then
      perform interlock.skip_delivery(v_one.id, 'skipped', v_reason);
    else
      update interlock.mails m set tried_at = v_now where m.delivery_id = v_one.id and m.tried_at is null;
    end if;
  end loop;
end
$$;
