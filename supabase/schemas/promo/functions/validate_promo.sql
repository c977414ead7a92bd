-- What public.validate_promo does, with its owner's rights.
--
-- Callers: authenticated and service_role, through public.validate_promo.
-- Locks: lock_promo_attempts; then, unless it is a dry run, the account, and as take_promo_use or
--   release_promo_hold. Each wait lasts two seconds at most.
-- Errors: VALIDATION_FAILED, UNAUTHENTICATED, TOO_MANY_ATTEMPTS, PROMO_NOT_FOUND (returned, not raised),
--   PROMO_NOT_APPLICABLE, PROMO_NOT_STARTED, PROMO_EXPIRED, PRODUCT_NOT_FOUND, MIXED_CURRENCIES,
--   PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED; 55P03 and 40P01 are transient and nothing has happened.
-- Security definer: codes are secrets that no customer may read. Nothing here trusts an argument for who is
--   calling; that is auth.uid().
create function interlock.validate_promo(
  p_code text,
  p_cart_items jsonb,
  p_subtotal bigint,
  p_cart_id uuid,
  p_dry_run boolean,
  p_action text,
  p_currency text
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- Lines are few, and each is looked up; guessed at a hundred, they would have every row of a small shop read instead.
set enable_hashjoin = off
set enable_mergejoin = off
set timezone = 'UTC'
as $$
declare
  v_action constant text := coalesce(p_action, 'apply');
  v_dry_run constant boolean := coalesce(p_dry_run, false);
  v_cart_items constant jsonb := nullif(p_cart_items, 'null');
  v_user_id constant uuid := auth.uid();
  v_refusal jsonb;
  v_promo interlock.promo_codes;
  v_cart record;
  v_currency text;
  v_verdict record;
  v_look record;
  v_held_until timestamptz;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if v_user_id is null then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  perform interlock.check_validate_promo_arguments(
    p_code, v_cart_items, p_subtotal, v_dry_run, v_action, p_currency
  );
  if v_action = 'apply' and v_cart_items is not null then
    v_cart := interlock.price_promo_cart(v_cart_items);
  else
    select null::jsonb as o_lines, p_currency as o_currency into v_cart;
  end if;

  v_refusal := interlock.refuse_unknown_promo(v_user_id, p_code);
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_promo := interlock.find_promo(p_code, v_user_id);

  -- Nothing is held for an account that is being removed.
  if not v_dry_run and not interlock.lock_user(v_user_id) then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;

  if v_action = 'release' then
    return jsonb_build_object(
      'released', interlock.release_promo_hold(v_promo.id, v_user_id, p_cart_id),
      'code', v_promo.code
    );
  end if;

  v_currency := coalesce(v_cart.o_currency, v_promo.currency);
  v_verdict := interlock.evaluate_promo(
    v_promo, v_user_id, null, v_currency, v_cart.o_lines, p_subtotal
  );
  if v_verdict.o_refusal is not null then
    perform interlock.raise_error(v_verdict.o_refusal, v_verdict.o_detail);
  end if;

  if v_dry_run then
    v_look := interlock.find_promo_use(v_promo.id, v_user_id, p_cart_id, true);
    if v_look.o_refusal is not null then
      perform interlock.raise_error(v_look.o_refusal, v_look.o_detail);
    end if;
  else
    -- A hold does not outlive its code.
    select least(
      interlock.clock() + s.promo_hold,
      interlock.promo_end(v_promo.expires_at, v_promo.last_day, v_promo.time_zone)
    )
    into v_held_until
    from interlock.settings s;

    -- Null if this customer has held the code for as long as they may.
    v_held_until := interlock.take_promo_use(
      v_promo.id, v_user_id, p_cart_id, null, v_verdict.o_discount, v_currency, v_held_until
    );
  end if;

  return jsonb_build_object(
    'valid', true,
    'code', v_promo.code,
    'discount_type', v_promo.discount_type,
    'discount', v_verdict.o_discount,
    'subtotal', v_verdict.o_subtotal,
    'total', v_verdict.o_subtotal - v_verdict.o_discount,
    'currency', v_currency,
    'held_until', v_held_until,
    'lines', (
      select jsonb_agg(
        jsonb_build_object('product_id', l.line -> 'product_id', 'discount', s.share) order by l.n
      )
      from jsonb_array_elements(v_cart.o_lines) with ordinality as l (line, n)
      join unnest(interlock.split_discount(v_verdict.o_discount, v_verdict.o_amounts))
        with ordinality as s (share, n) using (n)
    )
  );
end
$$;
