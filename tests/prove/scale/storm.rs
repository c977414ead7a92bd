//! Many clients at once want one product and a batch each, under keys, and each sends again until it has its answer.

use crate::areas::delivery::calls::CLAIM_ROUTE;
use crate::areas::shop::calls::CHECKOUT;
use crate::harness::calls::Operation;
use crate::harness::stack::{sign, user_claims};
use crate::prove::invariants;
use crate::prove::own_stack::{OwnStack, connect};
use crate::prove::report::Section;
use anyhow::{Context, Result};
use futures::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::sync::{Barrier, watch};
use tokio_postgres::Client;
use uuid::Uuid;

/// How long a client tries before it calls the stack dead.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is wanted at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wishes {
    pub(crate) clients: usize,
    /// How often each buys one of the product.
    pub(crate) checkouts: usize,
    /// Whether there is less of it than all want.
    pub(crate) is_scarce: bool,
    /// Whether each claims a batch, too.
    pub(crate) claims: bool,
}

/// A shop with one product, and its clients.
pub(crate) struct Shop {
    http: reqwest::Client,
    api_url: String,
    anon_key: String,
    wishes: Wishes,
    clients: Vec<(Uuid, String)>,
    product: Uuid,
    stock: i64,
    /// What of it is sold in the end.
    sold: i64,
    batches: i64,
    /// Whether something breaks on purpose: then an answer of the API that blames the server may pass.
    rough: bool,
}

/// A key, and what it was finally answered: the body of a success, or the code of a refusal.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    /// Whose.
    pub(crate) client: usize,
    pub(crate) operation: Operation,
    pub(crate) arguments: Value,
    pub(crate) key: String,
    pub(crate) told: Result<Value, String>,
}

/// What the clients have seen.
#[derive(Default)]
pub(crate) struct Seen {
    settled: Mutex<Vec<Settled>>,
    answers: Mutex<BTreeMap<String, u64>>,
    failures: Mutex<Vec<String>>,
    bought: watch::Sender<u64>,
}

impl Seen {
    /// Everything that is settled.
    pub(crate) fn settled(&self) -> Vec<Settled> {
        self.settled.lock().expect("nothing panics with it").clone()
    }

    /// What nobody should have been answered.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.failures
            .lock()
            .expect("nothing panics with it")
            .clone()
    }

    /// Returns when so many orders have been answered.
    pub(crate) async fn bought(&self, orders: u64) {
        let mut bought = self.bought.subscribe();
        // The sender lives as long as this borrow.
        let _ = bought.wait_for(|bought| *bought >= orders).await;
    }

    fn answer(&self, what: String) {
        let mut answers = self.answers.lock().expect("nothing panics with it");
        *answers.entry(what).or_default() += 1;
    }

    fn fail(&self, what: String) {
        self.failures
            .lock()
            .expect("nothing panics with it")
            .push(what);
    }

    fn settle(&self, settled: Settled) {
        let is_order = settled.told.is_ok() && settled.operation.rpc == CHECKOUT.rpc;
        let mut all = self.settled.lock().expect("nothing panics with it");
        all.push(settled);
        if is_order {
            self.bought.send_modify(|bought| *bought += 1);
        }
    }

    /// Adds what was answered how often.
    pub(crate) fn count(&self, section: &mut Section) {
        for (what, times) in &*self.answers.lock().expect("nothing panics with it") {
            section.count(format!("answers {what}"), *times);
        }
    }
}

/// What a client makes of one try.
enum Try {
    Final(Result<Value, String>),
    /// The outcome is passing or unknown, in these words.
    Again(String),
}

/// Refusals that end a matter: there is not enough for all.
const REFUSALS: [&str; 2] = ["INSUFFICIENT_INVENTORY", "NO_BATCH_AVAILABLE"];
/// What the API says of a lock, a connection or a statement that took too long: nothing has happened.
const PASSING: [&str; 3] = ["55P03", "57014", "PGRST003"];

