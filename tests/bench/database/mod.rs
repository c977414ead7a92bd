//! Section `database`: what the database does for each call, without functions and HTTP.

mod carts;
mod claims;
mod deliver;
mod hot;
mod inventory;
mod packing;
mod promo;
mod scarce;
mod tills;

use crate::figure::{Figure, Options};
use crate::load::{Argument, Call, Commit, Load, Session, Step};
use crate::rows::{self, Kind};
use crate::series::{Before, Scenario, Variant};
use crate::server::Database;
use anyhow::Result;
use interlock_tests::harness::stack::{staff_claims, user_claims};
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

/// How many products the load is spread over where it is spread.
const COLD_PRODUCTS: u64 = 50_000;

/// The peers of peers/unchecked.sql.
const UNCHECKED: &str = "the same writes, unchecked";
/// Interlock's checkout, as the API calls it.
const CHECKOUT: &str = "select public.checkout($1, p_idempotency_key => $2)::text";
/// The peers' one.
const SELECT_FOR_UPDATE: &str = "select bench_peers.checkout_select_for_update($1, $2)";

/// What all scenarios work on.
struct Shop<'a> {
    admin: &'a Client,
    options: &'a Options,
    commit: Commit,
    sessions: Vec<Session>,
}

/// Measures everything that the options ask for.
pub(crate) async fn run(options: &Options) -> Result<Vec<Figure>> {
    let database = Database::copy("bench_database").await?;
    let admin = database.connect().await?;
    let peers = [
        include_str!("../peers/schema.sql"),
        include_str!("../peers/select_for_update.sql"),
        include_str!("../peers/version_with_retry.sql"),
        include_str!("../peers/compare_and_swap.sql"),
        include_str!("../peers/one_call_per_line.sql"),
        include_str!("../peers/claims.sql"),
        include_str!("../peers/promo.sql"),
        include_str!("../peers/inventory.sql"),
        include_str!("../peers/packing.sql"),
        include_str!("../peers/deliver.sql"),
        include_str!("../peers/unchecked.sql"),
    ];
    rows::add_peers(&admin, &peers).await?;
    rows::lift_limits(&admin).await?;
    let users = rows::add_users(&admin, 64).await?;
    rows::add_drivers(&admin, &users).await?;
    rows::add_products(&admin, Kind::Cold, COLD_PRODUCTS).await?;
    hot::prepare(&admin).await?;
    scarce::prepare(&admin).await?;
    promo::prepare(&admin).await?;
    inventory::prepare(&admin).await?;
    tills::prepare(&admin).await?;
    packing::prepare(&admin).await?;
    deliver::prepare(&admin).await?;
    rows::vacuum_what_has_rows(&admin).await?;
    let mut shops = Vec::new();
    for commit in Commit::ALL {
        shops.push(Shop {
            admin: &admin,
            options,
            commit,
            sessions: Session::open(&database, &users, commit, user_claims).await?,
        });
    }
    let mut figures = Vec::new();
    // One kind of load after the other, so that both commits find tables of about the same size.
    for shop in &shops {
        figures.extend(hot::measure(shop).await?);
    }
    for shop in &shops {
        figures.extend(scarce::measure(shop).await?);
    }
    for shop in &shops {
        figures.extend(claims::measure(shop).await?);
    }
    for shop in &shops {
        figures.extend(promo::measure(shop).await?);
    }
    for shop in &shops {
        figures.extend(carts::measure(shop).await?);
    }
    drop(shops);
    for commit in Commit::ALL {
        let counter = Shop {
            admin: &admin,
            options,
            commit,
            sessions: Session::open(&database, &users, commit, staff_claims).await?,
        };
        figures.extend(inventory::measure(&counter).await?);
        figures.extend(tills::measure(&counter).await?);
        figures.extend(packing::measure(&counter).await?);
        if commit == Commit::Fast {
            figures.extend(deliver::measure(&counter).await?);
        }
    }
    database.remove().await?;
    Ok(figures)
}

impl Shop<'_> {
    /// A variant that the first so many users do at once.
    fn variant(&self, name: &str, clients: usize, call: Call) -> Variant<'_> {
        Variant {
            name: name.to_owned(),
            sessions: &self.sessions[..clients],
            call,
            before: None,
        }
    }

    /// A throughput of this section.
    async fn throughput(&self, name: &str, variants: Vec<Variant<'_>>) -> Result<Vec<Figure>> {
        let scenario = Scenario {
            section: "database",
            name: format!("{name}, {}", self.commit.name()),
            unit: "per second",
            measure: Load::per_second,
            seconds: self.options.seconds,
            variants,
        };
        scenario.measure(self.options).await
    }

    /// The median time of a call of this section.
    async fn time(&self, name: &str, variants: Vec<Variant<'_>>) -> Result<Vec<Figure>> {
        let scenario = Scenario {
            section: "database",
            name: format!("{name}, {}", self.commit.name()),
            unit: "ms",
            measure: Load::median_ms,
            // One client makes enough calls for a median in less time.
            seconds: self.options.seconds * 0.3,
            variants,
        };
        scenario.measure(self.options).await
    }

    /// What a call of this section costs the database's processors, whoever waits for whom.
    async fn cpu(&self, name: &str, variants: Vec<Variant<'_>>) -> Result<Vec<Figure>> {
        let scenario = Scenario {
            section: "database",
            name: format!("CPU of a {name}, {}", self.commit.name()),
            unit: "µs",
            measure: Load::busy_us,
            seconds: self.options.seconds * 0.3,
            variants,
        };
        scenario.measure(self.options).await
    }

    /// The same beside a peer that checks nothing, once it has written the same rows.
    async fn cpu_beside_unchecked(
        &self,
        name: &str,
        ours: Variant<'_>,
        peer: Variant<'_>,
    ) -> Result<Vec<Figure>> {
        ours.writes_what(&peer).await?;
        self.cpu(name, vec![ours, peer]).await
    }

    fn before(&self, sql: String) -> Option<Before<'_>> {
        Some(Before {
            admin: self.admin,
            sql,
        })
    }
}

/// A cart with one unit of each product.
fn cart(products: &[Uuid]) -> Value {
    let lines = products
        .iter()
        .map(|id| json!({ "product_id": id, "quantity": 1 }));
    Value::Array(lines.collect())
}

/// One statement with a cart and a new key.
fn checkout_step(sql: &'static str, cart: Value) -> Step {
    Step {
        sql,
        arguments: vec![Argument::value(cart), key()],
    }
}

/// An idempotency key that nobody has used.
fn key() -> Argument {
    Argument::value(Uuid::new_v4().to_string())
}

/// A checkout of what `cart` says.
fn checkout(sql: &'static str, cart: impl Fn(&Session) -> Value + 'static) -> Call {
    Box::new(move |session| Some(vec![checkout_step(sql, cart(session))]))
}

/// Any cold product.
fn cold_product(session: &Session) -> Uuid {
    Kind::Cold.id(session.random(COLD_PRODUCTS))
}
