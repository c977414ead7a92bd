//! What the pages about the shop say.

use serde_json::Value;

use crate::actions::{Deed, Kind};
use crate::lists::List;
use crate::session::Refusal;

pub const SHOP: &str = "Shop";
pub const PAGES: &str = "Pages";
pub const HEALTH: &str = "Health";
pub const LOADING: &str = "Loading …";
pub const CLOSE: &str = "Cancel";
pub const SIGN_IN: &str = "Sign in";
pub const SIGN_IN_LEAD: &str = "These pages are for people who look after the shop. Sign in with an account whose app_metadata.role is staff.";
pub const EMAIL: &str = "E-mail";
pub const PASSWORD: &str = "Password";
pub const SIGN_OUT: &str = "Sign out";
pub const SIGNED_OUT: &str = "You are signed out.";
pub const SESSION_OVER: &str = "Your session has ended. Sign in again.";
pub const NO_RIGHTS_TITLE: &str = "Not for this account";
pub const NO_SETTINGS: &str = "config.json, which says where the project is, could not be read.";
pub const UNREACHABLE: &str = "The project could not be reached. Try again.";

/// Who is signed in, and may do nothing here.
pub fn no_rights(email: &str) -> String {
    format!(
        "{email} is signed in, but these pages are for staff: the account’s app_metadata.role has to be staff."
    )
}

/// Why nobody was signed in.
pub fn refusal(refusal: Refusal) -> String {
    match refusal {
        Refusal::Unknown => "There is no account with this e-mail address and password.".to_owned(),
        Refusal::Unconfirmed => "This e-mail address has not been confirmed yet.".to_owned(),
        Refusal::Banned => "This account is shut out.".to_owned(),
        Refusal::TooOften => "Too many tries. Wait a minute.".to_owned(),
        Refusal::NoAuth => "This project has no sign-in.".to_owned(),
        Refusal::Other(status) => format!("The sign-in was answered with {status}. Try again."),
    }
}

// Health

pub const BOOKS: &str = "Books";
pub const SWEEPS: &str = "Sweeps";
pub const PROOFS: &str = "Payment proofs";
pub const MONEY: &str = "Money to settle";
pub const LEASES: &str = "Leases";
pub const DELIVERIES: &str = "Deliveries";
pub const DATABASE: &str = "Database";
pub const ON_TIME: &str = "All on time.";
pub const NO_PROOFS: &str = "None waits.";
pub const NO_MONEY: &str = "All money pays an order.";
pub const NO_LEASES: &str = "No lease is over.";
pub const DELIVERED: &str = "All is told, on time.";
pub const NO_FINDINGS: &str = "The latest audit found nothing that is open.";
pub const COMPARED: &str = "All books were compared just now, and agree.";
pub const NEVER_AUDITED: &str = "No audit has run yet.";
pub const COMPARE: &str = "Compare all books now";
pub const AUDITED: &str = "audited";
pub const SINCE: &str = "since";
pub const SEE_PROOFS: &str = "Orders with a proof";
pub const SEE_MONEY: &str = "Orders with such money";
pub const SEE_LEASES: &str = "Batches";
pub const SEE_DEAD: &str = "Dead letters";
pub const SEE_FINDINGS: &str = "Open findings";
pub const BY_PART: &str = "By part";
pub const REFUSALS: &str = "Refused, as it should be";
pub const REFUSALS_LEAD: &str =
    "Somebody else was first. These mean that a race was caught, not that something is broken.";
pub const LOG_HINT: &str = "How often each function answers what, and repeats a call, stands in its log: it is refused there, so no table could keep it.";
pub const HOT: &str = "Hot products";
pub const HOT_COLUMNS: [&str; 3] = ["Product", "Of the latest 2000 movements", "Slots"];
pub const NOTHING_HOT: &str = "Nothing has moved yet.";
pub const REFRESH: &str = "Look again";

