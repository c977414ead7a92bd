//! Incident report 001, live: its code before (five sales take one), its function after (five take five), and what that
//! function still lets through, beside ours.

use crate::areas::inventory::rows::call;
use crate::harness::stack::Bench;
use futures::future::join_all;
use serde_json::json;
use tokio_postgres::Client;

/// The report's own table and function, in a schema of their own.
const THEIRS: &str = "
drop schema if exists test_report_001 cascade;
create schema test_report_001;
create table test_report_001.inventory (id uuid primary key, quantity numeric);
insert into test_report_001.inventory values
  ('00000000-0000-4000-8000-000000000011', 11), ('00000000-0000-4000-8000-000000000012', 11.52);
create function test_report_001.decrement_inventory(p_inventory_id uuid, p_quantity numeric)
returns json
language plpgsql
security definer
as $$
declare
  v_old_quantity numeric;
  v_new_quantity numeric;
begin
  select quantity into v_old_quantity from test_report_001.inventory where id = p_inventory_id for update;
  if v_old_quantity < p_quantity then
    raise exception 'Insufficient inventory. Available: %, Requested: %', v_old_quantity, p_quantity;
  end if;
  update test_report_001.inventory set quantity = quantity - p_quantity
  where id = p_inventory_id and quantity >= p_quantity
  returning quantity into v_new_quantity;
  return json_build_object(
    'success', true, 'inventory_id', p_inventory_id, 'old_quantity', v_old_quantity, 'new_quantity', v_new_quantity,
    'deducted', p_quantity
  );
end;
$$";

async fn left(db: &Client, id: u32) -> String {
    let query = format!(
        "select quantity::text from test_report_001.inventory where id = '00000000-0000-4000-8000-0000000000{id}'"
    );
    let row = db.query_one(&query, &[]).await;
    row.expect("the row is there").get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_report_001_had_before_and_after_beside_ours() {
    let bench = Bench::take().await;
    bench
        .db
        .batch_execute(THEIRS)
        .await
        .expect("the report's code runs");
    let sessions = join_all((0..5).map(|_| bench.stack.connect())).await;

    // Before: each reads, each writes what it has read less one.
    let read = "select quantity::text from test_report_001.inventory where quantity = 11";
    let seen = join_all(sessions.iter().map(|session| session.query_one(read, &[]))).await;
    let writes = seen.iter().map(|row| {
        let quantity: String = row.as_ref().expect("it can be read").get(0);
        format!(
            "update test_report_001.inventory set quantity = {quantity} - 1
             where id = '00000000-0000-4000-8000-000000000011' and quantity >= 1"
        )
    });
    let writes: Vec<String> = writes.collect();
    let written = sessions.iter().zip(&writes);
    for done in join_all(written.map(|(session, sql)| session.batch_execute(sql))).await {
        done.expect("it can be written");
    }
    assert_eq!(left(&bench.db, 11).await, "10", "five sales have taken one");

    // After: its function. Then what it says of an id that nobody has, and of less than nothing.
    let theirs = "test_report_001.decrement_inventory";
    let sale = format!("{theirs}('00000000-0000-4000-8000-000000000012', 1)");
    for answer in join_all(sessions.iter().map(|session| call(session, &sale))).await {
        answer.expect("it is sold");
    }
    assert_eq!(left(&bench.db, 12).await, "6.52");
    let unknown = "('00000000-0000-4000-8000-000000000013', 1)";
    let answer = call(&bench.db, &format!("{theirs}{unknown}")).await;
    let answer = answer.expect("it succeeds");
    assert_eq!(
        (&answer["success"], &answer["new_quantity"]),
        (&json!(true), &json!(null))
    );
    let negative = "('00000000-0000-4000-8000-000000000012', -100)";
    call(&bench.db, &format!("{theirs}{negative}"))
        .await
        .expect("it adds");
    assert_eq!(left(&bench.db, 12).await, "106.52");
    let drop = "drop schema test_report_001 cascade";
    bench.db.batch_execute(drop).await.expect("it goes again");

    // Ours, on the same numbers.
    let inventory = bench.inventory("11.52").await;
    let sale = format!("public.decrement_inventory('{inventory}', 1)");
    for answer in join_all(sessions.iter().map(|session| call(session, &sale))).await {
        answer.expect("it is sold");
    }
    assert_eq!(bench.quantity(inventory).await, "6.52");
    let ours = "public.decrement_inventory";
    for (arguments, code) in [
        (unknown.to_owned(), "INVENTORY_NOT_FOUND"),
        (format!("('{inventory}', -100)"), "VALIDATION_FAILED"),
    ] {
        let answer = call(&bench.db, &format!("{ours}{arguments}")).await;
        assert_eq!(answer, Err(code.to_owned()));
    }
    assert_eq!(bench.quantity(inventory).await, "6.52");
}
