//! Shops to work on, and what callers do there.

mod plan;
mod requests;
mod world;

use super::model::Shop;
use super::model::calls::{Call, Payment};
use super::model::transfers::Goods;
use crate::prove::histories::{AnyWorld, Kind, Played, Request, World};
use crate::prove::model::Moment;
use futures::FutureExt as _;
use rand::rngs::StdRng;
use serde_json::Value;
use uuid::Uuid;

/// For the rounds: either one crowded shop, or several in which less happens at once.
pub(crate) const SHOP: Kind = Kind {
    weight: 3,
    counts: &[1, 1, 3, 5],
    others: "select false",
    open: |db, rng, clock| {
        async move { Ok(Box::new(world::open(db, rng, clock).await?) as Box<dyn AnyWorld>) }.boxed()
    },
    close: &[
        "update interlock.orders set status = 'cancelled'
         where user_id = any ($1) and status = 'pending_payment'",
        "select interlock.end_promo_uses(array(
           select id from interlock.promo_redemptions where promo_id = any ($1) and status = 'held'
         ), 'held', 'released')",
    ],
};

/// What callers choose from.
#[derive(Default)]
pub(crate) struct Known {
    /// Orders and their buyers.
    orders: Vec<(Uuid, Uuid)>,
    /// Orders by card with what they cost, and attempts to pay them.
    payments: Vec<(Uuid, i64, Option<Uuid>)>,
    /// What was sent, with its goods.
    transfers: Vec<(Uuid, Goods)>,
    /// What tills have sold.
    sales: Vec<Uuid>,
    /// Shifts of tills.
    shifts: Vec<Uuid>,
    /// Calls that were made under a key.
    keyed: Vec<Call>,
    /// Whether many unknown codes are tried here.
    guessing: bool,
}

impl Played for Shop {
    type Known = Known;

    fn choose(rng: &mut StdRng, world: &World<Self>, everything: bool) -> Call {
        plan::choose(rng, world, everything)
    }

    fn request(&self, call: &Call) -> Request {
        requests::of_shop(call, self)
    }

    fn learns(world: &World<Self>, call: &Call, body: &Value) {
        let id = |what: &str| body[what]["id"].as_str().and_then(|id| id.parse().ok());
        let amount = |amount: &Value| amount.as_i64().filter(|amount| *amount > 0);
        let mut known = world.known.lock().expect("no caller panics");
        if let (Call::Checkout { buyer, payment, .. }, Some(order)) = (call, id("order")) {
            known.orders.push((order, *buyer));
            if let (Payment::Card, Some(total)) = (payment, amount(&body["order"]["total"])) {
                known.payments.push((order, total, None));
            }
        }
        if let Call::Transfer { goods, .. } = call
            && let Some(id) = body["transfer_id"].as_str().and_then(|id| id.parse().ok())
        {
            known.transfers.push((id, goods.clone()));
        }
        known.sales.extend(id("sale"));
        if let Call::OpenShift { .. } = call {
            known.shifts.extend(id("shift"));
        }
        if let (Call::BeginPayment { order, .. }, attempt @ Some(_)) = (call, id("payment"))
            && let Some(total) = amount(&body["payment"]["amount"])
        {
            known.payments.push((*order, total, attempt));
        }
    }

    fn look() -> Call {
        Call::Look
    }

    fn clock_moves(to: Moment) -> Call {
        Call::ClockMoves { to }
    }

    fn users(&self) -> Vec<Uuid> {
        self.terms.buyers.clone()
    }
}
