-- The id of the request under which something is done, as the log of a function has it; null for what came another way.
--
-- Callers: the default of interlock.order_events.request_id.
-- Locks: none.
create function interlock.request_id()
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  v_id constant text := nullif(current_setting('request.headers', true), '')::json ->> 'interlock-request-id';
begin
  return case when v_id collate "C" ~ '^[!-~]+$' and char_length(v_id) <= 128 then v_id end;
end
$$;
