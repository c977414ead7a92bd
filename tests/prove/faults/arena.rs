//! One group of clients at work while faults strike, round after round, and the checks after each.

use super::blows::{Fault, Target};
use super::cards::Cards;
use super::clients::{Client, Goods, Intent, Ledger, Settled, Told};
use super::site::Site;
use super::{checks, stock};
use crate::areas::delivery::calls::CLAIM_ROUTE;
use crate::areas::promo::calls::PROMO_VALIDATE;
use crate::areas::shop::calls::CHECKOUT;
use crate::prove::invariants;
use crate::prove::report::{Section, progress};
use anyhow::{Context, Result};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use uuid::Uuid;

/// Apps at work at the same time.
const CLIENTS: usize = 16;
/// Batches offered in each round, as many as there are drivers.
const BATCHES: i32 = 16;
/// What each of them wants during one fault.
const THINGS: usize = 4;
/// How many failures of one round are told: one defect breaks many promises.
const TOLD: usize = 5;
/// How soon the stack must answer again after a fault.
const RECOVERY: Duration = Duration::from_secs(60);

/// Some clients, what they want, and what came of it so far.
pub(crate) struct Arena {
    pub(crate) site: Arc<Site>,
    pub(crate) ledger: Arc<Ledger>,
    cards: Option<Arc<Cards>>,
    clients: Vec<Client>,
    /// Asks whether the stack is well.
    doctor: Client,
    users: Vec<Uuid>,
    pub(crate) goods: Goods,
    hold: Duration,
    tally: BTreeMap<&'static str, u64>,
    overtaken: u64,
    slowest_recovery: Duration,
}

impl Arena {
    /// New clients, and something for them to buy.
    pub(crate) async fn open(site: &Arc<Site>, rng: &mut StdRng, hold: Duration) -> Result<Self> {
        let ledger = Arc::new(Ledger::default());
        let users: Vec<Uuid> = (0..CLIENTS).map(|_| Uuid::new_v4()).collect();
        let goods = stock::stock_up(site, &users).await?;
        let cards = Cards::open(site).await?.map(Arc::new);
        let mut client = |user| {
            let (site, ledger) = (Arc::clone(site), Arc::clone(&ledger));
            Client::new(site, ledger, cards.clone(), user, rng.random())
        };
        Ok(Arena {
            doctor: client(users[0])?,
            clients: users
                .iter()
                .map(|user| client(*user))
                .collect::<Result<_>>()?,
            site: Arc::clone(site),
            ledger,
            cards,
            users,
            goods,
            hold,
            tally: BTreeMap::new(),
            overtaken: 0,
            slowest_recovery: Duration::ZERO,
        })
    }

    /// The clients work while the faults strike; then everything is checked. What does not hold.
    pub(crate) async fn round(
        &mut self,
        faults: &[&Fault],
        rng: &mut StdRng,
    ) -> Result<Vec<String>> {
        let names: Vec<_> = faults.iter().map(|fault| fault.name).collect();
        let name = names.join(" + ");
        let begun = Instant::now();
        let before = self.ledger.settled().len();
        stock::offer_batches(&self.site, BATCHES).await?;
        let mut working = JoinSet::new();
        for mut client in self.clients.drain(..) {
            let goods = self.goods.clone();
            working.spawn(async move {
                client.live(THINGS, &goods).await;
                client
            });
        }
        let target = Target {
            site: &self.site,
            ledger: &self.ledger,
            goods: &self.goods,
            hold: self.hold,
            cards: self.cards.as_deref(),
        };
        let mut chances: Vec<StdRng> = faults
            .iter()
            .map(|_| StdRng::seed_from_u64(rng.random()))
            .collect();
        let strikes = async {
            let strikes = faults.iter().zip(&mut chances);
            let strikes = strikes.map(|(fault, rng)| fault.strike(&target, rng));
            let struck = futures::future::join_all(strikes).await;
            // A second blow may find the database down already.
            if let [Err(_)] = struck.as_slice() {
                struck.into_iter().collect::<Result<()>>()?;
            }
            let mended = Instant::now();
            if faults.iter().any(|fault| fault.breaks()) {
                eventually(async || well(&self.doctor, &self.goods).await).await?;
            }
            anyhow::Ok(mended.elapsed())
        };
        let work = async {
            let mut clients = Vec::new();
            while let Some(client) = working.join_next().await {
                clients.push(client.context("a client does not panic")?);
            }
            anyhow::Ok(clients)
        };
        tokio::pin!(work);
        // Clients that are done have nothing left to be struck.
        let (recovery, clients) = tokio::select! {
            recovery = strikes => (recovery, work.await?),
            clients = &mut work => (Ok(Duration::ZERO), clients?),
        };
        let well_again = eventually(async || {
            target.release().await?;
            well(&self.doctor, &self.goods).await
        });
        let recovery = match well_again.await {
            Ok(()) => recovery,
            Err(error) => Err(error),
        };
        self.clients = clients;
        progress(
            "faults",
            &format!("{name}: {:.1} s", begun.elapsed().as_secs_f32()),
        );
        let failures = match recovery {
            Ok(recovery) => {
                self.slowest_recovery = self.slowest_recovery.max(recovery);
                self.check(before).await?
            }
            Err(error) => vec![format!("{error:#}")],
        };
        let more = failures.len().saturating_sub(TOLD);
        let more = (more > 0).then(|| format!("{more} failures more"));
        let told = failures.into_iter().take(TOLD).chain(more);
        Ok(told.map(|failure| format!("{name}: {failure}")).collect())
    }

