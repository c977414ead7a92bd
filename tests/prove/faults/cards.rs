//! Orders that are paid by card: the provider is a part of the stack of its own, tells of the money by the way that every
//! client comes, and tells it again until it is taken in.

use super::site::Site;
use crate::areas::shop::stripe::{PAYMENT_INTENT, StandIn, take_cards};
use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use uuid::Uuid;

/// The provider goes on telling for 28 seconds.
const LATEST_NEWS: Duration = Duration::from_secs(40);

/// More tries than faults are injected at once.
const TRIES: usize = 50;

/// The payment provider, and what it has been paid.
pub(crate) struct Cards {
    stand_in: StandIn,
    webhook: String,
    paid: Mutex<Vec<String>>,
}

impl Cards {
    /// Lets the shop take cards, if the stack is our own.
    pub(crate) async fn open(site: &Site) -> Result<Option<Self>> {
        if site.own.is_none() {
            return Ok(None);
        }
        let variable = |name| site.variable(name).map(str::to_owned);
        let cards = Self {
            stand_in: StandIn::at(variable("STRIPE_API_URL")?, variable("STRIPE_SECRET_KEY")?),
            webhook: format!("{}/functions/v1/payment-webhook", site.url()),
            paid: Mutex::default(),
        };
        site.connect().await?.batch_execute(&take_cards()).await?;
        cards.calm().await;
        Ok(Some(cards))
    }

    /// Ends every fault.
    pub(crate) async fn calm(&self) {
        self.stand_in.kind().await;
        self.stand_in.told("/endpoint", &self.webhook).await;
    }

    /// So many requests for an intent meet a fault.
    pub(crate) async fn fail(&self, times: u64, mut fault: Value) {
        fault["times"] = json!(times);
        fault["method"] = json!("POST");
        fault["path"] = json!("/v1/payment_intents");
        fault["acts"] = json!(true);
        self.stand_in.told("/faults", fault).await;
    }

    /// A buyer pays what `payment-intent` answered: they press the button again when nothing comes of it.
    pub(crate) async fn pay(&self, answer: &str) -> Result<()> {
        let answer: Value = serde_json::from_str(answer)?;
        let Some(intent) = answer["payment"]["provider_id"].as_str() else {
            bail!("{} has answered {answer}", PAYMENT_INTENT.function);
        };
        let mut tries = 0;
        loop {
            ensure!(tries < TRIES, "{intent} cannot be paid");
            tries += 1;
            // Hung up, or 500: what has become of it shows the next try.
            let said = self.stand_in.try_pay(intent).await.unwrap_or_default();
            if said["status"] == "succeeded"
                || said["error"]["code"] == "payment_intent_unexpected_state"
            {
                break;
            }
        }
        let mut paid = self.paid.lock().expect("nothing panics with it");
        if !paid.iter().any(|paid| paid == intent) {
            paid.push(intent.to_owned());
        }
        Ok(())
    }

    /// The money has come in, each sum once; it pays its order, or all of it is due to go back. One attempt was enough
    /// for each order, at the provider too.
    pub(crate) async fn check(&self, db: &Client, users: &[Uuid]) -> Result<Vec<String>> {
        let paid = self.paid.lock().expect("nothing panics with it").clone();
        let arrived = "select count(*) from interlock.payments
                       where provider_id = any ($1) and succeeded_at is not null";
        let begun = Instant::now();
        loop {
            let arrived: i64 = db.query_one(arrived, &[&paid]).await?.get(0);
            if usize::try_from(arrived)? >= paid.len() {
                break;
            }
            if begun.elapsed() > LATEST_NEWS {
                let missing = format!("{} buyers paid by card, {arrived} sums came in", paid.len());
                return Ok(vec![missing]);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut broken: Vec<String> = db
            .query(BROKEN, &[&users, &paid])
            .await?
            .iter()
            .map(|row| {
                format!(
                    "order {} by card: {}",
                    row.get::<_, Uuid>(0),
                    row.get::<_, &str>(1)
                )
            })
            .collect();
        let orders: Vec<Uuid> = db
            .query(
                "select o.id from interlock.orders o join interlock.payments p on p.order_id = o.id
                 where o.user_id = any ($1)",
                &[&users],
            )
            .await?
            .iter()
            .map(|row| row.get(0))
            .collect();
        let intents = self.stand_in.all_intents().await;
        for order in orders {
            let order = json!(order);
            let made = intents
                .iter()
                .filter(|intent| intent["metadata"]["order_id"] == order);
            let made = made.count();
            if made > 1 {
                broken.push(format!("order {order} has {made} intents at the provider"));
            }
        }
        Ok(broken)
    }

    /// How many sums have been paid.
    pub(crate) fn count(&self) -> u64 {
        self.paid.lock().expect("nothing panics with it").len() as u64
    }
}

/// Orders by card of these users ($1) whose state and money ($2: the intents that were paid) do not agree.
const BROKEN: &str = "
with money as (
  select
    o.id, o.status, o.total,
    count(p.id) as attempts,
    coalesce(sum(p.amount) filter (where p.succeeded_at is not null), 0) as received,
    coalesce(sum(p.refund_asked), 0) as due,
    count(*) filter (where p.succeeded_at is not null and p.provider_id <> all ($2)) as invented
  from interlock.orders o
  left join interlock.payments p on p.order_id = o.id
  where o.user_id = any ($1) and o.payment_method = 'card'
  group by o.id
)
select m.id, format('%s, costs %s, received %s, due %s, %s attempts', m.status, m.total, m.received, m.due, m.attempts)
from money m
where m.attempts > 1
  or m.invented > 0
  or (m.status = 'paid' and (m.received <> m.total or m.due <> 0))
  or (m.status <> 'paid' and m.received <> m.due)";
