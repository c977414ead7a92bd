//! What a customer buys.

use super::calls::{Call, Payment};
use super::cards::CARD_WINDOW;
use super::orders::Order;
use super::{Done, Shop, some, uuid};
use crate::areas::promo::model::{Kind, Line, Refusal, Use};
use crate::prove::model::{Event, Moment};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// How long a bank transfer may take, in seconds.
pub(super) const PAYMENT_WINDOW: Moment = 24 * 3600;

/// `interlock.settings.confirmation_window`.
const CONFIRMATION_WINDOW: Moment = 7 * 24 * 3600;

/// `interlock.settings.max_open_orders_per_customer` and `max_open_units_per_customer`.
const MAX_OPEN: (i64, i64) = (5, 100);

impl Payment {
    /// How long an order waits for it.
    pub(super) fn window(self) -> Moment {
        match self {
            Self::CashOnDelivery => CONFIRMATION_WINDOW,
            Self::Card => CARD_WINDOW,
            Self::BankTransfer | Self::Wallet => PAYMENT_WINDOW,
        }
    }
}

impl Shop {
    pub(crate) fn priced(&self, items: &[(Uuid, i64)]) -> Vec<Line> {
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

    /// Why a cart that has a live order cannot be ordered.
    pub(super) fn ordered(&self, buyer: Uuid, cart: Option<Uuid>) -> Option<Refusal> {
        let live = self.orders.iter().find(|(_, order)| {
            cart.is_some() && order.cart == cart && order.buyer == buyer && order.stands()
        });
        live.map(|(id, order)| {
            let details = json!({ "order_id": id, "status": order.status });
            ("CART_ALREADY_ORDERED", details)
        })
    }

    /// Why a cart that was expected to cost something else is not ordered. The total is not known before a code is
    /// looked at.
    fn otherwise_priced(
        &self,
        lines: &[Line],
        expected: Option<i64>,
        total: i64,
    ) -> Option<Refusal> {
        let expected = expected.filter(|expected| *expected != total)?;
        let subtotal: i64 = lines.iter().map(|line| line.quantity * line.price).sum();
        let lines = lines.iter().map(|line| {
            json!({
                "product_id": line.product, "name": self.terms.products[&line.product].name,
                "quantity": line.quantity, "unit_price": line.price, "total": line.quantity * line.price,
                "expected_unit_price": null,
            })
        });
        let details = json!({
            "expected_total": expected, "total": total, "subtotal": subtotal, "currency": "USD",
            "lines": lines.collect::<Vec<_>>(),
        });
        Some(("PRICE_CHANGED", details))
    }

    /// Why a customer who has so much in open orders may not have this one, too. What the wallet pays is paid at once.
    fn too_much_open(&self, buyer: Uuid, lines: &[Line], payment: Payment) -> Option<Refusal> {
        let open = self
            .orders
            .values()
            .filter(|order| order.buyer == buyer && order.is_unpaid());
        let (orders, units) = open.fold((0, 0), |(orders, units), order| {
            (orders + 1, units + units_of(&order.lines))
        });
        let more = units_of(lines);
        let is_too_much = orders >= MAX_OPEN.0 || units + more > MAX_OPEN.1;
        (payment != Payment::Wallet && is_too_much).then(|| {
            let details = json!({
                "open_orders": orders, "max_open_orders": MAX_OPEN.0,
                "open_units": units, "units": more, "max_open_units": MAX_OPEN.1,
            });
            ("TOO_MANY_OPEN_ORDERS", details)
        })
    }

    pub(crate) fn checkout_refusals(
        &self,
        buyer: Uuid,
        items: &[(Uuid, i64)],
        code: Option<&str>,
        cart: Option<Uuid>,
        payment: Payment,
        expected: Option<i64>,
    ) -> Vec<Refusal> {
        if let Some(ordered) = self.ordered(buyer, cart) {
            let unknown = code.and_then(|code| self.promo(buyer, code).err());
            return [ordered].into_iter().chain(unknown).collect();
        }
        let lines = self.priced(items);
        let wanted: Vec<_> = lines
            .iter()
            .map(|line| (line.product, line.quantity))
            .collect();
        let mut refusals: Vec<Refusal> = self.shortage(&wanted).into_iter().collect();
        refusals.extend(self.too_much_open(buyer, &lines, payment));
        let mut total = lines.iter().map(|line| line.quantity * line.price).sum();
        if let Some(code) = code {
            let promo = match self.promo(buyer, code) {
                Ok(promo) => promo,
                Err(refusal) => {
                    refusals.push(refusal);
                    return refusals;
                }
            };
            let uses = self
                .uses
                .refusal(promo, Some(buyer), cart, false, self.clock);
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
        refusals.extend(self.otherwise_priced(&lines, expected, total));
        let balance = self.wallets.get(&buyer).copied().unwrap_or(0);
        if payment == Payment::Wallet && balance < total {
            refusals.push((
                "INSUFFICIENT_FUNDS",
                json!({ "balance": balance, "amount": total, "currency": "USD" }),
            ));
        }
        refusals
    }

    pub(crate) fn checked_out(&self, event: &Event<Call>, body: &Value) -> Done {
        let Call::Checkout {
            buyer,
            items,
            code,
            cart,
            payment,
            expected,
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
        if self.ordered(*buyer, *cart).is_some() {
            return Err("this cart has an order");
        }
        let lines = self.priced(items);
        let wanted: Vec<_> = lines
            .iter()
            .map(|line| (line.product, line.quantity))
            .collect();
        if self.shortage(&wanted).is_some() {
            return Err("there is not so much in stock");
        }
        if self.too_much_open(*buyer, &lines, *payment).is_some() {
            return Err("the customer has too much in open orders");
        }
        let subtotal = lines.iter().map(|line| line.quantity * line.price).sum();
        let mut discount = 0;
        let mut shares = vec![0; lines.len()];
        let mut as_first_order = false;
        let mut uses = vec![self.uses.clone()];
        let mut redeems = None;
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
            shares = worth.shares;
            let redeemed = Use {
                promo: promo.id,
                user: Some(*buyer),
                cart: *cart,
                kind: Kind::Redeemed { order: Some(id) },
                number: 0,
            };
            uses = self.uses.taken(promo, redeemed, now, event.alone);
            redeems = Some(promo.id);
        }
        let mut next = self.clone();
        let total = subtotal - discount;
        if expected.is_some_and(|expected| expected != total) {
            return Err("another total was expected");
        }
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
            Payment::BankTransfer | Payment::Card => "pending_payment",
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
            shares,
            subtotal,
            discount,
            payment: *payment,
            cart: *cart,
            codes,
            proofs: BTreeSet::new(),
            payments: Vec::new(),
            created: now,
            in_review: false,
            payment_until: match status {
                "paid" => None,
                _ => Some(now + payment.window()),
            },
            paid: (status == "paid").then_some(now),
            fulfilled: None,
            cancelled: None,
            refunded: None,
            promo: redeems,
            as_first_order,
            answered: event.answered,
        };
        next.orders.insert(id, Arc::new(order));
        next.shows(id, body)?;
        some(next.with_uses(uses), "no use of the code was left")
    }
}

fn units_of(lines: &[Line]) -> i64 {
    lines.iter().map(|line| line.quantity).sum()
}
