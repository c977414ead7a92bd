-- The same calls for less: what profiling a checkout of one line showed (`npm run bench`).
--
--   * `{1,255}` in a regular expression costs 0.1 ms each time it is used, and a keyed checkout used it four
--     times: more than everything it wrote. Length and characters are two plain questions now.
--   * A function in SQL with settings of its own is parsed and planned at every call; one in PL/pgSQL keeps
--     its plan. That is the public wrapper of the busiest calls and the clock.
--   * Postgres reads the text of check constraints and of trigger conditions at every statement: 10 kB of it
--     for the times of an order. A condition in a function is read once for a session, and a trigger with a
--     list of columns is passed over without its condition.
--
-- What is refused, and with which error, is as before.
--
-- Tests: supabase/tests/02-roles.sql, 06-constraints.sql, 10-checkout-schema.sql, 11-stock.sql, 12-checkout.sql

set local lock_timeout = '5s';

alter table private.idempotency_keys
  drop constraint idempotency_keys_key_format,
  add constraint idempotency_keys_key_format
    check (key ~ '^[\x20-\x7e]+$' and char_length(key) <= 255) not valid;

alter table private.idempotency_keys
  validate constraint idempotency_keys_key_format;

-- Purpose: the stored answer of a request, if its key has one that still counts.
-- Callers: private.begin_idempotent; functions that look before they lock.
-- Locks: none.
-- Errors: VALIDATION_FAILED for a key of wrong length or characters, IDEMPOTENCY_KEY_REUSED,
--   INTERNAL.
--   Null without a key, for a new key and for one that is over.
-- Effect: where it answers, PostgREST sends the header Idempotent-Replayed: true.
-- Tests: supabase/tests/12-checkout.sql
create or replace function private.find_idempotent(p_operation text, p_key text, p_request jsonb)
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

  if p_key !~ '^[\x20-\x7e]+$' or char_length(p_key) > 255 then
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

