//! Many shops on two databases: one after the other is moved while people buy in all of them, and send again, under keys, what was refused.
//!
//! Afterwards each order that was answered is there once, over both databases, each shop's books are exact, and where a shop has left
//! nothing of it remains. At the end nobody waits for the requests that were let in, and the same storm must notice: see [`mutants`].

mod buyers;
mod checks;
mod histories;
mod limits;
mod market;
mod mutants;
mod places;
mod struck;

use crate::prove::Search;
use crate::prove::own_stack;
use crate::prove::report::{Section, progress};
use anyhow::{Context, Result};
use buyers::Seen;
use futures::future::{join, join_all, pending};
use interlock_move_shop::{Move, forget};
use market::Market;
use mutants::{MUTANTS, Mutant};
use places::Places;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// Shops of a storm, and people who buy in them.
const SHOPS: i32 = 6;
const BUYERS: usize = 14;
/// Orders between two moves.
const BETWEEN: u64 = 25;
/// How often a mutant may come through before it has survived.
const CHANCES: i32 = 3;
/// How long a client that has asked the router may take to come.
const LATE: Duration = Duration::from_millis(30);
/// How many failures are told.
const TOLD: usize = 8;

/// Who moves a shop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mover {
    /// `npm run move-shop`.
    Command,
    /// What that calls.
    Library,
    /// The same, without the proof by command and of what is answered again: what is wrong shows before.
    Plain,
    /// The same without waiting for the requests that were let in.
    Hasty,
}

/// Runs the section, on two databases of the stack's server.
pub(crate) async fn run(search: &Search) -> Result<Section> {
    let mut section = Section::new("shops");
    let admin = std::env::var("INTERLOCK_ADMIN_DB_URL");
    let (Some(program), Ok(admin)) = (own_stack::program(), admin) else {
        let why = "everything: only on a server that lets us create databases";
        section.left_out.push(why.to_owned());
        return Ok(section);
    };
    let places = Places::of_one_server(&program, &admin).await?;
    let outcome = prove(&places, &program, search, &mut section).await;
    places.close().await?;
    outcome?;
    Ok(section)
}

/// The same on two servers.
pub(crate) async fn on_two_servers(
    program: &Path,
    search: &Search,
    section: &mut Section,
) -> Result<()> {
    let places = Places::of_two_servers(program).await?;
    let outcome = prove(&places, program, search, section).await;
    places.close().await?;
    outcome
}

async fn prove(
    places: &Places,
    program: &Path,
    search: &Search,
    section: &mut Section,
) -> Result<()> {
    progress("shops", "two databases that serve many shops");
    let failures = storm(places, program, 2, Mover::Library, section).await?;
    let more = failures.len().saturating_sub(TOLD);
    section.failures.extend(failures.into_iter().take(TOLD));
    if more > 0 {
        section.failures.push(format!("{more} failures more"));
    }
    progress("shops", "shops were moved in a storm");
    section.failures.extend(limits::hold(places).await?);
    let failures = histories::hold(places, search, section).await?;
    section.failures.extend(failures);
    if places.are_two_servers() {
        progress("shops", "servers are killed while shops are moved");
        let failures = struck::hold(places, section).await?;
        section.failures.extend(failures.into_iter().take(TOLD));
    }
    let mut found = 0;
    for mutant in MUTANTS {
        match notice(places, program, mutant).await? {
            Some(noticed) => {
                progress("shops", &format!("found, {}: {noticed}", mutant.name));
                found += 1;
            }
            None => section
                .failures
                .push(format!("not noticed: {}", mutant.name)),
        }
    }
    section.count(format!("mutants found of {}", MUTANTS.len()), found);
    Ok(())
}

