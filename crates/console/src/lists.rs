//! The lists, and what a row of each says.

use serde_json::Value;

use crate::actions::Action;
use crate::money::money;
use crate::route::Route;
use crate::texts::shop as texts;

/// A list of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Orders.
    Orders,
    /// Batches of deliveries.
    Batches,
    /// What is where.
    Stock,
    /// Promo codes.
    Promos,
    /// Picking sessions.
    Sessions,
    /// What audits have found.
    Findings,
    /// Events on their way, and dead letters.
    Deliveries,
}

impl List {
    /// All of them, as the page has them.
    pub const ALL: [Self; 7] = [
        Self::Orders,
        Self::Batches,
        Self::Stock,
        Self::Promos,
        Self::Sessions,
        Self::Findings,
        Self::Deliveries,
    ];

    /// As `browse_shop` and addresses call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Batches => "batches",
            Self::Stock => "stock",
            Self::Promos => "promos",
            Self::Sessions => "sessions",
            Self::Findings => "findings",
            Self::Deliveries => "deliveries",
        }
    }

    /// The states that it can be narrowed to, as `browse_shop` calls them.
    pub fn states(self) -> &'static [&'static str] {
        match self {
            Self::Orders => &[
                "pending_payment",
                "proof",
                "confirmed",
                "paid",
                "fulfilled",
                "money",
                "cancelled",
                "expired",
                "refunded",
            ],
            Self::Batches => &[
                "available",
                "claimed",
                "in_progress",
                "lapsed",
                "completed",
                "cancelled",
            ],
            Self::Stock => &["empty", "owed"],
            Self::Promos => &["active", "inactive", "used_up"],
            Self::Sessions => &["open", "picking", "packing", "completed", "abandoned"],
            Self::Findings => &["open", "accepted", "resolved"],
            Self::Deliveries => &["dead", "pending", "delivered", "skipped"],
        }
    }
}

/// What a state is told with, besides its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing is to be done.
    Plain,
    /// It is done.
    Good,
    /// It waits.
    Waiting,
    /// Somebody has to look.
    Bad,
}

/// Something that a row says.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// In words.
    Words(String),
    /// When something is or was, after these words.
    Time(&'static str, String),
    /// An id, after these words.
    Id(&'static str, String),
    /// A page about it.
    Link(String, Route),
}

/// A row as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is called.
    pub title: String,
    /// The page about it.
    pub page: Option<Route>,
    /// How it stands.
    pub state: (String, Tone),
    /// What is said of it.
    pub facts: Vec<Fact>,
    /// What may be done.
    pub actions: Vec<Action>,
}

/// How something stands, by the word that the database has for it.
pub fn tone(state: &str) -> Tone {
    match state {
        "paid" | "fulfilled" | "completed" | "delivered" | "resolved" | "active" | "succeeded"
        | "accepted" => Tone::Good,
        "pending_payment" | "confirmed" | "claimed" | "in_progress" | "picking" | "packing"
        | "pending" | "submitted" | "processing" | "refund_due" => Tone::Waiting,
        "dead" | "lapsed" | "open" | "empty" | "owed" | "flagged" => Tone::Bad,
        _ => Tone::Plain,
    }
}

fn state(name: &str) -> (String, Tone) {
    (texts::state(name), tone(name))
}

fn when(words: &'static str, time: &Value) -> Option<Fact> {
    Some(Fact::Time(words, time.as_str()?.to_owned()))
}

fn id(words: &'static str, id: &Value) -> Option<Fact> {
    Some(Fact::Id(words, id.as_str()?.to_owned()))
}

