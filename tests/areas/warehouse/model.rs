//! A picking session at the packing table: baskets that many orders share, and their boxes. Each order needs one product, so that what an
//! answer says of its order is what it says of its line.

use crate::prove::model::keys::{Key, Keys, LIFETIME, Verdict};
use crate::prove::model::{Clock, Event, Model, Moment, Seen, Steps, matches};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

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
    /// From the shelf into the basket; below nothing back.
    Pick {
        product: Uuid,
        quantity: i64,
        key: Option<String>,
    },
    Complete {
        order: Uuid,
    },
    /// An order leaves the session.
    Remove {
        order: Uuid,
    },
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
            Self::Pick { key, .. } => Some((Uuid::nil(), "pick_item", key.clone()?)),
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
    pub(crate) version: i64,
}

/// What has become of an order's box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    Open,
    Completed,
    Removed,
}

impl Fate {
    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Completed => "completed",
            Self::Removed => "removed",
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
        let mut its = self.boxes[&order].clone();
        let mut basket = self.baskets[&its.product].clone();
        let change = match action {
            Action::Pack => quantity,
            Action::Unpack => -quantity,
            Action::Short => 0,
        };
        its.version += 1;
        if change == 0 {
            its.short += quantity;
        } else {
            its.packed += change;
            its.short = its.short.min(its.needed - its.packed);
            basket.packed += change;
            basket.version += 1;
        }
        let in_basket = match action {
            // Nobody holds the basket then.
            Action::Short => json!({
                "quantity_picked": "*", "quantity_packed": "*", "available": "*", "version": "*",
            }),
            _ => json!({
                "quantity_picked": basket.picked, "quantity_packed": basket.packed,
                "available": basket.picked - basket.packed, "version": basket.version,
            }),
        };
        let is_complete = its.packed + its.short >= its.needed;
        let answer = json!({
            "success": true, "progress_id": its.line, "session_id": self.session, "order_id": order,
            "product_id": its.product, "quantity_packed": its.packed, "quantity_needed": its.needed,
            "quantity_short": its.short, "is_item_complete": is_complete, "version": its.version,
            "order": {
                "units_packed": its.packed, "units_needed": its.needed, "units_short": its.short,
                "is_order_complete": is_complete,
            },
            "basket": in_basket,
            "session": { "units_packed": "*", "units_picked": "*", "units_needed": "*" },
        });
        next.baskets.insert(its.product, basket);
        next.boxes.insert(order, its);
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

    fn pick_refusals(&self, product: Uuid, quantity: i64) -> Vec<Refusal> {
        let basket = &self.baskets[&product];
        if quantity > 0 && self.count(Fate::Open) == 0 {
            let details = json!({ "session_id": self.session, "status": "*" });
            return vec![("SESSION_STATE_CONFLICT", details)];
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

    fn picked(&self, product: Uuid, quantity: i64) -> Done {
        if !self.pick_refusals(product, quantity).is_empty() {
            return Err("this pick must be refused");
        }
        let mut next = self.clone();
        if let Some(basket) = next.baskets.get_mut(&product) {
            basket.picked += quantity;
            basket.version += 1;
        }
        let answer = json!({ "success": true, "item": next.item_state(product) });
        Ok((next, answer))
    }

    fn complete_refusals(&self, order: Uuid) -> Vec<Refusal> {
        let its = &self.boxes[&order];
        match its.fate {
            Fate::Completed => Vec::new(),
            Fate::Removed => vec![self.closed(order)],
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
        let mut its = self.boxes[&order].clone();
        if its.fate == Fate::Open {
            if let Some(basket) = next.baskets.get_mut(&its.product) {
                basket.needed -= its.needed;
                basket.packed -= its.packed;
                basket.version += 1;
            }
            (its.packed, its.short, its.fate) = (0, 0, Fate::Removed);
            its.version += 1;
            next.boxes.insert(order, its);
        }
        let answer = next.box_answer(order);
        Ok((next, answer))
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
            let numbers = json!([basket.needed, basket.picked, basket.packed, basket.version]);
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

    fn done(&self, call: &Call) -> Done {
        match call {
            Call::Scan {
                order,
                action,
                quantity,
                ..
            } => self.scanned(*order, *action, *quantity),
            Call::Pick {
                product, quantity, ..
            } => self.picked(*product, *quantity),
            Call::Complete { order } => self.completed(*order),
            Call::Remove { order } => self.removed(*order),
            Call::Look => Ok((self.clone(), self.books())),
            Call::ClockMoves { to } => {
                let mut next = self.clone();
                next.clock.now = *to;
                Ok((next, Value::Null))
            }
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
                let refusals = self.refusals(&event.call);
                let mut refusals = refusals.iter();
                match refusals.any(|(name, known)| name == code && matches(known, details)) {
                    true => Steps::Same,
                    false => Steps::Impossible("this refusal is not true"),
                }
            }
            Seen::Success { body, .. } => match self.done(&event.call) {
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
        match call {
            Call::Scan {
                order,
                action,
                quantity,
                ..
            } => self.scan_refusals(*order, *action, *quantity),
            Call::Pick {
                product, quantity, ..
            } => self.pick_refusals(*product, *quantity),
            Call::Complete { order } => self.complete_refusals(*order),
            Call::Remove { order } => self.remove_refusals(*order),
            Call::Look | Call::ClockMoves { .. } => Vec::new(),
        }
    }
}
