-- Customers of tills, and their points.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

-- A phone number in its normal form, E.164: a plus and 7 to 15 digits.
create domain interlock.phone_number as text
  constraint phone_number_format check (value ~ '^\+[1-9][0-9]{6,14}$');

-- An e-mail address in its normal form: lower case, without blanks.
create domain interlock.email_address as text
  constraint email_address_format check (value ~ '^[^@\s]+@[^@\s]+[.][^@\s]+$' and char_length(value) <= 254);

-- Points of a loyalty program.
create domain interlock.points as bigint
  constraint points_range check (value between 0 and 9007199254740991);

-- Why the points of a customer have changed.
create domain interlock.points_kind as text
  constraint points_movements_kind_known check (
    value in ('earned', 'taken_back', 'spent', 'given_back', 'adjusted', 'merged')
  );

-- What the caller is at a till: `manager` (managers and staff by token, the shop itself), `cashier` (by token), or nothing.
-- The role is app_metadata.role, which only the shop can set; the account must exist.
--
-- Callers: policies; interlock.require_till.
create function interlock.till_role()
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return case
    when interlock.acts_for_shop() then 'manager'
    when auth.jwt() -> 'app_metadata' ->> 'role' in ('cashier', 'manager')
      and exists (select from interlock.accounts u where u.id = auth.uid())
    then auth.jwt() -> 'app_metadata' ->> 'role'
  end;
end
$$;

-- Trigger: an order that is paid, or of which something came back after that, has points to be booked, where its buyer is a customer
-- of the loyalty program.
--
-- Callers: trigger orders_points_due.
-- Locks: none beyond the row it inserts.
-- Security definer: nobody has insert on points_due.
create function interlock.note_points_due()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  -- Not the trigger's condition, whose text Postgres would read at every checkout.
  if new.paid_at is null then
    return null;
  end if;
  insert into interlock.points_due (order_id, user_id)
  select new.id, new.user_id
  where exists (select from interlock.customers c where c.user_id = new.user_id);
  return null;
end
$$;

-- Customers of a shop, as its tills know them. Everything personal about them is in this table, and
-- public.erase_customer empties it. Phone and e-mail are kept in their normal forms (interlock.normal_phone,
-- interlock.normal_email), each of one customer only.
--
-- One that was merged into another has nothing left but its id, which old sales and scripts may name.
create table interlock.customers (
  id uuid not null default interlock.new_id()
    constraint customers_pkey primary key,
  name interlock.label,
  phone interlock.phone_number,
  email interlock.email_address,
  user_id uuid
    constraint customers_user_id_fkey references auth.users (id) on delete set null,
  merged_into uuid
    constraint customers_merged_into_fkey references interlock.customers,
  marketing boolean not null default true,
  created_at timestamptz not null default now(),
  erased_at timestamptz,
  constraint customers_gone_is_empty check (
    num_nonnulls(merged_into, erased_at) = 0 or num_nonnulls(name, phone, email, user_id) = 0
  )
);

comment on table interlock.customers is
  'Customers as the tills know them; all that is personal about them. Written by save_customer, merge_customers and erase_customer.';
comment on column interlock.customers.name is
  'As people read it.';
comment on column interlock.customers.phone is
  'In the form +491511234567.';
comment on column interlock.customers.email is
  'In lower case.';
comment on column interlock.customers.user_id is
  'The account of the web shop, if they have one: its wallet pays at the till, and its orders earn points.';
comment on column interlock.customers.merged_into is
  'Who has got what this one had.';
comment on column interlock.customers.marketing is
  'Whether they may be written to beside what they bought.';
comment on column interlock.customers.created_at is
  'When they were first seen.';
comment on column interlock.customers.erased_at is
  'When the person was taken out.';

-- Partial, so that a change of them is no change of a key: it does not wait for sales that refer to the row.
create unique index customers_phone_key on interlock.customers (phone) where phone is not null;
create unique index customers_email_key on interlock.customers (email) where email is not null;
create unique index customers_user_id_key on interlock.customers (user_id) where user_id is not null;
create index customers_merged on interlock.customers (merged_into) where merged_into is not null;

alter table interlock.customers enable row level security;

grant select on table interlock.customers to authenticated, service_role;

create policy customers_select_till_or_own
  on interlock.customers
  for select
  to authenticated
  using (user_id = (select auth.uid()) or (select interlock.till_role()) is not null);

-- Points of customers: one row for each customer who ever had any. The row's lock is what every way of earning and spending
-- goes through (interlock.lock_points); each change leaves a row in points_movements, and their sum is the balance.
--
-- `owed` is what was earned by something that came back after the points had been spent: it is taken off what is earned
-- next, because a balance is never negative.
create table interlock.points_accounts (
  customer_id uuid not null
    constraint points_accounts_pkey primary key
    constraint points_accounts_customer_id_fkey references interlock.customers,
  balance interlock.points not null default 0,
  owed interlock.points not null default 0,
  tier interlock.label
)
with (fillfactor = 70);

comment on table interlock.points_accounts is
  'Points and tiers of customers. Written by sales, orders and adjust_points only.';
comment on column interlock.points_accounts.balance is
  'Points that can be spent.';
comment on column interlock.points_accounts.owed is
  'Points that were spent before what had earned them came back: taken off what is earned next.';
comment on column interlock.points_accounts.tier is
  'The tier that was reached, if any.';

create index points_accounts_by_tier on interlock.points_accounts (tier) where tier is not null;

alter table interlock.points_accounts enable row level security;

grant select on table interlock.points_accounts to authenticated, service_role;

create policy points_accounts_select_till_or_own
  on interlock.points_accounts
  for select
  to authenticated
  using (
    customer_id = any (array(select c.id from interlock.customers c where c.user_id = (select auth.uid())))
    or (select interlock.till_role()) is not null
  );

-- Orders of the web shop whose points have still to be booked (interlock.settle_points): an order writes a row when it is paid,
-- refunded or ends, without a lock on the customer's points, so a checkout never waits for a till.
create table interlock.points_due (
  order_id uuid not null,
  user_id uuid not null,
  created_at timestamptz not null default now(),
  id uuid not null default interlock.new_id()
    constraint points_due_pkey primary key
);

comment on table interlock.points_due is
  'Orders whose points have still to be booked; emptied every minute, and before a customer''s next sale.';
comment on column interlock.points_due.user_id is
  'Whose order it is.';

create index points_due_by_user on interlock.points_due (user_id);

create trigger orders_points_due
  after insert or update of status, refunded on interlock.orders
  for each row
  execute function interlock.note_points_due();

alter table interlock.points_due enable row level security;

grant select on table interlock.points_due to service_role;

-- The ledger of points, append-only. The sum of `points` of a customer is the balance, that of `owed` what they owe. What a
-- movement counts towards a tier is `points - owed` of what was earned or taken back, or `amount`.
create table interlock.points_movements (
  id uuid not null default interlock.new_id(),
  customer_id uuid not null
    constraint points_movements_customer_id_fkey references interlock.customers,
  kind interlock.points_kind not null,
  points bigint not null,
  owed bigint not null default 0,
  amount bigint not null default 0,
  balance_after interlock.points not null,
  sale_id uuid,
  order_id uuid,
  reason interlock.label,
  actor uuid,
  created_at timestamptz not null default now(),
  constraint points_movements_pkey primary key (customer_id, id)
);

