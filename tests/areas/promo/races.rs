//! Races for the uses of promo codes: customers in many tabs, holds that end, checkouts.

use crate::areas::promo::calls::PROMO_VALIDATE;
use crate::areas::shop::calls::{CANCEL_ORDER, CHECKOUT};
use crate::areas::shop::races::{buy, order_id, with_equal_books};
use crate::areas::shop::rows::{PRICE, cart, with};
use crate::harness::calls::{Adapter, Answer, Caller, callers, together};
use crate::harness::races::{Race, Verdict, against_open_transaction, count, require, tally};
use crate::harness::stack::{Bench, user_claims};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::json;
use uuid::Uuid;

/// The races, each with its numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PromoScenario {
    Holds {
        users: usize,
        tabs: usize,
        uses: i32,
    },
    OfOneCustomer {
        tabs: usize,
        uses: Option<i32>,
        each: Option<i32>,
    },
    Checkouts {
        buyers: usize,
        uses: i32,
    },
    HeldMeanwhile,
    Storm {
        callers: usize,
        uses: i32,
    },
}

impl Race for PromoScenario {
    fn play<'a>(&'a self, bench: &'a Bench, adapter: Adapter) -> BoxFuture<'a, Verdict> {
        self.run(bench, adapter).boxed()
    }
}

impl PromoScenario {
    /// Runs the race through an adapter, and then looks at the books.
    pub(crate) async fn run(self, bench: &Bench, adapter: Adapter) -> Verdict {
        with_equal_books(bench, self.race(bench, adapter)).await
    }

    async fn race(self, bench: &Bench, adapter: Adapter) -> Verdict {
        match self {
            Self::Holds { users, tabs, uses } => {
                promo_holds(bench, adapter, users, tabs, uses).await
            }
            Self::OfOneCustomer { tabs, uses, each } => {
                promo_of_one_customer(bench, adapter, tabs, uses, each).await
            }
            Self::Checkouts { buyers, uses } => promo_checkouts(bench, adapter, buyers, uses).await,
            Self::HeldMeanwhile => promo_held_meanwhile(bench, adapter).await,
            Self::Storm { callers, uses } => promo_storm(bench, adapter, callers, uses).await,
        }
    }
}

/// Users with many tabs each, every tab with a cart of its own, apply a code of few uses.
async fn promo_holds(
    bench: &Bench,
    adapter: Adapter,
    users: usize,
    tabs: usize,
    uses: i32,
) -> Verdict {
    let code = bench.promo(Some(uses), None).await;
    let ids: Vec<Uuid> = bench
        .users(users)
        .await
        .into_iter()
        .flat_map(|id| vec![id; tabs])
        .collect();
    let callers = callers(bench.stack, adapter, &ids).await;
    let answers = together(callers.into_iter().map(|caller| {
        let body =
            json!({ "code": code.to_lowercase(), "subtotal": 10_000, "cart_id": Uuid::new_v4() });
        async move { caller.invoke(PROMO_VALIDATE, body, None).await }
    }))
    .await;
    let tally = tally(&answers);
    let held = count(&answers, "OK");
    require!(
        held as i32 == uses,
        "{held} holds of {uses} uses: {tally:?}"
    );
    let refused = count(&answers, "PROMO_EXHAUSTED") + count(&answers, "PROMO_ALREADY_APPLIED");
    require!(held + refused == answers.len(), "{tally:?}");
    for answer in answers.iter().filter(|answer| answer.is_success()) {
        require!(
            answer.body["discount"] == 1_000 && answer.body["total"] == 9_000,
            "{}",
            answer.body
        );
    }
    Ok(())
}

/// One customer, many tabs: whatever the code allows of uses, one tab holds it.
async fn promo_of_one_customer(
    bench: &Bench,
    adapter: Adapter,
    tabs: usize,
    uses: Option<i32>,
    each: Option<i32>,
) -> Verdict {
    let code = bench.promo(uses, each).await;
    let user = bench.users(1).await[0];
    let callers = callers(bench.stack, adapter, &vec![user; tabs]).await;
    let answers = together(callers.into_iter().map(|caller| {
        let body = json!({ "code": code, "subtotal": 10_000, "cart_id": Uuid::new_v4() });
        async move { caller.invoke(PROMO_VALIDATE, body, None).await }
    }))
    .await;
    require!(count(&answers, "OK") == 1, "{:?}", tally(&answers));
    require!(
        count(&answers, "PROMO_ALREADY_APPLIED") == tabs - 1,
        "{:?}",
        tally(&answers)
    );
    Ok(())
}

