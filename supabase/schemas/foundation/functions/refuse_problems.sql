-- Refuse a request that has problems, all of them at once. Does nothing if there are none.
--
-- Errors: VALIDATION_FAILED.
create function interlock.refuse_problems(p_problems jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_problems <> '[]' then
    perform interlock.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', p_problems));
  end if;
end
$$;
