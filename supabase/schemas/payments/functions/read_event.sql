-- The event in a body; null if there is none. Its id, type and time can be used as they are then.
--
-- Callers: interlock.payment_webhook, with a body whose signature is right.
create function interlock.read_event(p_body text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_event jsonb;
begin
  v_event := p_body::jsonb;
  return case
    when (
      jsonb_typeof(v_event -> 'id') = 'string'
      and interlock.is_provider_id(v_event ->> 'id')
      and jsonb_typeof(v_event -> 'type') = 'string'
      and char_length(v_event ->> 'type') between 1 and 200
      and v_event ->> 'created' ~ '^[0-9]{1,12}$'
      and jsonb_typeof(v_event #> '{data,object}') = 'object'
    ) then v_event
  end;
exception
  when others then
    -- No JSON, or text that the database cannot hold.
    return null;
end
$$;
