-- Idempotency keys: a request that is sent again does not act again.
--
-- Scope is (user, operation, key). The first transaction inserts the key before it locks
-- anything else; a twin collides there on the unique index, waits holding nothing, and then
-- finds the committed answer. Key, answer and effect commit together: a failed attempt
-- leaves no key. The answer is kept as text and given back byte for byte; that it is a
-- replay is said in the response header Idempotent-Replayed, not in the body.
--
-- Keys live private.settings.idempotency_key_lifetime (24 hours at least). A key that is
-- over is as good as new; private.purge_idempotency_keys removes it. pg_cron runs that
-- every hour where it exists when this is applied. If you enable it later:
--
--   select cron.schedule('interlock-purge-idempotency-keys', '17 * * * *',
--     'select private.purge_idempotency_keys()');
--
-- claim_route gets p_idempotency_key here; its actions repeated under a key are replays.
--
-- Tests: supabase/tests/02-roles.sql, 12-checkout.sql, 14-order-life.sql

set local lock_timeout = '5s';

alter table private.settings
  add column idempotency_key_lifetime interval not null default '24 hours'
    constraint settings_idempotency_key_lifetime_sane
      check (idempotency_key_lifetime between interval '24 hours' and interval '90 days');

comment on column private.settings.idempotency_key_lifetime is
  'How long an Idempotency-Key is remembered (24 hours to 90 days).';

create table private.idempotency_keys (
  -- The caller; the nil UUID for the shop (service role without a user).
  user_id uuid not null,
  operation text not null,
  key text not null
    constraint idempotency_keys_key_format check (key ~ '^[\x20-\x7e]{1,255}$'),
  request_hash bytea not null,
  -- Empty only inside the transaction that is doing the work.
  response text,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  constraint idempotency_keys_pkey primary key (user_id, operation, key)
)
with (fillfactor = 80);

comment on table private.idempotency_keys is
  'Answers by idempotency key: a request that is sent again is answered, not done again.';
comment on column private.idempotency_keys.request_hash is
  'SHA-256 of the request: the same key with another request is refused.';

create index idempotency_keys_expiry on private.idempotency_keys (expires_at);

revoke all on table private.idempotency_keys from public, anon, authenticated, service_role;

-- Purpose: the stored answer of a request, if its key has one that still counts.
-- Callers: private.begin_idempotent; functions that look before they lock.
-- Locks: none.
-- Errors: VALIDATION_FAILED for a key of wrong length or characters, IDEMPOTENCY_KEY_REUSED,
--   INTERNAL.
--   Null without a key, for a new key and for one that is over.
-- Effect: where it answers, PostgREST sends the header Idempotent-Replayed: true.
-- Tests: supabase/tests/12-checkout.sql
create function private.find_idempotent(p_operation text, p_key text, p_request jsonb)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_row private.idempotency_keys;
begin
  if p_key is null then
    return null;
  end if;

  if p_key !~ '^[\x20-\x7e]{1,255}$' then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', jsonb_build_array(
      jsonb_build_object(
        'pointer', '/headers/idempotency-key',
        'message', 'must be 1 to 255 printable ASCII characters'
      )
    )));
  end if;

  select k.*
  into v_row
  from private.idempotency_keys k
  where k.user_id = coalesce(auth.uid(), '00000000-0000-0000-0000-000000000000')
    and k.operation = p_operation
    and k.key = p_key
    and k.expires_at > private.clock();

  if not found then
    return null;
  end if;

  if v_row.request_hash <> sha256(convert_to(p_request::text, 'UTF8')) then
    perform private.raise_error('IDEMPOTENCY_KEY_REUSED', jsonb_build_object('operation', p_operation));
  end if;

  -- Only a function that has begun and not finished leaves a key without an answer.
  if v_row.response is null then
    perform private.raise_error('INTERNAL', jsonb_build_object('operation', p_operation));
  end if;

  perform set_config('response.headers', '[{"Idempotent-Replayed": "true"}]', true);
  return v_row.response;
end
$$;

comment on function private.find_idempotent(text, text, jsonb) is
  'The stored answer of a request, if its key has one; null otherwise.';

revoke all on function private.find_idempotent(text, text, jsonb) from public, anon, authenticated, service_role;

-- Purpose: take the key for this transaction, or answer what a twin has answered.
-- Callers: every function with p_idempotency_key, before it locks anything else.
-- Locks: the key's row until the transaction ends. Waits for a twin, holding nothing.
-- Errors: as private.find_idempotent; 55P03 after lock_timeout.
--   Null means: do the work, then call private.finish_idempotent.
-- Tests: supabase/tests/12-checkout.sql
create function private.begin_idempotent(p_operation text, p_key text, p_request jsonb)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_answer text;
begin
  if p_key is null then
    return null;
  end if;

  loop
    v_answer := private.find_idempotent(p_operation, p_key, p_request);
    if v_answer is not null then
      return v_answer;
    end if;

    -- A key that is over is taken over; a live one changes nothing here, and the next
    -- turn finds it. Each turn means that somebody else's transaction has ended.
    insert into private.idempotency_keys as k (user_id, operation, key, request_hash, expires_at)
    select
      coalesce(auth.uid(), '00000000-0000-0000-0000-000000000000'),
      p_operation,
      p_key,
      sha256(convert_to(p_request::text, 'UTF8')),
      private.clock() + s.idempotency_key_lifetime
    from private.settings s
    on conflict (user_id, operation, key) do update
      set request_hash = excluded.request_hash,
          response = null,
          created_at = private.clock(),
          expires_at = excluded.expires_at
      where k.expires_at <= private.clock();

    exit when found;
  end loop;

  return null;
