//! A shop: what it sells, to whom, under which code, and what becomes of the orders.

pub(crate) mod calls;
mod cards;
mod checkout;
mod codes;
pub(crate) mod inventory;
mod orders;
pub(crate) mod parked;
pub(crate) mod points;
mod reopening;
pub(crate) mod sales;
pub(crate) mod slots;
mod stock;
pub(crate) mod tills;
pub(crate) mod transfers;
mod wallet;

use self::calls::{Call, Decision};
use self::inventory::Held;
use self::orders::Order;
use self::tills::Tills;
use self::transfers::Transfer;
use crate::areas::promo::model::{Promo, Refusal, Uses};
use crate::prove::model::keys::{Keys, Verdict};
use crate::prove::model::{Clock, Event, Model, Moment, Seen, Steps, matches};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use uuid::Uuid;

/// A product as the shop made it.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) name: String,
    pub(crate) price: i64,
    pub(crate) digital: bool,
    /// How much of it earns a point at a till.
    pub(crate) per_point: i64,
}

/// What does not change while the shop is open.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    pub(crate) products: BTreeMap<Uuid, Product>,
    pub(crate) promos: Vec<Promo>,
    pub(crate) buyers: Vec<Uuid>,
    /// Whether it uses slots.
    pub(crate) slots: bool,
    /// What a point pays at a till.
    pub(crate) point_value: i64,
}

/// The state of a shop.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) terms: Arc<Terms>,
    pub(crate) clock: Clock,
    /// Units that can be sold. Of a digital product, its free codes.
    pub(crate) stock: BTreeMap<Uuid, i64>,
    /// What is in the store, by inventory id.
    pub(crate) stores: BTreeMap<Uuid, Held>,
    /// What was sent from one location to another.
    pub(crate) transfers: BTreeMap<Uuid, Transfer>,
    pub(crate) tills: Tills,
    /// How many slots products and promo codes have.
    pub(crate) slots: BTreeMap<Uuid, i64>,
    pub(crate) wallets: BTreeMap<Uuid, i64>,
    /// Bookings that count once: the reference, with whose they are and the amount.
    pub(crate) top_ups: BTreeMap<Uuid, (Uuid, i64)>,
    pub(crate) orders: BTreeMap<Uuid, Arc<Order>>,
    /// Events of the payment provider that have been taken in, and what came of them.
    pub(crate) news: BTreeMap<Uuid, &'static str>,
    pub(crate) uses: Uses,
    /// Which order a code was seen to belong to: from then on nobody else's, as long as that order
    /// stands; and if it was delivered, for good.
    pub(crate) seen_codes: BTreeMap<(Uuid, String), Uuid>,
    /// Codes that did not work, and what was given instead.
    pub(crate) replaced: BTreeMap<(Uuid, String), String>,
    /// When each customer sent unknown codes.
    pub(crate) guesses: BTreeMap<Uuid, Vec<Moment>>,
    pub(crate) keys: Keys,
}

impl fmt::Debug for Shop {
    /// What a person needs in order to follow a short history.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let orders = self.orders.iter();
        let orders: BTreeMap<_, _> = orders.map(|(id, order)| (id, order.status)).collect();
        f.debug_struct("Shop")
            .field("now", &self.clock.now)
            .field("stock", &self.stock)
            .field("stores", &self.stores)
            .field("transfers", &self.transfers)
            .field("tills", &self.tills)
            .field("wallets", &self.wallets)
            .field("orders", &orders)
            .field("uses", &self.uses)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Shop {
    fn eq(&self, other: &Self) -> bool {
        self.clock == other.clock
            && self.stock == other.stock
            && self.stores == other.stores
            && self.transfers == other.transfers
            && self.tills == other.tills
            && self.slots == other.slots
            && self.wallets == other.wallets
            && self.top_ups == other.top_ups
            && self.orders == other.orders
            && self.news == other.news
            && self.uses == other.uses
            && self.seen_codes == other.seen_codes
            && self.replaced == other.replaced
            && self.guesses == other.guesses
            && self.keys == other.keys
    }
}

impl Eq for Shop {}

impl Hash for Shop {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.clock.hash(hasher);
        self.stock.hash(hasher);
        self.stores.hash(hasher);
        self.transfers.hash(hasher);
        self.tills.hash(hasher);
        self.slots.hash(hasher);
        self.wallets.hash(hasher);
        self.top_ups.hash(hasher);
        self.orders.hash(hasher);
        self.news.hash(hasher);
        self.uses.hash(hasher);
        self.seen_codes.hash(hasher);
        self.replaced.hash(hasher);
        self.guesses.hash(hasher);
        self.keys.hash(hasher);
    }
}

