//! A shop: what it sells, to whom, under which code, and what becomes of the orders.

pub(crate) mod slots;

use self::slots::Reader;
use crate::areas::promo::model::{Kind, Line, Promo, Refusal, Use, Uses, Worth};
use crate::prove::model::keys::{Key, Keys, Verdict};
use crate::prove::model::{Clock, Event, Model, Moment, Seen, Steps, matches};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use uuid::Uuid;

/// How long a bank transfer may take, in seconds.
const PAYMENT_WINDOW: Moment = 24 * 3600;
/// So many unknown codes in so many seconds, and a customer has to wait.
const GUESSES: (usize, Moment) = (20, 600);

/// How an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Payment {
    Wallet,
    BankTransfer,
    CashOnDelivery,
}

impl Payment {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wallet => "wallet",
            Self::BankTransfer => "bank_transfer",
            Self::CashOnDelivery => "cash_on_delivery",
        }
    }
}

/// What the shop decides about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Accept,
    Reject,
    Fulfil,
    Refund,
}

impl Decision {
    /// The function in schema `public`, the statuses it may start from, and where it leads.
    pub(crate) fn rule(self) -> (&'static str, &'static [&'static str], &'static str) {
        match self {
            Self::Accept => ("accept_payment", &["pending_payment", "confirmed"], "paid"),
            Self::Reject => ("reject_payment", &["pending_payment"], "cancelled"),
            Self::Fulfil => ("fulfill_order", &["paid"], "fulfilled"),
            Self::Refund => ("refund_order", &["paid", "fulfilled"], "refunded"),
        }
    }
}

/// What can be asked of a shop. `None` as the caller is the shop itself.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Checkout {
        buyer: Uuid,
        items: Vec<(Uuid, i64)>,
        code: Option<String>,
        cart: Option<Uuid>,
        payment: Payment,
        key: Option<String>,
    },
    ApplyCode {
        buyer: Uuid,
        code: String,
        items: Vec<(Uuid, i64)>,
        cart: Option<Uuid>,
        dry_run: bool,
    },
    ReleaseCode {
        buyer: Uuid,
        code: String,
        cart: Option<Uuid>,
    },
    Cancel {
        caller: Option<Uuid>,
        order: Uuid,
        key: Option<String>,
    },
    SubmitProof {
        buyer: Uuid,
        order: Uuid,
        file: String,
    },
    Decide {
        order: Uuid,
        decision: Decision,
    },
    ExpireOrders,
    ExpireHolds,
    TopUp {
        user: Uuid,
        amount: i64,
        reference: Option<Uuid>,
    },
    TakeUnits {
        product: Uuid,
        quantity: i64,
    },
    TakeCodes {
        product: Uuid,
        quantity: i64,
        order: Uuid,
    },
    CountUse {
        promo: Uuid,
    },
    Restock {
        product: Uuid,
        quantity: i64,
    },
    /// Breakage, by the shop's own SQL.
    WriteOff {
        product: Uuid,
        quantity: i64,
    },
    SetStockSlots {
        product: Uuid,
        slots: i64,
    },
    SetPromoSlots {
        promo: Uuid,
        slots: i64,
    },
    /// What pg_cron does every minute: of the promo codes, or of the products.
    Settle {
        promos: bool,
    },
    /// Stock, balances, uses and statuses, all at one moment.
    Look,
    /// The stock, as a customer reads it over HTTP in the products themselves.
    LookAtShelf,
    /// The stock and the numbers of slots, from the function that knows them.
    LookAtStock {
        reader: Reader,
    },
    /// Not a call of anybody's: between two rounds of calls the time changes.
    ClockMoves {
        to: Moment,
    },
}

/// A product as the shop made it.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) name: String,
    pub(crate) price: i64,
    pub(crate) digital: bool,
}

/// What does not change while the shop is open.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    pub(crate) products: BTreeMap<Uuid, Product>,
    pub(crate) promos: Vec<Promo>,
    pub(crate) buyers: Vec<Uuid>,
    /// Whether it uses slots.
    pub(crate) slots: bool,
}

/// The state of a shop.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) terms: Arc<Terms>,
    pub(crate) clock: Clock,
    /// Units that can be sold. Of a digital product, its free codes.
    pub(crate) stock: BTreeMap<Uuid, i64>,
    /// How many slots products and promo codes have.
    pub(crate) slots: BTreeMap<Uuid, i64>,
    pub(crate) wallets: BTreeMap<Uuid, i64>,
    /// Bookings that count once: customer and reference, with the amount.
    pub(crate) top_ups: BTreeMap<(Uuid, Uuid), i64>,
    pub(crate) orders: BTreeMap<Uuid, Arc<Order>>,
    pub(crate) uses: Uses,
    /// Which order a code was seen to belong to: from then on nobody else's, as long as that order
    /// stands; and if it was delivered, for good.
    pub(crate) seen_codes: BTreeMap<(Uuid, String), Uuid>,
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
            && self.slots == other.slots
            && self.wallets == other.wallets
            && self.top_ups == other.top_ups
            && self.orders == other.orders
            && self.uses == other.uses
            && self.seen_codes == other.seen_codes
            && self.guesses == other.guesses
            && self.keys == other.keys
    }
}

