//! Leases and holds that end while a call is on its way. Time is moved by replacing `interlock.clock()`,
//! the one source of time in the database; the system's clock stays as it is.

use super::clients::{Client, Goods, Intent, Ledger};
use super::proxy::Strike;
use super::site::Site;
use crate::areas::delivery::calls::CLAIM_ROUTE;
use crate::areas::promo::calls::PROMO_VALIDATE;
use crate::areas::shop::calls::CHECKOUT;
use crate::harness::calls::Operation;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// What the scenarios found.
#[derive(Default)]
pub(crate) struct Found {
    /// How many ran.
    pub(crate) scenarios: u64,
    /// What did not hold.
    pub(crate) failures: Vec<String>,
}

impl Found {
    fn expect(&mut self, holds: bool, what: &str, got: impl std::fmt::Debug) {
        if !holds {
            self.failures
                .push(format!("moved clock: {what}, but: {got:?}"));
        }
    }
}

/// Runs all with a clock that can be moved, and puts the real one back whatever happens.
pub(crate) async fn scenarios(
    site: &Arc<Site>,
    ledger: &Arc<Ledger>,
    goods: &Goods,
) -> Result<Found> {
    let db = site.connect().await?;
    let original: String = db
        .query_one(
            "select pg_get_functiondef('interlock.clock()'::regprocedure)",
            &[],
        )
        .await?
        .get(0);
    let movable = original.replace(
        "return now()",
        "return now() + (select by from interlock.moved_clock)",
    );
    anyhow::ensure!(movable != original, "interlock.clock() is not what it was");
    db.batch_execute(&format!(
        "create table interlock.moved_clock as select interval '0' as by;
         grant select on interlock.moved_clock to public;
         {movable}"
    ))
    .await?;
    let found = run_all(site, ledger, goods).await;
    db.batch_execute(&format!("{original}; drop table interlock.moved_clock"))
        .await
        .context("the clock could not be put back")?;
    found
}

async fn run_all(site: &Arc<Site>, ledger: &Arc<Ledger>, goods: &Goods) -> Result<Found> {
    let mut found = Found::default();
    let scene = Scene::open(site, ledger).await?;
    scene.late_renewal(&mut found).await?;
    scene.lost_renewal(&mut found).await?;
    scene.late_redemption(goods, &mut found).await?;
    scene.late_but_free_redemption(goods, &mut found).await?;
    Ok(found)
}

/// Two people who want the same.
struct Scene {
    site: Arc<Site>,
    db: tokio_postgres::Client,
    ann: Arc<Client>,
    bob: Client,
}

/// An answer in the form in which the scenarios speak of it.
type Said = (u16, Value, bool);

impl Scene {
    async fn open(site: &Arc<Site>, ledger: &Arc<Ledger>) -> Result<Self> {
        let db = site.connect().await?;
        let people = [Uuid::new_v4(), Uuid::new_v4()];
        for person in people {
            db.execute(
                "insert into auth.users (id, aud, role, email)
                 values ($1::uuid, 'authenticated', 'authenticated', $1::uuid || '@test.example')",
                &[&person],
            )
            .await?;
            db.execute(
                "insert into interlock.drivers (user_id) values ($1)",
                &[&person],
            )
            .await?;
        }
        let [ann, bob] =
            people.map(|person| Client::new(Arc::clone(site), Arc::clone(ledger), None, person, 0));
        Ok(Scene {
            site: Arc::clone(site),
            db,
            ann: Arc::new(ann?),
            bob: bob?,
        })
    }

