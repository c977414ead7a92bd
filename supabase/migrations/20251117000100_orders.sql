-- Orders, from checkout to their end, and the codes of digital products.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

-- What a look at a cart, without a lock, has seen of it: one element for each product, by id.
create type interlock.cart_look as (
  product_ids uuid[],
  quantities int[],
  unit_prices bigint[],
  names text[],
  kinds text[],
  currencies text[],
  -- The lines as an order shows them, without discount and tax: what stands between the brackets of JSON.
  items text,
  subtotal bigint,
  units int,
  -- Products that are not there or not for sale.
  missing uuid[],
  -- Whether a price is another one than was expected.
  price_changed boolean,
  -- As INSUFFICIENT_INVENTORY tells them.
  shortages jsonb,
  -- The products with slots, if each of them has a slot with enough.
  slotted uuid[],
  -- Whether a product is sold in another way than from its stock alone, or not in any number.
  has_terms boolean
);

-- Whether an order of this status holds goods that nobody has paid for.
--
-- Callers: interlock.count_open_orders, interlock.count_orders_so_far.
create function interlock.is_open_order(p_status text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return p_status in ('pending_payment', 'confirmed');
end
$$;

-- Whether an order of this status is not at its end: somebody owes money or goods.
--
-- Callers: interlock.guard_order_change, interlock.erase_user, interlock.purge_history.
create function interlock.is_owed_order(p_status text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return p_status in ('pending_payment', 'confirmed', 'paid');
end
$$;

-- The normal form of a digital key: one product has each key once, however it was entered (blanks around it, another
-- case, full-width letters, a dash that a word processor has made of a hyphen). A hyphen counts: A-11 and A1-1 are two
-- keys. What is delivered is what was entered.
--
-- Callers: the index product_codes_once, interlock.replace_product_code.
-- Locks: none.
create function interlock.normal_code(p_code text)
returns text
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
begin
  return translate(interlock.normal_text(p_code), U&'\2010\2012\2013\2014\2015\2212', '------');
end
$$;

-- What people say about an order, such as an address: any members, in as many bytes as Postgres writes it with.
create domain interlock.details as jsonb
  constraint details_object check (jsonb_typeof(value) = 'object' and octet_length(value::text) <= 4096);

-- Whether an order has the times and goods that its status says, and no others.
--
-- Callers: the trigger orders_record_event.
create function interlock.order_times_match(
  p_status text,
  p_paid_at timestamptz,
  p_fulfilled_at timestamptz,
  p_cancelled_at timestamptz,
  p_refunded_at timestamptz,
  p_fulfillment text,
  p_shipped_at timestamptz
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
  end
  and (p_fulfillment = 'delivered') = (p_fulfilled_at is not null)
  and case p_fulfillment
    when 'unfulfilled' then p_shipped_at is null
    when 'processing' then p_shipped_at is null and p_status not in ('pending_payment', 'expired')
    when 'partly_shipped' then p_shipped_at is null and p_status not in ('pending_payment', 'expired')
    when 'shipped' then p_shipped_at is not null and p_status not in ('pending_payment', 'expired')
    else true
  end;
end
$$;

create domain interlock.order_status as text
  constraint orders_status_known
    check (value in (
      'pending_payment', 'confirmed', 'paid', 'fulfilled', 'cancelled', 'expired', 'refunded'
    ));

-- Where the goods of an order are; its status says what is paid.
create domain interlock.fulfillment as text
  constraint orders_fulfillment_known
    check (value in ('unfulfilled', 'processing', 'partly_shipped', 'shipped', 'delivered'));

create domain interlock.payment_method as text
  constraint orders_payment_method_known
    check (value in ('wallet', 'bank_transfer', 'cash_on_delivery', 'card'));

create domain interlock.order_event as text
  constraint order_events_event_known
    check (value in (
      'pending_payment', 'confirmed', 'paid', 'fulfilled', 'cancelled', 'expired', 'refunded',
      'proof_submitted', 'proof_rejected', 'processing', 'shipped', 'corrected', 'tracking_changed',
      'lines_refunded', 'moved', 'partly_shipped'
    ));

-- A digital key, as it is delivered.
create domain interlock.product_code as text
  constraint product_codes_code_length check (char_length(value) between 1 and 500);

-- A tax rate in percent.
create domain interlock.percentage as numeric
  constraint percentage_range check (value between 0 and 100 and value = round(value, 4));

-- Broadcast to its buyer that an order has changed. What is new of it is read: it has no version by which a message could be told from an
-- older one.
--
-- Callers: trigger orders_broadcast; not for an order that is made, of which nobody can have heard.
-- Locks: none.
-- Security definer: whoever changes an order has no right to broadcast.
create function interlock.broadcast_order()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform interlock.broadcast('order:' || new.id, 'order.changed', jsonb_build_object(
    'order_id', new.id, 'status', new.status, 'fulfillment', new.fulfillment
  ));
  return null;
end
$$;

-- Move the stock of digital products with their free codes.
--
-- Callers: three triggers on product_codes, once for each statement.
-- Locks: the stock rows of the products concerned in the order of their ids, waiting; our functions hold them
--   already.
-- Security definer: changing codes must not need rights on products.
create function interlock.count_free_codes()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_product_ids uuid[];
  v_deltas int[];
  v_reason constant text := nullif(current_setting('interlock.reason', true), '');
begin
  if tg_op = 'UPDATE' then
    select array_agg(d.product_id order by d.product_id), array_agg(d.delta order by d.product_id)
    into v_product_ids, v_deltas
    from (
      select c.product_id, sum(c.free)::int as delta
      from (
        select n.product_id, 1 as free from new_rows n where n.order_id is null
        union all
        select o.product_id, -1 from old_rows o where o.order_id is null
      ) c
      group by c.product_id
      having sum(c.free) <> 0
    ) d;
  elsif tg_op = 'INSERT' then
    select array_agg(d.product_id order by d.product_id), array_agg(d.delta order by d.product_id)
    into v_product_ids, v_deltas
    from (
      select n.product_id, count(*)::int as delta from new_rows n where n.order_id is null group by n.product_id
    ) d;
  else
    select array_agg(d.product_id order by d.product_id), array_agg(d.delta order by d.product_id)
    into v_product_ids, v_deltas
    from (
      select o.product_id, -count(*)::int as delta from old_rows o where o.order_id is null group by o.product_id
    ) d;
  end if;

  if v_product_ids is null then
    return null;
  end if;

  perform interlock.lock_stock(v_product_ids);

  if v_reason is null then
    perform interlock.set_ledger_context('codes', null);
  end if;
  perform set_config('interlock.counting_codes', 'on', true);

  update interlock.products p
  set available_quantity = p.available_quantity + d.delta
  from unnest(v_product_ids, v_deltas) as d (product_id, delta)
  where p.id = d.product_id;

  perform set_config('interlock.counting_codes', '', true);
  if v_reason is null then
    perform interlock.set_ledger_context(null, null);
  end if;

  return null;
end
$$;

-- Trigger: keep the open orders of customers counted, whoever changes an order and whatever it becomes.
--
-- Callers: trigger orders_count_open, once for each statement; its name has it come before orders_settle.
-- Locks: the orders are locked by the statement; then rows of interlock.customer_open_orders by user. None for orders
--   that do not count, and none for those of a deleted account.
-- Errors: 55P03 after lock_timeout.
-- Security definer: whoever may change an order need not have rights on the counters.
create function interlock.count_open_orders()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_customer record;
begin
  for v_customer in
    select c.user_id, sum(u.orders) as orders, sum(u.units) as units
    from (
      select n.id, 1 as orders, n.counted_units as units
      from new_rows n
      where n.counted_units is not null and interlock.is_open_order(n.status)
      union all
      select o.id, -1, -o.counted_units
      from old_rows o
      where o.counted_units is not null and interlock.is_open_order(o.status)
    ) u
    join interlock.orders c on c.id = u.id
    where c.user_id is not null
    group by c.user_id
    having sum(u.orders) <> 0 or sum(u.units) <> 0
    order by c.user_id
  loop
    insert into interlock.customer_open_orders (user_id) values (v_customer.user_id) on conflict do nothing;

    update interlock.customer_open_orders c
    set orders = c.orders + v_customer.orders,
        units = c.units + v_customer.units
    where c.user_id = v_customer.user_id;
  end loop;

  return null;
end
$$;

-- Trigger: where customers get a limit that had none, the orders that are open by now count from here on.
--
-- An order whose checkout is under way at this moment was placed without a limit and never counts.
--
-- Callers: trigger settings_count_orders.
-- Locks: open orders by id, waiting; then as interlock.count_open_orders.
-- Security definer: whoever may change the settings has no right to write orders.
create function interlock.count_orders_so_far()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  with open_orders as materialized (
    select o.id
    from interlock.orders o
    where o.counted_units is null
      and o.user_id is not null
      and interlock.is_open_order(o.status)
    order by o.id
    for no key update
  )
  update interlock.orders o
  set counted_units = (select sum(r.quantity) from interlock.order_rest(o.id) r)
  from open_orders p
  where o.id = p.id;

  return null;
end
$$;

-- Trigger: where an order loses its buyer, their address and contact go, with all that they ever were, and the mails about it.
--
-- Callers: trigger orders_forget_details. An order that is owed keeps its buyer (interlock.guard_order_change).
-- Locks: the order is locked by its update; its details, which nobody writes without that.
-- Security definer: whoever deletes an account has no right to write details.
create function interlock.forget_order_details()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  update interlock.order_details d
  set shipping_address = null,
      contact = null
  where d.order_id = new.id;

  update interlock.delivery_attempts a
  set answer = null
  where a.delivery_id in (select m.delivery_id from interlock.mails m where m.order_id = new.id)
    and a.answer is not null;
  delete from interlock.mails m where m.order_id = new.id;

  perform set_config('interlock.purging', 'order_detail_changes', true);
  delete from interlock.order_detail_changes c where c.order_id = new.id;
  perform set_config('interlock.purging', '', true);
  return null;
end
$$;

-- Refuse an illegal change of an order, fill in the time a new status implies.
--
-- Callers: trigger orders_guard_change.
-- Locks: none beyond the row being updated.
-- Errors: 23514 check_violation with constraint name orders_transition_allowed, orders_fulfillment_allowed or
--   orders_terms_fixed (a bug or the shop's own SQL; never an answer to a buyer); 23001 restrict_violation with orders_open_have_buyer (an account
--   with an open order is being deleted).
create function interlock.guard_order_change()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_allowed boolean;
begin
  if (new.id, new.number, new.currency, new.subtotal, new.discount, new.shipping, new.shipping_tax, new.tax, new.tax_included, new.total, new.payment_method, new.wallet_amount, new.created_at)
      is distinct from
      (old.id, old.number, old.currency, old.subtotal, old.discount, old.shipping, old.shipping_tax, old.tax, old.tax_included, old.total, old.payment_method, old.wallet_amount, old.created_at)
    or new.shipping_method is distinct from old.shipping_method
    or new.promo_code_id is distinct from old.promo_code_id
    or new.refunded < old.refunded
    or (
      new.user_id is distinct from old.user_id
      and new.user_id is not null
      -- Only with all that is theirs: interlock.move_guest.
      and current_setting('interlock.moving', true) is distinct from 'on'
    )
  then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'orders_terms_fixed',
      message = format('number, owner, amounts and payment method of order %s cannot change', old.id);
  end if;

  if new.user_id is null and old.user_id is not null and interlock.is_owed_order(new.status) then
    raise exception using
      errcode = 'restrict_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'orders_open_have_buyer',
      message = format('order %s of user %s is open (%s)', old.id, old.user_id, new.status),
      hint = 'End it first: hand it over, cancel it or refund it. erase_user(id) lists all that stands in the way of a removal.';
  end if;

  if new.status = 'fulfilled' and old.status <> 'fulfilled' then
    new.fulfillment := 'delivered';
  end if;
  if new.fulfillment <> old.fulfillment then
    if not (case new.fulfillment
      when 'processing' then old.fulfillment = 'unfulfilled' and new.status in ('confirmed', 'paid')
      when 'partly_shipped' then old.fulfillment in ('unfulfilled', 'processing') and new.status in ('confirmed', 'paid')
      when 'shipped' then
        old.fulfillment in ('unfulfilled', 'processing', 'partly_shipped') and new.status in ('confirmed', 'paid')
      when 'delivered' then new.status = 'fulfilled'
      else false
    end) then
      raise exception using
        errcode = 'check_violation',
        schema = tg_table_schema,
        table = tg_table_name,
        constraint = 'orders_fulfillment_allowed',
        message = format('the goods of order %s cannot go from %s to %s', old.id, old.fulfillment, new.fulfillment),
        hint = 'docs/api.md has the states of an order.';
    end if;
    if new.fulfillment = 'shipped' then
      new.shipped_at := coalesce(new.shipped_at, interlock.clock());
    end if;
  end if;

  if new.status = old.status then
    return new;
  end if;

  v_allowed := case old.status
    when 'pending_payment' then new.status in ('paid', 'cancelled', 'expired')
    when 'confirmed' then
      new.status in ('paid', 'cancelled') or (new.status = 'expired' and old.fulfillment = 'unfulfilled')
    when 'paid' then
      new.status in ('fulfilled', 'refunded') or (new.status = 'cancelled' and old.fulfillment not in ('partly_shipped', 'shipped'))
    when 'fulfilled' then new.status = 'refunded'
    -- Only what is taken again with it: interlock.retake_order.
    when 'expired' then
      new.status in ('pending_payment', 'confirmed')
      and current_setting('interlock.reopening', true) is not distinct from 'on'
    when 'cancelled' then
      new.status in ('pending_payment', 'confirmed')
      and old.paid_at is null
      and current_setting('interlock.reopening', true) is not distinct from 'on'
    else false
  end;

  if not v_allowed then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'orders_transition_allowed',
      message = format('order %s cannot go from %s to %s', old.id, old.status, new.status),
      hint = 'docs/api.md has the table of transitions.';
  end if;

  case new.status
    when 'paid' then
      new.paid_at := coalesce(new.paid_at, interlock.clock());
    when 'fulfilled' then
      new.fulfilled_at := coalesce(new.fulfilled_at, interlock.clock());
    when 'refunded' then
      new.refunded_at := coalesce(new.refunded_at, interlock.clock());
    when 'pending_payment', 'confirmed' then
      null;
    else
      new.cancelled_at := coalesce(new.cancelled_at, interlock.clock());
  end case;

  return new;
end
$$;

-- Refuse a code for a physical product, one in which there is nothing to see, another product for a code, giving a
-- delivered code to anybody else or free, and a replacement that is none or a second one.
--
-- Callers: trigger product_codes_guard.
-- Locks: none beyond the row itself.
-- Errors: 23514 check_violation with constraint name product_codes_product_is_digital, product_codes_code_readable,
--   product_codes_product_fixed, product_codes_delivered_stay or product_codes_replaced_once.
create function interlock.guard_product_code()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_constraint text;
begin
  if tg_op = 'INSERT' then
    if exists (select 1 from interlock.products p where p.id = new.product_id and p.kind <> 'digital') then
      v_constraint := 'product_codes_product_is_digital';
    elsif interlock.normal_code(new.code) = '' then
      v_constraint := 'product_codes_code_readable';
    elsif new.replaced_by is not null then
      v_constraint := 'product_codes_replaced_once';
    end if;
  elsif old.used_at is not null and (
    tg_op = 'DELETE'
    or new.used_at is null
    or new.order_id is distinct from old.order_id
    or new.code is distinct from old.code
  ) then
    v_constraint := 'product_codes_delivered_stay';
  elsif tg_op = 'UPDATE' and new.product_id <> old.product_id then
    v_constraint := 'product_codes_product_fixed';
  elsif tg_op = 'UPDATE' and new.code <> old.code and interlock.normal_code(new.code) = '' then
    v_constraint := 'product_codes_code_readable';
  elsif tg_op = 'UPDATE'
    and (new.replaced_by, new.replaced_at, new.replaced_reason, new.replaced_actor)
      is distinct from (old.replaced_by, old.replaced_at, old.replaced_reason, old.replaced_actor)
    -- Who replaced it is taken out when they are gone.
    and not (
      new.replaced_actor is null
      and (new.replaced_by, new.replaced_at, new.replaced_reason)
        is not distinct from (old.replaced_by, old.replaced_at, old.replaced_reason)
      and not exists (select from interlock.accounts u where u.id = old.replaced_actor)
    )
    and (
      old.replaced_by is not null
      or not exists (
        select
        from interlock.product_codes n
        where n.id = new.replaced_by
          and n.id <> old.id
          and n.product_id = old.product_id
          and n.order_id = old.order_id
          and n.used_at is not null
          and n.replaced_by is null
      )
    )
  then
    v_constraint := 'product_codes_replaced_once';
  end if;

  if v_constraint is not null then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = v_constraint,
      message = format('%s of a product code refused by %s', lower(tg_op), v_constraint);
  end if;

  return case tg_op when 'DELETE' then old else new end;
end
$$;

-- Trigger: keep in settings.taxed whether there are tax rates.
--
-- The lock comes first and the look is a statement of its own, so that of two changes at once the second one sees both.
--
-- Callers: trigger tax_rates_noted, once for each statement.
-- Locks: the row of interlock.settings, waiting.
-- Security definer: whoever may change rates need not have rights on the settings.
create function interlock.note_tax_rates()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform 1 from interlock.settings for no key update;
  update interlock.settings s
  set taxed = not s.taxed
  where s.taxed <> exists (select from interlock.tax_rates);
  return null;
end
$$;

-- Check what an order has become, and write its history: one trigger for both, as each costs every sale a call. A new order that waits for its
-- payment or its shop, as most do, is asked only whether it has any time that it must not have.
--
-- Callers: trigger orders_record_event.
-- Locks: none beyond the rows it inserts.
-- Errors: 23514 check_violation with constraint name orders_discount_within_subtotal, orders_total_adds_up,
--   orders_payment_deadline_matches_status or orders_times_match_status (a bug or the shop's own SQL; never an answer to a buyer).
-- Security definer: nobody has insert on order_events.
create function interlock.record_order_event()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_broken text;
begin
  if new.total is distinct from new.subtotal - new.discount + new.shipping + new.tax - new.tax_included
    or greatest(new.refunded, new.wallet_amount) > new.total
  then
    v_broken := 'orders_total_adds_up';
  elsif new.discount > new.subtotal then
    v_broken := 'orders_discount_within_subtotal';
  -- Only an order whose proof the shop may decide whenever it likes (settings.review_window is null) waits without a deadline.
  elsif not (case new.status
    when 'confirmed' then new.payment_method = 'cash_on_delivery'
    when 'pending_payment' then
      new.payment_method in ('bank_transfer', 'card') and num_nonnulls(new.payment_expires_at, new.proof_submitted_at) > 0
    when 'expired' then new.payment_method <> 'wallet'
    else true
  end) then
    v_broken := 'orders_payment_deadline_matches_status';
  elsif (
    new.status not in ('pending_payment', 'confirmed') or new.fulfillment <> 'unfulfilled'
    or num_nonnulls(new.paid_at, new.fulfilled_at, new.cancelled_at, new.refunded_at, new.shipped_at) > 0
  ) and not interlock.order_times_match(
    new.status, new.paid_at, new.fulfilled_at, new.cancelled_at, new.refunded_at, new.fulfillment, new.shipped_at
  ) then
    v_broken := 'orders_times_match_status';
  end if;
  if v_broken is not null then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = v_broken,
      message = format('order %s violates %s', new.id, v_broken);
  end if;

  if tg_op = 'INSERT' or new.status <> old.status then
    insert into interlock.order_events (order_id, event, actor)
    values (new.id, new.status, auth.uid());
  elsif new.fulfillment <> old.fulfillment then
    insert into interlock.order_events (order_id, event, actor, tracking)
    values (new.id, new.fulfillment, auth.uid(), new.tracking);
  -- A further part writes its own: interlock.ship_order_lines.
  elsif new.tracking is distinct from old.tracking and new.fulfillment <> 'partly_shipped' then
    insert into interlock.order_events (order_id, event, actor, tracking)
    values (new.id, 'tracking_changed', auth.uid(), new.tracking);
  elsif new.user_id <> old.user_id then
    insert into interlock.order_events (order_id, event, actor)
    values (new.id, 'moved', auth.uid());
  elsif new.proof_submitted_at is distinct from old.proof_submitted_at then
    insert into interlock.order_events (order_id, event, actor)
    values (
      new.id,
      case when new.proof_submitted_at is null then 'proof_rejected' else 'proof_submitted' end,
      auth.uid()
    );
  end if;
  return null;
end
$$;

-- Trigger: what a new status of orders brings with it, whoever changes it, and exactly once: the row is locked, the
-- transitions end in final statuses, and an order ends in one statement only.
--
--   to paid        the codes of its digital products are delivered
--   to cancelled,  wallet money goes back to the wallet, money by card has to go back by its provider (refund_due), the
--   expired,       promo use to the code, stock to the shelf, codes that nobody has seen to the free ones
--   refunded
--
-- It leaves the session in which it is picked and packed, if it is in one.
--
-- What lines have given back before (public.refund_order_lines) does not come back again.
--
-- What does not come back by itself:
--   * a delivered code: the buyer has seen it, so it stays with the order and is not sold again (it cannot be read any
--     more, either);
--   * stock of an order that was shipped or delivered: the goods have left. Book them in when they are back, with
--     public.adjust_stock;
--   * money paid by bank transfer or in cash: the shop pays it back itself;
--   * wallet money that the shop has given back itself (orders.refunded_outside). For an account that was deleted that is
--     the only way: such an order does not end otherwise.
--
-- Callers: trigger orders_settle, once for each statement.
-- Locks: the orders are locked by the statement; then what interlock.leave_sessions locks; wallets by user, payments of the orders, promo as interlock.return_promos says, stock rows
--   by id, codes of the orders.
-- Errors: WALLET_OWNER_GONE (interlock.give_back), STOCK_LIMIT_EXCEEDED (interlock.return_stock); 55P03 after lock_timeout.
-- Security definer: whoever may change an order need not have rights on the rest.
create function interlock.settle_orders()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_paid uuid[];
  v_ended uuid[];
  v_order interlock.orders;
begin
  -- Grouped, not joined: this plan is made for the first statement of a session, mostly of a few rows, and must also do for
  -- one that changes all.
  select
    array_agg(c.id) filter (where c.new_status = 'paid'),
    array_agg(c.id order by c.id) filter (where c.new_status <> 'paid')
  into v_paid, v_ended
  from (
    select u.id, max(u.new_status) as new_status
    from (
      select n.id, n.status as new_status, null as old_status from new_rows n
      union all
      select o.id, null, o.status from old_rows o
    ) u
    group by u.id
    having max(u.new_status) <> max(u.old_status)
  ) c
  where c.new_status in ('paid', 'cancelled', 'expired', 'refunded');

  if v_paid is not null then
    update interlock.product_codes c
    set used_at = interlock.clock()
    where c.order_id = any (v_paid)
      and c.used_at is null;
  end if;

  if v_ended is null then
    return null;
  end if;
  perform interlock.leave_sessions(v_ended);

  for v_order in
    select o.*
    from interlock.orders o
    where o.id = any (v_ended)
      and (o.paid_at is not null or o.wallet_amount > 0)
      and not o.refunded_outside
    order by o.user_id, o.id
  loop
    perform interlock.give_back(v_order, v_order.total - v_order.refunded, 'order_' || v_order.status);
  end loop;

  -- Of money that never was the order's, and that staff have begun to give back, all goes back.
  update interlock.payments p
  set refund_asked = p.amount,
      status = case when p.refunded < p.amount then 'refund_due' else 'refunded' end
  from interlock.orders o
  where p.order_id = any (v_ended)
    and p.status in ('refund_due', 'refunded')
    and p.flag is not null
    and o.id = p.order_id
    and not o.refunded_outside;

  perform interlock.return_promos(v_ended);

  perform interlock.lock_stock(array(
    select i.product_id from interlock.order_items i where i.order_id = any (v_ended) and not i.untracked
    union
    select c.product_id from interlock.product_codes c where c.order_id = any (v_ended)
  ));

  for v_order in
    select o.*
    from interlock.orders o
    where o.id = any (v_ended)
    order by o.id
  loop
    perform interlock.return_stock(
      array_agg(r.product_id), array_agg(r.on_shelf), 'order_' || v_order.status, v_order.id
    )
    from interlock.order_rest(v_order.id) r
    where r.on_shelf > 0
      and not r.untracked
    having count(*) > 0;

    perform interlock.set_ledger_context('order_' || v_order.status, v_order.id);
    update interlock.product_codes c
    set order_id = null
    where c.order_id = v_order.id
      and c.used_at is null;
    perform interlock.set_ledger_context(null, null);
  end loop;

  return null;
end
$$;

-- Orders. Which change is allowed, for everybody: our functions, the shop's own SQL, a bug.
--
--   from \ to        paid   fulfilled   cancelled   expired   refunded
--   pending_payment  yes    –           yes         yes       –
--   confirmed        yes    –           yes         yes (2)   –
--   paid             –      yes         yes (1)     –         yes
--   fulfilled        –      –           –           –         yes
--   refunded is final, and so are cancelled and expired but for interlock.retake_order.
--   (1) until it is shipped, (2) while unfulfilled
--
-- The status is the money, fulfillment the goods: unfulfilled → processing → partly_shipped → shipped → delivered, forward
-- only, any of them left out, while the order is confirmed or paid; an order is delivered exactly when it becomes fulfilled.
--
--   pending_payment  bank transfer: waits for a payment, or for the decision on its proof, until payment_expires_at;
--                    card: waits for the provider's word, until payment_expires_at
--   confirmed        cash on delivery: will be paid at the door; waits for the shop until payment_expires_at, if it has
--                    one
--   paid             wallet, card, an accepted payment, or nothing to pay
--   fulfilled        handed over
--   cancelled        ended by the buyer (while unpaid and unfulfilled) or by the shop (before it was shipped; cash on
--                    delivery also when the parcel came back)
--   expired          not paid in time, or its proof not decided in time
--   refunded         paid, and the money given back
--
-- What an end gives back (stock, codes, promo use, wallet money) is given back by the trigger orders_settle, so it
-- happens exactly once, whoever ends the order.
--
-- A number comes from a sequence: nobody waits for anybody, and what is refused leaves a gap.
--
-- What is cancelled or refunded in parts (public.refund_order_lines) stands in interlock.order_refunds; the order says what
-- that comes to, which only grows (refunded).
--
-- Number, amounts, owner and payment method never change (the owner is emptied when the account is deleted: an order outlives
-- it; and a guest's order moves to the account they make later, by interlock.move_guest). Nobody has insert, update or delete here; orders are placed by public.checkout. A buyer sees their own; staff
-- read orders with public.list_orders, so that a buyer's list needs nothing but the index on user_id.
--
-- What columns say of each other is checked by the trigger orders_record_event (orders_discount_within_subtotal, orders_total_adds_up,
-- orders_payment_deadline_matches_status, orders_times_match_status): Postgres would read the text of a table's check at every statement.
--
-- For tables that refer to orders: checkout redeems the promo code *before* it writes the order, because the order's
-- amounts need the discount. A foreign key to orders (id) that is filled at that moment has to be
-- `deferrable initially deferred`.
create table interlock.orders (
  id uuid not null default interlock.new_id()
    constraint orders_pkey primary key,
  number bigint not null generated by default as identity (start with 1001)
    constraint orders_number_key unique,
  user_id uuid
    constraint orders_user_id_fkey references auth.users (id) on delete set null,
  status interlock.order_status not null,
  fulfillment interlock.fulfillment not null default 'unfulfilled',
  currency interlock.currency_code not null,
  subtotal interlock.amount not null,
  discount interlock.amount not null default 0,
  total bigint not null,
  shipping_method interlock.slug,
  shipping interlock.amount not null default 0,
  shipping_tax interlock.amount not null default 0,
  tax interlock.amount not null default 0,
  tax_included interlock.amount not null default 0,
  payment_method interlock.payment_method not null,
  wallet_amount interlock.amount not null default 0,
  promo_code_id uuid,
  cart_id uuid,
  counted_units interlock.positive_count,
  payment_expires_at timestamptz,
  -- Set while a proof waits for the shop.
  proof_submitted_at timestamptz,
  created_at timestamptz not null default now(),
  paid_at timestamptz,
  shipped_at timestamptz,
  tracking interlock.label,
  fulfilled_at timestamptz,
  -- When it was cancelled or expired.
  cancelled_at timestamptz,
  refunded_at timestamptz,
  -- The shop has given wallet money back in another way.
  refunded_outside boolean not null default false,
  refunded interlock.amount not null default 0
)
with (fillfactor = 80);

comment on table interlock.orders is
  'Orders, placed by public.checkout. A user sees their own, nobody writes.';
comment on column interlock.orders.number is
  'What people call the order: 1001, 1002, … A number is never given twice; one of a checkout that was refused is left out.';
comment on column interlock.orders.user_id is
  'The buyer; empty once the account was deleted.';
comment on column interlock.orders.status is
  'pending_payment, confirmed, paid, fulfilled, cancelled, expired or refunded; docs/api.md has the transitions.';
comment on column interlock.orders.fulfillment is
  'Where the goods are: unfulfilled, processing, partly_shipped, shipped or delivered; an order that ended keeps what it had.';
comment on column interlock.orders.shipped_at is
  'When the last of the goods left; empty for what was handed over at once.';
comment on column interlock.orders.tracking is
  'What the carrier calls the parcel, of several (order_shipments) the latest that has a number.';
comment on column interlock.orders.total is
  'What is to be paid, in minor units: subtotal - discount + shipping + tax - tax_included.';
comment on column interlock.orders.wallet_amount is
  'The part of total that was taken from the wallet when it was placed; payment_method is how the rest is paid. 0 for what the wallet pays alone.';
comment on column interlock.orders.shipping_method is
  'Of shipping_methods, if one was chosen.';
comment on column interlock.orders.shipping is
  'What it costs to send it, as it was when it was placed.';
comment on column interlock.orders.shipping_tax is
  'The tax on shipping, which is part of tax.';
comment on column interlock.orders.tax is
  'All tax: that of its lines, and on shipping.';
comment on column interlock.orders.tax_included is
  'The part of tax that is in the prices already.';
comment on column interlock.orders.promo_code_id is
  'The promo code that was redeemed, if any.';
comment on column interlock.orders.cart_id is
  'The client''s own name for the cart: a customer has one live order of it at most.';
comment on column interlock.orders.counted_units is
  'Units of the order that count against its buyer''s limits while it is not paid; empty if it was placed without a limit.';
comment on column interlock.orders.payment_expires_at is
  'Cash on delivery: if the shop has not gone on with it by then, the order expires; empty without settings.confirmation_window. Bank transfer: unpaid by then, the order expires. A payment proof moves it to the end of settings.review_window; empty if that is null. Card: unpaid by then, the order expires; a payment that the provider is deciding moves it.';
comment on column interlock.orders.proof_submitted_at is
  'When the latest payment proof was handed in that waits for the shop; empty again once it is rejected.';
comment on column interlock.orders.refunded_outside is
  'Whether the shop has given the money back in another way than into the wallet it came from.';
comment on column interlock.orders.refunded is
  'What lines that were cancelled or refunded, and shipping, have taken off total: the order costs, or has brought in, total - refunded. The sum of its order_refunds.';
comment on column interlock.orders.cancelled_at is
  'When it was cancelled or expired.';

-- A buyer's own orders, the latest first.
create index orders_by_user on interlock.orders (user_id, created_at desc);

-- A cart becomes one live order; after its end it can be ordered again. public.checkout looks first, under
-- interlock.lock_cart, and has an answer for it; this holds it for everybody.
create unique index orders_one_live_per_cart
  on interlock.orders (user_id, cart_id)
  where cart_id is not null and status not in ('cancelled', 'expired', 'refunded');

create index orders_payment_deadline
  on interlock.orders (payment_expires_at)
  where status in ('pending_payment', 'confirmed') and payment_expires_at is not null;

create trigger orders_guard_change
  before update on interlock.orders
  for each row
  execute function interlock.guard_order_change();

create trigger orders_record_event
  after insert or update on interlock.orders
  for each row
  execute function interlock.record_order_event();

create trigger orders_count_open
  after update on interlock.orders
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function interlock.count_open_orders();

create trigger orders_settle
  after update on interlock.orders
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function interlock.settle_orders();

create trigger orders_forget_details
  after update of user_id on interlock.orders
  for each row
  when (new.user_id is null and old.user_id is not null)
  execute function interlock.forget_order_details();

create trigger orders_broadcast
  after update on interlock.orders
  for each row
  when (
    (old.status, old.fulfillment, old.tracking, old.refunded, old.proof_submitted_at, old.payment_expires_at)
      is distinct from
      (new.status, new.fulfillment, new.tracking, new.refunded, new.proof_submitted_at, new.payment_expires_at)
  )
  execute function interlock.broadcast_order();

create trigger orders_no_truncate
  before truncate on interlock.orders
  for each statement
  execute function interlock.refuse_change();

alter table interlock.orders enable row level security;

grant select on table interlock.orders to authenticated, service_role;

create policy orders_select_own
  on interlock.orders
  for select
  to authenticated
  using (user_id = (select auth.uid()));

-- Lines of orders, one for each product: name, price and share of the discount as they were when it was bought. The
-- shares are those that public.validate_promo shows (interlock.split_discount) and sum exactly to the order's discount.
-- There is no foreign key to
-- products: see stock/tables/products.sql.
--
-- Of the stock a line says what it took, so that it gives back just that whatever the product's policy is by then. An
-- order that is opened again takes anew, so these two columns may change; the rest is append-only.
create table interlock.order_items (
  order_id uuid not null
    constraint order_items_order_id_fkey references interlock.orders (id),
  product_id uuid not null,
  quantity interlock.positive_count not null,
  unit_price interlock.amount not null,
  name text not null,
  kind interlock.product_kind not null,
  discount interlock.amount not null default 0,
  tax interlock.amount not null default 0,
  tax_percent numeric,
  tax_inclusive boolean,
  untracked boolean not null default false,
  backordered interlock.unit_count not null default 0,
  constraint order_items_pkey primary key (order_id, product_id)
);

comment on table interlock.order_items is
  'Lines of orders, one for each product: name and price as they were when it was bought. Append-only.';
comment on column interlock.order_items.unit_price is
  'Price of one unit in minor units of the order''s currency.';
comment on column interlock.order_items.discount is
  'What the promo code took off this line as a whole; at most quantity × unit_price. The lines sum to orders.discount.';
comment on column interlock.order_items.tax is
  'The tax on what the line costs after its discount; the lines and orders.shipping_tax sum to orders.tax.';
comment on column interlock.order_items.tax_percent is
  'The rate; empty where none was charged.';
comment on column interlock.order_items.tax_inclusive is
  'Whether the tax is in the price, or added to it.';
comment on column interlock.order_items.untracked is
  'Whether it took nothing from the stock, because the product was untracked; then it gives nothing back.';
comment on column interlock.order_items.backordered is
  'How many of the units were not there when it was sold.';

-- Which orders have this product: the guard against deleting it, and the shop's reports.
create index order_items_by_product on interlock.order_items (product_id);

create trigger order_items_append_only
  before
    update of
      order_id, product_id, quantity, unit_price, name, kind, discount, tax, tax_percent, tax_inclusive
    or delete
  on interlock.order_items
  for each row
  execute function interlock.refuse_change();

create trigger order_items_no_truncate
  before truncate on interlock.order_items
  for each statement
  execute function interlock.refuse_change();

alter table interlock.order_items enable row level security;

grant select on table interlock.order_items to authenticated, service_role;

-- The array is made once for a statement, and then looked up in the primary key.
create policy order_items_select_own
  on interlock.order_items
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));

-- What lines of orders that were cancelled or refunded have taken off them: one row for each call of
-- public.refund_order_lines. Its amounts add up as those of an order do; docs/prices.md has the arithmetic.
--
-- What is refunded before the order is paid makes it cost less. After that it is money that goes back: into the wallet, by
-- the provider of the card, or by the shop's own hand.
--
-- Shipping goes back once (order_refunds_shipping_once).
create table interlock.order_refunds (
  id uuid not null default interlock.new_id()
    constraint order_refunds_pkey primary key,
  order_id uuid not null
    constraint order_refunds_order_id_fkey references interlock.orders (id),
  subtotal interlock.amount not null,
  discount interlock.amount not null,
  shipping interlock.amount not null,
  tax interlock.amount not null,
  tax_included interlock.amount not null,
  amount interlock.amount not null,
  with_shipping boolean not null,
  paid boolean not null,
  to_wallet interlock.amount not null default 0,
  to_card interlock.amount not null default 0,
  by_shop interlock.amount not null default 0,
  reason interlock.label,
  actor uuid,
  created_at timestamptz not null default now(),
  constraint order_refunds_amount_adds_up check (amount = subtotal - discount + shipping + tax - tax_included),
  constraint order_refunds_money_within_amount check (
    to_wallet + to_card + by_shop <= amount and (paid or to_card + by_shop = 0)
  )
);

comment on table interlock.order_refunds is
  'Parts of orders that were cancelled or refunded, append-only. Read by the buyer.';
comment on column interlock.order_refunds.amount is
  'What it takes off the order, in minor units: subtotal - discount + shipping + tax - tax_included.';
comment on column interlock.order_refunds.tax is
  'The tax in amount, or added to it: that of its lines, and on shipping.';
comment on column interlock.order_refunds.with_shipping is
  'Whether the shipping of the order is in it.';
comment on column interlock.order_refunds.paid is
  'Whether the order was paid by then, so that money goes back; else it costs less.';
comment on column interlock.order_refunds.to_wallet is
  'What went into the wallet.';
comment on column interlock.order_refunds.to_card is
  'What has to go back by the provider of the card, or has: payments.refund_asked counts it.';
comment on column interlock.order_refunds.by_shop is
  'What the shop gives back by its own hand: what came in cash or by bank transfer, and with p_outside.';
comment on column interlock.order_refunds.reason is
  'Why, as staff said it. The buyer reads it.';
comment on column interlock.order_refunds.actor is
  'The staff member who did it; empty for the shop.';

create index order_refunds_by_order on interlock.order_refunds (order_id, id);

create unique index order_refunds_shipping_once on interlock.order_refunds (order_id) where with_shipping;

create trigger order_refunds_append_only
  before update or delete on interlock.order_refunds
  for each row
  execute function interlock.refuse_change('actor');

create trigger order_refunds_no_truncate
  before truncate on interlock.order_refunds
  for each statement
  execute function interlock.refuse_change();

alter table interlock.order_refunds enable row level security;

grant select on table interlock.order_refunds to authenticated, service_role;

create policy order_refunds_select_own
  on interlock.order_refunds
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));

-- Parcels: what of an order has left together, under a tracking number if there is one. public.ship_order sends all that is
-- left, public.ship_order_lines a part. What was handed over without being sent (public.fulfill_order) has none.
create table interlock.order_shipments (
  id uuid not null default interlock.new_id()
    constraint order_shipments_pkey primary key,
  order_id uuid not null
    constraint order_shipments_order_id_fkey references interlock.orders (id),
  tracking interlock.label,
  actor uuid,
  created_at timestamptz not null default now()
);

comment on table interlock.order_shipments is
  'Parcels of orders. Read by the buyer.';
comment on column interlock.order_shipments.tracking is
  'What the carrier calls it; ship_order corrects that of the last one.';
comment on column interlock.order_shipments.actor is
  'The staff member who sent it; empty for the shop.';

create index order_shipments_by_order on interlock.order_shipments (order_id, id);

create trigger order_shipments_no_delete
  before delete on interlock.order_shipments
  for each row
  execute function interlock.refuse_change();

create trigger order_shipments_no_truncate
  before truncate on interlock.order_shipments
  for each statement
  execute function interlock.refuse_change();

alter table interlock.order_shipments enable row level security;

grant select on table interlock.order_shipments to authenticated, service_role;

create policy order_shipments_select_own
  on interlock.order_shipments
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));

