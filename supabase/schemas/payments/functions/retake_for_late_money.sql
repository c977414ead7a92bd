-- Take what an order held again, because its money has come after its end; whether it could be had, all of it. Not for an
-- order that had been paid. settings.late_payments says whether the shop wants that: for orders that expired, for those
-- that were cancelled unpaid as well, or never.
--
-- Callers: interlock.apply_money, with the order locked.
-- Locks: as interlock.retake_order.
-- Errors: 55P03 and what else passes; a refusal is answered with false.
create function interlock.retake_for_late_money(p_order interlock.orders)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if p_order.paid_at is not null or not exists (
    select
    from interlock.settings s
    where s.late_payments = 'reopen' or (s.late_payments = 'reopen_expired' and p_order.status = 'expired')
  ) then
    return false;
  end if;

  perform interlock.retake_order(p_order.id);
  return true;
exception
  when others then
    -- Refusals of the catalogue; what passes by itself is the caller's, and the event comes again.
    if sqlstate !~ '^PT4' then
      raise;
    end if;
    return false;
end
$$;
