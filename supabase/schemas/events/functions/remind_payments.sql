-- Note as an event, once for each, that orders by bank transfer end soon unless they are paid; answers how many were noted. Only if
-- somebody is to be reminded by mail.
--
-- Callers: the jobs of interlock.jobs.
-- Locks: none that is waited for, but for one who reminds of the same order.
create function interlock.remind_payments(p_limit int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_order_id uuid;
  v_count int := 0;
begin
  for v_order_id in
    insert into interlock.mail_reminders (order_id)
    select o.id
    from interlock.mail_settings s
    join interlock.webhook_endpoints w on w.id = s.endpoint_id and w.active
    join interlock.orders o
      on o.status = 'pending_payment'
      and o.payment_expires_at > interlock.clock()
      and o.payment_expires_at <= interlock.clock() + s.remind_before
    where 'payment_reminder' = any (s.kinds)
      and o.payment_method = 'bank_transfer'
      and o.proof_submitted_at is null
      -- Who has so little time was told when they ordered.
      and o.created_at < o.payment_expires_at - 2 * s.remind_before
      and not exists (select from interlock.mail_reminders r where r.order_id = o.id)
    order by o.payment_expires_at
    limit p_limit
    on conflict do nothing
    returning order_id
  loop
    perform interlock.note_event('order.payment_due', v_order_id::text, jsonb_build_object('order_id', v_order_id));
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$$;
