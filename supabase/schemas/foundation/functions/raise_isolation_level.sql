-- Refuse to work at another isolation level than read committed. Our functions wait for a lock and then look again
-- at the newest row; with one snapshot for the whole transaction each of these waits would end in a 40001, which
-- PostgREST before 16 repeats by itself, for as long as the row is busy.
--
-- Callers: every function that locks, as the first thing it does. The level is compared there, in an expression of
--   PL/pgSQL: a call costs ten times as much.
-- Errors: ISOLATION_LEVEL_UNSUPPORTED.
create function interlock.raise_isolation_level()
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.raise_error(
    'ISOLATION_LEVEL_UNSUPPORTED',
    jsonb_build_object('isolation_level', current_setting('transaction_isolation'))
  );
end
$$;