/// A row of a list.
pub fn row(list: List, row: &Value) -> Row {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let whole = |name: &str| row[name].as_i64().unwrap_or_default();
    match list {
        List::Orders => {
            let is_waiting = row["proof_submitted_at"].is_string();
            let facts = [
                Some(Fact::Words(money(
                    whole("total") - whole("refunded"),
                    text("currency"),
                ))),
                Some(Fact::Words(texts::method(text("payment_method")))),
                Some(Fact::Words(texts::state(text("fulfillment")))),
                is_waiting.then(|| Fact::Words(texts::PROOF_WAITS.to_owned())),
                when(texts::PLACED, &row["created_at"]),
            ];
            Row {
                title: format!("#{}", row["number"]),
                page: Some(Route::Order(text("id").to_owned())),
                state: state(text("status")),
                facts: facts.into_iter().flatten().collect(),
                actions: Vec::new(),
            }
        }
        List::Batches => {
            let title = match text("reference") {
                "" => text("id"),
                reference => reference,
            };
            let is_lapsed = row["lapsed"] == true;
            let facts = [
                Some(Fact::Words(texts::priority(whole("priority")))),
                id(texts::DRIVER, &row["driver_id"]),
                when(
                    match is_lapsed {
                        true => texts::LEASE_ENDED,
                        false => texts::LEASE_ENDS,
                    },
                    &row["lease_expires_at"],
                ),
                when(texts::CAME_IN, &row["created_at"]),
            ];
            Row {
                title: title.to_owned(),
                page: None,
                state: match is_lapsed {
                    true => state("lapsed"),
                    false => state(text("status")),
                },
                facts: facts.into_iter().flatten().collect(),
                actions: Action::of_batch(row, title),
            }
        }
        List::Stock => {
            let quantity = row["quantity"].as_f64().unwrap_or_default();
            let title = format!("{}, {}", text("product"), text("location"));
            let name = match text("policy") {
                "tracked" if quantity == 0.0 => "empty",
                _ if quantity < 0.0 => "owed",
                "untracked" => "untracked",
                _ => "there",
            };
            let slots = whole("slots");
            let facts = [
                Some(Fact::Words(texts::quantity(
                    &row["quantity"].to_string(),
                    text("unit"),
                ))),
                (slots > 0).then(|| Fact::Words(texts::slots(slots))),
                id(texts::PRODUCT, &row["product_id"]),
            ];
            Row {
                page: None,
                state: state(name),
                facts: facts.into_iter().flatten().collect(),
                actions: Action::of_stock(row, &title),
                title,
            }
        }
        List::Promos => {
            let (used, most) = (whole("used"), row["max_uses"].as_i64());
            let name = match (row["active"] == true, most) {
                (false, _) => "inactive",
                (true, Some(most)) if used >= most => "used_up",
                (true, _) => "active",
            };
            let discount = match text("discount_type") {
                "percentage" => format!("{} %", row["discount_value"]),
                _ => money(whole("discount_value"), text("currency")),
            };
            let held = whole("held");
            let facts = [
                Some(Fact::Words(discount)),
                Some(Fact::Words(texts::uses(used, most))),
                (held > 0).then(|| Fact::Words(texts::held(held))),
                when(texts::BEGINS, &row["starts_at"]),
                when(texts::ENDS, &row["ends_at"]),
            ];
            Row {
                title: text("code").to_owned(),
                page: None,
                state: state(name),
                facts: facts.into_iter().flatten().collect(),
                actions: Vec::new(),
            }
        }
        List::Sessions => {
            let title = text("code");
            let facts = [
                Some(Fact::Words(texts::packed(
                    whole("completed_orders"),
                    whole("open_orders"),
                ))),
                Some(Fact::Words(text("location").to_owned())),
                when(texts::BEGUN, &row["created_at"]),
                when(texts::ENDED, &row["ended_at"]),
            ];
            Row {
                title: title.to_owned(),
                page: None,
                state: state(text("status")),
                facts: facts.into_iter().flatten().collect(),
                actions: Action::of_session(row, title),
            }
        }
        List::Findings => {
            let title = texts::finding(text("kind"), row["product"].as_str());
            let subject = row["subject_id"].as_str();
            let facts = [
                Some(Fact::Words(texts::difference(
                    &row["expected"].to_string(),
                    &row["found"].to_string(),
                ))),
                row["location"]
                    .as_str()
                    .map(|location| Fact::Words(location.to_owned())),
                Some(Fact::Words(text("cause").to_owned())),
                subject.map(|subject| match text("kind") {
                    "sales" => Fact::Link(
                        texts::THE_ORDER.to_owned(),
                        Route::Order(subject.to_owned()),
                    ),
                    _ => Fact::Id(texts::SUBJECT, subject.to_owned()),
                }),
                row["reason"]
                    .as_str()
                    .map(|reason| Fact::Words(texts::decided(reason, row["decided_by"].as_str()))),
                when(texts::FOUND, &row["found_at"]),
            ];
            Row {
                page: None,
                state: state(text("status")),
                facts: facts.into_iter().flatten().collect(),
                actions: Action::of_finding(row, &title),
                title,
            }
        }
        List::Deliveries => {
            let subject = text("subject");
            let facts = [
                Some(Fact::Words(texts::to_endpoint(text("endpoint")))),
                Some(Fact::Words(texts::attempts(
                    whole("attempts"),
                    &row["last"],
                ))),
                match text("event").starts_with("order.") && crate::route::is_id(subject) {
                    true => Some(Fact::Link(
                        texts::THE_ORDER.to_owned(),
                        Route::Order(subject.to_owned()),
                    )),
                    false => id(texts::SUBJECT, &row["subject"]),
                },
                when(texts::NEXT_ATTEMPT, &row["next_attempt_at"]),
                when(texts::CAME_IN, &row["created_at"]),
            ];
            Row {
                title: format!("{} {}", row["id"], text("event")),
                page: None,
                state: state(text("state")),
                facts: facts.into_iter().flatten().collect(),
                actions: Action::of_delivery(row),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_says_how_it_stands() {
        let state = |list, value: &Value| row(list, value).state;
        let stock = |policy, quantity: f64| json!({ "policy": policy, "quantity": quantity });
        assert_eq!(state(List::Stock, &stock("tracked", 0.0)).1, Tone::Bad);
        assert_eq!(state(List::Stock, &stock("tracked", 0.5)).1, Tone::Plain);
        assert_eq!(state(List::Stock, &stock("untracked", 0.0)).1, Tone::Plain);
        assert_eq!(state(List::Stock, &stock("backorder", -2.0)).1, Tone::Bad);
        let promo =
            |active, used, most: Value| json!({ "active": active, "used": used, "max_uses": most });
        let of = |value: Value| state(List::Promos, &value).0;
        assert_eq!(of(promo(true, 3, json!(3))), texts::state("used_up"));
        assert_eq!(of(promo(true, 3, Value::Null)), texts::state("active"));
        assert_eq!(of(promo(false, 0, json!(3))), texts::state("inactive"));
        let batch = json!({ "status": "claimed", "lapsed": true, "reference": "north" });
        assert_eq!(state(List::Batches, &batch), super::state("lapsed"));
    }

    #[test]
    fn what_is_about_an_order_leads_to_it() {
        let id = "0b7c4000-0000-4000-8000-00000000000a";
        let delivery = |event, subject| json!({ "id": 7, "event": event, "subject": subject });
        let links = |value: &Value| {
            let facts = row(List::Deliveries, value).facts;
            facts
                .iter()
                .filter(|fact| matches!(fact, Fact::Link(..)))
                .count()
        };
        assert_eq!(links(&delivery("order.paid", id)), 1);
        assert_eq!(links(&delivery("batch.claimed", id)), 0);
        assert_eq!(links(&delivery("order.paid", "tap")), 0);
        let finding = json!({ "kind": "sales", "subject_id": id, "expected": 1, "found": 0 });
        let facts = row(List::Findings, &finding).facts;
        assert!(facts.contains(&Fact::Link(
            texts::THE_ORDER.to_owned(),
            Route::Order(id.to_owned())
        )));
    }

    #[test]
    fn an_empty_row_is_a_row() {
        for list in List::ALL {
            let _ = row(list, &Value::Null);
        }
    }
}
