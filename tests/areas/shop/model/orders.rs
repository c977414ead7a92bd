//! What becomes of an order.

use super::calls::{Call, Payment};
use super::cards::CardPayment;
use super::checkout::PAYMENT_WINDOW;
use super::{Done, Shop, expect, uuid};
use crate::areas::promo::model::{Line, Refusal};
use crate::prove::model::{Event, Moment};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// `interlock.settings.review_window`.
const REVIEW_WINDOW: Moment = 7 * 24 * 3600;

const UNPAID: [&str; 2] = ["pending_payment", "confirmed"];
const NOT_HANDED_OVER: [&str; 3] = ["pending_payment", "confirmed", "paid"];

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Order {
    pub(crate) buyer: Uuid,
    pub(crate) status: &'static str,
    pub(crate) lines: Vec<Line>,
    /// What is taken off each of them.
    pub(crate) shares: Vec<i64>,
    pub(crate) subtotal: i64,
    pub(crate) discount: i64,
    pub(crate) payment: Payment,
    pub(crate) cart: Option<Uuid>,
    /// Codes of digital products that belong to it, by product.
    pub(crate) codes: BTreeMap<Uuid, i64>,
    pub(crate) proofs: BTreeSet<String>,
    /// Attempts to pay it by card, the first one first.
    pub(crate) payments: Vec<CardPayment>,
    /// Whether one of them waits for the shop.
    pub(crate) in_review: bool,
    pub(crate) created: Moment,
    pub(crate) payment_until: Option<Moment>,
    pub(crate) paid: Option<Moment>,
    pub(crate) fulfilled: Option<Moment>,
    pub(crate) cancelled: Option<Moment>,
    pub(crate) refunded: Option<Moment>,
    /// The code that it was placed with.
    pub(crate) promo: Option<Uuid>,
    /// Whether its discount was for a first order.
    pub(crate) as_first_order: bool,
    /// When its buyer had the answer.
    pub(crate) answered: u64,
}

impl Order {
    pub(crate) fn total(&self) -> i64 {
        self.subtotal - self.discount
    }

    pub(crate) fn stands(&self) -> bool {
        !["cancelled", "expired", "refunded"].contains(&self.status)
    }

    /// Whether it holds goods that nobody has paid for.
    pub(crate) fn is_unpaid(&self) -> bool {
        UNPAID.contains(&self.status)
    }

    /// Where its goods are: nobody processes or ships in the histories.
    pub(crate) fn fulfillment(&self) -> &'static str {
        match self.fulfilled {
            Some(_) => "delivered",
            None => "unfulfilled",
        }
    }

    pub(crate) fn is_due(&self, now: Moment) -> bool {
        self.is_unpaid() && self.payment_until.is_some_and(|until| until <= now)
    }
}

impl Shop {
    pub(crate) fn change(&mut self, order: Uuid, how: impl FnOnce(&mut Order)) {
        if let Some(order) = self.orders.get_mut(&order) {
            how(Arc::make_mut(order));
        }
    }

