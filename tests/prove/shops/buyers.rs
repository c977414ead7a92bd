//! People who buy in any shop, wherever it is just now, and send again under the same key what was refused for now.

use super::market::Market;
use crate::prove::own_stack::connect;
use crate::prove::report::Section;
use anyhow::{Context, Result};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

/// How long somebody tries.
const PATIENCE: Duration = Duration::from_secs(60);
/// Each second buyer has a slow way to the database: between its order and its commit there are so many milliseconds.
const SLOW: std::ops::Range<u64> = 50..250;

/// Between two orders of one buyer.
const PAUSE: Duration = Duration::from_millis(20);

/// An order that somebody was told of.
#[derive(Clone, Debug)]
pub(super) struct Told {
    buyer: usize,
    pub(super) shop: i32,
    product: Uuid,
    pub(super) key: String,
    pub(super) order: String,
}

/// What the buyers have seen.
#[derive(Default)]
pub(super) struct Seen {
    orders: Mutex<Vec<Told>>,
    answers: Mutex<BTreeMap<String, u64>>,
    failures: Mutex<Vec<String>>,
    bought: watch::Sender<u64>,
    closed: AtomicBool,
}

impl Seen {
    pub(super) fn orders(&self) -> Vec<Told> {
        self.orders.lock().expect("nothing panics with it").clone()
    }

    pub(super) fn failures(&self) -> Vec<String> {
        let failures = self.failures.lock().expect("nothing panics with it");
        failures.clone()
    }

    /// Returns when so many more orders have been answered.
    pub(super) async fn more(&self, orders: u64) -> Result<()> {
        let mut bought = self.bought.subscribe();
        let wanted = *bought.borrow() + orders;
        let enough = bought.wait_for(|bought| *bought >= wanted);
        let waited = tokio::time::timeout(PATIENCE, enough).await;
        waited.context("nobody buys any more")??;
        Ok(())
    }

    /// Whoever has an answer goes home.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    fn answer(&self, what: &str) {
        let mut answers = self.answers.lock().expect("nothing panics with it");
        *answers.entry(what.to_owned()).or_default() += 1;
    }

    fn fail(&self, what: String) {
        let mut failures = self.failures.lock().expect("nothing panics with it");
        failures.push(what);
    }

    fn tell(&self, told: Told) {
        let mut orders = self.orders.lock().expect("nothing panics with it");
        orders.push(told);
        self.bought.send_modify(|bought| *bought += 1);
    }

    /// What happened until then, for whoever has to find out why it did not go on.
    pub(super) fn in_words(&self) -> String {
        let answers = self.answers.lock().expect("nothing panics with it");
        let mut failures = self.failures();
        failures.truncate(3);
        format!("buyers were answered {answers:?}, first failures: {failures:?}")
    }

    /// Adds what was answered how often.
    pub(super) fn count(&self, section: &mut Section) {
        for (what, times) in &*self.answers.lock().expect("nothing panics with it") {
            section.count(format!("answers {what}"), *times);
        }
    }
}

/// What somebody makes of one try.
enum Try {
    Order(String),
    SoldOut,
    Again(String),
    Wrong(String),
}

/// To the two databases. One that was lost is looked for again.
struct Ways<'a> {
    urls: &'a [String; 2],
    open: [Option<Client>; 2],
}

impl Ways<'_> {
    async fn to(&mut self, place: usize) -> Result<&Client> {
        let way = self.open[place].take().filter(|way| !way.is_closed());
        let way = match way {
            Some(way) => way,
            None => connect(&self.urls[place]).await?,
        };
        Ok(self.open[place].insert(way))
    }
}