impl Eq for Shop {}

impl Hash for Shop {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.clock.hash(hasher);
        self.stock.hash(hasher);
        self.slots.hash(hasher);
        self.wallets.hash(hasher);
        self.top_ups.hash(hasher);
        self.orders.hash(hasher);
        self.uses.hash(hasher);
        self.seen_codes.hash(hasher);
        self.guesses.hash(hasher);
        self.keys.hash(hasher);
    }
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Order {
    buyer: Uuid,
    pub(crate) status: &'static str,
    lines: Vec<Line>,
    subtotal: i64,
    discount: i64,
    payment: Payment,
    cart: Option<Uuid>,
    /// Codes of digital products that belong to it, by product.
    codes: BTreeMap<Uuid, i64>,
    proofs: BTreeSet<String>,
    created: Moment,
    payment_until: Option<Moment>,
    paid: Option<Moment>,
    fulfilled: Option<Moment>,
    cancelled: Option<Moment>,
    refunded: Option<Moment>,
    /// Whether its discount was for a first order.
    as_first_order: bool,
    /// When its buyer had the answer.
    answered: u64,
}

impl Order {
    fn total(&self) -> i64 {
        self.subtotal - self.discount
    }

    fn stands(&self) -> bool {
        !["cancelled", "expired", "refunded"].contains(&self.status)
    }

    fn is_due(&self, now: Moment) -> bool {
        self.status == "pending_payment"
            && self.proofs.is_empty()
            && self.payment_until.is_some_and(|until| until <= now)
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
                        state
                            .keys
                            .store(key.clone(), event.call.request(), body, now);
                    }
                    Steps::To(next)
                }
                // A call under a key changes the keys at least.
                Ok(None) if key.is_some() => {
                    let mut next = self.clone();
                    next.keys
                        .store(key, event.call.request(), body, self.clock.now);
                    Steps::To(vec![next])
                }
                Ok(None) => Steps::Same,
                Err(why) => Steps::Impossible(why),
            },
        }
    }

    fn refusals(&self, call: &Call) -> Vec<Refusal> {
        match call {
            Call::Checkout {
                buyer,
                items,
                code,
                cart,
                payment,
                ..
            } => self.checkout_refusals(*buyer, items, code.as_deref(), *cart, *payment),
            Call::ApplyCode {
                buyer,
                code,
                items,
                cart,
                ..
            } => match self.promo(*buyer, code) {
                Err(refusal) => vec![refusal],
                Ok(promo) => {
                    let worth =
                        promo.worth(&self.priced(items), self.has_order(*buyer), self.clock);
                    let mut refusals: Vec<_> = worth.err().into_iter().collect();
                    refusals.extend(
                        self.uses
                            .refusal(promo, Some(*buyer), *cart, self.clock)
                            .unwrap_or_default(),
                    );
                    refusals
                }
            },
            Call::ReleaseCode { buyer, code, .. } => {
                self.promo(*buyer, code).err().into_iter().collect()
            }
            Call::Cancel { caller, order, .. } => {
                let from = if caller.is_some() {
                    &UNPAID[..]
                } else {
                    &NOT_HANDED_OVER
                };
                self.move_refusals(*caller, *order, from, "cancelled", "ORDER_NOT_CANCELLABLE")
            }
            Call::SubmitProof { buyer, order, file } => match self.orders.get(order) {
                Some(known) if known.buyer == *buyer => {
                    if known.status == "pending_payment" || known.proofs.contains(file) {
                        return Vec::new();
                    }
                    vec![("ORDER_STATE_CONFLICT", in_status(*order, known.status))]
                }
                _ => vec![("ORDER_NOT_FOUND", json!({ "order_id": order }))],
            },
            Call::Decide { order, decision } => {
                let (_, from, to) = decision.rule();
                self.move_refusals(None, *order, from, to, "ORDER_STATE_CONFLICT")
            }
            Call::TopUp {
                user,
                amount,
                reference: Some(reference),
            } => match self.top_ups.get(&(*user, *reference)) {
                Some(booked) if booked != amount => {
                    vec![("IDEMPOTENCY_KEY_REUSED", json!({ "reference": reference }))]
                }
                _ => Vec::new(),
            },
            Call::TakeUnits { product, quantity } => self
                .shortage(&[(*product, *quantity)])
                .into_iter()
                .collect(),
            Call::TakeCodes {
                product,
                quantity,
                order,
            } => self.take_codes_refusals(*product, *quantity, *order),
            Call::CountUse { promo } => self
                .uses
                .refusal(self.promo_by_id(*promo), None, None, self.clock)
                .unwrap_or_default(),
            Call::WriteOff { product, quantity } => self.write_off_refusals(*product, *quantity),
            Call::SetStockSlots { product, slots } => self.stock_slots_refusals(*product, *slots),
            Call::TopUp { .. }
            | Call::ExpireOrders
            | Call::ExpireHolds
            | Call::Restock { .. }
            | Call::SetPromoSlots { .. }
            | Call::Settle { .. }
            | Call::Look
            | Call::LookAtShelf
            | Call::LookAtStock { .. }
            | Call::ClockMoves { .. } => Vec::new(),
        }
    }
}