end
$$;

comment on function private.begin_idempotent(text, text, jsonb) is
  'Takes the key for this transaction (null), or answers what the same request was answered before.';

revoke all on function private.begin_idempotent(text, text, jsonb) from public, anon, authenticated, service_role;

-- Purpose: store the answer with the key.
-- Callers: every function that has called private.begin_idempotent.
-- Locks: the key's row, held already. Errors: none.
-- Tests: supabase/tests/12-checkout.sql
create function private.finish_idempotent(p_operation text, p_key text, p_response text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_key is not null then
    update private.idempotency_keys k
    set response = p_response
    where k.user_id = coalesce(auth.uid(), '00000000-0000-0000-0000-000000000000')
      and k.operation = p_operation
      and k.key = p_key;
  end if;
end
$$;

comment on function private.finish_idempotent(text, text, text) is
  'Stores the answer with the key that private.begin_idempotent has taken.';

revoke all on function private.finish_idempotent(text, text, text) from public, anon, authenticated, service_role;

-- Purpose: remove keys whose time is over; answers how many.
-- Callers: pg_cron, the shop (service_role).
-- Locks: the keys it deletes; those that somebody is using are passed over.
-- Errors: none.
-- Security definer: nobody has delete on the table.
-- Tests: supabase/tests/12-checkout.sql
create function private.purge_idempotency_keys()
returns bigint
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_purged bigint;
begin
  delete from private.idempotency_keys
  where ctid = any (array(
    select k.ctid
    from private.idempotency_keys k
    where k.expires_at <= private.clock()
    for update skip locked
  ));

  get diagnostics v_purged = row_count;
  return v_purged;
end
$$;

comment on function private.purge_idempotency_keys() is
  'Removes idempotency keys whose time is over; answers how many.';

revoke all on function private.purge_idempotency_keys() from public, anon, authenticated, service_role;
grant execute on function private.purge_idempotency_keys() to service_role;

do $$
begin
  if to_regprocedure('cron.schedule(text, text, text)') is not null then
    perform cron.schedule(
      'interlock-purge-idempotency-keys', '17 * * * *', 'select private.purge_idempotency_keys()'
    );
  end if;
end
$$;

-- claim_route with a key. The old function does the work and is no longer called from
-- outside; one public function remains.

drop function public.claim_route(uuid, text);
revoke all on function private.claim_route(uuid, text) from public, anon, authenticated, service_role;

-- Purpose: the whole of public.claim_route, replayed under an idempotency key.
-- Callers: authenticated and service_role, through public.claim_route.
-- Locks: the idempotency key, then as private.claim_route (uuid, text).
-- Errors: as private.claim_route (uuid, text), and IDEMPOTENCY_KEY_REUSED.
-- Security definer: drivers have no right to write batches. Nothing here trusts an
--   argument for who is calling; that is auth.uid().
-- Tests: supabase/tests/03-claim-route.sql
create function private.claim_route(p_batch_id uuid, p_action text, p_idempotency_key text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_action constant text := coalesce(p_action, 'claim');
  v_request constant jsonb := jsonb_build_object('batch_id', p_batch_id, 'action', v_action);
  v_answer text;
  v_result jsonb;
begin
  perform private.check_claim_route_arguments(p_batch_id, v_action);
  if auth.uid() is null then
    perform private.raise_error('UNAUTHENTICATED');
  end if;

  v_answer := private.begin_idempotent('claim_route', p_idempotency_key, v_request);
  if v_answer is not null then
    return v_answer::jsonb;
  end if;

  v_result := private.claim_route(p_batch_id, p_action);
  perform private.finish_idempotent('claim_route', p_idempotency_key, v_result::text);
  return v_result;
end
$$;

comment on function private.claim_route(uuid, text, text) is
  'The whole of public.claim_route, with its owner''s rights and an idempotency key.';

revoke all on function private.claim_route(uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function private.claim_route(uuid, text, text) to authenticated, service_role;

-- Purpose: the RPC. Claims a batch (the next one without p_batch_id), or renews,
--   releases, starts or completes one the caller holds.
-- Callers: authenticated (active drivers), service_role acting with a driver's claims.
-- Locks and errors: as private.claim_route.
-- Tests: supabase/tests/02-roles.sql, 03-claim-route.sql
create function public.claim_route(
  p_batch_id uuid default null,
  p_action text default 'claim',
  p_idempotency_key text default null
)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select private.claim_route(p_batch_id, p_action, p_idempotency_key)
$$;

comment on function public.claim_route(uuid, text, text) is
  'Claims a delivery batch for the calling driver (the next one without p_batch_id); p_action renew, release, start or complete acts on one they hold.';

revoke all on function public.claim_route(uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function public.claim_route(uuid, text, text) to authenticated, service_role;