/// Customers hold, release, redeem and cancel under one code of few uses, while holds expire. What is
/// taken never exceeds the limit (a constraint would fail a call), and afterwards exactly the uses that
/// are not taken can be taken.
async fn promo_storm(bench: &Bench, adapter: Adapter, callers_count: usize, uses: i32) -> Verdict {
    let code = bench.promo(Some(uses), None).await;
    let product = bench.products(1, 10_000).await[0];
    let ids = bench.users(callers_count).await;
    let callers = callers(bench.stack, adapter, &ids).await;
    let ageing = bench.expire_holds_of(code.clone(), 20).await;
    let customers = together(callers.into_iter().enumerate().map(|(number, customer)| {
        let code = code.clone();
        async move { promo_customer(&customer, &code, product, number).await }
    }));
    let (answers, ()) = tokio::join!(customers, ageing);
    for answer in &answers {
        require!(answer.status < 500, "{answer:?}");
    }

    // Everything that is held lets go; what is redeemed stays.
    bench.expire_holds_of(code.clone(), 1).await.await;
    let redeemed = bench.redemptions(&code).await;
    let late = bench.users(usize::try_from(uses).unwrap_or(0) + 5).await;
    let late = self::callers(bench.stack, adapter, &late).await;
    let answers = together(late.into_iter().map(|caller| {
        let body = json!({ "code": code, "subtotal": 10_000, "cart_id": Uuid::new_v4() });
        async move { caller.invoke(PROMO_VALIDATE, body, None).await }
    }))
    .await;
    let held = count(&answers, "OK") as i64;
    require!(
        held + redeemed == i64::from(uses),
        "{held} could be held beside {redeemed} redeemed of {uses}"
    );
    Ok(())
}

/// What one customer of the storm does, by their number; the first answer that is a failure, or the last.
async fn promo_customer(customer: &Caller, code: &str, product: Uuid, number: usize) -> Answer {
    let cart_id = Uuid::new_v4();
    let hold = json!({ "code": code, "cart_items": [{ "product_id": product, "quantity": 1 }], "cart_id": cart_id });
    let mut answer = customer.invoke(PROMO_VALIDATE, hold.clone(), None).await;
    for round in 0..3 {
        if answer.status >= 500 {
            return answer;
        }
        let body = with(
            with(cart(&[(product, 1)]), "promo_code", code),
            "cart_id",
            cart_id.to_string(),
        );
        answer = match (number + round) % 4 {
            0 => {
                customer
                    .invoke(
                        PROMO_VALIDATE,
                        json!({ "code": code, "cart_id": cart_id, "action": "release" }),
                        None,
                    )
                    .await
            }
            1 => customer.invoke(PROMO_VALIDATE, hold.clone(), None).await,
            _ => customer.invoke(CHECKOUT, body, None).await,
        };
        if let Some(order) = order_id(&answer).filter(|_| number.is_multiple_of(2)) {
            answer = customer
                .invoke(CANCEL_ORDER, json!({ "order_id": order }), None)
                .await;
        }
    }
    answer
}

/// Another tab of the same customer takes their only use while this one asks for it.
async fn promo_held_meanwhile(bench: &Bench, adapter: Adapter) -> Verdict {
    let user = bench.users(1).await[0];
    for (end, expected) in [("rollback", "OK"), ("commit", "PROMO_ALREADY_APPLIED")] {
        let code = bench.promo(None, Some(1)).await;
        let tab = Caller::new(bench.stack, adapter, user).await;
        let claims = user_claims(user);
        let other = Uuid::new_v4();
        let work = format!(
            "set local role authenticated; select set_config('request.jwt.claims', '{claims}', true);
             select public.validate_promo(p_code => '{code}', p_subtotal => 10000, p_cart_id => '{other}')"
        );
        let body = json!({ "code": code, "subtotal": 10_000, "cart_id": Uuid::new_v4() });
        let call = async move { tab.invoke(PROMO_VALIDATE, body, None).await };
        let answer = against_open_transaction(bench, &work, end, call).await;
        require!(answer.code == expected, "after {end}: {}", answer.code);
    }
    Ok(())
}