-- What is in a customer's reservation (interlock.cart_reservations), which is locked by whoever writes here.
create table interlock.cart_reservation_lines (
  user_id uuid not null,
  product_id uuid not null,
  quantity interlock.positive_count not null,
  untracked boolean not null,
  constraint cart_reservation_lines_pkey primary key (user_id, product_id)
);

comment on table interlock.cart_reservation_lines is
  'Products and units of the reservations there are. A user sees their own.';
comment on column interlock.cart_reservation_lines.untracked is
  'Whether it took nothing from the stock, because the product was untracked.';

alter table interlock.cart_reservation_lines enable row level security;

grant select on table interlock.cart_reservation_lines to authenticated, service_role;

create policy cart_reservation_lines_select_own
  on interlock.cart_reservation_lines
  for select
  to authenticated
  using (user_id = (select auth.uid()));

-- What customers have reserved before they order: "yours for ten minutes". One row for each customer, one reservation at a time.
--
-- Its units are taken from the stock like those of an order (the ledger has them as cart_reserved) and are in
-- cart_reservation_lines as long as it lasts: until its customer orders with it, releases it, or `expires_at` is over and
-- interlock.expire_cart_reservations comes by. Whoever ends it holds this row and deletes the lines, so they are given back
-- once. Until the sweep an expired one still has its units.
--
-- A customer may hold on to things for settings.cart_reservation_limit in all, counted from `reserved_since`, however often they
-- refresh; then nothing for as long. The row stays so long, without `expires_at`; an order begins anew. There is no foreign key
-- to the account: what somebody who is gone has reserved expires like the rest.
create table interlock.cart_reservations (
  user_id uuid not null
    constraint cart_reservations_pkey primary key,
  id uuid not null,
  reserved_since timestamptz not null,
  expires_at timestamptz,
  counted_units interlock.positive_count
);

comment on table interlock.cart_reservations is
  'What customers have reserved for a few minutes, by reserve_cart: one reservation each. A user sees their own.';
comment on column interlock.cart_reservations.id is
  'What checkout is told as reservation_id; another one for each reservation.';
comment on column interlock.cart_reservations.reserved_since is
  'From when on the time counts for which a customer may hold on to things.';
comment on column interlock.cart_reservations.expires_at is
  'When it ends by itself; empty if nothing is reserved.';
comment on column interlock.cart_reservations.counted_units is
  'Units that count against the limit of unpaid units; empty if there was none.';

-- What is due, for the sweep.
create index cart_reservations_due on interlock.cart_reservations (expires_at) where expires_at is not null;

alter table interlock.cart_reservations enable row level security;

grant select on table interlock.cart_reservations to authenticated, service_role;

create policy cart_reservations_select_own
  on interlock.cart_reservations
  for select
  to authenticated
  using (user_id = (select auth.uid()));

-- Open orders of a customer and the units in them: what is promised to them and not paid for. The row is the guard of
-- settings.max_open_orders_per_customer and max_open_units_per_customer: a checkout counts itself here within the
-- limits, or is refused. An order says how many units it counts (orders.counted_units); one that was placed while there
-- was no limit does not count, and costs nothing here.
--
-- The counters are the sums of the open orders that count, always: a checkout adds its own, and trigger
-- orders_count_open follows every change of an order, so it is given back once, whatever ends or pays it.
create table interlock.customer_open_orders (
  user_id uuid not null
    constraint customer_open_orders_pkey primary key,
  orders interlock.unit_count not null default 0,
  units interlock.unit_count not null default 0
);

comment on table interlock.customer_open_orders is
  'Open orders of each customer and the units in them, as far as they count against a limit. The row is the guard.';
comment on column interlock.customer_open_orders.orders is
  'Orders that are not paid and have not ended.';
comment on column interlock.customer_open_orders.units is
  'Units in those orders.';

create trigger settings_count_orders
  after update on interlock.settings
  for each row
  when (
    num_nonnulls(old.max_open_orders_per_customer, old.max_open_units_per_customer) = 0
    and num_nonnulls(new.max_open_orders_per_customer, new.max_open_units_per_customer) > 0
  )
  execute function interlock.count_orders_so_far();

alter table interlock.customer_open_orders enable row level security;

grant select on table interlock.customer_open_orders to service_role;

-- What an order's details were before each correction, append-only. Goes with the buyer's account, as the details do.
create table interlock.order_detail_changes (
  id bigint generated always as identity,
  order_id uuid not null
    constraint order_detail_changes_order_id_fkey references interlock.orders (id),
  shipping_address interlock.details,
  contact interlock.details,
  metadata interlock.details,
  actor uuid,
  created_at timestamptz not null default now(),
  -- The corrections of one order are read in this order.
  constraint order_detail_changes_pkey primary key (order_id, id)
);

comment on table interlock.order_detail_changes is
  'Append-only history of corrections: what the details of an order were until then.';
comment on column interlock.order_detail_changes.actor is
  'The staff member who corrected it; empty for the shop.';

create trigger order_detail_changes_append_only
  before update or delete on interlock.order_detail_changes
  for each row
  execute function interlock.refuse_change('actor');

create trigger order_detail_changes_no_truncate
  before truncate on interlock.order_detail_changes
  for each statement
  execute function interlock.refuse_change();

alter table interlock.order_detail_changes enable row level security;

grant select on table interlock.order_detail_changes to service_role;

-- What was said about an order beside what is sold: where it goes, whom to ask, and what the app keeps with it. One row
-- for each order with which anything was said, so that others cost nothing.
--
-- Address and contact are a person's: they go with the account (interlock.forget_order_details), by public.erase_user or a
-- plain deletion. The metadata are the shop's, and stay: nobody should write a person into them.
--
-- Written with the order by public.checkout, corrected by public.correct_order. What they were before stands in
-- interlock.order_detail_changes.
create table interlock.order_details (
  order_id uuid not null
    constraint order_details_pkey primary key
    constraint order_details_order_id_fkey references interlock.orders (id),
  shipping_address interlock.details,
  contact interlock.details,
  metadata interlock.details
);

comment on table interlock.order_details is
  'Address, contact and metadata of orders that were given any. Read by the buyer; corrected by correct_order.';
comment on column interlock.order_details.shipping_address is
  'Where the goods go, as the app has said it; empty once the account was deleted.';
comment on column interlock.order_details.contact is
  'Whom to ask about the order, as the app has said it; empty once the account was deleted.';
comment on column interlock.order_details.metadata is
  'Texts that the app keeps with the order, such as a campaign or an id of its own. Not for what is about a person.';

alter table interlock.order_details enable row level security;

grant select on table interlock.order_details to authenticated, service_role;

create policy order_details_select_own
  on interlock.order_details
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));

-- The history of orders, append-only, written by a trigger on orders, and by interlock.correct_order.
create table interlock.order_events (
  id bigint not null default nextval('interlock.event_position'),
  order_id uuid not null
    constraint order_events_order_id_fkey references interlock.orders (id),
  event interlock.order_event not null,
  tracking interlock.label,
  actor uuid,
  created_at timestamptz not null default now(),
  transaction xid8 not null default pg_current_xact_id(),
  request_id interlock.label default interlock.request_id(),
  -- The history of one order is read in this order.
  constraint order_events_pkey primary key (order_id, id)
) partition by range (id);

-- What interlock.make_history_parts goes on from, and what takes rows that no part is there for.
create table interlock_parts.order_events_0 partition of interlock.order_events for values from (minvalue) to (5000000);
create table interlock_parts.order_events_rest partition of interlock.order_events default;

alter table interlock_parts.order_events_0 enable row level security;
alter table interlock_parts.order_events_rest enable row level security;

create trigger order_events_no_truncate
  before truncate on interlock_parts.order_events_0
  for each statement
  execute function interlock.refuse_change();

create trigger order_events_no_truncate
  before truncate on interlock_parts.order_events_rest
  for each statement
  execute function interlock.refuse_change();

comment on table interlock.order_events is
  'Append-only history of orders, written by a trigger: each status an order came to, payment proofs, and corrections of its details.';
comment on column interlock.order_events.tracking is
  'With shipped and tracking_changed: the tracking number from then on.';
comment on column interlock.order_events.transaction is
  'The transaction that wrote it, by which interlock.make_deliveries knows whether it has seen it.';
comment on column interlock.order_events.actor is
  'The signed-in user who did it; empty for the shop and for jobs.';
comment on column interlock.order_events.request_id is
  'The request that did it, as the log of the function calls it; empty for what no function has asked for.';

-- What is to be told outside: interlock.events.
create index order_events_by_transaction on interlock.order_events (transaction, id);

-- From a line of a log to its order. A summary of each few pages, which a sale does not write to.
create index order_events_by_request on interlock.order_events
  using brin (request_id text_bloom_ops) with (pages_per_range = 32);

create trigger order_events_append_only
  before update or delete on interlock.order_events
  for each row
  execute function interlock.refuse_change('actor');

create trigger order_events_no_truncate
  before truncate on interlock.order_events
  for each statement
  execute function interlock.refuse_change();

alter table interlock.order_events enable row level security;

grant select on table interlock.order_events to authenticated, service_role;

create policy order_events_select_own
  on interlock.order_events
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));

-- The lines of order_refunds. The units of a line are counted from 1, and each is refunded once: a part has so many of
-- them, from the first that no part has had. Two parts that begin with the same unit are refused by the primary key,
-- whoever writes them.
create table interlock.order_refund_items (
  order_id uuid not null,
  product_id uuid not null,
  first_unit interlock.positive_count not null,
  refund_id uuid not null
    constraint order_refund_items_refund_id_fkey references interlock.order_refunds (id),
  quantity interlock.positive_count not null,
  from_shelf interlock.unit_count not null,
  restocked interlock.unit_count not null,
  subtotal interlock.amount not null,
  discount interlock.amount not null,
  tax interlock.amount not null,
  tax_included interlock.amount not null,
  amount interlock.amount not null,
  constraint order_refund_items_pkey primary key (order_id, product_id, first_unit),
  constraint order_refund_items_line_fkey
    foreign key (order_id, product_id) references interlock.order_items (order_id, product_id),
  constraint order_refund_items_amount_adds_up check (amount = subtotal - discount + tax - tax_included),
  constraint order_refund_items_units_within_quantity check (greatest(from_shelf, restocked) <= quantity)
);

comment on table interlock.order_refund_items is
  'Lines of order_refunds: how many units of a line of an order, and what they come to. Append-only.';
comment on column interlock.order_refund_items.first_unit is
  'The first of its units, counted through the line of the order from 1.';
comment on column interlock.order_refund_items.from_shelf is
  'How many of them had not been sent.';
comment on column interlock.order_refund_items.restocked is
  'How many of them are in stock again.';
comment on column interlock.order_refund_items.amount is
  'What they take off the order: subtotal - discount + tax - tax_included.';

create index order_refund_items_by_refund on interlock.order_refund_items (refund_id);

create trigger order_refund_items_append_only
  before update or delete on interlock.order_refund_items
  for each row
  execute function interlock.refuse_change();

create trigger order_refund_items_no_truncate
  before truncate on interlock.order_refund_items
  for each statement
  execute function interlock.refuse_change();

alter table interlock.order_refund_items enable row level security;

grant select on table interlock.order_refund_items to authenticated, service_role;

create policy order_refund_items_select_own
  on interlock.order_refund_items
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));

-- What is in order_shipments. Units that leave are counted through each line of an order from 1: two parcels that begin
-- with the same unit are refused by the primary key, whoever writes them.
create table interlock.order_shipment_items (
  order_id uuid not null,
  product_id uuid not null,
  first_unit interlock.positive_count not null,
  shipment_id uuid not null
    constraint order_shipment_items_shipment_id_fkey references interlock.order_shipments (id),
  quantity interlock.positive_count not null,
  constraint order_shipment_items_pkey primary key (order_id, product_id, first_unit),
  constraint order_shipment_items_line_fkey
    foreign key (order_id, product_id) references interlock.order_items (order_id, product_id)
);

comment on table interlock.order_shipment_items is
  'What is in the parcels of order_shipments: how many units of a line of an order. Append-only.';
comment on column interlock.order_shipment_items.first_unit is
  'The first of its units, counted through those of the line that have left, from 1.';

create index order_shipment_items_by_shipment on interlock.order_shipment_items (shipment_id);

create trigger order_shipment_items_append_only
  before update or delete on interlock.order_shipment_items
  for each row
  execute function interlock.refuse_change();

create trigger order_shipment_items_no_truncate
  before truncate on interlock.order_shipment_items
  for each statement
  execute function interlock.refuse_change();

alter table interlock.order_shipment_items enable row level security;

grant select on table interlock.order_shipment_items to authenticated, service_role;

create policy order_shipment_items_select_own
  on interlock.order_shipment_items
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));

-- What a guest has, on its way to the account they make later: one open row for each guest that has asked, and one for each
-- time that it has moved, for support.
--
-- A guest proves by a token that they are who has the orders (public.create_order_transfer), and the account that it is who
-- holds the token (public.redeem_order_transfer). Of the token only a hash is kept. Staff need none (public.move_orders).
--
-- There are no foreign keys: what has moved outlives the guest. interlock.erase_user takes persons out.
create table interlock.order_transfers (
  id uuid not null default interlock.new_id()
    constraint order_transfers_pkey primary key,
  from_user_id uuid,
  to_user_id uuid,
  token_hash bytea
    constraint order_transfers_token_key unique,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  moved_at timestamptz,
  orders interlock.unit_count not null default 0,
  amount interlock.amount not null default 0,
  currency interlock.currency_code,
  actor uuid
);

comment on table interlock.order_transfers is
  'Orders and money of guests that have moved to an account, or may until expires_at.';
comment on column interlock.order_transfers.token_hash is
  'SHA-256 of the token that the guest was given; empty where staff have moved it.';
comment on column interlock.order_transfers.orders is
  'How many orders have moved.';
comment on column interlock.order_transfers.amount is
  'The money that was in the guest''s wallet, in minor units.';
comment on column interlock.order_transfers.actor is
  'Who has moved it: the account itself, or staff; empty for the shop.';

-- A guest has one token at a time: another one takes its place.
create unique index order_transfers_one_open on interlock.order_transfers (from_user_id) where moved_at is null;

-- Tokens whose time is over, for interlock.purge_idempotency_keys.
create index order_transfers_open on interlock.order_transfers (expires_at) where moved_at is null;

alter table interlock.order_transfers enable row level security;

grant select on table interlock.order_transfers to service_role;

-- Product codes: what a digital product consists of. Each code is sold to one order.
--
--   order_id is null                     free: can be sold
--   order_id set, used_at is null        reserved: belongs to an order that is not paid yet
--   order_id set, used_at set            delivered: the buyer can read it
--
-- Stock and free codes cannot disagree: the stock of a digital product *is* the number of its free codes. A trigger
-- here moves products.available_quantity in the statement that changes the codes, whoever does it, and any other
-- change of a digital product's stock is refused. (A constraint cannot count rows, and a view would make a second kind
-- of stock that each reader has to know of.) The view code_differences is always empty.
--
-- A delivered code is never sold again, whatever becomes of its order: somebody has seen it. A reserved code of an
-- order that ends becomes free. The constraint product_codes_delivered_has_order and the trigger hold that.
--
-- A code that does not work is replaced once, by public.replace_product_code: both stay with their order, the old one
-- with the reason and the id of the new one, and the buyer sees the new one.
--
-- One product has a key once, however it was entered: the index product_codes_once compares normal forms. What is
-- delivered is what was entered.
--
-- Lock order: the product's stock row, then its codes. Whoever holds the stock row knows the number of free codes
-- exactly, because nobody else can commit a change of it.
create table interlock.product_codes (
  id bigint generated always as identity
    constraint product_codes_pkey primary key,
  product_id uuid not null
    constraint product_codes_product_id_fkey references interlock.products (id),
  code interlock.product_code not null,
  order_id uuid
    constraint product_codes_order_id_fkey references interlock.orders (id),
  used_at timestamptz,
  replaced_by bigint
    constraint product_codes_replaced_by_fkey references interlock.product_codes (id),
  replaced_at timestamptz,
  replaced_reason interlock.label,
  replaced_actor uuid,
  created_at timestamptz not null default now(),
  constraint product_codes_unique unique (product_id, code),
  constraint product_codes_delivered_has_order check (used_at is null or order_id is not null),
  constraint product_codes_replaced_whole check (
    case when replaced_by is null
      then num_nonnulls(replaced_at, replaced_reason, replaced_actor) = 0
      else num_nulls(replaced_at, replaced_reason, used_at) = 0
    end
  )
);

comment on table interlock.product_codes is
  'Codes of digital products. Read by the buyer of a paid order; the shop (service role) adds them.';
comment on column interlock.product_codes.id is
  'What replace_product_code calls it by.';
comment on column interlock.product_codes.product_id is
  'The digital product. Never changes.';
comment on column interlock.product_codes.code is
  'What the buyer gets, as it was entered. One product has a key once: case, blanks and kinds of dashes make no other key.';
