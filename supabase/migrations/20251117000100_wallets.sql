-- Wallets: money a user has with the shop, and its ledger.
--
-- A wallet holds one currency. Every change of a balance, by whatever code, leaves a row
-- in wallet_movements through a trigger; the view wallet_differences is always empty.
-- The context of a change is given as for stock (private.set_ledger_context).
--
-- Deleting an account deletes its wallet; the ledger keeps the closing row.
--
-- Reasons of ours: top_up, checkout, order_cancelled, order_refunded, opening (insert by
-- the shop's own SQL), closed (wallet deleted), correction (the shop's own SQL).
--
-- Tests: supabase/tests/10-checkout-schema.sql, 12-checkout.sql

set local lock_timeout = '5s';

create table public.wallets (
  user_id uuid
    constraint wallets_pkey primary key
    constraint wallets_user_id_fkey references auth.users (id) on delete cascade,
  balance bigint not null default 0
    constraint wallets_balance_nonnegative check (balance >= 0),
  currency char(3) not null
    constraint wallets_currency_format check (currency ~ '^[A-Z]{3}$'),
  created_at timestamptz not null default now()
);

comment on table public.wallets is
  'Money a user has with the shop, in minor units. Changed by checkout, top-ups and refunds only.';
comment on column public.wallets.balance is
  'Minor units of the currency; never negative.';

create table public.wallet_movements (
  id bigint generated always as identity
    constraint wallet_movements_pkey primary key,
  user_id uuid not null,
  delta bigint not null
    constraint wallet_movements_delta_nonzero check (delta <> 0),
  balance_after bigint not null,
  currency char(3) not null,
  reason text not null
    constraint wallet_movements_reason_length check (char_length(reason) between 1 and 100),
  reference_id uuid,
  actor uuid,
  created_at timestamptz not null default now()
);

comment on table public.wallet_movements is
  'Append-only wallet ledger, written by a trigger on wallets. Nobody can change or delete a row.';
comment on column public.wallet_movements.reference_id is
  'What it was for: the order, or the shop''s own reference of a top-up.';
comment on column public.wallet_movements.actor is
  'The signed-in user who did it; empty for the shop and for jobs.';

create index wallet_movements_by_user on public.wallet_movements (user_id, id);

-- A payment the shop has booked is booked once, however often it says so.
create unique index wallet_movements_one_top_up
  on public.wallet_movements (user_id, reference_id)
  where reason = 'top_up' and reference_id is not null;

alter table public.wallets enable row level security;
alter table public.wallet_movements enable row level security;

revoke all on table public.wallets, public.wallet_movements from public, anon, authenticated, service_role;
revoke all on sequence public.wallet_movements_id_seq from public, anon, authenticated, service_role;
grant select on table public.wallets, public.wallet_movements to authenticated, service_role;

create policy wallets_select_own
  on public.wallets
  for select
  to authenticated
  using (user_id = (select auth.uid()));

create policy wallet_movements_select_own
  on public.wallet_movements
  for select
  to authenticated
  using (user_id = (select auth.uid()));

create trigger wallet_movements_append_only
  before update or delete on public.wallet_movements
  for each row
  execute function private.refuse_change();

create trigger wallet_movements_no_truncate
  before truncate on public.wallet_movements
  for each statement
  execute function private.refuse_change();

-- Purpose: write the wallet ledger; refuse another owner or currency for a wallet.
-- Callers: trigger wallets_record_movement.
-- Locks: none beyond the rows it inserts; the wallet is locked by the statement.
-- Errors: 23514 check_violation with constraint name wallets_identity_fixed.
-- Security definer: nobody has insert on wallet_movements.
-- Tests: supabase/tests/12-checkout.sql
create function private.record_wallet_movement()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_reason text := nullif(current_setting('interlock.reason', true), '');
  v_reference_id constant uuid := nullif(current_setting('interlock.reference_id', true), '')::uuid;
  v_delta bigint;
  v_wallet public.wallets;
