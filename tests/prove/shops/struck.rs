//! One of two servers is killed (`kill -9`) while a shop is moved from it or to it, and people buy in all shops.
//!
//! The move ends with an error. What that says is so: the shop is open where it was if its server lives, `moving` there if not, and the other one
//! does not have it. The same command, with `--again` where it is `moving`, then brings it there, and nothing that anybody was told is lost.

use super::buyers::Seen;
use super::market::Market;
use super::places::Places;
use super::{BETWEEN, BUYERS, LATE, SHOPS, checks};
use crate::prove::own_stack::connect;
use crate::prove::report::Section;
use anyhow::{Context, Result, ensure};
use futures::future::{join, join_all, pending};
use interlock_move_shop::{Move, forget};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The first of the shops.
const FIRST: i32 = 300;
/// The server that is killed, the shop's own or the other one, and what whoever moves it then says that they do.
const BLOWS: [(End, &str); SHOPS as usize] = [
    (End::Source, "waiting"),
    (End::Source, "copying"),
    (End::Source, "rows copied"),
    (End::Target, "waiting"),
    (End::Target, "copying"),
    (End::Target, "rows copied"),
];
/// How long a server may take to come back.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Source,
    Target,
}

/// What does not hold.
pub(super) async fn hold(places: &Places, section: &mut Section) -> Result<Vec<String>> {
    let mut market = Market::open(places, FIRST..FIRST + SHOPS, BUYERS).await?;
    market.struck = true;
    let seen = Seen::default();
    let buyers = join_all((0..BUYERS).map(|buyer| market.shop_around(buyer, &seen)));
    let blows = async {
        let struck = strike_all(places, &market, &seen).await;
        seen.close();
        struck
    };
    let (bought, struck) = join(buyers, blows).await;
    for outcome in bought {
        outcome.context("a buyer")?;
    }
    struck.with_context(|| seen.in_words())?;
    let mut failures = seen.failures();
    failures.extend(checks::hold(&market, &seen.orders()).await?);
    failures.extend(market.ask_again(&seen).await?);
    section.count("servers killed while a shop moved", BLOWS.len() as u64);
    section.count("orders answered meanwhile", seen.orders().len() as u64);
    Ok(failures)
}

async fn strike_all(places: &Places, market: &Market, seen: &Seen) -> Result<()> {
    for (shop, (end, moment)) in market.shops.iter().zip(BLOWS) {
        seen.more(BETWEEN).await?;
        let struck = strike(places, market, *shop, end, moment).await;
        struck.with_context(|| format!("shop {shop}, {end:?} killed at: {moment}"))?;
    }
    seen.more(BETWEEN).await
}

async fn strike(places: &Places, market: &Market, shop: i32, end: End, moment: &str) -> Result<()> {
    let at = market.place(shop);
    let (from, to) = (&market.urls[at], &market.urls[1 - at]);
    let victim = if end == End::Source { at } else { 1 - at };
    let killed = AtomicBool::new(false);
    let tell = |what: &str| {
        if what.contains(moment) && !killed.swap(true, Ordering::SeqCst) {
            places.kill(victim).expect("it runs");
        }
    };
    let tried = Move::new(shop, from, to).run(&tell, pending()).await;
    ensure!(
        killed.load(Ordering::SeqCst),
        "nobody said `{moment}`: {tried:?}"
    );
    let error = tried.err().context("it was moved all the same")?;

    is_back(&market.urls[victim]).await?;
    let left = state(from, shop).await?;
    let wanted = if end == End::Source { "moving" } else { "open" };
    ensure!(
        left.as_deref() == Some(wanted),
        "it is {left:?} where it was, after: {error:#}"
    );
    let said = format!("{error:#}");
    ensure!(
        said.contains(&format!("shop {shop} was not moved")),
        "it says {said}"
    );
    ensure!(state(to, shop).await?.is_none(), "the other one has it");

    let again = Move::new(shop, from, to).again(end == End::Source);
    again.run(&|_| (), pending()).await.context("again")?;
    market.route(shop, 1 - at);
    tokio::time::sleep(LATE).await;
    forget(shop, from, None, &|_| ()).await?;
    Ok(())
}

/// The state of a shop, if the database knows it.
async fn state(url: &str, shop: i32) -> Result<Option<String>> {
    let db = connect(url).await?;
    let query = "select s.state::text from interlock.shops s where s.id = $1";
    let row = db.query_opt(query, &[&shop]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// Returns when a server answers again.
async fn is_back(url: &str) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        match connect(url).await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > end => {
                return Err(error.context("it does not come back"));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