impl Shop {
    /// What is scarce is there for four of five, and batches for three of five.
    pub(crate) async fn open(stack: &OwnStack, wishes: Wishes) -> Result<Self> {
        let secret = stack.variable("JWT_SECRET")?;
        let clients: Vec<_> = (0..wishes.clients)
            .map(|_| Uuid::new_v4())
            .map(|user| (user, sign(&user_claims(user), secret)))
            .collect();
        let count = i64::try_from(clients.len())?;
        let wanted = count * i64::try_from(wishes.checkouts)?;
        let stock = if wishes.is_scarce {
            wanted * 4 / 5
        } else {
            wanted * 2
        };
        let shop = Shop {
            http: reqwest::Client::builder().timeout(PATIENCE).build()?,
            api_url: stack.variable("API_URL")?.to_owned(),
            anon_key: stack.variable("ANON_KEY")?.to_owned(),
            wishes,
            clients,
            product: Uuid::new_v4(),
            stock,
            sold: wanted.min(stock),
            batches: if wishes.claims { count * 3 / 5 } else { 0 },
            rough: false,
        };
        let db = connect(stack.variable("DB_URL")?).await?;
        db.execute(
            "insert into auth.users (id, aud, role, email)
             select id, 'authenticated', 'authenticated', id || '@test.example' from unnest($1::uuid[]) as id",
            &[&shop.users()],
        )
        .await?;
        db.execute(
            "insert into interlock.drivers (user_id) select unnest($1::uuid[])",
            &[&shop.users()],
        )
        .await?;
        db.execute(
            "insert into interlock.products (id, name, price, currency, available_quantity)
             values ($1::uuid, 'test:' || $1::uuid, 700, 'USD', $2::bigint)",
            &[&shop.product, &shop.stock],
        )
        .await?;
        db.execute(
            "insert into interlock.batches (reference) select 'test:scale' from generate_series(1, $1::bigint)",
            &[&shop.batches],
        )
        .await?;
        Ok(shop)
    }

    /// The same where something breaks on purpose.
    pub(crate) fn rough(self) -> Self {
        Shop {
            rough: true,
            ..self
        }
    }

    /// The clients, as their ids.
    pub(crate) fn users(&self) -> Vec<Uuid> {
        self.clients.iter().map(|(user, _)| *user).collect()
    }

    /// A client's access token.
    pub(crate) fn token(&self, client: usize) -> &str {
        &self.clients[client].1
    }

    /// What each of them buys.
    pub(crate) fn cart(&self) -> Value {
        json!({
            "cart_items": [{ "product_id": self.product, "quantity": 1 }],
            "payment_method": "bank_transfer",
        })
    }

    /// A client buys one.
    pub(crate) async fn buy(&self, client: usize, seen: &Seen) {
        let key = Uuid::new_v4().to_string();
        self.insist(client, CHECKOUT, self.cart(), key, seen).await;
    }

    /// Every client buys and claims; none begins before all are ready. Half of them go through the functions.
    pub(crate) async fn rage(&self, seen: &Seen) -> Result<()> {
        let ready = Barrier::new(self.clients.len());
        let work = (0..self.clients.len()).map(|client| {
            let ready = &ready;
            async move {
                ready.wait().await;
                for _ in 0..self.wishes.checkouts {
                    self.buy(client, seen).await;
                }
                if self.wishes.claims {
                    let key = Uuid::new_v4().to_string();
                    self.insist(client, CLAIM_ROUTE, json!({}), key, seen).await;
                }
            }
        });
        futures::future::join_all(work).await;
        Ok(())
    }