    /// A renewal arrives when the lease is over and somebody else has the batch.
    async fn late_renewal(&self, found: &mut Found) -> Result<()> {
        found.scenarios += 1;
        let batch = self.batch().await?;
        ask(&self.ann, &claim(batch, "claim")).await?;
        let struck = self.site.front.struck();
        self.site.front.arm(Strike::HoldRequest, 1);
        let ann = Arc::clone(&self.ann);
        let renewal = tokio::spawn(async move { ask(&ann, &claim(batch, "renew")).await });
        while self.site.front.struck() == struck {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.move_clock("16 minutes").await?;
        let (status, body, _) = ask(&self.bob, &claim(batch, "claim")).await?;
        found.expect(status == 200, "a lease that is over can be claimed", body);
        self.site.front.calm();
        let (status, body, _) = renewal.await.context("the renewal does not panic")??;
        found.expect(status == 409, "a renewal that comes late is refused", body);
        found.expect(
            self.holder(batch).await? == Some(self.bob.user),
            "the batch stays with its new driver",
            batch,
        );
        Ok(())
    }

    /// A renewal is done, its answer is lost, and it is repeated when somebody else has the batch.
    async fn lost_renewal(&self, found: &mut Found) -> Result<()> {
        found.scenarios += 1;
        let batch = self.batch().await?;
        ask(&self.ann, &claim(batch, "claim")).await?;
        let renewal = claim(batch, "renew");
        self.site.front.arm(Strike::LoseAnswer, 1);
        let lost = ask(&self.ann, &renewal).await;
        found.expect(lost.is_err(), "the answer is lost", lost);
        self.move_clock("16 minutes").await?;
        let (status, body, _) = ask(&self.bob, &claim(batch, "claim")).await?;
        found.expect(status == 200, "a renewed lease ends too", body);
        let (status, body, replayed) = ask(&self.ann, &renewal).await?;
        found.expect(
            status == 200 && replayed,
            "the repeated renewal gets the stored answer",
            body,
        );
        let (status, body, _) = ask(&self.ann, &claim(batch, "complete")).await?;
        found.expect(
            status == 409,
            "the stored answer gives no right to the batch",
            body,
        );
        found.expect(
            self.holder(batch).await? == Some(self.bob.user),
            "the batch stays with its new driver",
            batch,
        );
        Ok(())
    }

    /// A hold ends between promo-validate and checkout, and somebody else takes the last use.
    async fn late_redemption(&self, goods: &Goods, found: &mut Found) -> Result<()> {
        found.scenarios += 1;
        let code = self.promo_of_one_use().await?;
        let (hers, his) = (Uuid::new_v4(), Uuid::new_v4());
        let (status, body, _) = ask(&self.ann, &hold(&code, hers)).await?;
        found.expect(status == 200, "the last use can be held", body);
        let (status, body, _) = ask(&self.bob, &hold(&code, his)).await?;
        found.expect(status == 409, "a held use is not to be had", body);
        self.move_clock("16 minutes").await?;
        let (status, body, _) = ask(&self.bob, &hold(&code, his)).await?;
        found.expect(status == 200, "a use whose hold is over can be held", body);
        let (status, body, _) = ask(&self.ann, &buy(goods, &code, hers)).await?;
        found.expect(status == 409, "a hold that is over buys nothing", body);
        let (status, body, _) = ask(&self.bob, &buy(goods, &code, his)).await?;
        found.expect(status == 200, "the new hold buys", body);
        Ok(())
    }

    /// A hold ends between promo-validate and checkout, and nobody else wants the use.
    async fn late_but_free_redemption(&self, goods: &Goods, found: &mut Found) -> Result<()> {
        found.scenarios += 1;
        let code = self.promo_of_one_use().await?;
        let cart = Uuid::new_v4();
        ask(&self.ann, &hold(&code, cart)).await?;
        self.move_clock("16 minutes").await?;
        let purchase = buy(goods, &code, cart);
        let (status, body, _) = ask(&self.ann, &purchase).await?;
        found.expect(
            status == 200,
            "a use that nobody else took is still hers",
            &body,
        );
        let again = ask(&self.ann, &purchase).await?;
        found.expect(
            again == (200, body, true),
            "and the same key gets the same answer",
            again,
        );
        Ok(())
    }

    async fn move_clock(&self, by: &str) -> Result<()> {
        self.db
            .execute(
                "update interlock.moved_clock set by = by + $1::text::interval",
                &[&by],
            )
            .await?;
        Ok(())
    }

    async fn batch(&self) -> Result<Uuid> {
        let query = "insert into interlock.batches (reference) values ('test:clock') returning id";
        Ok(self.db.query_one(query, &[]).await?.get(0))
    }

    async fn holder(&self, batch: Uuid) -> Result<Option<Uuid>> {
        let query = "select driver_id from interlock.batches where id = $1";
        Ok(self.db.query_one(query, &[&batch]).await?.get(0))
    }

    async fn promo_of_one_use(&self) -> Result<String> {
        let code = format!("C{}", Uuid::new_v4().simple()).to_uppercase();
        self.db
            .execute(
                "insert into interlock.promo_codes (code, discount_type, discount_value, max_uses)
                 values ($1::text, 'percentage', 10, 1)",
                &[&code],
            )
            .await?;
        Ok(code)
    }
}

async fn ask(client: &Client, intent: &Intent) -> Result<Said> {
    let (status, body, replayed) = client.ask_again(intent).await?;
    Ok((
        status,
        serde_json::from_str(&body).unwrap_or_default(),
        replayed,
    ))
}

fn intent(operation: Operation, arguments: Value, keyed: bool) -> Intent {
    Intent {
        operation,
        by_function: true,
        arguments,
        key: keyed.then(|| Uuid::new_v4().to_string()),
    }
}

fn claim(batch: Uuid, action: &str) -> Intent {
    intent(
        CLAIM_ROUTE,
        json!({ "batch_id": batch, "action": action }),
        true,
    )
}

fn hold(code: &str, cart: Uuid) -> Intent {
    intent(
        PROMO_VALIDATE,
        json!({ "code": code, "subtotal": 700, "cart_id": cart }),
        false,
    )
}

fn buy(goods: &Goods, code: &str, cart: Uuid) -> Intent {
    let line = json!([{ "product_id": goods.plenty[0], "quantity": 1 }]);
    intent(
        CHECKOUT,
        json!({ "cart_items": line, "promo_code": code, "cart_id": cart }),
        true,
    )
}
