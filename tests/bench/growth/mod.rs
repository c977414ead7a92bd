//! Section `growth`: what a checkout and a claim cost as the catalogue and the history grow. Each size
//! has a database of its own, so that the rounds of all sizes alternate.

mod fill;

use self::fill::Size;
use crate::figure::{Figure, Options, progress};
use crate::load::{Argument, Call, Commit, Load, Session, Step};
use crate::rows::{self, Kind};
use crate::series::{Before, Scenario, Variant};
use crate::server::{self, Database};
use anyhow::{Result, ensure};
use interlock_tests::harness::stack::user_claims;
use serde_json::json;
use std::time::Instant;
use tokio_postgres::Client;
use uuid::Uuid;

const SECTION: &str = "growth";
/// Has no factor in common with the number of products, so no cart has one twice.
const STRIDE: u64 = 997;

/// A database of that size, and who works in it.
struct Shop {
    size: Size,
    database: Database,
    admin: Client,
    sessions: Vec<Session>,
}

/// Fills the databases, then measures.
pub(crate) async fn run(options: &Options) -> Result<Vec<Figure>> {
    let mut sizes = vec![Size::SMALL, Size::MEDIUM, Size::LARGE];
    if options.huge {
        sizes.push(Size::HUGE);
    }
    if options.quick {
        // The small one is a tenth of nothing already.
        sizes[1..].iter_mut().for_each(|size| *size = size.tenth());
    }
    refuse_full_disk(&sizes).await?;
    server::expect_much_to_be_written().await?;
    let mut shops = Vec::new();
    for size in sizes {
        shops.push(Shop::open(size).await?);
    }
    let mut figures = Vec::new();
    for lines in [1, 10] {
        let name = format!(
            "checkout of {lines} line{}",
            if lines == 1 { "" } else { "s" }
        );
        let variants = || shops.iter().map(|shop| shop.variant(shop.checkout(lines)));
        figures.extend(time(options, &name, variants().collect()).await?);
        if lines == 1 {
            let scenario = Scenario {
                section: SECTION,
                name: format!("WAL of a {name}"),
                unit: "bytes",
                measure: Load::logged_bytes,
                seconds: options.seconds,
                variants: variants().collect(),
            };
            figures.extend(scenario.measure(options).await?);
        }
    }
    let claims = shops.iter().map(|shop| Variant {
        before: Some(Before {
            admin: &shop.admin,
            sql: fill::queue(),
        }),
        ..shop.variant(claim_next())
    });
    figures.extend(time(options, "claim next and complete", claims.collect()).await?);
    for shop in shops {
        shop.database.remove().await?;
    }
    Ok(figures)
}

/// Before anything is filled: a server whose disk is full stops.
async fn refuse_full_disk(sizes: &[Size]) -> Result<()> {
    let needed = server::MOST_LOG + sizes.iter().map(Size::bytes).sum::<u64>();
    let free = server::free_disk().await?;
    ensure!(
        free >= needed,
        "the section growth needs {} GB of disk, and {} GB are free",
        needed.div_ceil(1_000_000_000),
        free / 1_000_000_000
    );
    Ok(())
}

async fn time(options: &Options, name: &str, variants: Vec<Variant<'_>>) -> Result<Vec<Figure>> {
    let scenario = Scenario {
        section: SECTION,
        name: name.to_owned(),
        unit: "ms",
        measure: Load::median_ms,
        seconds: options.seconds,
        variants,
    };
    scenario.measure(options).await
}

impl Shop {
    async fn open(size: Size) -> Result<Self> {
        let start = Instant::now();
        let database = Database::copy(&format!("bench_growth_{}", size.orders)).await?;
        let admin = database.connect().await?;
        fill::fill(&database, &size).await?;
        rows::lift_limits(&admin).await?;
        let users = rows::add_users(&admin, 1).await?;
        rows::add_drivers(&admin, &users).await?;
        let sessions = Session::open(&database, &users, Commit::Fast, user_claims).await?;
        let seconds = start.elapsed().as_secs_f64();
        progress(
            SECTION,
            &format!("{} filled in {seconds:.0} s", size.name()),
        );
        Ok(Shop {
            size,
            database,
            admin,
            sessions,
        })
    }

    fn variant(&self, call: Call) -> Variant<'_> {
        Variant {
            name: self.size.name(),
            sessions: &self.sessions,
            call,
            before: None,
        }
    }

    /// A checkout of so many products, any of them.
    fn checkout(&self, lines: u64) -> Call {
        let products = self.size.products;
        Box::new(move |session| {
            let first = session.random(products);
            let lines: Vec<_> = (0..lines)
                .map(|line| Kind::Cold.id((first + line * STRIDE) % products))
                .map(|id| json!({ "product_id": id, "quantity": 1 }))
                .collect();
            Some(vec![Step {
                sql: "select public.checkout($1, p_idempotency_key => $2)::text",
                arguments: vec![
                    Argument::value(json!(lines)),
                    Argument::value(Uuid::new_v4().to_string()),
                ],
            }])
        })
    }
}

fn claim_next() -> Call {
    Box::new(|_| {
        Some(vec![
            Step {
                sql: "select public.claim_route() #>> '{batch,id}'",
                arguments: Vec::new(),
            },
            Step {
                sql: "select public.claim_route($1::text::uuid, 'complete')::text",
                arguments: vec![Argument::Answer],
            },
        ])
    })
}
