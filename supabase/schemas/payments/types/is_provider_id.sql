-- Whether a text can be a provider's own name of a payment, a refund or an event. Null if there is none.
--
-- Callers: domain interlock.provider_id; functions that read what others have written.
create function interlock.is_provider_id(p_text text)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return p_text ~ '^[A-Za-z0-9_-]+$' and char_length(p_text) <= 255;
end
$$;
