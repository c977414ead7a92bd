//! Payment by card: attempts to pay an order, and what the provider tells of its money, in whatever order it comes.

use super::calls::{Call, News, Payment, Tidings};
use super::orders::Order;
use super::{Done, Shop, expect, uuid};
use crate::areas::promo::model::Refusal;
use crate::prove::model::{Event, Moment};
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// `interlock.settings.card_payment_window`.
pub(super) const CARD_WINDOW: Moment = 30 * 60;

/// `interlock.settings.card_processing_window`.
const PROCESSING_WINDOW: Moment = 24 * 3600;

/// A row of `interlock.payments`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CardPayment {
    /// Known of those that were begun here.
    id: Option<Uuid>,
    /// The provider's id.
    intent: Option<String>,
    /// `open`, `processing` or `canceled` until the money has come.
    status: &'static str,
    has_money: bool,
    told: Option<Moment>,
}

impl Shop {
    /// Why no attempt to pay an order is begun.
    pub(super) fn begin_refusals(&self, buyer: Uuid, id: Uuid) -> Vec<Refusal> {
        match self.orders.get(&id).filter(|order| order.buyer == buyer) {
            None => vec![("ORDER_NOT_FOUND", json!({ "order_id": id }))],
            Some(order) if self.waits_for_card(order) => Vec::new(),
            Some(order) => vec![(
                "ORDER_STATE_CONFLICT",
                json!({ "order_id": id, "status": order.status, "fulfillment": order.fulfillment() }),
            )],
        }
    }

    fn waits_for_card(&self, order: &Order) -> bool {
        order.status == "pending_payment"
            && order.payment == Payment::Card
            && !order.is_due(self.clock.now)
    }

    /// A buyer has begun to pay: the attempt that is open, or a new one.
    pub(super) fn payment_begun(&self, buyer: Uuid, id: Uuid, body: &Value) -> Done {
        let order = self.orders.get(&id).ok_or("there is no such order")?;
        if order.buyer != buyer || !self.waits_for_card(order) {
            return Err("it is no order that waits for a payment by card");
        }
        let shown = uuid(&body["payment"]["id"]).ok_or("the payment has no id")?;
        let open = |payment: &CardPayment| {
            !payment.has_money && ["open", "processing"].contains(&payment.status)
        };
        let known = order.payments.iter().position(open);
        let mut next = self.clone();
        if known.is_none() {
            if self.attempts().any(|id| id == shown) {
                return Err("the attempt is not a new one");
            }
            next.change(id, |order| {
                order.payments.push(CardPayment {
                    id: Some(shown),
                    intent: None,
                    status: "open",
                    has_money: false,
                    told: None,
                });
            });
        }
        let number = known.unwrap_or(order.payments.len());
        let payment = &next.orders[&id].payments[number];
        let expected = json!({ "success": true, "payment": {
            "id": payment.id, "order_id": id, "provider": "stripe", "provider_id": payment.intent,
            "attempt": number + 1, "status": payment.status, "amount": order.total(), "currency": "USD",
            "expires_at": self.clock.time_or_null(order.payment_until),
        } });
        expect(expected, body)?;
        Ok(known.is_none().then(|| vec![next]))
    }

    fn attempts(&self) -> impl Iterator<Item = Uuid> {
        let payments = self.orders.values().flat_map(|order| &order.payments);
        payments.filter_map(|payment| payment.id)
    }

    /// Why an event is not taken.
    pub(super) fn tidings_refusals(tidings: &Tidings) -> Vec<Refusal> {
        let mismatch = json!({ "reason": "mismatch" });
        let refusal = tidings
            .forged
            .then_some(("WEBHOOK_SIGNATURE_INVALID", mismatch));
        refusal.into_iter().collect()
    }