comment on column interlock.product_codes.order_id is
  'The order it is sold to or reserved for; empty while it is free.';
comment on column interlock.product_codes.used_at is
  'When it was delivered: from then on the buyer can read it, and it is never sold again.';

comment on column interlock.product_codes.replaced_by is
  'The code that its buyer got instead, because this one did not work; set by replace_product_code only.';
comment on column interlock.product_codes.replaced_at is
  'When it was replaced.';
comment on column interlock.product_codes.replaced_reason is
  'Why it was replaced, as staff said it.';
comment on column interlock.product_codes.replaced_actor is
  'The staff member who replaced it; empty for the shop.';
comment on column interlock.product_codes.created_at is
  'When it was added.';

-- One key, however it was entered.
create unique index product_codes_once on interlock.product_codes (product_id, interlock.normal_code(code));

-- One code takes the place of one.
create unique index product_codes_replaces_one on interlock.product_codes (replaced_by) where replaced_by is not null;

-- Free codes, oldest first.
create index product_codes_free on interlock.product_codes (product_id, id) where order_id is null;

create index product_codes_by_order on interlock.product_codes (order_id) where order_id is not null;

create trigger product_codes_guard
  before insert or update or delete on interlock.product_codes
  for each row
  execute function interlock.guard_product_code();

create trigger product_codes_count_added
  after insert on interlock.product_codes
  referencing new table as new_rows
  for each statement
  execute function interlock.count_free_codes();

create trigger product_codes_count_changed
  after update on interlock.product_codes
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function interlock.count_free_codes();

create trigger product_codes_count_removed
  after delete on interlock.product_codes
  referencing old table as old_rows
  for each statement
  execute function interlock.count_free_codes();

create trigger product_codes_no_truncate
  before truncate on interlock.product_codes
  for each statement
  execute function interlock.refuse_change();

alter table interlock.product_codes enable row level security;

grant select on table interlock.product_codes to authenticated;
grant select, insert, update, delete on table interlock.product_codes to service_role;

create policy product_codes_select_bought
  on interlock.product_codes
  for select
  to authenticated
  using (
    used_at is not null
    and replaced_by is null
    and order_id = any (array(
      select o.id
      from interlock.orders o
      where o.user_id = (select auth.uid())
        and o.status in ('paid', 'fulfilled')
    ))
  );

-- Ways to send an order, and what each costs. The app chooses one of them (p_shipping_method), the database says the price
-- (interlock.charge_order). A method has one currency; a shop that sells in two has one for each.
--
-- Everybody sees the active ones. The shop (service role) writes; an order keeps the price that it was placed for.
create table interlock.shipping_methods (
  code interlock.slug not null
    constraint shipping_methods_pkey primary key,
  name interlock.label not null,
  price interlock.price not null,
  currency interlock.currency_code not null,
  free_from interlock.amount,
  tax_class interlock.slug,
  active boolean not null default true,
  created_at timestamptz not null default now()
);

comment on table interlock.shipping_methods is
  'Ways to send an order, and what each costs. Managed by the shop with the service role; checkout names one.';
comment on column interlock.shipping_methods.code is
  'What checkout calls it by, as shipping_method.';
comment on column interlock.shipping_methods.name is
  'As people read it.';
comment on column interlock.shipping_methods.price is
  'What it costs, in minor units.';
comment on column interlock.shipping_methods.currency is
  'ISO 4217 code, upper case: of the carts that it can be chosen for.';
comment on column interlock.shipping_methods.created_at is
  'When it was added.';
comment on column interlock.shipping_methods.free_from is
  'From this value of the goods on, after the promo code, it costs nothing; empty: never.';
comment on column interlock.shipping_methods.tax_class is
  'Which of tax_rates is charged on its price; empty: none.';
comment on column interlock.shipping_methods.active is
  'An inactive one can neither be seen nor chosen.';

alter table interlock.shipping_methods enable row level security;

grant select on table interlock.shipping_methods to anon, authenticated;
grant select, insert, update, delete on table interlock.shipping_methods to service_role;

create policy shipping_methods_select_active
  on interlock.shipping_methods
  for select
  to anon, authenticated
  using (active);

-- Taxes, by class of product and country. The rate of an order's country comes before the one without a country, which is
-- that of everywhere else; without either there is no tax.
--
-- A shop without rates never looks here: settings.taxed says whether there are any.
create table interlock.tax_rates (
  id uuid not null default interlock.new_id()
    constraint tax_rates_pkey primary key,
  tax_class interlock.slug not null,
  country interlock.country_code,
  name interlock.label not null,
  percent interlock.percentage not null,
  inclusive boolean not null,
  constraint tax_rates_one_for_each unique nulls not distinct (tax_class, country)
);

comment on table interlock.tax_rates is
  'Taxes, by class of product and country. Managed by the shop with the service role; charged by checkout.';
comment on column interlock.tax_rates.id is
  'Made by new_id where none is given.';
comment on column interlock.tax_rates.tax_class is
  'Of the products and shipping methods that it is charged on.';
comment on column interlock.tax_rates.country is
  'Where the goods go; empty: everywhere that has no rate of its own.';
comment on column interlock.tax_rates.name is
  'As people read it: VAT 19 %.';
comment on column interlock.tax_rates.percent is
  'The rate in percent, with at most four decimals.';
comment on column interlock.tax_rates.inclusive is
  'Whether prices have the tax in them (true), or it is added to them (false).';

create trigger tax_rates_noted
  after insert or delete or truncate on interlock.tax_rates
  for each statement
  execute function interlock.note_tax_rates();

alter table interlock.tax_rates enable row level security;

grant select on table interlock.tax_rates to anon, authenticated;
grant select, insert, update, delete on table interlock.tax_rates to service_role;

create policy tax_rates_select_all
  on interlock.tax_rates
  for select
  to anon, authenticated
  using (true);

-- Write down a parcel with so many units of lines of an order.
--
-- Callers: interlock.ship_order_lines; interlock.move_goods, for all that is left; interlock.complete_box, for what is packed.
--   With the order locked, and the units looked at.
-- Locks: none beyond the rows it inserts.
create function interlock.add_shipment(p_order_id uuid, p_product_ids uuid[], p_quantities int[], p_tracking text)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_id constant uuid := interlock.new_id();
begin
  insert into interlock.order_shipments (id, order_id, tracking, actor, created_at)
  values (v_id, p_order_id, p_tracking, auth.uid(), interlock.clock());

  insert into interlock.order_shipment_items (order_id, product_id, first_unit, shipment_id, quantity)
  select
    p_order_id,
    w.product_id,
    1 + (
      select coalesce(sum(s.quantity), 0)
      from interlock.order_shipment_items s
      where s.order_id = p_order_id
        and s.product_id = w.product_id
    ),
    v_id,
    w.quantity
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity);

  return v_id;
end
$$;

-- What public.cancel_order does, with its owner's rights. A buyer cancels what is unpaid and still on the shelf. The shop
-- cancels until any of the goods are shipped, and an unpaid parcel that came back: its units are not on the shelf then.
--
-- An order that is cancelled already is answered, and its key is not kept: as after a refusal nothing was done that a
-- repetition could do twice, and whoever cancels again and again under new keys leaves nothing behind.
--
-- Callers: authenticated and service_role, through public.cancel_order.
-- Locks: idempotency key, order, then as interlock.settle_orders; each wait two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, ORDER_NOT_FOUND (also for somebody else's order),
--   ORDER_NOT_CANCELLABLE, STOCK_LIMIT_EXCEEDED, IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.cancel_order(p_order_id uuid, p_idempotency_key text)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
set timezone = 'UTC'
as $$
declare
  v_shop constant boolean := interlock.acts_for_shop();
  v_answer text;
  v_order interlock.orders;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if auth.uid() is null and not v_shop then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  if p_order_id is null then
    perform interlock.refuse_problems(interlock.problem('/p_order_id', 'is required'));
  end if;

  v_answer := interlock.begin_idempotent(
    'cancel_order', p_idempotency_key, jsonb_build_object('order_id', p_order_id)
  );
  if v_answer is not null then
    return v_answer::json;
  end if;

  if not v_shop then
    perform interlock.require_user();
  end if;

  if not exists (
    select 1
    from interlock.orders o
    where o.id = p_order_id
      and (v_shop or o.user_id = auth.uid())
  ) then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;

  perform interlock.lock_order(p_order_id);
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  -- It may have moved to another account meanwhile.
  if not v_shop and v_order.user_id <> auth.uid() then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;
  if v_order.status <> 'cancelled' then
    if (case
      when not v_shop then
        v_order.status not in ('pending_payment', 'confirmed') or v_order.fulfillment <> 'unfulfilled'
      when v_order.status = 'paid' then v_order.fulfillment in ('partly_shipped', 'shipped')
      else v_order.status not in ('pending_payment', 'confirmed')
    end) then
      perform interlock.raise_error('ORDER_NOT_CANCELLABLE', jsonb_build_object(
        'order_id', p_order_id, 'status', v_order.status, 'fulfillment', v_order.fulfillment
      ));
    end if;

    update interlock.orders o
    set status = 'cancelled'
    where o.id = p_order_id;
  end if;

  v_answer := interlock.order_answer(p_order_id)::text;
  if v_order.status <> 'cancelled' then
    perform interlock.finish_idempotent('cancel_order', p_idempotency_key, v_answer);
  else
    perform interlock.forget_idempotent('cancel_order', p_idempotency_key);
  end if;
  return v_answer::json;
end
$$;

-- What is charged beside the goods: shipping, and tax for each line. p_amounts are what the lines cost, less their
-- discounts. docs/prices.md has the arithmetic.
--
-- Callers: interlock.checkout, if the shop has tax rates or the order is sent; interlock.quote_order.
-- Locks: none: what is looked at here is what is charged.
-- Errors: SHIPPING_METHOD_NOT_AVAILABLE (unknown, inactive, of another currency; none, with p_required).
create function interlock.charge_order(
  p_shipping_method text,
  p_required boolean,
  p_country text,
  p_currency text,
  p_product_ids uuid[],
  p_amounts bigint[],
  out o_shipping bigint,
  out o_shipping_tax bigint,
  out o_tax bigint,
  out o_tax_included bigint,
  out o_taxes bigint[],
  out o_percents numeric[],
  out o_inclusive boolean[]
)
language plpgsql
stable
set search_path = ''
as $$
declare
  v_method interlock.shipping_methods;
begin
  if p_shipping_method is not null or p_required then
    select m.*
    into v_method
    from interlock.shipping_methods m
    where m.code = p_shipping_method
      and m.active
      and m.currency = p_currency;
    if not found then
      perform interlock.raise_error('SHIPPING_METHOD_NOT_AVAILABLE', jsonb_build_object(
        'shipping_method', p_shipping_method,
        'available', (
          select coalesce(jsonb_agg(m.code order by m.code), '[]')
          from interlock.shipping_methods m
          where m.active
            and m.currency = p_currency
        )
      ));
    end if;
  end if;

  -- The last line is the shipping, which is no product.
  select
    sum(t.amount) filter (where t.is_shipping),
    coalesce(sum(t.tax) filter (where t.is_shipping), 0),
    coalesce(sum(t.tax), 0),
    coalesce(sum(t.tax) filter (where t.inclusive), 0),
    array_agg(coalesce(t.tax, 0) order by t.n) filter (where not t.is_shipping),
    array_agg(t.percent order by t.n) filter (where not t.is_shipping),
    array_agg(t.inclusive order by t.n) filter (where not t.is_shipping)
  into o_shipping, o_shipping_tax, o_tax, o_tax_included, o_taxes, o_percents, o_inclusive
  from (
    select l.n, l.is_shipping, l.amount, r.percent, r.inclusive, interlock.tax_of(l.amount, r.percent, r.inclusive) as tax
    from (
      select g.n, false as is_shipping, g.amount, p.tax_class
      from unnest(p_product_ids, p_amounts) with ordinality as g (product_id, amount, n)
      left join interlock.products p on p.id = g.product_id
      union all
      select
        null,
        true,
        case
          when (select sum(a) from unnest(p_amounts) as a) >= v_method.free_from then 0
          else coalesce(v_method.price, 0)
        end,
        v_method.tax_class
    ) l
    left join lateral (
      select q.percent, q.inclusive
      from interlock.tax_rates q
      where q.tax_class = l.tax_class
        and (
          q.country is null
          or q.country = coalesce(p_country, (select s.tax_country from interlock.settings s))
        )
      order by q.country nulls last
      limit 1
    ) r on true
  ) t;
end
$$;

-- What public.checkout does, with its owner's rights: cart to order in one transaction, all or nothing.
--
-- Order, lines, history, wallet and (without digital products) the stored answer are written before the first stock row
-- is locked: the hottest rows come last and are held for one statement and the commit.
--
-- A look without a lock comes first. What it sees is committed: if the stock is too low there, no order of events could
-- have sold it, and the refusal makes nobody wait. The stock may have gone to a twin of this very request, so before it
-- refuses the function asks for the twin's answer. Everything the look has seen and the order was priced with is
-- compared again under the lock. The look also says whether each product with slots has a slot with enough: then no
-- gate need be locked.
--
-- Prices are the database's. A caller may say which ones the buyer has seen, and then no others are charged: the look
-- compares them, with a promo code the total once that is known. A price that changes after the look is noticed where
-- the stock is locked (55P03), and the repeat finds it changed.
--
-- Set-based: one statement for each step, whatever the number of lines. Postgres sets up the plan of every statement again at
-- each call, so each statement, PERFORM and call that is not made counts: the key is inserted with the answer where that is known by
-- then (no promo code, nothing digital), and a single plain line does not come here at all (interlock.checkout_line).
--
-- A product may be sold in another way than from its stock alone (products.stock_policy), or not in any number
-- (max_per_order, max_per_customer). The look says whether the cart has such a one; only then a second look says which and
-- how. Of what is untracked nothing is locked, so its price is compared once more, as that of a product with slots.
--
-- Payment: `wallet` is debited here and the order is paid; `bank_transfer` waits in pending_payment until
-- settings.payment_window is over, `card` until settings.card_payment_window is; `cash_on_delivery` is confirmed and paid
-- at the door. With nothing to pay the order is paid at once. Codes of digital products belong to the order from here on,
-- but the buyer sees them only once it is paid.
--
-- Both: with p_wallet_amount so much is taken from the wallet here, or all of it if the order costs less, and payment_method is
-- how the rest is paid.
--
-- For somebody else: staff and the shop name the buyer with p_on_behalf_of. Order, limits, wallet and promo are the buyer's;
-- the key is the caller's, and so is the name in the history.
--
-- A hot product cannot take every connection: with settings.checkouts_per_product at most so many checkouts of one
-- product run at a time. The next one is told at once to come again (503 with Retry-After), and the function does not
-- try by itself: under a storm that would be another storm. A refusal for want of stock is not held up.
--
-- Callers: authenticated and service_role, through public.checkout, with what is no single plain line.
-- Locks: tickets of its products (with a limit; tried, never waited for); promo attempts of the customer (with a promo
--   code); idempotency key; cart (if it has a name); the buyer's account and reservation (with p_reservation_id); limits of the
--   customer (with a product that has some); the buyer's account; the counter of their open orders (with a limit); wallet
--   (payment by wallet, or a part of it); promo (with a code); stock rows by id; slots of stock; codes of digital products. All waits together
--   last two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN and USER_NOT_FOUND (with p_on_behalf_of), VALIDATION_FAILED, PAYMENT_METHOD_NOT_ALLOWED, PRODUCT_NOT_FOUND, MIXED_CURRENCIES,
--   PRICE_CHANGED, SHIPPING_METHOD_NOT_AVAILABLE, INSUFFICIENT_INVENTORY,
--   PRODUCT_ORDER_LIMIT, PRODUCT_CUSTOMER_LIMIT, STOCK_LIMIT_EXCEEDED, CART_ALREADY_ORDERED, TOO_MANY_OPEN_ORDERS,
--   INSUFFICIENT_FUNDS, CURRENCY_MISMATCH, IDEMPOTENCY_KEY_REUSED, those of interlock.redeem_promo and interlock.refuse_unknown_promo;
--   UPSTREAM_UNAVAILABLE if a product is bought by as many as the shop lets in at a time; 55P03 and 40P01 are transient
--   and nothing has happened.
-- Security definer: nobody has the right to write orders, stock or wallets. Nothing here trusts an argument for who is
--   calling; that is auth.uid(). A buyer is named by staff and the shop alone.
create function interlock.checkout(
  p_cart_items jsonb,
  p_promo_code text,
  p_cart_id uuid,
  p_payment_method text,
  p_idempotency_key text,
  p_expected_total bigint,
  p_shipping_address jsonb,
  p_contact jsonb,
  p_metadata jsonb,
  p_shipping_method text,
  p_on_behalf_of uuid,
  p_reservation_id uuid,
  p_wallet_amount bigint
)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
-- Statements over arrays are otherwise planned again at each call.
set plan_cache_mode = force_generic_plan
set timezone = 'UTC'
as $$
declare
  v_caller_id constant uuid := auth.uid();
  -- The buyer. The key is the caller's, and the history says who called.
  v_user_id constant uuid := coalesce(p_on_behalf_of, v_caller_id);
  v_payment_method constant text := coalesce(p_payment_method, 'cash_on_delivery');
  v_order_id uuid;
  v_details jsonb;
  v_said jsonb;
  v_problems jsonb := jsonb '[]';
  v_request jsonb;
  v_settings interlock.settings;
  v_look interlock.cart_look;
  -- How products are sold that are sold in another way than from their stock alone.
  v_untracked uuid[];
  v_backorder boolean;
  v_limits jsonb;
  v_customer_limit boolean;
  v_owed boolean;
  v_redeemed boolean;
  v_reserved_ids uuid[];
  v_reserved_quantities int[];
  v_charged boolean;
  -- The units that count against a limit.
  v_counted int;
  v_refusal text;
  v_ordered jsonb;
  v_wallet interlock.wallets;
  v_promo_id uuid;
  v_discounts bigint[];
  v_shipping bigint := 0;
  v_shipping_tax bigint := 0;
  v_tax bigint := 0;
  v_tax_included bigint := 0;
  v_taxes bigint[];
  v_tax_percents numeric[];
  v_tax_inclusive boolean[];
  v_order interlock.orders;
  v_digital boolean;
  v_answer text;
  v_stored text;
  v_sub text;
  -- An assignment costs a fourth of a PERFORM. @plpgsql_check_options: extra_warnings = false
  v_set text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if v_user_id is null then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  if p_on_behalf_of is not null then
    perform interlock.refuse_unless_shop();
    if not exists (select from interlock.accounts u where u.id = p_on_behalf_of) then
      perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_on_behalf_of));
    end if;
  end if;

  if num_nonnulls(p_shipping_method, p_shipping_address, p_contact, p_metadata) > 0 then
    v_details := interlock.shape_details(p_shipping_address, p_contact, p_metadata);
    v_problems := interlock.find_detail_problems('/', p_shipping_address, p_contact, p_metadata);
    if not interlock.is_line(p_shipping_method, 40) then
      v_problems := v_problems || interlock.problem(
        '/shipping_method', 'must be 1 to 40 characters, without control characters'
      );
    end if;
    v_said := coalesce(v_details, '{}') || jsonb_build_object('shipping_method', p_shipping_method);
  end if;
  if p_wallet_amount < 0 then
    v_problems := v_problems || interlock.problem(
      '/wallet_amount', 'must be a whole number of minor units, 0 or more'
    );
  end if;

  v_problems := coalesce(interlock.find_checkout_problems(
    p_cart_items, p_promo_code, v_payment_method, p_idempotency_key, p_expected_total
  ), '[]') || v_problems;
  if v_problems <> '[]' then
    perform interlock.refuse_problems(v_problems);
  end if;

  v_order_id := interlock.new_id();
  select s.* into v_settings from interlock.settings s;
  v_look := interlock.look_at_cart(p_cart_items);

  if v_look.has_terms or p_reservation_id is not null then
    select t.* into v_untracked, v_backorder, v_look.shortages, v_limits, v_customer_limit
    from interlock.look_at_terms(v_user_id, p_reservation_id, v_look.product_ids, v_look.quantities) t;
  end if;

  -- Whether there is more to pay than the goods.
  v_charged := p_shipping_method is not null or v_settings.taxed or v_settings.shipping_required;

  -- The same cart is the same request, however its lines stand and whatever it was expected to cost.
  v_request := jsonb_build_object(
    'products', v_look.product_ids,
    'quantities', v_look.quantities,
    'promo_code', p_promo_code,
    'cart_id', p_cart_id,
    'payment_method', v_payment_method
  );
  if v_said is not null then
    v_request := v_request || v_said;
  end if;
  if p_on_behalf_of is not null then
    v_request := v_request || jsonb_build_object('on_behalf_of', p_on_behalf_of);
  end if;
  if p_wallet_amount is not null then
    v_request := v_request || jsonb_build_object('wallet_amount', p_wallet_amount);
  end if;

  v_refusal := case
    when not v_payment_method = any (v_settings.payment_methods)
      or p_wallet_amount > 0 and not 'wallet' = any (v_settings.payment_methods)
    then 'PAYMENT_METHOD_NOT_ALLOWED'
    when v_look.missing is not null then 'PRODUCT_NOT_FOUND'
    when v_look.currencies[1] <> any (v_look.currencies) then 'MIXED_CURRENCIES'
    when v_look.price_changed or (p_promo_code is null and not v_charged and v_look.subtotal <> p_expected_total) then 'PRICE_CHANGED'
    when v_limits is not null then 'PRODUCT_ORDER_LIMIT'
    when v_look.shortages is not null then 'INSUFFICIENT_INVENTORY'
    when v_settings.checkouts_per_product is not null
      and not interlock.admit_checkout(v_look.product_ids, v_settings.checkouts_per_product)
    then 'UPSTREAM_UNAVAILABLE'
  end;

  if v_refusal is not null then
    -- The cart before the key: a twin that commits between the two looks has left its answer.
    v_ordered := interlock.find_ordered_cart(v_user_id, p_cart_id);
    v_answer := interlock.find_idempotent('checkout', p_idempotency_key, v_request);
    if v_answer is not null then
      return v_answer::json;
    end if;
    if v_ordered is not null then
      perform interlock.raise_error('CART_ALREADY_ORDERED', v_ordered);
    end if;
    perform interlock.raise_error(v_refusal, case v_refusal
      when 'PAYMENT_METHOD_NOT_ALLOWED' then jsonb_build_object(
        'payment_method', case
          when v_payment_method = any (v_settings.payment_methods) then 'wallet'
          else v_payment_method
        end,
        'allowed', v_settings.payment_methods
      )
      when 'PRODUCT_NOT_FOUND' then jsonb_build_object('product_ids', v_look.missing)
      when 'MIXED_CURRENCIES' then jsonb_build_object(
        'currencies', (select jsonb_agg(distinct c) from unnest(v_look.currencies) as c)
      )
      when 'PRICE_CHANGED' then interlock.price_change(
        p_cart_items, p_expected_total, format('[%s]', v_look.items)::jsonb, v_look.subtotal,
        case when p_promo_code is null and not v_charged then v_look.subtotal end, v_look.currencies[1]
      )
      when 'PRODUCT_ORDER_LIMIT' then jsonb_build_object('limits', v_limits)
      when 'INSUFFICIENT_INVENTORY' then jsonb_build_object('shortages', v_look.shortages)
    end);
  end if;

  -- A guess at a promo code must count though nothing else of the request happens, so an
  -- unknown code is answered and not raised: see promo/tables/promo_attempts.sql.
  if p_promo_code is not null then
    v_answer := coalesce(
      interlock.find_idempotent('checkout', p_idempotency_key, v_request),
      interlock.refuse_unknown_promo(v_user_id, p_promo_code)::text
    );
    if v_answer is not null then
      return v_answer::json;
    end if;
  end if;

  -- Without a promo code, shipping and tax the terms are known now, and without codes to deliver so is the whole answer.
  v_digital := 'digital' = any (v_look.kinds);
  if p_promo_code is null and not v_charged then
    v_order := interlock.new_order(
      v_order_id, v_user_id, v_look.currencies[1], v_look.subtotal, 0, v_payment_method, null, p_cart_id,
      v_settings.confirmation_window, null, 0, 0, 0, 0, p_wallet_amount
    );
    if not v_digital and v_backorder is not true and v_order.wallet_amount = 0 then
      -- As text that is filled in: what interlock.shape_order makes costs three times as much.
      v_answer := format(
        '{"success": true, "order": {"id": "%s", "number": %s, "status": "%s", "fulfillment": "unfulfilled", "currency": "%s", "subtotal": %s, '
          '"discount": 0, "shipping_method": null, "shipping": 0, "shipping_tax": 0, "tax": 0, "tax_included": 0, "total": %s, '
          '"payment_method": "%s", "cart_id": %s, "created_at": %s, "payment_expires_at": %s, "paid_at": %s, "shipped_at": null, '
          '"tracking": null, "fulfilled_at": null, "cancelled_at": null, "refunded_at": null, "items": [%s]%s}',
        v_order_id, v_order.number, v_order.status, v_order.currency, v_order.subtotal, v_order.total,
        v_payment_method, coalesce(to_json(p_cart_id), 'null'), to_json(v_order.created_at),
        coalesce(to_json(v_order.payment_expires_at), 'null'), coalesce(to_json(v_order.paid_at), 'null'), v_look.items,
        coalesce(', ' || substr(v_details::text, 2), '}')
      );
    end if;
  end if;

  -- Who calls is read out of the claims again by whatever writes down who did it; where it looks first is only a name to copy.
  v_sub := coalesce(current_setting('request.jwt.claim.sub', true), '');
  v_set := set_config('request.jwt.claim.sub', coalesce(v_caller_id::text, ''), true);

  -- The key, before anything else but the customer's promo attempts is locked.
  v_stored := interlock.begin_idempotent('checkout', p_idempotency_key, v_request, v_answer);
  if v_stored is not null then
    v_set := set_config('request.jwt.claim.sub', v_sub, true);
    return v_stored::json;
  end if;

  -- Here, because nothing that follows tells whose account is gone.
  if p_on_behalf_of is not null and not interlock.lock_user(p_on_behalf_of) then
    perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_on_behalf_of));
  end if;

  -- A cart that its buyer has named becomes one order, under whatever keys it is sent.
  if p_cart_id is not null then
    perform interlock.lock_cart(v_user_id, p_cart_id);
    v_ordered := interlock.find_ordered_cart(v_user_id, p_cart_id);
    if v_ordered is not null then
      perform interlock.raise_error('CART_ALREADY_ORDERED', v_ordered);
    end if;
  end if;

  -- What the customer has reserved is theirs to buy; the rest comes from the stock. What has ended meanwhile is in the stock.
  if p_reservation_id is not null then
    perform interlock.lock_user(v_user_id);
    select r.* into v_redeemed, v_reserved_ids, v_reserved_quantities
    from interlock.take_reservation(v_user_id, p_reservation_id) r;
    if v_redeemed then
      -- Who buys may reserve again, for as long as at first.
      delete from interlock.cart_reservations r where r.user_id = v_user_id;
    end if;
  end if;

  if v_customer_limit then
    perform interlock.take_customer_limits(v_user_id, v_look.product_ids, v_look.quantities);
  end if;

  -- Goods that nobody has paid for are limited, if the shop says so.
  if v_order.status is distinct from 'paid'
    and v_payment_method <> 'wallet'
    and (v_settings.max_open_orders_per_customer is not null or v_settings.max_open_units_per_customer is not null)
  then
    v_counted := v_look.units;
    perform interlock.take_open_order(
      v_user_id, v_look.units, v_settings.max_open_orders_per_customer, v_settings.max_open_units_per_customer
    );
  end if;

  -- The price, and the money.
  if v_payment_method = 'wallet' or p_wallet_amount > 0 then
    v_wallet := interlock.lock_wallet(v_user_id);
    -- No wallet may mean no account: locked it is not, and nobody without an account pays.
    if v_wallet.user_id is null then
      perform interlock.require_user();
    end if;
  end if;

  if p_promo_code is not null then
    perform interlock.lock_user(v_user_id);
    v_discounts := interlock.redeem_promo(
      v_user_id,
      p_promo_code,
      p_cart_id,
      v_order_id,
      v_look.currencies[1],
      (
        select jsonb_agg(jsonb_build_object(
          'product_id', l.product_id, 'quantity', l.quantity, 'unit_price', l.unit_price
        ))
        from unnest(v_look.product_ids, v_look.quantities, v_look.unit_prices) as l (product_id, quantity, unit_price)
      )
    );
    select r.promo_id
    into v_promo_id
    from interlock.promo_redemptions r
    where r.order_id = v_order_id
      and r.status = 'redeemed';
  end if;

  if v_charged then
    select c.*
    into v_shipping, v_shipping_tax, v_tax, v_tax_included, v_taxes, v_tax_percents, v_tax_inclusive
    from interlock.charge_order(
      p_shipping_method,
      v_settings.shipping_required and 'physical' = any (v_look.kinds),
      p_shipping_address ->> 'country',
      v_look.currencies[1],
      v_look.product_ids,
      array(
        select l.quantity * l.unit_price - coalesce(l.discount, 0)
        from unnest(v_look.quantities, v_look.unit_prices, v_discounts) with ordinality as l (quantity, unit_price, discount, n)
        order by l.n
      )
    ) as c;
  end if;

  if v_order.id is null then
    v_order := interlock.new_order(
      v_order_id, v_user_id, v_look.currencies[1], v_look.subtotal,
      (select coalesce(sum(d), 0)::bigint from unnest(v_discounts) as d),
      v_payment_method, v_promo_id, p_cart_id, v_settings.confirmation_window,
      p_shipping_method, v_shipping, v_shipping_tax, v_tax, v_tax_included, p_wallet_amount
    );
    if v_order.total <> p_expected_total then
      perform interlock.raise_error('PRICE_CHANGED', interlock.price_change(
        p_cart_items, p_expected_total, format('[%s]', v_look.items)::jsonb, v_look.subtotal, v_order.total, v_look.currencies[1]
      ) || case
        when v_charged then jsonb_build_object('shipping', v_order.shipping, 'tax', v_order.tax)
        else '{}'
      end);
    end if;
  end if;

  if v_payment_method = 'wallet' then
    perform interlock.pay_from_wallet(v_wallet, v_order.total, v_order.currency, 'checkout', v_order_id);
  elsif p_wallet_amount > 0 then
    perform interlock.pay_from_wallet(v_wallet, v_order.wallet_amount, v_order.currency, 'checkout', v_order_id);
  end if;

  if v_counted is not null then
    if v_order.status = 'paid' then
      -- A code took off all of it.
      update interlock.customer_open_orders c
      set orders = c.orders - 1,
          units = c.units - v_look.units
      where c.user_id = v_user_id;
    else
      v_order.counted_units := v_counted;
    end if;
  end if;

  -- The order.
  -- The account is locked by its foreign key in any case; here it is asked for as well, at no price: a token outlives
  -- its user.
  insert into interlock.orders
  select v_order.*
  from interlock.accounts u
  where u.id = v_user_id
  for key share;
  if not found then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;

  insert into interlock.order_items (
    order_id, product_id, quantity, unit_price, name, kind, discount, tax, tax_percent, tax_inclusive, untracked
  )
  select
    v_order_id, l.product_id, l.quantity, l.unit_price, l.name, l.kind, coalesce(l.discount, 0),
    coalesce(l.tax, 0), l.tax_percent, l.tax_inclusive, coalesce(l.product_id = any (v_untracked), false)
  from unnest(
    v_look.product_ids, v_look.quantities, v_look.unit_prices, v_look.names, v_look.kinds, v_discounts,
    v_taxes, v_tax_percents, v_tax_inclusive
  ) as l (product_id, quantity, unit_price, name, kind, discount, tax, tax_percent, tax_inclusive);

  if v_details is not null then
    insert into interlock.order_details (order_id, shipping_address, contact, metadata)
    values (v_order_id, p_shipping_address, p_contact, p_metadata);
  end if;

  -- The answer comes before the stock if it needs neither the codes nor what is owed.
  if v_answer is null and not v_digital and v_backorder is not true then
    v_answer := jsonb_build_object('success', true, 'order', interlock.order_to_json(v_order_id))::text;
    perform interlock.finish_idempotent('checkout', p_idempotency_key, v_answer);
  end if;

  if v_untracked is not null then
    if exists (
      select
      from unnest(v_look.product_ids, v_look.unit_prices) as w (product_id, unit_price)
      left join interlock.products p on p.id = w.product_id
      where w.product_id = any (v_untracked)
        and (
          p.active and p.stock_policy = 'untracked' and p.price = w.unit_price and p.currency = v_look.currencies[1]
        ) is not true
    ) then
      perform interlock.raise_product_changed();
    end if;
    select array_agg(l.product_id), array_agg(l.quantity), array_agg(l.unit_price), array_agg(l.kind)
    into v_look.product_ids, v_look.quantities, v_look.unit_prices, v_look.kinds
    from unnest(v_look.product_ids, v_look.quantities, v_look.unit_prices, v_look.kinds)
      as l (product_id, quantity, unit_price, kind)
    where l.product_id <> all (v_untracked);
  end if;

  -- Nobody sees it on the shelf in between: all rows are locked, in their order, before it is given back.
  if v_reserved_ids is not null then
    perform interlock.lock_stock(v_look.product_ids || v_reserved_ids);
    perform interlock.return_stock(v_reserved_ids, v_reserved_quantities, 'cart_redeemed', p_reservation_id);
    v_look.slotted := null;
  end if;

  if v_look.product_ids is not null and (v_look.slotted is null or not interlock.take_from_slots(
    v_look.product_ids, v_look.quantities, 'checkout', v_order_id, v_look.unit_prices, v_look.currencies[1], v_look.slotted
  )) then
    v_owed := interlock.take_stock(
      v_look.product_ids, v_look.quantities, 'checkout', v_order_id, v_look.unit_prices, v_look.currencies[1]
    );
  end if;

  if v_owed then
    -- The look has not seen that it may come to this, so the answer does not say it.
    if v_answer is not null then
      perform interlock.raise_product_changed();
    end if;
    perform interlock.note_backorders(v_order_id);
  end if;

  if v_digital then
    perform interlock.take_product_codes(
      d.product_ids, d.quantities, v_order_id, 'checkout', v_order.status = 'paid'
    )
    from (
      select array_agg(l.product_id) as product_ids, array_agg(l.quantity) as quantities
      from unnest(v_look.product_ids, v_look.quantities, v_look.kinds) as l (product_id, quantity, kind)
      where l.kind = 'digital'
    ) d;
  end if;

  if v_answer is null then
    v_answer := jsonb_build_object('success', true, 'order', case
      -- A code is for its buyer's eyes only.
      when p_on_behalf_of is null then interlock.order_to_json(v_order_id)
      else interlock.order_to_json(v_order_id) - 'codes'
    end)::text;
    perform interlock.finish_idempotent('checkout', p_idempotency_key, v_answer);
  end if;

  v_set := set_config('request.jwt.claim.sub', v_sub, true);
  return v_answer::json;
