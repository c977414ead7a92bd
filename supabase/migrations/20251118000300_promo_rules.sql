-- The rules of promo codes, once: public.validate_promo and public.checkout both ask
-- private.evaluate_promo, so the discount shown is the discount charged.
--
-- Nothing here locks or counts; how often a code may be used is the business of
-- 20251118000400_promo_uses.sql.
--
-- Tests: supabase/tests/16-promo-rules.sql, 19-promo-arithmetic.sql

set local lock_timeout = '5s';

-- Purpose: the code as this customer may know it. A code named for somebody else is not
--   found, exactly like one that does not exist.
-- Callers: private.redeem_promo, private.validate_promo.
-- Locks: none. Errors: none; a row of nulls if there is none.
-- Tests: supabase/tests/16-promo-rules.sql
create function private.find_promo(p_code text, p_user_id uuid)
returns public.promo_codes
language plpgsql
stable
set search_path = ''
as $$
declare
  v_promo public.promo_codes;
begin
  select p.*
  into v_promo
  from public.promo_codes p
  where upper(btrim(p.code)) = upper(btrim(p_code))
    and (p.user_id is null or p.user_id = p_user_id);

  return v_promo;
end
$$;

comment on function private.find_promo(text, uuid) is
  'The promo code as this customer may know it, without regard to case and surrounding blanks; a row of nulls if there is none.';

revoke all on function private.find_promo(text, uuid) from public, anon, authenticated, service_role;

-- Purpose: what a promo code is worth on an amount: half a minor unit rounds up, and the
--   discount is never more than the amount.
-- Callers: private.evaluate_promo.
-- Locks: none. Errors: none.
-- Tests: supabase/tests/19-promo-arithmetic.sql
create function private.promo_discount(
  p_discount_type text,
  p_discount_value numeric,
  p_max_discount bigint,
  p_amount bigint
)
returns bigint
language sql
immutable
set search_path = ''
as $$
  select least(
    case p_discount_type
      when 'percentage' then least(floor(p_amount * p_discount_value / 100 + 0.5), p_max_discount)
      else p_discount_value
    end,
    p_amount
  )::bigint
$$;

comment on function private.promo_discount(text, numeric, bigint, bigint) is
  'The discount on an amount: percentage rounded half up and capped, or fixed; at most the amount.';

revoke all on function private.promo_discount(text, numeric, bigint, bigint) from public, anon, authenticated, service_role;

-- Purpose: share a discount between the lines of a cart in proportion to their amounts.
--   Each line gets the whole minor units of its share; what is left goes one by one to
--   the largest remainders, the first line first among equals. The shares sum exactly to
--   the discount, and no share exceeds its line.
-- Callers: private.validate_promo.
-- Locks: none. Errors: none. Expects 0 <= discount <= sum of the amounts.
-- Tests: supabase/tests/19-promo-arithmetic.sql
create function private.split_discount(p_discount bigint, p_amounts bigint[])
returns bigint[]
language sql
immutable
set search_path = ''
as $$
  with parts as (
    select
      a.n,
      div(p_discount * a.amount::numeric, t.total) as whole,
      mod(p_discount * a.amount::numeric, t.total) as remainder
    from unnest(p_amounts) with ordinality as a (amount, n)
    -- A total of zero shares a discount of zero.
    cross join (select greatest(sum(s.amount), 1) as total from unnest(p_amounts) as s (amount)) t
  ),
  ranked as (
    select
      p.n,
      p.whole,
      row_number() over (order by p.remainder desc, p.n) as place,
      p_discount - sum(p.whole) over () as left_over
    from parts p
  )
  select coalesce(
    array_agg((r.whole + case when r.place <= r.left_over then 1 else 0 end)::bigint order by r.n),
    '{}'
  )
  from ranked r
$$;

comment on function private.split_discount(bigint, bigint[]) is
  'Shares a discount between lines by largest remainder: the shares sum exactly, none exceeds its line.';

revoke all on function private.split_discount(bigint, bigint[]) from public, anon, authenticated, service_role;

-- Purpose: whether a customer has an order. One that ended without a sale is none.
-- Callers: private.evaluate_promo. For an answer that lasts until commit the caller holds
--   private.lock_first_order.
-- Locks: none. Errors: none.
-- Tests: supabase/tests/16-promo-rules.sql
create function private.has_other_order(p_user_id uuid, p_order_id uuid)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select 1
    from public.orders o
    where o.user_id = p_user_id
      and o.id is distinct from p_order_id
      and o.status not in ('cancelled', 'expired', 'refunded')
  )
