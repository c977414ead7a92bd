-- What is wrong with the shape of a request, all of it; null if nothing is.
--
-- Callers: interlock.checkout, interlock.price_promo_cart.
create function interlock.find_checkout_problems(
  p_cart_items jsonb,
  p_promo_code text,
  p_payment_method text,
  p_idempotency_key text,
  p_expected_total bigint default null
)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_uuid constant text := '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$';
  v_problems jsonb := '[]'::jsonb;
begin
  if jsonb_typeof(p_cart_items) is distinct from 'array' then
    v_problems := interlock.problem('/cart_items', 'must be an array of 1 to 100 lines');
  elsif jsonb_array_length(p_cart_items) not between 1 and 100 then
    v_problems := interlock.problem('/cart_items', 'must have 1 to 100 lines');
  elsif not interlock.is_plain_cart(p_cart_items) then
    select coalesce(
      jsonb_agg(
        jsonb_build_object('pointer', format('/cart_items/%s%s', c.n - 1, p.pointer), 'message', p.message)
        order by c.n, p.pointer
      ),
      '[]'
    )
    into v_problems
    from (
      select
        i.n,
        i.item,
        jsonb_typeof(i.item) = 'object' as is_object,
        coalesce(
          jsonb_typeof(i.item -> 'product_id') = 'string' and i.item ->> 'product_id' ~ v_uuid,
          false
        ) as product_id_valid,
        case
          when jsonb_typeof(i.item -> 'quantity') = 'number' then
            (i.item ->> 'quantity')::numeric between 1 and 10000
            and (i.item ->> 'quantity')::numeric = trunc((i.item ->> 'quantity')::numeric)
          else false
        end as quantity_valid,
        coalesce(interlock.is_amount(i.item -> 'expected_unit_price'), true) as price_valid,
        case
          when jsonb_typeof(i.item) = 'object' then i.item - 'product_id' - 'quantity' - 'expected_unit_price'
        end as others
      from jsonb_array_elements(p_cart_items) with ordinality as i (item, n)
    ) c
    cross join lateral (
      select '' as pointer, 'must be an object with product_id and quantity' as message
      where not c.is_object
      union all
      select '/product_id', 'must be a UUID'
      where c.is_object and not c.product_id_valid
      union all
      select '/quantity', 'must be an integer from 1 to 10000'
      where c.is_object and not c.quantity_valid
      union all
      select '/expected_unit_price', 'must be a whole number of minor units, 0 or more'
      where c.is_object and not c.price_valid
      union all
      select '/' || interlock.pointer_token(k.name), 'is not a known field'
      from jsonb_object_keys(c.others) as k (name)
    ) p
    where not (
      c.is_object and c.product_id_valid and c.quantity_valid and c.price_valid and c.others = '{}'
    );
  end if;

  if not interlock.is_line(p_promo_code, 64) then
    v_problems := v_problems || interlock.problem(
      '/promo_code', 'must be 1 to 64 characters, without control characters'
    );
  end if;

  if p_payment_method not in ('wallet', 'bank_transfer', 'cash_on_delivery', 'card') then
    v_problems := v_problems || interlock.problem(
      '/payment_method', 'must be wallet, bank_transfer, cash_on_delivery or card'
    );
  end if;

  if p_expected_total < 0 then
    v_problems := v_problems || interlock.problem(
      '/expected_total', 'must be a whole number of minor units, 0 or more'
    );
  end if;

  if p_idempotency_key !~ '^[\x20-\x7e]+$' or char_length(p_idempotency_key) > 255 then
    v_problems := v_problems || interlock.problem(
      '/headers/idempotency-key', 'must be 1 to 255 printable ASCII characters'
    );
  end if;

  return nullif(v_problems, '[]');
end
$$;
