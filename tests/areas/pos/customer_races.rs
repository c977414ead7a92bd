//! Races for customers and their points. A scenario returns what is wrong.

use crate::areas::inventory::rows::call;
use crate::areas::shop::races::with_equal_books;
use crate::harness::calls::Adapter;
use crate::harness::races::{Race, Verdict, require};
use crate::harness::stack::{Bench, user_claims};
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use uuid::Uuid;

/// The races.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CustomerScenario {
    OneNewCustomer,
    EightSpend,
}

impl Race for CustomerScenario {
    fn play<'a>(&'a self, bench: &'a Bench, _: Adapter) -> BoxFuture<'a, Verdict> {
        self.run(bench).boxed()
    }
}

impl CustomerScenario {
    /// Runs the race, and then looks at the books.
    pub(crate) async fn run(self, bench: &Bench) -> Verdict {
        let race = async {
            match self {
                Self::OneNewCustomer => one_new_customer(bench).await,
                Self::EightSpend => eight_spend(bench).await,
            }
        };
        with_equal_books(bench, race).await
    }
}

/// A sale of one for 7.00 to a customer.
pub(crate) fn sale_to(register: Uuid, inventory: Uuid, customer: &str, tenders: &str) -> String {
    format!(
        r#"public.pos_sale('{register}', '[{{"inventory_id": "{inventory}", "quantity": 1}}]', '{tenders}', p_customer => '{customer}')"#
    )
}

/// A point for each 1.00, worth 0.10.
pub(crate) async fn points_count(bench: &Bench) {
    let rules = "insert into interlock.points_rules (currency, points) values ('USD', 1) on conflict do nothing;
         insert into interlock.points_values (currency, value) values ('USD', 10) on conflict do nothing";
    bench
        .db
        .batch_execute(rules)
        .await
        .expect("rules can be made");
}

/// A customer with this account and a hundred points.
pub(crate) async fn with_points(bench: &Bench, user: Uuid) -> Result<Uuid, String> {
    let rows = "with c as (insert into interlock.customers (user_id) values ($1) returning id),
           a as (insert into interlock.points_accounts (customer_id, balance) select id, 100 from c)
         insert into interlock.points_movements (customer_id, kind, points, balance_after)
         select id, 'adjusted', 100, 100 from c returning customer_id";
    let row = bench.db.query_one(rows, &[&user]).await;
    row.map(|row| row.get(0)).map_err(|error| error.to_string())
}

/// Eight sales at two tills write down the same new customer at once.
async fn one_new_customer(bench: &Bench) -> Verdict {
    points_count(bench).await;
    for _ in 0..10 {
        let inventory = bench.inventory("100").await;
        let tills = [bench.till(inventory).await, bench.till(inventory).await];
        let sessions = join_all((0..8).map(|_| bench.stack.connect())).await;
        let email = format!("{}@test.example", Uuid::new_v4());
        let customer = format!(r#"{{"create": {{"email": "{email}"}}}}"#);
        let cash = r#"[{"type": "cash", "amount": 700}]"#;
        let answers = join_all(sessions.iter().enumerate().map(|(n, session)| {
            let sql = sale_to(tills[n % 2].register, inventory, &customer, cash);
            async move { call(session, &sql).await }
        }))
        .await;
        require!(answers.iter().all(Result::is_ok), "{answers:?}");
        let row = bench
            .db
            .query_one(
                "select count(*), coalesce(sum(a.balance), 0)::bigint from interlock.customers c
                 join interlock.points_accounts a on a.customer_id = c.id where c.email = $1",
                &[&email],
            )
            .await
            .expect("customers can be counted");
        let (customers, points): (i64, i64) = (row.get(0), row.get(1));
        require!(
            (customers, points) == (1, 56),
            "{customers} customers with {points} points"
        );
    }
    Ok(())
}

/// A hundred points, and eight want thirty of them: three sales at each of two tills, and twice in the web shop.
async fn eight_spend(bench: &Bench) -> Verdict {
    points_count(bench).await;
    for _ in 0..10 {
        let user = bench.users(1).await[0];
        let inventory = bench.inventory("100").await;
        let tills = [bench.till(inventory).await, bench.till(inventory).await];
        let customer = with_points(bench, user).await?;
        let who = format!(r#"{{"id": "{customer}"}}"#);
        let points = r#"[{"type": "points", "amount": 300}, {"type": "cash", "amount": 400}]"#;
        let sessions = join_all((0..8).map(|_| bench.stack.connect())).await;
        for session in &sessions[6..] {
            let claims = format!("set request.jwt.claims = '{}'", user_claims(user));
            session
                .batch_execute(&claims)
                .await
                .expect("a session may say who it is");
        }
        let answers = join_all(sessions.iter().enumerate().map(|(n, session)| {
            let sql = match n {
                6.. => "public.redeem_points(30, 'USD')".to_owned(),
                _ => sale_to(tills[n % 2].register, inventory, &who, points),
            };
            async move { call(session, &sql).await }
        }))
        .await;
        let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
        require!(
            refused.clone().all(|code| code == "INSUFFICIENT_POINTS"),
            "{answers:?}"
        );
        // Each sale earns 4.
        let sold = answers[..6].iter().filter(|answer| answer.is_ok()).count() as i64;
        let spent = answers.iter().filter(|answer| answer.is_ok()).count() as i64;
        require!(
            (3..=4).contains(&spent),
            "{spent} have spent 30 of 100: {answers:?}"
        );
        let row = bench
            .db
            .query_one(
                "select a.balance::bigint, (select sum(points) from interlock.points_movements where customer_id = $1)::bigint
                 from interlock.points_accounts a where a.customer_id = $1",
                &[&customer],
            )
            .await
            .expect("points can be read");
        let (balance, ledger): (i64, i64) = (row.get(0), row.get(1));
        require!(
            balance == 100 - 30 * spent + 4 * sold && ledger == balance,
            "{balance} left, {ledger} by the ledger, {spent} spent, {sold} sold"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tills_that_write_down_the_same_new_customer_get_one() {
    let bench = Bench::take().await;
    let verdict = CustomerScenario::OneNewCustomer.run(&bench).await;
    assert_eq!(verdict, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn points_are_spent_once_at_two_tills_and_in_the_web_shop() {
    let bench = Bench::take().await;
    let verdict = CustomerScenario::EightSpend.run(&bench).await;
    assert_eq!(verdict, Ok(()));
}