comment on table interlock.points_movements is
  'Append-only ledger of points, read by the customer and at tills.';
comment on column interlock.points_movements.points is
  'The change of the balance.';
comment on column interlock.points_movements.owed is
  'The change of what is owed.';
comment on column interlock.points_movements.amount is
  'The change of the turnover, in minor units.';
comment on column interlock.points_movements.sale_id is
  'The sale at a till that earned or spent them.';
comment on column interlock.points_movements.order_id is
  'The order of the web shop that earned them.';
comment on column interlock.points_movements.reason is
  'Why, as somebody said it.';
comment on column interlock.points_movements.actor is
  'Who did it; empty for the shop''s own code.';

create index points_movements_by_sale on interlock.points_movements (sale_id) where sale_id is not null;
create index points_movements_by_order on interlock.points_movements (order_id) where order_id is not null;

create trigger points_movements_append_only
  before update or delete on interlock.points_movements
  for each row
  execute function interlock.refuse_change('customer_id', 'actor');

create trigger points_movements_no_truncate
  before truncate on interlock.points_movements
  for each statement
  execute function interlock.refuse_change();

alter table interlock.points_movements enable row level security;

grant select on table interlock.points_movements to authenticated, service_role;

create policy points_movements_select_till_or_own
  on interlock.points_movements
  for select
  to authenticated
  using (
    customer_id = any (array(select c.id from interlock.customers c where c.user_id = (select auth.uid())))
    or (select interlock.till_role()) is not null
  );

-- How points are earned: for each full `per_amount` of what a sale has of a class of products (products.loyalty_class) there
-- are `points`, rounded down. A class without a rule earns nothing. Tax is in the amount; what is paid with points is not.
create table interlock.points_rules (
  currency interlock.currency_code not null,
  loyalty_class interlock.slug not null default 'standard',
  per_amount interlock.positive_amount not null default 100,
  points interlock.positive_count not null,
  constraint points_rules_pkey primary key (currency, loyalty_class)
);

comment on table interlock.points_rules is
  'How points are earned, by class of products. Managed by the shop with the service role.';
comment on column interlock.points_rules.currency is
  'ISO 4217 code of what it is sold for.';
comment on column interlock.points_rules.loyalty_class is
  'That of products.loyalty_class.';
comment on column interlock.points_rules.per_amount is
  'For each full one of it, in minor units.';
comment on column interlock.points_rules.points is
  'How many points there are.';

alter table interlock.points_rules enable row level security;

grant select on table interlock.points_rules to authenticated;
grant select, insert, update, delete on table interlock.points_rules to service_role;

create policy points_rules_select_till
  on interlock.points_rules
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);

-- What a point is worth as a tender, by currency. Without a row points pay nothing in that currency.
create table interlock.points_values (
  currency interlock.currency_code not null
    constraint points_values_pkey primary key,
  value interlock.positive_amount not null
);

comment on table interlock.points_values is
  'What a point is worth as a tender. Managed by the shop with the service role; who is signed in may read it.';
comment on column interlock.points_values.currency is
  'ISO 4217 code of what it pays.';
comment on column interlock.points_values.value is
  'Minor units for one point.';

alter table interlock.points_values enable row level security;

grant select on table interlock.points_values to authenticated;
grant select, insert, update, delete on table interlock.points_values to service_role;

create policy points_values_select_authenticated
  on interlock.points_values
  for select
  to authenticated
  using (true);

-- Tiers of a loyalty program: who has reached `threshold` points or turnover (settings.tier_basis) within settings.tier_window
-- is in the highest such tier, and earns `earns_percent` of what the rules say.
create table interlock.tiers (
  name interlock.label not null
    constraint tiers_pkey primary key,
  threshold interlock.points not null
    constraint tiers_threshold_key unique,
  earns_percent interlock.positive_count not null default 100
);

comment on table interlock.tiers is
  'Tiers of the loyalty program. Managed by the shop with the service role; who is signed in may read them.';
comment on column interlock.tiers.name is
  'As people read it.';
comment on column interlock.tiers.threshold is
  'Points or minor units that have to be reached.';
comment on column interlock.tiers.earns_percent is
  'Share of the points of points_rules that somebody in this tier earns, in per cent.';

alter table interlock.tiers enable row level security;

grant select on table interlock.tiers to authenticated;
grant select, insert, update, delete on table interlock.tiers to service_role;

create policy tiers_select_authenticated
  on interlock.tiers
  for select
  to authenticated
  using (true);

-- What public.adjust_points does, with its owner's rights: correct the points of a customer, by p_delta or to p_balance (which is how
-- ours follow somebody who keeps them outside), once for each reference. Never below nothing.
--
-- Callers: authenticated (managers, staff) and service_role, through public.adjust_points.
-- Locks: the reference; as interlock.lock_points. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, CUSTOMER_NOT_FOUND, INSUFFICIENT_POINTS; 55P03 is
--   transient.
-- Security definer: nobody has the right to write points.
create function interlock.adjust_points(p_customer_id uuid, p_reason text, p_reference text, p_delta bigint, p_balance bigint)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_id uuid;
  v_answer jsonb;
  v_account interlock.points_accounts;
  v_delta bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if interlock.require_till() <> 'manager' then
    perform interlock.raise_error('FORBIDDEN');
  end if;
  if p_customer_id is null then
    v_problems := v_problems || interlock.problem('/p_customer_id', 'is required');
  end if;
  if num_nonnulls(p_delta, p_balance) <> 1 then
    v_problems := v_problems || interlock.problem('/p_delta', 'is required, or else p_balance');
  end if;
  if p_delta = 0 or p_delta not between -1000000000000 and 1000000000000 then
    v_problems := v_problems || interlock.problem('/p_delta', 'must be an integer from -1000000000000 to 1000000000000, and not 0');
  end if;
  if p_balance not between 0 and 1000000000000 then
    v_problems := v_problems || interlock.problem('/p_balance', 'must be an integer from 0 to 1000000000000');
  end if;
  if interlock.is_line(p_reason, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must be 1 to 200 characters, without control characters');
  end if;
  if p_reference is null then
    v_problems := v_problems || interlock.problem('/p_reference', 'is required');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    'adjust_points', p_reference, jsonb_build_array(p_customer_id, p_delta, p_balance, p_reason)
  );
  if v_answer is not null then
    return v_answer;
  end if;
  v_id := interlock.live_customer(p_customer_id);
  if v_id is null then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;

  v_account := interlock.lock_points(v_id);
  v_id := v_account.customer_id;
  v_delta := coalesce(p_delta, p_balance - v_account.balance);
  if v_account.balance + v_delta < 0 then
    perform interlock.raise_error('INSUFFICIENT_POINTS', jsonb_build_object('balance', v_account.balance, 'requested', -v_delta));
  end if;
  perform interlock.book_points(v_id, 'adjusted', v_delta, p_reason => p_reason);
  return interlock.finish_reference('adjust_points', p_reference, jsonb_build_object(
    'success', true, 'customer', interlock.customer_to_json(v_id)
  ));
