//! What a schedule leaves behind, in words that are the same for equal outcomes on different rows.

use super::conductor::Answer;
use super::stages::{By, Operation, Stage, Sweep};
use crate::harness::stack::user_claims;
use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

/// The names in the scenarios, in the order of the ids that they stand for: locks are taken in the
/// order of ids.
const NAMES: [&str; 17] = [
    "u", "v", "w", "x", "y", "p", "q", "d", "k", "l", "o", "c", "e", "z", "s", "i", "t",
];

/// interlock.online_location().
const ONLINE: &str = "00000000-0000-4000-8000-000000000001";

/// Fields that hold serial numbers.
const SERIAL: [&str; 4] = ["id", "number", "code_id", "replaced_by"];

/// New rows for one schedule.
pub(super) struct World {
    ids: BTreeMap<&'static str, Uuid>,
}

impl World {
    /// New ids.
    pub(super) fn new() -> Self {
        let named = NAMES.iter().zip(1..).map(|(name, number)| {
            let mut bytes = *Uuid::new_v4().as_bytes();
            bytes[0] = number;
            (*name, Uuid::from_bytes(bytes))
        });
        World {
            ids: named.collect(),
        }
    }

    fn id(&self, name: &str) -> Uuid {
        *self.ids.get(name).expect("scenarios use only these names")
    }

    fn fill(&self, sql: &str) -> String {
        self.ids.iter().fold(sql.to_owned(), |sql, (name, id)| {
            sql.replace(&format!("{{{name}}}"), &id.to_string())
        })
    }

    /// What makes the rows of a stage, with nothing left of earlier ones that would be swept.
    pub(super) fn rows(&self, stage: &Stage, swept: impl Iterator<Item = Sweep>) -> String {
        let clear = swept.map(|sweep| sweep.clear.to_owned());
        let given = stage.given.iter().map(|sql| self.fill(sql) + ";");
        let sql: String = clear.chain(given).collect();
        // A call that looks for the time must not come in the transaction of its rows.
        format!("begin; {sql} commit;")
    }

    /// What begins a transaction and makes a call in it.
    pub(super) fn call(&self, operation: &Operation) -> String {
        let (role, claims) = match operation.by {
            By::User(name) => ("authenticated", user_claims(self.id(name))),
            By::Shop => ("service_role", json!({ "role": "service_role" })),
        };
        format!(
            "begin; set local role {role}; select set_config('request.jwt.claims', '{claims}', true); {}",
            self.fill(operation.sql)
        )
    }

    /// Ids by their names, times and serial numbers not at all, and any other id (a new order) as new.
    fn words(&self, value: Value) -> Value {
        match value {
            Value::String(text) => self.word(&text),
            Value::Array(values) => {
                Value::Array(values.into_iter().map(|value| self.words(value)).collect())
            }
            Value::Object(fields) => {
                // The version of stock in the web shop is the serial number of a movement.
                let online = fields.get("location_id").is_some_and(|id| id == ONLINE);
                let kept = fields.into_iter().filter(|(name, value)| {
                    !(name.ends_with("_at")
                        || name.ends_with("_until")
                        || online && name == "version"
                        || SERIAL.contains(&name.as_str()) && value.is_number())
                });
                Value::Object(
                    kept.map(|(name, value)| (name, self.words(value)))
                        .collect::<Map<_, _>>(),
                )
            }
            other => other,
        }
    }

    fn word(&self, text: &str) -> Value {
        // What an error tells machines is JSON in a text.
        if let Ok(told @ Value::Object(_)) = serde_json::from_str(text) {
            return self.words(told);
        }
        let mut text = text.to_owned();
        for (name, id) in &self.ids {
            for id in [id.to_string(), id.to_string().to_uppercase()] {
                text = text.replace(&id, name);
            }
        }
        match Uuid::parse_str(&text) {
            Ok(_) => "new".into(),
            Err(_) => text.into(),
        }
    }
}

/// Statements that read the books.
pub(super) struct Books(Statement);

