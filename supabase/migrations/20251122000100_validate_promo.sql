-- public.validate_promo: what a promo code is worth on a cart, and the hold that keeps it.
--
-- Asking applies the code: it holds one use for this user and cart for private.settings
-- .promo_hold. The same cart asking again refreshes its own hold and keeps one use; a dry
-- run holds nothing; the action `release` gives the hold back.
--
-- Rules, prices and limits are those of public.checkout, because both call the same
-- functions: private.evaluate_promo, private.take_promo_use.
--
-- An unknown code is answered with status 404 and the body of an error, and the
-- transaction commits: 20251118000500_promo_attempts.sql says why.
--
-- Tests: supabase/tests/02-roles.sql, 16-promo-rules.sql, 17-promo-holds.sql

set local lock_timeout = '5s';

-- Purpose: refuse arguments the function promo-validate would have refused already; all
--   problems at once. Lines of cart_items are checked where they are priced.
-- Callers: private.validate_promo.
-- Locks: none. Errors: VALIDATION_FAILED.
-- Tests: supabase/tests/16-promo-rules.sql
create function private.check_validate_promo_arguments(
  p_code text,
  p_cart_items jsonb,
  p_subtotal bigint,
  p_dry_run boolean,
  p_action text,
  p_currency text
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_problems jsonb;
begin
  select jsonb_agg(jsonb_build_object('pointer', c.pointer, 'message', c.message) order by c.n)
  into v_problems
  from (values
    (1, '/code', 'is required', p_code is null),
    (2, '/code', 'must not be blank', btrim(p_code) = ''),
    (3, '/code', 'must have at most 64 characters', char_length(btrim(p_code)) > 64),
    (4, '/code', 'must not contain control characters', p_code ~ '[[:cntrl:]]'),
    (5, '/action', 'must be one of apply, release', p_action not in ('apply', 'release')),
    (6, '/dry_run', 'cannot be true with the action release', p_action = 'release' and p_dry_run),
    (7, '/cart_items', 'is required, unless subtotal is given',
      p_action = 'apply' and p_cart_items is null and p_subtotal is null),
    (8, '/subtotal', 'must not be given together with cart_items',
      p_action = 'apply' and p_cart_items is not null and p_subtotal is not null),
    (9, '/subtotal', 'must be from 0 to 9007199254740991', p_subtotal not between 0 and 9007199254740991),
    (10, '/currency', 'must be three capital letters', p_currency !~ '^[A-Z]{3}$'),
    (11, '/currency', 'must not be given together with cart_items, whose products have one',
      p_cart_items is not null and p_currency is not null)
  ) as c (n, pointer, message, applies)
  where c.applies;

  if v_problems is not null then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', v_problems));
  end if;
end
$$;

comment on function private.check_validate_promo_arguments(text, jsonb, bigint, boolean, text, text) is
  'Refuses arguments of validate_promo that are missing, malformed or contradict each other, all at once.';

revoke all on function private.check_validate_promo_arguments(text, jsonb, bigint, boolean, text, text) from public, anon, authenticated, service_role;

-- Purpose: the lines of a cart, checked, duplicates summed and priced from the database:
--   [{"product_id", "quantity", "unit_price"}] by product, and their currency.
-- Callers: private.validate_promo.
-- Locks: none.
-- Errors: VALIDATION_FAILED, PRODUCT_NOT_FOUND, MIXED_CURRENCIES.
-- Tests: supabase/tests/16-promo-rules.sql
create function private.price_promo_cart(p_cart_items jsonb, out o_lines jsonb, out o_currency text)
returns record
language plpgsql
set search_path = ''
as $$
declare
  v_unknown jsonb;
  v_currencies jsonb;
begin
  perform private.check_checkout_arguments(p_cart_items, null, null, null);

  select
    jsonb_agg(
      jsonb_build_object('product_id', l.product_id, 'quantity', l.quantity, 'unit_price', p.price)
      order by l.product_id
    ),
    jsonb_agg(l.product_id order by l.product_id) filter (where p.id is null),
    jsonb_agg(distinct p.currency) filter (where p.id is not null),
    min(p.currency)
  into o_lines, v_unknown, v_currencies, o_currency
  from (
    select (i.item ->> 'product_id')::uuid as product_id, sum((i.item ->> 'quantity')::numeric)::int as quantity
    from jsonb_array_elements(p_cart_items) as i (item)
    group by 1
  ) l
  left join public.products p on p.id = l.product_id and p.active;

  if v_unknown is not null then
    perform private.raise_error('PRODUCT_NOT_FOUND', jsonb_build_object('product_ids', v_unknown));
  end if;

  if jsonb_array_length(v_currencies) > 1 then
    perform private.raise_error('MIXED_CURRENCIES', jsonb_build_object('currencies', v_currencies));
  end if;
end
$$;

comment on function private.price_promo_cart(jsonb) is
  'The lines of a cart, checked, duplicates summed and priced from the database, and their currency.';

revoke all on function private.price_promo_cart(jsonb) from public, anon, authenticated, service_role;

-- Purpose: the whole of public.validate_promo.
-- Callers: authenticated and service_role, through public.validate_promo.
-- Locks: lock_promo_attempts; then, unless it is a dry run, as take_promo_use or
--   release_promo_hold. Each wait lasts two seconds at most.
-- Errors: VALIDATION_FAILED, UNAUTHENTICATED, TOO_MANY_ATTEMPTS, PROMO_NOT_FOUND (returned,
--   not raised), PROMO_NOT_APPLICABLE, PROMO_NOT_STARTED, PROMO_EXPIRED, PRODUCT_NOT_FOUND,
--   MIXED_CURRENCIES, PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED; 55P03 and 40P01 are transient
--   and nothing has happened.
-- Security definer: codes are secrets that no customer may read. Nothing here trusts an
--   argument for who is calling; that is auth.uid().
-- Tests: supabase/tests/16-promo-rules.sql, 17-promo-holds.sql
create function private.validate_promo(
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
set timezone = 'UTC'
as $$
declare
  v_action constant text := coalesce(p_action, 'apply');
  v_dry_run constant boolean := coalesce(p_dry_run, false);
  v_cart_items constant jsonb := nullif(p_cart_items, 'null');
  v_user_id constant uuid := auth.uid();
  v_refusal jsonb;
  v_promo public.promo_codes;
  v_cart record;
  v_currency text;
  v_verdict record;
  v_look record;
  v_held_until timestamptz;
begin
  if v_user_id is null then
    perform private.raise_error('UNAUTHENTICATED');
  end if;
  perform private.check_validate_promo_arguments(
    p_code, v_cart_items, p_subtotal, v_dry_run, v_action, p_currency
  );
  if v_action = 'apply' and v_cart_items is not null then
    v_cart := private.price_promo_cart(v_cart_items);
  else
    select null::jsonb as o_lines, p_currency as o_currency into v_cart;
  end if;

  v_refusal := private.refuse_unknown_promo(v_user_id, p_code);
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_promo := private.find_promo(p_code, v_user_id);

  if v_action = 'release' then
    return jsonb_build_object(
      'released', private.release_promo_hold(v_promo.id, v_user_id, p_cart_id),
      'code', btrim(v_promo.code)
    );
  end if;

  v_currency := coalesce(v_cart.o_currency, v_promo.currency);
  v_verdict := private.evaluate_promo(
    v_promo, v_user_id, null, v_currency, v_cart.o_lines, p_subtotal
  );
  if v_verdict.o_refusal is not null then
    perform private.raise_error(v_verdict.o_refusal, v_verdict.o_detail);
  end if;

  if v_dry_run then
    v_look := private.find_promo_use(v_promo.id, v_user_id, p_cart_id);
    if v_look.o_refusal is not null then
      perform private.raise_error(v_look.o_refusal, v_look.o_detail);
    end if;
  else
    -- A hold does not outlive its code.
    select least(private.clock() + s.promo_hold, v_promo.expires_at)
    into v_held_until
    from private.settings s;

    perform private.take_promo_use(
      v_promo.id, v_user_id, p_cart_id, null, v_verdict.o_discount, v_currency, v_held_until
    );
  end if;

  return jsonb_build_object(
    'valid', true,
    'code', btrim(v_promo.code),
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
      join unnest(private.split_discount(v_verdict.o_discount, v_verdict.o_amounts))
        with ordinality as s (share, n) using (n)
    )
  );
end
$$;

comment on function private.validate_promo(text, jsonb, bigint, uuid, boolean, text, text) is
  'The whole of public.validate_promo, with its owner''s rights.';

revoke all on function private.validate_promo(text, jsonb, bigint, uuid, boolean, text, text) from public, anon, authenticated, service_role;
grant execute on function private.validate_promo(text, jsonb, bigint, uuid, boolean, text, text) to authenticated, service_role;

-- Purpose: the RPC. Tells what a promo code is worth on a cart (p_cart_items, priced from
--   the database, or p_subtotal in minor units) and holds a use of it for p_cart_id;
--   p_dry_run holds nothing, p_action release gives the hold back.
-- Callers: authenticated, service_role acting with a user's claims.
-- Locks and errors: as private.validate_promo.
-- Tests: supabase/tests/02-roles.sql, 16-promo-rules.sql, 17-promo-holds.sql
create function public.validate_promo(
  p_code text,
  p_cart_items jsonb default null,
  p_subtotal bigint default null,
  p_cart_id uuid default null,
  p_dry_run boolean default false,
  p_action text default 'apply',
  p_currency text default null
)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select private.validate_promo(
    p_code, p_cart_items, p_subtotal, p_cart_id, p_dry_run, p_action, p_currency
  )
$$;

comment on function public.validate_promo(text, jsonb, bigint, uuid, boolean, text, text) is
  'Applies a promo code to the caller''s cart: the discount, and a hold on one use. p_dry_run only asks, p_action release gives the hold back.';

revoke all on function public.validate_promo(text, jsonb, bigint, uuid, boolean, text, text) from public, anon, authenticated, service_role;
grant execute on function public.validate_promo(text, jsonb, bigint, uuid, boolean, text, text) to authenticated, service_role;
