//! Every text of the page, in English.
// A text says itself what it is.
#![allow(missing_docs)]

pub mod shop;

use crate::race::{Outcome, Side, Tally};
use crate::setup::{Mode, Scene};

pub const NAME: &str = "Interlock";
pub const TITLE: &str = "Race lab";
pub const LEAD: &str = "The same requests set out at the same moment, from this browser: first against the code of an incident \
    report, then against Interlock. What the database says afterwards decides.";
pub const SCENES: &str = "What they race for";
pub const AT_ONCE: &str = "Requests at once";
pub const RACES: &str = "Races";
pub const SEED: &str = "Seed";
pub const SEED_HINT: &str = "Who sets out when, within 6 ms";
pub const RUN: &str = "Run the race";
pub const MODE: &str = "Mode";
pub const BEGIN: &str = "Begin";
pub const STEPS_EMPTY: &str = "Two sessions will be here, with a button each.";
pub const STEPS_READY: &str = "Nothing has been begun yet.";
pub const NEXT: &str = "Next statement";
pub const COPY: &str = "Copy link";
pub const COPIED: &str = "Link copied";
pub const NOT_COPIED: &str = "The address bar has the link";
pub const READY: &str = "Nothing has been run yet.";
pub const RESULTS: &str = "Results";
pub const TIMELINE_EMPTY: &str = "Each request will be a bar here.";
pub const BOOKS: &str = "The books afterwards";
pub const STEPS: &str = "What each request does";
pub const EACH: &str = "Every request";
pub const LEGEND_YES: &str = "yes";
pub const LEGEND_WRONG: &str = "yes, wrongly";
pub const LEGEND_NO: &str = "refused";
pub const LEGEND_TROUBLE: &str = "trouble";
pub const LEGEND_STEPS: &str =
    "A bar grows darker with each call: the pale part looks, the dark part writes.";
pub const COLUMNS: [&str; 4] = ["#", "Set out", "Took", "Answer"];
pub const FOOT: &str = "Served by the local stack only. The tables of the reports’ code are in a schema race_lab that no \
    migration has; Interlock's side is its real edge functions, through the gateway. Step by step, both are statements of two sessions \
    of the database: Interlock's are those of its functions, copied with a stop before each.";

/// The scene's title.
pub fn title(scene: Scene) -> &'static str {
    match scene {
        Scene::Stock => "The last unit",
        Scene::Batch => "One delivery batch",
        Scene::Promo => "One promo code, many tabs",
        Scene::Wallet => "One wallet, many tabs",
        Scene::Code => "One digital product, many codes",
        Scene::Webhook => "One webhook, sent again",
        Scene::Packing => "Two packers, one product",
        Scene::Basket => "Two orders, one basket",
        Scene::Till => "Two tills, one shelf",
    }
}

/// What happens in it.
pub fn story(scene: Scene) -> &'static str {
    match scene {
        Scene::Stock => "One unit is left, and every buyer checks out.",
        Scene::Batch => "One round is open, and every driver claims it.",
        Scene::Promo => "A code is good for one use, and every tab uses it.",
        Scene::Wallet => "It has money for one order, and every tab pays with it.",
        Scene::Code => "There is a code for every buyer, and every buyer is sent one.",
        Scene::Webhook => "A provider tells of one payment several times; the goods go out once.",
        Scene::Packing => "Two workers scan one product; every scan counts.",
        Scene::Basket => "Two workers pack an order each; the basket has half of what they scan.",
        Scene::Till => "Two cashiers sell from 100 units; every sale counts.",
    }
}

/// Who told of it.
pub fn source(scene: Scene) -> &'static str {
    match scene {
        Scene::Stock => "Report 004",
        Scene::Batch => "As report 000 describes it",
        Scene::Promo | Scene::Wallet | Scene::Code => "As report 002 describes it",
        Scene::Webhook => "In no report: the pattern of all of them",
        Scene::Packing => "Report 003",
        Scene::Basket => "As report 003 describes it",
        Scene::Till => "Report 001",
    }
}

/// The name of a side.
pub fn side(side: Side) -> &'static str {
    match side {
        Side::Report => "The report’s original code",
        Side::Interlock => "Interlock",
    }
}

/// The list of a side's requests, for who cannot see whose it is.
pub fn each_of(of: Side) -> String {
    format!("{}: {EACH}", side(of))
}