/// All that the operations can change, for given users, batches, products and promo codes (or customers). Ledgers are
/// in the order in which they were written; orders, which have no names, by what they say. Renewals are
/// left out: one that began before another and comes after it has nothing to add and leaves no event.
///
/// Stock and uses are what people may see, however they are spread over slots. Sales from slots go side by
/// side, so their rows of the ledger, which have no balance, have no order.
const BOOKS: &str = "
with slots as (
  select o.id as owner_id, count(c.slot) as slots, coalesce(sum(c.granted), 0) as granted, coalesce(sum(c.used), 0) as used
  from unnest($3::uuid[] || $4::uuid[]) as o (id)
  left join interlock.counter_slots c on c.owner_id = o.id
  group by o.id
)
select jsonb_build_object(
  'sales', (select jsonb_agg(jsonb_build_array(a.register_id, a.receipt_number, a.status, a.total, a.change_due, h.closed_at is null, a.late,
      (select jsonb_agg(jsonb_build_array(f.product_id, f.quantity) order by f.product_id)
       from interlock.sale_shortfalls f where f.sale_id = a.id),
      (select jsonb_agg(jsonb_build_array(l.product_id, l.inventory_id, l.quantity, l.returned_quantity, l.returned_amount) order by l.line)
       from interlock.sale_lines l where l.sale_id = a.id),
      (select jsonb_agg(jsonb_build_array(r.original_sale_id, r.original_line, r.inventory_id, r.quantity, r.amount) order by r.n)
       from interlock.sale_returns r where r.sale_id = a.id),
      (select jsonb_agg(jsonb_build_array(t.type, t.amount, t.reference) order by t.n)
       from interlock.sale_tenders t where t.sale_id = a.id)) order by a.register_id, a.receipt_number)
    from interlock.sales a join interlock.shifts h on h.id = a.shift_id
    where exists (select from interlock.sale_lines l where l.sale_id = a.id and l.product_id = any ($3))
      or exists (select from interlock.sale_returns r where r.sale_id = a.id and r.product_id = any ($3))),
  'batches', (select jsonb_agg(jsonb_build_array(b.id, b.status, b.driver_id, b.lease_expires_at > now(), b.version,
      (select jsonb_agg(jsonb_build_array(e.event, e.driver_id, e.version, e.actor_id, e.reason) order by e.id)
       from interlock.batch_events e where e.batch_id = b.id and e.event <> 'renewed')) order by b.id)
    from interlock.batches b where b.id = any ($2)),
  'drivers', (select jsonb_agg(jsonb_build_array(d.user_id, d.active) order by d.user_id)
    from interlock.drivers d where d.user_id = any ($1)),
  'products', (select jsonb_agg(jsonb_build_array(p.id, p.available_quantity - s.used, p.backordered, p.stock_policy, p.price, p.active, p.stock_slots,
      (select jsonb_agg(jsonb_build_array(m.delta, m.balance_after, m.reason, m.actor) order by m.id)
       from interlock.stock_movements m
       where m.product_id = p.id and m.location_id = interlock.online_location() and m.balance_after is not null),
      (select jsonb_agg(jsonb_build_array(m.delta, m.reason, m.actor) order by m.delta, m.reason, m.actor)
       from interlock.stock_movements m where m.product_id = p.id and m.balance_after is null)) order by p.id)
    from interlock.products p join slots s on s.owner_id = p.id where p.id = any ($3)),
  'inventory', (select jsonb_agg(jsonb_build_array(i.product_id, i.location_id, i.quantity, i.version,
      (select jsonb_agg(jsonb_build_array(m.delta, m.balance_after, m.reason, m.actor) order by m.id)
       from interlock.stock_movements m where m.product_id = i.product_id and m.location_id = i.location_id))
      order by i.product_id, i.location_id)
    from interlock.inventory i where i.product_id = any ($3)),
  'transfers', (select jsonb_agg(t order by t) from (
      select jsonb_build_array(t.from_location_id, t.to_location_id, t.ended_at is not null, t.cancelled, l.product_id,
        l.sent, l.received, l.lost, l.returned) as t
      from interlock.stock_transfers t join interlock.stock_transfer_lines l on l.transfer_id = t.id
      where l.product_id = any ($3)) t),
  'codes', (select jsonb_agg(c order by c) from (
      select jsonb_build_array(c.product_id, o.user_id, o.status, c.used_at is not null, c.replaced_by is not null) as c
      from interlock.product_codes c left join interlock.orders o on o.id = c.order_id
      where c.product_id = any ($3)) c),
  'orders', (select jsonb_agg(o order by o) from (
      select jsonb_build_array(o.user_id, o.status, o.subtotal, o.discount, o.shipping, o.tax, o.total, o.payment_method, o.promo_code_id,
        o.proof_submitted_at is not null, o.fulfillment, o.refunded,
        (select jsonb_agg(jsonb_build_array(i.product_id, i.quantity, i.unit_price, i.discount, i.tax, i.untracked, i.backordered) order by i.product_id)
         from interlock.order_items i where i.order_id = o.id),
        (select jsonb_agg(jsonb_build_array(i.product_id, i.quantity, i.from_shelf, i.restocked, i.amount)
           order by i.product_id, i.first_unit)
         from interlock.order_refund_items i where i.order_id = o.id),
        (select jsonb_agg(jsonb_build_array(s.tracking, i.product_id, i.quantity) order by s.id, i.product_id)
         from interlock.order_shipments s left join interlock.order_shipment_items i on i.shipment_id = s.id where s.order_id = o.id),
        (select jsonb_agg(e.event order by e.id) from interlock.order_events e where e.order_id = o.id),
        (select jsonb_build_array(d.shipping_address, d.contact, d.metadata) from interlock.order_details d where d.order_id = o.id),
        (select jsonb_agg(jsonb_build_array(h.shipping_address, h.contact, h.metadata) order by h.id)
         from interlock.order_detail_changes h where h.order_id = o.id),
        (select jsonb_agg(f.status order by f.id) from interlock.payment_proofs f where f.order_id = o.id),
        (select jsonb_agg(jsonb_build_array(p.status, p.flag, p.attempt, p.amount, p.failure, p.refund_asked, p.refunded, p.dispute)
           order by p.attempt)
         from interlock.payments p where p.order_id = o.id),
        (select jsonb_agg(jsonb_build_array(v.type, v.outcome) order by v.event_id) from interlock.payment_events v where v.order_id = o.id),
        (select count(*) from interlock.product_codes c where c.order_id = o.id)) as o
      from interlock.orders o where o.user_id = any ($1)) o),
  'packing', (select jsonb_agg(jsonb_build_array(b.order_id, b.status, b.shipment_id is not null, s.status, s.open_orders, s.completed_orders,
      (select jsonb_agg(jsonb_build_array(i.product_id, i.quantity_needed, i.quantity_picked, i.quantity_packed, i.quantity_short, i.picker_id, i.version)
         order by i.product_id)
       from interlock.picking_session_items i where i.picking_session_id = s.id),
      (select jsonb_agg(jsonb_build_array(l.product_id, l.quantity_needed, l.quantity_packed, l.quantity_short, l.box_open, l.version) order by l.product_id)
       from interlock.packing_progress l where l.picking_session_id = s.id and l.order_id = b.order_id),
      (select jsonb_agg(c order by c) from (
         select jsonb_build_array(c.product_id, c.action, c.quantity, c.quantity_packed, c.version) as c
         from interlock.packing_scans c where c.picking_session_id = s.id and (c.order_id = b.order_id or c.order_id is null)) c))
      order by b.order_id)
    from interlock.picking_session_orders b join interlock.picking_sessions s on s.id = b.picking_session_id
    join interlock.orders o on o.id = b.order_id where o.user_id = any ($1)),
  'reserved', (select jsonb_agg(jsonb_build_array(r.user_id, r.expires_at is not null, r.counted_units,
      (select jsonb_agg(jsonb_build_array(l.product_id, l.quantity, l.untracked) order by l.product_id)
       from interlock.cart_reservation_lines l where l.user_id = r.user_id)) order by r.user_id)
    from interlock.cart_reservations r where r.user_id = any ($1)),
  'customers', (select jsonb_agg(jsonb_build_array(c.id, c.phone, c.user_id, c.merged_into, c.erased_at is not null, coalesce(a.balance, 0), coalesce(a.owed, 0), a.tier,
      (select jsonb_agg(m order by m) from (
        select jsonb_build_array(m.kind, m.points, m.owed, m.amount) as m
        from interlock.points_movements m where m.customer_id = c.id) m),
      (select count(*) from interlock.points_due d where d.user_id = c.user_id)) order by c.id)
    from interlock.customers c left join interlock.points_accounts a on a.customer_id = c.id
    where c.id = any ($4) or exists (select from interlock.sales s join interlock.sale_lines l on l.sale_id = s.id
      where s.customer_id = c.id and l.product_id = any ($3))),
  'wallets', (select jsonb_agg(jsonb_build_array(w.user_id, w.balance, w.currency,
      (select jsonb_agg(jsonb_build_array(m.delta, m.balance_after, m.reason) order by m.id)
       from interlock.wallet_movements m where m.user_id = w.user_id)) order by w.user_id)
    from interlock.wallets w where w.user_id = any ($1)),
  'open', (select jsonb_agg(jsonb_build_array(c.user_id, c.orders, c.units) order by c.user_id)
    from interlock.customer_open_orders c where c.user_id = any ($1) and (c.orders, c.units) <> (0, 0)),
  'promos', (select jsonb_agg(jsonb_build_array(p.id, p.used_count + s.used, p.active, p.max_uses, p.use_slots,
      (select jsonb_agg(r order by r) from (
        select jsonb_build_array(r.user_id, r.cart_id, r.status, r.discount, r.order_id is not null,
          r.held_until > now()) as r
        from interlock.promo_redemptions r where r.promo_id = p.id) r),
      (select jsonb_agg(jsonb_build_array(s.user_id, s.used) order by s.user_id)
       from interlock.promo_user_uses s where s.promo_id = p.id and s.used > 0)) order by p.id)
    from interlock.promo_codes p join slots s on s.owner_id = p.id where p.id = any ($4)),
  'guesses', (select jsonb_agg(cardinality(a.attempted_at)) from interlock.promo_attempts a where a.user_id = any ($1)),
  'keys', (select jsonb_agg(jsonb_build_array(k.user_id, k.operation, k.key, k.response is not null) order by k.user_id, k.operation)
    from interlock.idempotency_keys k where k.user_id = any ($1)),
  'wrong', jsonb_strip_nulls(jsonb_build_object(
    'stock', (select jsonb_agg(p.id) from interlock.products p join slots s on s.owner_id = p.id
      where p.id = any ($3) and p.available_quantity - p.backordered - s.used <>
      (select coalesce(sum(m.delta), 0) from interlock.stock_movements m
       where m.product_id = p.id and m.location_id = interlock.online_location())),
    'inventory', (select jsonb_agg(i.id) from interlock.inventory i where i.product_id = any ($3) and i.quantity <>
      (select coalesce(sum(m.delta), 0) from interlock.stock_movements m
       where m.product_id = i.product_id and m.location_id = i.location_id)),
    'codes', (select jsonb_agg(p.id) from interlock.products p where p.id = any ($3) and p.kind = 'digital'
      and p.available_quantity <>
      (select count(*) from interlock.product_codes c where c.product_id = p.id and c.order_id is null)),
    'points', (select jsonb_agg(a.customer_id) from interlock.points_accounts a where a.customer_id = any ($4) and (a.balance, a.owed) <>
      (select coalesce(sum(m.points), 0), coalesce(sum(m.owed), 0) from interlock.points_movements m where m.customer_id = a.customer_id)),
    'wallets', (select jsonb_agg(w.user_id) from interlock.wallets w where w.user_id = any ($1) and w.balance <>
      (select coalesce(sum(m.delta), 0) from interlock.wallet_movements m where m.user_id = w.user_id)),
    'stock of slots', (select jsonb_agg(p.id) from interlock.products p join slots s on s.owner_id = p.id
      where p.id = any ($3) and (s.granted > p.available_quantity or s.slots <> p.stock_slots)),
    'uses of slots', (select jsonb_agg(p.id) from interlock.promo_codes p join slots s on s.owner_id = p.id
      where p.id = any ($4) and (s.granted > coalesce(p.max_uses, 2147483647)::bigint - p.used_count or s.slots <> p.use_slots)),
    'uses', (select jsonb_agg(p.id) from interlock.promo_codes p join slots s on s.owner_id = p.id
      where p.id = any ($4) and p.used_count + s.used <>
      (select count(*) from interlock.promo_redemptions r where r.promo_id = p.id and r.status in ('held', 'redeemed'))),
    'uses of a customer', (select jsonb_agg(s.user_id) from interlock.promo_user_uses s where s.promo_id = any ($4) and s.used <>
      (select count(*) from interlock.promo_redemptions r
       where r.promo_id = s.promo_id and r.user_id = s.user_id and r.status in ('held', 'redeemed'))),
    'keys', (select jsonb_agg(k.key) from interlock.idempotency_keys k where k.user_id = any ($1) and k.response is null)
  ))
)";

