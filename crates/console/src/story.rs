//! What has happened to an order, in one line of time, out of all the books that have a part of it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::actions::Action;
use crate::money::money;
use crate::texts::shop as texts;

/// Something that has happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When, as the database writes it.
    pub at: String,
    /// Which book has it.
    pub book: &'static str,
    /// What.
    pub title: String,
    /// What more is known of it.
    pub notes: Vec<String>,
    /// Under which request.
    pub request: Option<String>,
    /// What may be done.
    pub actions: Vec<Action>,
}

fn rows<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    of[name].as_array().into_iter().flatten()
}

/// What has happened at that time, if there is one.
fn entry(at: &Value, book: &'static str, title: String, notes: Vec<String>) -> Option<Entry> {
    Some(Entry {
        at: at.as_str()?.to_owned(),
        book,
        title,
        notes: notes.into_iter().filter(|note| !note.is_empty()).collect(),
        request: None,
        actions: Vec::new(),
    })
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

fn whole(row: &Value, name: &str) -> i64 {
    row[name].as_i64().unwrap_or_default()
}

/// The story of an order, by what `order_story` answers: in the order of time, and what happened at once in the order in which it is
/// understood.
pub fn tell(story: &Value) -> Vec<Entry> {
    let order = &story["order"];
    let mut entries = Vec::new();
    for proof in rows(order, "payment_proofs") {
        if proof["status"] != "submitted" {
            entries.extend(entry(
                &proof["decided_at"],
                texts::PAYMENT,
                texts::proof(text(proof, "status")),
                vec![text(proof, "reason").to_owned()],
            ));
        }
    }
    for payment in rows(story, "payments") {
        let amount = money(whole(payment, "amount"), text(payment, "currency"));
        let at = match payment["succeeded_at"].is_string() {
            true => &payment["succeeded_at"],
            false => &payment["created_at"],
        };
        entries.extend(
            entry(
                at,
                texts::PAYMENT,
                texts::payment(&texts::state(text(payment, "status")), &amount),
                vec![
                    text(payment, "provider_id").to_owned(),
                    text(payment, "flag").replace('_', " "),
                    text(payment, "failure").replace('_', " "),
                ],
            )
            .map(|entry| Entry {
                actions: Action::of_payment(payment),
                ..entry
            }),
        );
    }
    for movement in rows(story, "stock_movements") {
        entries.extend(entry(
            &movement["created_at"],
            texts::STOCK,
            texts::moved(&movement["delta"].to_string(), text(movement, "product")),
            vec![
                text(movement, "location").to_owned(),
                text(movement, "reason").replace('_', " "),
                match &movement["balance_after"] {
                    Value::Null => String::new(),
                    balance => texts::balance(&balance.to_string()),
                },
            ],
        ));
    }
    for movement in rows(story, "wallet_movements") {
        let currency = text(movement, "currency");
        entries.extend(entry(
            &movement["created_at"],
            texts::WALLET,
            money(whole(movement, "delta"), currency),
            vec![
                text(movement, "reason").replace('_', " "),
                texts::balance(&money(whole(movement, "balance_after"), currency)),
            ],
        ));
    }
    for refund in rows(order, "refunds") {
        entries.extend(entry(
            &refund["created_at"],
            texts::PAYMENT,
            texts::REFUNDED_IN_PART.to_owned(),
            vec![
                money(whole(refund, "amount"), text(order, "currency")),
                text(refund, "reason").to_owned(),
            ],
        ));
    }
    for shipment in rows(order, "shipments") {
        entries.extend(entry(
            &shipment["created_at"],
            texts::PARCEL,
            texts::PARCEL_LEFT.to_owned(),
            vec![text(shipment, "tracking").to_owned()],
        ));
    }
    for delivery in rows(story, "deliveries") {
        let at = match delivery["ended_at"].is_string() {
            true => &delivery["ended_at"],
            false => &delivery["created_at"],
        };
        entries.extend(
            entry(
                at,
                texts::TOLD,
                texts::told(
                    text(delivery, "event"),
                    text(delivery, "endpoint"),
                    &texts::state(text(delivery, "state")),
                ),
                vec![texts::attempts(
                    whole(delivery, "attempts"),
                    &delivery["last"],
                )],
            )
            .map(|entry| Entry {
                actions: Action::of_delivery(delivery),
                ..entry
            }),
        );
    }
    for event in rows(order, "events") {
        let actor = match event["actor"].as_str() {
            None => texts::BY_NOBODY.to_owned(),
            Some(actor) if order["user_id"] == actor => texts::BY_BUYER.to_owned(),
            Some(actor) => texts::by(actor),
        };
        let told = entry(
            &event["created_at"],
            texts::ORDER,
            texts::event(text(event, "event")),
            vec![text(event, "tracking").to_owned(), actor],
        );
        entries.extend(told.map(|entry| Entry {
            request: event["request_id"].as_str().map(str::to_owned),
            ..entry
        }));
    }
    // The database writes all times in one way and in UTC, so their texts sort as they do; what happened at once is told by the
    // order's own history first.
    entries.sort_by(|one, other| {
        let key = |entry: &Entry| (entry.at.clone(), entry.book != texts::ORDER);
        key(one).cmp(&key(other))
    });
    entries
}

/// The requests of a story, each once.
pub fn requests(entries: &[Entry]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    entries
        .iter()
        .filter_map(|entry| entry.request.as_deref())
        .filter(|request| seen.insert(*request))
        .collect()
}

/// What finds these requests in the platform's logs.
pub fn log_query(requests: &[&str]) -> String {
    let ids = requests
        .iter()
        .map(|request| format!("event_message like '%{}%'", request.replace('\'', "''")))
        .collect::<Vec<_>>();
    format!(
        "select timestamp, event_message from function_logs\nwhere {}\norder by timestamp",
        ids.join("\n  or ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn story() -> Value {
        json!({
            "order": {
                "number": 7, "currency": "EUR", "user_id": "buyer",
                "events": [
                    { "event": "paid", "created_at": "2026-01-01T10:00:00+00:00", "actor": "buyer", "request_id": "one" },
                    { "event": "shipped", "created_at": "2026-01-02T10:00:00+00:00", "actor": null, "tracking": "T1", "request_id": null },
                    { "event": "fulfilled", "created_at": "2026-01-03T10:00:00+00:00", "actor": "staff", "request_id": "one" },
                ],
                "payment_proofs": [{ "status": "submitted", "created_at": "2026-01-01T09:00:00+00:00" }],
            },
            "payments": [{ "status": "succeeded", "amount": 700, "currency": "EUR", "created_at": "2026-01-01T09:58:00+00:00",
                "succeeded_at": "2026-01-01T09:59:00+00:00", "provider_id": "pi_1" }],
            "stock_movements": [{ "delta": -1, "product": "tea", "reason": "checkout", "created_at": "2026-01-01T10:00:00+00:00" }],
            "deliveries": [{ "id": 3, "event": "paid", "endpoint": "crm", "state": "dead", "attempts": 3, "last": { "status": 503 },
                "created_at": "2026-01-01T10:00:01+00:00", "ended_at": "2026-01-01T12:00:00+00:00" }],
        })
    }

    #[test]
    fn all_books_tell_one_story_in_order() {
        let told = tell(&story());
        let books: Vec<&str> = told.iter().map(|entry| entry.book).collect();
        assert_eq!(
            books,
            [
                texts::PAYMENT,
                texts::ORDER,
                texts::STOCK,
                texts::TOLD,
                texts::ORDER,
                texts::ORDER
            ]
        );
        assert_eq!(told[3].actions.len(), 1, "a dead letter can be sent again");
        assert_eq!(told[4].notes, ["T1", texts::BY_NOBODY]);
    }

    #[test]
    fn requests_are_named_once_and_found_in_the_log() {
        let told = tell(&story());
        assert_eq!(requests(&told), ["one"]);
        let query = log_query(&["one", "t'wo"]);
        assert!(
            query.contains("like '%one%'") && query.contains("like '%t''wo%'"),
            "{query}"
        );
    }

    #[test]
    fn an_order_of_which_nothing_is_known_has_no_story() {
        assert_eq!(tell(&Value::Null), []);
    }
}