/// The shop in one line.
pub fn verdict(troubles: usize) -> String {
    match troubles {
        0 => "All is well".to_owned(),
        1 => "1 part needs somebody".to_owned(),
        _ => format!("{troubles} parts need somebody"),
    }
}

fn many(count: i64, one: &str, more: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {more}"),
    }
}

fn queue(name: &str, count: i64) -> String {
    let (one, more) = match name {
        "orders" => ("unpaid order", "unpaid orders"),
        "promo_holds" => ("promo hold", "promo holds"),
        "cart_reservations" => ("reservation", "reservations"),
        "parked_sales" => ("parked sale", "parked sales"),
        "points" => ("order without its points", "orders without their points"),
        "events" => ("event", "events"),
        "deliveries" => ("delivery", "deliveries"),
        "dead_deliveries" => ("dead letter", "dead letters"),
        "payment_proofs" => ("proof", "proofs"),
        "refunds" => ("payment to give back", "payments to give back"),
        "flagged_payments" => ("payment that pays no order", "payments that pay no order"),
        "lapsed_leases" => ("lease that is over", "leases that are over"),
        other => (other, other),
    };
    many(count, one, more)
}

/// What is overdue.
pub fn overdue(name: &str, count: i64) -> String {
    match name {
        "dead_deliveries" => format!("{}.", queue(name, count)),
        _ => format!("{} overdue.", queue(name, count)),
    }
}

/// What waits, and may.
pub fn waiting(name: &str, count: i64) -> String {
    let verb = if count == 1 { "waits" } else { "wait" };
    format!("{} {verb}, none too long.", queue(name, count))
}

pub fn findings(open: i64) -> String {
    format!("{} open.", many(open, "finding is", "findings are"))
}

pub fn differences(book: &str, count: i64) -> String {
    format!(
        "{} in the books of {book}.",
        many(count, "difference", "differences")
    )
}

pub fn endpoint_fails(name: &str) -> String {
    format!("{name} accepts nothing.")
}

pub fn endpoint_off(name: &str) -> String {
    format!("{name} was switched off: it was gone, or had failed for days.")
}

pub fn old_transaction(seconds: f64) -> String {
    format!("A transaction has been open for {seconds:.0} s and keeps others waiting.")
}

pub fn lock_waits(count: i64) -> String {
    match count {
        0 => "Nobody waits for a lock.".to_owned(),
        1 => "1 session waits for a lock.".to_owned(),
        _ => format!("{count} sessions wait for a lock."),
    }
}

pub fn deadlocks(count: i64) -> String {
    format!("{} so far.", many(count, "deadlock", "deadlocks"))
}

pub fn size(bytes: i64) -> String {
    format!("{:.0} MB.", bytes as f64 / 1e6)
}

/// How often somebody was first.
pub fn conflicts(of: &str, hour: i64, day: i64) -> String {
    let what = match of {
        "stock" => "Stock was no longer what had been read (VERSION_CONFLICT)",
        _ => "Packed units were no longer what had been read (PACKING_CONFLICT)",
    };
    format!("{what}: {hour} in the last hour, {day} in a day.")
}

pub fn undone(percent: f64) -> String {
    format!("{percent:.1} % of all transactions were undone, which is how a refusal ends.")
}

// Lists

pub const SEARCH: &str = "Search";
pub const STATE: &str = "State";
pub const ANY: &str = "Any";
pub const FIND: &str = "Find";
pub const MORE: &str = "Older";
pub const MORE_STOCK: &str = "More";
pub const PLACED: &str = "placed";
pub const CAME_IN: &str = "came in";
pub const LEASE_ENDS: &str = "lease ends";
pub const LEASE_ENDED: &str = "lease ended";
pub const BEGINS: &str = "begins";
pub const ENDS: &str = "ends";
pub const BEGUN: &str = "begun";
pub const ENDED: &str = "ended";
pub const FOUND: &str = "found";
pub const NEXT_ATTEMPT: &str = "next attempt";
pub const DRIVER: &str = "driver";
pub const PRODUCT: &str = "product";
pub const SUBJECT: &str = "about";
pub const THE_ORDER: &str = "The order";
pub const PROOF_WAITS: &str = "proof waits";
pub const NO_PROMO_ACTIONS: &str =
    "Codes are made and changed with the service role’s key; here they are only read.";