impl Model for Shop {
    type Call = Call;

    fn apply(&self, event: &Event<Call>) -> Steps<Self> {
        let key = event.call.key();
        match self.keys.judge(
            key.as_ref(),
            &event.call.request(),
            &event.seen,
            self.clock.now,
        ) {
            Verdict::Repeated => return Steps::Same,
            Verdict::Impossible(why) => return Steps::Impossible(why),
            Verdict::New => {}
        }
        match &event.seen {
            Seen::Transient => Steps::Same,
            Seen::Refused { code, details } => self.refused(&event.call, code, details),
            Seen::Success { body, .. } => match self.done(event, body) {
                Ok(Some(mut next)) => {
                    for state in &mut next {
                        let now = state.clock.now;
                        state.keys.store(
                            key.clone(),
                            event.call.request(),
                            body,
                            now + event.call.remembered(),
                        );
                    }
                    Steps::To(next)
                }
                // A call under a key changes the keys at least, but for a cancellation that found nothing to do.
                Ok(None) if key.is_some() && !matches!(event.call, Call::Cancel { .. }) => {
                    let mut next = self.clone();
                    next.keys.store(
                        key,
                        event.call.request(),
                        body,
                        self.clock.now + event.call.remembered(),
                    );
                    Steps::To(vec![next])
                }
                Ok(None) => Steps::Same,
                Err(why) => Steps::Impossible(why),
            },
        }
    }

    fn refusal_is_counted(code: &str) -> bool {
        code == "PROMO_NOT_FOUND"
    }

    fn refusals(&self, call: &Call) -> Vec<Refusal> {
        match call {
            Call::Checkout {
                buyer,
                items,
                code,
                cart,
                payment,
                expected,
                ..
            } => self.checkout_refusals(*buyer, items, code.as_deref(), *cart, *payment, *expected),
            Call::ApplyCode {
                buyer,
                code,
                items,
                cart,
                ..
            } => self.code_refusals(*buyer, code, items, *cart),
            Call::ReleaseCode { buyer, code, .. } => {
                self.promo(*buyer, code).err().into_iter().collect()
            }
            Call::Cancel { caller, order, .. } => self.cancel_refusals(*caller, *order),
            Call::SubmitProof { buyer, order, file } => self.proof_refusals(*buyer, *order, file),
            Call::Decide { order, decision } => {
                let (_, from, to) = decision.rule();
                self.move_refusals(None, *order, from, to, "ORDER_STATE_CONFLICT")
            }
            Call::Reopen { order, .. } => self.reopen_refusals(*order),
            Call::BeginPayment { buyer, order } => self.begin_refusals(*buyer, *order),
            Call::Tell(tidings) => Self::tidings_refusals(tidings),
            Call::TopUp {
                user,
                amount,
                reference: Some(reference),
            } => self.top_up_refusals(*user, *amount, *reference),
            Call::TakeUnits {
                product, quantity, ..
            } => self
                .shortage(&[(*product, *quantity)])
                .into_iter()
                .collect(),
            Call::TakeCodes {
                product,
                quantity,
                order,
                ..
            } => self.take_codes_refusals(*product, *quantity, *order),
            Call::ReplaceCode { product, order } => self.replace_refusals(*product, *order),
            Call::CountUse { promo, .. } => self
                .uses
                .refusal(self.promo_by_id(*promo), None, None, false, self.clock)
                .unwrap_or_default(),
            Call::WriteOff { product, quantity } => self.write_off_refusals(*product, *quantity),
            Call::Adjust { product, delta, .. } => {
                self.shortage(&[(*product, -delta)]).into_iter().collect()
            }
            Call::CountStock {
                product, expected, ..
            } => self.count_refusals(*product, *expected),
            Call::SetStockSlots { product, slots } => self.stock_slots_refusals(*product, *slots),
            Call::Manage { action, lines, .. } => self.inventory_refusals(*action, lines),
            Call::Transfer { from, goods, .. } => self.transfer_refusals(*from, goods),
            Call::Book {
                transfer,
                fate,
                goods,
                ..
            } => self.fate_refusals(*transfer, *fate, goods),
            Call::SellAtTill {
                stock, quantity, ..
            } => self.sale_refusals(*stock, *quantity),
            Call::Sell(asked) => self.sell_refusals(asked),
            Call::Park(asked) => self.park_refusals(asked),
            Call::Resume { parked, register } => self.resume_refusals(*parked, *register),
            Call::Discard { parked } => self.discard_refusals(*parked),
            Call::VoidSale { sale } => self.void_refusals(*sale),
            Call::OpenShift { register } => self.open_refusals(*register),
            Call::CloseShift { shift, counted } => self.close_refusals(*shift, *counted),
            Call::TopUp { .. }
            | Call::ExpireOrders
            | Call::ExpireHolds
            | Call::Restock { .. }
            | Call::SetPromoSlots { .. }
            | Call::Settle
            | Call::Look
            | Call::LookAtShelf
            | Call::LookAtStock { .. }
            | Call::LookAtInventory { .. }
            | Call::ClockMoves { .. } => Vec::new(),
        }
    }
}