impl Books {
    /// Prepares the look.
    pub(super) async fn prepare(client: &Client) -> Result<Self> {
        Ok(Books(client.prepare(BOOKS).await?))
    }

    /// What the rows of a world say.
    pub(super) async fn read(&self, client: &Client, world: &World) -> Result<Value> {
        let ids = |names: &[&str]| names.iter().map(|name| world.id(name)).collect::<Vec<_>>();
        let row = client
            .query_one(
                &self.0,
                &[
                    &ids(&["u", "v", "w"]),
                    &ids(&["x", "y"]),
                    &ids(&["p", "q", "d"]),
                    &ids(&["k", "l"]),
                ],
            )
            .await
            .context("the books cannot be read")?;
        Ok(world.words(row.get(0)))
    }
}

/// Two answers and the books, comparable.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    /// Nothing if the operation has not happened.
    pub(super) answers: [Option<Value>; 2],
    pub(super) books: Value,
}

impl Outcome {
    /// In the words of the world.
    pub(super) fn new(world: &World, answers: &[Answer; 2], books: Value) -> Self {
        Outcome {
            answers: [
                comparable(world, &answers[0]),
                comparable(world, &answers[1]),
            ],
            books,
        }
    }

    /// Which of the two has happened.
    pub(super) fn happened(&self) -> [bool; 2] {
        [0, 1].map(|index| self.answers[index].is_some())
    }