end
$$;

-- Buy a single line of a physical product, as most carts are, without sets: every array and aggregate of the way for a whole cart costs a
-- request of one line more than the row it is made for. It takes the same locks in the same order and writes the same
-- rows and the same answer.
--
-- It never refuses what the way for carts might sell or has a better word for: what is not plain (not written as a line has to be, sold out at
-- first sight, another price than expected, limited, untracked or digital, for nothing, taxed, shipped at a price) it leaves alone before
-- anything is written, and answers null. Once it has written, whatever it does not get is asked for where carts get theirs
-- (interlock.take_stock, interlock.take_from_slots).
--
-- Postgres sets up each expression and statement anew in each transaction, every operator and column of it: so the answer is a text that is
-- filled in (what interlock.shape_order makes of the order), and most columns of the order are left to their defaults.
--
-- Callers: authenticated and service_role, through public.checkout, without promo code, wallet, buyer or reservation that is named.
-- Locks: idempotency key; cart (if it has a name); the buyer's account; the counter of their open orders (with a limit); the product, or a
--   slot of it.
-- Errors: UNAUTHENTICATED, CART_ALREADY_ORDERED, TOO_MANY_OPEN_ORDERS, IDEMPOTENCY_KEY_REUSED; as interlock.take_stock and interlock.take_from_slots.
-- Security definer: as interlock.checkout.
create function interlock.checkout_line(
  p_cart_items jsonb,
  p_cart_id uuid,
  p_payment_method text,
  p_idempotency_key text,
  p_expected_total bigint,
  p_shipping_address jsonb,
  p_contact jsonb,
  p_metadata jsonb
)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
set timezone = 'UTC'
as $$
declare
  v_user_id constant uuid := auth.uid();
  v_item constant jsonb := p_cart_items -> 0;
  v_said_id constant text := v_item ->> 'product_id';
  -- As JSON writes it: a text would have quotes.
  v_said_quantity constant text := v_item -> 'quantity';
  v_product_id uuid;
  v_quantity int;
  v_price bigint;
  v_name text;
  v_currency text;
  v_slots int;
  v_window interval;
  v_max_orders int;
  v_max_units int;
  v_total bigint;
  v_id uuid;
  v_number bigint;
  v_payment_method constant text := coalesce(p_payment_method, 'cash_on_delivery');
  v_status constant text := case v_payment_method when 'cash_on_delivery' then 'confirmed' else 'pending_payment' end;
  v_details jsonb;
  v_said jsonb;
  v_now timestamptz;
  v_expires_at timestamptz;
  v_counted int;
  v_answer text;
  v_request text;
  v_key_lifetime interval;
  v_stored text;
  v_ordered jsonb;
  v_taken boolean;
  v_balance int;
  v_owed boolean;
  v_sub text;
  v_writes_ledger text;
  -- An assignment costs a fourth of a PERFORM. @plpgsql_check_options: extra_warnings = false
  v_set text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if v_user_id is null then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;

  if (case when v_said_id like '________-____-____-____-____________' then
    translate(v_said_id, '0123456789abcdefABCDEF', '') = '----'
    and translate(v_said_quantity, '0123456789', '') = ''
    and char_length(v_said_quantity) < 5
    and coalesce(p_idempotency_key ~ '^[\x20-\x7e]+$' and char_length(p_idempotency_key) <= 255, true)
    and v_item - '{product_id,quantity,expected_unit_price}'::text[] = '{}'
    and v_payment_method <> 'wallet'
  end) is not true then
    return null;
  end if;
  if num_nonnulls(p_shipping_address, p_contact, p_metadata) > 0 then
    if interlock.find_detail_problems('/', p_shipping_address, p_contact, p_metadata) <> '[]' then
      return null;
    end if;
    v_details := interlock.shape_details(p_shipping_address, p_contact, p_metadata);
    v_said := coalesce(v_details, '{}') || jsonb '{"shipping_method": null}';
  end if;
  v_product_id := v_said_id::uuid;
  v_quantity := v_said_quantity::int;

  select
    p.price, p.name, p.currency, p.stock_slots, s.idempotency_key_lifetime, s.max_open_orders_per_customer, s.max_open_units_per_customer,
    case v_payment_method
      when 'cash_on_delivery' then s.confirmation_window
      when 'card' then s.card_payment_window
      else s.payment_window
    end
  into v_price, v_name, v_currency, v_slots, v_key_lifetime, v_max_orders, v_max_units, v_window
  from interlock.products p, interlock.settings s
  where p.id = v_product_id
    and p.active
    and p.kind = 'physical'
    and p.stock_policy = 'tracked'
    and num_nonnulls(p.max_per_order, p.max_per_customer, s.checkouts_per_product) = 0
    and p.available_quantity >= v_quantity
    and v_payment_method = any (s.payment_methods)
    and not s.taxed
    and not s.shipping_required;
  v_total := v_quantity * v_price;
  if (
    v_total > 0
    and coalesce((v_item -> 'expected_unit_price')::text, v_price::text) = v_price::text
    and v_total = coalesce(p_expected_total, v_total)
  ) is not true then
    return null;
  end if;
  -- What is in slots is not for sale at this moment if none of them has enough.
  if v_slots > 0 then
    if not exists (
      select from interlock.counter_slots s where s.owner_id = v_product_id and s.granted - s.used >= v_quantity
    ) then
      return null;
    end if;
  end if;

  v_id := interlock.new_id();
  v_number := nextval('interlock.orders_number_seq');
  v_now := interlock.clock();
  v_expires_at := v_now + v_window;
  v_answer := format(
    '{"success": true, "order": {"id": "%s", "number": %s, "status": "%s", "fulfillment": "unfulfilled", "currency": "%s", "subtotal": %s, '
      '"discount": 0, "shipping_method": null, "shipping": 0, "shipping_tax": 0, "tax": 0, "tax_included": 0, "total": %s, '
      '"payment_method": "%s", "cart_id": %s, "created_at": %s, "payment_expires_at": %s, "paid_at": null, "shipped_at": null, '
      '"tracking": null, "fulfilled_at": null, "cancelled_at": null, "refunded_at": null, "items": [{"product_id": "%s", "name": %s, '
      '"quantity": %s, "unit_price": %s, "discount": 0, "tax": 0, "total": %s}]%s}',
    v_id, v_number, v_status, v_currency, v_total, v_total,
    v_payment_method, coalesce(to_json(p_cart_id), 'null'), to_json(v_now), coalesce(to_json(v_expires_at), 'null'), v_product_id,
    to_json(v_name), v_quantity, v_price, v_total, coalesce(', ' || substr(v_details::text, 2), '}')
  );

  -- Who calls is read out of the claims again by whatever writes down who did it; where it looks first is only a name to copy.
  v_sub := coalesce(current_setting('request.jwt.claim.sub', true), '');
  v_set := set_config('request.jwt.claim.sub', v_user_id::text, true);

  if p_idempotency_key is not null then
    -- What interlock.checkout makes of a cart, so that a twin which goes there finds it.
    v_request := format(
      '{"cart_id": %s, "products": ["%s"], "promo_code": null, "quantities": [%s], "payment_method": "%s"}',
      coalesce(to_json(p_cart_id), 'null'), v_product_id, v_quantity, v_payment_method
    );
    if v_said is not null then
      v_request := v_request::jsonb || v_said;
    end if;
    insert into interlock.idempotency_keys (user_id, operation, key, request_hash, response, expires_at)
    values (
      v_user_id, 'checkout', p_idempotency_key, sha256(convert_to(v_request, 'UTF8')), v_answer, v_now + v_key_lifetime
    )
    on conflict do nothing;
    if not found then
      v_stored := interlock.begin_idempotent('checkout', p_idempotency_key, v_request::jsonb, v_answer);
      if v_stored is not null then
        v_set := set_config('request.jwt.claim.sub', v_sub, true);
        return v_stored::json;
      end if;
    end if;
  end if;
  if p_cart_id is not null then
    perform interlock.lock_cart(v_user_id, p_cart_id);
    v_ordered := interlock.find_ordered_cart(v_user_id, p_cart_id);
    if v_ordered is not null then
      perform interlock.raise_error('CART_ALREADY_ORDERED', v_ordered);
    end if;
  end if;
  if num_nonnulls(v_max_orders, v_max_units) > 0 then
    v_counted := v_quantity;
    perform interlock.take_open_order(v_user_id, v_quantity, v_max_orders, v_max_units);
  end if;

  -- A token outlives its user: the account is locked by its foreign key in any case, and here asked for as well.
  insert into interlock.orders (
    id, number, user_id, status, currency, subtotal, total, payment_method, cart_id, counted_units, payment_expires_at, created_at
  )
  values (
    v_id, v_number, (select u.id from interlock.accounts u where u.id = v_user_id for key share), v_status, v_currency, v_total, v_total,
    v_payment_method, p_cart_id, v_counted, v_expires_at, v_now
  )
  returning user_id is not null into v_taken;
  if not v_taken then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
  values (v_id, v_product_id, v_quantity, v_price, v_name, 'physical');
  if v_details is not null then
    insert into interlock.order_details (order_id, shipping_address, contact, metadata)
    values (v_id, v_details -> 'shipping_address', v_details -> 'contact', v_details -> 'metadata');
  end if;

  if v_slots > 0 then
    v_taken := interlock.take_from_slot(v_product_id, v_quantity, 'checkout', v_id, v_price, v_currency);
  else
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    v_writes_ledger := current_setting('interlock.writes_ledger', true);
    v_set := set_config('interlock.writes_ledger', pg_trigger_depth()::text, true);
    update interlock.products p
    set available_quantity = p.available_quantity - v_quantity
    where p.id = v_product_id
      and p.kind = 'physical'
      and p.stock_slots = 0
      and p.available_quantity >= v_quantity
      and p.active
      and p.price = v_price
      and p.currency = v_currency
    returning p.available_quantity - p.backordered into v_balance;
    v_taken := found;
    v_set := set_config('interlock.writes_ledger', v_writes_ledger, true);
    if v_taken then
      insert into interlock.stock_movements (product_id, delta, balance_after, reason, reference_id, actor)
      values (v_product_id, -v_quantity, v_balance, 'checkout', v_id, v_user_id);
    end if;
  end if;
  if not v_taken then
    if v_slots = 0 or not interlock.take_from_slots(
      array[v_product_id], array[v_quantity], 'checkout', v_id, array[v_price], v_currency, array[v_product_id]
    ) then
      v_owed := interlock.take_stock(
        array[v_product_id], array[v_quantity], 'checkout', v_id, array[v_price], v_currency
      );
      -- It was not seen that it may come to this, so the answer does not say it.
      if v_owed then
        perform interlock.raise_product_changed();
      end if;
    end if;
  end if;
  v_set := set_config('request.jwt.claim.sub', v_sub, true);
  return v_answer::json;
end
$$;

-- What public.claim_product_codes_atomic does, with its owner's rights. The order then has exactly p_quantity
-- codes of the product. It counts once for an order and product: called again with the same quantity it answers
-- the same codes and takes nothing. With a reference the same call again answers what it has answered, whatever has
-- become of the order since. The codes of an order that is paid are delivered at once, others when it is
-- paid.
--
-- Callers: service_role, through public.claim_product_codes_atomic.
-- Locks: the reference, the order, the product's stock row, its codes; each wait two seconds at most.
-- Errors: VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT (the order has ended),
--   PRODUCT_NOT_FOUND, INSUFFICIENT_INVENTORY; 55P03 is transient.
-- Security definer: so that it may use the functions of this schema.
create function interlock.claim_product_codes_atomic(
  p_product_id uuid,
  p_quantity int,
  p_order_id uuid,
  p_reference text
)
returns table (id bigint, code text)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_order_status text;
  v_kind text;
  v_owned bigint;
  v_answer jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_product_id is null then
    v_problems := v_problems || interlock.problem('/p_product_id', 'is required');
  end if;
  if p_quantity is null or p_quantity not between 1 and 1000000 then
    v_problems := v_problems || interlock.problem('/p_quantity', 'must be an integer from 1 to 1000000');
  end if;
  if p_order_id is null then
    v_problems := v_problems || interlock.problem('/p_order_id', 'is required');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    'claim_product_codes_atomic', p_reference, jsonb_build_array(p_product_id, p_quantity, p_order_id)
  );
  if v_answer is not null then
    return query select r.id, r.code from jsonb_to_recordset(v_answer) as r (id bigint, code text);
    return;
  end if;

  select p.kind into v_kind from interlock.products p where p.id = p_product_id;
  if not found then
    perform interlock.raise_products_not_found(array[p_product_id]);
  end if;
  if v_kind <> 'digital' then
    perform interlock.refuse_problems(interlock.problem('/p_product_id', 'is not a digital product'));
  end if;

  v_order_status := interlock.lock_order(p_order_id);
  if v_order_status is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;

  select count(*)
  into v_owned
  from interlock.product_codes c
  where c.order_id = p_order_id
    and c.product_id = p_product_id
    and c.replaced_by is null;

  if v_owned = 0 then
    if v_order_status not in ('pending_payment', 'confirmed', 'paid', 'fulfilled') then
      perform interlock.raise_error(
        'ORDER_STATE_CONFLICT',
        jsonb_build_object('order_id', p_order_id, 'status', v_order_status)
      );
    end if;
    perform interlock.take_stock(array[p_product_id], array[p_quantity], 'codes', p_order_id);
    perform interlock.take_product_codes(
      array[p_product_id], array[p_quantity], p_order_id, 'codes', v_order_status in ('paid', 'fulfilled')
    );
  elsif v_owned <> p_quantity then
    perform interlock.refuse_problems(
      interlock.problem('/p_quantity', format('the order already has %s codes', v_owned))
    );
  end if;

  select jsonb_agg(jsonb_build_object('id', c.id, 'code', c.code) order by c.id)
  into v_answer
  from interlock.product_codes c
  where c.order_id = p_order_id
    and c.product_id = p_product_id
    and c.replaced_by is null;

  return query
    select r.id, r.code
    from jsonb_to_recordset(
      interlock.finish_reference('claim_product_codes_atomic', p_reference, v_answer)
    ) as r (id bigint, code text);
end
$$;

-- What public.correct_order does, with its owner's rights: another address, contact or metadata for an order, each as a
-- whole; what is null stays. An address is corrected until all goods are shipped, a contact until the order is at its
-- end, metadata for ever. What it was before is kept. Called again it changes nothing.
--
-- The price stays, also where another address would have had another tax: an order costs what its buyer was shown.
--
-- Callers: authenticated (staff) and service_role, through public.correct_order.
-- Locks: the order, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT; 55P03 is transient.
-- Security definer: nobody has the right to write an order's details.
create function interlock.correct_order(p_order_id uuid, p_shipping_address jsonb, p_contact jsonb, p_metadata jsonb)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_order interlock.orders;
  v_old interlock.order_details;
  v_new interlock.order_details;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();
  if num_nonnulls(p_shipping_address, p_contact, p_metadata) = 0 then
    perform interlock.refuse_problems(
      interlock.problem('/p_shipping_address', 'is required, unless p_contact or p_metadata is given')
    );
  end if;
  perform interlock.refuse_problems(
    interlock.find_detail_problems('/p_', p_shipping_address, p_contact, p_metadata)
  );

  if interlock.lock_order(p_order_id) is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  select d.* into v_old from interlock.order_details d where d.order_id = p_order_id;

  v_new := v_old;
  v_new.order_id := p_order_id;
  v_new.shipping_address := coalesce(p_shipping_address, v_old.shipping_address);
  v_new.contact := coalesce(p_contact, v_old.contact);
  v_new.metadata := coalesce(p_metadata, v_old.metadata);

  if (
    v_new.shipping_address is distinct from v_old.shipping_address
    and not (interlock.is_owed_order(v_order.status) and v_order.fulfillment in ('unfulfilled', 'processing', 'partly_shipped'))
  ) or (
    v_new.contact is distinct from v_old.contact
    and not interlock.is_owed_order(v_order.status)
  ) then
    perform interlock.raise_error('ORDER_STATE_CONFLICT', jsonb_build_object(
      'order_id', p_order_id, 'status', v_order.status, 'fulfillment', v_order.fulfillment
    ));
  end if;

  if v_new is distinct from v_old then
    insert into interlock.order_detail_changes (order_id, shipping_address, contact, metadata, actor)
    values (p_order_id, v_old.shipping_address, v_old.contact, v_old.metadata, auth.uid());

    insert into interlock.order_details
    select v_new.*
    on conflict on constraint order_details_pkey do update
      set shipping_address = excluded.shipping_address,
          contact = excluded.contact,
          metadata = excluded.metadata;

    insert into interlock.order_events (order_id, event, actor)
    values (p_order_id, 'corrected', auth.uid());
  end if;

  return interlock.order_answer(p_order_id);
end
$$;

-- What public.create_order_transfer does, with its owner's rights: a token by which the account that the guest signs in to
-- takes over what the guest has, for settings.transfer_lifetime. It is told once and only its hash is kept; another one takes
-- the place of the one before.
--
-- Callers: authenticated and service_role, through public.create_order_transfer.
-- Locks: the guest's account, then their open transfer; two seconds at most.
-- Errors: UNAUTHENTICATED, NOT_A_GUEST; 55P03 is transient.
-- Security definer: nobody has the right to write transfers.
create function interlock.create_order_transfer()
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  -- Two of version 4: 244 random bits.
  v_token constant text := replace(concat(gen_random_uuid(), gen_random_uuid()), '-', '');
  v_expires_at timestamptz;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if auth.uid() is null or not interlock.lock_user(auth.uid()) then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  if not interlock.is_guest(auth.uid()) then
    perform interlock.raise_error('NOT_A_GUEST', jsonb_build_object('user_id', auth.uid()));
  end if;

  v_expires_at := interlock.clock() + (select s.transfer_lifetime from interlock.settings s);
  loop
    update interlock.order_transfers t
    set token_hash = sha256(v_token::bytea),
        expires_at = v_expires_at
    where t.from_user_id = auth.uid()
      and t.moved_at is null;
    exit when found;

    insert into interlock.order_transfers (from_user_id, token_hash, expires_at)
    values (auth.uid(), sha256(v_token::bytea), v_expires_at)
    on conflict do nothing;
    exit when found;
  end loop;

  return jsonb_build_object('success', true, 'token', v_token, 'expires_at', v_expires_at);
end
$$;

-- End the reservation of a customer: its units are on the shelf again. Whether there was one.
--
-- Callers: interlock.release_cart, interlock.expire_cart_reservations, interlock.erase_user.
-- Locks: as interlock.take_reservation; then stock rows by id.
-- Errors: STOCK_LIMIT_EXCEEDED; 55P03 after lock_timeout.
create function interlock.end_reservation(p_user_id uuid, p_reason text)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_id constant uuid := (
    select r.id from interlock.cart_reservations r where r.user_id = p_user_id and r.expires_at is not null
  );
  v_lines record;
begin
  if v_id is null then
    return false;
  end if;
  v_lines := interlock.take_reservation(p_user_id, v_id);
  perform interlock.return_stock(v_lines.o_product_ids, v_lines.o_quantities, p_reason, v_id);
  return v_lines.o_ended;
end
$$;

-- End reservations whose time is over, each in a sub-transaction of its own, and forget customers who may reserve anew in any
-- case; answers how many. What cannot be ended at once (somebody is using it, or its product, or there is no room for its
-- units) is left for the next call, which takes them in another order.
--
-- Callers: the jobs of interlock.jobs; service_role, also through public.expire_cart_reservations.
-- Locks: due reservations one after the other, those that nobody else is locking (skip locked); for each then as
--   interlock.end_reservation. They stay locked until the transaction ends, against the order of locks, so each wait is a
--   moment: 50 milliseconds for the first, one from then on.
-- Errors: none of a reservation's own.
-- Security definer: nobody has the right to write reservations or stock.
create function interlock.expire_cart_reservations(p_limit int)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_limit constant int := greatest(coalesce(p_limit, 100), 0);
  v_until timestamptz := clock_timestamp() + interval '1 second';
  v_user_id uuid;
  v_ended int := 0;
  v_forgotten int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  for v_user_id in
    select r.user_id
    from interlock.cart_reservations r
    where r.expires_at <= interlock.clock()
    order by random()
  loop
    exit when v_ended >= v_limit or clock_timestamp() > v_until;

    begin
      -- The lock compares again: one that was refreshed or redeemed meanwhile drops out.
      perform 1
      from interlock.cart_reservations r
      where r.user_id = v_user_id
        and r.expires_at <= interlock.clock()
      for no key update skip locked;
      continue when not found;

      perform interlock.end_reservation(v_user_id, 'cart_expired');
      v_ended := v_ended + 1;
      v_until := least(v_until, clock_timestamp() + interval '100 milliseconds');
      perform set_config('lock_timeout', '1ms', true);
    exception
      when others then
        raise warning 'reservation of user % cannot expire: % %', v_user_id, sqlstate, sqlerrm;
    end;
  end loop;

  delete from interlock.cart_reservations
  where ctid = any (array(
    select r.ctid
    from interlock.cart_reservations r
    cross join interlock.settings s
    where r.expires_at is null
      and r.reserved_since + 2 * s.cart_reservation_limit <= interlock.clock()
    limit v_limit - v_ended
    for update of r skip locked
  ));
  get diagnostics v_forgotten = row_count;
  return v_ended + v_forgotten;
end
$$;