const UNPAID: [&str; 2] = ["pending_payment", "confirmed"];
const NOT_HANDED_OVER: [&str; 3] = ["pending_payment", "confirmed", "paid"];

/// What a success leads to: `None` if nothing changes.
type Done = Result<Option<Vec<Shop>>, &'static str>;

impl Shop {
    /// A refusal must be true. An unknown code is counted.
    fn refused(&self, call: &Call, code: &str, details: &Value) -> Steps<Self> {
        let is_true = self
            .refusals(call)
            .iter()
            .any(|(name, expected)| *name == code && matches(expected, details));
        if !is_true {
            return Steps::Impossible("this refusal is not true");
        }
        match call {
            Call::Checkout { buyer, .. }
            | Call::ApplyCode { buyer, .. }
            | Call::ReleaseCode { buyer, .. }
                if code == "PROMO_NOT_FOUND" =>
            {
                let mut next = self.clone();
                let now = self.clock.now;
                let guesses = next.guesses.entry(*buyer).or_default();
                guesses.retain(|at| *at > now - GUESSES.1);
                guesses.push(now);
                Steps::To(vec![next])
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
                let promo = self
                    .promo(*buyer, code)
                    .map_err(|_| "the code is unknown")?;
                let mut next = self.clone();
                let released = next.uses.released(promo.id, *buyer, *cart);
                expect(json!({ "released": released, "code": promo.code }), body)?;
                Ok(released.then(|| vec![next]))
            }
            Call::Cancel { caller, order, .. } => {
                let from = if caller.is_some() {
                    &UNPAID[..]
                } else {
                    &NOT_HANDED_OVER
                };
                let known = self.orders.get(order).ok_or("there is no such order")?;
                if caller.is_some_and(|caller| caller != known.buyer) {
                    return Err("it is somebody else's order");
                }
                self.moved(*order, from, "cancelled", body)
            }
            Call::SubmitProof { buyer, order, file } => {
                let known = self.orders.get(order).ok_or("there is no such order")?;
                if known.buyer != *buyer {
                    return Err("it is somebody else's order");
                }
                if known.proofs.contains(file) {
                    self.clone().shows(*order, body)?;
                    return Ok(None);
                }
                if known.status != "pending_payment" {
                    return Err("the order does not wait for its payment");
                }
                let mut next = self.clone();
                next.change(*order, |order| {
                    order.proofs.insert(file.clone());
                });
                next.shows(*order, body)?;
                Ok(Some(vec![next]))
            }
            Call::Decide { order, decision } => {
                let (_, from, to) = decision.rule();
                self.moved(*order, from, to, body)
            }
            Call::ExpireOrders => {
                let due = self
                    .orders
                    .iter()
                    .filter(|(_, order)| order.is_due(self.clock.now));
                let due: Vec<_> = due.map(|(id, _)| (id.to_string(), *id)).collect();
                self.some_of(&due, body, event.alone, |next, order| {
                    next.end(*order, "expired")
                })
            }
            Call::ExpireHolds => {
                let over = self.uses.all_over(self.clock.now).into_iter();
                let over: Vec<_> = over.map(|hold| (hold.in_words(), hold)).collect();
                self.some_of(&over, body, event.alone, |next, hold| {
                    next.uses.without(hold)
                })
            }
            Call::TopUp {
                user,
                amount,
                reference,
            } => self.topped_up(*user, *amount, *reference, body),
            Call::TakeUnits { product, quantity } => {
                let left = self.stock[product] - quantity;
                if left < 0 {
                    return Err("there is not so much in stock");
                }
                let taken = json!({
                    "success": true, "product_id": product, "deducted": quantity,
                    "old_quantity": left + quantity, "new_quantity": left,
                });
                expect(taken, body)?;
                let mut next = self.clone();
                next.stock.insert(*product, left);
                Ok(Some(vec![next]))
            }
            Call::TakeCodes {
                product,
                quantity,
                order,
            } => self.codes_taken(*product, *quantity, *order, body),
            Call::CountUse { promo } => {
                let promo = self.promo_by_id(*promo);
                let counted = Use {
                    promo: promo.id,
                    user: None,
                    cart: None,
                    kind: Kind::Redeemed { order: None },
                    number: self.uses.next_number(),
                };
                let taken = self.uses.taken(promo, counted, self.clock.now, event.alone);
                let next = self.with_uses(taken).into_iter().filter(|next| {
                    let counted = json!({ "success": true, "used_count": next.uses.of(promo.id) });
                    // With slots it is not said.
                    let beside_others = json!({ "success": true, "used_count": null });
                    matches(&counted, body) || matches(&beside_others, body)
                });
                some(
                    next.collect(),
                    "no use was left, or they are counted otherwise",
                )
            }
            Call::Restock { product, quantity } => {
                let mut next = self.clone();
                next.add_stock(*product, *quantity);
                Ok(Some(vec![next]))
            }
            Call::WriteOff { product, quantity } => {
                if self.stock[product] < *quantity {
                    return Err("there is not so much in stock");
                }
                let mut next = self.clone();
                next.add_stock(*product, -quantity);
                Ok(Some(vec![next]))
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
            Call::Settle { .. } => Ok(None),
            Call::Look => expect(self.books(), body).map(|()| None),
            Call::LookAtShelf => expect(self.shelf(), body).map(|()| None),
            Call::LookAtStock { .. } => expect(self.stock_and_slots(), body).map(|()| None),
            Call::ClockMoves { to } => {
                let mut next = self.clone();
                next.clock.now = *to;
                Ok(Some(vec![next]))
            }
        }
    }

    // What a customer buys.

    fn priced(&self, items: &[(Uuid, i64)]) -> Vec<Line> {
        let mut sums: BTreeMap<Uuid, i64> = BTreeMap::new();
        for (product, quantity) in items {
            *sums.entry(*product).or_default() += quantity;
        }
        let price = |product: &Uuid| self.terms.products[product].price;
        sums.into_iter()
            .map(|(product, quantity)| Line {
                product,
                quantity,
                price: price(&product),
            })
            .collect()
    }

    fn checkout_refusals(
        &self,
        buyer: Uuid,
        items: &[(Uuid, i64)],
        code: Option<&str>,
        cart: Option<Uuid>,
        payment: Payment,
    ) -> Vec<Refusal> {
        let lines = self.priced(items);
        let wanted: Vec<_> = lines
            .iter()
            .map(|line| (line.product, line.quantity))
            .collect();
        let mut refusals: Vec<Refusal> = self.shortage(&wanted).into_iter().collect();
        let mut total = lines.iter().map(|line| line.quantity * line.price).sum();
        if let Some(code) = code {
            let promo = match self.promo(buyer, code) {
                Ok(promo) => promo,
                Err(refusal) => {
                    refusals.push(refusal);
                    return refusals;
                }
            };
            let uses = self.uses.refusal(promo, Some(buyer), cart, self.clock);
            refusals.extend(uses.unwrap_or_default());
            match promo.worth(&lines, self.has_order(buyer), self.clock) {
                Err(refusal) => {
                    refusals.push(refusal);
                    return refusals;
                }
                Ok(worth) => {
                    total -= worth.discount;
                    refusals.extend(self.shown_otherwise(promo, buyer, cart, &worth));
                }
            }
        }
        let balance = self.wallets.get(&buyer).copied().unwrap_or(0);
        if payment == Payment::Wallet && balance < total {
            refusals.push((
                "INSUFFICIENT_FUNDS",
                json!({ "balance": balance, "amount": total, "currency": "USD" }),
            ));
        }
        refusals
    }

    fn checked_out(&self, event: &Event<Call>, body: &Value) -> Done {
        let Call::Checkout {
            buyer,
            items,
            code,
            cart,
            payment,
            ..
        } = &event.call
        else {
            return Err("not a checkout");
        };
        let now = self.clock.now;
        let id = uuid(&body["order"]["id"]).ok_or("the order has no id")?;
        if self.orders.contains_key(&id) {
            return Err("the order is not a new one");
        }
        let lines = self.priced(items);
        let wanted: Vec<_> = lines
            .iter()
            .map(|line| (line.product, line.quantity))
            .collect();
        if self.shortage(&wanted).is_some() {
            return Err("there is not so much in stock");
        }
        let subtotal = lines.iter().map(|line| line.quantity * line.price).sum();
        let mut discount = 0;
        let mut as_first_order = false;
        let mut uses = vec![self.uses.clone()];
        if let Some(code) = code {
            let promo = self
                .promo(*buyer, code)
                .map_err(|_| "the code may not be used")?;
            as_first_order = promo.first_order_only;
            let earlier = self.has_earlier_order(*buyer, event.called, true);
            let worth = promo
                .worth(&lines, earlier, self.clock)
                .map_err(|_| "the code does not apply")?;
            if self.shown_otherwise(promo, *buyer, *cart, &worth).is_some() {
                return Err("another discount was shown for this cart");
            }
            discount = worth.discount;
            let redeemed = Use {
                promo: promo.id,
                user: Some(*buyer),
                cart: *cart,
                kind: Kind::Redeemed { order: Some(id) },
                number: 0,
            };
            uses = self.uses.taken(promo, redeemed, now, event.alone);
        }
        let mut next = self.clone();
        let total = subtotal - discount;
        if *payment == Payment::Wallet && total > 0 {
            let balance = next.wallets.get_mut(buyer).ok_or("there is no wallet")?;
            *balance -= total;
            if *balance < 0 {
                return Err("there is not so much money in the wallet");
            }
        }
        let status = match payment {
            Payment::Wallet => "paid",
            _ if total == 0 => "paid",
            Payment::BankTransfer => "pending_payment",
            Payment::CashOnDelivery => "confirmed",
        };
        let mut codes = BTreeMap::new();
        for line in &lines {
            next.add_stock(line.product, -line.quantity);
            if self.terms.products[&line.product].digital {
                codes.insert(line.product, line.quantity);
            }
        }
        let order = Order {
            buyer: *buyer,
            status,
            lines,
            subtotal,
            discount,
            payment: *payment,
            cart: *cart,
            codes,
            proofs: BTreeSet::new(),
            created: now,
            payment_until: (status == "pending_payment").then_some(now + PAYMENT_WINDOW),
            paid: (status == "paid").then_some(now),
            fulfilled: None,
            cancelled: None,
            refunded: None,
            as_first_order,
            answered: event.answered,
        };
        next.orders.insert(id, Arc::new(order));
        next.shows(id, body)?;
        some(next.with_uses(uses), "no use of the code was left")
    }

    /// More is wanted than there is: every product that is short.
    fn shortage(&self, wanted: &[(Uuid, i64)]) -> Option<Refusal> {
        let short: Vec<Value> = wanted
            .iter()
            .filter(|(product, quantity)| self.stock[product] < *quantity)
            .map(|(product, quantity)| {
                json!({
                    "product_id": product, "requested": quantity, "available": self.stock[product],
                })
            })
            .collect();
        let details = json!({ "shortages": short });
        (!short.is_empty()).then_some(("INSUFFICIENT_INVENTORY", details))
    }

    fn add_stock(&mut self, product: Uuid, quantity: i64) {
        *self.stock.entry(product).or_default() += quantity;
    }

    fn topped_up(&self, user: Uuid, amount: i64, reference: Option<Uuid>, body: &Value) -> Done {
        let mut next = self.clone();
        let balance = next.wallets.entry(user).or_default();
        let booked = reference.and_then(|reference| self.top_ups.get(&(user, reference)));
        if booked.is_none() {
            *balance += amount;
        }
        let answer = json!({
            "success": true, "user_id": user, "balance": balance, "currency": "USD",
        });
        expect(answer, body)?;
        match (booked, reference) {
            (Some(booked), _) if *booked != amount => Err("the reference has another amount"),
            (Some(_), _) => Ok(None),
            (None, reference) => {
                next.top_ups
                    .extend(reference.map(|reference| ((user, reference), amount)));
                Ok(Some(vec![next]))
            }
        }
    }

    // Promo codes.

    /// The code, if this customer may know and use it.
    fn promo(&self, user: Uuid, code: &str) -> Result<&Promo, Refusal> {
        let now = self.clock.now;
        let guesses = self.guesses.get(&user).into_iter().flatten();
        let guesses: Vec<Moment> = guesses
            .copied()
            .filter(|at| *at > now - GUESSES.1)
            .collect();
        if guesses.len() >= GUESSES.0 {
            let wait = (guesses[0] + GUESSES.1 - now).max(1);
            return Err(("TOO_MANY_ATTEMPTS", json!({ "retry_after": wait })));
        }
        self.terms
            .promos
            .iter()
            .find(|promo| {
                promo.code == code && promo.only_for.is_none_or(|customer| customer == user)
            })
            .ok_or(("PROMO_NOT_FOUND", Value::Null))
    }

    fn promo_by_id(&self, id: Uuid) -> &Promo {
        self.terms
            .promos
            .iter()
            .find(|promo| promo.id == id)
            .expect("a call names promo codes of its own shop")
    }

    /// A cart's live hold is redeemed for the discount it has shown, or not at all.
    fn shown_otherwise(
        &self,
        promo: &Promo,
        user: Uuid,
        cart: Option<Uuid>,
        worth: &Worth,
    ) -> Option<Refusal> {
        match self.uses.own(promo.id, Some(user), cart)?.kind {
            Kind::Held { until, discount }
                if until > self.clock.now && discount != worth.discount =>
            {
                let changed =
                    json!({ "shown": discount, "now": worth.discount, "currency": "USD" });
                Some(("PROMO_CHANGED", changed))
            }
            _ => None,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one call")]
    fn code_applied(
        &self,
        event: &Event<Call>,
        buyer: Uuid,
        code: &str,
        items: &[(Uuid, i64)],
        cart: Option<Uuid>,
        dry_run: bool,
        body: &Value,
    ) -> Done {
        let promo = self
            .promo(buyer, code)
            .map_err(|_| "the code may not be used")?;
        let lines = self.priced(items);
        let earlier = self.has_earlier_order(buyer, event.called, false);
        let worth = promo
            .worth(&lines, earlier, self.clock)
            .map_err(|_| "the code does not apply")?;
        let until = promo.hold_ends(self.clock.now);
        let shares = lines.iter().zip(&worth.shares);
        let shares: Vec<Value> = shares
            .map(|(line, share)| json!({ "product_id": line.product, "discount": share }))
            .collect();
        let answer = json!({
            "valid": true, "code": promo.code, "discount_type": promo.off.name(),
            "discount": worth.discount, "subtotal": worth.subtotal,
            "total": worth.subtotal - worth.discount, "currency": "USD", "lines": shares,
            "held_until": if dry_run { Value::Null } else { self.clock.time(until) },
        });
        expect(answer, body)?;
        if dry_run {
            let refusal = self.uses.refusal(promo, Some(buyer), cart, self.clock);
            return refusal.map_or(Ok(None), |_| Err("no use of the code was left"));
        }
        let held = Use {
            promo: promo.id,
            user: Some(buyer),
            cart,
            kind: Kind::Held {
                until,
                discount: worth.discount,
            },
            number: 0,
        };
        let taken = self.uses.taken(promo, held, self.clock.now, event.alone);
        some(self.with_uses(taken), "no use of the code was left")
    }

    fn with_uses(&self, uses: Vec<Uses>) -> Vec<Shop> {
        uses.into_iter()
            .map(|uses| Shop {
                uses,
                ..self.clone()
            })
            .collect()
    }

    fn has_order(&self, user: Uuid) -> bool {
        self.orders
            .values()
            .any(|order| order.buyer == user && order.stands())
    }

    /// Whether the customer has an *earlier* order: one whose answer they had before this call. An order
    /// that is placed at the same time without a code for first orders may come before or after; of two
    /// checkouts under such codes one is the first, whenever they are made.
    fn has_earlier_order(&self, user: Uuid, called: u64, buying: bool) -> bool {
        self.orders.values().any(|order| {
            order.buyer == user
                && order.stands()
                && (order.answered < called || (buying && order.as_first_order))
        })
    }

    // What becomes of an order.

    fn change(&mut self, order: Uuid, how: impl FnOnce(&mut Order)) {
        if let Some(order) = self.orders.get_mut(&order) {
            how(Arc::make_mut(order));
        }
    }

    fn move_refusals(
        &self,
        caller: Option<Uuid>,
        order: Uuid,
        from: &[&str],
        to: &str,
        refusal: &'static str,
    ) -> Vec<Refusal> {
        let own = |known: &&Arc<Order>| caller.is_none_or(|caller| caller == known.buyer);
        match self.orders.get(&order).filter(own) {
            None => vec![("ORDER_NOT_FOUND", json!({ "order_id": order }))],
            Some(known) if known.status == to || from.contains(&known.status) => Vec::new(),
            Some(known) => vec![(refusal, in_status(order, known.status))],
        }
    }

    /// The order comes to a status, once; an order that has it stays as it is.
    fn moved(&self, order: Uuid, from: &[&str], to: &'static str, body: &Value) -> Done {
        let known = self.orders.get(&order).ok_or("there is no such order")?;
        if known.status == to {
            let mut next = self.clone();
            next.shows(order, body)?;
            return Ok(None);
        }
        if !from.contains(&known.status) {
            return Err("the order is in no status for this");
        }
        let mut next = self.clone();
        let now = self.clock.now;
        match to {
            "paid" => next.change(order, |order| {
                (order.status, order.paid) = (to, Some(now));
            }),
            "fulfilled" => next.change(order, |order| {
                (order.status, order.fulfilled) = (to, Some(now));
            }),
            _ => next.end(order, to),
        }
        next.shows(order, body)?;
        Ok(Some(vec![next]))
    }

    /// Ends an order: what it took comes back, but for goods that were handed over, codes that were
    /// delivered, and money that did not come from the wallet.
    fn end(&mut self, id: Uuid, status: &'static str) {
        let now = self.clock.now;
        let Some(order) = self.orders.get(&id).cloned() else {
            return;
        };
        if order.payment == Payment::Wallet && order.paid.is_some() && order.total() > 0 {
            *self.wallets.entry(order.buyer).or_default() += order.total();
        }
        self.uses.returned(id);
        let terms = Arc::clone(&self.terms);
        for line in &order.lines {
            if order.fulfilled.is_none() && !terms.products[&line.product].digital {
                self.add_stock(line.product, line.quantity);
            }
        }
        if order.paid.is_none() {
            for (product, codes) in &order.codes {
                self.add_stock(*product, *codes);
            }
            self.seen_codes.retain(|_, owner| *owner != id);
        }
        self.change(id, |order| {
            order.status = status;
            if order.paid.is_none() {
                order.codes.clear();
            }
            match status {
                "refunded" => order.refunded = Some(now),
                _ => order.cancelled = Some(now),
            }
        });
    }

    /// Of what is due those were ended that the answer names: all of it for a caller who is alone. Who
    /// is not passes over what others are at work on.
    fn some_of<T>(
        &self,
        due: &[(String, T)],
        ended: &Value,
        alone: bool,
        end: impl Fn(&mut Shop, &T),
    ) -> Done {
        let named = ended.as_array().ok_or("the answer is not a list")?;
        if alone && named.len() < due.len() {
            return Err("more is due, and nobody else is at work on it");
        }
        let mut next = self.clone();
        for name in named {
            let (_, what) = due
                .iter()
                .find(|(known, _)| name == known)
                .ok_or("something was ended that was not due")?;
            end(&mut next, what);
        }
        Ok((!named.is_empty()).then(|| vec![next]))
    }

    // Codes of digital products.

    fn take_codes_refusals(&self, product: Uuid, quantity: i64, order: Uuid) -> Vec<Refusal> {
        let Some(known) = self.orders.get(&order) else {
            return vec![("ORDER_NOT_FOUND", json!({ "order_id": order }))];
        };
        match known.codes.get(&product) {
            Some(owned) if *owned == quantity => Vec::new(),
            Some(owned) => vec![(
                "VALIDATION_FAILED",
                json!({ "problems": [{
                    "pointer": "/p_quantity",
                    "message": format!("the order already has {owned} codes"),
                }] }),
            )],
            None if known.stands() => self.shortage(&[(product, quantity)]).into_iter().collect(),
            None => vec![("ORDER_STATE_CONFLICT", in_status(order, known.status))],
        }
    }

    fn codes_taken(&self, product: Uuid, quantity: i64, order: Uuid, body: &Value) -> Done {
        let known = self.orders.get(&order).ok_or("there is no such order")?;
        let mut next = self.clone();
        match known.codes.get(&product) {
            Some(owned) if *owned != quantity => {
                return Err("the order has another number of codes");
            }
            Some(_) => {}
            None if !known.stands() => return Err("the order has ended"),
            None if self.stock[&product] < quantity => return Err("there are not so many codes"),
            None => {
                next.add_stock(product, -quantity);
                next.change(order, |order| {
                    order.codes.insert(product, quantity);
                });
            }
        }
        let codes = body.as_array().ok_or("the answer is not a list")?;
        let codes: Vec<_> = codes
            .iter()
            .filter_map(|row| row["code"].as_str())
            .collect();
        if i64::try_from(codes.len()) != Ok(quantity) {
            return Err("another number of codes");
        }
        next.owns(order, codes.into_iter().map(|code| (product, code)))?;
        Ok((next != *self).then(|| vec![next]))
    }

    /// Codes are seen to belong to an order: they may not have belonged to another one.
    fn owns<'a>(
        &mut self,
        order: Uuid,
        codes: impl Iterator<Item = (Uuid, &'a str)>,
    ) -> Result<(), &'static str> {
        let mut seen = BTreeSet::new();
        for (product, code) in codes {
            let code = (product, code.to_owned());
            if !seen.insert(code.clone()) {
                return Err("one code twice");
            }
            if *self.seen_codes.entry(code).or_insert(order) != order {
                return Err("a code that belongs to another order");
            }
        }
        Ok(())
    }

    /// Whether the answer shows the order as it is.
    fn shows(&mut self, id: Uuid, body: &Value) -> Result<(), &'static str> {
        let order = Arc::clone(self.orders.get(&id).ok_or("there is no such order")?);
        let mut body = body.clone();
        let codes = body["order"]
            .as_object_mut()
            .and_then(|order| order.remove("codes"));
        let delivered = ["paid", "fulfilled"].contains(&order.status) && !order.codes.is_empty();
        match (delivered, codes) {
            (false, None) => {}
            (false, Some(_)) => return Err("codes are shown that are not paid"),
            (true, None) => return Err("the codes are missing"),
            (true, Some(codes)) => {
                let codes = codes.as_array().cloned().unwrap_or_default();
                let codes: Vec<(Uuid, &str)> = codes
                    .iter()
                    .filter_map(|row| Some((uuid(&row["product_id"])?, row["code"].as_str()?)))
                    .collect();
                let mut counts: BTreeMap<Uuid, i64> = BTreeMap::new();
                for (product, _) in &codes {
                    *counts.entry(*product).or_default() += 1;
                }
                if counts != order.codes {
                    return Err("another number of codes");
                }
                self.owns(id, codes.into_iter())?;
            }
        }
        let expected = json!({ "success": true, "order": self.order_json(id, &order) });
        expect(expected, &body)
    }

    fn order_json(&self, id: Uuid, order: &Order) -> Value {
        let items: Vec<Value> = order
            .lines
            .iter()
            .map(|line| {
                json!({
                    "product_id": line.product, "name": self.terms.products[&line.product].name,
                    "quantity": line.quantity, "unit_price": line.price,
                    "total": line.quantity * line.price,
                })
            })
            .collect();
        let time = |at| self.clock.time_or_null(at);
        json!({
            "id": id, "status": order.status, "currency": "USD", "subtotal": order.subtotal,
            "discount": order.discount, "total": order.total(),
            "payment_method": order.payment.name(), "cart_id": order.cart,
            "created_at": time(Some(order.created)), "payment_expires_at": time(order.payment_until),
            "paid_at": time(order.paid), "fulfilled_at": time(order.fulfilled),
            "cancelled_at": time(order.cancelled), "refunded_at": time(order.refunded),
            "items": items,
        })
    }

    // What the rows must say.

    /// Stock, balances, uses and statuses.
    pub(crate) fn books(&self) -> Value {
        let uses = self.terms.promos.iter();
        let uses = uses.map(|promo| (promo.id.to_string(), json!(self.uses.in_words(promo.id))));
        let orders = self.orders.iter();
        let orders = orders.map(|(id, order)| (id.to_string(), json!(order.status)));
        json!({
            "stock": self.shelf(), "wallets": numbers(&self.wallets),
            "uses": uses.collect::<Map<_, _>>(), "orders": orders.collect::<Map<_, _>>(),
        })
    }

    fn shelf(&self) -> Value {
        numbers(&self.stock)
    }
}

impl Call {
    /// Whether it has an idempotency key.
    pub(crate) fn is_keyed(&self) -> bool {
        self.key().is_some()
    }

