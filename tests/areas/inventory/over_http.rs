//! The HTTP contract of `inventory`: what is refused changes nothing, a guard guards, a difference is applied to what
//! others have left, and numbers come and go exactly.

use crate::harness::openapi::assert_documented;
use crate::harness::stack::{Bench, user_claims};
use crate::openapi::{Scene, Sent};
use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

const FUNCTION: &str = "inventory";

/// A member of staff who calls the function.
struct Staff<'a> {
    bench: &'a Bench,
    token: String,
}

/// What came back.
#[derive(Debug)]
struct Told {
    status: u16,
    etag: Option<String>,
    replayed: bool,
    body: Value,
}

impl Told {
    fn code(&self) -> &str {
        self.body["error"].as_str().unwrap_or("OK")
    }

    fn pointers(&self) -> Vec<&str> {
        let problems = self.body["details"]["problems"].as_array();
        let problems = problems.unwrap_or_else(|| panic!("no problems: {self:?}"));
        problems
            .iter()
            .map(|problem| problem["pointer"].as_str().unwrap_or("?"))
            .collect()
    }
}

async fn staff_token(bench: &Bench) -> String {
    let mut claims = user_claims(bench.users(1).await[0]);
    claims["app_metadata"] = json!({ "role": "staff" });
    bench.stack.token(&claims)
}

impl<'a> Staff<'a> {
    async fn new(bench: &'a Bench) -> Self {
        let token = staff_token(bench).await;
        Staff { bench, token }
    }

