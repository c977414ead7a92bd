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
  v_problems jsonb;
begin
  select jsonb_agg(jsonb_build_object('pointer', c.pointer, 'message', c.message) order by c.n)
  into v_problems
  from (values
    (1, '/code', 'is required', p_code is null),
    (2, '/code', 'must be 1 to 64 characters, without control characters', not interlock.is_line(p_code, 64)),
    (3, '/action', 'must be one of apply, release', p_action not in ('apply', 'release')),
    (4, '/dry_run', 'cannot be true with the action release', p_action = 'release' and p_dry_run),
    (5, '/cart_items', 'is required, unless subtotal is given',
      p_action = 'apply' and p_cart_items is null and p_subtotal is null),
    (6, '/subtotal', 'must not be given together with cart_items',
      p_action = 'apply' and p_cart_items is not null and p_subtotal is not null),
    (7, '/subtotal', 'must be from 0 to 9007199254740991', p_subtotal not between 0 and 9007199254740991),
    (8, '/currency', 'must be three capital letters', p_currency !~ '^[A-Z]{3}$'),
    (9, '/currency', 'must not be given together with cart_items, whose products have one',
      p_cart_items is not null and p_currency is not null)
  ) as c (n, pointer, message, applies)
  where c.applies;

  perform interlock.refuse_problems(v_problems);
end
$$;