    /// Sends it until the answer is final, and writes that down.
    pub(crate) async fn insist(
        &self,
        client: usize,
        operation: Operation,
        arguments: Value,
        key: String,
        seen: &Seen,
    ) {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.send(client, operation, &arguments, &key).await {
                Try::Final(told) => {
                    let words = match &told {
                        Ok(_) => "200",
                        Err(code) => code,
                    };
                    seen.answer(format!("{words} to {}", operation.rpc));
                    if let Err(code) = &told
                        && !REFUSALS.contains(&code.as_str())
                    {
                        seen.fail(format!("{} was answered {code}", operation.rpc));
                    }
                    return seen.settle(Settled {
                        client,
                        operation,
                        arguments,
                        key,
                        told,
                    });
                }
                Try::Again(why) if Instant::now() > end => {
                    return seen.fail(format!("{} got no final answer: {why}", operation.rpc));
                }
                Try::Again(why) => seen.answer(format!("{why}, and sent again")),
            }
            let wait = Duration::from_millis(rand::random_range(20..200));
            tokio::time::sleep(wait).await;
        }
    }

    async fn send(&self, client: usize, operation: Operation, arguments: &Value, key: &str) -> Try {
        let by_function = client.is_multiple_of(2);
        let answer = self.request(client, operation, arguments, key, by_function);
        let answer = match answer.send().await {
            Ok(answer) => answer,
            Err(_) => return Try::Again("nothing".to_owned()),
        };
        let status = answer.status().as_u16();
        let body: Value = match answer.json().await {
            Ok(body) => body,
            Err(_) => return Try::Again(format!("half of {status}")),
        };
        if status == 200 {
            return Try::Final(Ok(body));
        }
        // The catalogue's code: a field of its own from functions and gateway, the message from the RPC.
        let ours = body.get("retryable").is_some();
        let said = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        let code = said(if ours { "error" } else { "message" });
        let passes = match ours {
            true => body["retryable"] == true,
            false => PASSING.contains(&said("code").as_str()) || (status >= 500 && self.rough),
        };
        match passes {
            true => Try::Again(format!(
                "{status} {}",
                if ours { code } else { said("code") }
            )),
            false if REFUSALS.contains(&code.as_str()) => Try::Final(Err(code)),
            false => Try::Final(Err(format!("{status} {} {code}", said("code")))),
        }
    }

    /// What was answered is answered again under its key, the same; what does not hold.
    pub(crate) async fn ask_again(&self, settled: &[Settled]) -> Result<Vec<String>> {
        let questions = settled.iter().filter_map(|one| {
            let first = one.told.as_ref().ok()?;
            Some(async move {
                let end = Instant::now() + PATIENCE;
                loop {
                    match self
                        .send(one.client, one.operation, &one.arguments, &one.key)
                        .await
                    {
                        Try::Final(Ok(again)) if again == *first => return None,
                        Try::Again(_) if Instant::now() < end => {}
                        Try::Final(again) => {
                            return Some(format!(
                                "{} was answered {first}, and under the same key again {again:?}",
                                one.operation.rpc
                            ));
                        }
                        Try::Again(why) => {
                            return Some(format!(
                                "{} is not answered again: {why}",
                                one.operation.rpc
                            ));
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            })
        });
        let answers: Vec<_> = stream::iter(questions).buffer_unordered(16).collect().await;
        Ok(answers.into_iter().flatten().collect())
    }

    /// What was lost is new under its key: what is answered now, and what does not hold.
    pub(crate) async fn ask_anew(&self, lost: &[Settled]) -> (Vec<Settled>, Vec<String>) {
        let seen = Seen::default();
        for one in lost {
            let (arguments, key) = (one.arguments.clone(), one.key.clone());
            self.insist(one.client, one.operation, arguments, key, &seen)
                .await;
        }
        let (again, mut failures) = (seen.settled(), seen.failures());
        let order = |one: &Settled| {
            one.told
                .as_ref()
                .ok()
                .map(|body| body["order"]["id"].clone())
        };
        failures.extend(
            lost.iter()
                .zip(&again)
                .filter(|(first, again)| order(first) == order(again))
                .map(|(first, _)| format!("the key {} has its lost order again", first.key)),
        );
        (again, failures)
    }

    fn request(
        &self,
        client: usize,
        operation: Operation,
        arguments: &Value,
        key: &str,
        by_function: bool,
    ) -> reqwest::RequestBuilder {
        let post = |path: String| {
            self.http
                .post(format!("{}{path}", self.api_url))
                .header("apikey", &self.anon_key)
                .bearer_auth(&self.clients[client].1)
        };
        if by_function {
            return post(format!("/functions/v1/{}", operation.function))
                .header("idempotency-key", key)
                .json(arguments);
        }
        let mut named = serde_json::Map::new();
        for (name, value) in arguments.as_object().into_iter().flatten() {
            named.insert(format!("p_{name}"), value.clone());
        }
        named.insert("p_idempotency_key".to_owned(), json!(key));
        post(format!("/rest/v1/rpc/{}", operation.rpc)).json(&named)
    }

    /// What does not hold when everybody has their answer.
    pub(crate) async fn check(&self, db: &Client, settled: &[Settled]) -> Result<Vec<String>> {
        let mut failures = Vec::new();
        let wished = self.clients.len() * (self.wishes.checkouts + usize::from(self.wishes.claims));
        if settled.len() != wished {
            failures.push(format!("{} of {wished} wishes are settled", settled.len()));
        }
        failures.extend(self.kept(db, settled).await?);
        failures.extend(self.books(db, settled).await?);
        failures.extend(invariants::broken(db, None).await?);
        Ok(failures)
    }

    /// The answers that the database has for these clients, by key.
    pub(crate) async fn stored(&self, db: &Client) -> Result<BTreeMap<String, Value>> {
        let query = "select key::text, response::jsonb from interlock.idempotency_keys where user_id = any ($1)";
        let rows = db.query(query, &[&self.users()]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Each success is stored under its key as it was told, and each refusal has left nothing.
    pub(crate) async fn kept(&self, db: &Client, settled: &[Settled]) -> Result<Vec<String>> {
        let mut stored = self.stored(db).await?;
        let mut failures = Vec::new();
        for Settled {
            operation,
            key,
            told,
            ..
        } in settled
        {
            match (told, stored.remove(key)) {
                (Ok(body), Some(answer)) if *body == answer => {}
                (Err(_), None) => {}
                (told, answer) => failures.push(format!(
                    "{}: key {key} was told {told:?} and has {answer:?}",
                    operation.rpc
                )),
            }
        }
        failures.extend(
            stored
                .keys()
                .map(|key| format!("nobody was answered under the key {key}")),
        );
        Ok(failures)
    }

    /// What was sold and claimed is what was told, and what was there is gone to the last one.
    async fn books(&self, db: &Client, settled: &[Settled]) -> Result<Option<String>> {
        let told = |rpc: &str| {
            let done = settled
                .iter()
                .filter(|one| one.operation.rpc == rpc && one.told.is_ok());
            i64::try_from(done.count())
        };
        let told = [told(CHECKOUT.rpc)?, told(CLAIM_ROUTE.rpc)?];
        let row = db
            .query_one(
                "select
                   (select available_quantity::bigint from interlock.products where id = $1),
                   (select coalesce(sum(quantity), 0)::bigint from interlock.order_items where product_id = $1),
                   (select count(distinct driver_id) from interlock.batches where status = 'claimed' and driver_id = any ($2)),
                   (select count(*) from interlock.batches where status = 'available')",
                &[&self.product, &self.users()],
            )
            .await
            .context("the books cannot be read")?;
        let found: [i64; 4] = [row.get(0), row.get(1), row.get(2), row.get(3)];
        let expected = [self.stock - self.sold, self.sold, self.batches, 0];
        Ok((found != expected || told != [self.sold, self.batches]).then(|| {
            format!(
                "of {} units and {} batches, {told:?} were answered, and left, sold, claimed, unclaimed are {found:?}",
                self.stock, self.batches
            )
        }))
    }
}
