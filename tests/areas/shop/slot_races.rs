//! Races of hot products whose stock is spread over slots: the last units, and slots that are switched and
//! refilled while many buy.

use crate::areas::shop::calls::{CANCEL_ORDER, CHECKOUT};
use crate::areas::shop::rows::cart;
use crate::harness::calls::{Adapter, callers, together};
use crate::harness::races::{Verdict, tally};
use crate::harness::stack::Bench;
use uuid::Uuid;

/// The races, each with its numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SlotScenario {
    /// More buyers of one unit than there are units.
    LastUnits {
        buyers: usize,
        stock: i32,
        slots: i32,
    },
    /// Carts of several products while the shop switches slots, settles and books goods in.
    Switching { buyers: usize, stock: i32 },
}

impl SlotScenario {
    /// Runs the race through an adapter, and then looks at the books.
    pub(crate) async fn run(self, bench: &Bench, adapter: Adapter) -> Verdict {
        without_deadlocks(bench, self.race(bench, adapter)).await
    }

    async fn race(self, bench: &Bench, adapter: Adapter) -> Verdict {
        match self {
            Self::LastUnits {
                buyers,
                stock,
                slots,
            } => last_units(bench, adapter, buyers, stock, slots).await,
            Self::Switching { buyers, stock } => switching(bench, adapter, buyers, stock).await,
        }
    }
}

/// Runs a race, and then looks at the books.
pub(crate) async fn without_deadlocks(
    bench: &Bench,
    race: impl Future<Output = Verdict>,
) -> Verdict {
    let before = bench.differences().await;
    let deadlocks = bench.deadlocks().await;
    race.await?;
    // Who deletes all codes, as some database tests do, wants nothing left in their slots.
    let settle = "select interlock.settle_slots(), interlock.settle_slots()";
    bench
        .db
        .batch_execute(settle)
        .await
        .map_err(|error| error.to_string())?;
    let deadlocks = bench.deadlocks().await - deadlocks;
    if deadlocks != 0 {
        return Err(format!("{deadlocks} deadlocks"));
    }
    let after = bench.differences().await;
    if after != before {
        return Err(format!("the books differ: {before:?}, then {after:?}"));
    }
    Ok(())
}

async fn set_slots(bench: &Bench, product: Uuid, slots: i32) {
    bench
        .db
        .execute("select public.set_stock_slots($1, $2)", &[&product, &slots])
        .await
        .expect("slots can be switched");
}

/// Every unit is sold, whichever slot it is in, and every refusal is true.
async fn last_units(
    bench: &Bench,
    adapter: Adapter,
    buyers: usize,
    stock: i32,
    slots: i32,
) -> Verdict {
    let product = bench.products(1, stock).await[0];
    set_slots(bench, product, slots).await;
    let ids = bench.users(buyers).await;
    let buyers = callers(bench.stack, adapter, &ids).await;
    let answers = together(buyers.into_iter().map(|buyer| async move {
        let mut answer = None;
        // Three each: the last ones meet empty slots.
        for _ in 0..3 {
            answer = Some(buyer.invoke(CHECKOUT, cart(&[(product, 1)]), None).await);
        }
        answer.expect("three calls were made")
    }))
    .await;
    let tally = tally(&answers);
    if tally
        .keys()
        .any(|code| !["OK", "INSUFFICIENT_INVENTORY"].contains(code))
    {
        return Err(format!("{tally:?}"));
    }
    for refused in answers.iter().filter(|answer| !answer.is_success()) {
        let shortage = &refused.details["shortages"][0];
        if shortage["available"] != 0 {
            return Err(format!("refused with {shortage}"));
        }
    }
    let (left, sold) = (bench.stock(&[product]).await, bench.sold(&[product]).await);
    let wanted = 3 * ids.len() as i64;
    if left + sold != i64::from(stock) || sold != wanted.min(i64::from(stock)) {
        return Err(format!("{left} left and {sold} sold of {stock}"));
    }
    Ok(())
}

/// What was there and came in is sold or left, whatever the slots did meanwhile.
async fn switching(bench: &Bench, adapter: Adapter, buyers: usize, stock: i32) -> Verdict {
    let products = bench.products(3, stock).await;
    set_slots(bench, products[0], 4).await;
    let shop = products[..2].iter().flat_map(|product| {
        let switch = move |slots: i32| format!("select public.set_stock_slots('{product}', {slots})");
        let restock = format!(
            "update interlock.products set available_quantity = available_quantity + 5 where id = '{product}'"
        );
        [3, 0, 2, 5, 1].into_iter().map(switch).chain([restock])
    });
    let settle = "select interlock.settle_slots()".to_owned();
    let shop = bench
        .shop_calls(shop.chain([settle.clone(), settle]).collect())
        .await;
    let ids = bench.users(buyers).await;
    let buyers = callers(bench.stack, adapter, &ids).await;
    let customers = together(buyers.into_iter().enumerate().map(|(number, buyer)| {
        let mut lines: Vec<_> = (0..3)
            .map(|line| {
                (
                    products[(number + line) % 3],
                    1 + ((number + line) % 4) as u32,
                )
            })
            .collect();
        lines.truncate(1 + number % 3);
        async move {
            let mut answer = buyer.invoke(CHECKOUT, cart(&lines), None).await;
            for _ in 0..2 {
                let order = answer.body["order"]["id"].as_str().map(str::to_owned);
                if let Some(order) = order.filter(|_| number.is_multiple_of(3)) {
                    let body = serde_json::json!({ "order_id": order });
                    let cancelled = buyer.invoke(CANCEL_ORDER, body, None).await;
                    if !cancelled.is_success() {
                        return cancelled;
                    }
                }
                answer = buyer.invoke(CHECKOUT, cart(&lines), None).await;
            }
            answer
        }
    }));
    let (answers, shop) = tokio::join!(customers, shop);
    shop?;
    let tally = tally(&answers);
    if tally
        .keys()
        .any(|code| !["OK", "INSUFFICIENT_INVENTORY"].contains(code))
    {
        return Err(format!("{tally:?}"));
    }
    for (product, came_in) in products.iter().zip([5, 5, 0]) {
        let (left, sold) = (
            bench.stock(&[*product]).await,
            bench.sold(&[*product]).await,
        );
        if left < 0 || left + sold != i64::from(stock + came_in) {
            return Err(format!(
                "{left} left and {sold} sold of {}",
                stock + came_in
            ));
        }
    }
    Ok(())
}

crate::harness::races::over_every_adapter! {
    every_unit_in_four_slots_is_sold: SlotScenario::LastUnits { buyers: 50, stock: 110, slots: 4 };
    every_unit_in_one_slot_is_sold: SlotScenario::LastUnits { buyers: 24, stock: 50, slots: 1 };
    slots_are_switched_while_carts_are_bought: SlotScenario::Switching { buyers: 40, stock: 90 };
}