-- End orders that were not paid, or that the shop has not gone on with, in time, or whose proof of payment nobody decided
-- in time; answers how many. Each is ended in a sub-transaction of its own: one that cannot be ended (its product is
-- locked, or has no room) is left as it is and takes nobody's turn. What is left is the next call's: call it until it
-- answers 0.
--
-- First those that can be ended at once, the oldest first. Only if that ends none does it wait for what is locked, a
-- moment for each, in no order: one that nobody can end does not keep its place at the head. Then it warns, once for
-- each that is left. Either go lasts a second at most, and a tenth of one after the first order that it has ended.
--
-- Callers: the jobs of interlock.jobs; service_role, also through public.expire_orders.
-- Locks: due orders one after the other, those that nobody else is locking (skip locked); for each then as
--   interlock.settle_orders. What was ended stays locked until the transaction ends, against the order of locks, so the
--   next wait must be too short for anybody to be hurt by it: 50 milliseconds, as a rule one.
-- Errors: none of an order's own.
-- Security definer: nobody has the right to write orders.
create function interlock.expire_orders(p_limit int)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_limit constant int := greatest(coalesce(p_limit, 100), 0);
  v_wait text;
  v_until timestamptz;
  v_order_id uuid;
  v_expired int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  foreach v_wait in array array['1ms', '50ms'] loop
    perform set_config('lock_timeout', v_wait, true);
    v_until := clock_timestamp() + interval '1 second';

    for v_order_id in
      select o.id
      from interlock.orders o
      where o.status in ('pending_payment', 'confirmed')
        and o.payment_expires_at <= interlock.clock()
        and o.fulfillment = 'unfulfilled'
      order by case when v_wait = '1ms' then o.payment_expires_at end, random()
    loop
      exit when v_expired >= v_limit or clock_timestamp() > v_until;

      begin
        -- The lock compares again on the newest version of the row: an order that was paid, is on its
        -- way, or got a proof meanwhile (and with it a later deadline) drops out.
        perform 1
        from interlock.orders o
        where o.id = v_order_id
          and o.status in ('pending_payment', 'confirmed')
          and o.payment_expires_at <= interlock.clock()
          and o.fulfillment = 'unfulfilled'
        for no key update skip locked;
        continue when not found;

        update interlock.orders o
        set status = 'expired'
        where o.id = v_order_id;
        v_expired := v_expired + 1;
        v_until := least(v_until, clock_timestamp() + interval '100 milliseconds');
      exception
        when others then
          if v_wait = '50ms' then
            raise warning 'order % cannot expire: % %', v_order_id, sqlstate, sqlerrm;
          end if;
      end;
    end loop;

    exit when v_expired > 0;
  end loop;

  return v_expired;
end
$$;

-- What is wrong with the shape of a request, all of it; null if nothing is.
--
-- Callers: interlock.checkout, interlock.price_promo_cart.
create function interlock.find_checkout_problems(
  p_cart_items jsonb,
  p_promo_code text,
  p_payment_method text,
  p_idempotency_key text,
  p_expected_total bigint default null
)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_uuid constant text := '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$';
  v_problems jsonb := '[]'::jsonb;
begin
  if jsonb_typeof(p_cart_items) is distinct from 'array' then
    v_problems := interlock.problem('/cart_items', 'must be an array of 1 to 100 lines');
  elsif jsonb_array_length(p_cart_items) not between 1 and 100 then
    v_problems := interlock.problem('/cart_items', 'must have 1 to 100 lines');
  elsif not interlock.is_plain_cart(p_cart_items) then
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
        coalesce(interlock.is_amount(i.item -> 'expected_unit_price'), true) as price_valid,
        case
          when jsonb_typeof(i.item) = 'object' then i.item - 'product_id' - 'quantity' - 'expected_unit_price'
        end as others
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
      select '/expected_unit_price', 'must be a whole number of minor units, 0 or more'
      where c.is_object and not c.price_valid
      union all
      select '/' || interlock.pointer_token(k.name), 'is not a known field'
      from jsonb_object_keys(c.others) as k (name)
    ) p
    where not (
      c.is_object and c.product_id_valid and c.quantity_valid and c.price_valid and c.others = '{}'
    );
  end if;

  if not interlock.is_line(p_promo_code, 64) then
    v_problems := v_problems || interlock.problem(
      '/promo_code', 'must be 1 to 64 characters, without control characters'
    );
  end if;

  if p_payment_method not in ('wallet', 'bank_transfer', 'cash_on_delivery', 'card') then
    v_problems := v_problems || interlock.problem(
      '/payment_method', 'must be wallet, bank_transfer, cash_on_delivery or card'
    );
  end if;

  if p_expected_total < 0 then
    v_problems := v_problems || interlock.problem(
      '/expected_total', 'must be a whole number of minor units, 0 or more'
    );
  end if;

  if p_idempotency_key !~ '^[\x20-\x7e]+$' or char_length(p_idempotency_key) > 255 then
    v_problems := v_problems || interlock.problem(
      '/headers/idempotency-key', 'must be 1 to 255 printable ASCII characters'
    );
  end if;

  return nullif(v_problems, '[]');
end
$$;