begin
  case tg_op
    when 'INSERT' then
      v_wallet := new;
      v_delta := new.balance;
    when 'UPDATE' then
      if (new.user_id, new.currency) is distinct from (old.user_id, old.currency) then
        raise exception using
          errcode = 'check_violation',
          schema = tg_table_schema,
          table = tg_table_name,
          constraint = 'wallets_identity_fixed',
          message = format('owner and currency of wallet %s cannot change', old.user_id);
      end if;
      v_wallet := new;
      v_delta := new.balance - old.balance;
    else
      v_wallet := old;
      v_delta := -old.balance;
      v_wallet.balance := 0;
      v_reason := 'closed';
  end case;

  if v_delta <> 0 then
    insert into public.wallet_movements (user_id, delta, balance_after, currency, reason, reference_id, actor)
    values (
      v_wallet.user_id,
      v_delta,
      v_wallet.balance,
      v_wallet.currency,
      coalesce(v_reason, case tg_op when 'INSERT' then 'opening' else 'correction' end),
      v_reference_id,
      auth.uid()
    );
  end if;

  return null;
end
$$;

comment on function private.record_wallet_movement() is
  'Trigger: appends to public.wallet_movements every change of a balance, whoever made it.';

revoke all on function private.record_wallet_movement() from public, anon, authenticated, service_role;

create trigger wallets_record_movement
  after insert or update or delete on public.wallets
  for each row
  execute function private.record_wallet_movement();

create trigger wallets_no_truncate
  before truncate on public.wallets
  for each statement
  execute function private.refuse_change();

create view public.wallet_differences
with (security_invoker = true)
as
  select
    coalesce(w.user_id, m.user_id) as user_id,
    w.balance,
    coalesce(m.ledger_balance, 0) as ledger_balance
  from public.wallets w
  full join (
    select s.user_id, sum(s.delta) as ledger_balance
    from public.wallet_movements s
    group by s.user_id
  ) m on m.user_id = w.user_id
  where coalesce(w.balance, 0) <> coalesce(m.ledger_balance, 0);

comment on view public.wallet_differences is
  'Wallets whose ledger does not add up to their balance. Always empty; anything else is a bug.';

revoke all on table public.wallet_differences from public, anon, authenticated, service_role;
grant select on table public.wallet_differences to service_role;

-- Purpose: lock a user's wallet; the one helper for this kind of lock.
-- Callers: private.checkout. Locks: the wallet's row, waiting, `no key`.
-- Errors: 55P03 after lock_timeout. A row of nulls if the user has none.
-- Tests: supabase/tests/12-checkout.sql
create function private.lock_wallet(p_user_id uuid)
returns public.wallets
language plpgsql
set search_path = ''
as $$
declare
  v_wallet public.wallets;
begin
  select w.* into v_wallet from public.wallets w where w.user_id = p_user_id for no key update;
  return v_wallet;
end
$$;

comment on function private.lock_wallet(uuid) is
  'Locks a user''s wallet and returns it; a row of nulls if there is none.';

revoke all on function private.lock_wallet(uuid) from public, anon, authenticated, service_role;

-- Purpose: add money to a wallet (negative amounts never come here), making it if needed.
-- Callers: private.top_up_wallet, the release of orders.
-- Locks: the wallet's row, waiting. Errors: CURRENCY_MISMATCH; 55P03 after lock_timeout.
-- Tests: supabase/tests/12-checkout.sql, 14-order-life.sql
create function private.credit_wallet(
  p_user_id uuid,
  p_amount bigint,
  p_currency text,
  p_reason text,
  p_reference_id uuid
)
returns public.wallets
language plpgsql
set search_path = ''
as $$
declare
  v_wallet public.wallets;
begin
  perform private.set_ledger_context(p_reason, p_reference_id);

  insert into public.wallets as w (user_id, balance, currency)
  values (p_user_id, p_amount, p_currency)
  on conflict (user_id) do update
    set balance = w.balance + excluded.balance
    where w.currency = excluded.currency
  returning w.* into v_wallet;

  perform private.set_ledger_context(null, null);

  if v_wallet.user_id is null then
    select w.* into v_wallet from public.wallets w where w.user_id = p_user_id;
    perform private.raise_error(
      'CURRENCY_MISMATCH',
      jsonb_build_object('currency', p_currency, 'wallet_currency', v_wallet.currency)
    );
  end if;

  return v_wallet;