/// The name of a list.
pub fn list(list: List) -> &'static str {
    match list {
        List::Orders => "Orders",
        List::Batches => "Batches",
        List::Stock => "Stock",
        List::Promos => "Promo codes",
        List::Sessions => "Picking sessions",
        List::Findings => "Findings",
        List::Deliveries => "Deliveries",
    }
}

/// The same, where there is little room.
pub fn short(of: List) -> &'static str {
    match of {
        List::Promos => "Promos",
        List::Sessions => "Picking",
        _ => list(of),
    }
}

/// What a search finds in it.
pub fn search_hint(list: List) -> &'static str {
    match list {
        List::Orders => "Number, id, buyer’s e-mail, request id, payment id",
        List::Batches => "Reference, id, driver’s id",
        List::Stock => "Product or location, by name or id",
        List::Promos => "Code",
        List::Sessions => "Code, order’s id",
        List::Findings => "Kind, product, id of what it is about",
        List::Deliveries => "Number, id of what it is about",
    }
}

/// A state, as people read it.
pub fn state(name: &str) -> String {
    match name {
        "pending_payment" => "waits for payment",
        "confirmed" => "cash on delivery",
        "proof" => "proof waits",
        "money" => "money to settle",
        "in_progress" => "under way",
        "lapsed" => "lease over",
        "empty" => "sold out",
        "owed" => "owed",
        "untracked" => "not counted",
        "there" => "there",
        "used_up" => "used up",
        "inactive" => "shut",
        "partly_shipped" => "partly shipped",
        "refund_due" => "refund due",
        "dead" => "dead letter",
        "unfulfilled" => "not begun",
        other => return other.replace('_', " "),
    }
    .to_owned()
}

/// A way to pay.
pub fn method(name: &str) -> String {
    name.replace('_', " ")
}

pub fn priority(priority: i64) -> String {
    format!("priority {priority}")
}

pub fn quantity(quantity: &str, unit: &str) -> String {
    format!("{quantity} {unit}")
}

pub fn slots(slots: i64) -> String {
    format!("hot: {slots} slots")
}

pub fn uses(used: i64, most: Option<i64>) -> String {
    match most {
        Some(most) => format!("{used} of {most} uses"),
        None => many(used, "use", "uses"),
    }
}

pub fn held(held: i64) -> String {
    format!("{held} held by carts")
}

pub fn packed(completed: i64, open: i64) -> String {
    format!("{completed} of {} orders packed", completed + open)
}

/// What an audit has found.
pub fn finding(kind: &str, product: Option<&str>) -> String {
    let kind = kind.replace('_', " ");
    match product {
        Some(product) => format!("{kind}: {product}"),
        None => kind,
    }
}

pub fn difference(expected: &str, found: &str) -> String {
    format!("expected {expected}, found {found}")
}

pub fn decided(reason: &str, by: Option<&str>) -> String {
    match by {
        Some(by) => format!("“{reason}”, {by}"),
        None => format!("“{reason}”"),
    }
}

pub fn to_endpoint(name: &str) -> String {
    format!("to {name}")
}

/// How often something was sent, and what was answered last.
pub fn attempts(attempts: i64, last: &Value) -> String {
    let tried = many(attempts, "attempt", "attempts");
    match (last["status"].as_i64(), last["error"].as_str()) {
        (Some(status), _) => format!("{tried}, last answer {status}"),
        (None, Some(error)) => format!("{tried}, last: {error}"),
        (None, None) => tried,
    }
}