    pub(crate) fn move_refusals(
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
    pub(crate) fn moved(&self, order: Uuid, from: &[&str], to: &'static str, body: &Value) -> Done {
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
                (order.status, order.paid, order.in_review) = (to, Some(now), false);
            }),
            "fulfilled" => next.change(order, |order| {
                // Cash is paid at the door.
                let paid = order.paid.or(Some(now));
                (order.status, order.paid, order.fulfilled) = (to, paid, Some(now));
            }),
            _ => next.end(order, to),
        }
        next.shows(order, body)?;
        Ok(Some(vec![next]))
    }

    /// Why an order is not cancelled.
    pub(super) fn cancel_refusals(&self, caller: Option<Uuid>, order: Uuid) -> Vec<Refusal> {
        let from = if caller.is_some() {
            &UNPAID[..]
        } else {
            &NOT_HANDED_OVER
        };
        let mut refusals =
            self.move_refusals(caller, order, from, "cancelled", "ORDER_NOT_CANCELLABLE");
        for (refusal, details) in &mut refusals {
            if let ("ORDER_NOT_CANCELLABLE", Some(known)) = (*refusal, self.orders.get(&order)) {
                details["fulfillment"] = json!(known.fulfillment());
            }
        }
        refusals
    }

    /// Somebody, or the shop, has cancelled an order.
    pub(super) fn was_cancelled(&self, caller: Option<Uuid>, order: Uuid, body: &Value) -> Done {
        let from = if caller.is_some() {
            &UNPAID[..]
        } else {
            &NOT_HANDED_OVER
        };
        let known = self.orders.get(&order).ok_or("there is no such order")?;
        if caller.is_some_and(|caller| caller != known.buyer) {
            return Err("it is somebody else's order");
        }
        self.moved(order, from, "cancelled", body)
    }

    /// Why a proof is not taken.
    pub(super) fn proof_refusals(&self, buyer: Uuid, order: Uuid, file: &str) -> Vec<Refusal> {
        match self.orders.get(&order) {
            Some(known) if known.buyer == buyer => {
                if known.status == "pending_payment" || known.proofs.contains(file) {
                    return Vec::new();
                }
                vec![("ORDER_STATE_CONFLICT", in_status(order, known.status))]
            }
            _ => vec![("ORDER_NOT_FOUND", json!({ "order_id": order }))],
        }
    }

    /// A buyer has handed in a proof of payment.
    pub(super) fn proof_submitted(
        &self,
        buyer: Uuid,
        order: Uuid,
        file: &str,
        body: &Value,
    ) -> Done {
        let known = self.orders.get(&order).ok_or("there is no such order")?;
        if known.buyer != buyer {
            return Err("it is somebody else's order");
        }
        if known.proofs.contains(file) {
            self.clone().shows(order, body)?;
            return Ok(None);
        }
        if known.status != "pending_payment" {
            return Err("the order does not wait for its payment");
        }
        let mut next = self.clone();
        let review = self.clock.now + REVIEW_WINDOW;
        next.change(order, |order| {
            order.proofs.insert(file.to_owned());
            if !order.in_review {
                order.payment_until = order.payment_until.max(Some(review));
            }
            order.in_review = true;
        });
        next.shows(order, body)?;
        Ok(Some(vec![next]))
    }

    /// The shop has rejected the proofs of an order: its buyer may try again. Without any it is cancelled.
    pub(super) fn payment_rejected(&self, order: Uuid, from: &[&str], body: &Value) -> Done {
        let known = self.orders.get(&order).ok_or("there is no such order")?;
        if known.status != "pending_payment" || known.proofs.is_empty() {
            return self.moved(order, from, "cancelled", body);
        }
        let mut next = self.clone();
        if !known.in_review {
            next.shows(order, body)?;
            return Ok(None);
        }
        let until = self.clock.now + PAYMENT_WINDOW;
        next.change(order, |order| {
            (order.in_review, order.payment_until) = (false, Some(until));
        });
        next.shows(order, body)?;
        Ok(Some(vec![next]))
    }

    /// Orders were not paid in time.
    pub(super) fn orders_expired(&self, event: &Event<Call>, body: &Value) -> Done {
        let due = self
            .orders
            .iter()
            .filter(|(_, order)| order.is_due(self.clock.now));
        let due: Vec<_> = due.map(|(id, _)| (id.to_string(), *id)).collect();
        self.some_of(&due, body, event.alone, |next, order| {
            next.end(*order, "expired")
        })
    }

    /// Ends an order: what it took comes back, but for goods that were handed over, codes that were
    /// delivered, and money that did not come from the wallet.
    pub(crate) fn end(&mut self, id: Uuid, status: &'static str) {
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
            order.in_review = false;
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
    pub(crate) fn some_of<T>(
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

    pub(crate) fn has_order(&self, user: Uuid) -> bool {
        self.orders
            .values()
            .any(|order| order.buyer == user && order.stands())
    }

    /// Whether the answer shows the order as it is.
    pub(crate) fn shows(&mut self, id: Uuid, body: &Value) -> Result<(), &'static str> {
        let order = Arc::clone(self.orders.get(&id).ok_or("there is no such order")?);
        let mut body = body.clone();
        let shown = body["order"].as_object_mut().ok_or("no order is shown")?;
        // The sequence gives numbers, with gaps; which one does not matter.
        shown
            .remove("number")
            .filter(Value::is_u64)
            .ok_or("the order has no number")?;
        let codes = shown.remove("codes");
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

    pub(crate) fn order_json(&self, id: Uuid, order: &Order) -> Value {
        let items: Vec<Value> = order
            .lines
            .iter()
            .zip(&order.shares)
            .map(|(line, share)| {
                json!({
                    "product_id": line.product, "name": self.terms.products[&line.product].name,
                    "quantity": line.quantity, "unit_price": line.price,
                    "discount": share, "tax": 0, "total": line.quantity * line.price,
                })
            })
            .collect();
        let time = |at| self.clock.time_or_null(at);
        json!({
            "id": id, "status": order.status, "fulfillment": order.fulfillment(), "currency": "USD", "subtotal": order.subtotal,
            "discount": order.discount, "shipping_method": null, "shipping": 0, "shipping_tax": 0, "tax": 0, "tax_included": 0,
            "total": order.total(),
            "payment_method": order.payment.name(), "cart_id": order.cart,
            "created_at": time(Some(order.created)), "payment_expires_at": time(order.payment_until),
            "paid_at": time(order.paid), "shipped_at": null, "tracking": null, "fulfilled_at": time(order.fulfilled),
            "cancelled_at": time(order.cancelled), "refunded_at": time(order.refunded),
            "items": items,
        })
    }
}

/// The details of a refusal for the order's status.
pub(super) fn in_status(order: Uuid, status: &str) -> Value {
    json!({ "order_id": order, "status": status })
}
