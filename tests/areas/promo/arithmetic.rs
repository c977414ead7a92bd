//! The arithmetic of promo codes: a model in Rust, its properties, and the SQL held to it on thousands
//! of random carts and rules.

use crate::harness::stack::Bench;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio_postgres::types::ToSql;

/// What a code takes off. A percentage is in hundredths of a percent, money in minor units.
#[derive(Clone, Copy, Debug)]
enum Rule {
    Percentage { hundredths: i64, cap: Option<i64> },
    Fixed { amount: i64 },
}

/// The discount on an amount: percentages round half up; never more than the amount.
fn discount(rule: Rule, amount: i64) -> i64 {
    let off = match rule {
        Rule::Percentage { hundredths, cap } => {
            let exact = i128::from(amount) * i128::from(hundredths);
            let rounded = (exact + 5_000) / 10_000;
            i64::try_from(rounded)
                .unwrap_or(i64::MAX)
                .min(cap.unwrap_or(i64::MAX))
        }
        Rule::Fixed { amount } => amount,
    };
    off.min(amount)
}

/// A discount shared between lines by largest remainder, the first line first among equals.
fn split(discount: i64, amounts: &[i64]) -> Vec<i64> {
    let total = i128::from(amounts.iter().sum::<i64>().max(1));
    let parts: Vec<(i128, i128)> = amounts
        .iter()
        .map(|amount| {
            let exact = i128::from(discount) * i128::from(*amount);
            (exact / total, exact % total)
        })
        .collect();
    let mut shares: Vec<i128> = parts.iter().map(|(whole, _)| *whole).collect();
    let mut left = i128::from(discount) - shares.iter().sum::<i128>();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(parts[*index].1));
    for index in order {
        if left == 0 {
            break;
        }
        shares[index] += 1;
        left -= 1;
    }
    shares
        .into_iter()
        .map(|share| i64::try_from(share).unwrap_or(i64::MAX))
        .collect()
}

fn rules() -> impl Strategy<Value = Rule> {
    prop_oneof![
        (1..=10_000_i64, prop::option::of(1..100_000_i64))
            .prop_map(|(hundredths, cap)| Rule::Percentage { hundredths, cap }),
        (1..1_000_000_i64).prop_map(|amount| Rule::Fixed { amount }),
    ]
}

fn carts() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(prop_oneof![0..20_i64, 0..5_000_000_i64], 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn a_discount_is_never_negative_and_never_more_than_the_cart(rule in rules(), cart in carts()) {
        let subtotal: i64 = cart.iter().sum();
        let off = discount(rule, subtotal);
        prop_assert!((0..=subtotal).contains(&off));
        let shares = split(off, &cart);
        prop_assert_eq!(shares.iter().sum::<i64>(), off);
        for (share, amount) in shares.iter().zip(&cart) {
            prop_assert!((0..=*amount).contains(share), "{} of {}", share, amount);
        }
    }
}

#[test]
fn half_a_minor_unit_rounds_up() {
    let ten_percent = Rule::Percentage {
        hundredths: 1_000,
        cap: None,
    };
    assert_eq!(
        [4, 5, 14, 15, 25].map(|amount| discount(ten_percent, amount)),
        [0, 1, 1, 2, 3]
    );
    assert_eq!(split(1, &[1, 1, 1]), [1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_computes_what_the_model_computes() {
    const CASES: usize = 5_000;
    let seed = [42_u8; 32];
    println!("seed: {seed:?}");
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &seed),
    );
    let bench = Bench::take().await;
    let query = "select interlock.promo_discount($1, $2::text::numeric, $3, $4),
                        interlock.split_discount(interlock.promo_discount($1, $2::text::numeric, $3, $4), $5)";
    let statement = bench
        .db
        .prepare(query)
        .await
        .expect("the functions are there");
    for _ in 0..CASES {
        let (rule, cart) = (rules(), carts())
            .new_tree(&mut runner)
            .expect("a case")
            .current();
        let subtotal: i64 = cart.iter().sum();
        let (kind, value, cap) = match rule {
            Rule::Percentage { hundredths, cap } => (
                "percentage",
                format!("{}.{:02}", hundredths / 100, hundredths % 100),
                cap,
            ),
            Rule::Fixed { amount } => ("fixed", amount.to_string(), None),
        };
        let arguments: [&(dyn ToSql + Sync); 5] = [&kind, &value, &cap, &subtotal, &cart];
        let row = bench
            .db
            .query_one(&statement, &arguments)
            .await
            .expect("a discount");
        let (off, shares): (i64, Vec<i64>) = (row.get(0), row.get(1));
        assert_eq!(off, discount(rule, subtotal), "{rule:?} on {cart:?}");
        assert_eq!(shares, split(off, &cart), "{off} on {cart:?}");
    }
}