/// How many rows are shown.
pub fn shown(count: usize, is_all: bool) -> String {
    match (count, is_all) {
        (0, _) => "Nothing found.".to_owned(),
        (1, true) => "1 found.".to_owned(),
        (_, true) => format!("{count} found."),
        (_, false) => format!("The first {count}."),
    }
}

// An order

pub const ORDER: &str = "Order";
pub const PAYMENT: &str = "Payment";
pub const STOCK: &str = "Stock";
pub const WALLET: &str = "Wallet";
pub const PARCEL: &str = "Parcel";
pub const TOLD: &str = "Told";
pub const LINES: &str = "What was ordered";
pub const LINE_COLUMNS: [&str; 4] = ["Product", "Quantity", "Each", "Total"];
pub const STORY: &str = "What has happened";
pub const ABOUT: &str = "About the order";
pub const TOTAL: &str = "To be paid";
pub const BUYER: &str = "Buyer";
pub const CONTACT: &str = "Contact";
pub const ADDRESS: &str = "Address";
pub const PROMO: &str = "Promo code";
pub const TRACKING: &str = "Tracking";
pub const DEADLINE: &str = "Expires unless paid";
pub const SESSIONS: &str = "Picked in";
pub const PROOF: &str = "Proof";
pub const NO_BUYER: &str = "account deleted";
pub const REFUNDED_IN_PART: &str = "Refunded in part";
pub const PARCEL_LEFT: &str = "A parcel has left";
pub const BY_NOBODY: &str = "by the shop’s own code or a job";
pub const BY_BUYER: &str = "by the buyer";
pub const REQUEST: &str = "request";
pub const IN_THE_LOG: &str = "Find these requests in the functions’ log";
pub const IN_THE_LOG_LEAD: &str = "Dashboard, Logs, Logs Explorer. A line has the id, its outcome, how long it took and why it was refused.";
pub const BACK_TO_ORDERS: &str = "All orders";
pub const ACTIONS: &str = "What can be done";

pub fn order(number: &Value) -> String {
    format!("Order #{number}")
}

pub fn by(actor: &str) -> String {
    format!("by {actor}")
}

pub fn payment(state: &str, amount: &str) -> String {
    format!("{amount} by card: {state}")
}

pub fn proof(status: &str) -> String {
    format!("Proof {status}")
}

pub fn moved(delta: &str, product: &str) -> String {
    match delta.strip_prefix('-') {
        Some(delta) => format!("−{delta} {product}"),
        None => format!("+{delta} {product}"),
    }
}

pub fn balance(balance: &str) -> String {
    format!("then {balance}")
}

pub fn told(event: &str, endpoint: &str, state: &str) -> String {
    format!("order.{event} to {endpoint}: {state}")
}

/// Something that has happened to an order.
pub fn event(name: &str) -> String {
    match name {
        "pending_payment" => "Placed, waits for payment",
        "confirmed" => "Placed, to be paid on delivery",
        "paid" => "Paid",
        "fulfilled" => "Handed over",
        "cancelled" => "Cancelled",
        "expired" => "Expired",
        "refunded" => "Refunded",
        "proof_submitted" => "Proof of payment handed in",
        "proof_rejected" => "Proof of payment rejected",
        "processing" => "Being prepared",
        "partly_shipped" => "A part has left",
        "shipped" => "Shipped",
        "corrected" => "Details corrected",
        "tracking_changed" => "Tracking number changed",
        "lines_refunded" => "Lines cancelled or refunded",
        "moved" => "Moved to another account",
        other => return other.replace('_', " "),
    }
    .to_owned()
}

// Deeds