end
$$;

-- A customer as Alpine IQ takes them (POST /api/v1.1/createUpdateMember/:uid); null for one who may not be written to, who was merged
-- into another or erased: whoever delivers events has nothing to send then.
--
-- Callers: service_role, through public.alpine_iq_member.
-- Errors: CUSTOMER_NOT_FOUND.
-- Security definer: the service role has no rights on the functions that it uses.
create function interlock.alpine_iq_member(p_customer_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_customer interlock.customers;
begin
  select c.* into v_customer from interlock.customers c where c.id = p_customer_id;
  if not found then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;
  if not v_customer.marketing or num_nonnulls(v_customer.phone, v_customer.email) = 0 then
    return null;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'pos_user', v_customer.id,
    'firstName', split_part(v_customer.name, ' ', 1),
    'lastName', nullif(substr(v_customer.name, char_length(split_part(v_customer.name, ' ', 1)) + 2), ''),
    'mobilePhone', v_customer.phone,
    'email', v_customer.email
  ));
end
$$;

-- Book the points of a customer's orders in the web shop that were paid, refunded or ended since the last time, as those orders are
-- now: what an order earned once is taken back in the part of it that came back. The customer's points are locked.
--
-- Callers: interlock.lock_points.
-- Locks: rows of points_due of the customer, `skip locked`: who holds one deletes it, or is erasing the account.
create function interlock.book_orders(p_customer_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_order record;
  v_earned bigint;
  v_back numeric;
begin
  for v_order in
    with due as (
      delete from interlock.points_due
      where id = any (array(
        select d.id
        from interlock.customers c
        join interlock.points_due d on d.user_id = c.user_id
        where c.id = p_customer_id
        for update of d skip locked
      ))
      returning order_id
    )
    select o.id, o.currency, o.total, o.refunded, o.status in ('paid', 'fulfilled') as kept, a.tier
    from interlock.orders o
    cross join interlock.points_accounts a
    where o.id in (select due.order_id from due)
      and a.customer_id = p_customer_id
    order by o.id
  loop
    select sum(m.points - m.owed) into v_earned
    from interlock.points_movements m
    where m.order_id = v_order.id and m.kind = 'earned';
    if v_earned is null then
      select interlock.points_for(
        v_order.currency, array_agg(i.product_id order by i.product_id),
        array_agg(
          i.quantity * i.unit_price - i.discount + case when i.tax_inclusive then 0 else i.tax end order by i.product_id
        ),
        0, v_order.tier
      )
      into v_earned
      from interlock.order_items i
      where i.order_id = v_order.id;
      perform interlock.book_points(
        p_customer_id, 'earned', v_earned, v_order.total, null, v_order.id
      );
    end if;

    v_back := case when v_order.kept then v_order.refunded::numeric / nullif(v_order.total, 0) else 1 end;
    perform interlock.book_points(
      p_customer_id, 'taken_back', (-ceil(v_earned * v_back) - t.points)::bigint, (-ceil(v_order.total * v_back) - t.amount)::bigint,
      null, v_order.id
    )
    from (
      select coalesce(sum(m.points - m.owed), 0) as points, coalesce(sum(m.amount), 0) as amount
      from interlock.points_movements m
      where m.order_id = v_order.id and m.kind = 'taken_back'
    ) t
    where v_back is not null;
    perform interlock.settle_tier(p_customer_id);
  end loop;
end
$$;

-- Change the points of a customer whom interlock.lock_points has locked, and leave a row in the ledger. What is earned pays first
-- what is owed; what is taken back and not there is owed.
--
-- Callers: interlock.earn_points, interlock.spend_points, interlock.charge_buyer, interlock.give_buyer_back, interlock.book_orders,
--   interlock.take_points_back, interlock.adjust_points, interlock.redeem_points.
-- Locks: the row of points_accounts, held already.
create function interlock.book_points(
  p_customer_id uuid,
  p_kind text,
  p_points bigint,
  p_amount bigint default 0,
  p_sale_id uuid default null,
  p_order_id uuid default null,
  p_reason text default null
)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_points bigint;
  v_owed bigint;
  v_balance bigint;
begin
  if p_points = 0 and p_amount = 0 then
    return 0;
  end if;
  select
    case when p_points >= 0 then p_points - least(a.owed, p_points) else -least(a.balance, -p_points) end,
    case when p_points >= 0 then -least(a.owed, p_points) else -p_points - least(a.balance, -p_points) end
  into v_points, v_owed
  from interlock.points_accounts a
  where a.customer_id = p_customer_id;

  update interlock.points_accounts a
  set balance = a.balance + v_points,
      owed = a.owed + v_owed
  where a.customer_id = p_customer_id
  returning a.balance into v_balance;

  insert into interlock.points_movements
    (customer_id, kind, points, owed, amount, balance_after, sale_id, order_id, reason, actor)
  values (p_customer_id, p_kind, v_points, v_owed, p_amount, v_balance, p_sale_id, p_order_id, p_reason, auth.uid());
  return v_points;
end
$$;

-- A customer as answers show them, with their points.
--
-- Callers: interlock.sale_to_json, interlock.note_customer, and whatever answers a customer.
-- Locks: none.
create function interlock.customer_to_json(p_customer_id uuid)
returns json
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select json_build_object(
      'id', c.id,
      'name', c.name,
      'phone', c.phone,
      'email', c.email,
      'marketing', c.marketing,
      'points', coalesce(a.balance, 0),
      'tier', a.tier
    )
    from interlock.customers c
    left join interlock.points_accounts a on a.customer_id = c.id
    where c.id = p_customer_id
  );
end
$$;