    /// The idempotency key: the shop's own calls count as the nil user's.
    fn key(&self) -> Option<Key> {
        match self {
            Self::Checkout { buyer, key, .. } => Some((*buyer, "checkout", key.clone()?)),
            Self::Cancel { caller, key, .. } => {
                Some((caller.unwrap_or_default(), "cancel_order", key.clone()?))
            }
            _ => None,
        }
    }

    /// What must be the same when it is sent again under the same key.
    fn request(&self) -> String {
        match self {
            Self::Checkout {
                items,
                code,
                cart,
                payment,
                key: Some(_),
                ..
            } => format!("{items:?} {code:?} {cart:?} {payment:?}"),
            Self::Cancel {
                order,
                key: Some(_),
                ..
            } => order.to_string(),
            _ => String::new(),
        }
    }
}

fn expect(expected: Value, seen: &Value) -> Result<(), &'static str> {
    if matches(&expected, seen) {
        Ok(())
    } else {
        Err("the answer says something else")
    }
}

fn some(next: Vec<Shop>, why: &'static str) -> Done {
    if next.is_empty() {
        Err(why)
    } else {
        Ok(Some(next))
    }
}

fn in_status(order: Uuid, status: &str) -> Value {
    json!({ "order_id": order, "status": status })
}

fn numbers(of: &BTreeMap<Uuid, i64>) -> Value {
    let numbers = of
        .iter()
        .map(|(id, number)| (id.to_string(), json!(number)));
    Value::Object(numbers.collect())
}

fn uuid(value: &Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}
