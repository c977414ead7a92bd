-- Make a sale at a till, once nothing is wrong with the shape of its request (p_request is what was given of it): stock of every line, the
-- sale with its lines and tenders, the drawer, the receipt number and the stored answer.
--
-- A look without a lock comes first, as in interlock.checkout: what it refuses no order of events could have sold, and before it
-- refuses it asks for the answer of a twin. Prices and taxes are the database's (docs/prices.md), those that the look has seen.
-- The hottest rows come late: the stock, and last the register, whose receipts are numbered without gaps and whose shift
-- must be open then: so a sale is in the closing report, or finds the shift closed.
--
-- A sale with p_client_time has happened at a till that was cut off, so nothing refuses it that was true at another time: of the
-- stock what is there is taken and the rest written down (interlock.sale_shortfalls), prices are those that were paid, and
-- it belongs to the shift of then, closed or not.
--
-- Goods that come back (p_returns) are taken first, and what of them goes into the stock is put there in the same pass in which
-- the rest is sold: an exchange has one receipt and one balance, which is paid out if it is below nothing. It is of the customer who
-- had bought them, if they are known.
--
-- Callers: interlock.pos_sale, which tells what else is wrong when this refuses. What it refuses, and in which order, interlock.find_sale_refusals
--   goes through as well.
-- Locks: key of the sale; sales of which something comes back, as interlock.take_returns; an approval; with a customer what interlock.lock_buyer locks, of what they bring back also as interlock.take_returned_points; with a code what interlock.redeem_promo locks; a parked sale; stock as
--   interlock.put_back, then interlock.take_sold_stock or interlock.take_what_is_there; the register. References of card payments,
--   in their order, wait for who books the same one.
-- Errors: those of interlock.pos_sale.
create function interlock.make_sale(
  p_register_id uuid,
  p_lines jsonb,
  p_tenders jsonb,
  p_returns jsonb,
  p_customer jsonb,
  p_promo_code text,
  p_parked_sale_id uuid,
  p_client_time timestamptz,
  p_shift_id uuid,
  p_approval_id uuid,
  p_expected_total bigint,
  p_idempotency_key text,
  p_role text,
  p_request jsonb
)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_offline constant boolean := p_client_time is not null;
  v_sale_id constant uuid := interlock.new_id();
  v_register interlock.registers;
  v_look interlock.sale_look;
  v_limit numeric;
  v_refusals text[];
  v_tax bigint;
  v_tax_included bigint;
  v_taxes bigint[];
  v_percents numeric[];
  v_inclusive boolean[];
  v_subtotal bigint;
  v_discount bigint;
  v_returns interlock.sale_returns[];
  v_root_sale_id uuid;
  v_original_id uuid;
  v_owner_id uuid;
  v_taken_back bigint := 0;
  v_returned bigint := 0;
  v_put record;
  v_parked interlock.parked_sales;
  v_approved text[];
  v_approved_by uuid;
  v_total bigint;
  v_change bigint := 0;
  v_references jsonb;
  v_promo_discounts bigint[];
  v_buyer interlock.buyer;
  v_loyalty jsonb;
  v_receipt bigint;
  v_shift interlock.shifts;
  v_shortfalls jsonb;
  v_sale json;
  v_answer text;
