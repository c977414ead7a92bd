-- The shift that a sale belongs to. A till that was cut off names it, or it is the one that was open then; only if there was none
-- is it the open one. It may be closed by now: then the sale comes late. Any other sale belongs to the open shift, which must be the
-- one that it names.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals, which holds the register.
-- Locks: none beyond that: who closes the shift waits for the register.
-- Errors: SHIFT_NOT_FOUND (none of this register), SHIFT_NOT_OPEN.
create function interlock.shift_of_sale(p_register_id uuid, p_shift_id uuid, p_client_time timestamptz)
returns interlock.shifts
language plpgsql
set search_path = ''
as $$
declare
  v_shift interlock.shifts;
begin
  if p_shift_id is not null then
    select s.* into v_shift from interlock.shifts s where s.id = p_shift_id and s.register_id = p_register_id;
    if not found then
      perform interlock.raise_error('SHIFT_NOT_FOUND', jsonb_build_object('shift_id', p_shift_id));
    end if;
    if v_shift.closed_at is not null and p_client_time is null then
      perform interlock.raise_error('SHIFT_NOT_OPEN', jsonb_build_object('register_id', p_register_id));
    end if;
    return v_shift;
  end if;

  if p_client_time is not null then
    select s.*
    into v_shift
    from interlock.shifts s
    where s.register_id = p_register_id
      and s.opened_at <= p_client_time
      and (s.closed_at > p_client_time or s.closed_at is null)
    order by s.opened_at desc
    limit 1;
    if found then
      return v_shift;
    end if;
  end if;

  select s.* into v_shift from interlock.shifts s where s.register_id = p_register_id and s.closed_at is null;
  if not found then
    perform interlock.raise_error('SHIFT_NOT_OPEN', jsonb_build_object('register_id', p_register_id));
  end if;
  return v_shift;
end
$$;