-- Book what a sale at a till earns, for a customer whom interlock.lock_points has locked, at the share of the tier that they had (p_tier),
-- and then the tier. p_amounts are what each line costs, tax in it; p_by_points is how much of it is paid with points.
--
-- Callers: interlock.charge_buyer.
-- Locks: the row of points_accounts, held already.
create function interlock.earn_points(
  p_customer_id uuid,
  p_sale_id uuid,
  p_currency text,
  p_product_ids uuid[],
  p_amounts bigint[],
  p_by_points bigint,
  p_tier text
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_earned constant bigint := interlock.points_for(p_currency, p_product_ids, p_amounts, p_by_points, p_tier);
  v_tier text;
begin
  perform interlock.book_points(
    p_customer_id, 'earned', v_earned, (select coalesce(sum(a), 0) from unnest(p_amounts) as a)::bigint, p_sale_id
  );
  v_tier := interlock.settle_tier(p_customer_id);
  return jsonb_build_object(
    'earned', v_earned,
    'balance', (select a.balance from interlock.points_accounts a where a.customer_id = p_customer_id),
    'tier', v_tier,
    'tier_before', p_tier
  );
end
$$;

-- What public.erase_customer does, with its owner's rights: take the person out of a customer. Sales, points and their ledger stay,
-- without a person. Points that are left are gone for whoever they were. Called again it answers the same.
--
-- Callers: authenticated (managers, staff) and service_role, through public.erase_customer; interlock.erase_user does the same.
-- Locks: as interlock.forget_customer. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, CUSTOMER_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write customers.
create function interlock.erase_customer(p_customer_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_id uuid;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if interlock.require_till() <> 'manager' then
    perform interlock.raise_error('FORBIDDEN');
  end if;
  if p_customer_id is null then
    perform interlock.refuse_problems(interlock.problem('/p_customer_id', 'is required'));
  end if;
  select coalesce(c.merged_into, c.id) into v_id from interlock.customers c where c.id = p_customer_id;
  if v_id is null then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;

  v_id := interlock.forget_customer(v_id);
  return jsonb_build_object('success', true, 'customer_id', v_id);
end
$$;

-- Fill in what `create` says of a customer and nobody has known so far; what is known is kept.
--
-- Callers: interlock.lock_buyer, which holds their points.
-- Locks: the row of the customer; phone and e-mail in their indexes.
create function interlock.fill_in_customer(p_customer_id uuid, p_person jsonb)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_phone constant text := interlock.normal_phone(p_person ->> 'phone');
  v_email constant text := interlock.normal_email(p_person ->> 'email');
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.customers c
  set name = coalesce(c.name, p_person ->> 'name'),
      phone = coalesce(c.phone, v_phone),
      email = coalesce(c.email, v_email)
  where c.id = p_customer_id
    and (
      c.name is null and p_person ->> 'name' is not null
      or c.phone is null and v_phone is not null
      or c.email is null and v_email is not null
    );
  if found then
    perform interlock.note_customer(p_customer_id);
  end if;
end
$$;

-- What public.find_customer does, with its owner's rights: the customer of a phone number or an e-mail address.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.find_customer.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, CUSTOMER_NOT_FOUND.
-- Security definer: phone numbers are read in the form of the shop's country, which is a setting.
create function interlock.find_customer(p_phone text, p_email text)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_id uuid;
begin
  perform interlock.require_till();
  perform interlock.refuse_problems(
    case
      when num_nonnulls(p_phone, p_email) <> 1 then interlock.problem('/p_phone', 'is required, or else p_email')
      else interlock.find_person_problems(interlock.given(jsonb_build_object('phone', p_phone, 'email', p_email)), '/p_')
    end
  );
  select c.id into v_id
  from interlock.customers c
  where c.phone = interlock.normal_phone(p_phone)
    or c.email = interlock.normal_email(p_email);
  if v_id is null then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;
  return jsonb_build_object('success', true, 'customer', interlock.customer_to_json(v_id));
end
$$;

-- What is wrong with how a customer is named or described; an empty array if nothing is. One is named by id, phone or e-mail
-- ({"id"}, {"phone"}, {"email"}), or found or made by what `create` says: name, phone, email, marketing, of which phone or
-- e-mail have to be there.
--
-- Callers: interlock.find_sale_problems.
create function interlock.find_customer_problems(p_customer jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_create constant jsonb := p_customer -> 'create';
  v_problems jsonb := jsonb '[]';
begin
  if jsonb_typeof(p_customer) <> 'object' or (select count(*) from jsonb_object_keys(p_customer)) <> 1
    or not (p_customer ?| array['id', 'phone', 'email', 'create'])
  then
    return interlock.problem('/customer', 'must be an object with one of id, phone, email and create');
  end if;

  if p_customer ? 'id' and (jsonb_typeof(p_customer -> 'id') = 'string' and interlock.is_uuid(p_customer ->> 'id')) is not true then
    v_problems := v_problems || interlock.problem('/customer/id', 'must be a UUID');
  end if;
  if p_customer ? 'create' then
    if jsonb_typeof(v_create) <> 'object' then
      return interlock.problem('/customer/create', 'must be an object');
    end if;
    v_problems := v_problems || interlock.find_person_problems(v_create, '/customer/create/');
    if not (v_create ?| array['phone', 'email']) then
      v_problems := v_problems || interlock.problem('/customer/create', 'must have a phone or an email');
    end if;
  else
    v_problems := v_problems || interlock.find_person_problems(p_customer - 'id', '/customer/');
  end if;
  return v_problems;
end
$$;

-- The customer whom a sale names. With `create` they are made unless their phone or e-mail is known already: two tills that make
-- the same one at once get one, because the second waits for the first.
--
-- Callers: interlock.lock_buyer, with what interlock.find_customer_problems has found no problem in.
-- Locks: phone and e-mail of a new customer, in their indexes.
-- Errors: CUSTOMER_NOT_FOUND; CUSTOMERS_DIFFER where phone and e-mail are two customers'; 55P03 after lock_timeout.
create function interlock.find_or_make_customer(p_customer jsonb)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_person constant jsonb := coalesce(p_customer -> 'create', p_customer - 'id');
  v_phone constant text := interlock.normal_phone(v_person ->> 'phone');
  v_email constant text := interlock.normal_email(v_person ->> 'email');
  v_ids uuid[];
begin
  if p_customer ? 'id' then
    v_ids := array[interlock.live_customer((p_customer ->> 'id')::uuid)];
  else
    if p_customer ? 'create' then
      if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
        perform interlock.limit_wait();
      end if;
      insert into interlock.customers as c (name, phone, email, marketing)
      select v_person ->> 'name', v_phone, v_email, coalesce((v_person ->> 'marketing')::boolean, true)
      where not exists (select from interlock.customers o where o.phone = v_phone or o.email = v_email)
      on conflict do nothing
      returning array[c.id] into v_ids;
      if found then
        perform interlock.note_customer(v_ids[1]);
        return v_ids[1];
      end if;
    end if;
    v_ids := array(select c.id from interlock.customers c where c.phone = v_phone or c.email = v_email order by c.id);
  end if;

  if v_ids[1] is null then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  elsif cardinality(v_ids) > 1 then
    perform interlock.raise_error('CUSTOMERS_DIFFER', jsonb_build_object('customer_ids', to_jsonb(v_ids)));
  end if;

  return v_ids[1];
end
$$;

-- What is wrong with what is said of a person: name, phone, email, marketing, each if it is there. p_at is what its
-- members' pointers begin with.
--
-- Callers: interlock.find_customer_problems, interlock.save_customer.
create function interlock.find_person_problems(p_person jsonb, p_at text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object('pointer', p_at || m.name, 'message', m.message) order by m.name)
    from (
      select
        interlock.pointer_token(k.key) as name,
        case k.key
          when 'name' then case
            when (jsonb_typeof(k.value) = 'string' and interlock.is_line(k.value #>> '{}', 200)) is not true
            then 'must be 1 to 200 characters, without control characters'
          end
          when 'phone' then case
            when (jsonb_typeof(k.value) = 'string' and interlock.normal_phone(k.value #>> '{}') is not null) is not true
            then 'must be a phone number with its country, such as +491511234567'
          end
          when 'email' then case
            when (jsonb_typeof(k.value) = 'string' and interlock.normal_email(k.value #>> '{}') is not null) is not true
            then 'must be an e-mail address'
          end
          when 'marketing' then case when jsonb_typeof(k.value) <> 'boolean' then 'must be true or false' end
          else 'is not a known field'
        end as message
      from jsonb_each(p_person) k
    ) m
    where m.message is not null
  ), '[]');
end
$$;

-- Take the person out of a customer, if that has not been done. Answers who it was: a customer who was merged is that one.
--
-- Callers: interlock.erase_customer, interlock.bring_customers.
-- Locks: as interlock.lock_points; the customer; the keys of their sales.
-- Errors: 55P03 after lock_timeout.
create function interlock.forget_customer(p_customer_id uuid)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_id constant uuid := (interlock.lock_points(p_customer_id)).customer_id;
begin
  update interlock.customers c
  set name = null,
      phone = null,
      email = null,
      user_id = null,
      marketing = false,
      erased_at = interlock.clock()
  where c.id = v_id
    and c.erased_at is null;
  if found then
    perform interlock.forget_buyer(v_id);
    perform interlock.note_customer(v_id);
  end if;
  return v_id;
end
$$;

-- What public.link_customer does, with its owner's rights: say which account of the web shop a customer has, or with null that it
-- is none. From then on its wallet pays at the till, its orders earn points, and who is signed in sees their points.
--
-- Callers: authenticated (managers, staff) and service_role, through public.link_customer.
-- Locks: the account; as interlock.lock_points; the customer; the account in the index of customers. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, CUSTOMER_NOT_FOUND, USER_NOT_FOUND, CUSTOMER_LINKED (the account is another
--   customer's); 55P03 is transient.
-- Security definer: nobody has the right to write customers.
create function interlock.link_customer(p_customer_id uuid, p_user_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_id uuid;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if interlock.require_till() <> 'manager' then
    perform interlock.raise_error('FORBIDDEN');
  end if;
  if p_customer_id is null then
    perform interlock.refuse_problems(interlock.problem('/p_customer_id', 'is required'));
  end if;
  v_id := interlock.live_customer(p_customer_id);
  if v_id is null then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;
  if p_user_id is not null and not interlock.lock_user(p_user_id) then
    perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_user_id));
  end if;

  -- What the orders of the account that they had so far have earned is theirs.
  v_id := (interlock.lock_points(v_id)).customer_id;
  begin
    update interlock.customers c
    set user_id = p_user_id
    where c.id = v_id
      and c.erased_at is null
      and c.merged_into is null;
    if not found then
      perform interlock.raise_error('CUSTOMER_NOT_FOUND');
    end if;
  exception
    when unique_violation then
      perform interlock.raise_error('CUSTOMER_LINKED', jsonb_build_object('customer_id', (
        select c.id from interlock.customers c where c.user_id = p_user_id
      )));
  end;
  perform interlock.note_customer(v_id);
  return jsonb_build_object('success', true, 'customer', interlock.customer_to_json(v_id), 'user_id', p_user_id);
end
$$;

-- The customer of an id: that into whom they were merged, if they were. Null if there is none, or the person was taken out.
--
-- Callers: whoever is given the id of a customer.
-- Locks: none.
create function interlock.live_customer(p_customer_id uuid)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select l.id
    from interlock.customers c
    join interlock.customers l on l.id = coalesce(c.merged_into, c.id)
    where c.id = p_customer_id
      and l.erased_at is null
  );
end
$$;

-- Lock the points of a customer; the one helper for this kind of lock. They are made where there are none. Orders of the web shop
-- that were paid meanwhile are booked first, so that what is there is all there is. A customer who was merged into another meanwhile is that one: the answer says who.
--
-- Callers: interlock.lock_buyer, interlock.give_buyer_back, interlock.take_points_back, interlock.adjust_points, interlock.redeem_points,
--   interlock.settle_points, interlock.settle_customer_tier, interlock.merge_customers, interlock.erase_customer, interlock.link_customer.
-- Locks: the row of points_accounts, waiting, `no key`; then rows of points_due of the customer, `skip locked`.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_points(p_customer_id uuid)
returns interlock.points_accounts
language plpgsql
set search_path = ''
as $$
declare
  v_account interlock.points_accounts;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  insert into interlock.points_accounts (customer_id)
  values (p_customer_id)
  on conflict do nothing;
  perform 1 from interlock.points_accounts a where a.customer_id = p_customer_id for no key update;
  select c.merged_into into v_account.customer_id from interlock.customers c where c.id = p_customer_id;
  if v_account.customer_id is not null then
    return interlock.lock_points(v_account.customer_id);
  end if;

  perform interlock.book_orders(p_customer_id);

  select a.* into v_account from interlock.points_accounts a where a.customer_id = p_customer_id;
  return v_account;
end
$$;

-- What public.merge_customers does, with its owner's rights: make one customer of two. Points with their ledger and the account of
-- the web shop go to p_into, whose own name, phone and e-mail stay and are filled in where they are missing. p_from
-- keeps its id alone, under which p_into is found, also by its sales: they are left as they are, so that no void of one waits here. Called again it answers the same.
--
-- Callers: authenticated (managers, staff) and service_role, through public.merge_customers.
-- Locks: as interlock.lock_points, both in the order of their ids; then both customers. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, CUSTOMER_NOT_FOUND, CUSTOMER_LINKED (both have an account); 55P03 and 40P01
--   are transient and nothing has happened.
-- Security definer: nobody has the right to write customers.
create function interlock.merge_customers(p_from uuid, p_into uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_into uuid;
  v_from interlock.customers;
  v_account interlock.points_accounts;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if interlock.require_till() <> 'manager' then
    perform interlock.raise_error('FORBIDDEN');
  end if;
  if p_from is null then
    v_problems := v_problems || interlock.problem('/p_from', 'is required');
  end if;
  if p_into is null or p_into = p_from then
    v_problems := v_problems || interlock.problem('/p_into', 'must be the id of another customer');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_into := interlock.live_customer(p_into);
  if v_into is null or not exists (select from interlock.customers c where c.id = p_from and c.erased_at is null) then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;

  perform interlock.lock_points(u.id)
  from (select i.id from unnest(array[p_from, v_into]) as i (id) order by i.id) u;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1 from interlock.customers c where c.id in (p_from, v_into) order by c.id for no key update;
  select c.* into v_from from interlock.customers c where c.id = p_from;
  if v_from.merged_into = v_into then
    return jsonb_build_object('success', true, 'customer', interlock.customer_to_json(v_into));
  end if;
  if v_from.merged_into is not null or v_from.erased_at is not null or interlock.live_customer(v_into) is distinct from v_into then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;
  if v_from.user_id is not null
    and exists (select from interlock.customers c where c.id = v_into and c.user_id is not null)
  then
    perform interlock.raise_error('CUSTOMER_LINKED', jsonb_build_object('customer_id', v_into));
  end if;

  update interlock.customers c
  set name = null,
      phone = null,
      email = null,
      user_id = null,
      merged_into = v_into
  where c.id = p_from;
  update interlock.customers c set merged_into = v_into where c.merged_into = p_from;
  update interlock.customers c
  set name = coalesce(c.name, v_from.name),
      phone = coalesce(c.phone, v_from.phone),
      email = coalesce(c.email, v_from.email),
      user_id = coalesce(c.user_id, v_from.user_id),
      marketing = c.marketing and v_from.marketing
  where c.id = v_into;

  update interlock.points_movements m set customer_id = v_into where m.customer_id = p_from;
  delete from interlock.points_accounts a where a.customer_id = p_from returning * into v_account;
  update interlock.points_accounts a
  set balance = a.balance + v_account.balance,
      owed = a.owed + v_account.owed
  where a.customer_id = v_into;
  -- What one owed the other has.
  insert into interlock.points_movements (customer_id, kind, points, owed, balance_after, actor)
  select v_into, 'merged', -least(a.balance, a.owed), -least(a.balance, a.owed), a.balance - least(a.balance, a.owed), auth.uid()
  from interlock.points_accounts a
  where a.customer_id = v_into
    and least(a.balance, a.owed) > 0;
  update interlock.points_accounts a
  set balance = a.balance - least(a.balance, a.owed),
      owed = a.owed - least(a.balance, a.owed)
  where a.customer_id = v_into;
  perform interlock.settle_tier(v_into);
  perform interlock.note_customer(v_into);
  return jsonb_build_object('success', true, 'customer', interlock.customer_to_json(v_into));
end
$$;

-- An e-mail address as people type it in its normal form, lower case; null where it is none.
--
-- Callers: whoever reads or looks for an e-mail address.
create function interlock.normal_email(p_text text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_address constant text := interlock.normal_text(p_text);
begin
  return case when v_address ~ '^[^@\s]+@[^@\s]+[.][^@\s]+$' and char_length(v_address) <= 254 then v_address end;
end
$$;

-- A phone number as people type it in its normal form, E.164; null where it is none. `00` is a plus. A number without a country
-- gets that of settings.phone_prefix in place of its leading 0, or is none.
--
-- Callers: whoever reads or looks for a phone number.
create function interlock.normal_phone(p_text text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  -- What people write between the digits.
  v_number text := regexp_replace(interlock.normal_text(p_text), '[-()./‐-―−]', '', 'g');
begin
  if v_number like '00%' then
    v_number := '+' || substr(v_number, 3);
  elsif v_number like '0%' then
    v_number := (select s.phone_prefix from interlock.settings s) || substr(v_number, 2);
  end if;
  return case when v_number ~ '^\+[1-9][0-9]{6,14}$' then v_number end;
end
$$;

-- Write down that a customer was made or changed (customer.changed), for whoever keeps customers outside. The event has nothing
-- personal: that stays in one table.
--
-- Callers: whatever makes or changes a customer.
-- Locks: none.
create function interlock.note_customer(p_customer_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.note_event('customer.changed', p_customer_id::text, jsonb_build_object('customer_id', p_customer_id));
end
$$;

-- What amounts of products earn by the rules, at the share of a tier: for each class its amounts are added up, every full
-- per_amount of it has so many points, and the sum's share is rounded down. Of what is paid with points (p_unearning), each class
-- bears its part. Nothing where somebody else keeps the points (settings.points_authority).
--
-- Callers: interlock.earn_points, interlock.book_orders.
-- Locks: none.
create function interlock.points_for(
  p_currency text,
  p_product_ids uuid[],
  p_amounts bigint[],
  p_unearning bigint,
  p_tier text
)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  v_all constant numeric := (select sum(a) from unnest(p_amounts) as a);
begin
  return (
    select floor(coalesce(sum(floor(c.amount * (v_all - p_unearning) / nullif(v_all, 0) / r.per_amount) * r.points), 0)
      * coalesce((select t.earns_percent from interlock.tiers t where t.name = p_tier), 100) / 100)::bigint
    from (
      select p.loyalty_class, sum(l.amount) as amount
      from unnest(p_product_ids, p_amounts) as l (product_id, amount)
      join interlock.products p on p.id = l.product_id
      group by p.loyalty_class
    ) c
    join interlock.points_rules r on r.currency = p_currency and r.loyalty_class = c.loyalty_class
    where (select s.points_authority from interlock.settings s) = 'shop'
  );
end
$$;

-- What public.redeem_points does, with its owner's rights: turn points of the signed-in customer into money of their wallet, at what
-- points_values says. That is how points pay in the web shop.
--
-- Callers: authenticated, through public.redeem_points.
-- Locks: idempotency key; the account; as interlock.lock_points; the wallet. Two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, CUSTOMER_NOT_FOUND (nobody has linked the account),
--   INSUFFICIENT_POINTS, CURRENCY_MISMATCH; 55P03 and 40P01 are transient and nothing has happened.
-- Security definer: nobody has the right to write points or wallets.
create function interlock.redeem_points(p_points bigint, p_currency text, p_idempotency_key text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_user_id uuid;
  v_problems jsonb := jsonb '[]';
  v_value bigint;
  v_id uuid;
  v_answer text;
  v_wallet interlock.wallets;
  v_account interlock.points_accounts;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  v_user_id := interlock.require_user();
  if (p_points between 1 and 1000000000) is not true then
    v_problems := v_problems || interlock.problem('/p_points', 'must be an integer from 1 to 1000000000');
  end if;
  select v.value into v_value from interlock.points_values v where v.currency = p_currency;
  if v_value is null then
    v_problems := v_problems || interlock.problem('/p_currency', 'must be a currency in which points are worth something');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_idempotent(
    'redeem_points', p_idempotency_key, jsonb_build_object('points', p_points, 'currency', p_currency)
  );
  if v_answer is not null then
    return v_answer::jsonb;
  end if;

  perform interlock.lock_user(v_user_id);
  select c.id into v_id from interlock.customers c where c.user_id = v_user_id;
  if v_id is null then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;
  v_account := interlock.lock_points(v_id);
  v_id := v_account.customer_id;
  if v_account.balance < p_points then
    perform interlock.raise_error('INSUFFICIENT_POINTS', jsonb_build_object('balance', v_account.balance, 'requested', p_points));
  end if;
  perform interlock.book_points(v_id, 'spent', -p_points, p_reason => 'wallet');
  v_wallet := interlock.credit_wallet(v_user_id, p_points * v_value, p_currency, 'points', null);

  v_answer := jsonb_build_object(
    'success', true,
    'points', p_points,
    'points_left', v_account.balance - p_points,
    'amount', p_points * v_value,
    'balance', v_wallet.balance,
    'currency', p_currency
  )::text;
  perform interlock.finish_idempotent('redeem_points', p_idempotency_key, v_answer);
  return v_answer::jsonb;
end
$$;

-- What public.save_customer does, with its owner's rights: write down a customer (without an id) or correct one. Members that are
-- there are set, null empties one; of phone and email one stays.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.save_customer.
-- Locks: the row of the customer; phone and e-mail in their indexes, waiting for who takes the same. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, CUSTOMER_NOT_FOUND, CONTACT_TAKEN; 55P03 is transient.
-- Security definer: nobody has the right to write customers.
create function interlock.save_customer(p_person jsonb, p_customer_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_customer interlock.customers;
  v_id uuid;
  v_other uuid;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_till();

  if jsonb_typeof(p_person) is distinct from 'object' then
    v_problems := interlock.problem('/p_person', 'must be an object');
  else
    v_problems := interlock.find_person_problems(interlock.given(p_person), '/p_person/');
  end if;
  perform interlock.refuse_problems(v_problems);

  if p_customer_id is not null then
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    select c.* into v_customer
    from interlock.customers c
    where c.id = interlock.live_customer(p_customer_id)
    for no key update;
    if not found then
      perform interlock.raise_error('CUSTOMER_NOT_FOUND');
    end if;
  end if;
  v_customer.name := case when p_person ? 'name' then p_person ->> 'name' else v_customer.name end;
  v_customer.phone := case when p_person ? 'phone' then interlock.normal_phone(p_person ->> 'phone') else v_customer.phone end;
  v_customer.email := case when p_person ? 'email' then interlock.normal_email(p_person ->> 'email') else v_customer.email end;
  v_customer.marketing := coalesce((p_person ->> 'marketing')::boolean, v_customer.marketing, true);
  if num_nonnulls(v_customer.phone, v_customer.email) = 0 then
    perform interlock.refuse_problems(interlock.problem('/p_person', 'must have a phone or an email'));
  end if;

  begin
    if v_customer.id is null then
      insert into interlock.customers (name, phone, email, marketing)
      values (v_customer.name, v_customer.phone, v_customer.email, v_customer.marketing)
      returning id into v_id;
    else
      v_id := v_customer.id;
      update interlock.customers c
      set name = v_customer.name,
          phone = v_customer.phone,
          email = v_customer.email,
          marketing = v_customer.marketing
      where c.id = v_id;
    end if;
  exception
    when unique_violation then
      select c.id into v_other
      from interlock.customers c
      where (c.phone = v_customer.phone or c.email = v_customer.email)
        and c.id is distinct from v_customer.id
      limit 1;
      perform interlock.raise_error('CONTACT_TAKEN', jsonb_build_object('customer_id', v_other));
  end;
  perform interlock.note_customer(v_id);
  return jsonb_build_object('success', true, 'customer', interlock.customer_to_json(v_id));
end
$$;

-- Put one customer into the tier that they have reached by now: out of one for which they have no longer earned enough within
-- settings.tier_window, or into another where the shop has changed its tiers.
--
-- Callers: the job settle-tiers.
-- Locks: as interlock.lock_points. Two seconds at most.
create function interlock.settle_customer_tier(p_customer_id uuid)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.settle_tier((interlock.lock_points(p_customer_id)).customer_id);
  return 1;
end
$$;

-- Book the points that orders of the web shop have earned or lost, of at most so many customers. What is left is the next call's.
--
-- Callers: the job settle-points.
-- Locks: as interlock.lock_points, one customer at a time, in the order of their ids.
create function interlock.settle_points(p_limit int)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_customers int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  delete from interlock.points_due d
  where not exists (select from interlock.customers c where c.user_id = d.user_id);

  with due as materialized (
    select c.id
    from interlock.customers c
    where c.user_id in (select d.user_id from interlock.points_due d)
    order by c.id
    limit p_limit
  )
  select count(interlock.lock_points(due.id)) into v_customers from due;
  return v_customers;
end
$$;

-- Put a customer whom interlock.lock_points has locked into the tier that they have reached: the highest whose threshold is not
-- above what they have earned, or bought, within settings.tier_window. A change is an event (loyalty.tier_changed). Answers the tier.
--
-- Callers: interlock.earn_points, interlock.book_orders, interlock.take_points_back, interlock.merge_customers,
--   interlock.settle_customer_tier.
-- Locks: the row of points_accounts, held already.
create function interlock.settle_tier(p_customer_id uuid)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_before text;
  v_reached numeric;
  v_tier text;
begin
  if not exists (select from interlock.tiers) and not exists (
    select from interlock.points_accounts a where a.customer_id = p_customer_id and a.tier is not null
  ) then
    return null;
  end if;

  select coalesce(sum(
    case s.tier_basis
      when 'turnover' then m.amount
      else case when m.kind in ('earned', 'taken_back') then m.points - m.owed else 0 end
    end
  ), 0)
  into v_reached
  from interlock.settings s
  left join interlock.points_movements m
    on m.customer_id = p_customer_id
    and m.created_at >= coalesce(interlock.clock() - s.tier_window, '-infinity');

  select a.tier into v_before from interlock.points_accounts a where a.customer_id = p_customer_id;
  select t.name into v_tier from interlock.tiers t where t.threshold <= v_reached order by t.threshold desc limit 1;
  if v_tier is distinct from v_before then
    update interlock.points_accounts a set tier = v_tier where a.customer_id = p_customer_id;
    perform interlock.note_event('loyalty.tier_changed', p_customer_id::text, jsonb_build_object(
      'customer_id', p_customer_id, 'tier', v_tier, 'tier_before', v_before
    ));
  end if;
  return v_tier;
end
$$;

-- Take back the points that a sale earned, as far as it came back: p_returned of its p_total in all so far. Called again with the same
-- numbers it changes nothing, so points are taken back exactly once whatever is returned in how many parts. Answers how many they are now.
--
-- Callers: interlock.take_returned_points, interlock.give_buyer_back, whose callers hold the sale.
-- Locks: as interlock.lock_points.
create function interlock.take_points_back(p_sale_id uuid, p_returned bigint, p_total bigint)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_customer_id uuid;
  v_points bigint;
  v_amount bigint;
begin
  select coalesce(c.merged_into, c.id) into v_customer_id
  from interlock.points_movements m
  join interlock.customers c on c.id = m.customer_id
  where m.sale_id = p_sale_id
  limit 1;
  if v_customer_id is null or p_total = 0 then
    return 0;
  end if;

  v_customer_id := (interlock.lock_points(v_customer_id)).customer_id;
  select
    ceil(coalesce(sum(m.points - m.owed) filter (where m.kind = 'earned'), 0)::numeric * p_returned / p_total)
      + coalesce(sum(m.points - m.owed) filter (where m.kind = 'taken_back'), 0),
    ceil(coalesce(sum(m.amount) filter (where m.kind = 'earned'), 0)::numeric * p_returned / p_total)
      + coalesce(sum(m.amount) filter (where m.kind = 'taken_back'), 0)
  into v_points, v_amount
  from interlock.points_movements m
  where m.sale_id = p_sale_id;
  perform interlock.book_points(v_customer_id, 'taken_back', -v_points, -v_amount, p_sale_id);
  perform interlock.settle_tier(v_customer_id);
  return v_points;
end
$$;

create function public.adjust_points(
  p_customer_id uuid,
  p_reason text,
  p_reference text,
  p_delta bigint default null,
  p_balance bigint default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.adjust_points(p_customer_id, p_reason, p_reference, p_delta, p_balance);
end
$$;

comment on function public.adjust_points(uuid, text, text, bigint, bigint) is
  'Corrects the points of a customer, by a difference or to a balance, once for each reference. For managers, staff and the service role.';

create function public.alpine_iq_member(p_customer_id uuid)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.alpine_iq_member(p_customer_id);
end
$$;

comment on function public.alpine_iq_member(uuid) is
  'A customer as Alpine IQ takes them with createUpdateMember; null for one who may not be written to. For the service role.';

create function public.erase_customer(p_customer_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.erase_customer(p_customer_id);
end
$$;

comment on function public.erase_customer(uuid) is
  'Takes the person out of a customer. For managers, staff and the service role.';

create function public.find_customer(p_phone text default null, p_email text default null)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.find_customer(p_phone, p_email);
end
$$;

comment on function public.find_customer(text, text) is
  'Finds a customer by phone or e-mail as people type them. For whoever works at a till, and the service role.';

create function public.link_customer(p_customer_id uuid, p_user_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.link_customer(p_customer_id, p_user_id);
end
$$;

comment on function public.link_customer(uuid, uuid) is
  'Says which account of the web shop a customer has; none with null. For managers, staff and the service role.';

create function public.merge_customers(p_from uuid, p_into uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.merge_customers(p_from, p_into);
end
$$;

comment on function public.merge_customers(uuid, uuid) is
  'Makes one customer of two: points, sales and account go to the second. For managers, staff and the service role.';

create function public.redeem_points(p_points bigint, p_currency text, p_idempotency_key text default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.redeem_points(p_points, p_currency, p_idempotency_key);
end
$$;

comment on function public.redeem_points(bigint, text, text) is
  'Turns points of the signed-in customer into money of their wallet.';

create function public.save_customer(p_person jsonb, p_customer_id uuid default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.save_customer(p_person, p_customer_id);
end
$$;

comment on function public.save_customer(jsonb, uuid) is
  'Writes down a customer, or corrects one: name, phone, email, marketing. For whoever works at a till, and the service role.';

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.adjust_points is
  'What public.adjust_points does, with its owner''s rights: correct the points of a customer, by p_delta or to p_balance (which is how ours follow somebody who keeps them outside), once for each reference.';
comment on function interlock.alpine_iq_member is
  'A customer as Alpine IQ takes them (POST /api/v1.1/createUpdateMember/:uid); null for one who may not be written to, who was merged into another or erased: whoever delivers events has nothing to send then.';
comment on function interlock.book_orders is
  'Book the points of a customer''s orders in the web shop that were paid, refunded or ended since the last time, as those orders are now: what an order earned once is taken back in the part of it that came back.';
comment on function interlock.book_points is
  'Change the points of a customer whom interlock.lock_points has locked, and leave a row in the ledger.';
comment on function interlock.customer_to_json is
  'A customer as answers show them, with their points.';
comment on function interlock.earn_points is
  'Book what a sale at a till earns, for a customer whom interlock.lock_points has locked, at the share of the tier that they had (p_tier), and then the tier.';
comment on function interlock.erase_customer is
  'What public.erase_customer does, with its owner''s rights: take the person out of a customer.';
comment on function interlock.fill_in_customer is
  'Fill in what `create` says of a customer and nobody has known so far; what is known is kept.';
comment on function interlock.find_customer is
  'What public.find_customer does, with its owner''s rights: the customer of a phone number or an e-mail address.';
comment on function interlock.find_customer_problems is
  'What is wrong with how a customer is named or described; an empty array if nothing is.';
comment on function interlock.find_or_make_customer is
  'The customer whom a sale names.';
comment on function interlock.find_person_problems is
  'What is wrong with what is said of a person: name, phone, email, marketing, each if it is there.';
comment on function interlock.forget_customer is
  'Take the person out of a customer, if that has not been done.';
comment on function interlock.link_customer is
  'What public.link_customer does, with its owner''s rights: say which account of the web shop a customer has, or with null that it is none.';
comment on function interlock.live_customer is
  'The customer of an id: that into whom they were merged, if they were.';
comment on function interlock.lock_points is
  'Lock the points of a customer; the one helper for this kind of lock.';
comment on function interlock.merge_customers is
  'What public.merge_customers does, with its owner''s rights: make one customer of two.';
comment on function interlock.normal_email is
  'An e-mail address as people type it in its normal form, lower case; null where it is none.';
comment on function interlock.normal_phone is
  'A phone number as people type it in its normal form, E.164; null where it is none.';
comment on function interlock.note_customer is
  'Write down that a customer was made or changed (customer.changed), for whoever keeps customers outside.';
comment on function interlock.note_points_due is
  'Trigger: an order that is paid, or of which something came back after that, has points to be booked, where its buyer is a customer of the loyalty program.';
comment on function interlock.points_for is
  'What amounts of products earn by the rules, at the share of a tier: for each class its amounts are added up, every full per_amount of it has so many points, and the sum''s share is rounded down.';
comment on function interlock.redeem_points is
  'What public.redeem_points does, with its owner''s rights: turn points of the signed-in customer into money of their wallet, at what points_values says.';
comment on function interlock.save_customer is
  'What public.save_customer does, with its owner''s rights: write down a customer (without an id) or correct one.';
comment on function interlock.settle_customer_tier is
  'Put one customer into the tier that they have reached by now: out of one for which they have no longer earned enough within settings.tier_window, or into another where the shop has changed its tiers.';
comment on function interlock.settle_points is
  'Book the points that orders of the web shop have earned or lost, of at most so many customers.';
comment on function interlock.settle_tier is
  'Put a customer whom interlock.lock_points has locked into the tier that they have reached: the highest whose threshold is not above what they have earned, or bought, within settings.tier_window.';
comment on function interlock.take_points_back is
  'Take back the points that a sale earned, as far as it came back: p_returned of its p_total in all so far.';
comment on function interlock.till_role is
  'What the caller is at a till: `manager` (managers and staff by token, the shop itself), `cashier` (by token), or nothing.';

-- Who may call what of customers and points. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.adjust_points(uuid, text, text, bigint, bigint),
  public.alpine_iq_member(uuid),
  public.erase_customer(uuid),
  public.find_customer(text, text),
  public.link_customer(uuid, uuid),
  public.merge_customers(uuid, uuid),
  public.redeem_points(bigint, text, text),
  public.save_customer(jsonb, uuid)
from public, anon, authenticated, service_role;

grant execute on function
  -- Managers and staff by token; anybody else is refused.
  public.adjust_points(uuid, text, text, bigint, bigint), interlock.adjust_points,
  public.erase_customer(uuid), interlock.erase_customer,
  public.link_customer(uuid, uuid), interlock.link_customer,
  public.merge_customers(uuid, uuid), interlock.merge_customers,
  -- Cashiers, too.
  public.find_customer(text, text), interlock.find_customer,
  public.save_customer(jsonb, uuid), interlock.save_customer
to authenticated, service_role;

-- For whoever delivers events.
grant execute on function
  public.alpine_iq_member(uuid), interlock.alpine_iq_member
to service_role;

grant execute on function
  -- For the signed-in customer; the shop's key without one is told to sign in.
  public.redeem_points(bigint, text, text), interlock.redeem_points
to authenticated, service_role;

-- What customers, tills and the shop read of customers over REST, each where its name is free in public (interlock.expose).
select interlock.expose('customers');
select interlock.expose('points_rules');
select interlock.expose('points_values');
select interlock.expose('tiers');
select interlock.expose('points_accounts');
select interlock.expose('points_movements');
