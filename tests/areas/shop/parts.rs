//! The arithmetic of parts of an order: a model in Rust, its properties, and the SQL held to it on thousands of random lines,
//! and on whole orders that are refunded part by part. docs/prices.md says it in words.

use crate::harness::stack::Bench;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// A line as it was sold.
#[derive(Clone, Copy, Debug)]
struct Line {
    quantity: i64,
    unit_price: i64,
    discount: i64,
    /// In ten-thousandths of a percent; nothing where none is charged.
    rate: Option<(i64, bool)>,
}

/// What units come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    subtotal: i64,
    discount: i64,
    tax: i64,
    included: i64,
    amount: i64,
}

/// Half a minor unit is rounded up.
fn share(amount: i64, part: i64, whole: i64) -> i64 {
    if whole == 0 {
        return 0;
    }
    let doubled = 2 * i128::from(amount) * i128::from(part) + i128::from(whole);
    i64::try_from(doubled / (2 * i128::from(whole))).expect("an amount")
}

impl Line {
    /// The tax of the line as a whole.
    fn tax(&self) -> i64 {
        let left = self.quantity * self.unit_price - self.discount;
        self.rate.map_or(0, |(parts, inclusive)| {
            let whole = if inclusive {
                1_000_000 + parts
            } else {
                1_000_000
            };
            share(left, parts, whole)
        })
    }

    /// What its first so many units come to.
    fn through(&self, units: i64) -> Sums {
        let subtotal = units * self.unit_price;
        let discount = share(self.discount, units, self.quantity);
        let whole = self.quantity * self.unit_price - self.discount;
        let tax = share(self.tax(), subtotal - discount, whole);
        let included = match self.rate {
            Some((_, true)) => tax,
            _ => 0,
        };
        Sums {
            subtotal,
            discount,
            tax,
            included,
            amount: subtotal - discount + tax - included,
        }
    }

    /// What the units after `from` come to.
    fn part(&self, from: i64, units: i64) -> Sums {
        let (before, after) = (self.through(from), self.through(from + units));
        Sums {
            subtotal: after.subtotal - before.subtotal,
            discount: after.discount - before.discount,
            tax: after.tax - before.tax,
            included: after.included - before.included,
            amount: after.amount - before.amount,
        }
    }

    /// All of it, in parts of these sizes and a last one.
    fn parts(&self, sizes: &[i64]) -> Vec<Sums> {
        let mut from = 0;
        let mut parts = Vec::new();
        for size in sizes.iter().copied().chain([self.quantity]) {
            let units = size.min(self.quantity - from);
            if units > 0 {
                parts.push(self.part(from, units));
                from += units;
            }
        }
        parts
    }
}

fn prices() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(0),
        1..20_i64,
        1..500_000_i64,
        1_000_000..100_000_000_000_i64
    ]
}

fn rates() -> impl Strategy<Value = Option<(i64, bool)>> {
    let parts = prop_oneof![
        Just(0),
        Just(70_000),
        Just(190_000),
        Just(1_000_000),
        0..=1_000_000_i64
    ];
    prop::option::of((parts, any::<bool>()))
}

fn lines() -> impl Strategy<Value = Line> {
    let quantity = prop_oneof![1..4_i64, 1..200_i64];
    (quantity, prices(), 0..=100_i64, 0..3_i64, rates()).prop_map(
        |(quantity, unit_price, percent, cents, rate)| {
            let price = quantity * unit_price;
            Line {
                quantity,
                unit_price,
                discount: (price / 100 * percent + cents).min(price),
                rate,
            }
        },
    )
}

fn sizes() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(prop_oneof![1..3_i64, 1..50_i64], 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn the_parts_of_a_line_sum_to_it_and_none_is_less_than_nothing(line in lines(), sizes in sizes()) {
        let parts = line.parts(&sizes);
        let sum = |field: fn(&Sums) -> i64| parts.iter().map(field).sum::<i64>();
        let whole = line.through(line.quantity);
        prop_assert_eq!(sum(|part| part.subtotal), line.quantity * line.unit_price);
        prop_assert_eq!(sum(|part| part.discount), line.discount);
        prop_assert_eq!(sum(|part| part.tax), line.tax());
        prop_assert_eq!(sum(|part| part.included), whole.included);
        prop_assert_eq!(sum(|part| part.amount), whole.amount);
        for part in parts {
            prop_assert!(part.discount >= 0 && part.tax >= 0 && part.included >= 0 && part.amount >= 0, "{:?}", part);
            prop_assert!(part.discount <= part.subtotal && part.included <= part.amount, "{:?}", part);
        }
    }

    #[test]
    fn a_part_is_within_a_cent_of_its_exact_share(line in lines(), from in 0..200_i64, units in 0..50_i64) {
        let from = from % line.quantity;
        let units = 1 + units % (line.quantity - from);
        let part = i128::from(line.part(from, units).discount) * i128::from(line.quantity);
        let exact = i128::from(line.discount) * i128::from(units);
        prop_assert!((part - exact).abs() <= i128::from(line.quantity), "{} of {}", part, exact);
    }
}

#[test]
fn the_example_of_the_document_is_so() {
    let oil = Line {
        quantity: 3,
        unit_price: 1299,
        discount: 390,
        rate: Some((190_000, true)),
    };
    let taxes: Vec<i64> = oil.parts(&[1, 1]).iter().map(|part| part.tax).collect();
    assert_eq!((oil.tax(), taxes), (560, vec![187, 186, 187]));
}

