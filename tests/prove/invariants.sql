-- What must hold at any moment, whoever did what: one row for each place where it does not.
--
-- $1 limits the look to these products, users, batches, promo codes, tills and customers; null looks at all.

with
chosen as (select $1::uuid[] as ids),
-- What is in the slots of each product and promo code that has some.
slots as (
  select s.owner_id, count(*) as slots, sum(s.granted) as granted, sum(s.used) as used
  from interlock.counter_slots s group by s.owner_id
),
-- `stock` is what people may see: of a product with slots, what was sold from them is taken off. `net` is less what is owed.
products as (
  select
    p.*, p.available_quantity - coalesce(s.used, 0) as stock,
    p.available_quantity - p.backordered - coalesce(s.used, 0) as net
  from interlock.products p
  cross join chosen c
  left join slots s on s.owner_id = p.id
  where c.ids is null or p.id = any (c.ids)
),
users as (
  select u.id from auth.users u, chosen c where c.ids is null or u.id = any (c.ids)
),
batches as (
  select b.* from interlock.batches b, chosen c where c.ids is null or b.id = any (c.ids)
),
promos as (
  select p.*, p.used_count + coalesce(s.used, 0) as uses
  from interlock.promo_codes p
  cross join chosen c
  left join slots s on s.owner_id = p.id
  where c.ids is null or p.id = any (c.ids)
),
orders as (
  select o.*, o.status not in ('cancelled', 'expired', 'refunded') as stands
  from interlock.orders o, chosen c
  where c.ids is null or o.user_id in (select id from users)
),
items as (
  select i.*, o.stands, o.fulfillment, o.paid_at, coalesce(r.refunded, 0) as refunded, coalesce(r.restocked, 0) as restocked,
    coalesce(r.from_shelf, 0) as from_shelf, coalesce(s.sent, 0) as sent
  from interlock.order_items i
  join orders o on o.id = i.order_id
  left join lateral (
    select sum(f.quantity) as refunded, sum(f.restocked) as restocked, sum(f.from_shelf) as from_shelf
    from interlock.order_refund_items f
    where f.order_id = i.order_id and f.product_id = i.product_id
  ) r on true
  left join lateral (
    select sum(f.quantity) as sent
    from interlock.order_shipment_items f
    where f.order_id = i.order_id and f.product_id = i.product_id
  ) s on true
),
registers as (
  select r.* from interlock.registers r, chosen c where c.ids is null or r.id = any (c.ids)
),
codes as (
  select c.* from interlock.product_codes c join products p on p.id = c.product_id
),