end
$$;

comment on function private.credit_wallet(uuid, bigint, text, text, uuid) is
  'Adds money to a wallet, making it if needed.';

revoke all on function private.credit_wallet(uuid, bigint, text, text, uuid) from public, anon, authenticated, service_role;

-- Purpose: the whole of public.top_up_wallet. With a reference a top-up counts once for
--   that user: the same call again answers the same and adds nothing; another amount
--   under the same reference is refused.
-- Callers: service_role, through public.top_up_wallet.
-- Locks: the wallet's row, two seconds at most.
-- Errors: VALIDATION_FAILED, USER_NOT_FOUND, CURRENCY_MISMATCH, IDEMPOTENCY_KEY_REUSED;
--   55P03 is transient.
-- Security definer: nobody has insert or update on wallets.
-- Tests: supabase/tests/12-checkout.sql
create function private.top_up_wallet(p_user_id uuid, p_amount bigint, p_currency text, p_reference uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_booked public.wallet_movements;
  v_wallet public.wallets;
begin
  if p_user_id is null then
    v_problems := v_problems || jsonb_build_object('pointer', '/p_user_id', 'message', 'is required');
  end if;
  if p_amount is null or p_amount not between 1 and 1000000000000 then
    v_problems := v_problems
      || jsonb_build_object('pointer', '/p_amount', 'message', 'must be an integer from 1 to 1000000000000');
  end if;
  if p_currency is null or p_currency !~ '^[A-Z]{3}$' then
    v_problems := v_problems
      || jsonb_build_object('pointer', '/p_currency', 'message', 'must be three capital letters');
  end if;
  if v_problems <> '[]' then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', v_problems));
  end if;

  if not exists (select 1 from auth.users u where u.id = p_user_id) then
    perform private.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_user_id));
  end if;

  -- The wallet is locked before the look for an earlier booking, so that of two equal
  -- calls the second sees the first; a wallet that both of them make collides instead.
  insert into public.wallets (user_id, currency)
  values (p_user_id, p_currency)
  on conflict (user_id) do nothing;
  v_wallet := private.lock_wallet(p_user_id);

  if p_reference is not null then
    select m.*
    into v_booked
    from public.wallet_movements m
    where m.user_id = p_user_id
      and m.reference_id = p_reference
      and m.reason = 'top_up';
  end if;

  if v_booked.id is null then
    v_wallet := private.credit_wallet(p_user_id, p_amount, p_currency, 'top_up', p_reference);
  elsif (v_booked.delta, v_booked.currency) is distinct from (p_amount, p_currency::char(3)) then
    perform private.raise_error('IDEMPOTENCY_KEY_REUSED', jsonb_build_object('reference', p_reference));
  end if;

  return jsonb_build_object(
    'success', true,
    'user_id', p_user_id,
    'balance', v_wallet.balance,
    'currency', v_wallet.currency
  );
end
$$;

comment on function private.top_up_wallet(uuid, bigint, text, uuid) is
  'The whole of public.top_up_wallet, with its owner''s rights.';

revoke all on function private.top_up_wallet(uuid, bigint, text, uuid) from public, anon, authenticated, service_role;
grant execute on function private.top_up_wallet(uuid, bigint, text, uuid) to service_role;

-- Purpose: the RPC for the shop's own code: add money to a user's wallet.
-- Callers: service_role.
-- Locks and errors: as private.top_up_wallet.
-- Tests: supabase/tests/12-checkout.sql
create function public.top_up_wallet(
  p_user_id uuid,
  p_amount bigint,
  p_currency text,
  p_reference uuid default null
)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select private.top_up_wallet(p_user_id, p_amount, p_currency, p_reference)
$$;

comment on function public.top_up_wallet(uuid, bigint, text, uuid) is
  'Adds money to a user''s wallet; once for each p_reference. For the service role.';

revoke all on function public.top_up_wallet(uuid, bigint, text, uuid) from public, anon, authenticated, service_role;
grant execute on function public.top_up_wallet(uuid, bigint, text, uuid) to service_role;
