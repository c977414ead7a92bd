//! Races of payment by card: money that comes while its order ends.

use crate::areas::shop::calls::{CANCEL_ORDER, CHECKOUT};
use crate::areas::shop::cards::{Delivery, event_about, event_id};
use crate::areas::shop::races::{order_id, with_equal_books};
use crate::areas::shop::rows::{PRICE, cart, with};
use crate::harness::calls::{Adapter, Answer, callers, together};
use crate::harness::races::{Race, Verdict, count, require, tally};
use crate::harness::stack::Bench;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

/// The races, each with its numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PaymentScenario {
    /// So many buyers want one unit each; their time is over in the second in which their money comes.
    Expiring { buyers: usize, stock: i32 },
}

impl Race for PaymentScenario {
    fn play<'a>(&'a self, bench: &'a Bench, adapter: Adapter) -> BoxFuture<'a, Verdict> {
        self.run(bench, adapter).boxed()
    }
}

impl PaymentScenario {
    /// Runs the race through an adapter, and then looks at the books.
    pub(crate) async fn run(self, bench: &Bench, adapter: Adapter) -> Verdict {
        let Self::Expiring { buyers, stock } = self;
        // Over SQL each has a session of their own, and the database has two hundred for all.
        let (buyers, stock) = match adapter {
            Adapter::Sql => (buyers / 2, stock / 2),
            Adapter::Function | Adapter::Rpc => (buyers, stock),
        };
        let verdict = with_equal_books(bench, expiring(bench, adapter, buyers, stock)).await;
        bench.take_no_cards().await;
        verdict
    }
}

/// What stands on the shelf and in orders that live, in one look.
const UNITS: &str =
    "select p.available_quantity::bigint + coalesce((
       select sum(i.quantity) from interlock.order_items i join interlock.orders o on o.id = i.order_id
       where i.product_id = p.id and o.status not in ('cancelled', 'expired', 'refunded')), 0)
     from interlock.products p where p.id = any ($1)";

fn event(order: Uuid, kind: &str, intent: &str) -> Delivery {
    let intent = format!("{intent}_{}", order.simple());
    Delivery::of(&event_about(
        &event_id(),
        kind,
        &intent,
        (order, PRICE),
        None,
    ))
}

/// Tells it as a provider does: again until it is taken in.
async fn tell(bench: &Bench, event: &Delivery) -> Result<Value, String> {
    let mut last = String::new();
    for _ in 0..50 {
        let (status, answer) = event.send(bench.stack).await;
        if status == 200 {
            return Ok(answer);
        }
        last = format!("{status}: {answer}");
    }
    Err(last)
}

/// Sold + free = stock at every moment; money received = orders paid + refunds due.
async fn expiring(bench: &Bench, adapter: Adapter, buyers: usize, stock: i32) -> Verdict {
    bench.take_cards().await;
    let product = bench.products(1, stock).await;
    let users = bench.users(buyers).await;
    let buyers = callers(bench.stack, adapter, &users).await;
    let body = with(cart(&[(product[0], 1)]), "payment_method", "card");
    let answers = together(buyers.iter().map(|buyer| {
        let (buyer, body) = (buyer.clone(), body.clone());
        async move { buyer.invoke(CHECKOUT, body, None).await }
    }))
    .await;
    require!(
        count(&answers, "OK") == stock as usize,
        "{:?}",
        tally(&answers)
    );
    let bought: Vec<(Uuid, usize)> = answers
        .iter()
        .enumerate()
        .filter_map(|(buyer, answer): (usize, &Answer)| Some((order_id(answer)?, buyer)))
        .collect();
    for (order, _) in &bought {
        bench.let_payment_expire(*order).await;
    }

    let mut events = Vec::new();
    for (number, (order, _)) in bought.iter().enumerate() {
        let paid = event(*order, "succeeded", "pi");
        // Twice, and the older news after it.
        events.extend([paid.clone(), paid]);
        events.push(match number % 3 {
            0 => event(*order, "payment_failed", "pi"),
            1 => event(*order, "canceled", "pi"),
            _ => event(*order, "succeeded", "pi_second"),
        });
    }
    let sweeps = bench
        .shop_calls(vec!["select public.expire_orders(1000)".to_owned(); 8])
        .await;
    let cancels = bought.iter().step_by(4).map(|(order, buyer)| {
        let (buyer, order) = (buyers[*buyer].clone(), *order);
        async move {
            buyer
                .invoke(CANCEL_ORDER, json!({ "order_id": order }), None)
                .await
        }
    });
    let again = answers
        .iter()
        .zip(&buyers)
        .filter(|(answer, _)| !answer.is_success())
        .map(|(_, buyer)| {
            let (buyer, body) = (buyer.clone(), cart(&[(product[0], 1)]));
            async move { buyer.invoke(CHECKOUT, body, None).await }
        });
    let looker = bench.stack.connect().await;
    let is_over = AtomicBool::new(false);
    let look = async {
        let mut looks = 0;
        while !is_over.load(Ordering::Relaxed) {
            let units: i64 = looker
                .query_one(UNITS, &[&product])
                .await
                .expect("stock can be read")
                .get(0);
            require!(
                units == i64::from(stock),
                "{units} units of {stock}, after {looks} looks"
            );
            looks += 1;
        }
        Ok(())
    };
    let work = async {
        let told = join_all(events.iter().map(|event| tell(bench, event)));
        let (told, swept, cancelled, again) =
            tokio::join!(told, sweeps, join_all(cancels), join_all(again));
        is_over.store(true, Ordering::Relaxed);
        told.into_iter().collect::<Result<Vec<_>, _>>()?;
        swept?;
        for answer in cancelled.iter().chain(&again) {
            require!(answer.status < 500 || answer.status == 503, "{answer:?}");
        }
        Ok(())
    };
    let (looked, worked) = tokio::join!(look, work);
    looked?;
    worked?;

    let orders: Vec<Uuid> = bought.iter().map(|(order, _)| *order).collect();
    let received = "select coalesce(sum(amount), 0)::bigint from interlock.payments
                    where order_id = any ($1) and succeeded_at is not null";
    let paid = "select coalesce(sum(total), 0)::bigint from interlock.orders where id = any ($1) and status = 'paid'";
    let due = "select coalesce(sum(refund_asked), 0)::bigint from interlock.payments where order_id = any ($1)";
    let told = bought.len() + bought.len() / 3;
    let (received, paid, due) = (
        bench.number(received, &orders).await,
        bench.number(paid, &orders).await,
        bench.number(due, &orders).await,
    );
    require!(
        received == PRICE * told as i64 && received == paid + due,
        "received {received} of {told} payments, orders paid {paid}, refunds due {due}"
    );
    let wrong = "select count(*) from interlock.orders o where o.id = any ($1) and (o.status = 'paid') <> exists (
                   select from interlock.payments p where p.order_id = o.id and p.status = 'succeeded')";
    let wrong = bench.number(wrong, &orders).await;
    require!(
        wrong == 0,
        "{wrong} orders are paid without money, or not paid with it"
    );
    Ok(())
}

crate::harness::races::over_every_adapter! {
    orders_by_card_whose_money_comes_as_they_expire: PaymentScenario::Expiring { buyers: 200, stock: 120 };
}
