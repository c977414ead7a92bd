-- See to it that a history has a part for what comes; answers whether it had to do something.
--
-- As long as less than half a part is ahead of what is written, the next one is made. If nobody has, until rows came that no
-- part is there for, the rest has taken them: it becomes the part of these rows itself, and another rest its successor. That
-- reads it once, while whoever writes to the history or reads it waits (a second for some tens of millions of rows).
--
-- Callers: interlock.make_history_parts.
-- Locks: the history against others who change its parts (whoever sells goes on); to add a part, its rest and the tables that its
--   foreign keys name; where it is late, and where the rest becomes a part, interlock.lock_history.
create function interlock.make_history_part(p_history text, p_column text, p_sequence text, p_rows bigint)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_rest constant text := p_history || '_rest';
  v_last bigint;
  v_from bigint;
  v_to bigint;
  v_taken bigint;
begin
  -- Looked at, and once more when nobody else can change it.
  for v_look in 1..2 loop
    v_last := coalesce(pg_sequence_last_value(p_sequence::regclass), 0);
    select max(h.after) into v_from from interlock.history_parts(p_history) h;
    -- Where every part has been archived: on from what is written.
    v_from := coalesce(v_from, (v_last / p_rows + 1) * p_rows);
    execute format('select max(r.%1$I) from interlock_parts.%2$I r where r.%1$I >= $1', p_column, v_rest) into v_taken using v_from;
    if v_taken is null and v_from - v_last >= p_rows / 2 then
      return false;
    end if;
    exit when v_look = 2;
    if v_taken is null and v_from - v_last >= p_rows / 4 then
      execute format('lock table only interlock.%I in share update exclusive mode', p_history);
    else
      -- Late: Postgres would refuse who is about to write to the rest what the new part takes.
      perform interlock.lock_history(p_history);
    end if;
  end loop;

  if v_taken is null then
    -- Positions that were passed over are in it, too.
    v_to := greatest(v_from + p_rows, (v_last / p_rows + 1) * p_rows);
    perform interlock.add_history_part(
      p_history, p_history || '_' || v_from, format('for values from (%s) to (%s)', v_from, v_to)
    );
    return true;
  end if;

  -- With a whole part ahead.
  v_to := (greatest(v_last, v_taken) / p_rows + 2) * p_rows;
  execute format('alter table interlock.%I detach partition interlock_parts.%I', p_history, v_rest);
  execute format('alter table interlock_parts.%I rename to %I', v_rest, p_history || '_' || v_from);
  perform interlock.add_history_part(p_history, v_rest, 'default');
  -- What is of an older part, one that was archived, stays in the rest.
  execute format(
    'with older as (delete from interlock_parts.%1$I r where r.%2$I < $1 returning r.*)
     insert into interlock_parts.%3$I overriding system value select o.* from older o',
    p_history || '_' || v_from, p_column, v_rest
  )
  using v_from;
  execute format(
    'alter table interlock.%I attach partition interlock_parts.%I for values from (%s) to (%s)',
    p_history, p_history || '_' || v_from, v_from, v_to
  );
  return true;
end
$$;