    async fn send(&self, body: String, headers: &[(&str, &str)]) -> Told {
        let stack = self.bench.stack;
        let mut request = stack
            .http
            .post(format!("{}/functions/v1/{FUNCTION}", stack.api_url))
            .header("apikey", &stack.anon_key)
            .header("content-type", "application/json")
            .bearer_auth(&self.token)
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("the stack answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body: Value = response.json().await.expect("every answer is JSON");
        assert_documented(FUNCTION, status, &headers, &body);
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Told {
            status,
            etag: header("etag").map(str::to_owned),
            replayed: header("idempotent-replayed") == Some("true"),
            body,
        }
    }

    async fn ask(&self, body: Value) -> Told {
        self.send(body.to_string(), &[]).await
    }

    /// What there is, with its version.
    async fn level(&self, inventory: Uuid) -> (Value, i64, String) {
        let told = self
            .ask(json!({ "action": "get", "lines": [{ "inventory_id": inventory }] }))
            .await;
        assert_eq!(told.status, 200, "{told:?}");
        let line = &told.body["lines"][0];
        let version = line["version"].as_i64().expect("a version");
        let etag = told.etag.expect("a single row has an ETag");
        assert_eq!(etag, format!("\"{version}\""));
        (line["quantity"].clone(), version, etag)
    }
}

/// `inventory`.
pub(crate) async fn documented(bench: &Bench) -> (String, Value) {
    let mut scene = Scene::new(bench, FUNCTION);
    let buyer = bench.users(1).await[0];
    let inventory = bench.inventory("11.52").await;
    scene.refuses_what_all_refuse(buyer).await;
    let token = staff_token(bench).await;
    let line = |action: &str, members: Value| {
        let mut line = json!({ "inventory_id": inventory });
        for (name, value) in members.as_object().into_iter().flatten() {
            line[name] = value.clone();
        }
        json!({ "action": action, "lines": [line] })
    };
    let now: String = bench
        .db
        .query_one("select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')", &[])
        .await
        .expect("the database has a clock")
        .get(0);
    let unknown = Uuid::new_v4();
    let elsewhere = json!({ "product_id": unknown });
    let nowhere = json!({ "product_id": unknown, "location_id": unknown, "delta": 1 });
    let online = bench.products(1, 10).await[0];
    let over = json!({ "action": "adjust", "lines": [{ "product_id": online, "delta": 99_999_999_999_u64 }] });
    for (outcome, key, body) in [
        ("what there is", None, line("get", json!({}))),
        ("five sold", None, line("adjust", json!({ "delta": -5 }))),
        (
            "goods that came in",
            None,
            line("receive", json!({ "quantity": 2.5 })),
        ),
        (
            "set to what was counted",
            Some("a key"),
            line("set", json!({ "quantity": 9, "expected_quantity": 9.02 })),
        ),
        (
            "IDEMPOTENCY_KEY_REUSED",
            Some("a key"),
            line("set", json!({ "quantity": 8, "expected_quantity": 9 })),
        ),
        (
            "VERSION_CONFLICT",
            None,
            line("set", json!({ "quantity": 8, "expected_version": 1 })),
        ),
        ("counted while the shop was open", None, {
            let mut count = line("count", json!({ "counted": 9 }));
            count["began_at"] = json!(now);
            count
        }),
        (
            "a product and a location",
            None,
            json!({ "action": "get", "lines": [{ "product_id": online }] }),
        ),
        (
            "INSUFFICIENT_INVENTORY",
            None,
            line("adjust", json!({ "delta": -100 })),
        ),
        ("STOCK_LIMIT_EXCEEDED", None, over),
        (
            "INVENTORY_NOT_FOUND",
            None,
            json!({ "action": "get", "lines": [{ "inventory_id": unknown }] }),
        ),
        (
            "PRODUCT_NOT_FOUND",
            None,
            json!({ "action": "get", "lines": [elsewhere] }),
        ),
        (
            "LOCATION_NOT_FOUND",
            None,
            json!({ "action": "adjust", "lines": [nowhere] }),
        ),
    ] {
        let sent = Sent {
            token: token.clone(),
            key,
            ..scene.request(buyer, &body)
        };
        scene.expect_of(outcome, sent).await;
    }

    let (from, to) = (bench.inventory("20").await, bench.inventory("1").await);
    let (product, from, to) = way(bench, from, to).await;
    let moved = json!({ "product_id": product, "from_location_id": from, "to_location_id": to, "quantity": 10 });
    let of = |body: Value| Sent {
        token: token.clone(),
        ..scene_request(bench, &body)
    };
    let at_once = json!({ "action": "transfer", "lines": [moved] });
    scene.expect_of("moved at once", of(at_once)).await;
    let sent = json!({ "action": "transfer", "lines": [moved], "in_transit": true });
    let sent = scene.expect_of("sent on its way", of(sent)).await;
    let part = |action: &str, transfer: &Value, quantity: u32| {
        json!({
            "action": action, "transfer_id": transfer, "lines": [{ "product_id": product, "quantity": quantity }],
        })
    };
    let transfer = &sent["transfer_id"];
    for (outcome, body) in [
        ("a part has come", part("receive", transfer, 4)),
        ("TRANSFER_EXCEEDED", part("receive", transfer, 7)),
        ("one is lost", part("lose", transfer, 1)),
        (
            "called back",
            json!({ "action": "cancel", "transfer_id": transfer }),
        ),
        ("TRANSFER_ENDED", part("receive", transfer, 1)),
        (
            "STOCK_TRANSFER_NOT_FOUND",
            part("receive", &json!(unknown), 1),
        ),
    ] {
        scene.expect_of(outcome, of(body)).await;
    }
    scene.end()
}

fn scene_request(bench: &Bench, body: &Value) -> Sent {
    Scene::new(bench, FUNCTION).request(Uuid::nil(), body)
}

/// The product of one stock, its location, and that of another.
async fn way(bench: &Bench, from: Uuid, to: Uuid) -> (Uuid, Uuid, Uuid) {
    let sql = "select f.product_id, f.location_id, t.location_id
        from interlock.inventory f, interlock.inventory t where f.id = $1 and t.id = $2";
    let row = bench.db.query_one(sql, &[&from, &to]).await;
    let row = row.expect("both are there");
    (row.get(0), row.get(1), row.get(2))
}

#[tokio::test(flavor = "multi_thread")]
async fn three_receipts_of_ten_that_were_sent_put_ten_on_the_shelf() {
    let bench = Bench::take().await;
    let staff = Staff::new(&bench).await;
    let (source, other) = (bench.inventory("20.5").await, bench.inventory("1").await);
    let (product, from, to) = way(&bench, source, other).await;
    let line = json!({ "product_id": product, "from_location_id": from, "to_location_id": to, "quantity": 10 });
    let own = json!({ "product_id": product, "from_location_id": from, "to_location_id": from, "quantity": 10 });
    let told = staff
        .ask(json!({ "action": "transfer", "lines": [own] }))
        .await;
    assert_eq!(
        (told.status, told.pointers()),
        (400, vec!["/lines/0/to_location_id"])
    );
    let sent = json!({ "action": "transfer", "lines": [line], "in_transit": true });
    let sent = staff.ask(sent).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let receive = json!({
        "action": "receive", "transfer_id": sent.body["transfer_id"], "lines": [{ "product_id": product, "quantity": 10 }],
    });
    let told = join_all((0..3).map(|_| staff.ask(receive.clone()))).await;
    let mut codes: Vec<&str> = told.iter().map(Told::code).collect();
    codes.sort_unstable();
    assert_eq!(codes[0], "OK", "{told:?}");
    assert!(
        codes[1..].iter().all(|code| code.starts_with("TRANSFER_")),
        "{codes:?}"
    );
    let there = json!({ "action": "get", "lines": [{ "product_id": product, "location_id": to }, { "inventory_id": source }] });
    let there = staff.ask(there).await;
    let quantities = [0, 1].map(|line| &there.body["lines"][line]["quantity"]);
    assert_eq!(quantities, [&json!(10), &json!(10.5)], "{there:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_by_the_name_of_the_field_and_change_nothing() {
    let bench = Bench::take().await;
    let staff = Staff::new(&bench).await;
    let inventory = bench.inventory("11.52").await;
    let online = bench.products(1, 10).await[0];
    let adjust = |number: &str| {
        format!(
            r#"{{"action":"adjust","lines":[{{"inventory_id":"{inventory}","delta":{number}}}]}}"#
        )
    };
    // By the function itself.
    for number in [
        "1e400",
        "-1e400",
        "-0",
        "0",
        "0.0004",
        "1.0001",
        "1e11",
        "1e300",
        r#""1""#,
        r#""NaN""#,
        r#""Infinity""#,
        "null",
        "true",
        "[]",
        "{}",
    ] {
        let told = staff.send(adjust(number), &[]).await;
        assert_eq!(told.status, 400, "{number}: {told:?}");
        assert_eq!(told.pointers(), ["/lines/0/delta"], "{number}");
    }
    for not_json in [
        "NaN",
        "Infinity",
        "-Infinity",
        "+1",
        "01",
        ".5",
        "1.",
        "0x1",
    ] {
        let told = staff.send(adjust(not_json), &[]).await;
        assert_eq!(
            (told.status, told.pointers()),
            (400, vec![""]),
            "{not_json}"
        );
    }
    // By the database, which knows what the ids name.
    let future = "2999-01-01T00:00:00Z";
    for (body, pointers) in [
        (
            json!({ "action": "adjust", "lines": [{ "product_id": online, "delta": 0.5 }] }),
            vec!["/lines/0/delta"],
        ),
        (
            json!({ "action": "set", "lines": [
                { "inventory_id": inventory, "quantity": 1, "expected_quantity": 11.52 },
                { "inventory_id": inventory, "quantity": 2, "expected_quantity": 11.52 },
            ] }),
            vec!["/lines/1/inventory_id"],
        ),
        (
            json!({ "action": "count", "began_at": future, "lines": [{ "inventory_id": inventory, "counted": 1 }] }),
            vec!["/began_at"],
        ),
        (
            json!({ "action": "count", "lines": [{ "inventory_id": inventory, "counted": 1, "began_at": future }] }),
            vec!["/lines/0/began_at"],
        ),
        (
            json!({ "action": "get", "lines": vec![json!({ "inventory_id": inventory }); 101] }),
            vec!["/lines"],
        ),
    ] {
        let told = staff.ask(body.clone()).await;
        assert_eq!(told.status, 400, "{body}: {told:?}");
        assert_eq!(told.pointers(), pointers, "{body}");
    }
    // All or nothing: the second line is short.
    let told = staff
        .ask(json!({ "action": "adjust", "lines": [
            { "inventory_id": inventory, "delta": 5 },
            { "product_id": online, "delta": -11 },
        ] }))
        .await;
    assert_eq!((told.status, told.code()), (409, "INSUFFICIENT_INVENTORY"));
    let shortage = &told.body["details"]["shortages"][0];
    assert_eq!(shortage["requested"], 11);
    assert_eq!(shortage["available"], 10);
    assert_eq!(staff.level(inventory).await.0, json!(11.52));
    assert_eq!(staff.level(online).await.0, json!(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_and_the_service_role_may_call_and_nobody_else() {
    let bench = Bench::take().await;
    let inventory = bench.inventory("1").await;
    let get = json!({ "action": "get", "lines": [{ "inventory_id": inventory }] });
    let buyer = bench.stack.user_token(bench.users(1).await[0]);
    for (token, status, code) in [
        (bench.stack.service_role_key.clone(), 200, "OK"),
        (bench.stack.anon_key.clone(), 401, "UNAUTHENTICATED"),
        (buyer, 403, "FORBIDDEN"),
    ] {
        let caller = Staff {
            bench: &bench,
            token,
        };
        let told = caller.ask(get.clone()).await;
        assert_eq!((told.status, told.code()), (status, code), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_come_and_go_as_they_are_written() {
    let bench = Bench::take().await;
    let staff = Staff::new(&bench).await;
    let inventory = bench.inventory("11.52").await;
    for (delta, quantity) in [
        ("-5", "6.52"),
        ("-6.519", "0.001"),
        ("99999999999.998", "99999999999.999"),
        ("-99999999999.899", "0.1"),
        ("0.2", "0.3"),
        ("1e-3", "0.301"),
    ] {
        let body = format!(
            r#"{{"action":"adjust","lines":[{{"inventory_id":"{inventory}","delta":{delta}}}]}}"#
        );
        let told = staff.send(body, &[]).await;
        assert_eq!(told.status, 200, "{delta}: {told:?}");
        let now = &told.body["lines"][0]["new_quantity"];
        assert_eq!(now.to_string(), quantity, "after {delta}");
        assert_eq!(
            bench.quantity(inventory).await.parse(),
            quantity.parse::<f64>()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_is_kept_to_and_every_conflict_is_told() {
    let bench = Bench::take().await;
    let staff = Staff::new(&bench).await;
    let (first, second) = (bench.inventory("5").await, bench.inventory("7.5").await);
    let online = bench.products(1, 10).await[0];
    for inventory in [first, online] {
        let (quantity, version, etag) = staff.level(inventory).await;
        let set =
            json!({ "action": "set", "lines": [{ "inventory_id": inventory, "quantity": 4 }] });
        let told = staff.send(set.to_string(), &[("if-match", &etag)]).await;
        assert_eq!(told.status, 200, "{told:?}");
        let now = staff.level(inventory).await;
        assert_eq!(told.etag.as_deref(), Some(now.2.as_str()));
        assert!(now.0 == 4 && now.1 > version);
        // What was read is over.
        let adjust =
            json!({ "action": "adjust", "lines": [{ "inventory_id": inventory, "delta": 1 }] });
        for body in [&set, &adjust] {
            let told = staff.send(body.to_string(), &[("if-match", &etag)]).await;
            assert_eq!((told.status, told.code()), (409, "VERSION_CONFLICT"));
            let conflict = &told.body["details"]["conflicts"][0];
            assert_eq!(conflict["expected_version"], version);
            assert_eq!(
                (&conflict["version"], &conflict["quantity"]),
                (&json!(now.1), &json!(4))
            );
        }
        let unguarded = staff.ask(adjust).await;
        assert_eq!(
            unguarded.body["lines"][0]["new_quantity"], 5,
            "was {quantity}"
        );
    }
    let both = json!({ "action": "set", "lines": [{ "inventory_id": first, "quantity": 4, "expected_version": 1 }] });
    let told = staff.send(both.to_string(), &[("if-match", "\"1\"")]).await;
    assert_eq!(
        (told.status, told.pointers()),
        (400, vec!["/lines/0/expected_version"])
    );
    for guard in ["*", "5", "W/\"5\"", ""] {
        let adjust =
            json!({ "action": "adjust", "lines": [{ "inventory_id": first, "delta": 1 }] });
        let told = staff.send(adjust.to_string(), &[("if-match", guard)]).await;
        assert_eq!(
            (told.status, told.pointers()),
            (400, vec!["/headers/if-match"]),
            "{guard:?}"
        );
    }

    // All of them at once, and what is not in conflict is not done either.
    let before = staff.level(second).await;
    let told = staff
        .ask(json!({ "action": "set", "lines": [
            { "inventory_id": first, "quantity": 1, "expected_version": 1 },
            { "inventory_id": second, "quantity": 1, "expected_quantity": 7.5 },
            { "inventory_id": online, "quantity": 1, "expected_quantity": 99 },
        ] }))
        .await;
    assert_eq!(told.code(), "VERSION_CONFLICT", "{told:?}");
    let conflicts = told.body["details"]["conflicts"].as_array();
    let lines: Vec<_> = conflicts
        .into_iter()
        .flatten()
        .map(|c| &c["line"])
        .collect();
    assert_eq!(lines, [&json!(0), &json!(2)]);
    assert_eq!(staff.level(second).await, before);
}

async fn conflicts(bench: &Bench, inventory: Uuid) -> (i64, i64) {
    let sql = "select count(*) filter (where not rebased), count(*) filter (where rebased)
        from interlock.inventory_conflicts
        where operation = 'set' and product_id = (select product_id from interlock.inventory_items where id = $1)";
    let row = bench.db.query_one(sql, &[&inventory]).await;
    let row = row.expect("conflicts can be read");
    (row.get(0), row.get(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_is_applied_to_what_others_have_left_and_each_conflict_is_counted() {
    let bench = Bench::take().await;
    let staff = Staff::new(&bench).await;
    let inventory = bench.inventory("11.52").await;
    let (_, version, _) = staff.level(inventory).await;
    let set = |rebase: bool| {
        json!({ "action": "set", "rebase": rebase, "lines": [{
            "inventory_id": inventory, "quantity": 6.52, "expected_quantity": 11.52, "expected_version": version,
        }] })
    };
    let sold =
        json!({ "action": "adjust", "lines": [{ "inventory_id": inventory, "delta": -1.02 }] });
    assert_eq!(staff.ask(sold).await.status, 200);

    assert_eq!(staff.ask(set(false)).await.code(), "VERSION_CONFLICT");
    assert_eq!(conflicts(&bench, inventory).await, (1, 0));
    // Under a key, and again under it.
    let key = Uuid::new_v4().to_string();
    for replayed in [false, true] {
        let told = staff
            .send(set(true).to_string(), &[("idempotency-key", &key)])
            .await;
        assert_eq!((told.status, told.replayed), (200, replayed), "{told:?}");
        let line = &told.body["lines"][0];
        assert_eq!(
            (&line["old_quantity"], &line["new_quantity"]),
            (&json!(10.5), &json!(5.5))
        );
        assert!(told.etag.is_some());
    }
    assert_eq!(conflicts(&bench, inventory).await, (1, 1));
    // Too little is left for the difference: nothing is changed, and the caller decides.
    let gone = json!({ "action": "adjust", "lines": [{ "inventory_id": inventory, "delta": -1 }] });
    assert_eq!(staff.ask(gone).await.status, 200);
    let told = staff.ask(set(true)).await;
    assert_eq!(told.code(), "VERSION_CONFLICT");
    assert_eq!(told.body["details"]["conflicts"][0]["quantity"], 4.5);
    assert_eq!(staff.level(inventory).await.0, json!(4.5));
    assert_eq!(conflicts(&bench, inventory).await, (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_who_set_at_once_none_is_lost_and_each_is_told() {
    let bench = Bench::take().await;
    let staff = Staff::new(&bench).await;
    for rebase in [true, false] {
        let inventory = bench.inventory("100").await;
        let (_, version, _) = staff.level(inventory).await;
        let set = json!({ "action": "set", "rebase": rebase, "lines": [{
            "inventory_id": inventory, "quantity": 98.5, "expected_quantity": 100, "expected_version": version,
        }] });
        let told = join_all((0..8).map(|_| staff.ask(set.clone()))).await;
        let done = told.iter().filter(|told| told.status == 200).count();
        let refused = told
            .iter()
            .filter(|told| told.code() == "VERSION_CONFLICT")
            .count();
        assert_eq!(done + refused, 8, "{told:?}");
        // One comes first in each round, and there are four.
        assert!(
            if rebase { done >= 4 } else { done == 1 },
            "{done} of 8, {rebase}"
        );
        let left = staff.level(inventory).await.0;
        assert_eq!(
            left.as_f64(),
            Some(100.0 - 1.5 * done as f64),
            "after {done}"
        );
        let (plain, rebased) = conflicts(&bench, inventory).await;
        let counted = if rebase { rebased } else { plain };
        assert!(counted >= refused as i64 && counted >= (8 - done) as i64);
    }
}
