//! The check queries of the incident reports, as they stand in them, on a database with the seed.

use crate::harness::stack::Bench;

const SEED: &str = include_str!("../../../supabase/seed.sql");

#[tokio::test(flavor = "multi_thread")]
async fn the_queries_of_the_reports_find_what_they_say() {
    let bench = Bench::take().await;
    // In a transaction that is rolled back, and twice: the seed may be run again.
    bench
        .db
        .batch_execute(&format!("begin; {SEED}; {SEED}"))
        .await
        .expect("the seed loads");
    let count = async |query: &str| {
        let row = bench
            .db
            .query_one(&format!("select count(*) from ({query}) as q"), &[])
            .await;
        row.unwrap_or_else(|error| panic!("{query}: {error}"))
            .get::<_, i64>(0)
    };
    for (report, query, rows) in [
        (
            "000: the function exists",
            "SELECT routine_name, routine_type FROM information_schema.routines
             WHERE routine_name = 'decrement_product_quantity' and routine_schema = 'public'",
            1,
        ),
        (
            "000: the constraint exists",
            "select 1 from pg_constraint where conname = 'products_available_quantity_nonnegative' and convalidated",
            1,
        ),
        (
            "002: the column exists",
            "SELECT column_name FROM information_schema.columns
             WHERE table_name = 'product_codes' AND column_name = 'used_at'",
            // In the table, and in the view of it that apps read.
            2,
        ),
        (
            "002: the function exists",
            "SELECT routine_name FROM information_schema.routines
             WHERE routine_name = 'claim_product_codes_atomic' and routine_schema = 'public'",
            1,
        ),
        (
            "002: the sample codes",
            "SELECT * FROM promo_codes WHERE code IN ('WELCOME10', 'SAVE50')",
            2,
        ),
        (
            "000: a product of which five are in stock",
            "select 1 from products where id = '9d0d0000-0000-4000-8000-000000000001' and available_quantity = 5",
            1,
        ),
    ] {
        assert_eq!(count(query).await, rows, "{report}");
    }
    bench
        .db
        .batch_execute("rollback")
        .await
        .expect("the transaction ends");
}
