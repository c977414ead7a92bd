-- Refuse tenders that do not pay out what a customer gets: another sum, or by one type more than has come in by it. That is what
-- was paid for the sale with which it began and all that was exchanged for it, less what was paid out; goods
-- that came back without a receipt count as cash, and what is paid out for them is cash. Points and wallets are those of one customer
-- (p_customer_id): what others have paid with theirs does not count.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals, which holds that sale.
-- Locks: none beyond it.
-- Errors: UNDERPAID, OVERPAID, REFUND_EXCEEDS_PAID.
create function interlock.refuse_refund(p_tenders jsonb, p_total bigint, p_root_sale_id uuid, p_currency text, p_customer_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_paid constant numeric := (
    select coalesce(sum(t.amount), 0) from jsonb_to_recordset(p_tenders) as t (amount numeric)
  );
  v_tenders jsonb;
  v_exceeded boolean;
begin
  if v_paid < -p_total then
    perform interlock.raise_error('UNDERPAID', jsonb_build_object(
      'total', p_total, 'paid', v_paid, 'missing', -p_total - v_paid, 'currency', p_currency
    ));
  end if;
  if v_paid > -p_total then
    perform interlock.raise_error('OVERPAID', jsonb_build_object(
      'total', p_total, 'paid', v_paid, 'excess', v_paid + p_total, 'currency', p_currency
    ));
  end if;

  with sales as (
    select s.* from interlock.exchanged_sales(p_root_sale_id) s
  ),
  received as (
    select t.type::text, case when s.total < 0 then -t.amount else t.amount end::numeric as amount
    from sales s
    join interlock.sale_tenders t on t.sale_id = s.id
    where t.type in ('cash', 'card')
      or s.customer_id = p_customer_id
    union all
    select 'cash', -s.change_due from sales s
    union all
    select 'cash', s.returned from sales s where s.root_sale_id is null
    union all
    select 'cash', -p_total where p_root_sale_id is null
  ),
  asked as (
    select t.type, sum(t.amount) as amount
    from jsonb_to_recordset(p_tenders) as t (type text, amount numeric)
    group by t.type
  ),
  refundable as (
    select r.type, greatest(sum(r.amount), 0) as amount
    from received r
    group by r.type
  )
  select
    jsonb_agg(
      jsonb_build_object('type', k.type, 'requested', k.requested, 'refundable', k.refundable) order by k.type
    ),
    bool_or(k.requested > k.refundable)
  into v_tenders, v_exceeded
  from (
    select u.type, sum(u.requested) as requested, sum(u.refundable) as refundable
    from (
      select a.type, a.amount as requested, 0::numeric as refundable from asked a
      union all
      select r.type, 0, r.amount from refundable r
    ) u
    group by u.type
  ) k;
  if v_exceeded then
    perform interlock.raise_error('REFUND_EXCEEDS_PAID', jsonb_build_object(
      'total', p_total, 'currency', p_currency, 'tenders', v_tenders
    ));
  end if;
end
$$;
