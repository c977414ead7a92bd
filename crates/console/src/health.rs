//! How the shop is, by part. What is overdue the database says (`interlock.queues`); here it is told.

use serde_json::Value;

use crate::actions::Action;
use crate::lists::{Fact, List, Tone};
use crate::route::Route;
use crate::texts::shop as texts;

/// A lock is waited for no longer than seconds, by our own calls; a transaction that is older keeps others from their work.
const OLD_TRANSACTION_S: f64 = 30.0;

/// A part of the shop.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it is called.
    pub name: &'static str,
    /// Whether somebody has to look.
    pub tone: Tone,
    /// How it is, in sentences, the worst first.
    pub words: Vec<String>,
    /// What more is to be said.
    pub facts: Vec<Fact>,
    /// Where it is looked at.
    pub page: Option<(String, Route)>,
    /// What may be done.
    pub actions: Vec<Action>,
}

/// A queue of `interlock.queues`.
struct Queue<'a> {
    waiting: i64,
    overdue: i64,
    since: Option<&'a str>,
}

fn queue<'a>(health: &'a Value, name: &str) -> Queue<'a> {
    let queues = health["queues"].as_array();
    let queue = queues.and_then(|queues| queues.iter().find(|queue| queue["queue"] == name));
    let whole = |what: &str| queue.and_then(|queue| queue[what].as_i64()).unwrap_or(0);
    Queue {
        waiting: whole("waiting"),
        overdue: whole("overdue"),
        since: queue.and_then(|queue| queue["since"].as_str()),
    }
}

