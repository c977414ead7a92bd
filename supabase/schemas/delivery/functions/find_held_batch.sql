-- What a driver holds, with a live lease or one that is over but not lost yet.
--
-- Returns a row of nulls if nothing. Volatile: whoever asks again looks again.
create function interlock.find_held_batch(p_driver_id uuid)
returns interlock.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch interlock.batches;
begin
  select b.*
  into v_batch
  from interlock.batches b
  where b.driver_id = p_driver_id
    and b.status in ('claimed', 'in_progress');

  return v_batch;
end
$$;
