-- Keep a code that has uses, because history and counters refer to it.
--
-- Callers: trigger promo_codes_keep_used.
-- Locks: none beyond the row being deleted, which every use counts on.
-- Errors: 23001 restrict_violation.
-- Security definer: the service role may delete codes whatever it may read.
create function interlock.keep_used_promo()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if exists (select 1 from interlock.promo_redemptions r where r.promo_id = old.id) then
    raise exception using
      errcode = 'restrict_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'promo_codes_keep_used',
      message = format('promo code %s has been used and cannot be deleted', old.id),
      hint = 'Set active = false instead.';
  end if;

  return old;
end
$$;