/// What a deed is called.
pub fn deed(deed: Deed) -> &'static str {
    match deed {
        Deed::AcceptPayment => "Confirm payment",
        Deed::RejectPayment => "Reject proof",
        Deed::Cancel => "Cancel order",
        Deed::Process => "Begin preparing",
        Deed::Ship => "Ship",
        Deed::Fulfill => "Hand over",
        Deed::Refund => "Refund order",
        Deed::Reopen => "Reopen",
        Deed::RefundPayment => "Give money back",
        Deed::RetryDelivery => "Send again",
        Deed::SwitchOn => "Switch on",
        Deed::Resolve => "Correct",
        Deed::Accept => "Let it be",
        Deed::Assign => "Give to a driver",
        Deed::Adjust => "Adjust",
        Deed::Abandon => "Give up session",
    }
}

/// What it does, before it is done.
pub fn effect(deed: Deed) -> &'static str {
    match deed {
        Deed::AcceptPayment => "The order counts as paid. Do this when the money is there.",
        Deed::RejectPayment => "The buyer reads the reason and may hand in another proof.",
        Deed::Cancel => "The order ends. Its units, codes and wallet money go back.",
        Deed::Process => "The buyer sees that the order is being prepared; it no longer expires.",
        Deed::Ship => "All of its goods have left.",
        Deed::Fulfill => "The order is at its end. Cash on delivery is paid with it.",
        Deed::Refund => "The order ends, and what was paid is to go back.",
        Deed::Reopen => "The order takes its units again, for the price it had, if they are there.",
        Deed::RefundPayment => {
            "The payment provider is asked to give it back. The order stays as it is."
        }
        Deed::RetryDelivery => "It is sent again, with all its attempts.",
        Deed::SwitchOn => "It gets events again.",
        Deed::Resolve => {
            "The books are corrected by what is true. The reason stands in the ledger."
        }
        Deed::Accept => {
            "Nothing is corrected. It stays quiet as long as the difference stays the same."
        }
        Deed::Assign => "Whoever has the batch loses it. The history says so.",
        Deed::Adjust => "Units come in, or go out with a minus.",
        Deed::Abandon => {
            "Its orders are free for another session; what was picked goes back to the shelf."
        }
    }
}

/// The question.
pub fn question(of: Deed, to: &str) -> String {
    format!("{}: {to}", deed(of))
}

/// That it was done.
pub fn done(of: Deed, to: &str) -> String {
    format!("Done: {} ({to}).", deed(of).to_lowercase())
}

/// What a field asks for.
pub fn field(kind: Kind) -> &'static str {
    match kind {
        Kind::Reason(_) => "Reason",
        Kind::Name => "Who decides it",
        Kind::Tracking => "Tracking number (may be empty)",
        Kind::CancelAsWell => "Cancel the order as well",
        Kind::Outside => "Wallet money was given back in another way",
        Kind::Paid => "The money is there already",
        Kind::Amount => "Amount in minor units (all, if empty)",
        Kind::Driver => "Driver",
        Kind::Change => "Change, such as 5 or -2.5",
    }
}

/// What does not fit.
pub fn does_not_fit(kind: Kind) -> String {
    match kind {
        Kind::Reason(most) => format!("A reason is needed, of {most} characters at most."),
        Kind::Name => "A name is needed.".to_owned(),
        Kind::Change => "The change has to be a number.".to_owned(),
        Kind::Amount => "The amount has to be a whole number.".to_owned(),
        Kind::Driver => "Choose a driver.".to_owned(),
        _ => "This does not fit.".to_owned(),
    }
}

/// A driver in a list to choose from.
pub fn driver(email: &str, is_busy: bool) -> String {
    match is_busy {
        true => format!("{email} (has a batch)"),
        false => email.to_owned(),
    }
}

/// An error of the shop, as people read it.
pub fn refused(message: &str, hint: &str, code: &str) -> String {
    [message, hint, &format!("({code})")]
        .into_iter()
        .filter(|part| !part.is_empty() && *part != "()")
        .collect::<Vec<_>>()
        .join(" ")
}

/// The title of the window.
pub fn window(page: &str) -> String {
    format!("{page} · Interlock")
}