/// What a success leads to: `None` if nothing changes.
pub(crate) type Done = Result<Option<Vec<Shop>>, &'static str>;

impl Shop {
    /// A refusal must be true. An unknown code is counted.
    fn refused(&self, call: &Call, code: &str, details: &Value) -> Steps<Self> {
        let mut details = details.clone();
        if let Call::Sell(_) = call {
            // All problems are told, the one that it is refused for before the others; those were looked for a moment later.
            let first = details["problems"][0].clone();
            if first["code"] != code || !first["pointer"].is_string() {
                return Steps::Impossible("the first problem is not what it is refused for");
            }
            if let Some(details) = details.as_object_mut() {
                details.remove("problems");
            }
        }
        let is_true = self
            .refusals(call)
            .iter()
            .any(|(name, expected)| *name == code && matches(expected, &details));
        if !is_true {
            return Steps::Impossible("this refusal is not true");
        }
        match call {
            Call::Checkout { buyer, .. }
            | Call::ApplyCode { buyer, .. }
            | Call::ReleaseCode { buyer, .. }
                if code == "PROMO_NOT_FOUND" =>
            {
                Steps::To(vec![self.after_a_guess(*buyer)])
            }
            _ => Steps::Same,
        }
    }

    fn done(&self, event: &Event<Call>, body: &Value) -> Done {
        match &event.call {
            Call::Checkout { .. } => self.checked_out(event, body),
            Call::ApplyCode {
                buyer,
                code,
                items,
                cart,
                dry_run,
            } => self.code_applied(event, *buyer, code, items, *cart, *dry_run, body),
            Call::ReleaseCode { buyer, code, cart } => {
                self.code_released(*buyer, code, *cart, body)
            }
            Call::Cancel { caller, order, .. } => self.was_cancelled(*caller, *order, body),
            Call::SubmitProof { buyer, order, file } => {
                self.proof_submitted(*buyer, *order, file, body)
            }
            Call::Decide { order, decision } => {
                let (_, from, to) = decision.rule();
                match decision {
                    Decision::Reject => self.payment_rejected(*order, from, body),
                    _ => self.moved(*order, from, to, body),
                }
            }
            Call::Reopen { order, is_paid } => self.reopened(event, *order, *is_paid, body),
            Call::BeginPayment { buyer, order } => self.payment_begun(*buyer, *order, body),
            Call::Tell(tidings) => self.told(event, tidings, body),
            Call::ExpireOrders => self.orders_expired(event, body),
            Call::ExpireHolds => self.holds_expired(event, body),
            Call::TopUp {
                user,
                amount,
                reference,
            } => self.topped_up(*user, *amount, *reference, body),
            Call::TakeUnits {
                product, quantity, ..
            } => self.units_taken(*product, *quantity, body),
            Call::TakeCodes {
                product,
                quantity,
                order,
                ..
            } => self.codes_taken(*product, *quantity, *order, body),
            Call::ReplaceCode { product, order } => self.code_replaced(*product, *order, body),
            Call::CountUse { promo, .. } => self.use_counted(event, *promo, body),
            Call::Restock { product, quantity } => {
                Ok(Some(vec![self.with_stock(*product, *quantity)]))
            }
            Call::WriteOff { product, quantity } => {
                if self.stock[product] < *quantity {
                    return Err("there is not so much in stock");
                }
                Ok(Some(vec![self.with_stock(*product, -quantity)]))
            }
            Call::Adjust { product, delta, .. } => self.stock_moved(*product, *delta, body),
            Call::CountStock {
                product,
                counted,
                expected,
                ..
            } => {
                if self.stock[product] != *expected {
                    return Err("the stock is not what was expected");
                }
                self.stock_moved(*product, counted - expected, body)
            }
            Call::SetStockSlots { product, slots } => {
                if !self.stock_slots_refusals(*product, *slots).is_empty() {
                    return Err("a digital product has no slots");
                }
                expect(self.stock_slots_set(*product, *slots), body)?;
                Ok(Some(vec![self.with_slots(*product, *slots)]))
            }
            Call::SetPromoSlots { promo, slots } => {
                expect(self.promo_slots_set(*promo, *slots), body)?;
                Ok(Some(vec![self.with_slots(*promo, *slots)]))
            }
            Call::Settle => Ok(None),
            Call::Look => expect(self.books(), body).map(|()| None),
            Call::LookAtShelf => expect(self.shelf(), body).map(|()| None),
            Call::LookAtStock { .. } => expect(self.stock_and_slots(), body).map(|()| None),
            Call::Manage { action, lines, .. } => self.inventory_changed(*action, lines, body),
            Call::Transfer {
                from,
                to,
                goods,
                in_transit,
                ..
            } => self.transferred(*from, *to, goods, *in_transit, body),
            Call::Book {
                transfer,
                fate,
                goods,
                ..
            } => self.fate_booked(*transfer, *fate, goods, body),
            Call::SellAtTill {
                stock, quantity, ..
            } => self.sold_at_till(*stock, *quantity, body),
            Call::Sell(asked) => self.sold(asked, body),
            Call::Park(asked) => self.parked(asked, body),
            Call::Resume { parked, register } => self.resumed(*parked, *register, body),
            Call::Discard { parked } => self.discarded(*parked, body),
            Call::VoidSale { sale } => self.sale_voided(*sale, body),
            Call::OpenShift { register } => self.shift_opened(*register, body),
            Call::CloseShift { shift, counted } => self.shift_closed(*shift, *counted, body),
            Call::LookAtInventory { stocks } => {
                expect(self.inventory_seen(stocks), body).map(|()| None)
            }
            Call::ClockMoves { to } => {
                let mut next = self.clone();
                next.clock.now = *to;
                Ok(Some(vec![next]))
            }
        }
    }