fn runner() -> TestRunner {
    let seed = [44_u8; 32];
    println!("seed: {seed:?}");
    TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &seed),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_computes_what_the_model_computes() {
    const CASES: usize = 2_000;
    let mut runner = runner();
    let bench = Bench::take().await;
    let statement = bench
        .db
        .prepare(
            "select c.* from unnest($1::int[]) with ordinality as u (units, n)
            cross join lateral interlock.line_through(u.units, $2, $3, $4, $5, $6) c order by u.n",
        )
        .await
        .expect("the function is there");
    for _ in 0..CASES {
        let line = lines().new_tree(&mut runner).expect("a case").current();
        let quantity = i32::try_from(line.quantity).expect("few units");
        let units: Vec<i32> = [0, 1, quantity / 3, quantity / 2, quantity - 1, quantity].into();
        let (tax, inclusive) = (line.tax(), line.rate.map(|(_, inclusive)| inclusive));
        let arguments: [&(dyn ToSql + Sync); 6] = [
            &units,
            &quantity,
            &line.unit_price,
            &line.discount,
            &tax,
            &inclusive,
        ];
        let rows = bench
            .db
            .query(&statement, &arguments)
            .await
            .expect("amounts");
        let found: Vec<Sums> = rows
            .iter()
            .map(|row| Sums {
                subtotal: row.get(0),
                discount: row.get(1),
                tax: row.get(2),
                included: row.get(3),
                amount: row.get(4),
            })
            .collect();
        let expected: Vec<Sums> = units
            .iter()
            .map(|units| line.through((*units).into()))
            .collect();
        assert_eq!(found, expected, "{line:?}");
    }
}

/// One part: how many units of each line, in turns of the lines.
fn plan() -> impl Strategy<Value = Vec<(usize, i64)>> {
    prop::collection::vec((0..4_usize, 1..4_i64), 0..12)
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_are_refunded_in_parts_give_back_all_that_they_cost() {
    const CASES: usize = 60;
    let mut runner = runner();
    let bench = Bench::take().await;
    let mut db = bench.stack.connect().await;
    for _ in 0..CASES {
        let small = lines().prop_filter("few units", |line| line.quantity <= 6);
        let order = prop::collection::vec(small, 1..4)
            .new_tree(&mut runner)
            .expect("a case")
            .current();
        let plan = plan().new_tree(&mut runner).expect("a case").current();
        let shipping = 490;
        let transaction = db.transaction().await.expect("a transaction");
        let (order_id, total) = sold(&transaction, &order, shipping).await;
        let mut left: Vec<i64> = order.iter().map(|line| line.quantity).collect();
        let mut given_back = 0;
        let all = (0..order.len()).map(|line| (line, 1_000));
        for (line, units) in plan
            .into_iter()
            .map(|(line, units)| (line % order.len(), units))
            .chain(all)
        {
            let units = units.min(left[line]);
            if units == 0 {
                continue;
            }
            let before = order[line].quantity - left[line];
            left[line] -= units;
            let last = left.iter().all(|units| *units == 0);
            let expected = order[line].part(before, units).amount + if last { shipping } else { 0 };
            let lines = json!([{ "product_id": product(line), "quantity": units }]);
            let answer: Value = transaction
                .query_one(
                    "select public.refund_order_lines($1, $2)::jsonb",
                    &[&order_id, &lines],
                )
                .await
                .expect("a part")
                .get(0);
            given_back += expected;
            assert_eq!(answer["order"]["refunded"], json!(given_back), "{order:?}");
            let status = if last { "refunded" } else { "fulfilled" };
            assert_eq!(answer["order"]["status"], json!(status), "{order:?}");
        }
        assert_eq!(given_back, total, "{order:?}");
        transaction.rollback().await.expect("nothing is left");
    }
}

fn product(line: usize) -> Uuid {
    Uuid::from_u128(0x7d37_0000_0000_4000_8000_0000_0000_0100 + line as u128)
}

/// An order of these lines that was paid in cash, and what it cost.
async fn sold(db: &tokio_postgres::Transaction<'_>, lines: &[Line], shipping: i64) -> (Uuid, i64) {
    let order_id = Uuid::new_v4();
    let sum = |field: fn(&Line) -> i64| lines.iter().map(field).sum::<i64>();
    let subtotal = sum(|line| line.quantity * line.unit_price);
    let (discount, tax) = (sum(|line| line.discount), sum(Line::tax));
    let included = sum(|line| line.through(line.quantity).included);
    let total = subtotal - discount + shipping + tax - included;
    let amounts: [&(dyn ToSql + Sync); 7] = [
        &order_id, &subtotal, &discount, &total, &shipping, &tax, &included,
    ];
    db.execute(
        "insert into interlock.orders (id, status, fulfillment, currency, subtotal, discount, total, shipping, tax, tax_included,
            payment_method, paid_at, fulfilled_at)
        values ($1, 'fulfilled', 'delivered', 'EUR', $2::bigint, $3::bigint, $4::bigint, $5::bigint, $6::bigint, $7::bigint,
            'cash_on_delivery', now(), now())",
        &amounts,
    )
    .await
    .expect("an order");
    for (number, line) in lines.iter().enumerate() {
        let quantity = i32::try_from(line.quantity).expect("few units");
        let (tax, inclusive) = (line.tax(), line.rate.map(|(_, inclusive)| inclusive));
        let product_id = product(number);
        let values: [&(dyn ToSql + Sync); 7] = [
            &order_id,
            &product_id,
            &quantity,
            &line.unit_price,
            &line.discount,
            &tax,
            &inclusive,
        ];
        db.execute(
            "insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind, discount, tax, tax_inclusive)
            values ($1, $2, $3::int, $4::bigint, 'part', 'physical', $5::bigint, $6::bigint, $7)",
            &values,
        )
        .await
        .expect("a line");
    }
    (order_id, total)
}
