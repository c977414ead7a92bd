//! Races of codes whose uses are spread over slots: the last uses, and slots that are switched while many buy.

use crate::areas::shop::calls::{CANCEL_ORDER, CHECKOUT};
use crate::areas::shop::rows::{cart, with};
use crate::areas::shop::slot_races::without_deadlocks;
use crate::harness::calls::{Adapter, callers, together};
use crate::harness::races::{Verdict, count, tally};
use crate::harness::stack::Bench;
use uuid::Uuid;

/// The races, each with its numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SlotScenario {
    /// More checkouts with a code than it has uses.
    LastUses {
        buyers: usize,
        uses: i32,
        slots: i32,
    },
    /// Checkouts and cancellations with a code while the shop switches its slots.
    SwitchingUses { buyers: usize, uses: i32 },
}

impl SlotScenario {
    /// Runs the race through an adapter, and then looks at the books.
    pub(crate) async fn run(self, bench: &Bench, adapter: Adapter) -> Verdict {
        without_deadlocks(bench, self.race(bench, adapter)).await
    }

    async fn race(self, bench: &Bench, adapter: Adapter) -> Verdict {
        match self {
            Self::LastUses {
                buyers,
                uses,
                slots,
            } => last_uses(bench, adapter, buyers, uses, slots).await,
            Self::SwitchingUses { buyers, uses } => {
                switching_uses(bench, adapter, buyers, uses).await
            }
        }
    }
}

/// A new code of so many uses, spread over slots: its text and id.
async fn promo(bench: &Bench, uses: i32, slots: i32) -> (String, Uuid) {
    let code = bench.promo(Some(uses), None).await;
    let row = bench
        .db
        .query_one(
            "select id from interlock.promo_codes where code = $1",
            &[&code],
        )
        .await
        .expect("the code is there");
    let id = row.get(0);
    bench
        .db
        .execute("select public.set_promo_slots($1, $2)", &[&id, &slots])
        .await
        .expect("slots can be switched");
    (code, id)
}

/// Every use is found, whichever slot it is in.
async fn last_uses(
    bench: &Bench,
    adapter: Adapter,
    buyers: usize,
    uses: i32,
    slots: i32,
) -> Verdict {
    let (code, _) = promo(bench, uses, slots).await;
    let product = bench.products(1, 1_000).await[0];
    let ids = bench.users(buyers).await;
    let buyers = callers(bench.stack, adapter, &ids).await;
    let body = with(cart(&[(product, 1)]), "promo_code", code.as_str());
    let answers = together(buyers.into_iter().map(|buyer| {
        let body = body.clone();
        async move { buyer.invoke(CHECKOUT, body, None).await }
    }))
    .await;
    let exhausted = count(&answers, "PROMO_EXHAUSTED") as i64;
    let sold = count(&answers, "OK") as i64;
    if sold != i64::from(uses) || sold + exhausted != answers.len() as i64 {
        return Err(format!("{uses} uses: {:?}", tally(&answers)));
    }
    Ok(())
}

/// Uses given back can be taken again, whatever the slots did meanwhile, and no others.
async fn switching_uses(bench: &Bench, adapter: Adapter, buyers: usize, uses: i32) -> Verdict {
    let (code, id) = promo(bench, uses, 2).await;
    let product = bench.products(1, 10_000).await[0];
    let switches = [0, 1, 3, 2, 0, 2]
        .into_iter()
        .map(|slots| format!("select public.set_promo_slots('{id}', {slots})"));
    let settle = "select interlock.settle_slots()".to_owned();
    let shop = bench.shop_calls(switches.chain([settle]).collect()).await;
    let ids = bench.users(buyers).await;
    let buyers = callers(bench.stack, adapter, &ids).await;
    let body = with(cart(&[(product, 1)]), "promo_code", code.as_str());
    let customers = together(buyers.into_iter().enumerate().map(|(number, buyer)| {
        let body = body.clone();
        async move {
            let mut answer = buyer.invoke(CHECKOUT, body.clone(), None).await;
            for _ in 0..2 {
                let order = answer.body["order"]["id"].as_str().map(str::to_owned);
                if let Some(order) = order.filter(|_| number.is_multiple_of(2)) {
                    let order = serde_json::json!({ "order_id": order });
                    let cancelled = buyer.invoke(CANCEL_ORDER, order, None).await;
                    if !cancelled.is_success() {
                        return cancelled;
                    }
                    answer = buyer.invoke(CHECKOUT, body.clone(), None).await;
                }
            }
            answer
        }
    }));
    let (answers, shop) = tokio::join!(customers, shop);
    shop?;
    let tally = tally(&answers);
    if tally
        .keys()
        .any(|code| !["OK", "PROMO_EXHAUSTED"].contains(code))
    {
        return Err(format!("{tally:?}"));
    }
    let redeemed = bench.redemptions(&code).await;
    if redeemed > i64::from(uses) {
        return Err(format!("{redeemed} redeemed of {uses} uses"));
    }
    // What nobody has is there for the next ones.
    let late = usize::try_from(i64::from(uses) - redeemed).unwrap_or(0) + 3;
    let late = bench.users(late).await;
    let late = callers(bench.stack, adapter, &late).await;
    let answers = together(late.into_iter().map(|buyer| {
        let body = body.clone();
        async move { buyer.invoke(CHECKOUT, body, None).await }
    }))
    .await;
    let sold = count(&answers, "OK") as i64;
    if sold + redeemed != i64::from(uses) {
        return Err(format!("{sold} more after {redeemed} of {uses} uses"));
    }
    Ok(())
}

crate::harness::races::over_every_adapter! {
    every_use_in_two_slots_is_redeemed: SlotScenario::LastUses { buyers: 60, uses: 45, slots: 2 };
    slots_of_a_code_are_switched_while_it_is_used: SlotScenario::SwitchingUses { buyers: 40, uses: 50 };
}
