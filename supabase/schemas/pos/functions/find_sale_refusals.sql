-- All that is wrong with a sale that was refused: first what it was refused for (p_code, p_detail), then what else it would have come to
-- be refused for, each with its pointer. The sale is gone through once more, step by step, as interlock.make_sale does it; each step is a
-- sub-transaction, and what it has done ends with the error that the caller raises. A step that needs what an earlier one has refused is
-- left out: what lines cost is not known as long as one of them names nothing.
--
-- Callers: interlock.pos_sale, which holds nothing any more.
-- Locks: as interlock.make_sale up to the parked sale, in its order; each wait is a moment, and what others hold is not told.
create function interlock.find_sale_refusals(p_code text, p_detail jsonb, p_request jsonb, p_expected_total bigint, p_role text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_offline constant boolean := p_request ? 'client_time';
  v_sale_id constant uuid := interlock.new_id();
  v_lines constant jsonb := p_request -> 'lines';
  v_tenders constant jsonb := p_request -> 'tenders';
  v_back constant jsonb := p_request -> 'returns';
  v_without_receipt constant boolean := v_back -> 0 ->> 'sale_id' is null;
  v_approval_id constant uuid := (p_request ->> 'approval_id')::uuid;
  v_register interlock.registers;
  v_look interlock.sale_look;
  v_back_look interlock.sale_look;
  v_approved text[];
  v_limit numeric;
  v_refusals text[];
  v_back_refusals text[] := '{}'::text[];
  v_step text;
  v_returns interlock.sale_returns[];
  v_root_sale_id uuid;
  v_owner_id uuid;
  v_buyer interlock.buyer;
  v_promo_discounts bigint[];
  v_charged record;
  v_total bigint;
  v_code text;
  v_detail text;
  v_problems jsonb;
begin
  perform set_config('lock_timeout', '50ms', true);
  select r.* into v_register from interlock.registers r where r.id = (p_request ->> 'register_id')::uuid;
  v_look := interlock.look_at_sale(v_lines, v_register.location_id, v_offline);
  v_approved := interlock.look_at_approval(v_approval_id, v_register.id);
  if p_role = 'cashier' and ('discount' = any (v_approved)) is not true then
    select s.max_cashier_discount into v_limit from interlock.settings s;
  end if;
  v_refusals := interlock.look_refusals(
    v_look, v_register.currency, case when not v_offline then v_limit end,
    not v_offline and v_back is null and not p_request ? 'parked_sale_id'
  );
  if v_back is not null and v_without_receipt then
    v_back_look := interlock.look_at_sale(v_back, v_register.location_id, false);
    v_back_refusals := array_remove(interlock.look_refusals(v_back_look, v_register.currency, null, false), 'REGISTER_NOT_FOUND');
  end if;
  v_problems := interlock.point_at_refusal(p_code, p_detail, p_request, v_register.currency, v_limit, v_look, v_back_look);

  foreach v_step in array
    array['shift'] || v_refusals || array['approval']
      || array(select '/returns ' || r.code from unnest(v_back_refusals) with ordinality as r (code, n) order by r.n)
      || array['returns', 'buyer', 'promo', 'price', 'tenders', 'references', 'points', 'wallet', 'parked']
  loop
    begin
      case
        when v_step = any (v_refusals) then
          perform interlock.refuse_look(v_step, v_look, (p_request ->> 'register_id')::uuid, v_register, '/lines', v_limit);
        when v_step like '/returns %' then
          perform interlock.refuse_look(split_part(v_step, ' ', 2), v_back_look, v_register.id, v_register, '/returns');
        when v_register.id is null then
          null;
        when v_step = 'shift' then
          perform interlock.shift_of_sale(
            v_register.id, (p_request ->> 'shift_id')::uuid, (p_request ->> 'client_time')::timestamptz
          );
        when v_step = 'approval' then
          perform interlock.raise_error('APPROVAL_NOT_FOUND', jsonb_build_object('approval_id', v_approval_id))
          where v_approval_id is not null and v_approved is null;
        when v_step = 'returns' then
          if v_back is not null then
            select t.o_returns, t.o_root_sale_id, t.o_customer_id
            into v_returns, v_root_sale_id, v_owner_id
            from interlock.take_returns(
              v_back, v_sale_id, v_register, p_role = 'manager' or coalesce('return_without_receipt' = any (v_approved), false)
            ) t;
          end if;
        when v_step = 'buyer' then
          if p_request ? 'customer' or v_owner_id is not null then
            v_buyer := interlock.lock_buyer(p_request -> 'customer', v_owner_id, v_tenders);
          elsif v_returns is not null and v_tenders @? '$[*] ? (@.type == "wallet" || @.type == "points")' then
            perform interlock.refuse_problems(interlock.problem('/customer', 'is required to pay with a wallet or points'));
          end if;
          if v_returns[1].original_sale_id is not null then
            perform interlock.take_returned_points(v_returns[1].original_sale_id);
          end if;
        when v_refusals && array['BARCODE_NOT_FOUND', 'INVENTORY_NOT_FOUND', 'PRODUCT_NOT_FOUND', 'VALIDATION_FAILED', 'MIXED_CURRENCIES']
          and v_step in ('promo', 'price', 'tenders') then
          null;
        when v_step = 'promo' then
          if p_request ? 'promo_code' and (v_buyer.customer_id is not null or not p_request ? 'customer') then
            v_promo_discounts := interlock.redeem_sale_promo(
              p_request ->> 'promo_code', v_buyer, v_sale_id, v_register.currency, v_look
            );
          end if;
        when v_step = 'price' then
          if (not p_request ? 'promo_code' or v_promo_discounts is not null) and (v_back is null or v_returns is not null) then
            v_charged := interlock.charge_sale(v_look, v_promo_discounts, v_register.currency);
            v_total := v_charged.o_total - coalesce((select sum(r.amount) from unnest(v_returns) as r), 0);
            if v_total <> p_expected_total and not v_offline then
              perform interlock.refuse_price(p_expected_total, v_total, v_charged.o_subtotal, v_register.currency, v_look);
            end if;
          end if;
        when v_step = 'tenders' then
          if v_total < 0 and v_buyer.customer_id is null and (p_request ? 'customer' or v_owner_id is not null) then
            null;
          elsif v_total < 0 then
            perform interlock.refuse_refund(v_tenders, v_total, v_root_sale_id, v_register.currency, v_buyer.customer_id);
          elsif v_total >= 0 then
            perform interlock.refuse_tenders(v_tenders, v_total, v_register.currency);
          end if;
        when v_step = 'references' then
          perform interlock.raise_error('TENDER_REFERENCE_USED', jsonb_build_object('references', r.used))
          from (
            select jsonb_agg(t.reference order by t.n) as used
            from rows from (jsonb_to_recordset(v_tenders) as (type text, reference text)) with ordinality as t (type, reference, n)
            where t.type = 'card'
              and exists (select from interlock.sale_tenders b where b.reference = t.reference and b.type = 'card')
          ) r
          where r.used is not null;
        when v_step = 'points' then
          if v_buyer.by_points > 0 and (v_back is null or v_total >= 0) then
            perform interlock.spend_points(v_buyer, v_sale_id, v_register.currency, v_tenders);
          end if;
        when v_step = 'wallet' then
          if v_buyer.by_wallet > 0 and (v_back is null or v_total >= 0) then
            perform interlock.pay_from_wallet(
              interlock.lock_wallet(v_buyer.user_id), v_buyer.by_wallet, v_register.currency, 'pos_sale', v_sale_id
            );
          end if;
        when v_step = 'parked' then
          if p_request ? 'parked_sale_id' then
            perform interlock.take_parked_sale((p_request ->> 'parked_sale_id')::uuid, v_register);
          end if;
      end case;
    exception
      when sqlstate 'PT400' or sqlstate 'PT402' or sqlstate 'PT403' or sqlstate 'PT404' or sqlstate 'PT409' or sqlstate 'PT410'
        or sqlstate 'PT422' then
        get stacked diagnostics v_code = message_text, v_detail = pg_exception_detail;
        v_problems := v_problems
          || interlock.point_at_refusal(v_code, v_detail::jsonb, p_request, v_register.currency, v_limit, v_look, v_back_look);
      when lock_not_available or deadlock_detected then
        null;
    end;
  end loop;

  -- What it was refused for was come upon again.
  return (
    select jsonb_agg(f.problem order by f.n)
    from (
      select distinct on (p.problem -> 'pointer', p.problem -> 'code', p.problem -> 'message') p.problem, p.n
      from jsonb_array_elements(v_problems) with ordinality as p (problem, n)
      order by p.problem -> 'pointer', p.problem -> 'code', p.problem -> 'message', p.n
    ) f
  );
end
$$;