/// What one request of a side calls, in order.
pub fn steps(side: Side, scene: Scene) -> &'static [&'static str] {
    match (side, scene) {
        (Side::Report, Scene::Stock) => &[
            "GET products?select=available_quantity",
            "if available_quantity ≥ 1: PATCH products {available_quantity: what was read − 1}",
            "POST orders",
        ],
        (Side::Report, Scene::Batch) => &[
            "GET batches?select=status",
            "if it is available: PATCH batches {status: claimed, driver_id: me}",
            "POST batch_events",
        ],
        (Side::Report, Scene::Promo) => &[
            "GET promo_codes?select=used_count,max_uses",
            "if used_count < max_uses: PATCH promo_codes {used_count: what was read + 1}",
            "POST promo_redemptions",
        ],
        (Side::Report, Scene::Wallet) => &[
            "GET wallets?select=balance",
            "if balance ≥ 700: PATCH wallets {balance: what was read − 700}",
            "POST wallet_movements",
        ],
        (Side::Report, Scene::Code) => &[
            "GET product_codes?used_at=is.null&limit=1&select=code,id",
            "if there is one: PATCH product_codes {used_at: now}",
            "POST order_items {code}",
        ],
        (Side::Report, Scene::Webhook) => &[
            "GET payments?select=status",
            "if it has not succeeded: PATCH payments {status: succeeded}",
            "POST order_shipments",
        ],
        (Side::Report, Scene::Packing) => &[
            "GET packing_progress?select=quantity_packed,quantity_needed",
            "if some are missing: PATCH packing_progress {quantity_packed: what was read + 1}",
        ],
        (Side::Report, Scene::Basket) => &[
            "GET packing_progress?picking_session_id=…&select=quantity_packed,quantity_picked,id",
            "if less is packed in all than was picked: PATCH packing_progress {quantity_packed: what was read of its own + 1}",
        ],
        (Side::Report, Scene::Till) => &[
            "GET inventory?select=quantity",
            "PATCH inventory?quantity=gte.1 {quantity: what was read − 1}",
            "POST sales",
        ],
        (Side::Interlock, Scene::Stock) => &["POST functions/v1/checkout {cart_items}"],
        (Side::Interlock, Scene::Batch) => &["POST functions/v1/claim-route {batch_id}"],
        (Side::Interlock, Scene::Promo) => &["POST functions/v1/checkout {cart_items, promo_code}"],
        (Side::Interlock, Scene::Wallet | Scene::Code) => {
            &["POST functions/v1/checkout {cart_items, payment_method: wallet}"]
        }
        (Side::Interlock, Scene::Webhook) => &[
            "POST rest/v1/rpc/payment_webhook {p_body, p_signature}, as the function payment-webhook does",
        ],
        (Side::Interlock, Scene::Packing | Scene::Basket) => {
            &["PUT functions/v1/pack/sessions/… {orderId, productId}"]
        }
        (Side::Interlock, Scene::Till) => {
            &["POST functions/v1/pos-sale {register_id, lines, tenders}"]
        }
    }
}

/// What the lines of the books are called: what there was, what is left, what was given.
pub fn books(scene: Scene) -> [&'static str; 3] {
    match scene {
        Scene::Stock => ["Units before", "Units left", "Units sold"],
        Scene::Batch => ["Batches before", "Batches left", "Claims written down"],
        Scene::Promo => ["Uses before", "Uses left", "Uses given"],
        Scene::Wallet => ["Orders in the wallet", "Orders left in it", "Orders paid"],
        Scene::Code => ["Codes before", "Codes left", "Codes sold"],
        Scene::Webhook => ["Payments before", "Still to handle", "Handled"],
        Scene::Packing => ["Units to pack", "Still to pack", "Scans answered with yes"],
        Scene::Basket => [
            "Units in the basket",
            "Left in it",
            "Scans answered with yes",
        ],
        Scene::Till => ["Units before", "Units left", "Units sold"],
    }
}