    /// Both answers.
    pub(super) fn describe(&self) -> String {
        let [a, b] = [0, 1].map(|index| match &self.answers[index] {
            None => "has not happened".to_owned(),
            Some(answer) => format!("was answered {answer}"),
        });
        format!("A {a}; B {b}")
    }

    /// In what this serial outcome and the one that was seen differ.
    pub(super) fn difference(&self, seen: &Self) -> String {
        let say = |answer: &Option<Value>| {
            answer
                .as_ref()
                .map_or_else(|| "none".to_owned(), Value::to_string)
        };
        let mut differences = Vec::new();
        for (index, who) in ["A", "B"].iter().enumerate() {
            let [serial, seen] = [self, seen].map(|outcome| say(&outcome.answers[index]));
            if serial != seen {
                differences.push(format!("{who}'s answer: {serial} / {seen}"));
            }
        }
        if let [Some(serial), Some(seen)] = [self, seen].map(|outcome| outcome.books.as_object()) {
            for (name, value) in serial
                .iter()
                .filter(|(name, value)| seen.get(*name) != Some(value))
            {
                differences.push(format!(
                    "{name}: {value} / {}",
                    say(&seen.get(name).cloned())
                ));
            }
        }
        differences.join("; ")
    }

    /// What is wrong whatever a serial order gives: books that do not add up, errors that nobody
    /// promises.
    pub(super) fn wrong(&self) -> Option<String> {
        let unexpected = self.answers.iter().flatten().find_map(|answer| {
            let state = answer.get("refused")?.as_str()?;
            // Refusals of the catalogue, and the constraints that hold against the shop's own SQL.
            (!(state.starts_with("PT4") || state.starts_with("23")))
                .then(|| format!("answered {answer}"))
        });
        let books = self.books["wrong"]
            .as_object()
            .filter(|wrong| !wrong.is_empty());
        unexpected.or_else(|| books.map(|wrong| format!("the books do not add up: {wrong:?}")))
    }
}

/// Nothing for a call that did not happen, also for one that was refused for a passing reason, which
/// the functions repeat: a lease that somebody is claiming or a code that somebody is deleting at this
/// moment, a product that changed while it was bought, a promo code that is too busy.
fn comparable(world: &World, answer: &Answer) -> Option<Value> {
    match answer {
        Answer::None => None,
        Answer::Success(value) => Some(world.words(value.clone())),
        Answer::Refusal(state, message, _)
            if state == "55P03" && !message.contains("lock timeout") =>
        {
            None
        }
        Answer::Refusal(state, message, detail) => {
            let detail =
                serde_json::from_str(detail).unwrap_or_else(|_| Value::String(detail.clone()));
            // What the database says of a constraint names ids; the code is enough.
            let detail = if state.starts_with("PT") {
                detail
            } else {
                Value::Null
            };
            Some(world.words(json!({ "refused": state, "message": message, "detail": detail })))
        }
    }
}