    /// The provider has told of a payment.
    pub(super) fn told(&self, event: &Event<Call>, tidings: &Tidings, body: &Value) -> Done {
        if tidings.forged {
            return Err("a forged event is taken");
        }
        let outcome = body["outcome"].as_str().ok_or("there is no outcome")?;
        let known = self.news.get(&tidings.event);
        let answer = |outcome: &str| {
            json!({
                "success": true, "event_id": tidings.event_id(), "outcome": outcome, "repeated": known.is_some(),
            })
        };
        if let Some(outcome) = known {
            return expect(answer(outcome), body).map(|()| None);
        }
        expect(answer(outcome), body)?;
        let order = self
            .orders
            .get(&tidings.order)
            .ok_or("there is no such order")?;
        let payment = payment_of(order, tidings);
        let has_money = payment.is_some_and(|number| order.payments[number].has_money);
        if tidings.is_money() && !has_money {
            return self.money_came(event, tidings, order, payment, outcome);
        }
        if outcome != "noted" {
            return Err("it is more than noted, and no money has come");
        }
        let mut next = self.clone();
        next.news.insert(tidings.event, "noted");
        if !has_money {
            next.noted(tidings, payment);
        }
        Ok(Some(vec![next]))
    }

    /// Anything but money.
    fn noted(&mut self, tidings: &Tidings, payment: Option<usize>) {
        let now = self.clock.now;
        let at = now - tidings.age;
        self.change(tidings.order, |order| {
            let mut was = "";
            if let Some(payment) = payment.map(|number| &mut order.payments[number]) {
                was = payment.status;
                if was == "canceled" || payment.told > Some(at) {
                    return;
                }
                payment.intent = Some(tidings.intent());
                payment.told = Some(at);
                payment.status = match tidings.news {
                    News::Processing => "processing",
                    News::Failed => "open",
                    News::Canceled => "canceled",
                    News::Money | News::TooMuchMoney => was,
                };
            }
            if order.status != "pending_payment" || order.payment != Payment::Card {
                return;
            }
            match tidings.news {
                News::Processing => {
                    order.payment_until = order.payment_until.max(Some(now + PROCESSING_WINDOW));
                }
                News::Failed | News::Canceled if was == "processing" => {
                    let own = now.max(order.created + CARD_WINDOW);
                    order.payment_until = order.payment_until.map(|until| until.min(own));
                }
                _ => {}
            }
        });
    }

    /// Money has come: it pays the order, or brings it back and pays it, or is due to go back, or somebody has to look.
    fn money_came(
        &self,
        event: &Event<Call>,
        tidings: &Tidings,
        order: &Arc<Order>,
        payment: Option<usize>,
        outcome: &str,
    ) -> Done {
        let fits = tidings.news == News::Money;
        let (outcome, mut next) = match outcome {
            "flagged" if !fits => ("flagged", vec![self.clone()]),
            "paid" if fits && order.is_unpaid() => ("paid", vec![self.clone()]),
            "reopened" if fits && order.status == "expired" => {
                ("reopened", self.retaken(event, tidings.order)?)
            }
            "refund_due" if fits && !order.is_unpaid() => {
                let may_come_back = order.status == "expired";
                if may_come_back && self.reopen_refusals(tidings.order).is_empty() {
                    return Err("the order could be brought back");
                }
                ("refund_due", vec![self.clone()])
            }
            _ => return Err("that is not what the money is for"),
        };
        let now = self.clock.now;
        for next in &mut next {
            next.news.insert(tidings.event, outcome);
            next.change(tidings.order, |order| {
                let id = payment.and_then(|number| order.payments[number].id);
                let money = CardPayment {
                    id,
                    intent: Some(tidings.intent()),
                    status: "",
                    has_money: true,
                    told: Some(now - tidings.age),
                };
                match payment {
                    Some(number) => order.payments[number] = money,
                    None => order.payments.push(money),
                }
                if ["paid", "reopened"].contains(&outcome) {
                    (order.status, order.paid, order.in_review) = ("paid", Some(now), false);
                }
            });
        }
        Ok(Some(next))
    }
}

/// The payment that an event is about: the one whose money it was, the attempt that it names, the one that has its intent.
fn payment_of(order: &Order, tidings: &Tidings) -> Option<usize> {
    let intent = Some(tidings.intent());
    let payments = &order.payments;
    let find = |is: &dyn Fn(&CardPayment) -> bool| payments.iter().position(is);
    find(&|payment| payment.has_money && payment.intent == intent)
        .or_else(|| {
            find(&|payment| {
                !payment.has_money && payment.id.is_some() && payment.id == tidings.attempt
            })
        })
        .or_else(|| find(&|payment| !payment.has_money && payment.intent == intent))
}