impl Market {
    fn ways(&self) -> Ways<'_> {
        Ways {
            urls: &self.urls,
            open: [None, None],
        }
    }

    /// Buys one in shop after shop until it is closing time.
    pub(super) async fn shop_around(&self, buyer: usize, seen: &Seen) -> Result<()> {
        let mut ways = self.ways();
        let is_slow = buyer.is_multiple_of(2);
        while !seen.closed.load(Ordering::Relaxed) {
            let shop = self.shops[rand::random_range(0..self.shops.len())];
            // Who takes their time is in nobody else's way.
            let product = match is_slow {
                true => self.products[2],
                false => self.products[usize::from(rand::random_ratio(1, 4))],
            };
            let mut told = Told {
                buyer,
                shop,
                product,
                key: Uuid::new_v4().to_string(),
                order: String::new(),
            };
            let Some(order) = self.insist(&mut ways, &told, is_slow, seen).await? else {
                continue;
            };
            told.order.clone_from(&order);
            seen.tell(told.clone());
            if rand::random_ratio(1, 5) {
                self.same_again(&mut ways, &told, seen).await?;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Everything that was answered is answered again, wherever the shop is by now, and each shop sells. What does not hold.
    pub(super) async fn ask_again(&self, seen: &Seen) -> Result<Vec<String>> {
        let mut ways = self.ways();
        let again = Seen::default();
        for told in seen.orders() {
            self.same_again(&mut ways, &told, &again).await?;
        }
        for shop in &self.shops {
            let new = Told {
                buyer: 0,
                shop: *shop,
                product: self.products[0],
                key: Uuid::new_v4().to_string(),
                order: String::new(),
            };
            if self.insist(&mut ways, &new, false, &again).await?.is_none() {
                again.fail(format!("shop {shop} sells nothing any more"));
            }
        }
        Ok(again.failures())
    }

    async fn same_again(&self, ways: &mut Ways<'_>, told: &Told, seen: &Seen) -> Result<()> {
        let again = self.insist(ways, told, false, seen).await?;
        if again.as_ref() != Some(&told.order) {
            seen.fail(format!(
                "{told:?} was answered {again:?} under the same key"
            ));
        }
        Ok(())
    }

    /// Tries until there is an order, or nothing to be sold.
    async fn insist(
        &self,
        ways: &mut Ways<'_>,
        wish: &Told,
        is_slow: bool,
        seen: &Seen,
    ) -> Result<Option<String>> {
        let end = Instant::now() + PATIENCE;
        loop {
            // The router is asked each time.
            let way = ways.to(self.place(wish.shop)).await;
            let tried = match way {
                Ok(way) => self.try_once(way, wish, is_slow).await,
                Err(_) if self.struck => Try::Again("nobody there".to_owned()),
                Err(error) => return Err(error),
            };
            match tried {
                Try::Order(order) => {
                    seen.answer("with an order");
                    return Ok(Some(order));
                }
                Try::SoldOut => {
                    seen.answer("sold out");
                    return Ok(None);
                }
                Try::Again(why) if Instant::now() < end => {
                    seen.answer(&format!("{why}, and sent again"));
                }
                Try::Again(why) | Try::Wrong(why) => {
                    seen.fail(format!("{wish:?} was answered {why}"));
                    return Ok(None);
                }
            }
            let wait = Duration::from_millis(rand::random_range(5..40));
            tokio::time::sleep(wait).await;
        }
    }

    /// One transaction, as the API makes it of a request.
    async fn try_once(&self, way: &Client, wish: &Told, is_slow: bool) -> Try {
        let error = match self.transaction(way, wish, is_slow).await {
            Ok(order) => return Try::Order(order),
            Err(error) => error,
        };
        match way.batch_execute("rollback").await {
            Err(_) if self.struck => Try::Again("lost".to_owned()),
            _ => judge(&error),
        }
    }

    async fn transaction(&self, way: &Client, wish: &Told, is_slow: bool) -> Result<String, Error> {
        way.batch_execute("begin").await?;
        let order = self.checkout(way, wish).await?;
        if is_slow {
            let wait = Duration::from_millis(rand::random_range(SLOW));
            tokio::time::sleep(wait).await;
        }
        way.batch_execute("commit").await?;
        Ok(order)
    }

    async fn checkout(&self, way: &Client, wish: &Told) -> Result<String, Error> {
        let headers = json!({ "x-shop": wish.shop.to_string() }).to_string();
        let claims =
            json!({ "sub": self.people[wish.buyer], "role": "authenticated", "app_metadata": {} });
        let cart = json!([{ "product_id": wish.product, "quantity": 1 }]).to_string();
        way.execute(
            "select set_config('request.headers', $1, true), set_config('request.jwt.claims', $2, true), set_config('role', 'authenticated', true)",
            &[&headers, &claims.to_string()],
        )
        .await?;
        let buy = "select public.checkout($1::text::jsonb, p_idempotency_key => $2)::jsonb #>> '{order,id}'";
        let row = way.query_one(buy, &[&cart, &wish.key]).await?;
        row.try_get(0)
    }
}

/// A code of the catalogue is the message; what may pass says so.
fn judge(error: &Error) -> Try {
    let Some(said) = error.as_db_error() else {
        return Try::Wrong(error.to_string());
    };
    let may_pass = said
        .detail()
        .is_some_and(|detail| detail.contains(r#""retryable": true"#));
    match (said.message(), said.code().code()) {
        ("INSUFFICIENT_INVENTORY", _) => Try::SoldOut,
        // Whoever asked the router just before a shop was forgotten there.
        (code @ "SHOP_UNKNOWN", _) => Try::Again(code.to_owned()),
        (code, _) if may_pass => Try::Again(code.to_owned()),
        (_, code @ ("55P03" | "40P01" | "57014")) => Try::Again(code.to_owned()),
        (message, code) => Try::Wrong(format!("{code} {message}")),
    }
}
