-- The code as this customer may know it. A code named for somebody else is not found, exactly like one that
-- does not exist.
--
-- Callers: interlock.redeem_promo, interlock.validate_promo.
-- Locks: none. A row of nulls if there is none.
create function interlock.find_promo(p_code text, p_user_id uuid)
returns interlock.promo_codes
language plpgsql
stable
set search_path = ''
as $$
declare
  v_promo interlock.promo_codes;
begin
  select p.*
  into v_promo
  from interlock.promo_codes p
  where interlock.normal_text(p.code) = interlock.normal_text(p_code)
    and (p.user_id is null or p.user_id = p_user_id);

  return v_promo;
end
$$;
