-- Refuse a code for a physical product, one in which there is nothing to see, another product for a code, giving a
-- delivered code to anybody else or free, and a replacement that is none or a second one.
--
-- Callers: trigger product_codes_guard.
-- Locks: none beyond the row itself.
-- Errors: 23514 check_violation with constraint name product_codes_product_is_digital, product_codes_code_readable,
--   product_codes_product_fixed, product_codes_delivered_stay or product_codes_replaced_once.
create function interlock.guard_product_code()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_constraint text;
begin
  if tg_op = 'INSERT' then
    if exists (select 1 from interlock.products p where p.id = new.product_id and p.kind <> 'digital') then
      v_constraint := 'product_codes_product_is_digital';
    elsif interlock.normal_code(new.code) = '' then
      v_constraint := 'product_codes_code_readable';
    elsif new.replaced_by is not null then
      v_constraint := 'product_codes_replaced_once';
    end if;
  elsif old.used_at is not null and (
    tg_op = 'DELETE'
    or new.used_at is null
    or new.order_id is distinct from old.order_id
    or new.code is distinct from old.code
  ) then
    v_constraint := 'product_codes_delivered_stay';
  elsif tg_op = 'UPDATE' and new.product_id <> old.product_id then
    v_constraint := 'product_codes_product_fixed';
  elsif tg_op = 'UPDATE' and new.code <> old.code and interlock.normal_code(new.code) = '' then
    v_constraint := 'product_codes_code_readable';
  elsif tg_op = 'UPDATE'
    and (new.replaced_by, new.replaced_at, new.replaced_reason, new.replaced_actor)
      is distinct from (old.replaced_by, old.replaced_at, old.replaced_reason, old.replaced_actor)
    -- Who replaced it is taken out when they are gone.
    and not (
      new.replaced_actor is null
      and (new.replaced_by, new.replaced_at, new.replaced_reason)
        is not distinct from (old.replaced_by, old.replaced_at, old.replaced_reason)
      and not exists (select from interlock.accounts u where u.id = old.replaced_actor)
    )
    and (
      old.replaced_by is not null
      or not exists (
        select
        from interlock.product_codes n
        where n.id = new.replaced_by
          and n.id <> old.id
          and n.product_id = old.product_id
          and n.order_id = old.order_id
          and n.used_at is not null
          and n.replaced_by is null
      )
    )
  then
    v_constraint := 'product_codes_replaced_once';
  end if;

  if v_constraint is not null then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = v_constraint,
      message = format('%s of a product code refused by %s', lower(tg_op), v_constraint);
  end if;

  return case tg_op when 'DELETE' then old else new end;
end
$$;