    /// Stock, balances, uses and statuses, as the rows must say.
    pub(crate) fn books(&self) -> Value {
        let uses = self.terms.promos.iter();
        let uses = uses.map(|promo| (promo.id.to_string(), json!(self.uses.in_words(promo.id))));
        let orders = self.orders.iter();
        let orders = orders.map(|(id, order)| (id.to_string(), json!(order.status)));
        json!({
            "stock": self.shelf(), "stores": self.store_books(), "transit": self.transit_books(), "tills": self.till_books(), "wallets": numbers(&self.wallets),
            "uses": uses.collect::<Map<_, _>>(), "orders": orders.collect::<Map<_, _>>(),
        })
    }
}

pub(crate) fn expect(expected: Value, seen: &Value) -> Result<(), &'static str> {
    if matches(&expected, seen) {
        Ok(())
    } else {
        Err("the answer says something else")
    }
}

pub(crate) fn some(next: Vec<Shop>, why: &'static str) -> Done {
    if next.is_empty() {
        Err(why)
    } else {
        Ok(Some(next))
    }
}

pub(crate) fn numbers(of: &BTreeMap<Uuid, i64>) -> Value {
    let numbers = of
        .iter()
        .map(|(id, number)| (id.to_string(), json!(number)));
    Value::Object(numbers.collect())
}

pub(crate) fn uuid(value: &Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}