    /// Everything that must hold now; what was settled since `before` is asked once more.
    async fn check(&mut self, before: usize) -> Result<Vec<String>> {
        let db = self.site.connect().await?;
        let settled = self.ledger.settled();
        let mut failures = self.ask_again(&settled[before..]).await?;
        let quiet = Instant::now();
        while checks::leftovers(&db).await? > 0 {
            if quiet.elapsed() > RECOVERY {
                failures.push("transactions or waits for locks are left over".to_owned());
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let findings = checks::told_the_truth(&db, &self.users, &self.goods, &settled).await?;
        self.overtaken = findings.overtaken;
        failures.extend(findings.failures);
        if let Some(cards) = &self.cards {
            failures.extend(cards.check(&db, &self.users).await?);
        }
        failures.extend(invariants::broken(&db, None).await?);
        Ok(failures)
    }

    /// Every key that was answered gets the same answer again, byte for byte.
    async fn ask_again(&mut self, settled: &[Settled]) -> Result<Vec<String>> {
        let questions = settled.iter().filter_map(|settled| {
            let Told::Done(first) = &settled.told else {
                return None;
            };
            settled.intent.key.as_ref()?;
            let client = self.clients.iter().find(|client| client.user == settled.user)?;
            Some(async move {
                let (status, again, replayed) = insist(client, &settled.intent).await?;
                let same = status == 200 && again == *first && replayed;
                anyhow::Ok((!same).then(|| {
                    format!(
                        "{} was answered {first}, and on the same key again {status} {again} (replayed: {replayed})",
                        settled.intent.operation.rpc
                    )
                }))
            })
        });
        let answers: Vec<_> = stream::iter(questions)
            .buffer_unordered(8)
            .try_collect()
            .await?;
        *self.tally.entry("keys asked once more").or_default() += answers.len() as u64;
        Ok(answers.into_iter().flatten().collect())
    }

    /// Adds the figures, and the answers that nobody should get.
    pub(crate) fn count(&self, section: &mut Section) {
        section.count("intents of clients", self.ledger.settled().len() as u64);
        section.count("requests sent", self.ledger.requests.get());
        let by_card = self.cards.as_ref().map_or(0, |cards| cards.count());
        section.count("orders that were paid by card", by_card);
        section.count(
            "tries after an answer that was not final",
            self.ledger.again.get(),
        );
        section.count("stored answers met while trying", self.ledger.replays.get());
        let own = self
            .site
            .own
            .iter()
            .flat_map(|own| [&own.functions, &own.database]);
        let mut tally = self.tally.clone();
        tally.extend(self.ledger.struck());
        for link in own.chain([&self.site.front]) {
            for (what, times) in link.struck() {
                *tally.entry(what).or_default() += times;
            }
        }
        for (what, times) in tally {
            section.count(what, times);
        }
        section.count(
            "refusals overtaken by a try still on its way",
            self.overtaken,
        );
        let slowest = u64::try_from(self.slowest_recovery.as_millis()).unwrap_or(u64::MAX);
        section.count("milliseconds that the slowest recovery took", slowest);
        for (defect, times) in self.ledger.defects() {
            section.failures.push(format!("{defect}: {times} times"));
        }
    }
}

/// Asks once more for what is settled. A connection of an earlier fault may still break under it.
async fn insist(client: &Client, intent: &Intent) -> Result<(u16, String, bool)> {
    let mut tries = 0;
    loop {
        match client.ask_again(intent).await {
            Ok(answer) if answer.0 < 500 || tries == 5 => return Ok(answer),
            Err(error) if tries == 5 => return Err(error),
            _ => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Tries until it works, as long as a recovery may take.
async fn eventually(what: impl AsyncFn() -> Result<()>) -> Result<()> {
    let begun = Instant::now();
    loop {
        match what().await {
            Ok(()) => return Ok(()),
            Err(error) if begun.elapsed() > RECOVERY => {
                return Err(error.context("the stack does not recover by itself"));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Fails unless each part answers; what is asked changes nothing.
async fn well(doctor: &Client, goods: &Goods) -> Result<()> {
    let nothing = Uuid::nil();
    let line = json!([{ "product_id": nothing, "quantity": 1 }]);
    let promo = json!({ "code": goods.promo, "subtotal": 1400, "dry_run": true });
    for (operation, arguments) in [
        (
            CLAIM_ROUTE,
            json!({ "batch_id": nothing, "action": "renew" }),
        ),
        (CHECKOUT, json!({ "cart_items": line })),
        (PROMO_VALIDATE, promo),
    ] {
        for by_function in [true, false] {
            let intent = Intent {
                operation,
                by_function,
                arguments: arguments.clone(),
                key: None,
            };
            let (status, body, _) = doctor.ask_again(&intent).await?;
            anyhow::ensure!(status < 500, "{} answers {status} {body}", operation.rpc);
        }
    }
    Ok(())
}