/// Many checkouts with a code of few uses: so many discounted orders, and no more.
async fn promo_checkouts(bench: &Bench, adapter: Adapter, buyers: usize, uses: i32) -> Verdict {
    let code = bench.promo(Some(uses), None).await;
    let product = bench.products(1, 1_000).await[0];
    let ids = bench.users(buyers).await;
    let callers = callers(bench.stack, adapter, &ids).await;
    let body = with(cart(&[(product, 1)]), "promo_code", code.as_str());
    let answers = together(
        callers
            .into_iter()
            .map(|buyer| buy(buyer, body.clone(), None)),
    )
    .await;
    let sold = count(&answers, "OK");
    require!(
        sold as i32 == uses,
        "{sold} orders of {uses} uses: {:?}",
        tally(&answers)
    );
    require!(
        count(&answers, "PROMO_EXHAUSTED") == buyers - sold,
        "{:?}",
        tally(&answers)
    );
    for answer in answers.iter().filter(|answer| answer.is_success()) {
        require!(
            answer.body["order"]["discount"] == PRICE / 10,
            "{}",
            answer.body["order"]
        );
    }
    require!(
        bench.sold(&[product]).await == i64::from(uses),
        "stock went with refused orders"
    );
    Ok(())
}

crate::harness::races::over_every_adapter! {
    a_code_of_one_use_is_held_by_one_of_100_customers: PromoScenario::Holds { users: 100, tabs: 1, uses: 1 };
    a_code_of_one_use_is_held_in_one_of_100_tabs: PromoScenario::Holds { users: 1, tabs: 100, uses: 1 };
    a_code_of_ten_uses_is_held_ten_times: PromoScenario::Holds { users: 50, tabs: 2, uses: 10 };
    a_customers_only_use_is_held_in_one_of_100_tabs: PromoScenario::OfOneCustomer { tabs: 100, uses: None, each: Some(1) };
    one_of_20_uses_is_held_in_one_of_a_customers_100_tabs: PromoScenario::OfOneCustomer { tabs: 100, uses: Some(20), each: None };
    a_use_that_another_tab_takes_meanwhile_is_gone: PromoScenario::HeldMeanwhile;
    a_code_of_five_uses_discounts_five_orders: PromoScenario::Checkouts { buyers: 30, uses: 5 };
    uses_given_back_can_be_used_again: PromoScenario::Storm { callers: 40, uses: 10 };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_whose_code_is_locked_keeps_no_other_from_expiring() {
    let bench = Bench::take().await;
    let user = bench.users(1).await[0];
    let promos = [Uuid::new_v4(), Uuid::new_v4()];
    for promo in promos {
        let hold = format!(
            "insert into interlock.promo_codes (id, code, discount_type, discount_value)
             values ('{promo}', 'L{}', 'percentage', 10);
             select interlock.take_promo_use('{promo}', '{user}', null, null, 70, 'USD', now() - interval '1 hour')",
            promo.simple()
        );
        let made = bench.db.batch_execute(&hold).await;
        made.expect("a code can be held");
    }
    let holder = bench.stack.connect().await;
    let lock = format!(
        "begin; select 1 from interlock.promo_codes where id = '{}' for update",
        promos[0]
    );
    holder.batch_execute(&lock).await.expect("it can be locked");
    let after_the_sweep = async || -> Vec<String> {
        let sweep =
            "do $$ begin while interlock.expire_promo_holds() > 0 loop commit; end loop; end $$";
        let swept = bench.db.batch_execute(sweep).await;
        swept.expect("a locked code fails nobody");
        let query = "select array_agg(concat(r.status, ' ', p.used_count) order by u.n)
                     from unnest($1::uuid[]) with ordinality as u (id, n)
                     join interlock.promo_redemptions r on r.promo_id = u.id
                     join interlock.promo_codes p on p.id = u.id";
        let row = bench.db.query_one(query, &[&promos.to_vec()]).await;
        row.expect("holds can be read").get(0)
    };
    assert_eq!(after_the_sweep().await, ["held 1", "expired 0"]);
    let given_back = holder.batch_execute("rollback").await;
    given_back.expect("the lock can be given back");
    assert_eq!(after_the_sweep().await, ["expired 0", "expired 0"]);
}
