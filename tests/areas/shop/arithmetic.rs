//! The arithmetic of taxes: a model in Rust, its properties, and the SQL held to it on thousands of random orders.
//! docs/prices.md says it in words.

use crate::harness::stack::Bench;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio_postgres::types::ToSql;

/// A rate, in ten-thousandths of a percent.
#[derive(Clone, Copy, Debug)]
struct Rate {
    parts: i64,
    inclusive: bool,
}

/// What a percent has of those.
const PERCENT: i128 = 10_000;

/// The tax on an amount, half a minor unit rounded up.
fn tax(amount: i64, rate: Rate) -> i64 {
    let parts = i128::from(rate.parts);
    let whole = if rate.inclusive {
        100 * PERCENT + parts
    } else {
        100 * PERCENT
    };
    let doubled = 2 * i128::from(amount) * parts + whole;
    i64::try_from(doubled / (2 * whole)).expect("an amount")
}

/// What an order costs: goods less their discounts and shipping, and the taxes that are not in them.
fn total(lines: &[(i64, Option<Rate>)]) -> (i64, i64, i64) {
    let taxes = |included: Option<bool>| -> i64 {
        lines
            .iter()
            .filter_map(|(amount, rate)| Some((*amount, (*rate)?)))
            .filter(|(_, rate)| included.is_none_or(|included| rate.inclusive == included))
            .map(|(amount, rate)| tax(amount, rate))
            .sum()
    };
    let goods: i64 = lines.iter().map(|(amount, _)| amount).sum();
    (goods + taxes(Some(false)), taxes(None), taxes(Some(true)))
}

fn rates() -> impl Strategy<Value = Rate> {
    let parts = prop_oneof![
        Just(0),
        Just(70_000),
        Just(190_000),
        Just(88_750),
        0..=1_000_000_i64
    ];
    (parts, any::<bool>()).prop_map(|(parts, inclusive)| Rate { parts, inclusive })
}

fn amounts() -> impl Strategy<Value = i64> {
    prop_oneof![0..200_i64, 0..5_000_000_i64, 0..1_000_000_000_000_i64]
}

fn orders() -> impl Strategy<Value = Vec<(i64, Option<Rate>)>> {
    prop::collection::vec((amounts(), prop::option::of(rates())), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn a_tax_is_within_half_a_unit_of_the_exact_one(amount in amounts(), rate in rates()) {
        let tax = i128::from(tax(amount, rate));
        prop_assert!((0..=i128::from(amount)).contains(&tax));
        let whole = if rate.inclusive { 100 * PERCENT + i128::from(rate.parts) } else { 100 * PERCENT };
        let off = 2 * (tax * whole - i128::from(amount) * i128::from(rate.parts));
        prop_assert!(-whole < off && off <= whole, "{} of {}", off, whole);
    }

    #[test]
    fn the_parts_of_an_order_sum_to_the_whole(order in orders()) {
        let (whole, taxes, included) = total(&order);
        let parts: i64 = order.iter().map(|line| total(&[*line]).0).sum();
        prop_assert_eq!(whole, parts);
        prop_assert!(included <= taxes);
    }
}

#[test]
fn the_examples_of_the_document_are_so() {
    let rate = |parts, inclusive| Rate { parts, inclusive };
    assert_eq!(tax(1299, rate(190_000, true)), 207);
    assert_eq!(tax(1299, rate(190_000, false)), 247);
    assert_eq!(tax(50, rate(10_000, false)), 1);
    assert_eq!(tax(49, rate(10_000, false)), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_computes_what_the_model_computes() {
    const CASES: usize = 2_000;
    let seed = [43_u8; 32];
    println!("seed: {seed:?}");
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &seed),
    );
    let bench = Bench::take().await;
    let query = "select sum(t.amount + case when t.inclusive then 0 else coalesce(t.tax, 0) end)::bigint,
            coalesce(sum(t.tax), 0)::bigint, coalesce(sum(t.tax) filter (where t.inclusive), 0)::bigint
        from (
            select l.amount, l.inclusive, interlock.tax_of(l.amount, l.parts::numeric / 10000, l.inclusive) as tax
            from unnest($1::bigint[], $2::bigint[], $3::boolean[]) as l (amount, parts, inclusive)
        ) t";
    let statement = bench
        .db
        .prepare(query)
        .await
        .expect("the function is there");
    for _ in 0..CASES {
        let order = orders().new_tree(&mut runner).expect("a case").current();
        let amounts: Vec<i64> = order.iter().map(|(amount, _)| *amount).collect();
        let parts: Vec<Option<i64>> = order
            .iter()
            .map(|(_, rate)| rate.map(|rate| rate.parts))
            .collect();
        let inclusive: Vec<Option<bool>> = order
            .iter()
            .map(|(_, rate)| rate.map(|rate| rate.inclusive))
            .collect();
        let arguments: [&(dyn ToSql + Sync); 3] = [&amounts, &parts, &inclusive];
        let row = bench
            .db
            .query_one(&statement, &arguments)
            .await
            .expect("taxes");
        let found: (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        assert_eq!(found, total(&order), "{order:?}");
    }
}
