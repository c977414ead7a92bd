-- Whether webhooks may be sent to a URL: https, a name that the public DNS can have (no address in whatever notation, no
-- name of one label, none that is local by its ending), a port that there is, no user, no fragment. Where they may go anywhere
-- (settings.webhooks_anywhere, for development) any http or https URL will do.
--
-- Callers: interlock.find_webhook_problems, and interlock.claim_deliveries each time that something is sent there.
-- Locks: none.
create function interlock.is_webhook_url(p_url text, p_anywhere boolean)
returns boolean
language sql
immutable
strict
parallel safe
set search_path = ''
as $$
  select char_length(p_url) <= 2000
    and p_url ~ '^https?://[^/?#@\\[:space:][:cntrl:]]+([/?][^#\\[:space:][:cntrl:]]*)?$'
    and (p_anywhere or coalesce(
      h.host ~ '^([a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?[.])+[a-z]([a-z0-9-]{0,61}[a-z0-9])?(:([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$'
      and h.host !~ '(^|[.])(localhost|local|localdomain|internal|intranet|lan|home|corp|private|arpa|onion|test|invalid)(:[0-9]+)?$',
      false
    ))
  from (select substring(p_url from '^https://([^/?#]+)') as host) h
$$;