/// What a storm notices of a mutant, which ends with it.
async fn notice(places: &Places, program: &Path, mutant: &Mutant) -> Result<Option<String>> {
    let mends = mutant.apply(places).await?;
    let mut noticed = None;
    for chance in 0..CHANCES {
        let first = mutant.first_shop + chance * 2 * SHOPS;
        let mut unseen = Section::new("mutant");
        noticed = match storm(places, program, first, mutant.mover, &mut unseen).await {
            Ok(failures) => failures.into_iter().next(),
            // Whoever moves it may have found somebody in it.
            Err(error) => Some(format!("{error:#}")),
        };
        if noticed.is_some() {
            break;
        }
    }
    mends.mend(places).await?;
    Ok(noticed)
}

/// People buy in shops with ids from `first` on while each of them is moved; what does not hold.
async fn storm(
    places: &Places,
    program: &Path,
    first: i32,
    mover: Mover,
    section: &mut Section,
) -> Result<Vec<String>> {
    let market = Market::open(places, first..first + SHOPS, BUYERS).await?;
    let seen = Seen::default();
    let buyers = join_all((0..BUYERS).map(|buyer| market.shop_around(buyer, &seen)));
    let moves = async {
        let moved = move_all(&market, program, mover, &seen).await;
        seen.close();
        moved
    };
    let (bought, moved) = join(buyers, moves).await;
    for outcome in bought {
        outcome.context("a buyer")?;
    }
    let (moves, longest) = moved.with_context(|| format!("a move; {}", seen.in_words()))?;
    let mut failures = seen.failures();
    failures.extend(checks::hold(&market, &seen.orders()).await?);
    if mover == Mover::Library {
        failures.extend(market.ask_again(&seen).await?);
        section.count("moves of a shop", moves);
        section.count(
            "ms that a shop was refused at most",
            u64::try_from(longest.as_millis())?,
        );
        section.count("orders answered meanwhile", seen.orders().len() as u64);
        seen.count(section);
    }
    Ok(failures)
}

/// Moves each shop to the other database, and the first one back again; how many moves, and how long the longest took.
async fn move_all(
    market: &Market,
    program: &Path,
    mover: Mover,
    seen: &Seen,
) -> Result<(u64, Duration)> {
    let mut shops = market.shops.clone();
    shops.extend(market.shops.first());
    let mut longest = Duration::ZERO;
    for (turn, shop) in shops.iter().enumerate() {
        seen.more(BETWEEN).await?;
        let by = if turn == 0 && mover == Mover::Library {
            Mover::Command
        } else {
            mover
        };
        longest = longest.max(move_one(market, program, by, *shop).await?);
    }
    seen.more(BETWEEN).await?;
    Ok((shops.len() as u64, longest))
}

async fn move_one(market: &Market, program: &Path, mover: Mover, shop: i32) -> Result<Duration> {
    let at = market.place(shop);
    let (from, to) = (&market.urls[at], &market.urls[1 - at]);
    let number = shop.to_string();
    let plan = Move::new(shop, from, to);
    let tell = |_: &str| {};
    let refused = match mover {
        Mover::Command => {
            let said = command(program, &["--shop", &number, "--from", from, "--to", to]).await?;
            let refused = said["refused_ms"].as_u64();
            Duration::from_millis(refused.context("it says how long it was refused")?)
        }
        Mover::Library | Mover::Plain => plan.run(&tell, pending()).await?.refused,
        Mover::Hasty => plan.without_waiting().run(&tell, pending()).await?.refused,
    };
    market.route(shop, 1 - at);
    tokio::time::sleep(LATE).await;
    match mover {
        Mover::Command => {
            command(program, &["--shop", &number, "--from", from, "--forget"]).await?;
        }
        _ => {
            forget(shop, from, None, &tell).await?;
        }
    }
    Ok(refused)
}

async fn command(program: &Path, arguments: &[&str]) -> Result<Value> {
    let output = Command::new(program.with_file_name("xtask"))
        .args(["move-shop", "--json"])
        .args(arguments)
        .current_dir(places::root()?)
        .output()
        .await
        .context("cargo puts xtask beside the stack's program")?;
    let (said, told) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    anyhow::ensure!(
        output.status.success(),
        "npm run move-shop failed: {said}{told}"
    );
    Ok(serde_json::from_str(&said)?)
}