begin
  select r.* into v_register from interlock.registers r where r.id = p_register_id;
  v_look := interlock.look_at_sale(p_lines, v_register.location_id, v_offline);
  if p_approval_id is not null then
    v_approved := interlock.look_at_approval(p_approval_id, p_register_id);
  end if;
  if p_role = 'cashier' and ('discount' = any (v_approved)) is not true then
    select s.max_cashier_discount into v_limit from interlock.settings s;
  end if;

  v_refusals := interlock.look_refusals(
    v_look, v_register.currency, case when not v_offline then v_limit end,
    -- What comes back, or was kept, may be what is sold.
    not v_offline and p_returns is null and p_parked_sale_id is null
  );
  if p_approval_id is not null and v_approved is null and v_refusals <@ array['DISCOUNT_NOT_ALLOWED', 'INSUFFICIENT_INVENTORY'] then
    v_refusals := array['APPROVAL_NOT_FOUND'] || v_refusals;
  end if;
  if v_refusals <> '{}' then
    v_answer := interlock.find_sale_answer(p_register_id, p_idempotency_key, p_client_time, p_request);
    if v_answer is not null then
      return v_answer::json;
    end if;
    perform interlock.raise_error('APPROVAL_NOT_FOUND', jsonb_build_object('approval_id', p_approval_id))
    where v_refusals[1] = 'APPROVAL_NOT_FOUND';
    perform interlock.refuse_look(v_refusals[1], v_look, p_register_id, v_register, '/lines', v_limit);
  end if;

  v_answer := interlock.begin_sale(p_register_id, p_idempotency_key, p_client_time, p_request);
  if v_answer is not null then
    return v_answer::json;
  end if;

  if p_returns is not null then
    select t.o_returns, t.o_root_sale_id, t.o_customer_id
    into v_returns, v_root_sale_id, v_owner_id
    from interlock.take_returns(
      p_returns, v_sale_id, v_register, p_role = 'manager' or coalesce('return_without_receipt' = any (v_approved), false)
    ) t;
    select sum(r.amount) into v_returned from unnest(v_returns) as r;
    v_original_id := v_returns[1].original_sale_id;
  end if;
  if p_approval_id is not null then
    v_approved_by := interlock.use_approval(p_approval_id, p_register_id, array['discount', 'return_without_receipt'], v_sale_id);
  end if;
  if p_customer is not null or v_owner_id is not null then
    v_buyer := interlock.lock_buyer(p_customer, v_owner_id, p_tenders);
  elsif p_returns is not null and p_tenders @? '$[*] ? (@.type == "wallet" || @.type == "points")' then
    perform interlock.refuse_problems(interlock.problem('/customer', 'is required to pay with a wallet or points'));
  end if;
  if v_original_id is not null then
    v_taken_back := interlock.take_returned_points(v_original_id);
  end if;
  if p_promo_code is not null then
    v_promo_discounts := interlock.redeem_sale_promo(p_promo_code, v_buyer, v_sale_id, v_register.currency, v_look);
  end if;

  select c.o_tax, c.o_tax_included, c.o_taxes, c.o_percents, c.o_inclusive, c.o_subtotal, c.o_discount, c.o_total - v_returned
  into v_tax, v_tax_included, v_taxes, v_percents, v_inclusive, v_subtotal, v_discount, v_total
  from interlock.charge_sale(v_look, v_promo_discounts, v_register.currency) c;
  if v_total <> p_expected_total and not v_offline then
    perform interlock.refuse_price(p_expected_total, v_total, v_subtotal, v_register.currency, v_look);
  end if;
  if v_total < 0 then
    perform interlock.refuse_refund(p_tenders, v_total, v_root_sale_id, v_register.currency, v_buyer.customer_id);
  else
    v_change := interlock.refuse_tenders(p_tenders, v_total, v_register.currency);
  end if;
  if v_buyer.customer_id is not null then
    v_loyalty := interlock.charge_buyer(
      v_buyer, v_sale_id, v_root_sale_id, v_register.currency, p_tenders, v_total, v_look.product_ids,
      array(
        select u.subtotal - u.discount - coalesce(u.promo, 0) + case when u.inclusive then 0 else u.tax end
        from unnest(v_look.subtotals, v_look.discounts, v_promo_discounts, v_inclusive, v_taxes) with ordinality
          as u (subtotal, discount, promo, inclusive, tax, n)
        order by u.n
      ),
      interlock.paid_by_points(v_total, v_returned, v_buyer.by_points, v_original_id),
      case when v_owner_id is null then 0 else v_taken_back end
    );
  end if;

  if p_parked_sale_id is not null then
    v_parked := interlock.take_parked_sale(p_parked_sale_id, v_register);
  end if;
  if v_returns is not null or p_parked_sale_id is not null then
    v_put := interlock.put_back(v_look, v_register.location_id, v_sale_id, v_returns, v_parked);
    v_look := v_put.o_look;
    v_returns := v_put.o_returns;
  end if;
  if v_offline then
    v_shortfalls := interlock.take_what_is_there(v_look, v_register.location_id, v_sale_id);
  else
    perform interlock.take_sold_stock(v_look, v_register.location_id, v_sale_id);
  end if;

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.registers r
  set last_receipt = r.last_receipt + 1
  where r.id = p_register_id
  returning r.last_receipt into v_receipt;
  v_shift := interlock.shift_of_sale(p_register_id, p_shift_id, p_client_time);

  insert into interlock.sales (
    id, register_id, shift_id, location_id, receipt_number, currency, subtotal, discount, tax, tax_included,
    returned, returns, root_sale_id, total, change_due,
    customer_id, promo_code, loyalty, cashier, approved_by, sold_at, offline, late, needs_review
  )
  values (
    v_sale_id, p_register_id, v_shift.id, v_register.location_id, v_receipt, v_register.currency,
    v_subtotal, v_discount, v_tax, v_tax_included,
    v_returned, coalesce(cardinality(v_returns), 0), v_root_sale_id, v_total, v_change,
    v_buyer.customer_id, p_promo_code, v_loyalty, auth.uid(), v_approved_by,
    coalesce(p_client_time, now()), v_offline, v_shift.closed_at is not null,
    case when v_offline then interlock.review_sale(v_look, v_limit, p_expected_total, v_total) else '[]' end
  );
  insert into interlock.sale_lines (
    sale_id, line, product_id, inventory_id, name, quantity, unit_price, subtotal, discount, discount_reason,
    promo_discount, tax, tax_percent, tax_inclusive, total, untracked
  )
  select
    v_sale_id, l.n - 1, l.product_id, l.inventory_id, l.name, l.quantity, l.unit_price, l.subtotal, l.discount, l.reason,
    coalesce(l.promo_discount, 0), l.tax, l.percent, l.inclusive,
    l.subtotal - l.discount - coalesce(l.promo_discount, 0) + case when l.inclusive then 0 else l.tax end,
    l.untracked
  from unnest(
    v_look.product_ids, v_look.inventory_ids, v_look.names, v_look.quantities, v_look.unit_prices, v_look.subtotals,
    v_look.discounts, v_look.reasons, v_promo_discounts, v_look.untracked, v_taxes, v_percents, v_inclusive
  ) with ordinality as l (
    product_id, inventory_id, name, quantity, unit_price, subtotal, discount, reason, promo_discount, untracked, tax, percent,
    inclusive, n
  );
  if v_returns is not null then
    insert into interlock.sale_returns select r.* from unnest(v_returns) as r;
  end if;
  with tenders as (
    insert into interlock.sale_tenders (sale_id, n, type, amount, reference)
    select v_sale_id, t.n - 1, t.type, t.amount, t.reference
    from rows from (jsonb_to_recordset(p_tenders) as (type text, amount bigint, reference text))
      with ordinality as t (type, amount, reference, n)
    order by t.reference, t.n
    on conflict do nothing
    returning n
  )
  select jsonb_agg(t.reference order by t.n)
  into v_references
  from rows from (jsonb_to_recordset(p_tenders) as (reference text)) with ordinality as t (reference, n)
  where t.n - 1 not in (select d.n from tenders d);
  if v_references is not null then
    perform interlock.raise_error('TENDER_REFERENCE_USED', jsonb_build_object('references', v_references));
  end if;

  if p_parked_sale_id is not null then
    update interlock.parked_sales p set sale_id = v_sale_id where p.id = p_parked_sale_id;
  end if;
  if v_shortfalls <> '[]' then
    perform interlock.note_shortfalls(v_sale_id, v_shortfalls);
  end if;

  v_sale := interlock.sale_to_json(v_sale_id);
  v_answer := json_build_object('success', true, 'sale', v_sale)::text;
  perform interlock.note_sale('sale.completed', v_sale::jsonb);
  perform interlock.finish_sale(p_register_id, p_idempotency_key, v_sale_id, v_answer);
  return v_answer::json;
end
$$;
