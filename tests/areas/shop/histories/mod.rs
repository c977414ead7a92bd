//! Shops to work on, and what callers do there.

mod plan;
mod requests;
mod world;

use super::model::calls::{Call, Payment};
use super::model::sales::{Asked, Tender};
use super::model::transfers::Goods;
use super::model::{Shop, uuid};
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
        "update interlock.parked_sales set expires_at = null where register_id = any ($1) and ended_at is null",
        "select interlock.end_promo_uses(array(
           select id from interlock.promo_redemptions where promo_id = any ($1) and status = 'held'
         ), 'held', 'released')",
    ],
};

/// What a till has sold, as far as callers know.
#[derive(Clone)]
pub(crate) struct Sold {
    id: Uuid,
    customer: Option<Uuid>,
    /// How it was paid, and how much of it with points.
    tender: Tender,
    by_points: i64,
    lines: Vec<SoldLine>,
}

/// A line of it: what was sold, what it cost, and what of it has come back.
#[derive(Clone)]
pub(crate) struct SoldLine {
    quantity: i64,
    total: i64,
    returned: i64,
}

impl Sold {
    /// Out of an answer.
    fn new(id: Uuid, asked: &Asked, sale: &Value) -> Self {
        let totals = sale["lines"].as_array().into_iter().flatten();
        let totals = totals.filter_map(|line| line["total"].as_i64());
        let lines = asked.lines.iter().zip(totals);
        let lines = lines.map(|((_, quantity), total)| SoldLine {
            quantity: *quantity,
            total,
            returned: 0,
        });
        let points = asked.tenders.iter();
        let points = points.filter(|(kind, _)| *kind == Tender::Points);
        Sold {
            id,
            customer: uuid(&sale["customer"]["id"]),
            tender: asked.tenders.last().map_or(Tender::Cash, |(kind, _)| *kind),
            by_points: points.map(|(_, amount)| amount).sum(),
            lines: lines.collect(),
        }
    }
}

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
    sales: Vec<Sold>,
    /// Shifts of tills.
    shifts: Vec<Uuid>,
    /// What tills have put aside.
    parked: Vec<Uuid>,
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
        let id = |what: &str| uuid(&body[what]["id"]);
        let amount = |amount: &Value| amount.as_i64().filter(|amount| *amount > 0);
        let mut known = world.known.lock().expect("no caller panics");
        if let (Call::Checkout { buyer, payment, .. }, Some(order)) = (call, id("order")) {
            known.orders.push((order, *buyer));
            if let (Payment::Card, Some(total)) = (payment, amount(&body["order"]["total"])) {
                known.payments.push((order, total, None));
            }
        }
        if let Call::Transfer { goods, .. } = call
            && let Some(id) = uuid(&body["transfer_id"])
        {
            known.transfers.push((id, goods.clone()));
        }
        if let (Call::Sell(asked), Some(id)) = (call, id("sale"))
            && known.sales.iter().all(|sold| sold.id != id)
        {
            for back in &asked.returns {
                let sold = known.sales.iter_mut().find(|sold| sold.id == back.sale);
                if let Some(sold) = sold {
                    sold.lines[back.line].returned += back.quantity;
                }
            }
            known.sales.push(Sold::new(id, asked, &body["sale"]));
        }
        if let Call::OpenShift { .. } = call {
            known.shifts.extend(id("shift"));
        }
        if let Call::Park(asked) = call
            && asked.again.is_none()
        {
            known.parked.extend(id("parked_sale"));
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