-- Stock is never negative, and is what its ledger adds up to.
stock as (
  select 'stock is negative' as rule, p.id::text as what from products p where p.stock < 0
  union all
  select format('%s units are owed, and %s are there', p.backordered, p.stock), p.id::text
  from products p
  where p.backordered < 0 or (p.backordered > 0 and p.stock > 0)
  union all
  select format('stock is %s, its ledger says %s', p.net, coalesce(m.sum, 0)), p.id::text
  from products p
  left join (
    select s.product_id, sum(s.delta) from interlock.stock_movements s
    where s.product_id in (select id from products) and s.location_id = interlock.online_location()
    group by s.product_id
  ) m on m.product_id = p.id
  where p.net <> coalesce(m.sum, 0)
  union all
  select format('stock at a location is %s, its ledger says %s', i.quantity, m.sum), i.product_id::text
  from interlock.inventory i
  cross join lateral (
    select coalesce(sum(s.delta), 0) as sum from interlock.stock_movements s
    where s.product_id = i.product_id and s.location_id = i.location_id
  ) m
  where i.product_id in (select id from products) and i.quantity <> m.sum
),
-- Each row of the ledger has the sum of all up to it, if it has one. (Without slots the rows of a product
-- are written under the lock of its row, so their ids are in the order of the changes. Those of sales from
-- slots are written side by side, but all after the slots were switched on and before they are switched off.)
stock_chain as (
  select 'the stock ledger has a gap' as rule, s.product_id::text as what
  from (
    select m.product_id, m.balance_after,
      sum(m.delta) over (partition by m.product_id, m.location_id order by m.id) as sum
    from interlock.stock_movements m
    where m.product_id in (select id from products)
  ) s
  where s.balance_after <> s.sum
  union all
  select 'a row of the ledger of a digital product has no balance', m.product_id::text
  from interlock.stock_movements m
  where m.balance_after is null
    and m.product_id in (select id from products p where p.kind = 'digital')
),
-- No slot has used more than it was granted, and no more is granted than the counter of the owner covers;
-- the owner's row says how many slots it has, and none is left behind by an owner that is gone.
counter_slots as (
  select format('a slot has used %s of %s', s.used, s.granted) as rule, s.owner_id::text as what
  from interlock.counter_slots s, chosen c
  where (c.ids is null or s.owner_id = any (c.ids)) and s.used not between 0 and s.granted
  union all
  select format('slots are granted %s units of %s', s.granted, p.available_quantity), p.id::text
  from products p join slots s on s.owner_id = p.id
  where s.granted > p.available_quantity
  union all
  select format('slots are granted %s uses, %s of %s are used', s.granted, p.used_count, p.max_uses), p.id::text
  from promos p join slots s on s.owner_id = p.id
  where s.granted > coalesce(p.max_uses, 2147483647)::bigint - p.used_count
  union all
  select format('a product has %s slots, its row says %s', coalesce(s.slots, 0), p.stock_slots), p.id::text
  from products p left join slots s on s.owner_id = p.id
  where coalesce(s.slots, 0) <> p.stock_slots
  union all
  select format('a code has %s slots, its row says %s', coalesce(s.slots, 0), p.use_slots), p.id::text
  from promos p left join slots s on s.owner_id = p.id
  where coalesce(s.slots, 0) <> p.use_slots
  union all
  select 'slots of nobody', s.owner_id::text
  from slots s
  where not exists (select from interlock.products p where p.id = s.owner_id)
    and not exists (select from interlock.promo_codes p where p.id = s.owner_id)
),
-- No unit is lost or made: what orders took and gave back is what they have.
units as (
  select format('orders have %s units, the ledger says %s', coalesce(sold.units, 0), coalesce(taken.units, 0)),
    p.id::text
  from products p
  left join (
    -- What a part has kept off the shelf is kept off it.
    select
      i.product_id,
      sum(
        case when i.stands or i.fulfillment in ('shipped', 'delivered') then i.quantity else i.from_shelf + i.sent end
          - i.restocked
      ) as units
    from items i
    where not i.untracked
    group by i.product_id
  ) sold on sold.product_id = p.id
  left join (
    select m.product_id, -sum(m.delta) as units
    from interlock.stock_movements m
    where m.reference_id in (select id from orders)
      and m.product_id in (select id from products)
    group by m.product_id
  ) taken on taken.product_id = p.id
  where p.kind = 'physical'
    and coalesce(sold.units, 0) <> coalesce(taken.units, 0)
),
-- What is reserved is what was taken for it; only a reservation that there is has lines, and it counts as much as it says.
reservations as (
  select format('reservations have %s units, the ledger says %s', coalesce(r.units, 0), coalesce(m.units, 0)) as rule,
    p.id::text as what
  from products p
  left join (
    select l.product_id, sum(l.quantity) as units
    from interlock.cart_reservation_lines l where not l.untracked group by l.product_id
  ) r on r.product_id = p.id
  left join (
    select s.product_id, -sum(s.delta) as units
    from interlock.stock_movements s
    where s.reason in ('cart_reserved', 'cart_released', 'cart_expired', 'cart_redeemed')
    group by s.product_id
  ) m on m.product_id = p.id
  where coalesce(r.units, 0) <> coalesce(m.units, 0)
  union all
  select 'a reservation that is over has lines, or one that is not has none', u.id::text
  from users u
  left join interlock.cart_reservations c on c.user_id = u.id
  where (c.expires_at is not null)
    <> exists (select from interlock.cart_reservation_lines l where l.user_id = u.id)
),
-- A digital product's stock is its free codes; an order that stands has the codes it bought, and one
-- that ended has only codes that were delivered.
digital as (
  select 'stock is not the number of free codes' as rule, p.id::text as what
  from products p
  where p.kind = 'digital'
    and p.available_quantity <> (select count(*) from codes c where c.product_id = p.id and c.order_id is null)
  union all
  select 'an order has not the codes it bought', i.order_id::text
  from items i
  where i.kind = 'digital'
    and i.stands
    and i.quantity - i.restocked <> (
      select count(*) from codes c
      where c.order_id = i.order_id and c.product_id = i.product_id and c.replaced_by is null
    )
  union all
  select 'an ended order keeps a code that nobody has seen', c.order_id::text
  from codes c join orders o on o.id = c.order_id
  where not o.stands and c.used_at is null
  union all
  select 'a paid order has a code that was not delivered, or an unpaid one has one that was', c.order_id::text
  from codes c join orders o on o.id = c.order_id
  where o.stands and (o.paid_at is null) <> (c.used_at is null)
),
-- A wallet is never negative and is what its ledger adds up to; each order was debited once and, when
-- it ended, credited once.
wallet as (
  select 'a wallet is negative' as rule, w.user_id::text as what
  from interlock.wallets w where w.user_id in (select id from users) and w.balance < 0
  union all
  select format('a wallet has %s, its ledger says %s', w.balance, coalesce(m.sum, 0)), w.user_id::text
  from interlock.wallets w
  left join (
    select v.user_id, sum(v.delta) from interlock.wallet_movements v
    where v.user_id in (select id from users) group by v.user_id
  ) m on m.user_id = w.user_id
  where w.user_id in (select id from users) and w.balance <> coalesce(m.sum, 0)
  union all
  select format('an order cost its wallet %s and not %s', -coalesce(m.sum, 0), d.due), d.id::text
  from (
    select o.id,
      case
        when o.payment_method = 'wallet' then
          case when o.stands then o.total - o.refunded else 0 end
            + (select coalesce(sum(r.by_shop), 0) from interlock.order_refunds r where r.order_id = o.id)
        -- What is paid in the other way goes back first.
        when o.stands then least(o.wallet_amount, o.total - o.refunded)
        else 0
      end as due
    from orders o
  ) d
  left join (
    select v.reference_id, sum(v.delta) from interlock.wallet_movements v
    where v.user_id in (select id from users) and v.reason <> 'top_up' group by v.reference_id
  ) m on m.reference_id = d.id
  where -coalesce(m.sum, 0) <> d.due
  union all
  select 'the wallet ledger has a gap', s.user_id::text
  from (
    select v.user_id, v.delta, v.balance_after,
      lag(v.balance_after, 1, 0::bigint) over (partition by v.user_id order by v.id) as before
    from interlock.wallet_movements v
    where v.user_id in (select id from users)
  ) s
  where s.before + s.delta <> s.balance_after
),
-- Money that came by card pays its order, once; what else has come is due to go back, or somebody has to look.
payments as (
  select format('an order that is %s keeps %s sums of money', o.status, count(*)) as rule, o.id::text as what
  from orders o
  join interlock.payments p on p.order_id = o.id
  where p.status = 'succeeded'
  group by o.id, o.status, o.stands
  having count(*) > 1 or not o.stands or o.status in ('pending_payment', 'confirmed')
),
-- Promo codes: the counters are the uses that count, and never more than the limits; an order that
-- stands has the use of its code, one that ended has none.
promo as (
  select format('a code counts %s uses and has %s', p.uses, u.uses) as rule, p.id::text as what
  from promos p
  cross join lateral (
    select count(*) as uses from interlock.promo_redemptions r
    where r.promo_id = p.id and r.status in ('held', 'redeemed')
  ) u
  where p.uses <> u.uses or u.uses > p.max_uses
  union all
  select format('a customer has %s uses of a code, counted %s', r.uses, coalesce(c.used, 0)), r.promo_id::text
  from (
    select r.promo_id, r.user_id, p.max_uses_per_user, count(*) as uses
    from interlock.promo_redemptions r
    join promos p on p.id = r.promo_id
    where r.status in ('held', 'redeemed') and r.user_id is not null
    group by r.promo_id, r.user_id, p.max_uses_per_user
  ) r
  left join interlock.promo_user_uses c on c.promo_id = r.promo_id and c.user_id = r.user_id
  where r.uses is distinct from c.used or r.uses > r.max_uses_per_user
  union all
  select 'an order stands without its use of a code, or ended with one', o.id::text
  from orders o
  where o.promo_code_id is not null
    and o.stands <> exists (
      select 1 from interlock.promo_redemptions r where r.order_id = o.id and r.status = 'redeemed'
    )
),
-- What counts of a customer's open orders is what is counted, and a cart has one live order at most.
open_orders as (
  select
    format('%s open orders of %s units count, counted are %s and %s', r.orders, r.units, c.orders, c.units) as rule,
    u.id::text as what
  from users u
  left join interlock.customer_open_orders c on c.user_id = u.id
  cross join lateral (
    select
      count(*) as orders,
      coalesce(sum(o.counted_units), 0)
        + coalesce((select v.counted_units from interlock.cart_reservations v where v.user_id = u.id), 0) as units
    from orders o
    where o.user_id = u.id and o.counted_units is not null and o.status in ('pending_payment', 'confirmed')
  ) r
  where (r.orders, r.units) is distinct from (coalesce(c.orders, 0), coalesce(c.units, 0))
  union all
  select format('a cart has %s live orders', count(*)), o.cart_id::text
  from orders o
  where o.stands and o.user_id is not null and o.cart_id is not null
  group by o.user_id, o.cart_id
  having count(*) > 1
),
-- An order's amounts are those of its lines, and of its parts.
amounts as (
  select 'an order''s subtotal is not the sum of its lines' as rule, o.id::text as what
  from orders o
  where o.subtotal <> (select coalesce(sum(i.quantity * i.unit_price), 0) from items i where i.order_id = o.id)
  union all
  select 'an order''s discount is not the sum of its lines''', o.id::text
  from orders o
  where o.discount <> (select coalesce(sum(i.discount), 0) from items i where i.order_id = o.id)
  union all
  select 'an order''s tax is not that of its lines and its shipping', o.id::text
  from orders o
  where o.tax <> o.shipping_tax + (select coalesce(sum(i.tax), 0) from items i where i.order_id = o.id)
    or o.tax_included > o.tax
  union all
  select 'more is taken off a line than it costs', i.order_id::text
  from items i
  where i.discount > i.quantity * i.unit_price
  union all
  select format('an order has refunded %s, its parts are %s', o.refunded, r.amount), o.id::text
  from orders o
  cross join lateral (
    select coalesce(sum(f.amount), 0) as amount from interlock.order_refunds f where f.order_id = o.id
  ) r
  where o.refunded <> r.amount
  union all
  select 'a part is not the sum of its lines', r.id::text
  from interlock.order_refunds r
  where r.order_id in (select id from orders)
    and r.amount <> r.shipping
      + case when r.with_shipping then
        (select o.shipping_tax - o.tax_included from orders o where o.id = r.order_id)
          + (select coalesce(sum(i.tax) filter (where i.tax_inclusive), 0) from items i where i.order_id = r.order_id)
      else 0 end
      + (select coalesce(sum(f.amount), 0) from interlock.order_refund_items f where f.refund_id = r.id)
  union all
  select format('%s of %s units are refunded, and the order stands, or more than all have left', sum(i.refunded), sum(i.quantity)), i.order_id::text
  from items i
  group by i.order_id
  having bool_or(greatest(i.refunded, i.from_shelf + i.sent) > i.quantity) or (bool_and(i.stands) and sum(i.refunded) = sum(i.quantity))
),
-- One effect for each key: two keys never have the same order as their answer, the order is there,
-- and no key is without its answer.
keys as (
  select 'a key has no answer' as rule, k.key as what
  from interlock.idempotency_keys k
  where k.user_id in (select id from users) and k.response is null
  union all
  select 'two keys have one order', min(k.key)
  from interlock.idempotency_keys k
  where k.user_id in (select id from users) and k.operation = 'checkout'
  group by k.response::jsonb -> 'order' ->> 'id'
  having count(*) > 1
  union all
  select 'a key has an order that is not there', k.key
  from interlock.idempotency_keys k
  where k.user_id in (select id from users)
    and k.operation = 'checkout'
    and not exists (select 1 from orders o where o.id = (k.response::jsonb -> 'order' ->> 'id')::uuid)
),
-- One batch for each driver, one driver for each lease.
leases as (
  select 'a driver holds several batches' as rule, b.driver_id::text as what
  from batches b
  where b.status in ('claimed', 'in_progress')
  group by b.driver_id
  having count(*) > 1
),
-- A batch's history: versions go up; after a claim nobody else claims, acts or finishes before it was
-- given back or its lease was over; and the last event is the state.
events as (
  select e.*,
    lag(e.event) over w as before_event,
    lag(e.driver_id) over w as before_driver,
    lag(e.version) over w as before_version,
    row_number() over (partition by e.batch_id order by e.id desc) as from_last
  from interlock.batch_events e
  where e.batch_id in (select id from batches)
  window w as (partition by e.batch_id order by e.id)
),
history as (
  select format('%s after %s', e.event, coalesce(e.before_event, 'nothing')) as rule, e.batch_id::text as what
  from events e
  where e.version < e.before_version
    or (e.event in ('claimed', 'assigned') and coalesce(e.before_event, 'none') not in ('created', 'released', 'expired'))
    or (
      e.event in ('renewed', 'started', 'completed', 'released', 'expired')
      and (
        coalesce(e.before_event, 'none') not in ('claimed', 'assigned', 'renewed', 'started')
        or e.driver_id is distinct from e.before_driver
      )
    )
  union all
  select format('the last event is %s and the status %s', e.event, b.status), b.id::text
  from events e join batches b on b.id = e.batch_id
  where e.from_last = 1
    and b.status <> case e.event
      -- Whoever claims again what they have started is on the road with it still.
      when 'claimed' then case b.status when 'in_progress' then b.status else 'claimed' end
      when 'assigned' then case b.status when 'in_progress' then b.status else 'claimed' end
      when 'created' then 'available'
      when 'released' then 'available'
      when 'expired' then 'available'
      when 'started' then 'in_progress'
      when 'renewed' then b.status
      else e.event
    end
),
-- An order's history, of what is too young for interlock.purge_history: it begins as the order does, tells each status and each
-- state of the goods that the order has come to, in an order in which it can, and nothing else; and the last of each is the state.
told_orders as (
  select o.id, o.status::text, o.fulfillment::text, o.paid_at, o.fulfilled_at, o.shipped_at,
    case
      when o.payment_method = 'wallet' or o.total = o.wallet_amount then 'paid'
      when o.payment_method = 'cash_on_delivery' then 'confirmed'
      else 'pending_payment'
    end as begun
  from orders o
  cross join interlock.settings t
  where o.created_at > interlock.clock() - coalesce(t.keep_order_events, interval '1000 years')
),
order_story as (
  select e.order_id, e.id, e.event::text, k.kind, lag(e.event::text) over (partition by e.order_id, k.kind order by e.id) as before_event
  from interlock.order_events e
  cross join lateral (
    select case
      when e.event in ('pending_payment', 'confirmed', 'paid', 'fulfilled', 'cancelled', 'expired', 'refunded') then 'status'
      when e.event in ('processing', 'partly_shipped', 'shipped') then 'goods'
      when e.event = 'lines_refunded' then 'part'
    end as kind
  ) k
  where e.order_id in (select id from told_orders) and k.kind is not null
),
order_history as (
  select format('%s after %s', e.event, coalesce(e.before_event, 'nothing')) as rule, e.order_id::text as what
  from order_story e join told_orders o on o.id = e.order_id
  where not case e.kind
    when 'status' then case coalesce(e.before_event, 'nothing')
      when 'nothing' then e.event = o.begun
      when 'pending_payment' then e.event in ('paid', 'cancelled', 'expired')
      when 'confirmed' then e.event in ('paid', 'cancelled', 'expired')
      when 'paid' then e.event in ('fulfilled', 'cancelled', 'refunded')
      when 'fulfilled' then e.event = 'refunded'
      -- Taken again.
      when 'cancelled' then e.event in ('pending_payment', 'confirmed')
      when 'expired' then e.event in ('pending_payment', 'confirmed')
      else false
    end
    when 'goods' then case coalesce(e.before_event, 'nothing')
      when 'nothing' then true
      when 'shipped' then false
      -- Each further part is told.
      else e.event in ('partly_shipped', 'shipped')
    end
    else true
  end
  union all
  select w.rule, o.id::text
  from told_orders o
  left join (
    select e.order_id,
      (array_agg(e.event order by e.id desc) filter (where e.kind = 'status'))[1] as status,
      (array_agg(e.event order by e.id desc) filter (where e.kind = 'goods'))[1] as goods,
      count(*) filter (where e.event = 'paid') as paid,
      count(*) filter (where e.event = 'fulfilled') as fulfilled,
      count(*) filter (where e.event = 'partly_shipped') as partly_shipped,
      count(*) filter (where e.kind = 'part') as parts
    from order_story e
    group by e.order_id
  ) t on t.order_id = o.id
  cross join lateral (select count(*) as parts from interlock.order_refunds f where f.order_id = o.id) r
  cross join lateral (select count(*) as parcels from interlock.order_shipments f where f.order_id = o.id) p
  cross join lateral (
    values
      (t.status is distinct from o.status, format('the last event is %s and the status %s', coalesce(t.status, 'missing'), o.status)),
      (
        case o.fulfillment
          when 'unfulfilled' then t.goods is not null
          -- Its status tells it.
          when 'delivered' then (t.goods is not distinct from 'shipped') <> (o.shipped_at is not null)
          else t.goods is distinct from o.fulfillment
        end,
        format('the last event of the goods is %s and they are %s', coalesce(t.goods, 'missing'), o.fulfillment)
      ),
      (
        coalesce(t.paid, 0) <> (o.paid_at is not null)::int,
        format('an order that was %s is told %s times to be', case when o.paid_at is null then 'not paid' else 'paid' end, coalesce(t.paid, 0))
      ),
      (
        coalesce(t.fulfilled, 0) <> (o.fulfilled_at is not null)::int,
        format('an order that was %s is told %s times to be', case when o.fulfilled_at is null then 'not fulfilled' else 'fulfilled' end, coalesce(t.fulfilled, 0))
      ),
      (
        -- What is shipped at last may have been the last parcel, or none.
        p.parcels - coalesce(t.partly_shipped, 0) not between 0 and (o.shipped_at is not null)::int,
        format('an order has %s parcels, and %s parts are told to be shipped', p.parcels, coalesce(t.partly_shipped, 0))
      ),
      (
        coalesce(t.parts, 0) <> r.parts,
        format('%s parts are taken off an order, and %s are told', r.parts, coalesce(t.parts, 0))
      )
  ) w (is_broken, rule)
  where w.is_broken
),
-- Points are what their ledger adds up to; nobody has some and owes some, and a sale that is void has neither earned nor spent any.
points as (
  select format('a customer has %s points and owes %s, their ledger says %s and %s', a.balance, a.owed, m.points, m.owed) as rule,
    a.customer_id::text as what
  from interlock.points_accounts a
  cross join chosen c
  cross join lateral (
    select coalesce(sum(v.points), 0) as points, coalesce(sum(v.owed), 0) as owed
    from interlock.points_movements v
    where v.customer_id = a.customer_id
  ) m
  where (c.ids is null or a.customer_id = any (c.ids))
    and ((a.balance, a.owed) is distinct from (m.points, m.owed) or least(a.balance, a.owed) <> 0)
  union all
  select format('a void sale has left %s points', sum(v.points - v.owed)), s.id::text
  from interlock.sales s
  join interlock.points_movements v on v.sale_id = s.id
  where s.status = 'voided' and s.register_id in (select id from registers)
  group by s.id
  having sum(v.points - v.owed) <> 0
),
-- A till has a receipt of each number. What a sale took of the stock is what it sold, less what came back with it and what was not
-- there, or nothing if it is void; its amounts add up, and no more has come back of it than it sold.
tills as (
  select format('a till has counted %s receipts, and %s sales up to %s', r.last_receipt, s.sales, s.last) as rule, r.id::text as what
  from registers r
  cross join lateral (
    select count(*) as sales, coalesce(max(a.receipt_number), 0) as last from interlock.sales a where a.register_id = r.id
  ) s
  where r.last_receipt <> s.sales or r.last_receipt <> s.last
  union all
  select format('a sale is %s of %s, the ledger says %s', s.status, b.sold, b.taken), s.id::text
  from interlock.sales s
  cross join lateral (
    select u.product_id, sum(u.sold) filter (where s.status = 'completed') as sold, sum(u.taken) as taken
    from (
      select l.product_id, l.quantity as sold, 0 as taken from interlock.sale_lines l where l.sale_id = s.id and not l.untracked
      union all
      select e.product_id, -e.quantity, 0 from interlock.sale_returns e where e.sale_id = s.id and e.inventory_id is not null
      union all
      select f.product_id, -f.quantity, 0 from interlock.sale_shortfalls f where f.sale_id = s.id and f.taken_at is null
      union all
      select m.product_id, 0, -m.delta from interlock.stock_movements m where m.reference_id = s.id
    ) u
    group by u.product_id
  ) b
  where s.register_id in (select id from registers) and coalesce(b.sold, 0) <> b.taken
  union all
  select 'a sale is not the sum of its lines less what came back, or was not paid', s.id::text
  from interlock.sales s
  where s.register_id in (select id from registers)
    and (
      s.total <> (select coalesce(sum(l.total), 0) from interlock.sale_lines l where l.sale_id = s.id)
        - (select coalesce(sum(e.amount), 0) from interlock.sale_returns e where e.sale_id = s.id)
      or abs(s.total) + s.change_due <> (select coalesce(sum(t.amount), 0) from interlock.sale_tenders t where t.sale_id = s.id)
    )
  union all
  select format('of a line %s came back for %s, it says %s for %s', e.quantity, e.amount, l.returned_quantity, l.returned_amount), l.sale_id::text
  from interlock.sales s
  join interlock.sale_lines l on l.sale_id = s.id
  cross join lateral (
    select coalesce(sum(e.quantity), 0) as quantity, coalesce(sum(e.amount), 0) as amount
    from interlock.sale_returns e
    join interlock.sales a on a.id = e.sale_id and a.status = 'completed'
    where e.original_sale_id = l.sale_id and e.original_line = l.line
  ) e
  where s.register_id in (select id from registers)
    and ((e.quantity, e.amount) <> (l.returned_quantity, l.returned_amount) or e.quantity > l.quantity or e.amount > l.total)
  union all
  select 'something has come back of a sale that is void', s.id::text
  from interlock.sales s
  join interlock.sale_lines l on l.sale_id = s.id
  where s.register_id in (select id from registers) and s.status = 'voided' and l.returned_quantity > 0
),
-- Each sale is told once, and so is its void, of what is too young for interlock.purge_history; and nothing is told of a sale that there is not.
told_sales as (
  select b.subject::text as sale_id,
    count(*) filter (where b.type = 'sale.completed') as completed,
    count(*) filter (where b.type = 'sale.voided') as voided
  from interlock.outbox b, chosen c
  where b.type in ('sale.completed', 'sale.voided')
    and (c.ids is null or (b.payload ->> 'register_id')::uuid = any (c.ids))
  group by b.subject
),
sale_history as (
  select format('a sale that is %s is told %s times, and its void %s times', s.status, coalesce(t.completed, 0), coalesce(t.voided, 0)) as rule,
    s.id::text as what
  from interlock.sales s
  cross join interlock.settings k
  left join told_sales t on t.sale_id = s.id::text
  where s.register_id in (select id from registers)
    and s.recorded_at > interlock.clock() - coalesce(k.keep_events, interval '1000 years')
    and (coalesce(t.completed, 0), coalesce(t.voided, 0)) <> (1, (s.status = 'voided')::int)
  union all
  select 'a sale is told that there is not', t.sale_id
  from told_sales t
  where not exists (select from interlock.sales s where s.id::text = t.sale_id)
),
-- What parked sales keep is out of the stock, and what has ended keeps nothing.
parked as (
  select format('a parked sale keeps %s, the ledger says %s', b.kept, b.taken) as rule, p.id::text as what
  from interlock.parked_sales p
  cross join lateral (
    select u.product_id, sum(u.kept) as kept, sum(u.taken) as taken
    from (
      select h.product_id, h.quantity as kept, 0 as taken from unnest(p.held_product_ids, p.held_quantities) as h (product_id, quantity)
      union all
      select m.product_id, 0, -m.delta from interlock.stock_movements m where m.reference_id = p.id
    ) u
    group by u.product_id
  ) b
  where p.register_id in (select id from registers) and b.kept <> b.taken
),
packing as (
  select 'the books of a picking session do not agree' as rule,
    format('session %s product %s: %s, %s is %s', d.picking_session_id, d.product_id, d.what, d.counted, d.found) as what
  from interlock.packing_differences d, chosen c
  where c.ids is null or d.product_id = any (c.ids)
  union all
  select 'a line has what was scanned for it',
    format('order %s product %s: %s and not %s', p.order_id, p.product_id, p.quantity_packed, h.packed)
  from interlock.packing_progress p
  cross join chosen c
  cross join lateral (
    select coalesce(sum(s.quantity), 0) as packed
    from interlock.packing_scans s
    where s.picking_session_id = p.picking_session_id
      and s.order_id = p.order_id
      and s.product_id = p.product_id
      and s.action in ('pack', 'unpack', 'take_out')
  ) h
  where (c.ids is null or p.product_id = any (c.ids))
    and exists (select from interlock.packing_scans s where s.picking_session_id = p.picking_session_id and s.order_id = p.order_id)
    and h.packed > p.quantity_packed
)

select rule, what from stock
union all select * from stock_chain
union all select * from counter_slots
union all select * from units
union all select * from reservations
union all select * from digital
union all select * from wallet
union all select * from payments
union all select * from promo
union all select * from open_orders
union all select * from amounts
union all select * from keys
union all select * from leases
union all select * from history
union all select * from order_history
union all select * from points
union all select * from tills
union all select * from sale_history
union all select * from parked
union all select * from packing
