//! A picking session at the packing table: baskets that many orders share, and their boxes. Each order needs one product, so that what an
//! answer says of its order is what it says of its line.

use crate::prove::model::keys::{Key, Keys, LIFETIME, Verdict};
use crate::prove::model::{Clock, Event, Model, Moment, Seen, Steps, matches};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How long a picker has what they claim, in seconds: settings.pick_lease.
const LEASE: Moment = 30 * 60;

/// What is done with a unit and a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Pack,
    Unpack,
    Short,
}

impl Action {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pack => "pack",
            Self::Unpack => "unpack",
            Self::Short => "short",
        }
    }
}

/// What can be asked of a packing table.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Scan {
        order: Uuid,
        action: Action,
        quantity: i64,
        key: Option<String>,
    },
    /// Sets what is packed of an order, if it is still what its caller has read.
    Set {
        order: Uuid,
        expected: i64,
        new: i64,
    },
    /// From the shelf into the basket; below nothing back. By a picker, or the shop.
    Pick {
        by: Option<Uuid>,
        product: Uuid,
        quantity: i64,
        key: Option<String>,
    },
    /// A picker has a product for themselves for a while, or all that nobody has.
    Claim {
        by: Uuid,
        product: Option<Uuid>,
    },
    /// A picker gives one back, or all that they have.
    Release {
        by: Uuid,
        product: Option<Uuid>,
    },
    Complete {
        order: Uuid,
    },
    /// An order leaves the session.
    Remove {
        order: Uuid,
    },
    /// An order ends, by the shop: wherever it was packed, its goods are to be put back.
    Cancel {
        order: Uuid,
    },
    /// The session is given up.
    Abandon,
    /// All numbers, at one moment.
    Look,
    ClockMoves {
        to: Moment,
    },
}

impl Call {
    /// Whether it has an idempotency key.
    pub(crate) fn is_keyed(&self) -> bool {
        self.key().is_some()
    }

    fn key(&self) -> Option<Key> {
        match self {
            Self::Scan { key, .. } => Some((Uuid::nil(), "pack_item", key.clone()?)),
            Self::Pick { by, key, .. } => Some((by.unwrap_or_default(), "pick_item", key.clone()?)),
            _ => None,
        }
    }

    fn request(&self) -> String {
        match self.is_keyed() {
            true => format!("{self:?}"),
            false => String::new(),
        }
    }
}

/// The basket of a product.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Basket {
    pub(crate) needed: i64,
    pub(crate) picked: i64,
    pub(crate) packed: i64,
    /// Who has it for themselves, and until when.
    pub(crate) picker: Option<(Uuid, Moment)>,
    pub(crate) version: i64,
}

impl Basket {
    /// Until when somebody else has it.
    fn taken(&self, by: Uuid, now: Moment) -> Option<Moment> {
        self.picker
            .filter(|(picker, until)| *picker != by && *until > now)
            .map(|(_, until)| until)
    }
}

/// What has become of an order's box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    Open,
    Completed,
    Removed,
    Cancelled,
}

impl Fate {
    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Completed => "completed",
            Self::Removed => "removed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The box of an order, which is one line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OrderBox {
    pub(crate) product: Uuid,
    pub(crate) line: Uuid,
    pub(crate) needed: i64,
    pub(crate) packed: i64,
    pub(crate) short: i64,
    pub(crate) version: i64,
    pub(crate) fate: Fate,
}

/// The state of a packing table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    pub(crate) session: Uuid,
    pub(crate) clock: Clock,
    pub(crate) pickers: [Uuid; 2],
    pub(crate) baskets: BTreeMap<Uuid, Basket>,
    pub(crate) boxes: BTreeMap<Uuid, OrderBox>,
    pub(crate) keys: Keys,
}