$$;

comment on function private.has_other_order(uuid, uuid) is
  'Whether the customer has an order besides this one; cancelled, expired and refunded ones do not count.';

revoke all on function private.has_other_order(uuid, uuid) from public, anon, authenticated, service_role;

-- Purpose: apply a promo code to a cart, as it is now: the discount, or why there is none.
--   p_lines are priced lines [{"product_id", "quantity", "unit_price"}]; without them
--   p_subtotal is the cart, and a code with a product scope cannot be judged.
--   A null currency (known only to be that of the shop) matches every code.
--   o_amounts are the matching amounts, line by line (0 where the scope excludes it).
-- Callers: private.redeem_promo, private.validate_promo.
-- Locks: none.
-- Errors: none raised; o_refusal and o_detail are the error to raise: PROMO_NOT_APPLICABLE,
--   PROMO_NOT_STARTED, PROMO_EXPIRED.
-- Tests: supabase/tests/16-promo-rules.sql, 19-promo-arithmetic.sql
create function private.evaluate_promo(
  p_promo public.promo_codes,
  p_user_id uuid,
  p_order_id uuid,
  p_currency text,
  p_lines jsonb,
  p_subtotal bigint,
  out o_refusal text,
  out o_detail jsonb,
  out o_subtotal bigint,
  out o_discount bigint,
  out o_amounts bigint[]
)
returns record
language plpgsql
stable
set search_path = ''
as $$
declare
  v_scoped constant boolean :=
    exists (select 1 from public.promo_code_products s where s.promo_id = p_promo.id);
  v_matching bigint;
  v_matches boolean;
begin
  if p_lines is null then
    o_subtotal := p_subtotal;
    o_amounts := array[p_subtotal];
    v_matching := p_subtotal;
    v_matches := true;
  else
    select
      coalesce(sum(l.quantity * l.unit_price), 0),
      coalesce(sum(l.quantity * l.unit_price) filter (where m.matches), 0),
      coalesce(bool_or(m.matches), false),
      coalesce(array_agg(case when m.matches then l.quantity * l.unit_price else 0 end order by l.n), '{}')
    into o_subtotal, v_matching, v_matches, o_amounts
    from rows from (
      jsonb_to_recordset(p_lines) as (product_id uuid, quantity bigint, unit_price bigint)
    ) with ordinality as l (product_id, quantity, unit_price, n)
    cross join lateral (
      select not v_scoped or exists (
        select 1
        from public.promo_code_products s
        where s.promo_id = p_promo.id
          and s.product_id = l.product_id
      ) as matches
    ) m;
  end if;

  o_refusal := 'PROMO_NOT_APPLICABLE';

  if not p_promo.active then
    o_detail := jsonb_build_object('reason', 'inactive');
  elsif p_promo.expires_at <= private.clock() then
    o_refusal := 'PROMO_EXPIRED';
    o_detail := jsonb_build_object('expires_at', p_promo.expires_at);
  elsif p_promo.starts_at > private.clock() then
    o_refusal := 'PROMO_NOT_STARTED';
    o_detail := jsonb_build_object('starts_at', p_promo.starts_at);
  elsif p_promo.currency <> p_currency then
    o_detail := jsonb_build_object('reason', 'currency', 'currency', p_promo.currency);
  elsif v_scoped and p_lines is null then
    o_detail := jsonb_build_object('reason', 'cart_items_needed');
  elsif not v_matches then
    o_detail := jsonb_build_object('reason', 'products');
  elsif o_subtotal < p_promo.min_subtotal then
    o_detail := jsonb_build_object(
      'reason', 'min_subtotal',
      'min_subtotal', p_promo.min_subtotal,
      'subtotal', o_subtotal,
      'missing', p_promo.min_subtotal - o_subtotal,
      'currency', p_promo.currency
    );
  elsif p_promo.first_order_only and private.has_other_order(p_user_id, p_order_id) then
    o_detail := jsonb_build_object('reason', 'first_order_only');
  else
    o_refusal := null;
    o_discount := private.promo_discount(
      p_promo.discount_type, p_promo.discount_value, p_promo.max_discount, v_matching
    );
  end if;
end
$$;

comment on function private.evaluate_promo(public.promo_codes, uuid, uuid, text, jsonb, bigint) is
  'The rules of a promo code on a cart: the discount, or the error that says why there is none.';

revoke all on function private.evaluate_promo(public.promo_codes, uuid, uuid, text, jsonb, bigint) from public, anon, authenticated, service_role;