/// The verdict over a side's books.
pub fn verdict(scene: Scene, wrong: i64) -> String {
    let many = |one: &str, more: &str| match wrong {
        1 => format!("1 {one}"),
        _ => format!("{wrong} {more}"),
    };
    match (scene, wrong) {
        (_, 0) => "Exact".to_owned(),
        (Scene::Stock, _) => format!("Oversold by {wrong}"),
        (Scene::Batch, _) => many("driver too many", "drivers too many"),
        (Scene::Promo, _) => many("use too many", "uses too many"),
        (Scene::Wallet, _) => many("order too many", "orders too many"),
        (Scene::Code, _) => many("code sold twice", "codes sold twice"),
        (Scene::Webhook, _) => many("parcel too many", "parcels too many"),
        (Scene::Packing, _) => many("scan lost", "scans lost"),
        (Scene::Basket, _) => many("scan without a unit", "scans without a unit"),
        (Scene::Till, _) => many("sale never left the shelf", "sales never left the shelf"),
    }
}

/// How often a side has lost.
pub fn tally(tally: Tally) -> String {
    format!(
        "Lost {} of {} {}",
        tally.lost,
        tally.races,
        if tally.races == 1 { "race" } else { "races" }
    )
}

/// What came of the requests, in one line.
pub fn counts(outcome: &Outcome) -> String {
    let (yes, no, trouble) = outcome.counts();
    let mut text = format!("{yes} told yes, {no} refused");
    if trouble > 0 {
        text += &format!(", {trouble} in trouble");
    }
    text
}

/// The picture, for who cannot see it.
pub fn picture(outcome: &Outcome) -> String {
    format!(
        "{} requests in {}: {}.",
        outcome.requests.len(),
        milliseconds(outcome.end()),
        counts(outcome)
    )
}

/// A time.
pub fn milliseconds(time: f64) -> String {
    format!("{time:.0} ms")
}

/// The name of a mode.
pub fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Race => "All at once",
        Mode::Steps => "Step by step",
    }
}

/// The name of a session.
pub fn session(who: usize) -> &'static str {
    ["A", "B"][who]
}

/// The heading of a session.
pub fn session_title(who: usize) -> String {
    format!("Session {}", session(who))
}

/// The list of a session, for who cannot see whose it is.
pub fn session_of(of: Side, who: usize) -> String {
    format!("{}: session {}", side(of), session(who))
}

/// The button of a session, for who cannot see whose it is.
pub fn next_of(of: Side, who: usize) -> String {
    format!("{NEXT}: {}, session {}", side(of), session(who))
}

/// What a session has got that was not refused.
pub fn got(scene: Scene) -> &'static str {
    match scene {
        Scene::Stock | Scene::Code | Scene::Till => "sold",
        Scene::Batch => "claimed",
        Scene::Promo => "redeemed",
        Scene::Wallet => "paid",
        Scene::Webhook => "handled",
        Scene::Packing | Scene::Basket => "packed",
    }
}

/// How far a session is.
pub fn progress(scene: Scene, state: &str, who: usize, code: &str) -> String {
    match state {
        "ready" => "ready".to_owned(),
        "waits" => format!("waits for {}", session(1 - who)),
        "yes" => got(scene).to_owned(),
        _ => format!("refused: {code}"),
    }
}

/// In which function a statement stands.
pub fn place(function: &str) -> String {
    format!("in {function}")
}

/// What a statement read or wrote.
pub fn value(value: &str) -> String {
    format!("→ {value}")
}

/// What a step has come to, for who cannot see it.
pub fn stepped(of: Side, progress: &[String; 2], verdict: Option<&str>) -> String {
    let [a, b] = progress;
    let verdict = verdict.map_or_else(String::new, |verdict| format!(" {verdict}."));
    format!("{}: A {a}, B {b}.{verdict}", side(of))
}

/// Two sessions that are ready.
pub const BEGUN: &str = "Both sides have two sessions. Whose statement is next is yours to say.";

/// Which race is on.
pub fn running(race: u32, of: u32) -> String {
    match of {
        1 => "Running …".to_owned(),
        _ => format!("Race {race} of {of} …"),
    }
}

/// The end of a run, for who cannot see it.
pub fn done(scene: Scene, report: i64, interlock: i64) -> String {
    format!(
        "{}: {}. {}: {}.",
        side(Side::Report),
        verdict(scene, report),
        side(Side::Interlock),
        verdict(scene, interlock)
    )
}

/// A run that came to nothing.
pub fn failed(why: &str) -> String {
    format!("The race could not be run: {why}")
}
