-- What is wrong with the shape of a sale, all of it; null if nothing is. crates/domain/src/pos/pos_sale.rs asks the same.
--
-- Callers: interlock.pos_sale.
create function interlock.find_sale_problems(p_request jsonb, p_idempotency_key text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_lines constant jsonb := p_request -> 'lines';
  v_tenders constant jsonb := p_request -> 'tenders';
  v_line constant text := 'must be 1 to 200 characters, without control characters';
  v_problems jsonb := jsonb '[]';
begin
  if p_request ->> 'register_id' is null then
    v_problems := v_problems || interlock.problem('/register_id', 'is required');
  end if;

  if p_request ? 'returns' then
    v_problems := v_problems || interlock.find_return_problems(p_request -> 'returns');
  end if;
  if v_lines is null and p_request ? 'returns' then
    null;
  elsif jsonb_typeof(v_lines) is distinct from 'array' or jsonb_array_length(v_lines) not between 1 and 100 then
    v_problems := v_problems || interlock.problem('/lines', 'must be an array of 1 to 100 lines');
  elsif not interlock.are_plain_lines(v_lines, 'quantity') then
    v_problems := v_problems || (
      select coalesce(
        jsonb_agg(jsonb_build_object('pointer', format('/lines/%s%s', l.n - 1, p.pointer), 'message', p.message) order by l.n, p.pointer),
        '[]'
      )
      from (
        select
          i.n,
          i.item,
          jsonb_typeof(i.item) = 'object' as is_object,
          coalesce(jsonb_typeof(i.item -> 'discount') = 'object', false) as has_discount,
          case when jsonb_typeof(i.item) = 'object' then
            (select count(*) from jsonb_object_keys(i.item) as k (name) where k.name in ('inventory_id', 'product_id', 'barcode'))
          end as names
        from jsonb_array_elements(v_lines) with ordinality as i (item, n)
      ) l
      cross join lateral (
        select '' as pointer, 'must be an object' as message
        where not l.is_object
        union all
        select '', 'must name its product by one of inventory_id, product_id and barcode'
        where l.names <> 1
        union all
        select '/' || k.name, 'must be a UUID'
        from unnest(array['inventory_id', 'product_id']) as k (name)
        where l.is_object
          and l.item ? k.name
          and (jsonb_typeof(l.item -> k.name) = 'string' and interlock.is_uuid(l.item ->> k.name)) is not true
        union all
        select '/barcode', 'must be 1 to 64 printable ASCII characters without blanks'
        where l.is_object
          and l.item ? 'barcode'
          and (jsonb_typeof(l.item -> 'barcode') = 'string' and interlock.is_barcode(l.item ->> 'barcode')) is not true
        union all
        select '/quantity', 'must be a number above 0 and at most 1000000, with at most 3 decimals'
        where l.is_object
          and case
            when jsonb_typeof(l.item -> 'quantity') = 'number' then
              (l.item ->> 'quantity')::numeric not between 0.001 and 1000000
              or (l.item ->> 'quantity')::numeric <> round((l.item ->> 'quantity')::numeric, 3)
            else true
          end
        union all
        select '/unit_price', case
          when p_request ? 'client_time' then 'must be a whole number of minor units, 0 or more'
          else 'is only for a sale with client_time: any other has the price of the database'
        end
        where l.is_object
          and l.item ? 'unit_price'
          and (p_request ? 'client_time' and interlock.is_amount(l.item -> 'unit_price')) is not true
        union all
        select '/discount', 'must be an object with amount or percent, and reason'
        where l.is_object
          and l.item ? 'discount'
          and (not l.has_discount or (l.item -> 'discount' ? 'amount') = (l.item -> 'discount' ? 'percent'))
        union all
        select '/discount/amount', 'must be a whole number of minor units, 1 or more'
        where l.has_discount
          and l.item -> 'discount' ? 'amount'
          and (interlock.is_amount(l.item -> 'discount' -> 'amount') and l.item #>> '{discount,amount}' <> '0') is not true
        union all
        select '/discount/percent', 'must be a number above 0 and at most 100, with at most 2 decimals'
        where l.has_discount
          and l.item -> 'discount' ? 'percent'
          and case
            when jsonb_typeof(l.item -> 'discount' -> 'percent') = 'number' then
              (l.item #>> '{discount,percent}')::numeric not between 0.01 and 100
              or (l.item #>> '{discount,percent}')::numeric <> round((l.item #>> '{discount,percent}')::numeric, 2)
            else true
          end
        union all
        select '/discount/reason', v_line
        where l.has_discount
          and (jsonb_typeof(l.item -> 'discount' -> 'reason') = 'string' and interlock.is_line(l.item #>> '{discount,reason}', 200)) is not true
        union all
        select '/discount/' || interlock.pointer_token(k.name), 'is not a known field'
        from jsonb_object_keys(case when l.has_discount then l.item -> 'discount' else '{}' end) as k (name)
        where k.name not in ('amount', 'percent', 'reason')
        union all
        select '/' || interlock.pointer_token(k.name), 'is not a known field'
        from jsonb_object_keys(case when l.is_object then l.item else '{}' end) as k (name)
        where k.name not in ('inventory_id', 'product_id', 'barcode', 'quantity', 'unit_price', 'discount')
      ) p
    );
  end if;

  if jsonb_typeof(v_tenders) <> 'array' or jsonb_array_length(v_tenders) > 20 then
    v_problems := v_problems || interlock.problem('/tenders', 'must be an array of at most 20 tenders');
  elsif not interlock.are_plain_tenders(v_tenders) then
    v_problems := v_problems || (
      select coalesce(
        jsonb_agg(jsonb_build_object('pointer', format('/tenders/%s%s', t.n - 1, p.pointer), 'message', p.message) order by t.n, p.pointer),
        '[]'
      )
      from (
        select i.n, i.item, jsonb_typeof(i.item) = 'object' as is_object
        from jsonb_array_elements(v_tenders) with ordinality as i (item, n)
      ) t
      cross join lateral (
        select '' as pointer, 'must be an object' as message
        where not t.is_object
        union all
        select '/type', 'must be cash, card, wallet or points'
        where t.is_object and (t.item -> 'type' in ('"cash"', '"card"', '"wallet"', '"points"')) is not true
        union all
        select '/amount', 'must be a whole number of minor units, 1 or more'
        where t.is_object and (interlock.is_amount(t.item -> 'amount') and t.item ->> 'amount' <> '0') is not true
        union all
        select '/reference', v_line
        where t.is_object
          and t.item ? 'reference'
          and (jsonb_typeof(t.item -> 'reference') = 'string' and interlock.is_line(t.item ->> 'reference', 200)) is not true
        union all
        select '/' || interlock.pointer_token(k.name), 'is not a known field'
        from jsonb_object_keys(case when t.is_object then t.item else '{}' end) as k (name)
        where k.name not in ('type', 'amount', 'reference')
      ) p
    );
  end if;

  if p_request ? 'customer' then
    v_problems := v_problems || interlock.find_customer_problems(p_request -> 'customer');
  elsif not p_request ? 'returns' and p_request -> 'tenders' @? '$[*] ? (@.type == "wallet" || @.type == "points")' then
    v_problems := v_problems || interlock.problem('/customer', 'is required to pay with a wallet or points');
  end if;
  if (p_request ->> 'promo_code') is not null and interlock.is_line(p_request ->> 'promo_code', 64) is not true then
    v_problems := v_problems || interlock.problem('/promo_code', 'must be 1 to 64 characters, without control characters');
  end if;
  if p_request ? 'promo_code' and not p_request ? 'lines' then
    v_problems := v_problems || interlock.problem('/promo_code', 'must be absent where nothing is sold');
  end if;
  if p_request ? 'client_time' and (
    p_request ? 'promo_code' or p_request -> 'tenders' @? '$[*] ? (@.type == "wallet" || @.type == "points")'
  ) then
    v_problems := v_problems || interlock.problem(
      '/client_time', 'must be absent with a promo code, points or a wallet: without a connection nobody can count them'
    );
  end if;
  if p_request ? 'client_time' and p_idempotency_key is null then
    v_problems := v_problems || interlock.problem('/headers/idempotency-key', 'is required with client_time');
  end if;
  if p_idempotency_key !~ '^[\x20-\x7e]+$' or char_length(p_idempotency_key) > 255 then
    v_problems := v_problems || interlock.problem('/headers/idempotency-key', 'must be 1 to 255 printable ASCII characters');
  end if;

  return nullif(v_problems, '[]');
end
$$;
