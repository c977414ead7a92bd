//! The checker finds what it is there to find: hand-written histories that fit no order.

use super::checker::{Verdict, prepare, search};
use super::shrink::shrink;
use crate::areas::delivery::model::{self as depot, Action, Batch, Depot};
use crate::areas::promo::model::{Off, Promo, Uses};
use crate::areas::shop::model::calls as shop;
use crate::areas::shop::model::tills::Tills;
use crate::areas::shop::model::{Product, Shop, Terms};
use crate::prove::model::keys::Keys;
use crate::prove::model::{Clock, Event, Model, Seen};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

const CLOCK: Clock = Clock {
    now: 3600,
    exact: true,
};
const OIL: Uuid = Uuid::from_u128(1);
const CODE: Uuid = Uuid::from_u128(2);
const BATCH: Uuid = Uuid::from_u128(3);

/// Five units of one product, and a code with one use.
fn a_shop() -> Shop {
    let oil = Product {
        name: "oil".to_owned(),
        price: 700,
        digital: false,
        per_point: 100,
    };
    let promo = Promo {
        id: CODE,
        code: "ONCE".to_owned(),
        off: Off::Percent(10),
        max_uses: Some(1),
        max_uses_per_user: None,
        holds_per_user: 1,
        min_subtotal: None,
        first_order_only: false,
        only_for: None,
        only_on: None,
        expires: None,
    };
    Shop {
        stores: BTreeMap::new(),
        transfers: BTreeMap::new(),
        tills: Tills::default(),
        terms: Arc::new(Terms {
            products: BTreeMap::from([(OIL, oil)]),
            promos: vec![promo],
            buyers: Vec::new(),
            slots: false,
            point_value: 10,
        }),
        clock: CLOCK,
        stock: BTreeMap::from([(OIL, 5)]),
        slots: BTreeMap::new(),
        wallets: BTreeMap::new(),
        top_ups: BTreeMap::new(),
        orders: BTreeMap::new(),
        news: BTreeMap::new(),
        uses: Uses::default(),
        seen_codes: BTreeMap::new(),
        replaced: BTreeMap::new(),
        guesses: BTreeMap::new(),
        keys: Keys::default(),
    }
}

fn a_depot() -> Depot {
    Depot {
        all: Arc::new(vec![BATCH]),
        clock: CLOCK,
        drivers: [10, 11]
            .map(|driver| (Uuid::from_u128(driver), true))
            .into(),
        batches: BTreeMap::from([(BATCH, Batch::offered(0, 0))]),
        keys: Keys::default(),
    }
}

/// One call from `called` to `answered`.
fn event<C>(called: u64, answered: u64, call: C, body: Value) -> Event<C> {
    Event {
        session: 0,
        via: "sql",
        call,
        seen: Seen::Success {
            body,
            replayed: false,
        },
        called,
        answered,
        alone: false,
    }
}

fn takes_one(called: u64, answered: u64, before: i64) -> Event<shop::Call> {
    let call = shop::Call::TakeUnits {
        product: OIL,
        quantity: 1,
        reference: None,
    };
    let body = json!({
        "success": true, "product_id": OIL, "deducted": 1,
        "old_quantity": before, "new_quantity": before - 1,
    });
    event(called, answered, call, body)
}

fn sees(called: u64, answered: u64, stock: i64) -> Event<shop::Call> {
    let shelf = json!({ OIL.to_string(): stock });
    event(called, answered, shop::Call::LookAtShelf, shelf)
}

fn counts_a_use(called: u64, answered: u64) -> Event<shop::Call> {
    let body = json!({ "success": true, "used_count": 1 });
    let call = shop::Call::CountUse {
        promo: CODE,
        reference: None,
    };
    event(called, answered, call, body)
}

fn claims(called: u64, answered: u64, driver: u128) -> Event<depot::Call> {
    let driver = Uuid::from_u128(driver);
    let call = depot::Call::Route {
        driver,
        batch: Some(BATCH),
        action: Action::Claim,
        key: None,
    };
    let body = json!({ "success": true, "batch": {
        "id": BATCH, "status": "claimed", "driver_id": driver,
        "claimed_at": "2001-01-01T01:00:00+00:00", "lease_expires_at": "2001-01-01T01:15:00+00:00",
        "started_at": null, "completed_at": null, "priority": 0, "version": 2,
        "reference": format!("test:{BATCH}"), "created_at": "2001-01-01T00:00:00+00:00",
    } });
    event(called, answered, call, body)
}

fn fits<M: Model>(start: &M, mut events: Vec<Event<M::Call>>) -> bool {
    prepare(&mut events);
    matches!(search(start, &events, u64::MAX), Verdict::Fits(_))
}

#[test]
fn calls_that_overlap_may_come_in_any_order() {
    let events = vec![
        takes_one(1, 6, 4),
        takes_one(2, 5, 5),
        sees(3, 4, 5),
        sees(7, 8, 3),
    ];
    assert!(fits(&a_shop(), events));
    assert!(fits(&a_depot(), vec![claims(1, 2, 10)]));
}

#[test]
fn a_lost_update_fits_no_order() {
    assert!(!fits(
        &a_shop(),
        vec![takes_one(1, 3, 5), takes_one(2, 4, 5)]
    ));
}

#[test]
fn a_stale_read_fits_no_order() {
    assert!(!fits(&a_shop(), vec![takes_one(1, 2, 5), sees(3, 4, 5)]));
    // Two readers, one after the other, of whom only the first sees the new stock.
    let events = vec![takes_one(1, 8, 5), sees(2, 3, 4), sees(4, 5, 5)];
    assert!(!fits(&a_shop(), events));
}

#[test]
fn two_winners_of_one_batch_fit_no_order() {
    assert!(!fits(&a_depot(), vec![claims(1, 3, 10), claims(2, 4, 11)]));
}

#[test]
fn a_use_counted_twice_fits_no_order() {
    assert!(fits(&a_shop(), vec![counts_a_use(1, 2)]));
    assert!(!fits(
        &a_shop(),
        vec![counts_a_use(1, 3), counts_a_use(2, 4)]
    ));
}

#[test]
fn a_failure_is_shrunk_to_what_matters() {
    let mut events = vec![
        takes_one(1, 2, 5),
        sees(3, 4, 4),
        takes_one(5, 8, 4),
        sees(6, 7, 4),
        takes_one(9, 12, 3),
        counts_a_use(10, 11),
        // Too late: the unit before is gone.
        sees(13, 14, 3),
        sees(15, 16, 2),
    ];
    prepare(&mut events);
    let shrunk = shrink(&a_shop(), &events).expect("the history fits no order");
    let text = shrunk.print(&BTreeMap::from([(OIL, "<oil>".to_owned())]));
    assert!(text.contains("✗") && text.contains("{<oil>: 2}"), "{text}");
    assert_eq!(text.matches("session").count(), 1, "{text}");
}