type Refusal = (&'static str, Value);

/// The table after a call and what is answered, or why not.
type Done = Result<(Table, Value), &'static str>;

impl Table {
    fn count(&self, fate: Fate) -> usize {
        let boxes = self.boxes.values();
        boxes.filter(|its| its.fate == fate).count()
    }

    fn status(&self) -> &'static str {
        match (self.count(Fate::Open), self.count(Fate::Completed)) {
            (1.., _) => "packing",
            (0, 1..) => "completed",
            _ => "abandoned",
        }
    }

    fn closed(&self, order: Uuid) -> Refusal {
        let details = json!({
            "session_id": self.session, "status": "*", "order_id": order, "order_status": "*",
        });
        ("SESSION_STATE_CONFLICT", details)
    }

    /// Why a scan is refused. The basket is looked at before the line, and what is told of both a moment later.
    fn scan_refusals(&self, order: Uuid, action: Action, quantity: i64) -> Vec<Refusal> {
        let its = &self.boxes[&order];
        let basket = &self.baskets[&its.product];
        if its.fate != Fate::Open {
            return vec![self.closed(order)];
        }
        let details = json!({
            "session_id": self.session, "order_id": order, "product_id": its.product, "quantity_packed": "*",
            "quantity_needed": "*", "quantity_picked": "*", "available": "*",
        });
        let refusals = match action {
            Action::Pack => [
                (its.packed + quantity > its.needed, "ALREADY_FULLY_PACKED"),
                (basket.packed + quantity > basket.picked, "NO_UNITS_TO_PACK"),
            ],
            Action::Unpack => [
                (its.packed < quantity, "NOTHING_PACKED"),
                (basket.packed < quantity, "NOTHING_PACKED"),
            ],
            Action::Short => [
                (
                    its.short + quantity > its.needed - its.packed,
                    "ALREADY_FULLY_PACKED",
                ),
                (false, "ALREADY_FULLY_PACKED"),
            ],
        };
        let refusals = refusals.into_iter().filter(|(holds, _)| *holds);
        refusals.map(|(_, code)| (code, details.clone())).collect()
    }

    fn scanned(&self, order: Uuid, action: Action, quantity: i64) -> Done {
        if !self.scan_refusals(order, action, quantity).is_empty() {
            return Err("this scan must be refused");
        }
        let mut next = self.clone();
        match action {
            Action::Pack => next.pack(order, quantity),
            Action::Unpack => next.pack(order, -quantity),
            Action::Short => {
                if let Some(its) = next.boxes.get_mut(&order) {
                    its.short += quantity;
                    its.version += 1;
                }
            }
        }
        let mut answer = next.line_answer(order);
        if action == Action::Short {
            // Nobody holds the basket then.
            answer["basket"] = json!({
                "quantity_picked": "*", "quantity_packed": "*", "available": "*", "version": "*",
            });
        }
        Ok((next, answer))
    }

    /// Puts so many units from the basket into the box of an order.
    fn pack(&mut self, order: Uuid, change: i64) {
        if let Some(its) = self.boxes.get_mut(&order)
            && let Some(basket) = self.baskets.get_mut(&its.product)
        {
            its.packed += change;
            its.short = its.short.min(its.needed - its.packed);
            its.version += 1;
            basket.packed += change;
            basket.version += 1;
        }
    }

    /// What is answered of an order's line, and of its basket.
    fn line_answer(&self, order: Uuid) -> Value {
        let its = &self.boxes[&order];
        let basket = &self.baskets[&its.product];
        let is_complete = its.packed + its.short >= its.needed;
        json!({
            "success": true, "progress_id": its.line, "session_id": self.session, "order_id": order,
            "product_id": its.product, "quantity_packed": its.packed, "quantity_needed": its.needed,
            "quantity_short": its.short, "is_item_complete": is_complete, "version": its.version,
            "order": {
                "units_packed": its.packed, "units_needed": its.needed, "units_short": its.short,
                "is_order_complete": is_complete,
            },
            "basket": {
                "quantity_picked": basket.picked, "quantity_packed": basket.packed,
                "available": basket.picked - basket.packed, "version": basket.version,
            },
            "session": { "units_packed": "*", "units_picked": "*", "units_needed": "*" },
        })
    }

    /// Why a number is not set. It is looked at before the line is told, so what is told is certain only for a caller who is alone.
    fn set_refusals(&self, order: Uuid, expected: i64, new: i64, alone: bool) -> Vec<Refusal> {
        let its = &self.boxes[&order];
        let basket = &self.baskets[&its.product];
        let change = new - expected;
        // The same number changes nothing, and asks for no more.
        if change != 0 && its.fate != Fate::Open {
            return vec![self.closed(order)];
        }
        let limits = json!({
            "session_id": self.session, "order_id": order, "product_id": its.product, "quantity_packed": "*",
            "quantity_needed": "*", "quantity_picked": "*", "available": "*",
        });
        let mut line = self.line_answer(order);
        if let Some(line) = line.as_object_mut() {
            line.remove("success");
            if !alone {
                for name in [
                    "quantity_packed",
                    "quantity_short",
                    "is_item_complete",
                    "version",
                ] {
                    line.insert(name.to_owned(), json!("*"));
                }
                line["order"] = json!({
                    "units_packed": "*", "units_needed": its.needed, "units_short": "*", "is_order_complete": "*",
                });
                line["basket"] = json!({
                    "quantity_picked": "*", "quantity_packed": "*", "available": "*", "version": "*",
                });
            }
        }
        let refusals = [
            (its.packed != expected, "PACKING_CONFLICT", line),
            (
                its.packed + change > its.needed,
                "ALREADY_FULLY_PACKED",
                limits.clone(),
            ),
            (
                basket.packed + change > basket.picked,
                "NO_UNITS_TO_PACK",
                limits.clone(),
            ),
            (basket.packed + change < 0, "NOTHING_PACKED", limits),
        ];
        let refusals = refusals.into_iter().filter(|(holds, ..)| *holds);
        // Whoever is alone hears of the conflict before the limits.
        let first = if alone { 1 } else { usize::MAX };
        refusals
            .map(|(_, code, details)| (code, details))
            .take(first)
            .collect()
    }

    fn set(&self, order: Uuid, expected: i64, new: i64) -> Done {
        if !self.set_refusals(order, expected, new, false).is_empty() {
            return Err("this number must not be set");
        }
        let mut next = self.clone();
        if new != expected {
            next.pack(order, new - expected);
        }
        let answer = next.line_answer(order);
        Ok((next, answer))
    }

    fn item_state(&self, product: Uuid) -> Value {
        let basket = &self.baskets[&product];
        json!({
            "session_id": self.session, "product_id": product, "quantity_needed": basket.needed,
            "quantity_picked": basket.picked, "quantity_packed": basket.packed, "quantity_short": 0,
            "available": basket.picked - basket.packed, "version": basket.version,
        })
    }

    /// A session that has ended.
    fn ended(&self) -> Option<Refusal> {
        let details = json!({ "session_id": self.session, "status": "*" });
        (self.count(Fate::Open) == 0).then_some(("SESSION_STATE_CONFLICT", details))
    }

    /// What somebody else than this picker has.
    fn claimed(&self, by: Uuid, product: Uuid) -> Option<Refusal> {
        let until = self.baskets[&product].taken(by, self.clock.now)?;
        let item = json!({ "product_id": product, "picker_until": self.clock.time(until) });
        let details = json!({ "session_id": self.session, "items": [item] });
        Some(("PICK_CLAIMED", details))
    }

    fn pick_refusals(&self, by: Option<Uuid>, product: Uuid, quantity: i64) -> Vec<Refusal> {
        match self.ended() {
            Some(refusal) if quantity > 0 => vec![refusal],
            _ => self.pick_limits(by, product, quantity),
        }
    }

    /// Why a pick is refused in a session that lasts.
    fn pick_limits(&self, by: Option<Uuid>, product: Uuid, quantity: i64) -> Vec<Refusal> {
        let basket = &self.baskets[&product];
        if quantity > 0
            && let Some(refusal) = by.and_then(|by| self.claimed(by, product))
        {
            return vec![refusal];
        }
        let code = if quantity > 0 && basket.picked + quantity > basket.needed {
            "PICK_EXCEEDS_NEEDED"
        } else if basket.picked + quantity < basket.packed {
            "NOTHING_PICKED"
        } else {
            return Vec::new();
        };
        vec![(code, self.item_state(product))]
    }

    /// A pick of another product than the last open order's does not wait for it: the session may end between the look at it and the
    /// end of the call, and what was picked is to be put back.
    fn picked(&self, by: Option<Uuid>, product: Uuid, quantity: i64, alone: bool) -> Done {
        let refusals = match alone {
            true => self.pick_refusals(by, product, quantity),
            false => self.pick_limits(by, product, quantity),
        };
        if !refusals.is_empty() {
            return Err("this pick must be refused");
        }
        let mut next = self.clone();
        if let Some(basket) = next.baskets.get_mut(&product) {
            basket.picked += quantity;
            basket.version += 1;
            if let Some((picker, until)) = &mut basket.picker
                && by == Some(*picker)
            {
                *until = self.clock.now + LEASE;
            }
        }
        let answer = json!({ "success": true, "item": next.item_state(product) });
        Ok((next, answer))
    }

    /// What a picker would get who names nothing.
    fn to_pick(&self, by: Uuid) -> Vec<Uuid> {
        let baskets = self.baskets.iter().filter(|(_, basket)| {
            basket.picked < basket.needed && basket.taken(by, self.clock.now).is_none()
        });
        baskets.map(|(product, _)| *product).collect()
    }

    /// Why nothing is claimed. What somebody else has locked at the moment is left out, so that nothing is left is certain only for a
    /// caller who is alone; for another one there is something that they cannot have.
    fn claim_refusals(&self, by: Uuid, product: Option<Uuid>, alone: bool) -> Vec<Refusal> {
        if let Some(refusal) = self.ended() {
            return vec![refusal];
        }
        if let Some(product) = product {
            return self.claimed(by, product).into_iter().collect();
        }
        let free = self.to_pick(by).len();
        let is_true = free == 0 || (!alone && free < self.baskets.len());
        let refusal = ("NOTHING_TO_PICK", json!({ "session_id": self.session }));
        is_true.then_some(refusal).into_iter().collect()
    }

    /// The products that are meant: the one that is named, or the answered ones of those that could be. Whoever is alone gets them all.
    fn meant(named: Option<Uuid>, possible: Vec<Uuid>, body: &Value, alone: bool) -> Vec<Uuid> {
        if let Some(product) = named {
            return vec![product];
        }
        if alone {
            return possible;
        }
        let answered = |product: &Uuid| {
            let answered = body["product_ids"].as_array();
            answered.is_some_and(|ids| ids.contains(&json!(product)))
        };
        possible.into_iter().filter(answered).collect()
    }

    /// As with a pick, the session may end meanwhile.
    fn claims(&self, by: Uuid, named: Option<Uuid>, body: &Value, alone: bool) -> Done {
        if named.is_some_and(|product| self.claimed(by, product).is_some()) {
            return Err("this claim must be refused");
        }
        let products = Self::meant(named, self.to_pick(by), body, alone);
        if products.is_empty() || (alone && self.ended().is_some()) {
            return Err("there is nothing to claim");
        }
        let until = self.clock.now + LEASE;
        let mut next = self.clone();
        for product in &products {
            if let Some(basket) = next.baskets.get_mut(product) {
                basket.picker = Some((by, until));
            }
        }
        let answer = json!({
            "success": true, "session_id": self.session, "product_ids": products,
            "picker_until": self.clock.time(until),
        });
        Ok((next, answer))
    }

    fn released(&self, by: Uuid, named: Option<Uuid>, body: &Value, alone: bool) -> Done {
        let baskets = self.baskets.iter().filter(|(product, basket)| {
            let has = basket.picker.is_some_and(|(picker, _)| picker == by);
            has && named.is_none_or(|named| named == **product)
        });
        let theirs: Vec<Uuid> = baskets.map(|(product, _)| *product).collect();
        let products = Self::meant(None, theirs, body, alone || named.is_some());
        let mut next = self.clone();
        for product in &products {
            if let Some(basket) = next.baskets.get_mut(product) {
                basket.picker = None;
            }
        }
        let answer = json!({
            "success": true, "session_id": self.session, "product_ids": products,
        });
        Ok((next, answer))
    }

    fn complete_refusals(&self, order: Uuid) -> Vec<Refusal> {
        let its = &self.boxes[&order];
        match its.fate {
            Fate::Completed => Vec::new(),
            Fate::Removed | Fate::Cancelled => vec![self.closed(order)],
            Fate::Open if its.packed + its.short < its.needed => {
                let line = json!({
                    "progress_id": its.line, "product_id": its.product, "quantity_packed": its.packed,
                    "quantity_needed": its.needed, "quantity_short": its.short,
                });
                let details =
                    json!({ "session_id": self.session, "order_id": order, "lines": [line] });
                vec![("NOT_FULLY_PACKED", details)]
            }
            Fate::Open => Vec::new(),
        }
    }

    fn completed(&self, order: Uuid) -> Done {
        if !self.complete_refusals(order).is_empty() {
            return Err("this order cannot be completed");
        }
        let mut next = self.clone();
        if let Some(its) = next.boxes.get_mut(&order) {
            its.fate = Fate::Completed;
        }
        let answer = next.box_answer(order);
        Ok((next, answer))
    }

    fn remove_refusals(&self, order: Uuid) -> Vec<Refusal> {
        let is_completed = self.boxes[&order].fate == Fate::Completed;
        is_completed
            .then(|| self.closed(order))
            .into_iter()
            .collect()
    }

    fn removed(&self, order: Uuid) -> Done {
        if !self.remove_refusals(order).is_empty() {
            return Err("this order was completed");
        }
        let mut next = self.clone();
        next.take_out(order, Fate::Removed);
        let answer = next.box_answer(order);
        Ok((next, answer))
    }

    /// An order leaves the session, if it is still open there.
    fn take_out(&mut self, order: Uuid, fate: Fate) {
        if let Some(its) = self.boxes.get_mut(&order)
            && let Some(basket) = self.baskets.get_mut(&its.product)
            && its.fate == Fate::Open
        {
            basket.needed -= its.needed;
            basket.packed -= its.packed;
            basket.version += 1;
            (its.packed, its.short, its.fate) = (0, 0, fate);
            its.version += 1;
        }
    }

    /// Of the order, which is the shop's, no more is told here than that it has ended.
    fn cancelled(&self, order: Uuid, body: &Value) -> Done {
        let mut next = self.clone();
        next.take_out(order, Fate::Cancelled);
        if body["order"]["status"] != "cancelled" {
            return Err("the order has not ended");
        }
        Ok((next, body.clone()))
    }

    fn abandoned(&self) -> Table {
        let mut next = self.clone();
        for order in self.boxes.keys() {
            next.take_out(*order, Fate::Removed);
        }
        next
    }

    /// The session as its workers see it.
    fn session_answer(&self) -> Value {
        let items = self.baskets.iter().map(|(product, basket)| {
            json!({
                "product_id": product, "name": "test", "quantity_needed": basket.needed,
                "quantity_picked": basket.picked, "quantity_packed": basket.packed, "quantity_short": 0,
                "available": basket.picked - basket.packed, "basket": null,
                "picker_id": basket.picker.map(|(picker, _)| picker),
                "picker_until": self.clock.time_or_null(basket.picker.map(|(_, until)| until)),
                "version": basket.version,
            })
        });
        let orders = self.boxes.iter().zip(1..).map(|((order, its), position)| {
            let is_sent = its.fate == Fate::Completed && its.packed > 0;
            json!({
                "order_id": order, "number": "*", "position": position, "status": its.fate.name(),
                "shipment_id": is_sent.then_some("*"),
                "lines": [{
                    "progress_id": its.line, "product_id": its.product, "quantity_needed": its.needed,
                    "quantity_packed": its.packed, "quantity_short": its.short, "version": its.version,
                }],
            })
        });
        json!({
            "id": self.session, "code": "*", "location_id": "*", "status": self.status(),
            "open_orders": self.count(Fate::Open), "completed_orders": self.count(Fate::Completed),
            "created_at": "*", "packing_started_at": "*", "ended_at": "*",
            "items": items.collect::<Vec<_>>(), "orders": orders.collect::<Vec<_>>(),
        })
    }

    fn box_answer(&self, order: Uuid) -> Value {
        let its = &self.boxes[&order];
        let is_completed = its.fate == Fate::Completed;
        json!({
            "success": true, "session_id": self.session, "order_id": order, "status": its.fate.name(),
            "shipment_id": (is_completed && its.packed > 0).then_some("*"), "tracking": null, "fulfillment": "*",
            "order": {
                "units_packed": its.packed, "units_needed": its.needed, "units_short": its.short,
                "is_order_complete": is_completed,
            },
            "session": {
                "status": self.status(), "open_orders": self.count(Fate::Open),
                "completed_orders": self.count(Fate::Completed),
            },
        })
    }

    fn books(&self) -> Value {
        let baskets = self.baskets.iter().map(|(id, basket)| {
            // What nobody needs goes back to the shelf.
            let kept = match self.count(Fate::Open) {
                0 => 0,
                _ => basket.needed.max(basket.packed) - basket.packed,
            };
            let numbers = json!([
                basket.needed,
                basket.picked,
                basket.packed,
                basket.version,
                (basket.picked - basket.packed - kept).max(0),
                basket.picker.map(|(picker, _)| picker),
            ]);
            (id.to_string(), numbers)
        });
        let boxes = self.boxes.iter().map(|(id, its)| {
            let numbers = json!([its.fate.name(), its.packed, its.short, its.version]);
            (id.to_string(), numbers)
        });
        json!({
            "session": [self.status(), self.count(Fate::Open), self.count(Fate::Completed)],
            "baskets": baskets.collect::<Map<_, _>>(), "boxes": boxes.collect::<Map<_, _>>(),
        })
    }

    /// A call, and the answer that its caller saw; `alone` with it or not.
    fn done(&self, call: &Call, body: &Value, alone: bool) -> Done {
        match call {
            Call::Scan {
                order,
                action,
                quantity,
                ..
            } => self.scanned(*order, *action, *quantity),
            Call::Set {
                order,
                expected,
                new,
            } => self.set(*order, *expected, *new),
            Call::Pick {
                by,
                product,
                quantity,
                ..
            } => self.picked(*by, *product, *quantity, alone),
            Call::Claim { by, product } => self.claims(*by, *product, body, alone),
            Call::Release { by, product } => self.released(*by, *product, body, alone),
            Call::Complete { order } => self.completed(*order),
            Call::Remove { order } => self.removed(*order),
            Call::Cancel { order } => self.cancelled(*order, body),
            Call::Abandon => {
                let next = self.abandoned();
                let answer = json!({ "success": true, "session": next.session_answer() });
                Ok((next, answer))
            }
            Call::Look => Ok((self.clone(), self.books())),
            Call::ClockMoves { to } => {
                let mut next = self.clone();
                next.clock.now = *to;
                Ok((next, Value::Null))
            }
        }
    }

    fn refused(&self, call: &Call, alone: bool) -> Vec<Refusal> {
        match call {
            Call::Scan {
                order,
                action,
                quantity,
                ..
            } => self.scan_refusals(*order, *action, *quantity),
            Call::Set {
                order,
                expected,
                new,
            } => self.set_refusals(*order, *expected, *new, alone),
            Call::Pick {
                by,
                product,
                quantity,
                ..
            } => self.pick_refusals(*by, *product, *quantity),
            Call::Claim { by, product } => self.claim_refusals(*by, *product, alone),
            Call::Complete { order } => self.complete_refusals(*order),
            Call::Remove { order } => self.remove_refusals(*order),
            Call::Release { .. }
            | Call::Cancel { .. }
            | Call::Abandon
            | Call::Look
            | Call::ClockMoves { .. } => Vec::new(),
        }
    }
}

