-- Trigger: the limit of a promo code covers what its slots may still use, whoever lowers it.
--
-- Callers: trigger promo_codes_slots_covered, for codes with slots whose limit goes down.
-- Locks: as interlock.cover_slots.
-- Errors: 23514 check_violation promo_codes_used_count_within_limit if more is used already; 55P03.
-- Security definer: nobody has the right to write slots.
create function interlock.cover_promo_slots()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_used constant int := interlock.cover_slots(new.id, new.max_uses - new.used_count);
begin
  if v_used is not null then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'promo_codes_used_count_within_limit',
      message = format(
        'limit %s of promo code %s refused: it is used %s times', new.max_uses, new.id, new.used_count + v_used
      );
  end if;

  return new;
end
$$;
