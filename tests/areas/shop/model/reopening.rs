//! An order that has expired is brought back: it takes again what it had, all or nothing.

use super::calls::{Call, Payment};
use super::orders::{Order, in_status};
use super::{Done, Shop};
use crate::areas::promo::model::{Kind, Refusal, Use};
use crate::prove::model::Event;
use serde_json::{Value, json};
use uuid::Uuid;

impl Shop {
    /// Why an order is not brought back.
    pub(super) fn reopen_refusals(&self, id: Uuid) -> Vec<Refusal> {
        let Some(order) = self.orders.get(&id) else {
            return vec![("ORDER_NOT_FOUND", json!({ "order_id": id }))];
        };
        match order.status {
            "expired" => {}
            "pending_payment" | "confirmed" | "paid" => return Vec::new(),
            status => return vec![("ORDER_STATE_CONFLICT", in_status(id, status))],
        }
        let mut refusals: Vec<Refusal> =
            self.ordered(order.buyer, order.cart).into_iter().collect();
        refusals.extend(self.shortage(&wanted(order)));
        if let Some(promo) = order.promo.map(|promo| self.promo_by_id(promo)) {
            let uses = self
                .uses
                .refusal(promo, Some(order.buyer), order.cart, false, self.clock);
            refusals.extend(uses.unwrap_or_default());
            refusals.extend(self.held_otherwise(promo, order.buyer, order.cart, order.discount));
            if promo.first_order_only && self.has_order(order.buyer) {
                let details = json!({ "reason": "first_order_only" });
                refusals.push(("PROMO_NOT_APPLICABLE", details));
            }
        }
        refusals
    }

    /// The shop has brought an order back; one that has not expired stays as it is, or is paid.
    pub(super) fn reopened(
        &self,
        event: &Event<Call>,
        id: Uuid,
        is_paid: bool,
        body: &Value,
    ) -> Done {
        let order = self.orders.get(&id).ok_or("there is no such order")?;
        match order.status {
            "expired" => {}
            "pending_payment" | "confirmed" if is_paid => {
                return self.moved(id, &["pending_payment", "confirmed"], "paid", body);
            }
            "pending_payment" | "confirmed" | "paid" => {
                self.clone().shows(id, body)?;
                return Ok(None);
            }
            _ => return Err("the order has ended for good"),
        }
        let mut next = self.retaken(event, id)?;
        for next in &mut next {
            if is_paid {
                let now = self.clock.now;
                next.change(id, |order| {
                    (order.status, order.paid) = ("paid", Some(now));
                });
            }
            next.shows(id, body)?;
        }
        Ok(Some(next))
    }

    /// What an order that has expired held is taken again.
    pub(super) fn retaken(&self, event: &Event<Call>, id: Uuid) -> Result<Vec<Self>, &'static str> {
        let order = &self.orders[&id];
        let now = self.clock.now;
        if self.ordered(order.buyer, order.cart).is_some() {
            return Err("this cart has an order");
        }
        if self.shortage(&wanted(order)).is_some() {
            return Err("there is not so much in stock");
        }
        let mut uses = vec![self.uses.clone()];
        if let Some(promo) = order.promo.map(|promo| self.promo_by_id(promo)) {
            if promo.first_order_only && self.has_earlier_order(order.buyer, event.called, true) {
                return Err("it is no first order any more");
            }
            if self
                .held_otherwise(promo, order.buyer, order.cart, order.discount)
                .is_some()
            {
                return Err("another discount was shown for this cart");
            }
            let redeemed = Use {
                promo: promo.id,
                user: Some(order.buyer),
                cart: order.cart,
                kind: Kind::Redeemed { order: Some(id) },
                number: 0,
            };
            uses = self.uses.taken(promo, redeemed, now, event.alone);
        }

        let mut next = self.clone();
        for line in &order.lines {
            next.add_stock(line.product, -line.quantity);
        }
        let terms = std::sync::Arc::clone(&self.terms);
        next.change(id, |order| {
            order.status = match order.payment {
                Payment::CashOnDelivery => "confirmed",
                _ => "pending_payment",
            };
            (order.cancelled, order.in_review) = (None, false);
            order.payment_until = Some(now + order.payment.window());
            let digital = order
                .lines
                .iter()
                .filter(|line| terms.products[&line.product].digital);
            order.codes = digital.map(|line| (line.product, line.quantity)).collect();
        });
        let next = next.with_uses(uses);
        match next.is_empty() {
            true => Err("no use of the code was left"),
            false => Ok(next),
        }
    }
}

fn wanted(order: &Order) -> Vec<(Uuid, i64)> {
    order
        .lines
        .iter()
        .map(|line| (line.product, line.quantity))
        .collect()
}