impl Model for Table {
    type Call = Call;

    fn apply(&self, event: &Event<Call>) -> Steps<Self> {
        let (key, request) = (event.call.key(), event.call.request());
        match self
            .keys
            .judge(key.as_ref(), &request, &event.seen, self.clock.now)
        {
            Verdict::Repeated => return Steps::Same,
            Verdict::Impossible(why) => return Steps::Impossible(why),
            Verdict::New => {}
        }
        match &event.seen {
            Seen::Transient => Steps::Same,
            Seen::Refused { code, details } => {
                let refusals = self.refused(&event.call, event.alone);
                let mut refusals = refusals.iter();
                match refusals.any(|(name, known)| name == code && matches(known, details)) {
                    true => Steps::Same,
                    false => Steps::Impossible("this refusal is not true"),
                }
            }
            Seen::Success { body, .. } => match self.done(&event.call, body, event.alone) {
                Err(why) => Steps::Impossible(why),
                Ok((mut next, answer)) => {
                    let is_clock = matches!(event.call, Call::ClockMoves { .. });
                    if !is_clock && !matches(&answer, body) {
                        return Steps::Impossible("the answer says something else");
                    }
                    if let Call::Look = event.call {
                        return Steps::Same;
                    }
                    let until = self.clock.now + LIFETIME;
                    next.keys.store(key, request, body, until);
                    Steps::To(vec![next])
                }
            },
        }
    }

    fn refusal_is_counted(_: &str) -> bool {
        false
    }

    fn refusals(&self, call: &Call) -> Vec<Refusal> {
        self.refused(call, false)
    }
}