-- Purpose: refuse a request of wrong shape, with all its problems.
-- Callers: private.checkout. Locks: none.
-- Errors: VALIDATION_FAILED.
-- Tests: supabase/tests/12-checkout.sql
create or replace function private.check_checkout_arguments(
  p_cart_items jsonb,
  p_promo_code text,
  p_payment_method text,
  p_idempotency_key text
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_uuid constant text := '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$';
  v_problems jsonb := '[]'::jsonb;
begin
  if jsonb_typeof(p_cart_items) is distinct from 'array' then
    v_problems := jsonb_build_array(
      jsonb_build_object('pointer', '/cart_items', 'message', 'must be an array of 1 to 100 lines')
    );
  elsif jsonb_array_length(p_cart_items) not between 1 and 100 then
    v_problems := jsonb_build_array(
      jsonb_build_object('pointer', '/cart_items', 'message', 'must have 1 to 100 lines')
    );
  elsif exists (
    -- A valid cart is recognised by a plain look; what is wrong with another one takes a longer query.
    select
    from jsonb_array_elements(p_cart_items) as i (item)
    where (
      jsonb_typeof(i.item) = 'object'
      and i.item - 'product_id' - 'quantity' = '{}'
      and jsonb_typeof(i.item -> 'product_id') = 'string'
      and i.item ->> 'product_id' ~ v_uuid
      and case
        when jsonb_typeof(i.item -> 'quantity') = 'number' then
          (i.item ->> 'quantity')::numeric between 1 and 10000
          and (i.item ->> 'quantity')::numeric = trunc((i.item ->> 'quantity')::numeric)
      end
    ) is not true
  ) then
    select coalesce(
      jsonb_agg(
        jsonb_build_object('pointer', format('/cart_items/%s%s', c.n - 1, p.pointer), 'message', p.message)
        order by c.n, p.pointer
      ),
      '[]'
    )
    into v_problems
    from (
      select
        i.n,
        i.item,
        jsonb_typeof(i.item) = 'object' as is_object,
        coalesce(
          jsonb_typeof(i.item -> 'product_id') = 'string' and i.item ->> 'product_id' ~ v_uuid,
          false
        ) as product_id_valid,
        case
          when jsonb_typeof(i.item -> 'quantity') = 'number' then
            (i.item ->> 'quantity')::numeric between 1 and 10000
            and (i.item ->> 'quantity')::numeric = trunc((i.item ->> 'quantity')::numeric)
          else false
        end as quantity_valid,
        case when jsonb_typeof(i.item) = 'object' then i.item - 'product_id' - 'quantity' end as others
      from jsonb_array_elements(p_cart_items) with ordinality as i (item, n)
    ) c
    cross join lateral (
      select '' as pointer, 'must be an object with product_id and quantity' as message
      where not c.is_object
      union all
      select '/product_id', 'must be a UUID'
      where c.is_object and not c.product_id_valid
      union all
      select '/quantity', 'must be an integer from 1 to 10000'
      where c.is_object and not c.quantity_valid
      union all
      select '/' || replace(replace(left(k.name, 100), '~', '~0'), '/', '~1'), 'is not a known field'
      from jsonb_object_keys(c.others) as k (name)
    ) p
    where not (c.is_object and c.product_id_valid and c.quantity_valid and c.others = '{}');
  end if;

  if char_length(btrim(p_promo_code)) not between 1 and 64 then
    v_problems := v_problems
      || jsonb_build_object('pointer', '/promo_code', 'message', 'must be 1 to 64 characters');
  end if;

  if p_payment_method not in ('wallet', 'bank_transfer', 'cash_on_delivery') then
    v_problems := v_problems || jsonb_build_object(
      'pointer', '/payment_method', 'message', 'must be wallet, bank_transfer or cash_on_delivery'
    );
  end if;

  if p_idempotency_key !~ '^[\x20-\x7e]+$' or char_length(p_idempotency_key) > 255 then
    v_problems := v_problems || jsonb_build_object(
      'pointer', '/headers/idempotency-key', 'message', 'must be 1 to 255 printable ASCII characters'
    );
  end if;

  if v_problems <> '[]' then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', v_problems));
  end if;
end
$$;

-- Purpose: the one source of time for leases. It is the time at which the
--   transaction began: an earlier `now` only ever makes a lease look longer, so a
--   call that waited for a lock never takes over a lease that was live when it began.
-- Callers: the functions and triggers of this schema.
-- Locks: none. Errors: none.
-- Tests: supabase/tests/03-claim-route.sql (rows are aged, never the clock)
create or replace function private.clock()
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return now();
end
$$;

-- Purpose: the RPC. Buys the cart for the calling user, or says why not and changes nothing.
-- Callers: authenticated; service_role acting with a user's claims.
-- Locks and errors: as private.checkout.
-- Tests: supabase/tests/02-roles.sql, 12-checkout.sql
create or replace function public.checkout(
  p_cart_items jsonb,
  p_promo_code text default null,
  p_cart_id uuid default null,
  p_payment_method text default 'cash_on_delivery',
  p_idempotency_key text default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return private.checkout(p_cart_items, p_promo_code, p_cart_id, p_payment_method, p_idempotency_key);
end
$$;

-- Purpose: the RPC. Claims a batch (the next one without p_batch_id), or renews,
--   releases, starts or completes one the caller holds.
-- Callers: authenticated (active drivers), service_role acting with a driver's claims.
-- Locks and errors: as private.claim_route.
-- Tests: supabase/tests/02-roles.sql, 03-claim-route.sql
create or replace function public.claim_route(
  p_batch_id uuid default null,
  p_action text default 'claim',
  p_idempotency_key text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return private.claim_route(p_batch_id, p_action, p_idempotency_key);
end
$$;

-- Purpose: whether an order has the times that its status says, and no others.
-- Callers: the check orders_times_match_status.
-- Locks: none. Errors: none.
-- Tests: supabase/tests/06-constraints.sql, 10-checkout-schema.sql
create function private.order_times_match(
  p_status text,
  p_paid_at timestamptz,
  p_fulfilled_at timestamptz,
  p_cancelled_at timestamptz,
  p_refunded_at timestamptz
)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case p_status
    when 'pending_payment' then num_nonnulls(p_paid_at, p_fulfilled_at, p_cancelled_at, p_refunded_at) = 0
    when 'confirmed' then num_nonnulls(p_paid_at, p_fulfilled_at, p_cancelled_at, p_refunded_at) = 0
    when 'paid' then p_paid_at is not null and num_nonnulls(p_fulfilled_at, p_cancelled_at, p_refunded_at) = 0
    when 'fulfilled' then
      num_nulls(p_paid_at, p_fulfilled_at) = 0 and num_nonnulls(p_cancelled_at, p_refunded_at) = 0
    when 'cancelled' then p_cancelled_at is not null and num_nonnulls(p_fulfilled_at, p_refunded_at) = 0
    when 'expired' then
      p_cancelled_at is not null and num_nonnulls(p_paid_at, p_fulfilled_at, p_refunded_at) = 0
    when 'refunded' then num_nulls(p_paid_at, p_refunded_at) = 0 and p_cancelled_at is null
    else true
  end;
end
$$;

comment on function private.order_times_match(text, timestamptz, timestamptz, timestamptz, timestamptz) is
  'Whether an order has the times that its status says, and no others.';

revoke all on function private.order_times_match(text, timestamptz, timestamptz, timestamptz, timestamptz)
  from public, anon, authenticated, service_role;

alter table public.orders
  drop constraint orders_times_match_status,
  add constraint orders_times_match_status
    check (private.order_times_match(status, paid_at, fulfilled_at, cancelled_at, refunded_at)) not valid;

alter table public.orders
  validate constraint orders_times_match_status;

-- Purpose: whether an order's way of payment and deadline are those of its status.
-- Callers: the check orders_payment_deadline_matches_status.
-- Locks: none. Errors: none.
-- Tests: supabase/tests/06-constraints.sql, 10-checkout-schema.sql
create function private.order_deadline_matches(p_status text, p_payment_method text, p_payment_expires_at timestamptz)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case p_status
    when 'pending_payment' then p_payment_method = 'bank_transfer' and p_payment_expires_at is not null
    when 'confirmed' then p_payment_method = 'cash_on_delivery'
    when 'expired' then p_payment_method = 'bank_transfer'
    else true
  end;
end
$$;

comment on function private.order_deadline_matches(text, text, timestamptz) is
  'Whether an order''s way of payment and deadline are those of its status.';

revoke all on function private.order_deadline_matches(text, text, timestamptz)
  from public, anon, authenticated, service_role;

alter table public.orders
  drop constraint orders_payment_deadline_matches_status,
  add constraint orders_payment_deadline_matches_status
    check (private.order_deadline_matches(status, payment_method, payment_expires_at)) not valid;

alter table public.orders
  validate constraint orders_payment_deadline_matches_status;

drop trigger products_identity_fixed on public.products;

create trigger products_identity_fixed
  before update of id, kind on public.products
  for each row
  when (old.id is distinct from new.id or old.kind is distinct from new.kind)
  execute function private.refuse_product_identity_change();
