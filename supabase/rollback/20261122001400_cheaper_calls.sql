-- Undoes 20261122001400_cheaper_calls.sql.
-- Newest first: run it in one transaction, then `supabase migration repair --status reverted 20261122001400`.

set local lock_timeout = '5s';

drop trigger products_identity_fixed on public.products;

create trigger products_identity_fixed
  before update on public.products
  for each row
  when (old.id is distinct from new.id or old.kind is distinct from new.kind)
  execute function private.refuse_product_identity_change();

alter table public.orders
  drop constraint orders_payment_deadline_matches_status,
  add constraint orders_payment_deadline_matches_status check (
    case status
      when 'pending_payment' then payment_method = 'bank_transfer' and payment_expires_at is not null
      when 'confirmed' then payment_method = 'cash_on_delivery'
      when 'expired' then payment_method = 'bank_transfer'
      else true
    end
  ),
  drop constraint orders_times_match_status,
  add constraint orders_times_match_status check (
    case status
      when 'pending_payment' then num_nonnulls(paid_at, fulfilled_at, cancelled_at, refunded_at) = 0
      when 'confirmed' then num_nonnulls(paid_at, fulfilled_at, cancelled_at, refunded_at) = 0
      when 'paid' then paid_at is not null and num_nonnulls(fulfilled_at, cancelled_at, refunded_at) = 0
      when 'fulfilled' then num_nulls(paid_at, fulfilled_at) = 0 and num_nonnulls(cancelled_at, refunded_at) = 0
      when 'cancelled' then cancelled_at is not null and num_nonnulls(fulfilled_at, refunded_at) = 0
      when 'expired' then cancelled_at is not null and num_nonnulls(paid_at, fulfilled_at, refunded_at) = 0
      when 'refunded' then num_nulls(paid_at, refunded_at) = 0 and cancelled_at is null
      else true
    end
  );

drop function private.order_deadline_matches(text, text, timestamptz);
drop function private.order_times_match(text, timestamptz, timestamptz, timestamptz, timestamptz);

create or replace function public.claim_route(
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

create or replace function public.checkout(
  p_cart_items jsonb,
  p_promo_code text default null,
  p_cart_id uuid default null,
  p_payment_method text default 'cash_on_delivery',
  p_idempotency_key text default null
)
returns json
language sql
security invoker
set search_path = ''
as $$
  select private.checkout(p_cart_items, p_promo_code, p_cart_id, p_payment_method, p_idempotency_key)
$$;

create or replace function private.clock()
returns timestamptz
language sql
stable
set search_path = ''
as $$
  select now()
$$;

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
  else
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

  if p_idempotency_key !~ '^[\x20-\x7e]{1,255}$' then
    v_problems := v_problems || jsonb_build_object(
      'pointer', '/headers/idempotency-key', 'message', 'must be 1 to 255 printable ASCII characters'
    );
  end if;

  if v_problems <> '[]' then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', v_problems));
  end if;
end
$$;

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

alter table private.idempotency_keys
  drop constraint idempotency_keys_key_format,
  add constraint idempotency_keys_key_format check (key ~ '^[\x20-\x7e]{1,255}$');
