-- Refuse arguments the function promo-validate would have refused already; all problems at once. Lines of
-- cart_items are checked where they are priced.
--
-- Callers: interlock.validate_promo.
-- Locks: none. Errors: VALIDATION_FAILED.
create function interlock.check_validate_promo_arguments(
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
  v_problems jsonb := '[]'::jsonb;
begin
  if p_code is null then
    v_problems := v_problems || interlock.problem('/code', 'is required');
  end if;
  if not interlock.is_line(p_code, 64) then
    v_problems := v_problems || interlock.problem('/code', 'must be 1 to 64 characters, without control characters');
  end if;
  if p_action not in ('apply', 'release') then
    v_problems := v_problems || interlock.problem('/action', 'must be one of apply, release');
  end if;
  if p_action = 'release' and p_dry_run then
    v_problems := v_problems || interlock.problem('/dry_run', 'cannot be true with the action release');
  end if;
  if p_action = 'apply' and p_cart_items is null and p_subtotal is null then
    v_problems := v_problems || interlock.problem('/cart_items', 'is required, unless subtotal is given');
  end if;
  if p_action = 'apply' and p_cart_items is not null and p_subtotal is not null then
    v_problems := v_problems || interlock.problem('/subtotal', 'must not be given together with cart_items');
  end if;
  if p_subtotal not between 0 and 9007199254740991 then
    v_problems := v_problems || interlock.problem('/subtotal', 'must be from 0 to 9007199254740991');
  end if;
  if p_currency !~ '^[A-Z]{3}$' then
    v_problems := v_problems || interlock.problem('/currency', 'must be three capital letters');
  end if;
  if p_cart_items is not null and p_currency is not null then
    v_problems := v_problems || interlock.problem('/currency', 'must not be given together with cart_items, whose products have one');
  end if;
  perform interlock.refuse_problems(v_problems);
end
$$;