/// Of several queues: what is said of each that is overdue, or that all is on time.
fn queues(health: &Value, names: &[&'static str], on_time: &str) -> (Tone, Vec<String>, Vec<Fact>) {
    let (mut words, mut facts) = (Vec::new(), Vec::new());
    for name in names {
        let queue = queue(health, name);
        if queue.overdue > 0 {
            words.push(texts::overdue(name, queue.overdue));
            if let Some(since) = queue.since {
                facts.push(Fact::Time(texts::SINCE, since.to_owned()));
            }
        }
    }
    if !words.is_empty() {
        return (Tone::Bad, words, facts);
    }
    let waiting = names
        .iter()
        .map(|name| (name, queue(health, name).waiting))
        .filter(|(_, waiting)| *waiting > 0)
        .map(|(name, waiting)| texts::waiting(name, waiting))
        .collect::<Vec<_>>();
    match waiting.is_empty() {
        true => (Tone::Good, vec![on_time.to_owned()], facts),
        false => (Tone::Good, waiting, facts),
    }
}

fn narrowed(list: List, state: &'static str) -> Route {
    Route::List {
        list,
        search: String::new(),
        state: Some(state),
    }
}

/// All parts, by what `shop_health` answers.
pub fn parts(health: &Value) -> Vec<Part> {
    let whole = |pointer: &str| {
        health
            .pointer(pointer)
            .and_then(Value::as_i64)
            .unwrap_or_default()
    };
    let mut parts = vec![books(health)];
    let mut part = |name, (tone, words, facts), page: Option<(&str, Route)>| {
        parts.push(Part {
            name,
            tone,
            words,
            facts,
            page: page.map(|(words, page)| (words.to_owned(), page)),
            actions: Vec::new(),
        });
    };
    part(
        texts::SWEEPS,
        queues(
            health,
            &[
                "orders",
                "promo_holds",
                "cart_reservations",
                "parked_sales",
                "points",
            ],
            texts::ON_TIME,
        ),
        None,
    );
    part(
        texts::PROOFS,
        queues(health, &["payment_proofs"], texts::NO_PROOFS),
        Some((texts::SEE_PROOFS, narrowed(List::Orders, "proof"))),
    );
    part(
        texts::MONEY,
        queues(health, &["refunds", "flagged_payments"], texts::NO_MONEY),
        Some((texts::SEE_MONEY, narrowed(List::Orders, "money"))),
    );
    part(
        texts::LEASES,
        queues(health, &["lapsed_leases"], texts::NO_LEASES),
        Some((texts::SEE_LEASES, narrowed(List::Batches, "lapsed"))),
    );

    let (tone, words, facts) = queues(
        health,
        &["dead_deliveries", "deliveries", "events"],
        texts::DELIVERED,
    );
    let mut deliveries = Part {
        name: texts::DELIVERIES,
        tone,
        words,
        facts,
        page: Some((
            texts::SEE_DEAD.to_owned(),
            narrowed(List::Deliveries, "dead"),
        )),
        actions: Vec::new(),
    };
    let endpoints = health["endpoints"].as_array();
    for endpoint in endpoints.into_iter().flatten() {
        let name = endpoint["name"].as_str().unwrap_or_default();
        deliveries.tone = Tone::Bad;
        deliveries.words.push(match endpoint["active"] == true {
            true => texts::endpoint_fails(name),
            false => texts::endpoint_off(name),
        });
        deliveries.actions.extend(Action::of_endpoint(endpoint));
    }
    if deliveries.tone == Tone::Bad {
        deliveries.words.retain(|words| words != texts::DELIVERED);
    }
    parts.push(deliveries);

    let oldest = health["database"]["oldest_transaction"]
        .as_f64()
        .unwrap_or_default();
    let waits = whole("/database/lock_waits");
    let mut words = Vec::new();
    if oldest > OLD_TRANSACTION_S {
        words.push(texts::old_transaction(oldest));
    }
    let tone = match words.is_empty() {
        true => Tone::Good,
        false => Tone::Bad,
    };
    words.push(texts::lock_waits(waits));
    words.push(texts::deadlocks(whole("/database/deadlocks")));
    words.push(texts::size(whole("/database/size")));
    parts.push(Part {
        name: texts::DATABASE,
        tone,
        words,
        facts: Vec::new(),
        page: None,
        actions: Vec::new(),
    });
    parts
}

/// Whether the books agree: by the latest audit, and by all of them if they were compared just now.
fn books(health: &Value) -> Part {
    let open = health["findings"]["open"].as_i64().unwrap_or_default();
    let mut words = Vec::new();
    if open > 0 {
        words.push(texts::findings(open));
    }
    let compared = health["differences"].as_object();
    let found = words.len();
    for (book, count) in compared.into_iter().flatten() {
        let count = count.as_i64().unwrap_or_default();
        if count > 0 {
            words.push(texts::differences(book, count));
        }
    }
    let is_well = words.is_empty();
    match compared {
        Some(_) if words.len() == found => words.push(texts::COMPARED.to_owned()),
        None if is_well => words.push(texts::NO_FINDINGS.to_owned()),
        _ => {}
    }
    let audited = health["audited_at"].as_str();
    if audited.is_none() {
        words.push(texts::NEVER_AUDITED.to_owned());
    }
    Part {
        name: texts::BOOKS,
        tone: match is_well {
            true => Tone::Good,
            false => Tone::Bad,
        },
        words,
        facts: audited
            .map(|at| Fact::Time(texts::AUDITED, at.to_owned()))
            .into_iter()
            .collect(),
        page: Some((
            texts::SEE_FINDINGS.to_owned(),
            narrowed(List::Findings, "open"),
        )),
        actions: Vec::new(),
    }
}

/// How many parts somebody has to look at.
pub fn troubles(parts: &[Part]) -> usize {
    parts.iter().filter(|part| part.tone == Tone::Bad).count()
}

/// How often somebody was first: what is refused so is no trouble.
pub fn refusals(health: &Value) -> Vec<String> {
    let count =
        |of: &str, within: &str| health["conflicts"][of][within].as_i64().unwrap_or_default();
    let mut lines = ["stock", "packing"]
        .map(|of| texts::conflicts(of, count(of, "hour"), count(of, "day")))
        .to_vec();
    let [committed, undone] = ["committed", "rolled_back"]
        .map(|what| health["database"][what].as_f64().unwrap_or_default());
    if committed + undone > 0.0 {
        lines.push(texts::undone(100.0 * undone / (committed + undone)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn well() -> Value {
        json!({
            "queues": [
                { "queue": "orders", "waiting": 3, "overdue": 0, "since": "2026-01-01T00:00:00Z" },
                { "queue": "dead_deliveries", "waiting": 0, "overdue": 0, "since": null },
            ],
            "findings": { "open": 0, "oldest": null },
            "audited_at": "2026-01-01T00:00:00Z",
            "differences": null,
            "endpoints": [],
            "conflicts": { "stock": { "hour": 1, "day": 7 }, "packing": { "hour": 0, "day": 0 } },
            "database": {
                "committed": 900, "rolled_back": 100, "deadlocks": 0, "size": 1, "lock_waits": 2, "oldest_transaction": 0.5,
            },
        })
    }

    fn bad(health: &Value) -> Vec<&'static str> {
        let parts = parts(health);
        let bad = parts.iter().filter(|part| part.tone == Tone::Bad);
        bad.map(|part| part.name).collect()
    }

    #[test]
    fn all_is_well_where_nothing_is_overdue() {
        assert_eq!(troubles(&parts(&well())), 0);
    }

    #[test]
    fn each_trouble_is_told_where_it_belongs() {
        for (queue, part) in [
            ("orders", texts::SWEEPS),
            ("points", texts::SWEEPS),
            ("payment_proofs", texts::PROOFS),
            ("refunds", texts::MONEY),
            ("flagged_payments", texts::MONEY),
            ("lapsed_leases", texts::LEASES),
            ("events", texts::DELIVERIES),
            ("deliveries", texts::DELIVERIES),
            ("dead_deliveries", texts::DELIVERIES),
        ] {
            let mut health = well();
            health["queues"] = json!([{ "queue": queue, "waiting": 1, "overdue": 1 }]);
            assert_eq!(bad(&health), [part], "{queue}");
        }
        for (pointer, value, part) in [
            ("/findings/open", json!(2), texts::BOOKS),
            ("/differences", json!({ "wallets": 1 }), texts::BOOKS),
            ("/database/oldest_transaction", json!(31.0), texts::DATABASE),
            (
                "/endpoints",
                json!([{ "name": "crm", "channel": "webhook", "active": false }]),
                texts::DELIVERIES,
            ),
        ] {
            let mut health = well();
            *health.pointer_mut(pointer).expect(pointer) = value;
            assert_eq!(bad(&health), [part], "{pointer}");
        }
    }

    #[test]
    fn an_endpoint_that_was_switched_off_can_be_switched_on() {
        let mut health = well();
        health["endpoints"] = json!([
            { "id": "e", "name": "crm", "channel": "webhook", "active": false },
            { "id": "f", "name": "shop", "channel": "webhook", "active": true, "failing_since": "2026-01-01T00:00:00Z" },
        ]);
        let parts = parts(&health);
        let deliveries = parts
            .iter()
            .find(|part| part.name == texts::DELIVERIES)
            .expect("a part");
        assert_eq!(deliveries.actions.len(), 1);
        assert_eq!(deliveries.words.len(), 2, "{:?}", deliveries.words);
    }

    #[test]
    fn books_that_were_compared_say_so() {
        let mut health = well();
        health["differences"] = json!({ "stock": 0, "wallets": 0 });
        assert_eq!(parts(&health)[0].words, [texts::COMPARED]);
    }

    #[test]
    fn refusals_are_counted_and_are_no_trouble() {
        let lines = refusals(&well());
        assert_eq!(lines.len(), 3);
        assert!(lines[2].contains("10.0"), "{}", lines[2]);
    }
}
