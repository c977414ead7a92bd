-- What public.set_promo_slots does, with its owner's rights.
--
-- Callers: service_role, through public.set_promo_slots.
-- Locks: the code, its slots; two seconds at most for each.
-- Errors: VALIDATION_FAILED, PROMO_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write slots.
create function interlock.set_promo_slots(p_promo_id uuid, p_slots int)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_used int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_promo_id is null then
    v_problems := v_problems || interlock.problem('/p_promo_id', 'is required');
  end if;
  if p_slots is null or p_slots not between 0 and 256 then
    v_problems := v_problems || interlock.problem('/p_slots', 'must be an integer from 0 to 256');
  end if;
  perform interlock.refuse_problems(v_problems);

  perform 1 from interlock.promo_codes p where p.id = p_promo_id for no key update;
  if not found then
    perform interlock.raise_error('PROMO_NOT_FOUND');
  end if;

  v_used := interlock.settle_promo_uses(p_promo_id);
  perform interlock.make_slots(p_promo_id, p_slots);

  update interlock.promo_codes p
  set use_slots = p_slots
  where p.id = p_promo_id
    and p.use_slots <> p_slots;

  perform interlock.grant_promo_uses(p_promo_id);

  return jsonb_build_object('success', true, 'promo_id', p_promo_id, 'slots', p_slots, 'used_count', v_used);
end
$$;