-- What is wrong with the details of an order, all of it; an empty list if nothing is. What is null is not there. The
-- pointers begin with p_at. Metadata are as Stripe's: so they can be passed on.
--
-- Callers: interlock.checkout, interlock.correct_order, interlock.quote_order.
create function interlock.find_detail_problems(p_at text, p_shipping_address jsonb, p_contact jsonb, p_metadata jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  select coalesce(jsonb_agg(p.problem), '[]')
  into v_problems
  from (values
    (1, 'shipping_address', p_shipping_address), (2, 'contact', p_contact), (3, 'metadata', p_metadata)
  ) as d (n, name, value)
  cross join lateral (
    select interlock.problem(p_at || d.name, 'must be an object of at most 4096 bytes') -> 0 as problem
    where jsonb_typeof(d.value) <> 'object'
      or octet_length(d.value::text) > 4096
  ) p;

  if jsonb_typeof(p_metadata) = 'object' and (
    select count(*) > 50
      or bool_or(char_length(m.key) not between 1 and 40)
      or bool_or(jsonb_typeof(m.value) <> 'string')
      or bool_or(char_length(m.value #>> '{}') > 500)
    from jsonb_each(p_metadata) as m
  ) then
    v_problems := v_problems || interlock.problem(
      p_at || 'metadata', 'must have at most 50 keys of 1 to 40 characters, with texts of at most 500'
    );
  end if;

  -- Taxes go by it.
  if p_shipping_address ->> 'country' !~ '^[A-Z]{2}$' then
    v_problems := v_problems || interlock.problem(
      p_at || 'shipping_address/country', 'must be two capital letters (ISO 3166)'
    );
  end if;

  return v_problems;
end
$$;

-- What is wrong with the lines of an order that a call names, all of it; an empty list if nothing is. Each has product_id
-- and quantity, and may have the members of p_flags, which are true or false.
--
-- Callers: interlock.refund_order_lines.
create function interlock.find_line_problems(p_lines jsonb, p_flags text[])
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_uuid constant text := '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$';
begin
  if jsonb_typeof(p_lines) is distinct from 'array' then
    return interlock.problem('/p_lines', 'must be an array of 1 to 100 lines');
  elsif jsonb_array_length(p_lines) not between 1 and 100 then
    return interlock.problem('/p_lines', 'must have 1 to 100 lines');
  end if;

  return (
    select coalesce(
      jsonb_agg(
        jsonb_build_object('pointer', format('/p_lines/%s%s', l.n - 1, p.pointer), 'message', p.message)
        order by l.n, p.pointer
      ),
      '[]'
    )
    from (
      select
        i.line,
        i.n,
        jsonb_typeof(i.line) = 'object' as is_object,
        row_number() over (partition by lower(i.line ->> 'product_id') order by i.n) > 1 as again
      from jsonb_array_elements(p_lines) with ordinality as i (line, n)
    ) l
    cross join lateral (
      select '' as pointer, 'must be an object with product_id and quantity' as message
      where not l.is_object
      union all
      select '/product_id', 'must be a UUID'
      where l.is_object
        and (jsonb_typeof(l.line -> 'product_id') = 'string' and l.line ->> 'product_id' ~ v_uuid) is not true
      union all
      select '/product_id', 'is named before'
      where l.again
        and l.line ->> 'product_id' ~ v_uuid
      union all
      select '/quantity', 'must be an integer from 1 to 1000000'
      where l.is_object
        and case
          when jsonb_typeof(l.line -> 'quantity') = 'number' then
            (l.line ->> 'quantity')::numeric between 1 and 1000000
            and (l.line ->> 'quantity')::numeric = trunc((l.line ->> 'quantity')::numeric)
        end is not true
      union all
      select
        '/' || interlock.pointer_token(m.name),
        case when m.name = any (p_flags) then 'must be true or false' else 'is not a known field' end
      from jsonb_each(case when l.is_object then l.line - 'product_id' - 'quantity' else '{}' end) as m (name, value)
      where not (m.name = any (p_flags) and jsonb_typeof(m.value) in ('boolean', 'null'))
    ) p
  );
end
$$;

-- The live order of a cart, as an error shows it: one that was not cancelled, has not expired and was not refunded.
--
-- Callers: interlock.checkout, interlock.checkout_line, interlock.retake_order. Null where there is none; a cart without a name has none.
create function interlock.find_ordered_cart(p_user_id uuid, p_cart_id uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object('order_id', o.id, 'status', o.status)
    from interlock.orders o
    where o.user_id = p_user_id
      and o.cart_id = p_cart_id
      and o.status not in ('cancelled', 'expired', 'refunded')
  );
end
$$;

-- What public.fulfill_order does, with its owner's rights: the goods are handed over. Cash on delivery is paid at the door
-- with it.
--
-- Callers: authenticated (staff) and service_role, through public.fulfill_order.
-- Locks: the account of the buyer and the order; as interlock.close_sent_box, before the counter of the buyer's open orders. Two
--   seconds at most in all.
-- Errors: UNAUTHENTICATED, FORBIDDEN, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT, INSUFFICIENT_INVENTORY; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.fulfill_order(p_order_id uuid)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_status text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  v_status := interlock.lock_order(p_order_id);
  if v_status in ('confirmed', 'paid') then
    perform interlock.close_sent_box(p_order_id);
  end if;
  if v_status = 'confirmed' then
    perform interlock.move_order(p_order_id, array['confirmed'], 'paid', 'ORDER_STATE_CONFLICT');
  end if;
  perform interlock.move_order(p_order_id, array['paid'], 'fulfilled', 'ORDER_STATE_CONFLICT');
  return interlock.order_answer(p_order_id);
end
$$;

-- Whether anything of an order is still to be sent: a unit of a physical product that has not left and was not refunded.
--
-- Callers: interlock.ship_order_lines, interlock.take_off_order, interlock.complete_box, with the order locked.
-- Locks: none.
create function interlock.has_to_ship(p_order_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (select from interlock.order_rest(p_order_id) r where r.kind = 'physical' and r.on_shelf > 0);
end
$$;

-- Whether a member of a request is an amount of money: a whole number that JavaScript can read. Null if it is not there.
--
-- Callers: interlock.find_checkout_problems.
create function interlock.is_amount(p_value jsonb)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return case
    when jsonb_typeof(p_value) = 'number' then
      p_value::numeric between 0 and 9007199254740991
      and p_value::numeric = trunc(p_value::numeric)
    else false
  end;
end
$$;

-- Whether an account is a guest's, by anonymous sign-in. One that has got an e-mail or a phone since is none, whatever a
-- token that is older says. Null if there is no such account.
--
-- Callers: interlock.create_order_transfer, interlock.move_guest.
create function interlock.is_guest(p_user_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return (select u.is_anonymous from interlock.accounts u where u.id = p_user_id);
end
$$;

-- Whether every line of a cart is written as most are, so that nothing can be wrong with it: a plain look, line by line in expressions, which for
-- most carts costs less than any statement. No regular expression, whose states are made anew for each text. What is wrong with another
-- cart, if anything is, interlock.find_checkout_problems says.
--
-- Callers: interlock.find_checkout_problems.
create function interlock.is_plain_cart(p_cart_items jsonb)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_item jsonb;
  v_product_id text;
  v_quantity text;
begin
  for v_n in 0 .. jsonb_array_length(p_cart_items) - 1 loop
    v_item := p_cart_items -> v_n;
    v_product_id := v_item ->> 'product_id';
    -- As JSON writes it: a text would have quotes.
    v_quantity := v_item -> 'quantity';
    if (
      jsonb_typeof(v_item) = 'object'
      and v_item - '{product_id,quantity,expected_unit_price}'::text[] = '{}'
      and coalesce(interlock.is_amount(v_item -> 'expected_unit_price'), true)
      and v_product_id like '________-____-____-____-____________'
      and translate(v_product_id, '0123456789abcdefABCDEF', '') = '----'
      and translate(v_quantity, '0123456789', '') = ''
      and char_length(v_quantity) < 5
      and v_quantity <> '0'
    ) is not true then
      return false;
    end if;
  end loop;
  return true;
end
$$;

-- What the first so many units of a line of an order come to: their price, their share of its discount, and of its tax the
-- share of what is then left. A part of a line is the difference of two such sums, so that parts always sum to the whole,
-- however a line is taken apart, and none of them is less than nothing. docs/prices.md has the arithmetic.
--
-- Callers: interlock.refund_order_lines.
create function interlock.line_through(
  p_units int,
  p_quantity int,
  p_unit_price bigint,
  p_discount bigint,
  p_tax bigint,
  p_inclusive boolean,
  out o_subtotal bigint,
  out o_discount bigint,
  out o_tax bigint,
  out o_tax_included bigint,
  out o_amount bigint
)
language plpgsql
immutable
set search_path = ''
as $$
begin
  o_subtotal := p_units * p_unit_price;
  o_discount := interlock.share_of(p_discount, p_units, p_quantity);
  o_tax := interlock.share_of(p_tax, o_subtotal - o_discount, p_quantity * p_unit_price - p_discount);
  o_tax_included := case when p_inclusive then o_tax else 0 end;
  o_amount := o_subtotal - o_discount + o_tax - o_tax_included;
end
$$;

-- What public.list_orders does, with its owner's rights: how staff and the shop read orders. Row security shows a
-- buyer's own orders only, so that it is one look at the index on user_id; here everything is readable, a page at a
-- time, by the primary key, whose ids are ordered by time, or the one with a number.
--
-- Callers: authenticated (staff) and service_role, through public.list_orders.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: orders of others are not readable otherwise.
create function interlock.list_orders(p_status text, p_user_id uuid, p_before uuid, p_limit int, p_number bigint)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
-- Each filter that is not given falls out of the plan.
set plan_cache_mode = force_custom_plan
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  perform interlock.refuse_unless_shop();
  if p_status not in ('pending_payment', 'confirmed', 'paid', 'fulfilled', 'cancelled', 'expired', 'refunded') then
    v_problems := v_problems || interlock.problem(
      '/p_status', 'must be pending_payment, confirmed, paid, fulfilled, cancelled, expired or refunded'
    );
  end if;
  if p_limit is null or p_limit not between 1 and 200 then
    v_problems := v_problems || interlock.problem('/p_limit', 'must be an integer from 1 to 200');
  end if;
  perform interlock.refuse_problems(v_problems);

  return jsonb_build_object('success', true, 'orders', coalesce((
    select jsonb_agg(
      -- A delivered code is for its buyer's eyes only: staff has its id, to replace it by.
      interlock.order_to_json(o.id) - 'codes' || jsonb_build_object(
        'user_id', o.user_id,
        'events', (
          select coalesce(jsonb_agg(to_jsonb(e) - '{shop_id,order_id,transaction}'::text[] order by e.id), '[]')
          from interlock.order_events e
          where e.order_id = o.id
        ),
        'corrections', (
          select coalesce(jsonb_agg(to_jsonb(h) - 'shop_id' - 'order_id' order by h.id), '[]')
          from interlock.order_detail_changes h
          where h.order_id = o.id
        ),
        'codes', (
          select coalesce(jsonb_agg(to_jsonb(c) - 'shop_id' - 'code' - 'order_id' order by c.id), '[]')
          from interlock.product_codes c
          where c.order_id = o.id
            and c.used_at is not null
        ),
        'payment_proofs', (
          select coalesce(jsonb_agg(to_jsonb(f) - 'shop_id' - 'order_id' order by f.id), '[]')
          from interlock.payment_proofs f
          where f.order_id = o.id
        )
      )
      order by o.id desc
    )
    from (
      select q.id, q.user_id
      from interlock.orders q
      where (p_status is null or q.status = p_status)
        and (p_user_id is null or q.user_id = p_user_id)
        and (p_before is null or q.id < p_before)
        and (p_number is null or q.number = p_number)
      order by q.id desc
      limit p_limit
    ) o
  ), '[]'));
end
$$;

-- Lock a cart of a customer: of those who order it at the same time one comes first, and the others find its order.
--
-- Callers: interlock.checkout, interlock.checkout_line; whoever makes an order live again, before it does.
-- Locks: advisory, by customer and cart, until the transaction ends; waits.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_cart(p_user_id uuid, p_cart_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform pg_advisory_xact_lock(hashtextextended(format('interlock cart %s %s', p_user_id, p_cart_id), 0));
end
$$;

-- Lock an order; the one helper for this kind of lock. The account of its buyer comes first (interlock.lock_user): their
-- wallet may have to be made for a refund.
--
-- Callers: the functions of this schema. Locks: the account of its buyer, the order's row, waiting, `no key`.
-- Errors: 55P03 after lock_timeout. Null if there is no such order, else its status.
create function interlock.lock_order(p_order_id uuid)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_owner uuid;
  v_locked uuid;
  v_status text;
begin
  -- An order changes its owner under the lock of both accounts (interlock.move_guest): whoever has waited for one of them
  -- looks again.
  loop
    select o.user_id into v_owner from interlock.orders o where o.id = p_order_id;
    exit when v_owner is null or v_owner = v_locked;
    perform interlock.lock_user(v_owner);
    v_locked := v_owner;
  end loop;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select o.status into v_status from interlock.orders o where o.id = p_order_id for no key update;
  return v_status;
end
$$;

-- Look at what a cart has, without a lock. What it sees is committed.
--
-- Callers: interlock.checkout, with a cart in which interlock.find_checkout_problems has found no problem.
-- Locks: none.
create function interlock.look_at_cart(p_cart_items jsonb)
returns interlock.cart_look
language plpgsql
stable
set search_path = ''
as $$
declare
  v_look interlock.cart_look;
begin
  select
    array_agg(c.product_id),
    array_agg(c.quantity),
    array_agg(c.price),
    array_agg(c.name),
    array_agg(c.kind),
    array_agg(c.currency::text),
    string_agg(
      format(
        '{"product_id": "%s", "name": %s, "quantity": %s, "unit_price": %s, "discount": 0, "tax": 0, "total": %s}',
        c.product_id, to_json(c.name), c.quantity, c.price, c.quantity * c.price
      ),
      ', '
    ),
    sum(c.quantity * c.price),
    sum(c.quantity),
    array_agg(c.product_id) filter (where c.active is not true),
    bool_or(c.price <> c.least_expected or c.price <> c.most_expected),
    jsonb_agg(
      jsonb_build_object(
        'product_id', c.product_id,
        'requested', c.quantity,
        'available', c.available_quantity
      )
    ) filter (where c.available_quantity < c.quantity),
    case
      when bool_and(c.in_a_slot) then array_agg(c.product_id) filter (where c.in_a_slot)
    end,
    bool_or(c.has_terms)
  into v_look
  from (
    select
      l.product_id, l.quantity, l.least_expected, l.most_expected,
      p.price, p.name, p.kind, p.currency, p.active, p.available_quantity, p.has_terms,
      p.in_one_slot >= l.quantity as in_a_slot
    from (
      select
        (i.item ->> 'product_id')::uuid as product_id,
        sum((i.item ->> 'quantity')::numeric)::int as quantity,
        min((i.item -> 'expected_unit_price')::numeric) as least_expected,
        max((i.item -> 'expected_unit_price')::numeric) as most_expected
      from jsonb_array_elements(p_cart_items) as i (item)
      group by 1
    ) l
    -- `limit 1` asks for one look-up by id for each line, whatever the planner thinks of
    -- the number of lines: without it a small cart may read the whole catalogue.
    left join lateral (
      select
        q.price, q.name, q.kind, q.currency, q.active,
        q.stock_policy <> 'tracked' or num_nonnulls(q.max_per_order, q.max_per_customer) > 0 as has_terms,
        (q.available_quantity - coalesce(s.used, 0))::int as available_quantity,
        case when q.stock_slots > 0 then coalesce(s.in_one_slot, 0) end as in_one_slot
      from interlock.products q
      left join lateral (
        select sum(c.used) as used, max(c.granted - c.used) as in_one_slot
        from interlock.counter_slots c
        where c.owner_id = q.id
          and q.stock_slots > 0
      ) s on true
      where q.id = l.product_id
      limit 1
    ) p on true
    order by l.product_id
  ) c;
  return v_look;
end
$$;

-- What the products of a cart ask beside their stock, for a cart that has one of which not just the stock is asked: which
-- are untracked, whether any may owe units, every shortage, whatever is above its limit for one order, and whether there is
-- one with a limit for a customer. What the customer has in that reservation is there for them.
--
-- Callers: interlock.checkout, interlock.reserve_cart.
-- Locks: none.
create function interlock.look_at_terms(
  p_user_id uuid,
  p_reservation_id uuid,
  p_product_ids uuid[],
  p_quantities int[],
  out o_untracked uuid[],
  out o_backorder boolean,
  out o_shortages jsonb,
  out o_limits jsonb,
  out o_customer_limit boolean
)
language plpgsql
stable
set search_path = ''
as $$
begin
  select
    array_agg(p.id) filter (where p.stock_policy = 'untracked'),
    bool_or(p.stock_policy = 'backorder'),
    jsonb_agg(
      jsonb_build_object('product_id', p.id, 'requested', w.quantity, 'available', s.orderable_quantity + coalesce(r.quantity, 0))
      order by p.id
    ) filter (where s.orderable_quantity + coalesce(r.quantity, 0) < w.quantity),
    jsonb_agg(
      jsonb_build_object('product_id', p.id, 'requested', w.quantity, 'max_per_order', p.max_per_order) order by p.id
    ) filter (where w.quantity > p.max_per_order),
    bool_or(p.max_per_customer is not null)
  into o_untracked, o_backorder, o_shortages, o_limits, o_customer_limit
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
  join interlock.products p on p.id = w.product_id
  left join interlock.get_stock(p_product_ids) s on s.product_id = w.product_id
  left join lateral (
    select l.quantity
    from interlock.cart_reservations c
    join interlock.cart_reservation_lines l on l.user_id = c.user_id
    where c.user_id = p_user_id
      and c.id = p_reservation_id
      and l.product_id = w.product_id
      and not l.untracked
  ) r on true;
end
$$;

-- Bring the goods of a confirmed or paid order on, once. Goods that are there already stay as they are, but for a tracking
-- number that is said only now, or corrected: the history has each.
--
-- Callers: interlock.process_order, interlock.ship_order.
-- Locks: the account of the buyer and the order; with p_to shipped as interlock.close_sent_box.
-- Errors: ORDER_NOT_FOUND; ORDER_STATE_CONFLICT with status and fulfillment; with p_to shipped INSUFFICIENT_INVENTORY.
create function interlock.move_goods(p_order_id uuid, p_from text[], p_to text, p_tracking text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_order interlock.orders;
  v_shipment_id uuid;
begin
  if interlock.lock_order(p_order_id) is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;
  select o.* into v_order from interlock.orders o where o.id = p_order_id;

  if v_order.status not in ('confirmed', 'paid') or v_order.fulfillment <> all (p_from || p_to) then
    perform interlock.raise_error('ORDER_STATE_CONFLICT', jsonb_build_object(
      'order_id', p_order_id, 'status', v_order.status, 'fulfillment', v_order.fulfillment
    ));
  end if;

  if p_to = 'shipped' then
    select interlock.add_shipment(p_order_id, array_agg(r.product_id), array_agg(r.on_shelf), p_tracking)
    into v_shipment_id
    from interlock.order_rest(p_order_id) r
    where r.kind = 'physical'
      and r.on_shelf > 0
    having count(*) > 0;

    -- Of what has left already the last parcel is meant.
    if v_order.fulfillment = p_to and p_tracking is not null then
      update interlock.order_shipments s
      set tracking = p_tracking
      where s.id = (
        select l.id from interlock.order_shipments l where l.order_id = p_order_id order by l.id desc limit 1
      );
    end if;
    perform interlock.close_sent_box(p_order_id, v_shipment_id);
  end if;

  update interlock.orders o
  set fulfillment = p_to,
      tracking = coalesce(p_tracking, o.tracking)
  where o.id = p_order_id;
end
$$;

-- Give an account what a guest has: orders with all that belongs to them, the money in the wallet, uses of promo codes and
-- codes that are named for them, what counts against their limits, and a copy of the idempotency keys, so that a submission
-- that is sent again is found by whoever sends it, and what they have reserved. Holds of promo codes end: the account applies the code anew.
--
-- Limits hold for the account from then on: what has moved counts, also where it is more than one customer may have.
--
-- With the hash of a token it is done once, and answered again to the account that has done it.
--
-- Both accounts are locked against everything, so nobody places, pays or ends an order of theirs meanwhile, nor moves their
-- money. What ends an order by itself (interlock.expire_orders) locks the order alone, and is waited for.
--
-- A cart that the account has a live order of keeps that one: the guest's loses its cart. Whoever orders one of the guest's
-- carts for the account at this very moment, or what is limited for a customer, is not waited for, because they may wait for
-- the account: it is tried again.
--
-- Callers: interlock.redeem_order_transfer, interlock.move_orders.
-- Locks: idempotency keys of the account, that a twin is making; both accounts by id; limits and carts of the
--   account (tried, never waited for); reservations of both by customer; the guest's orders by id; open orders of both; then as interlock.move_wallet_money and
--   interlock.move_promo_uses; stock rows by id, if a reservation ends.
-- Errors: STOCK_LIMIT_EXCEEDED, USER_NOT_FOUND, TRANSFER_NOT_FOUND, NOT_A_GUEST, ACCOUNT_NEEDED, CURRENCY_MISMATCH; 55P03 is transient.
create function interlock.move_guest(p_from_user_id uuid, p_to_user_id uuid, p_token_hash bytea)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_transfer interlock.order_transfers;
  v_order_ids uuid[];
  v_money record;
  v_reserved record;
begin
  -- Before the accounts, as everybody does it.
  insert into interlock.idempotency_keys (user_id, operation, key, request_hash, response, created_at, expires_at)
  select p_to_user_id, k.operation, k.key, k.request_hash, k.response, k.created_at, k.expires_at
  from interlock.idempotency_keys k
  where k.user_id = p_from_user_id
    and k.expires_at > interlock.clock()
  order by k.operation, k.key
  on conflict do nothing;

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1
  from interlock.accounts u
  where u.id in (p_from_user_id, p_to_user_id)
  order by u.id
  for update;

  if p_token_hash is not null then
    select t.* into v_transfer from interlock.order_transfers t where t.token_hash = p_token_hash;
    if v_transfer.moved_at is not null and v_transfer.to_user_id = p_to_user_id then
      return interlock.transfer_answer(v_transfer);
    end if;
    if coalesce(v_transfer.moved_at is not null or v_transfer.expires_at <= interlock.clock(), true) then
      perform interlock.raise_error('TRANSFER_NOT_FOUND');
    end if;
  end if;

  case interlock.is_guest(p_from_user_id)
    when true then
      null;
    when false then
      perform interlock.raise_error('NOT_A_GUEST', jsonb_build_object('user_id', p_from_user_id));
    else
      perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_from_user_id));
  end case;
  case interlock.is_guest(p_to_user_id)
    when false then
      null;
    when true then
      perform interlock.raise_error('ACCOUNT_NEEDED', jsonb_build_object('user_id', p_to_user_id));
    else
      perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_to_user_id));
  end case;

  -- An answer that was given while the accounts were waited for.
  if exists (
    select
    from interlock.idempotency_keys k
    where k.user_id = p_from_user_id
      and k.expires_at > interlock.clock()
      and not exists (
        select
        from interlock.idempotency_keys c
        where (c.user_id, c.operation, c.key) = (p_to_user_id, k.operation, k.key)
      )
  ) then
    raise exception using errcode = 'lock_not_available', message = 'the guest is ordering at this moment';
  end if;

  if not pg_try_advisory_xact_lock(hashtextextended('interlock limits ' || p_to_user_id, 0)) or exists (
    select
    from (select distinct o.cart_id from interlock.orders o where o.user_id = p_from_user_id and o.cart_id is not null) c
    where not pg_try_advisory_xact_lock(
      hashtextextended(format('interlock cart %s %s', p_to_user_id, c.cart_id), 0)
    )
  ) then
    raise exception using errcode = 'lock_not_available', message = 'the account is ordering at this moment';
  end if;

  v_reserved := interlock.move_reservation(p_from_user_id, p_to_user_id);

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select array_agg(m.id)
  into v_order_ids
  from (
    select o.id from interlock.orders o where o.user_id = p_from_user_id order by o.id for no key update
  ) m;

  perform set_config('interlock.moving', 'on', true);
  update interlock.orders o
  set user_id = p_to_user_id,
      cart_id = case
        when not exists (
          select
          from interlock.orders c
          where c.user_id = p_to_user_id
            and c.cart_id = o.cart_id
            and c.status not in ('cancelled', 'expired', 'refunded')
        ) then o.cart_id
      end
  where o.id = any (v_order_ids);
  perform set_config('interlock.moving', '', true);

  insert into interlock.customer_open_orders (user_id)
  select p_to_user_id
  from interlock.customer_open_orders c
  where c.user_id = p_from_user_id
  on conflict do nothing;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1
  from interlock.customer_open_orders c
  where c.user_id in (p_from_user_id, p_to_user_id)
  order by c.user_id
  for no key update;
  update interlock.customer_open_orders c
  set orders = case c.user_id when p_to_user_id then c.orders + g.orders else 0 end,
      units = case c.user_id when p_to_user_id then c.units + g.units else 0 end
  from interlock.customer_open_orders g
  where g.user_id = p_from_user_id
    and c.user_id in (p_from_user_id, p_to_user_id);

  v_transfer.id := coalesce(v_transfer.id, interlock.new_id());
  v_money := interlock.move_wallet_money(p_from_user_id, p_to_user_id, v_transfer.id);
  perform interlock.move_promo_uses(p_from_user_id, p_to_user_id);
  if v_reserved.o_product_ids is not null then
    perform interlock.return_stock(
      v_reserved.o_product_ids, v_reserved.o_quantities, 'cart_released', v_reserved.o_id
    );
  end if;

  insert into interlock.order_transfers as t (
    id, from_user_id, to_user_id, moved_at, orders, amount, currency, actor
  )
  values (
    v_transfer.id, p_from_user_id, p_to_user_id, interlock.clock(), coalesce(cardinality(v_order_ids), 0), v_money.o_amount,
    v_money.o_currency, auth.uid()
  )
  on conflict on constraint order_transfers_pkey do update
    set to_user_id = excluded.to_user_id,
        moved_at = excluded.moved_at,
        orders = excluded.orders,
        amount = excluded.amount,
        currency = excluded.currency,
        actor = excluded.actor
  returning t.* into v_transfer;

  return interlock.transfer_answer(v_transfer);
end
$$;

-- Bring one order to a status, once. An order that has it already stays as it is.
--
-- Locks: the order; then as interlock.settle_orders.
-- Errors: ORDER_NOT_FOUND, and p_refusal with the status if the order is in none of p_from.
create function interlock.move_order(p_order_id uuid, p_from text[], p_to text, p_refusal text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_status constant text := interlock.lock_order(p_order_id);
begin
  if v_status is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  elsif v_status = p_to then
    return;
  elsif v_status <> all (p_from) then
    perform interlock.raise_error(p_refusal, jsonb_build_object('order_id', p_order_id, 'status', v_status));
  end if;

  update interlock.orders o
  set status = p_to
  where o.id = p_order_id;
end
$$;

-- What public.move_orders does, with its owner's rights: what a guest has moves to an account, by staff who know that both
-- are one person. Called again it moves what has come since.
--
-- Callers: authenticated (staff) and service_role, through public.move_orders.
-- Locks: as interlock.move_guest; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, USER_NOT_FOUND, NOT_A_GUEST, ACCOUNT_NEEDED, CURRENCY_MISMATCH, STOCK_LIMIT_EXCEEDED;
--   55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.move_orders(p_from_user_id uuid, p_to_user_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  if p_from_user_id is null then
    v_problems := v_problems || interlock.problem('/p_from_user_id', 'is required');
  end if;
  if p_to_user_id is null then
    v_problems := v_problems || interlock.problem('/p_to_user_id', 'is required');
  end if;
  perform interlock.refuse_problems(v_problems);

  return interlock.move_guest(p_from_user_id, p_to_user_id, null);
end
$$;

-- Give an account what a guest has reserved, as it is and for as long. If the account has a reservation itself, which is as
-- much as it may have, the guest's ends: its id, and what it has taken from the stock, are the caller's to give back. What
-- counts against limits is moved by the caller, with the rest that does.
--
-- Callers: interlock.move_guest, with both accounts locked.
-- Locks: the reservations of both by customer, waiting; the counter of the guest's open orders, if one ends that counts.
-- Errors: 55P03 after lock_timeout.
create function interlock.move_reservation(
  p_from_user_id uuid,
  p_to_user_id uuid,
  out o_id uuid,
  out o_product_ids uuid[],
  out o_quantities int[]
)
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1
  from interlock.cart_reservations r
  where r.user_id in (p_from_user_id, p_to_user_id)
  order by r.user_id
  for no key update;

  if exists (
    select from interlock.cart_reservations r where r.user_id = p_to_user_id and r.expires_at is not null
  ) then
    select r.id into o_id from interlock.cart_reservations r where r.user_id = p_from_user_id;
    select t.o_product_ids, t.o_quantities
    into o_product_ids, o_quantities
    from interlock.take_reservation(p_from_user_id, null) t;
  elsif exists (
    select from interlock.cart_reservations r where r.user_id = p_from_user_id and r.expires_at is not null
  ) then
    delete from interlock.cart_reservations r where r.user_id = p_to_user_id;
    update interlock.cart_reservations r set user_id = p_to_user_id where r.user_id = p_from_user_id;
    update interlock.cart_reservation_lines l set user_id = p_to_user_id where l.user_id = p_from_user_id;
  end if;
end
$$;

-- A new order with the terms that follow from how it is paid: its first status, and when it is paid or has to be.
-- Nothing to pay beside the wallet's part is paid. p_confirmation_window is settings.confirmation_window, which the caller has read.
--
-- Callers: interlock.checkout. Takes a number, which is used up whatever becomes of the order.
create function interlock.new_order(
  p_id uuid,
  p_user_id uuid,
  p_currency text,
  p_subtotal bigint,
  p_discount bigint,
  p_payment_method text,
  p_promo_code_id uuid,
  p_cart_id uuid,
  p_confirmation_window interval,
  p_shipping_method text,
  p_shipping bigint,
  p_shipping_tax bigint,
  p_tax bigint,
  p_tax_included bigint,
  p_wallet_amount bigint
)
returns interlock.orders
language plpgsql
set search_path = ''
as $$
declare
  v_order interlock.orders;
begin
  v_order.id := p_id;
  v_order.number := nextval('interlock.orders_number_seq');
  v_order.user_id := p_user_id;
  v_order.currency := p_currency;
  v_order.subtotal := p_subtotal;
  v_order.discount := p_discount;
  v_order.shipping_method := p_shipping_method;
  v_order.shipping := p_shipping;
  v_order.shipping_tax := p_shipping_tax;
  v_order.tax := p_tax;
  v_order.tax_included := p_tax_included;
  v_order.total := p_subtotal - p_discount + p_shipping + p_tax - p_tax_included;
  v_order.payment_method := p_payment_method;
  -- Where the wallet pays alone, payment_method says so.
  v_order.wallet_amount := case
    when p_payment_method = 'wallet' then 0
    else least(coalesce(p_wallet_amount, 0), v_order.total)
  end;
  v_order.promo_code_id := p_promo_code_id;
  v_order.cart_id := p_cart_id;
  v_order.created_at := interlock.clock();
  v_order.refunded_outside := false;
  v_order.refunded := 0;
  v_order.fulfillment := 'unfulfilled';

  if p_payment_method = 'wallet' or v_order.total = v_order.wallet_amount then
    v_order.status := 'paid';
    v_order.paid_at := v_order.created_at;
  elsif p_payment_method in ('bank_transfer', 'card') then
    v_order.status := 'pending_payment';
    v_order.payment_expires_at := v_order.created_at + (
      select case p_payment_method when 'card' then s.card_payment_window else s.payment_window end
      from interlock.settings s
    );
  else
    v_order.status := 'confirmed';
    v_order.payment_expires_at := v_order.created_at + p_confirmation_window;
  end if;

  return v_order;
end
$$;

-- Say in the lines of an order how many of their units were not there. What is owed of a product counts for the order that
-- has just been added to it.
--
-- Callers: interlock.checkout, interlock.retake_order, after interlock.take_stock has said so.
-- Locks: the lines; the products are held.
create function interlock.note_backorders(p_order_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update interlock.order_items i
  set backordered = least(
    i.quantity - (
      select coalesce(sum(f.quantity), 0)
      from interlock.order_refund_items f
      where f.order_id = i.order_id
        and f.product_id = i.product_id
    ),
    p.backordered
  )
  from interlock.products p
  where i.order_id = p_order_id
    and not i.untracked
    and p.id = i.product_id;
end
$$;

-- The answer of the functions of an order's life: success, and the order.
create function interlock.order_answer(p_order_id uuid)
returns json
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object('success', true, 'order', interlock.order_to_json(p_order_id))::text::json;
end
$$;

-- What is left of the lines of an order: units that were not refunded, and those of them that have not been sent. An
-- order that was handed over has sent all.
--
-- Callers: interlock.take_off_order, interlock.ship_order_lines, interlock.has_to_ship, interlock.move_goods,
--   interlock.retake_order, interlock.settle_orders, interlock.count_orders_so_far, interlock.create_picking_session,
--   interlock.complete_box; they hold the order's row, under which alone this changes.
-- Locks: none.
create function interlock.order_rest(p_order_id uuid)
returns table (product_id uuid, kind text, untracked boolean, quantity int, on_shelf int)
language plpgsql
stable
rows 5
set search_path = ''
as $$
begin
  return query
    select
      i.product_id,
      i.kind::text,
      i.untracked,
      (i.quantity - coalesce(r.quantity, 0))::int,
      case
        when o.fulfillment in ('shipped', 'delivered') then 0
        else i.quantity - coalesce(r.from_shelf, 0) - coalesce(s.quantity, 0)
      end::int
    from interlock.orders o
    join interlock.order_items i on i.order_id = o.id
    left join lateral (
      select sum(f.quantity) as quantity, sum(f.from_shelf) as from_shelf
      from interlock.order_refund_items f
      where f.order_id = i.order_id
        and f.product_id = i.product_id
    ) r on true
    left join lateral (
      select sum(f.quantity) as quantity
      from interlock.order_shipment_items f
      where f.order_id = i.order_id
        and f.product_id = i.product_id
    ) s on true
    where o.id = p_order_id;
end
$$;

-- An order as its buyer sees it, with its lines, its details and, once paid, its codes; with what was
-- refunded of it in parts, and its parcels, if there are any.
--
-- Callers: interlock.checkout and the functions of an order's life.
create function interlock.order_to_json(p_order_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_row record;
  v_order interlock.orders;
  v_items jsonb;
  v_codes jsonb;
begin
  select
    o as the_order,
    interlock.shape_details(d.shipping_address, d.contact, d.metadata) as details,
    (
      select jsonb_agg(
        to_jsonb(r) - 'shop_id' - 'order_id' - 'actor' || jsonb_build_object('items', (
          select coalesce(jsonb_agg(to_jsonb(i) - 'shop_id' - 'order_id' - 'refund_id' - 'first_unit' order by i.product_id), '[]')
          from interlock.order_refund_items i
          where i.refund_id = r.id
        ))
        order by r.id
      )
      from interlock.order_refunds r
      where r.order_id = o.id
    ) as refunds,
    (
      select jsonb_agg(
        to_jsonb(s) - 'shop_id' - 'order_id' - 'actor' || jsonb_build_object('items', (
          select jsonb_agg(jsonb_build_object('product_id', i.product_id, 'quantity', i.quantity) order by i.product_id)
          from interlock.order_shipment_items i
          where i.shipment_id = s.id
        ))
        order by s.id
      )
      from interlock.order_shipments s
      where s.order_id = o.id
    ) as shipments
  into v_row
  from interlock.orders o
  left join interlock.order_details d on d.order_id = o.id
  where o.id = p_order_id;
  v_order := v_row.the_order;

  select jsonb_agg(
    jsonb_build_object(
      'product_id', i.product_id,
      'name', i.name,
      'quantity', i.quantity,
      'unit_price', i.unit_price,
      'discount', i.discount,
      'tax', i.tax,
      'total', i.quantity * i.unit_price
    ) || case when i.backordered > 0 then jsonb_build_object('backordered', i.backordered) else '{}' end
    order by i.product_id
  )
  into v_items
  from interlock.order_items i
  where i.order_id = p_order_id;

  if v_order.status in ('paid', 'fulfilled') then
    select jsonb_agg(jsonb_build_object('product_id', c.product_id, 'code', c.code) order by c.product_id, c.id)
    into v_codes
    from interlock.product_codes c
    where c.order_id = p_order_id
      and c.used_at is not null
      and c.replaced_by is null;
  end if;

  return interlock.shape_order(v_order, v_items, v_row.details)
    || case when v_codes is null then '{}' else jsonb_build_object('codes', v_codes) end
    || case
      when v_row.refunds is null then '{}'
      else jsonb_build_object('refunded', v_order.refunded, 'refunds', v_row.refunds)
    end
    || case when v_row.shipments is null then '{}' else jsonb_build_object('shipments', v_row.shipments) end;
end
$$;

-- What PRICE_CHANGED tells: what was expected and what it is, for the cart and for each line.
--
-- Callers: interlock.checkout. p_total is null while it is not known what a promo code takes off.
create function interlock.price_change(
  p_cart_items jsonb,
  p_expected_total bigint,
  p_items jsonb,
  p_subtotal bigint,
  p_total bigint,
  p_currency text
)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'expected_total', p_expected_total,
    'total', p_total,
    'subtotal', p_subtotal,
    'currency', p_currency,
    'lines', (
      select jsonb_agg(
        l.line - 'discount' - 'tax' || jsonb_build_object(
          'expected_unit_price', (
            -- Of lines of one product with several prices the one that is not its price.
            select i.item -> 'expected_unit_price'
            from jsonb_array_elements(p_cart_items) as i (item)
            where (i.item ->> 'product_id')::uuid = (l.line ->> 'product_id')::uuid
              and i.item ? 'expected_unit_price'
            order by i.item -> 'expected_unit_price' = l.line -> 'unit_price'
            limit 1
          )
        )
        order by l.n
      )
      from jsonb_array_elements(p_items) with ordinality as l (line, n)
    )
  );
end
$$;

-- What public.process_order does, with its owner's rights: the shop picks and packs the goods. Called again it changes nothing.
--
-- Callers: authenticated (staff) and service_role, through public.process_order.
-- Locks: the order, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.process_order(p_order_id uuid)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  perform interlock.move_goods(p_order_id, array['unfulfilled'], 'processing', null);
  return interlock.order_answer(p_order_id);
end
$$;

-- What public.quote_order does, with its owner's rights: what a checkout would charge for a cart, by the same arithmetic
-- and the same prices. Nothing is held and nothing promised: checkout is told the total as p_expected_total.
--
-- Callers: authenticated and service_role, through public.quote_order.
-- Locks: as interlock.validate_promo for a dry run, with a promo code.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, PRODUCT_NOT_FOUND, MIXED_CURRENCIES, SHIPPING_METHOD_NOT_AVAILABLE, those of
--   interlock.validate_promo; 55P03 is transient.
-- Security definer: promo codes are secrets. Nothing here trusts an argument for who is calling.
create function interlock.quote_order(
  p_cart_items jsonb,
  p_promo_code text,
  p_shipping_method text,
  p_shipping_address jsonb,
  p_cart_id uuid
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- Lines are few, and each is looked up; guessed at a hundred, they would have every row of a small shop read instead.
set enable_hashjoin = off
set enable_mergejoin = off
set timezone = 'UTC'
as $$
declare
  v_problems jsonb;
  v_cart record;
  v_promo jsonb;
  v_product_ids uuid[];
  v_amounts bigint[];
  v_discounts bigint[];
  v_goods bigint;
  v_charges record;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if auth.uid() is null then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  v_problems := interlock.find_detail_problems('/p_', p_shipping_address, null, null);
  if not interlock.is_line(p_shipping_method, 40) then
    v_problems := v_problems || interlock.problem(
      '/p_shipping_method', 'must be 1 to 40 characters, without control characters'
    );
  end if;
  perform interlock.refuse_problems(v_problems);
  v_cart := interlock.price_promo_cart(p_cart_items);

  if p_promo_code is not null then
    v_promo := interlock.validate_promo(p_promo_code, p_cart_items, null, p_cart_id, true, 'apply', null);
    -- An unknown code is answered and not raised.
    if not v_promo ? 'discount' then
      return v_promo;
    end if;
  end if;

  select
    array_agg((l.line ->> 'product_id')::uuid order by l.n),
    array_agg((l.line ->> 'quantity')::bigint * (l.line ->> 'unit_price')::bigint order by l.n),
    array_agg(coalesce((v_promo #>> array['lines', (l.n - 1)::text, 'discount'])::bigint, 0) order by l.n)
  into v_product_ids, v_amounts, v_discounts
  from jsonb_array_elements(v_cart.o_lines) with ordinality as l (line, n);

  v_charges := interlock.charge_order(
    p_shipping_method, false, p_shipping_address ->> 'country', v_cart.o_currency, v_product_ids,
    array(select a.amount - a.discount from unnest(v_amounts, v_discounts) with ordinality as a (amount, discount, n) order by a.n)
  );
  v_goods := (select sum(a.amount - a.discount) from unnest(v_amounts, v_discounts) as a (amount, discount));

  return jsonb_build_object(
    'success', true,
    'currency', v_cart.o_currency,
    'subtotal', (select sum(a) from unnest(v_amounts) as a),
    'discount', (select sum(d) from unnest(v_discounts) as d),
    'shipping_method', p_shipping_method,
    'shipping', v_charges.o_shipping,
    'shipping_tax', v_charges.o_shipping_tax,
    'tax', v_charges.o_tax,
    'tax_included', v_charges.o_tax_included,
    'total', v_goods + v_charges.o_shipping + v_charges.o_tax - v_charges.o_tax_included,
    'lines', (
      select jsonb_agg(
        l.line || jsonb_build_object(
          'discount', c.discount,
          'tax', c.tax,
          'tax_percent', c.percent,
          'tax_inclusive', c.inclusive,
          'total', c.amount
        )
        order by n
      )
      from jsonb_array_elements(v_cart.o_lines) with ordinality as l (line, n)
      join unnest(v_amounts, v_discounts, v_charges.o_taxes, v_charges.o_percents, v_charges.o_inclusive)
        with ordinality as c (amount, discount, tax, percent, inclusive, n) using (n)
    ),
    'shipping_methods', (
      select coalesce(
        jsonb_agg(
          jsonb_build_object(
            'code', m.code,
            'name', m.name,
            'shipping', case when v_goods >= m.free_from then 0 else m.price end,
            'free_from', m.free_from
          )
          order by m.price, m.code
        ),
        '[]'
      )
      from interlock.shipping_methods m
      where m.active
        and m.currency = v_cart.o_currency
    )
  );
end
$$;

-- What public.redeem_order_transfer does, with its owner's rights: whoever holds a guest's token and is signed in to an
-- account takes over what the guest has. Called again by the same account it answers the same.
--
-- Callers: authenticated and service_role, through public.redeem_order_transfer.
-- Locks: as interlock.move_guest; two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, TRANSFER_NOT_FOUND (no such token, its time is over, or another account has
--   used it), NOT_A_GUEST, ACCOUNT_NEEDED, CURRENCY_MISMATCH, STOCK_LIMIT_EXCEEDED, USER_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write orders. Nothing here trusts an argument for who is calling: the token
--   proves whose orders they are, auth.uid() whose they become.
create function interlock.redeem_order_transfer(p_token text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_transfer interlock.order_transfers;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.require_user();
  if p_token is null then
    perform interlock.refuse_problems(interlock.problem('/p_token', 'is required'));
  end if;

  -- A look: under the locks it is asked again.
  select t.* into v_transfer from interlock.order_transfers t where t.token_hash = sha256(convert_to(p_token, 'UTF8'));
  if v_transfer.from_user_id is null then
    perform interlock.raise_error('TRANSFER_NOT_FOUND');
  end if;
  if v_transfer.to_user_id = auth.uid() then
    return interlock.transfer_answer(v_transfer);
  end if;

  return interlock.move_guest(v_transfer.from_user_id, auth.uid(), v_transfer.token_hash);
end
$$;

-- What public.refund_order does, with its owner's rights. Money that was paid from the wallet goes back into it, unless
-- the shop has given it back in another way (p_outside): the only one there is once the buyer's account is gone.
--
-- Callers: authenticated (staff) and service_role, through public.refund_order.
-- Locks: order, then as interlock.settle_orders; each wait two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT, STOCK_LIMIT_EXCEEDED,
--   WALLET_OWNER_GONE; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.refund_order(p_order_id uuid, p_outside boolean)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
set timezone = 'UTC'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  if p_outside then
    perform interlock.lock_order(p_order_id);
    update interlock.orders o
    set refunded_outside = true
    where o.id = p_order_id
      and o.status in ('paid', 'fulfilled');
  end if;
  perform interlock.move_order(p_order_id, array['paid', 'fulfilled'], 'refunded', 'ORDER_STATE_CONFLICT');
  return interlock.order_answer(p_order_id);
end
$$;

-- What public.refund_order_lines does, with its owner's rights: so many units of lines of an order, and its shipping, are
-- taken off it. Before it is paid it costs less by that, and only what the wallet
-- has paid for it goes back; after that the money goes back as interlock.give_back says, unless
-- the shop has given it back itself (p_outside). An order of which no unit is left is cancelled or refunded as a whole,
-- with its shipping. One that has nothing to pay any more is paid.
--
-- Of a line that was sent in part the units that have not left come first, unless it says which are meant (shipped).
--
-- Units come back into stock as the line says (restock), else as p_restock says, else if they have not been sent. Of
-- digital products the codes that nobody has seen do, and no others; of what took nothing from the stock nothing does.
--
-- Callers: authenticated (staff) and service_role, through public.refund_order_lines.
-- Locks: the reference; then as interlock.take_off_order. Two seconds at most in all.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT (the order has ended),
--   REFUND_EXCEEDS_ORDER, WALLET_OWNER_GONE, STOCK_LIMIT_EXCEEDED, IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.refund_order_lines(
  p_order_id uuid,
  p_lines jsonb,
  p_reason text,
  p_restock boolean,
  p_shipping boolean,
  p_outside boolean,
  p_reference text
)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_answer jsonb;
  v_refund_id uuid;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  if p_order_id is null then
    v_problems := v_problems || interlock.problem('/p_order_id', 'is required');
  end if;
  -- Shipping alone goes back without lines.
  if not (p_shipping is true and coalesce(p_lines, '[]') = '[]') then
    v_problems := v_problems || interlock.find_line_problems(p_lines, array['restock', 'shipped']);
  end if;
  if not interlock.is_line(p_reason, 200) then
    v_problems := v_problems || interlock.problem('/p_reason', 'must have 1 to 200 characters');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference('refund_order_lines', p_reference, jsonb_build_array(
    p_order_id, p_lines, p_reason, p_restock, p_shipping, p_outside
  ));
  if v_answer is not null then
    return v_answer::json;
  end if;

  v_refund_id := interlock.take_off_order(p_order_id, p_lines, p_reason, p_restock, p_shipping, p_outside);

  return interlock.finish_reference(
    'refund_order_lines', p_reference,
    interlock.order_answer(p_order_id)::jsonb || jsonb_build_object('refund_id', v_refund_id)
  )::text::json;
end
$$;

-- What public.release_cart does, with its owner's rights.
--
-- Callers: authenticated and service_role, through public.release_cart.
-- Locks: as interlock.end_reservation; each wait two seconds at most.
-- Errors: UNAUTHENTICATED, STOCK_LIMIT_EXCEEDED; 55P03 is transient.
-- Security definer: nobody has the right to write reservations or stock. Nothing here trusts an argument for who is calling.
create function interlock.release_cart()
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  return jsonb_build_object(
    'success', true,
    'released', interlock.end_reservation(interlock.require_user(), 'cart_released')
  );
end
$$;

-- What public.reopen_order does, with its owner's rights: an order that has expired, and whose money is there after all,
-- takes its units, codes, promo use and the wallet's part again, all or nothing, for the price it had. It then waits for its payment as it
-- did at first, or is paid at once with p_paid. Called again it changes nothing.
--
-- Callers: authenticated (staff) and service_role, through public.reopen_order.
-- Locks: order, then as interlock.retake_order; each wait two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT, ORDER_OWNER_GONE, CART_ALREADY_ORDERED,
--   INSUFFICIENT_FUNDS, CURRENCY_MISMATCH,
--   PRODUCT_CUSTOMER_LIMIT, INSUFFICIENT_INVENTORY with every shortage, PROMO_NOT_APPLICABLE (no longer a first order), PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED,
--   PROMO_CHANGED, PROMO_NOT_FOUND, PRODUCT_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.reopen_order(p_order_id uuid, p_paid boolean)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_status text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  v_status := interlock.lock_order(p_order_id);
  if v_status is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  elsif v_status not in ('expired', 'pending_payment', 'confirmed', 'paid') then
    perform interlock.raise_error(
      'ORDER_STATE_CONFLICT', jsonb_build_object('order_id', p_order_id, 'status', v_status)
    );
  end if;

  if v_status = 'expired' then
    perform interlock.retake_order(p_order_id);
  end if;

  if p_paid then
    perform interlock.move_order(
      p_order_id, array['pending_payment', 'confirmed'], 'paid', 'ORDER_STATE_CONFLICT'
    );
  end if;

  return interlock.order_answer(p_order_id);
end
$$;

-- What public.replace_product_code does, with its owner's rights: a delivered key that does not work gets another one in
-- its place, once. Both stay, the old one with the reason; the buyer sees the new one. Called again it answers the same.
--
-- Callers: authenticated (staff) and service_role, through public.replace_product_code.
-- Locks: the order; without p_new_code the product's stock row and a free code, as interlock.take_product_codes, with
--   one the entry of that code in the index, which nobody holds who waits for an order. Two seconds at most in all.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, PRODUCT_CODE_NOT_FOUND, PRODUCT_CODE_NOT_DELIVERED,
--   PRODUCT_CODE_REPLACED, ORDER_STATE_CONFLICT (the order has ended), INSUFFICIENT_INVENTORY; 55P03 is transient.
-- Security definer: staff have no right to write codes.
create function interlock.replace_product_code(p_code_id bigint, p_reason text, p_new_code text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_old interlock.product_codes;
  v_status text;
  v_new_id bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();
  if p_code_id is null then
    v_problems := v_problems || interlock.problem('/p_code_id', 'is required');
  end if;
  if interlock.is_line(p_reason, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must have 1 to 200 characters');
  end if;
  if char_length(p_new_code) > 500 or interlock.normal_code(p_new_code) = '' then
    v_problems := v_problems || interlock.problem('/p_new_code', 'must have 1 to 500 characters');
  end if;
  perform interlock.refuse_problems(v_problems);

  select c.* into v_old from interlock.product_codes c where c.id = p_code_id;
  if not found then
    perform interlock.raise_error('PRODUCT_CODE_NOT_FOUND', jsonb_build_object('code_id', p_code_id));
  end if;
  if v_old.used_at is null then
    perform interlock.raise_error('PRODUCT_CODE_NOT_DELIVERED', jsonb_build_object('code_id', p_code_id));
  end if;

  -- A delivered code stays with its order. Under its lock nobody else replaces it.
  v_status := interlock.lock_order(v_old.order_id);
  select c.* into v_old from interlock.product_codes c where c.id = p_code_id;

  if v_old.replaced_by is null then
    if v_status not in ('paid', 'fulfilled') then
      perform interlock.raise_error(
        'ORDER_STATE_CONFLICT', jsonb_build_object('order_id', v_old.order_id, 'status', v_status)
      );
    end if;

    if p_new_code is null then
      perform interlock.take_stock(array[v_old.product_id], array[1], 'replacement', v_old.order_id);
      v_new_id := (interlock.take_product_codes(
        array[v_old.product_id], array[1], v_old.order_id, 'replacement', true
      ))[1];
    else
      if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
        perform interlock.limit_wait();
      end if;
      insert into interlock.product_codes (product_id, code, order_id, used_at)
      values (v_old.product_id, p_new_code, v_old.order_id, interlock.clock())
      on conflict do nothing
      returning id into v_new_id;
      if v_new_id is null then
        perform interlock.refuse_problems(interlock.problem('/p_new_code', 'is a code of this product already'));
      end if;
    end if;

    update interlock.product_codes c
    set replaced_by = v_new_id,
        replaced_at = interlock.clock(),
        replaced_reason = p_reason,
        replaced_actor = auth.uid()
    where c.id = p_code_id
    returning c.* into v_old;
  elsif not exists (
    select
    from interlock.product_codes n
    where n.id = v_old.replaced_by
      and interlock.normal_code(n.code) = interlock.normal_code(coalesce(p_new_code, n.code))
  ) then
    perform interlock.raise_error('PRODUCT_CODE_REPLACED', jsonb_build_object(
      'code_id', p_code_id, 'replaced_by', v_old.replaced_by, 'replaced_at', v_old.replaced_at
    ));
  end if;

  return jsonb_build_object(
    'success', true,
    'code_id', p_code_id,
    'replaced_by', v_old.replaced_by,
    'replaced_at', v_old.replaced_at,
    'reason', v_old.replaced_reason,
    'product_id', v_old.product_id,
    'order_id', v_old.order_id
  );
end
$$;

-- What public.reserve_cart does, with its owner's rights: a customer's cart is theirs for settings.cart_reservation_window. What
-- they had reserved before is replaced, all or nothing; the same cart again is only kept longer, without touching the stock.
--
-- Callers: authenticated and service_role, through public.reserve_cart.
-- Locks: the customer's account, their reservation, their limits (with a product that has some), the counter of their open
--   orders (with a limit of units); stock rows by id, slots of stock. All waits together last two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, PRODUCT_NOT_FOUND, PRODUCT_NOT_RESERVABLE, PRODUCT_ORDER_LIMIT,
--   PRODUCT_CUSTOMER_LIMIT, RESERVATION_LIMIT, TOO_MANY_OPEN_ORDERS, INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED; 55P03 is
--   transient.
-- Security definer: nobody has the right to write reservations or stock. Nothing here trusts an argument for who is calling.
create function interlock.reserve_cart(p_cart_items jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- Lines are few, and each is looked up; guessed at a hundred, they would have every row of a small shop read instead.
set enable_hashjoin = off
set enable_mergejoin = off
set timezone = 'UTC'
as $$
declare
  v_user_id constant uuid := auth.uid();
  v_settings interlock.settings;
  v_cart record;
  v_terms record;
  v_reservation interlock.cart_reservations;
  v_until timestamptz;
  v_former record;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if v_user_id is null then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  perform interlock.refuse_problems(interlock.find_checkout_problems(p_cart_items, null, null, null));
  if not interlock.lock_user(v_user_id) then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  select s.* into v_settings from interlock.settings s;

  select
    array_agg(l.product_id order by l.product_id) as product_ids,
    array_agg(l.quantity order by l.product_id) as quantities,
    sum(l.quantity) as units,
    jsonb_agg(jsonb_build_object('product_id', l.product_id, 'quantity', l.quantity) order by l.product_id) as items,
    jsonb_agg(l.product_id order by l.product_id) filter (where p.active is not true) as missing,
    jsonb_agg(l.product_id order by l.product_id) filter (where p.kind = 'digital') as digital
  into v_cart
  from (
    select (i.item ->> 'product_id')::uuid as product_id, sum((i.item ->> 'quantity')::numeric)::int as quantity
    from jsonb_array_elements(p_cart_items) as i (item)
    group by 1
  ) l
  left join interlock.products p on p.id = l.product_id;
  if v_cart.missing is not null then
    perform interlock.raise_error('PRODUCT_NOT_FOUND', jsonb_build_object('product_ids', v_cart.missing));
  end if;
  if v_cart.digital is not null then
    perform interlock.raise_error('PRODUCT_NOT_RESERVABLE', jsonb_build_object('product_ids', v_cart.digital));
  end if;
  v_terms := interlock.look_at_terms(v_user_id, null, v_cart.product_ids, v_cart.quantities);
  if v_terms.o_limits is not null then
    perform interlock.raise_error('PRODUCT_ORDER_LIMIT', jsonb_build_object('limits', v_terms.o_limits));
  end if;

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  insert into interlock.cart_reservations as r (user_id, id, reserved_since)
  values (v_user_id, interlock.new_id(), interlock.clock())
  on conflict on constraint cart_reservations_pkey do update
    set reserved_since = case
      when r.reserved_since + 2 * v_settings.cart_reservation_limit <= interlock.clock() then interlock.clock()
      else r.reserved_since
    end
  returning r.* into v_reservation;

  v_until := v_reservation.reserved_since + v_settings.cart_reservation_limit;
  if v_until <= interlock.clock() then
    perform interlock.raise_error('RESERVATION_LIMIT', jsonb_build_object(
      'reserved_since', v_reservation.reserved_since,
      'again_at', v_until + v_settings.cart_reservation_limit
    ));
  end if;
  if v_reservation.expires_at is null then
    v_reservation.id := interlock.new_id();
  end if;

  if v_terms.o_customer_limit then
    perform interlock.take_customer_limits(v_user_id, v_cart.product_ids, v_cart.quantities);
  end if;

  if v_reservation.expires_at is null or exists (
    select l.product_id, l.quantity::int, l.untracked
    from interlock.cart_reservation_lines l
    where l.user_id = v_user_id
    except
    select w.product_id, w.quantity, coalesce(w.product_id = any (v_terms.o_untracked), false)
    from unnest(v_cart.product_ids, v_cart.quantities) as w (product_id, quantity)
  ) or cardinality(v_cart.product_ids) <> (
    select count(*) from interlock.cart_reservation_lines l where l.user_id = v_user_id
  ) then
    v_former := interlock.take_reservation(v_user_id, null);
    if v_settings.max_open_units_per_customer is not null then
      v_reservation.counted_units := v_cart.units;
      perform interlock.take_open_order(
        v_user_id, v_reservation.counted_units, null, v_settings.max_open_units_per_customer, 0
      );
    end if;

    perform interlock.lock_stock(v_cart.product_ids || v_former.o_product_ids);
    perform interlock.return_stock(
      v_former.o_product_ids, v_former.o_quantities, 'cart_released', v_reservation.id
    );
    perform interlock.take_stock(
      array_agg(w.product_id), array_agg(w.quantity), 'cart_reserved', v_reservation.id
    )
    from unnest(v_cart.product_ids, v_cart.quantities) as w (product_id, quantity)
    where w.product_id = any (v_terms.o_untracked) is not true
    having count(*) > 0;

    insert into interlock.cart_reservation_lines (user_id, product_id, quantity, untracked)
    select v_user_id, w.product_id, w.quantity, coalesce(w.product_id = any (v_terms.o_untracked), false)
    from unnest(v_cart.product_ids, v_cart.quantities) as w (product_id, quantity);
  end if;

  update interlock.cart_reservations r
  set id = v_reservation.id,
      expires_at = least(interlock.clock() + v_settings.cart_reservation_window, v_until),
      counted_units = v_reservation.counted_units
  where r.user_id = v_user_id
  returning r.* into v_reservation;

  return jsonb_build_object('success', true, 'reservation', jsonb_build_object(
    'id', v_reservation.id,
    'expires_at', v_reservation.expires_at,
    'extendable_until', v_until,
    'items', v_cart.items
  ));
end
$$;

-- Bring an order that ended unpaid back: it takes its units, codes, promo use and the wallet's part again, all or nothing,
-- for the price it had, and waits for its payment as it did at first. Lines that were cancelled before stay so.
--
-- The discount is the one that was granted: of the promo code only its uses are asked for, not its dates.
--
-- Callers: interlock.reopen_order, for one that has expired; interlock.retake_for_late_money, for a cancelled one too. With
--   the order locked.
-- Locks: cart, limits of the customer (with a product that has some), wallet (for its part), promo, stock rows by id, their slots, their codes.
-- Errors: ORDER_OWNER_GONE, CART_ALREADY_ORDERED, INSUFFICIENT_FUNDS, CURRENCY_MISMATCH, PRODUCT_CUSTOMER_LIMIT, INSUFFICIENT_INVENTORY with every shortage, PROMO_NOT_APPLICABLE (no
--   longer a first order), PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED, PROMO_CHANGED, PROMO_NOT_FOUND, PRODUCT_NOT_FOUND; 55P03
--   is transient.
create function interlock.retake_order(p_order_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_order interlock.orders;
  v_ordered jsonb;
begin
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  if v_order.user_id is null then
    perform interlock.raise_error('ORDER_OWNER_GONE', jsonb_build_object('order_id', p_order_id));
  end if;

  if v_order.cart_id is not null then
    perform interlock.lock_cart(v_order.user_id, v_order.cart_id);
    v_ordered := interlock.find_ordered_cart(v_order.user_id, v_order.cart_id);
    if v_ordered is not null then
      perform interlock.raise_error('CART_ALREADY_ORDERED', v_ordered);
    end if;
  end if;

  perform interlock.take_customer_limits(
    v_order.user_id, array_agg(r.product_id), array_agg(r.quantity)
  )
  from interlock.order_rest(p_order_id) r
  where r.quantity > 0;

  perform set_config('interlock.reopening', 'on', true);
  update interlock.orders o
  set status = case o.payment_method when 'cash_on_delivery' then 'confirmed' else 'pending_payment' end,
      cancelled_at = null,
      proof_submitted_at = null,
      payment_expires_at = interlock.clock()
        + case o.payment_method
          when 'bank_transfer' then s.payment_window
          when 'card' then s.card_payment_window
          else s.confirmation_window
        end
  from interlock.settings s
  where o.id = p_order_id;
  perform set_config('interlock.reopening', '', true);

  if v_order.wallet_amount > 0 then
    perform interlock.pay_from_wallet(
      interlock.lock_wallet(v_order.user_id),
      v_order.wallet_amount - interlock.wallet_returned(v_order, v_order.refunded),
      v_order.currency,
      'order_reopened',
      p_order_id
    );
  end if;

  if v_order.promo_code_id is not null then
    if exists (select from interlock.promo_codes p where p.id = v_order.promo_code_id and p.first_order_only) then
      perform interlock.lock_first_order(v_order.user_id);
      if interlock.has_other_order(v_order.user_id, p_order_id) then
        perform interlock.raise_error('PROMO_NOT_APPLICABLE', jsonb_build_object('reason', 'first_order_only'));
      end if;
    end if;
    perform interlock.take_promo_use(
      v_order.promo_code_id, v_order.user_id, v_order.cart_id, p_order_id, v_order.discount, v_order.currency, null
    );
  end if;

  -- As products are sold now, and not as they were then.
  update interlock.order_items i
  set untracked = p.stock_policy = 'untracked',
      backordered = 0
  from interlock.products p
  where i.order_id = p_order_id
    and p.id = i.product_id;

  if (
    select interlock.take_stock(array_agg(r.product_id), array_agg(r.quantity), 'order_reopened', p_order_id)
    from interlock.order_rest(p_order_id) r
    where r.quantity > 0
      and not r.untracked
    having count(*) > 0
  ) then
    perform interlock.note_backorders(p_order_id);
  end if;

  perform interlock.take_product_codes(
    array_agg(r.product_id), array_agg(r.quantity), p_order_id, 'order_reopened', false
  )
  from interlock.order_rest(p_order_id) r
  where r.quantity > 0
    and r.kind = 'digital'
  having count(*) > 0;
end
$$;

-- The details of an order as its buyer sees them: those that there are. Null if there are none.
--
-- Callers: interlock.checkout, interlock.order_to_json.
create function interlock.shape_details(p_shipping_address jsonb, p_contact jsonb, p_metadata jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  if num_nonnulls(p_shipping_address, p_contact, p_metadata) = 0 then
    return null;
  end if;
  return (
    select jsonb_object_agg(d.name, d.value)
    from (values
      ('shipping_address', p_shipping_address), ('contact', p_contact), ('metadata', p_metadata)
    ) as d (name, value)
    where d.value is not null
  );
end
$$;

-- An order as its buyer sees it, with its lines, and its details and the wallet's part if it has any.
--
-- Callers: interlock.order_to_json. interlock.checkout and interlock.checkout_line write the same of a new order by themselves.
create function interlock.shape_order(p_order interlock.orders, p_items jsonb, p_details jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_shape jsonb := jsonb_build_object(
    'id', p_order.id,
    'number', p_order.number,
    'status', p_order.status,
    'fulfillment', p_order.fulfillment,
    'currency', p_order.currency,
    'subtotal', p_order.subtotal,
    'discount', p_order.discount,
    'shipping_method', p_order.shipping_method,
    'shipping', p_order.shipping,
    'shipping_tax', p_order.shipping_tax,
    'tax', p_order.tax,
    'tax_included', p_order.tax_included,
    'total', p_order.total,
    'payment_method', p_order.payment_method,
    'cart_id', p_order.cart_id,
    'created_at', p_order.created_at,
    'payment_expires_at', p_order.payment_expires_at,
    'paid_at', p_order.paid_at,
    'shipped_at', p_order.shipped_at,
    'tracking', p_order.tracking,
    'fulfilled_at', p_order.fulfilled_at,
    'cancelled_at', p_order.cancelled_at,
    'refunded_at', p_order.refunded_at,
    'items', p_items
  );
begin
  if p_order.wallet_amount > 0 then
    v_shape := v_shape || jsonb_build_object('wallet_amount', p_order.wallet_amount);
  end if;
  if p_details is null then
    return v_shape;
  end if;
  return v_shape || p_details;
end
$$;

-- The share of an amount that falls to a part of something, half a minor unit rounded up; nothing of nothing.
--
-- Exact: one division of whole numbers, in which nothing is rounded before the end.
--
-- Callers: interlock.line_through, interlock.take_receipted_returns, interlock.share_by_points.
create function interlock.share_of(p_amount bigint, p_part bigint, p_whole bigint)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when p_whole = 0 then 0 else div(2 * p_amount::numeric * p_part + p_whole, 2 * p_whole) end::bigint;
end
$$;

-- What public.ship_order does, with its owner's rights: the goods have left, or what was left
-- of them, in one parcel. Called again it changes nothing but the tracking number, if another one is named.
--
-- Callers: authenticated (staff) and service_role, through public.ship_order.
-- Locks: the account of the buyer and the order; as interlock.close_sent_box. Two seconds at most in all.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT, INSUFFICIENT_INVENTORY;
--   55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.ship_order(p_order_id uuid, p_tracking text)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();
  if p_tracking is not null and interlock.is_line(p_tracking, 200) is not true then
    perform interlock.refuse_problems(interlock.problem('/p_tracking', 'must have 1 to 200 characters'));
  end if;

  perform interlock.move_goods(p_order_id, array['unfulfilled', 'processing', 'partly_shipped'], 'shipped', p_tracking);
  return interlock.order_answer(p_order_id);
end
$$;

-- What public.ship_order_lines does, with its owner's rights: a part of an order has left, in a parcel of its own. The order
-- is partly_shipped, and shipped once nothing of it is left to be sent: of no physical product a unit that was not
-- refunded. With a reference it counts once.
--
-- Callers: authenticated (staff) and service_role, through public.ship_order_lines.
-- Locks: the reference; the account of the buyer and the order; with the last part as interlock.close_sent_box. Two seconds at most in all.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT, SHIPMENT_EXCEEDS_ORDER,
--   INSUFFICIENT_INVENTORY, IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.ship_order_lines(p_order_id uuid, p_lines jsonb, p_tracking text, p_reference text)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_answer jsonb;
  v_order interlock.orders;
  v_excess jsonb;
  v_shipment_id uuid;
  v_goods text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  if p_order_id is null then
    v_problems := v_problems || interlock.problem('/p_order_id', 'is required');
  end if;
  v_problems := v_problems || interlock.find_line_problems(p_lines, '{}');
  if not interlock.is_line(p_tracking, 200) then
    v_problems := v_problems || interlock.problem('/p_tracking', 'must have 1 to 200 characters');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    'ship_order_lines', p_reference, jsonb_build_array(p_order_id, p_lines, p_tracking)
  );
  if v_answer is not null then
    return v_answer::json;
  end if;

  if interlock.lock_order(p_order_id) is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  if v_order.status not in ('confirmed', 'paid')
    or v_order.fulfillment not in ('unfulfilled', 'processing', 'partly_shipped')
  then
    perform interlock.raise_error('ORDER_STATE_CONFLICT', jsonb_build_object(
      'order_id', p_order_id, 'status', v_order.status, 'fulfillment', v_order.fulfillment
    ));
  end if;

  select jsonb_agg(
    jsonb_build_object('product_id', w.product_id, 'requested', w.quantity, 'shippable', coalesce(r.on_shelf, 0))
    order by w.product_id
  )
  into v_excess
  from jsonb_to_recordset(p_lines) as w (product_id uuid, quantity numeric)
  left join interlock.order_rest(p_order_id) r on r.product_id = w.product_id and r.kind = 'physical'
  where w.quantity > coalesce(r.on_shelf, 0);
  if v_excess is not null then
    perform interlock.raise_error('SHIPMENT_EXCEEDS_ORDER', jsonb_build_object(
      'order_id', p_order_id, 'lines', v_excess
    ));
  end if;

  select interlock.add_shipment(p_order_id, array_agg(w.product_id), array_agg(w.quantity::int), p_tracking)
  into v_shipment_id
  from jsonb_to_recordset(p_lines) as w (product_id uuid, quantity numeric);

  v_goods := case when interlock.has_to_ship(p_order_id) then 'partly_shipped' else 'shipped' end;
  update interlock.orders o
  set fulfillment = v_goods,
      tracking = coalesce(p_tracking, o.tracking)
  where o.id = p_order_id;

  -- Of another state the order's trigger writes the history.
  if v_goods = v_order.fulfillment then
    insert into interlock.order_events (order_id, event, tracking, actor)
    values (p_order_id, v_goods, p_tracking, auth.uid());
  end if;

  if v_goods = 'shipped' then
    perform interlock.close_sent_box(p_order_id, v_shipment_id);
  end if;

  return interlock.finish_reference(
    'ship_order_lines', p_reference,
    interlock.order_answer(p_order_id)::jsonb || jsonb_build_object('shipment_id', v_shipment_id)
  )::text::json;
end
$$;

-- Refuse what would bring a customer above products.max_per_customer. What they have is summed up under a lock of theirs,
-- so two sessions of one customer come one after the other; it counts while its order is not cancelled, expired or
-- refunded, and it is not itself, so whatever ends an order or takes off a part of it gives it back. Without such a product nothing is locked.
--
-- Callers: interlock.checkout, with a product that has such a limit; interlock.retake_order, before its order counts again.
-- Locks: limits of the customer, advisory, until the transaction ends; waits.
-- Errors: PRODUCT_CUSTOMER_LIMIT with every such product; 55P03 after lock_timeout.
create function interlock.take_customer_limits(p_user_id uuid, p_product_ids uuid[], p_quantities int[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_limits jsonb;
begin
  if not exists (
    select from interlock.products p where p.id = any (p_product_ids) and p.max_per_customer is not null
  ) then
    return;
  end if;

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform pg_advisory_xact_lock(hashtextextended('interlock limits ' || p_user_id, 0));

  select jsonb_agg(
    jsonb_build_object(
      'product_id', p.id, 'requested', w.quantity, 'held', h.held, 'max_per_customer', p.max_per_customer
    )
    order by p.id
  )
  into v_limits
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
  join interlock.products p on p.id = w.product_id
  cross join lateral (
    select coalesce(sum(i.quantity - (
      select coalesce(sum(f.quantity), 0)
      from interlock.order_refund_items f
      where f.order_id = i.order_id
        and f.product_id = i.product_id
    )), 0) as held
    from interlock.orders o
    join interlock.order_items i on i.order_id = o.id
    where o.user_id = p_user_id
      and o.status not in ('cancelled', 'expired', 'refunded')
      and i.product_id = p.id
  ) h
  where h.held + w.quantity > p.max_per_customer;

  if v_limits is not null then
    perform interlock.raise_error('PRODUCT_CUSTOMER_LIMIT', jsonb_build_object('limits', v_limits));
  end if;
end
$$;

-- Take units of lines, and the shipping, off an order, as public.refund_order_lines says: before it is paid it costs less by that, after
-- that the money goes back. Answers the refund.
--
-- Callers: interlock.refund_order_lines; interlock.complete_box, of what could not be packed.
-- Locks: the account of the buyer and the order; what interlock.need_less locks; the counter of their open orders; the wallet; the
--   payment; then, if it is the last part, as interlock.settle_orders; stock rows by id, codes of the order.
-- Errors: ORDER_NOT_FOUND, ORDER_STATE_CONFLICT (the order has ended), REFUND_EXCEEDS_ORDER, WALLET_OWNER_GONE,
--   STOCK_LIMIT_EXCEEDED; 55P03 after lock_timeout.
create function interlock.take_off_order(
  p_order_id uuid,
  p_lines jsonb,
  p_reason text,
  p_restock boolean,
  p_shipping boolean,
  p_outside boolean
)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_order interlock.orders;
  v_refund interlock.order_refunds;
  v_lines interlock.order_refund_items[];
  v_excess jsonb;
  v_shipping bigint;
  v_units int;
  v_all boolean;
  v_free boolean;
  v_sent boolean;
  v_reason text;
begin
  if interlock.lock_order(p_order_id) is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  if v_order.status not in ('pending_payment', 'confirmed', 'paid', 'fulfilled') then
    perform interlock.raise_error('ORDER_STATE_CONFLICT', jsonb_build_object(
      'order_id', p_order_id, 'status', v_order.status, 'fulfillment', v_order.fulfillment
    ));
  end if;

  -- What can still be refunded.
  select case when exists (
    select from interlock.order_refunds r where r.order_id = p_order_id and r.with_shipping
  ) then 0 else v_order.shipping end
  into v_shipping;
  select jsonb_agg(
    jsonb_build_object('product_id', w.product_id, 'requested', w.quantity, 'refundable', f.units)
    order by w.product_id
  )
  into v_excess
  from jsonb_to_recordset(p_lines) as w (product_id uuid, quantity numeric, shipped boolean)
  left join interlock.order_rest(p_order_id) r on r.product_id = w.product_id
  cross join lateral (
    select coalesce(
      case w.shipped when true then r.quantity - r.on_shelf when false then r.on_shelf else r.quantity end, 0
    ) as units
  ) f
  where w.quantity > f.units;
  if v_excess is not null or (p_shipping and v_shipping = 0) then
    perform interlock.raise_error('REFUND_EXCEEDS_ORDER', jsonb_build_object(
      'order_id', p_order_id, 'lines', coalesce(v_excess, '[]'), 'shipping', v_shipping
    ));
  end if;

  v_refund.id := interlock.new_id();
  v_refund.order_id := p_order_id;
  v_refund.paid := v_order.paid_at is not null;
  v_refund.reason := p_reason;
  v_refund.actor := auth.uid();
  v_refund.created_at := interlock.clock();

  select
    array_agg(jsonb_populate_record(null::interlock.order_refund_items, jsonb_build_object(
      'order_id', p_order_id,
      'product_id', u.product_id,
      'first_unit', u.first_unit,
      'refund_id', v_refund.id,
      'quantity', u.units,
      'from_shelf', u.from_shelf,
      'restocked', case
        when u.kind = 'digital' then case when v_refund.paid then 0 else u.units end
        when u.untracked then 0
        when u.restock is null then u.from_shelf
        when u.restock then u.units
        else 0
      end,
      'subtotal', t.o_subtotal - b.o_subtotal,
      'discount', t.o_discount - b.o_discount,
      'tax', t.o_tax - b.o_tax,
      'tax_included', t.o_tax_included - b.o_tax_included,
      'amount', t.o_amount - b.o_amount
    ))),
    coalesce(sum(u.units), 0),
    coalesce(sum(t.o_subtotal - b.o_subtotal), 0),
    coalesce(sum(t.o_discount - b.o_discount), 0),
    coalesce(sum(t.o_tax - b.o_tax), 0),
    coalesce(sum(t.o_tax_included - b.o_tax_included), 0)
  into v_lines, v_units, v_refund.subtotal, v_refund.discount, v_refund.tax, v_refund.tax_included
  from (
    select
      i.product_id, i.kind, i.untracked, i.quantity::int as bought, i.unit_price, i.discount, i.tax, i.tax_inclusive,
      w.quantity::int as units,
      coalesce(w.restock, p_restock) as restock,
      i.quantity - r.quantity + 1 as first_unit,
      case when w.shipped then 0 else least(w.quantity, r.on_shelf) end::int as from_shelf
    from jsonb_to_recordset(p_lines) as w (product_id uuid, quantity numeric, restock boolean, shipped boolean)
    join interlock.order_items i on i.order_id = p_order_id and i.product_id = w.product_id
    join interlock.order_rest(p_order_id) r on r.product_id = w.product_id
  ) u
  cross join lateral interlock.line_through(
    u.first_unit - 1, u.bought, u.unit_price, u.discount, u.tax, u.tax_inclusive
  ) b
  cross join lateral interlock.line_through(
    u.first_unit - 1 + u.units, u.bought, u.unit_price, u.discount, u.tax, u.tax_inclusive
  ) t;
  v_all := v_units > 0 and v_units = (select sum(r.quantity) from interlock.order_rest(p_order_id) r);

  v_refund.with_shipping := (v_all or p_shipping is true) and v_shipping > 0;
  v_refund.shipping := case when v_refund.with_shipping then v_shipping else 0 end;
  if v_refund.with_shipping then
    v_refund.tax := v_refund.tax + v_order.shipping_tax;
    -- What of the tax in the prices is in no line is in the shipping.
    v_refund.tax_included := v_refund.tax_included + v_order.tax_included - (
      select coalesce(sum(i.tax) filter (where i.tax_inclusive), 0)
      from interlock.order_items i
      where i.order_id = p_order_id
    );
  end if;
  v_refund.amount := v_refund.subtotal - v_refund.discount + v_refund.shipping + v_refund.tax - v_refund.tax_included;

  perform interlock.need_less(p_order_id, array_agg(l.product_id), array_agg(l.from_shelf::int))
  from unnest(v_lines) as l;

  v_reason := case when v_refund.paid then 'lines_refunded' else 'lines_cancelled' end;
  v_refund.to_wallet := 0;
  v_refund.to_card := 0;
  v_refund.by_shop := 0;
  if v_refund.paid and p_outside then
    v_refund.by_shop := v_refund.amount;
  elsif v_refund.paid or v_order.wallet_amount > 0 then
    select b.o_wallet, b.o_card, b.o_shop
    into v_refund.to_wallet, v_refund.to_card, v_refund.by_shop
    from interlock.give_back(v_order, v_refund.amount, v_reason) b;
  end if;

  insert into interlock.order_refunds select v_refund.*;
  insert into interlock.order_refund_items select l.* from unnest(v_lines) as l;
  insert into interlock.order_events (order_id, event, actor) values (p_order_id, 'lines_refunded', auth.uid());

  -- The rest of an unpaid order counts less against the limits of its buyer; not at all if it costs nothing, so that it
  -- needs no counter once it is paid below.
  v_free := not v_refund.paid and not v_all and v_order.refunded + v_refund.amount >= v_order.total - v_order.wallet_amount;
  -- Where what was still to be sent is taken off, the rest has left.
  v_sent := v_order.fulfillment = 'partly_shipped' and not v_all and not interlock.has_to_ship(p_order_id);
  update interlock.orders o
  set refunded = o.refunded + v_refund.amount,
      counted_units = case
        when v_free then null
        when v_refund.paid or v_all then o.counted_units
        else o.counted_units - v_units
      end,
      fulfillment = case when v_sent then 'shipped' else o.fulfillment end,
      status = case when not v_all then o.status when v_refund.paid then 'refunded' else 'cancelled' end
  where o.id = p_order_id;

  perform interlock.return_stock(array_agg(l.product_id), array_agg(l.restocked::int), v_reason, p_order_id)
  from unnest(v_lines) as l
  where l.restocked > 0;

  if not v_refund.paid then
    perform interlock.set_ledger_context(v_reason, p_order_id);
    update interlock.product_codes c
    set order_id = null
    where c.id = any (array(
      select k.id
      from unnest(v_lines) as l
      cross join lateral (
        select q.id
        from interlock.product_codes q
        where q.order_id = p_order_id
          and q.product_id = l.product_id
        order by q.id desc
        limit l.restocked
      ) k
    ));
    perform interlock.set_ledger_context(null, null);
  end if;

  if v_free then
    update interlock.orders o
    set status = 'paid'
    where o.id = p_order_id;
  end if;

  return v_refund.id;
end
$$;

-- Count one more open order of a customer, within the limits. A limit that is null is none. One statement, because most
-- checkouts make it: the account is locked by what it selects, then the row.
--
-- Callers: interlock.checkout or interlock.checkout_line, once, before the wallet; the order gets p_units as its counted_units, or is given back.
--   interlock.reserve_cart, whose reservation counts as units of no order (p_orders 0, and no limit of orders).
-- Locks: the customer's account, their row of interlock.customer_open_orders, waiting.
-- Errors: UNAUTHENTICATED (there is no such account), TOO_MANY_OPEN_ORDERS with what is open and the limits; 55P03 after
--   lock_timeout.
create function interlock.take_open_order(p_user_id uuid, p_units int, p_max_orders int, p_max_units int, p_orders int default 1)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  insert into interlock.customer_open_orders as c (user_id, orders, units)
  select u.id, p_orders, p_units
  from interlock.accounts u
  where u.id = p_user_id
    and p_units <= coalesce(p_max_units, p_units)
  for key share
  on conflict on constraint customer_open_orders_pkey do update
    set orders = c.orders + p_orders,
        units = c.units + excluded.units
    where c.orders < coalesce(p_max_orders, c.orders + 1)
      and c.units + excluded.units <= coalesce(p_max_units, c.units + excluded.units);

  if not found then
    perform interlock.require_user();
    perform interlock.raise_error('TOO_MANY_OPEN_ORDERS', (
      select jsonb_build_object(
        'open_orders', coalesce(max(c.orders), 0),
        'max_open_orders', p_max_orders,
        'open_units', coalesce(max(c.units), 0),
        'units', p_units,
        'max_open_units', p_max_units
      )
      from interlock.customer_open_orders c
      where c.user_id = p_user_id
    ));
  end if;
end
$$;

-- Give free codes to an order: exactly the quantities, or an error. Returns their ids. The caller holds the stock rows of
-- the products and has seen that there is enough. Codes that somebody else has locked are passed over. If that
-- leaves too few, the call fails as transient (55P03), so that nobody is refused because of a change that is
-- then rolled back; waiting for them would be against the lock order.
--
-- Callers: interlock.checkout, interlock.claim_product_codes_atomic, interlock.reopen_order,
--   interlock.replace_product_code.
-- Locks: free codes of the products, never waiting.
-- Errors: INSUFFICIENT_INVENTORY with every shortage; 55P03 if only locked codes are left.
create function interlock.take_product_codes(
  p_product_ids uuid[],
  p_quantities int[],
  p_order_id uuid,
  p_reason text,
  p_delivered boolean
)
returns bigint[]
language plpgsql
set search_path = ''
as $$
declare
  v_wanted constant bigint := (select sum(q) from unnest(p_quantities) as q);
  v_code_ids bigint[];
  v_shortages jsonb;
begin
  select array_agg(c.id)
  into v_code_ids
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
  cross join lateral (
    select f.id
    from interlock.product_codes f
    where f.product_id = w.product_id
      and f.order_id is null
    order by f.id
    limit w.quantity
    for no key update skip locked
  ) c;

  if coalesce(cardinality(v_code_ids), 0) < v_wanted then
    select array_agg(c.id)
    into v_code_ids
    from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
    cross join lateral (
      select f.id
      from interlock.product_codes f
      where f.product_id = w.product_id
        and f.order_id is null
      order by f.id
      limit w.quantity
      for no key update nowait
    ) c;
  end if;

  if coalesce(cardinality(v_code_ids), 0) < v_wanted then
    select jsonb_agg(
      jsonb_build_object('product_id', t.product_id, 'requested', t.quantity, 'available', t.available)
      order by t.product_id
    )
    into v_shortages
    from (
      select w.product_id, w.quantity, count(c.id) as available
      from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
      left join interlock.product_codes c on c.product_id = w.product_id and c.id = any (v_code_ids)
      group by w.product_id, w.quantity
      having count(c.id) < w.quantity
    ) t;
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', v_shortages));
  end if;

  perform interlock.set_ledger_context(p_reason, p_order_id);

  update interlock.product_codes c
  set order_id = p_order_id,
      used_at = case when p_delivered then interlock.clock() end
  where c.id = any (v_code_ids);

  perform interlock.set_ledger_context(null, null);
  return v_code_ids;
end
$$;

-- Lock the reservation of a customer and take its lines out of it: what they have taken from the stock is the caller's to
-- give back or to sell. With p_reservation_id only if it is that one. Answers whether there was one.
--
-- Callers: interlock.end_reservation, interlock.reserve_cart, interlock.checkout.
-- Locks: the customer's reservation, waiting; the counter of their open orders, if it counts.
-- Errors: 55P03 after lock_timeout.
create function interlock.take_reservation(
  p_user_id uuid,
  p_reservation_id uuid,
  out o_ended boolean,
  out o_product_ids uuid[],
  out o_quantities int[]
)
language plpgsql
set search_path = ''
as $$
declare
  v_reservation interlock.cart_reservations;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select r.*
  into v_reservation
  from interlock.cart_reservations r
  where r.user_id = p_user_id
    and r.id = coalesce(p_reservation_id, r.id)
  for no key update;
  o_ended := v_reservation.expires_at is not null;
  if not o_ended then
    return;
  end if;

  with taken as (
    delete from interlock.cart_reservation_lines l
    where l.user_id = p_user_id
    returning l.product_id, l.quantity, l.untracked
  )
  select array_agg(t.product_id), array_agg(t.quantity::int)
  into o_product_ids, o_quantities
  from taken t
  where not t.untracked;

  update interlock.cart_reservations r
  set expires_at = null,
      counted_units = null
  where r.user_id = p_user_id;

  if v_reservation.counted_units is not null then
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    update interlock.customer_open_orders c
    set units = c.units - v_reservation.counted_units
    where c.user_id = p_user_id;
  end if;
end
$$;

-- The tax on an amount, half a minor unit rounded up: a share of it where it is in the amount, else what is added.
--
-- Exact: one division of whole numbers, in which nothing is rounded before the end.
--
-- Callers: interlock.charge_order.
create function interlock.tax_of(p_amount bigint, p_percent numeric, p_inclusive boolean)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when p_inclusive then div(2 * p_amount * p_percent + 100 + p_percent, 2 * (100 + p_percent))
    else div(2 * p_amount * p_percent + 100, 200)
  end::bigint;
end
$$;

-- The answer to whoever has moved what a guest had.
--
-- Callers: interlock.move_guest, interlock.redeem_order_transfer.
create function interlock.transfer_answer(p_transfer interlock.order_transfers)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'success', true,
    'transfer_id', p_transfer.id,
    'from_user_id', p_transfer.from_user_id,
    'orders', p_transfer.orders,
    'amount', p_transfer.amount,
    'currency', p_transfer.currency,
    'moved_at', p_transfer.moved_at
  );
end
$$;

create view interlock.code_differences
with (security_invoker = true)
as
  select p.id as product_id, p.available_quantity, count(c.id) as free_codes
  from interlock.products p
  left join interlock.product_codes c on c.product_id = p.id and c.order_id is null
  where p.kind = 'digital'
  group by p.id, p.available_quantity
  having p.available_quantity <> count(c.id);

comment on view interlock.code_differences is
  'Digital products whose stock is not the number of their free codes. Always empty; anything else is a bug.';

grant select on table interlock.code_differences to service_role;

create function public.cancel_order(p_order_id uuid, p_idempotency_key text default null)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.cancel_order(p_order_id, p_idempotency_key);
end
$$;

comment on function public.cancel_order(uuid, text) is
  'Cancels an order: its buyer while unpaid and on the shelf, the shop until it is shipped, or when an unpaid parcel came back. Stock, promo use and wallet money come back.';

create function public.checkout(
  p_cart_items jsonb,
  p_promo_code text default null,
  p_cart_id uuid default null,
  p_payment_method text default 'cash_on_delivery',
  p_idempotency_key text default null,
  p_expected_total bigint default null,
  p_shipping_address jsonb default null,
  p_contact jsonb default null,
  p_metadata jsonb default null,
  p_shipping_method text default null,
  p_on_behalf_of uuid default null,
  p_reservation_id uuid default null,
  p_wallet_amount bigint default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
declare
  v_answer json;
begin
  if p_cart_items -> 1 is null
    and num_nonnulls(p_promo_code, p_shipping_method, p_on_behalf_of, p_reservation_id, p_wallet_amount) = 0
  then
    v_answer := interlock.checkout_line(
      p_cart_items, p_cart_id, p_payment_method, p_idempotency_key, p_expected_total, p_shipping_address, p_contact, p_metadata
    );
    if v_answer is not null then
      return v_answer;
    end if;
  end if;
  return interlock.checkout(
    p_cart_items, p_promo_code, p_cart_id, p_payment_method, p_idempotency_key, p_expected_total,
    p_shipping_address, p_contact, p_metadata, p_shipping_method, p_on_behalf_of, p_reservation_id,
    p_wallet_amount
  );
end
$$;

comment on function public.checkout(jsonb, text, uuid, text, text, bigint, jsonb, jsonb, jsonb, text, uuid, uuid, bigint) is
  'Buys a cart [{"product_id", "quantity"}] for the calling user, or for staff on behalf of another one: order, payment, stock, codes and promo use together, or nothing.';

create function public.claim_product_codes_atomic(
  p_product_id uuid,
  p_quantity int,
  p_order_id uuid,
  p_reference text default null
)
returns table (id bigint, code text)
language sql
security invoker
set search_path = ''
as $$
  select c.id, c.code
  from interlock.claim_product_codes_atomic(p_product_id, p_quantity, p_order_id, p_reference) as c
$$;

comment on function public.claim_product_codes_atomic(uuid, int, uuid, text) is
  'Gives exactly p_quantity codes of a digital product to an order, or none; once for each order, and each p_reference. For the service role.';

create function public.correct_order(
  p_order_id uuid,
  p_shipping_address jsonb default null,
  p_contact jsonb default null,
  p_metadata jsonb default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.correct_order(p_order_id, p_shipping_address, p_contact, p_metadata);
end
$$;

comment on function public.correct_order(uuid, jsonb, jsonb, jsonb) is
  'Replaces the address of an order until it is shipped, its contact until its end, its metadata for ever; what is left out stays. For staff and the service role.';

create function public.create_order_transfer()
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.create_order_transfer();
end
$$;

comment on function public.create_order_transfer() is
  'A token by which the account that the calling guest signs in to takes over their orders, money and uses of promo codes.';

create function public.expire_cart_reservations(p_limit int default 100)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'expired', interlock.expire_cart_reservations(p_limit))
$$;

comment on function public.expire_cart_reservations(int) is
  'Ends up to p_limit reservations of carts whose time is over. For the service role.';

create function public.expire_orders(p_limit int default 100)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'expired', interlock.expire_orders(p_limit))
$$;

comment on function public.expire_orders(int) is
  'Ends up to p_limit orders that were not paid in time. For the service role.';

create function public.fulfill_order(p_order_id uuid)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.fulfill_order(p_order_id);
end
$$;

comment on function public.fulfill_order(uuid) is
  'Marks a paid order, or one in cash that is paid at the door, as handed over. For staff and the service role.';

create function public.list_orders(
  p_status text default null,
  p_user_id uuid default null,
  p_before uuid default null,
  p_limit int default 50,
  p_number bigint default null
)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.list_orders(p_status, p_user_id, p_before, p_limit, p_number);
end
$$;

comment on function public.list_orders(text, uuid, uuid, int, bigint) is
  'Orders with lines, history and payment proofs, the latest first, for staff and the service role; p_before is the id of the last one of the page before, p_number the number of the one that is wanted.';

create function public.move_orders(p_from_user_id uuid, p_to_user_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.move_orders(p_from_user_id, p_to_user_id);
end
$$;

comment on function public.move_orders(uuid, uuid) is
  'Moves the orders, money and uses of promo codes of a guest to an account. For staff and the service role.';

create function public.process_order(p_order_id uuid)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.process_order(p_order_id);
end
$$;

comment on function public.process_order(uuid) is
  'Marks the goods of a confirmed or paid order as being prepared: its buyer can no longer cancel it. For staff and the service role.';

create function public.quote_order(
  p_cart_items jsonb,
  p_promo_code text default null,
  p_shipping_method text default null,
  p_shipping_address jsonb default null,
  p_cart_id uuid default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.quote_order(p_cart_items, p_promo_code, p_shipping_method, p_shipping_address, p_cart_id);
end
$$;

comment on function public.quote_order(jsonb, text, text, jsonb, uuid) is
  'What checkout would charge for a cart: discount, shipping, tax and total, line by line, and what each shipping method costs. Holds nothing.';

create function public.redeem_order_transfer(p_token text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.redeem_order_transfer(p_token);
end
$$;

comment on function public.redeem_order_transfer(text) is
  'Moves the orders, money and uses of promo codes of the guest whose token it is to the calling account, once.';

create function public.refund_order(p_order_id uuid, p_outside boolean default false)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.refund_order(p_order_id, p_outside);
end
$$;

comment on function public.refund_order(uuid, boolean) is
  'Refunds a paid order, once: wallet money (unless p_outside says that the shop has paid it back itself), promo use and stock come back. For staff and the service role.';

create function public.refund_order_lines(
  p_order_id uuid,
  p_lines jsonb default '[]',
  p_reason text default null,
  p_restock boolean default null,
  p_shipping boolean default false,
  p_outside boolean default false,
  p_reference text default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.refund_order_lines(p_order_id, p_lines, p_reason, p_restock, p_shipping, p_outside, p_reference);
end
$$;

comment on function public.refund_order_lines(uuid, jsonb, text, boolean, boolean, boolean, text) is
  'Takes units of lines [{"product_id", "quantity", "restock"}] off an order, each once, and with p_shipping its shipping: before it is paid it costs less, after that the money goes back as it came. For staff and the service role.';

create function public.release_cart()
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.release_cart();
end
$$;

comment on function public.release_cart() is
  'Gives back what the calling user has reserved with reserve_cart.';

create function public.reopen_order(p_order_id uuid, p_paid boolean default false)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.reopen_order(p_order_id, p_paid);
end
$$;

comment on function public.reopen_order(uuid, boolean) is
  'Gives an expired order its stock, codes and promo use again, or says what is missing; with p_paid it is paid at once. For staff and the service role.';

create function public.replace_product_code(p_code_id bigint, p_reason text, p_new_code text default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.replace_product_code(p_code_id, p_reason, p_new_code);
end
$$;

comment on function public.replace_product_code(bigint, text, text) is
  'Gives the buyer of a delivered code that does not work another one, once: p_new_code, or a free one. For staff and the service role.';

create function public.reserve_cart(p_cart_items jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.reserve_cart(p_cart_items);
end
$$;

comment on function public.reserve_cart(jsonb) is
  'Keeps a cart [{"product_id", "quantity"}] for the calling user for a few minutes, in place of what they had reserved; checkout redeems it.';

create function public.ship_order(p_order_id uuid, p_tracking text default null)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.ship_order(p_order_id, p_tracking);
end
$$;

comment on function public.ship_order(uuid, text) is
  'Marks the goods of a confirmed or paid order as on their way, with a tracking number if there is one; again with another number, corrects it. For staff and the service role.';

create function public.ship_order_lines(
  p_order_id uuid,
  p_lines jsonb,
  p_tracking text default null,
  p_reference text default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.ship_order_lines(p_order_id, p_lines, p_tracking, p_reference);
end
$$;

comment on function public.ship_order_lines(uuid, jsonb, text, text) is
  'Marks units of lines [{"product_id", "quantity"}] of a confirmed or paid order as on their way, in a parcel of their own: the order is partly_shipped, and shipped once nothing is left. For staff and the service role.';

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.add_shipment is
  'Write down a parcel with so many units of lines of an order.';
comment on function interlock.broadcast_order is
  'Broadcast to its buyer that an order has changed.';
comment on function interlock.cancel_order is
  'What public.cancel_order does, with its owner''s rights.';
comment on function interlock.charge_order is
  'What is charged beside the goods: shipping, and tax for each line.';
comment on function interlock.checkout is
  'What public.checkout does, with its owner''s rights: cart to order in one transaction, all or nothing.';
comment on function interlock.checkout_line is
  'Buy a single line of a physical product, as most carts are, without sets: every array and aggregate of the way for a whole cart costs a request of one line more than the row it is made for.';
comment on function interlock.claim_product_codes_atomic is
  'What public.claim_product_codes_atomic does, with its owner''s rights.';
comment on function interlock.correct_order is
  'What public.correct_order does, with its owner''s rights: another address, contact or metadata for an order, each as a whole; what is null stays.';
comment on function interlock.count_free_codes is
  'Move the stock of digital products with their free codes.';
comment on function interlock.count_open_orders is
  'Trigger: keep the open orders of customers counted, whoever changes an order and whatever it becomes.';
comment on function interlock.count_orders_so_far is
  'Trigger: where customers get a limit that had none, the orders that are open by now count from here on.';
comment on function interlock.create_order_transfer is
  'What public.create_order_transfer does, with its owner''s rights: a token by which the account that the guest signs in to takes over what the guest has, for settings.transfer_lifetime.';
comment on function interlock.end_reservation is
  'End the reservation of a customer: its units are on the shelf again.';
comment on function interlock.expire_cart_reservations is
  'End reservations whose time is over, each in a sub-transaction of its own, and forget customers who may reserve anew in any case; answers how many.';
comment on function interlock.expire_orders is
  'End orders that were not paid, or that the shop has not gone on with, in time, or whose proof of payment nobody decided in time; answers how many.';
comment on function interlock.find_checkout_problems is
  'What is wrong with the shape of a request, all of it; null if nothing is.';
comment on function interlock.find_detail_problems is
  'What is wrong with the details of an order, all of it; an empty list if nothing is.';
comment on function interlock.find_line_problems is
  'What is wrong with the lines of an order that a call names, all of it; an empty list if nothing is.';
comment on function interlock.find_ordered_cart is
  'The live order of a cart, as an error shows it: one that was not cancelled, has not expired and was not refunded.';
comment on function interlock.forget_order_details is
  'Trigger: where an order loses its buyer, their address and contact go, with all that they ever were, and the mails about it.';
comment on function interlock.fulfill_order is
  'What public.fulfill_order does, with its owner''s rights: the goods are handed over.';
comment on function interlock.guard_order_change is
  'Refuse an illegal change of an order, fill in the time a new status implies.';
comment on function interlock.guard_product_code is
  'Refuse a code for a physical product, one in which there is nothing to see, another product for a code, giving a delivered code to anybody else or free, and a replacement that is none or a second one.';
comment on function interlock.has_to_ship is
  'Whether anything of an order is still to be sent: a unit of a physical product that has not left and was not refunded.';
comment on function interlock.is_amount is
  'Whether a member of a request is an amount of money: a whole number that JavaScript can read.';
comment on function interlock.is_guest is
  'Whether an account is a guest''s, by anonymous sign-in.';
comment on function interlock.is_open_order is
  'Whether an order of this status holds goods that nobody has paid for.';
comment on function interlock.is_owed_order is
  'Whether an order of this status is not at its end: somebody owes money or goods.';
comment on function interlock.is_plain_cart is
  'Whether every line of a cart is written as most are, so that nothing can be wrong with it: a plain look, line by line in expressions, which for most carts costs less than any statement.';
comment on function interlock.line_through is
  'What the first so many units of a line of an order come to: their price, their share of its discount, and of its tax the share of what is then left.';
comment on function interlock.list_orders is
  'What public.list_orders does, with its owner''s rights: how staff and the shop read orders.';
comment on function interlock.lock_cart is
  'Lock a cart of a customer: of those who order it at the same time one comes first, and the others find its order.';
comment on function interlock.lock_order is
  'Lock an order; the one helper for this kind of lock.';
comment on function interlock.look_at_cart is
  'Look at what a cart has, without a lock.';
comment on function interlock.look_at_terms is
  'What the products of a cart ask beside their stock, for a cart that has one of which not just the stock is asked: which are untracked, whether any may owe units, every shortage, whatever is above its limit for one order, and whether there is one with a limit for a customer.';
comment on function interlock.move_goods is
  'Bring the goods of a confirmed or paid order on, once.';
comment on function interlock.move_guest is
  'Give an account what a guest has: orders with all that belongs to them, the money in the wallet, uses of promo codes and codes that are named for them, what counts against their limits, and a copy of the idempotency keys, so that a submission that is sent again is found by whoever sends it, and what they have reserved.';
comment on function interlock.move_order is
  'Bring one order to a status, once.';
comment on function interlock.move_orders is
  'What public.move_orders does, with its owner''s rights: what a guest has moves to an account, by staff who know that both are one person.';
comment on function interlock.move_reservation is
  'Give an account what a guest has reserved, as it is and for as long.';
comment on function interlock.new_order is
  'A new order with the terms that follow from how it is paid: its first status, and when it is paid or has to be.';
comment on function interlock.normal_code is
  'The normal form of a digital key: one product has each key once, however it was entered (blanks around it, another case, full-width letters, a dash that a word processor has made of a hyphen).';
comment on function interlock.note_backorders is
  'Say in the lines of an order how many of their units were not there.';
comment on function interlock.note_tax_rates is
  'Trigger: keep in settings.taxed whether there are tax rates.';
comment on function interlock.order_answer is
  'The answer of the functions of an order''s life: success, and the order.';
comment on function interlock.order_rest is
  'What is left of the lines of an order: units that were not refunded, and those of them that have not been sent.';
comment on function interlock.order_times_match is
  'Whether an order has the times and goods that its status says, and no others.';
comment on function interlock.order_to_json is
  'An order as its buyer sees it, with its lines, its details and, once paid, its codes; with what was refunded of it in parts, and its parcels, if there are any.';
comment on function interlock.price_change is
  'What PRICE_CHANGED tells: what was expected and what it is, for the cart and for each line.';
comment on function interlock.process_order is
  'What public.process_order does, with its owner''s rights: the shop picks and packs the goods.';
comment on function interlock.quote_order is
  'What public.quote_order does, with its owner''s rights: what a checkout would charge for a cart, by the same arithmetic and the same prices.';
comment on function interlock.record_order_event is
  'Check what an order has become, and write its history: one trigger for both, as each costs every sale a call.';
comment on function interlock.redeem_order_transfer is
  'What public.redeem_order_transfer does, with its owner''s rights: whoever holds a guest''s token and is signed in to an account takes over what the guest has.';
comment on function interlock.refund_order is
  'What public.refund_order does, with its owner''s rights.';
comment on function interlock.refund_order_lines is
  'What public.refund_order_lines does, with its owner''s rights: so many units of lines of an order, and its shipping, are taken off it.';
comment on function interlock.release_cart is
  'What public.release_cart does, with its owner''s rights.';
comment on function interlock.reopen_order is
  'What public.reopen_order does, with its owner''s rights: an order that has expired, and whose money is there after all, takes its units, codes, promo use and the wallet''s part again, all or nothing, for the price it had.';
comment on function interlock.replace_product_code is
  'What public.replace_product_code does, with its owner''s rights: a delivered key that does not work gets another one in its place, once.';
comment on function interlock.reserve_cart is
  'What public.reserve_cart does, with its owner''s rights: a customer''s cart is theirs for settings.cart_reservation_window.';
comment on function interlock.retake_order is
  'Bring an order that ended unpaid back: it takes its units, codes, promo use and the wallet''s part again, all or nothing, for the price it had, and waits for its payment as it did at first.';
comment on function interlock.settle_orders is
  'Trigger: what a new status of orders brings with it, whoever changes it, and exactly once: the row is locked, the transitions end in final statuses, and an order ends in one statement only.';
comment on function interlock.shape_details is
  'The details of an order as its buyer sees them: those that there are.';
comment on function interlock.shape_order is
  'An order as its buyer sees it, with its lines, and its details and the wallet''s part if it has any.';
comment on function interlock.share_of is
  'The share of an amount that falls to a part of something, half a minor unit rounded up; nothing of nothing.';
comment on function interlock.ship_order is
  'What public.ship_order does, with its owner''s rights: the goods have left, or what was left of them, in one parcel.';
comment on function interlock.ship_order_lines is
  'What public.ship_order_lines does, with its owner''s rights: a part of an order has left, in a parcel of its own.';
comment on function interlock.take_customer_limits is
  'Refuse what would bring a customer above products.max_per_customer.';
comment on function interlock.take_off_order is
  'Take units of lines, and the shipping, off an order, as public.refund_order_lines says: before it is paid it costs less by that, after that the money goes back.';
comment on function interlock.take_open_order is
  'Count one more open order of a customer, within the limits.';
comment on function interlock.take_product_codes is
  'Give free codes to an order: exactly the quantities, or an error.';
comment on function interlock.take_reservation is
  'Lock the reservation of a customer and take its lines out of it: what they have taken from the stock is the caller''s to give back or to sell.';
comment on function interlock.tax_of is
  'The tax on an amount, half a minor unit rounded up: a share of it where it is in the amount, else what is added.';
comment on function interlock.transfer_answer is
  'The answer to whoever has moved what a guest had.';

-- Who may call what of orders. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.cancel_order(uuid, text),
  public.checkout(jsonb, text, uuid, text, text, bigint, jsonb, jsonb, jsonb, text, uuid, uuid, bigint),
  public.claim_product_codes_atomic(uuid, int, uuid, text),
  public.correct_order(uuid, jsonb, jsonb, jsonb),
  public.create_order_transfer(),
  public.expire_cart_reservations(int),
  public.expire_orders(int),
  public.fulfill_order(uuid),
  public.list_orders(text, uuid, uuid, int, bigint),
  public.move_orders(uuid, uuid),
  public.process_order(uuid),
  public.quote_order(jsonb, text, text, jsonb, uuid),
  public.redeem_order_transfer(text),
  public.refund_order(uuid, boolean),
  public.refund_order_lines(uuid, jsonb, text, boolean, boolean, boolean, text),
  public.release_cart(),
  public.reopen_order(uuid, boolean),
  public.replace_product_code(bigint, text, text),
  public.reserve_cart(jsonb),
  public.ship_order(uuid, text),
  public.ship_order_lines(uuid, jsonb, text, text)
from public, anon, authenticated, service_role;

grant execute on function
  public.cancel_order(uuid, text), interlock.cancel_order,
  public.create_order_transfer(), interlock.create_order_transfer,
  public.redeem_order_transfer(text), interlock.redeem_order_transfer,
  public.checkout(jsonb, text, uuid, text, text, bigint, jsonb, jsonb, jsonb, text, uuid, uuid, bigint), interlock.checkout, interlock.checkout_line,
  public.quote_order(jsonb, text, text, jsonb, uuid), interlock.quote_order,
  public.reserve_cart(jsonb), interlock.reserve_cart,
  public.release_cart(), interlock.release_cart,
  -- For the shop: staff by token, anybody else is refused.
  public.process_order(uuid), interlock.process_order,
  public.ship_order(uuid, text), interlock.ship_order,
  public.ship_order_lines(uuid, jsonb, text, text), interlock.ship_order_lines,
  public.fulfill_order(uuid), interlock.fulfill_order,
  public.refund_order(uuid, boolean), interlock.refund_order,
  public.refund_order_lines(uuid, jsonb, text, boolean, boolean, boolean, text), interlock.refund_order_lines,
  public.correct_order(uuid, jsonb, jsonb, jsonb), interlock.correct_order,
  public.reopen_order(uuid, boolean), interlock.reopen_order,
  public.move_orders(uuid, uuid), interlock.move_orders,
  public.list_orders(text, uuid, uuid, int, bigint), interlock.list_orders,
  public.replace_product_code(bigint, text, text), interlock.replace_product_code
to authenticated, service_role;

-- The shop adds codes, and an index compares them.
grant execute on function interlock.normal_code to service_role;

grant execute on function
  public.claim_product_codes_atomic(uuid, int, uuid, text), interlock.claim_product_codes_atomic,
  public.expire_cart_reservations(int), interlock.expire_cart_reservations,
  public.expire_orders(int), interlock.expire_orders
to service_role;

-- What apps and the shop read of orders over REST, each where its name is free in public (interlock.expose).
select interlock.expose('orders');
select interlock.expose('order_items');
select interlock.expose('order_events');
select interlock.expose('order_refunds');
select interlock.expose('order_refund_items');
select interlock.expose('order_shipments');
select interlock.expose('order_shipment_items');
select interlock.expose('order_details');
select interlock.expose('cart_reservations');
select interlock.expose('cart_reservation_lines');
select interlock.expose('shipping_methods');
select interlock.expose('tax_rates');
select interlock.expose('order_detail_changes');
select interlock.expose('product_codes');
select interlock.expose('code_differences');
