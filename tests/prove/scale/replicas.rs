//! A replica: what may be asked of it and when, and that it takes over when the first server is gone.

use super::gate::Gate;
use super::reader::{Reader, Stock};
use super::storm::{Seen, Settled, Shop, Wishes};
use crate::areas::shop::calls::CHECKOUT;
use crate::prove::invariants;
use crate::prove::own_stack::{OwnStack, connect};
use crate::prove::report::{Section, progress};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use uuid::Uuid;

/// Clients of each drill, and how often each of them buys.
const BUYERS: Wishes = Wishes {
    clients: 24,
    checkouts: 5,
    is_scarce: false,
    claims: false,
};
/// Orders that are answered before the replica is cut off, or the server killed.
const BEFORE: u64 = 20;
/// Orders that are answered while the replica is cut off, and that it never hears of.
const UNHEARD: u64 = 45;
/// Orders that are looked for at the replica as soon as it has what their writer was told.
const LOOKED_FOR: u64 = 40;
/// How long a replica may take to come.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a storm with a failover in its middle may take.
const DRILL: Duration = Duration::from_secs(30);

/// A stack with a replica; the way to its database, and the replica's, is ours.
struct Site {
    stack: OwnStack,
    /// Between the API and the database.
    way: Gate,
    /// Between the replica and the server that it follows.
    line: Gate,
    db_port: u16,
    replica_port: u16,
    http: reqwest::Client,
}

/// Everything about replicas.
pub(crate) async fn prove(program: &Path, section: &mut Section) -> Result<()> {
    let site = Site::open(program).await?;
    let outcome = async {
        site.reads(section).await?;
        site.own_writes(section).await?;
        site.writes_are_refused(section).await?;
        progress("scale", "a replica was read from");
        site.asynchronous(section).await?;
        progress(
            "scale",
            "a replica took over that had not heard of everything",
        );
        anyhow::Ok(())
    };
    let outcome = outcome.await;
    site.stack.close().await?;
    outcome?;

    let site = Site::open(program).await?;
    let outcome = site.synchronous(section).await;
    site.stack.close().await?;
    outcome?;
    progress("scale", "a replica took over that had");
    Ok(())
}

impl Site {
    async fn open(program: &Path) -> Result<Self> {
        let db_port = OwnStack::free_ports(program, 1).await?[0];
        let (way, line) = (Gate::open(db_port).await?, Gate::open(db_port).await?);
        let options = [
            "--with=replica".to_owned(),
            "--restart".to_owned(),
            "--api-port=0".to_owned(),
            format!("--db-port={db_port}"),
            format!("--api-finds-db-at={}", way.port),
            format!("--replica-finds-db-at={}", line.port),
            "--api-pool=12".to_owned(),
        ];
        let options = options.map(Into::into);
        let stack = OwnStack::start(program, "replica-stack", &options, &[]).await?;
        let url: reqwest::Url = stack.variable("INTERLOCK_REPLICA_DB_URL")?.parse()?;
        let replica_port = url.port().context("a database URL has a port")?;
        progress("scale", "a stack with a replica");
        Ok(Site {
            stack,
            way,
            line,
            db_port,
            replica_port,
            http: reqwest::Client::new(),
        })
    }

    async fn primary(&self) -> Result<Client> {
        connect(self.stack.variable("INTERLOCK_ADMIN_DB_URL")?).await
    }

    async fn replica(&self) -> Result<Client> {
        let url = self.stack.variable("INTERLOCK_ADMIN_DB_URL")?;
        let at = |port: u16| format!(":{port}/");
        connect(&url.replace(&at(self.db_port), &at(self.replica_port))).await
    }

    /// A request to an API of the replica or of the primary: where, with whose token, and what is sent.
    async fn ask(&self, url: String, token: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let request = match body {
            Some(body) => self.http.post(url).json(body),
            None => self.http.get(url),
        };
        let request = request
            .bearer_auth(token)
            .header("apikey", self.stack.variable("ANON_KEY")?);
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        ))
    }

    /// Each function that only reads answers at a replica; what a person has written is there once the replica is where
    /// their writer was; and how far behind it is stands in the metrics.
    async fn reads(&self, section: &mut Section) -> Result<()> {
        let (primary, replica) = (self.primary().await?, self.replica().await?);
        caught_up(&primary, &replica).await?;
        let rest = self.stack.variable("INTERLOCK_REPLICA_REST_URL")?;
        let service = self.stack.variable("SERVICE_ROLE_KEY")?;
        // What has to be named, each with something of its type.
        let functions = primary
            .query(
                "select p.proname::text, (
                   select coalesce(json_object_agg(p.proargnames[a.place], case a.type::regtype::text
                     when 'uuid' then to_json(gen_random_uuid())
                     when 'uuid[]' then json_build_array(gen_random_uuid())
                     else to_json('x'::text)
                   end), '{}')::text
                   from unnest(p.proargtypes) with ordinality as a (type, place)
                   where a.place <= p.pronargs - p.pronargdefaults
                 )
                 from pg_proc p
                 where p.pronamespace = 'public'::regnamespace and p.prokind = 'f' and p.provolatile <> 'v'
                   and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
                 order by 1",
                &[],
            )
            .await?;
        for row in &functions {
            let (name, arguments): (String, String) = (row.get(0), row.get(1));
            let arguments: Value = serde_json::from_str(&arguments)?;
            let url = format!("{rest}/rpc/{name}");
            let (status, body) = self.ask(url, service, Some(&arguments)).await?;
            let code = body["code"].as_str().unwrap_or_default();
            // It may find that this is not valid, or not there.
            if status >= 300 && !code.starts_with("PT4") {
                section.failures.push(format!(
                    "{name} only reads, and a replica answers {status} {body}"
                ));
            }
        }
        section.count("functions that a replica answers", functions.len() as u64);

        let shop = Shop::open(&self.stack, BUYERS).await?;
        let mut late = 0;
        for number in 0..LOOKED_FOR {
            let client = usize::try_from(number)? % BUYERS.clients;
            let seen = Seen::default();
            shop.buy(client, &seen).await;
            let settled = seen.settled();
            let bought = settled
                .iter()
                .find_map(|one| one.told.as_ref().ok())
                .with_context(|| format!("nothing was bought: {:?}", seen.failures()))?;
            let id = bought["order"]["id"]
                .as_str()
                .context("an order has an id")?;
            let at = now_at(&primary).await?;
            late += u64::from(!is_at(&replica, &at).await?);
            reached(async || {
                anyhow::ensure!(
                    is_at(&replica, &at).await?,
                    "the replica does not come to {at}"
                );
                Ok(())
            })
            .await?;
            let query = format!("/orders?id=eq.{id}&select=id,status,total");
            let token = shop.token(client);
            let there = self.ask(format!("{rest}{query}"), token, None).await?;
            let first = self.stack.variable("REST_URL")?;
            let here = self.ask(format!("{first}{query}"), token, None).await?;
            if there != here || there.1[0]["id"] != id {
                section.failures.push(format!(
                    "at {at} the replica has {there:?}, and the primary {here:?}"
                ));
            }
        }
        section.count(
            "orders found at the replica at their writer's LSN",
            LOOKED_FOR,
        );
        section.count("of them not there yet when it was asked first", late);

        caught_up(&primary, &replica).await?;
        for (url, names) in [
            (
                self.stack.variable("REST_URL")?,
                vec![
                    "replicas 1",
                    "replica_lag_bytes{replica=\"replica\"} ",
                    "replica_lag_seconds{replica=\"replica\"} ",
                ],
            ),
            (rest, vec!["replicas 0"]),
        ] {
            let (_, body) = self
                .ask(format!("{url}/rpc/metrics"), service, None)
                .await?;
            let text = body.as_str().unwrap_or_default();
            for name in names {
                if !text.contains(&format!("\ninterlock_{name}")) {
                    section
                        .failures
                        .push(format!("no {name:?} in the metrics of {url}: {text}"));
                }
            }
        }
        Ok(())
    }

    /// Who reads at the replica by the typed client finds what they have bought: at the primary while the replica does not have it, though
    /// who simply asks the replica does not find it; at the replica as soon as it has it. Also where a commit is answered before it is on the disk.
    async fn own_writes(&self, section: &mut Section) -> Result<()> {
        let (primary, replica) = (self.primary().await?, self.replica().await?);
        let shop = Shop::open(&self.stack, BUYERS).await?;
        caught_up(&primary, &replica).await?;
        let cart = shop.cart();
        let product = cart["cart_items"][0]["product_id"].as_str();
        let product: Uuid = product.context("a cart has a product")?.parse()?;
        let mut reader = Reader::start(&self.stack, shop.token(0), product)?;
        let first = reader.look("read").await?;
        let there = first.available;
        let mut seen = vec![("before", first, Stock::new(there, "replica"))];

        replica.execute("select pg_wal_replay_pause()", &[]).await?;
        reached(async || {
            let query = "select pg_get_wal_replay_pause_state()";
            let state: String = replica.query_one(query, &[]).await?.get(0);
            anyhow::ensure!(state == "paused", "the replay is {state}");
            Ok(())
        })
        .await?;
        reader.write("buy").await?;
        let left = there - 1;
        let naive = reader.look("naive").await?;
        seen.push(("without the client", naive, Stock::new(there, "replica")));
        let own = reader.look("read").await?;
        seen.push(("by the client", own, Stock::new(left, "primary")));
        reader.ask("wait").await?;
        replica
            .execute("select pg_wal_replay_resume()", &[])
            .await?;
        committed(&primary).await?;
        let waited = reader.found().await?;
        seen.push(("waiting", waited, Stock::new(left, "replica")));
        let again = reader.look("read").await?;
        seen.push(("afterwards", again, Stock::new(left, "replica")));

        commit_waits(&primary, false).await?;
        let mut at_the_primary = 1;
        for number in 0..LOOKED_FOR {
            let (deed, left) = match number % 2 {
                0 => ("cancel", left + 1),
                _ => ("buy", left),
            };
            reader.write(deed).await?;
            let own = reader.look("read").await?;
            at_the_primary += u64::from(own.at == "primary");
            let expected = Stock::new(left, &own.at);
            seen.push(("of an asynchronous commit", own, expected));
        }
        commit_waits(&primary, true).await?;
        committed(&primary).await?;
        caught_up(&primary, &replica).await?;
        let last = reader.look("read").await?;
        seen.push(("at last", last, Stock::new(left, "replica")));

        for (when, found, expected) in seen {
            if found != expected {
                section.failures.push(format!(
                    "beside a replica an app reads {when} {found:?}, not {expected:?}"
                ));
            }
        }
        section.count(
            "own writes read by the typed client beside a replica",
            LOOKED_FOR + 1,
        );
        section.count("of them read at the primary", at_the_primary);
        Ok(())
    }

    /// A function that writes is refused there: by its API, and by an edge function whose API has the replica behind it.
    async fn writes_are_refused(&self, section: &mut Section) -> Result<()> {
        let rest = self.stack.variable("INTERLOCK_REPLICA_REST_URL")?;
        let shop = Shop::open(&self.stack, BUYERS).await?;
        caught_up(&self.primary().await?, &self.replica().await?).await?;
        let (token, cart) = (shop.token(0), shop.cart());
        let arguments = json!({ "p_cart_items": cart["cart_items"] });
        let url = format!("{rest}/rpc/checkout");
        let (_, body) = self.ask(url, token, Some(&arguments)).await?;
        let said = body["message"].as_str().unwrap_or_default();
        let is_told = match body["code"].as_str() {
            Some("25006") => true,
            Some("0A000") => said.contains("during recovery"),
            _ => false,
        };
        if !is_told {
            let failure = format!("checkout writes, and the API of a replica answers {body}");
            section.failures.push(failure);
        }
        self.way.turn(Some(self.replica_port));
        let url = format!(
            "{}/{}",
            self.stack.variable("FUNCTIONS_URL")?,
            CHECKOUT.function
        );
        let told = reached(async || {
            let (status, body) = self.ask(url.clone(), token, Some(&cart)).await?;
            // The API finds out one by one that its connections are gone.
            anyhow::ensure!(
                status == 503 && body["error"] == "READ_ONLY" && body["retryable"] == false,
                "before a replica the function answers {status} {body}"
            );
            Ok(())
        });
        if let Err(error) = told.await {
            section.failures.push(format!("{error:#}"));
        }
        self.way.turn(Some(self.db_port));
        Ok(())
    }

    /// A storm, in the middle of which the server is killed; the replica takes over, and everybody gets their answer. Gives
    /// how many were answered by the time that the server was gone. `before` says when to kill.
    async fn drill(
        &self,
        shop: &Shop,
        seen: &Seen,
        before: impl Future<Output = ()>,
    ) -> Result<u64> {
        let strike = async {
            before.await;
            self.stack.kill("postgres")?;
            // The stack starts it again, and nobody may find it: the shop would have two truths.
            self.way.turn(None);
            self.line.turn(None);
            let settled = seen.settled().len();
            let promoted = self.replica().await?;
            promoted.execute("select pg_promote(true, 20)", &[]).await?;
            self.way.turn(Some(self.replica_port));
            anyhow::Ok(settled as u64)
        };
        let drill = async { tokio::join!(strike, shop.rage(seen)) };
        let (settled, raged) = tokio::time::timeout(DRILL, drill)
            .await
            .with_context(|| format!("the drill is not over after {DRILL:?}"))?;
        raged?;
        settled
    }

    /// Without waiting for the replica: what it had not heard of is lost, exactly that, and its keys are answered anew.
    async fn asynchronous(&self, section: &mut Section) -> Result<()> {
        let shop = Shop::open(&self.stack, BUYERS).await?.rough();
        caught_up(&self.primary().await?, &self.replica().await?).await?;
        let seen = Seen::default();
        let cut = async {
            seen.bought(BEFORE).await;
            self.line.turn(None);
            seen.bought(BEFORE + UNHEARD).await;
        };
        let old = log_position(&self.primary().await?).await?;
        let known = self.drill(&shop, &seen, cut).await?;
        let now = self.replica().await?;
        let new = log_position(&now).await?;
        if new["is_replica"] != false || new["timeline"].as_i64() <= old["timeline"].as_i64() {
            let failure =
                format!("who follows a log from {old} cannot tell that {new} is another one");
            section.failures.push(failure);
        }
        let there = shop.stored(&now).await?;
        let (lost, kept): (Vec<Settled>, Vec<Settled>) = seen
            .settled()
            .into_iter()
            .partition(|one| one.told.is_ok() && !there.contains_key(&one.key));
        let failures = &mut section.failures;
        failures.extend(seen.failures());
        // Each client may have had one on its way when the line was cut.
        let least = usize::try_from(UNHEARD)? - BUYERS.clients;
        if lost.len() < least {
            let lost = lost.len();
            failures.push(format!(
                "the drill lost {lost} orders, not {least} at least"
            ));
        }
        failures.extend(shop.kept(&now, &kept).await?);
        // What the old server has and the new one has not is what an operator can find out.
        let old = reached(async || self.primary().await).await?;
        let before = shop.stored(&old).await?;
        let strangers = lost
            .iter()
            .filter(|one| before.get(&one.key) != one.told.as_ref().ok())
            .count();
        if strangers > 0 {
            failures.push(format!("{strangers} lost orders are not the old server's"));
        }
        failures.extend(invariants::broken(&now, None).await?);
        failures.extend(shop.ask_again(&kept).await?);
        let (anew, more) = shop.ask_anew(&lost).await;
        failures.extend(more);
        let all = [kept, anew].concat();
        failures.extend(shop.check(&now, &all).await?);
        failures.extend(shop.ask_again(&all).await?);
        failures.extend(audited(&now).await?);
        section.count(
            "orders answered when the server was killed, asynchronous",
            known,
        );
        section.count(
            "of them lost, each found by its key and answered anew",
            lost.len() as u64,
        );
        Ok(())
    }

    /// With a replica that is waited for nothing is lost that anybody was told.
    async fn synchronous(&self, section: &mut Section) -> Result<()> {
        let primary = self.primary().await?;
        primary
            .batch_execute("alter system set synchronous_standby_names = 'replica'")
            .await?;
        primary.batch_execute("select pg_reload_conf()").await?;
        reached(async || {
            let query = "select coalesce(min(sync_state), 'away') from pg_stat_replication";
            let state: String = primary.query_one(query, &[]).await?.get(0);
            anyhow::ensure!(state == "sync", "the replica is {state}");
            Ok(())
        })
        .await?;
        let shop = Shop::open(&self.stack, BUYERS).await?.rough();
        let seen = Seen::default();
        let known = self
            .drill(&shop, &seen, seen.bought(BEFORE + UNHEARD))
            .await?;
        let now = self.replica().await?;
        let settled = seen.settled();
        let failures = &mut section.failures;
        failures.extend(seen.failures());
        failures.extend(shop.check(&now, &settled).await?);
        failures.extend(shop.ask_again(&settled).await?);
        failures.extend(shop.check(&now, &settled).await?);
        failures.extend(audited(&now).await?);
        section.count(
            "orders answered when the server was killed, synchronous, none lost",
            known,
        );
        section.count(
            "keys asked once more of the replica that took over",
            settled.len() as u64,
        );
        Ok(())
    }
}

/// What the product's own audit finds.
async fn audited(db: &Client) -> Result<Option<String>> {
    let row = db
        .query_one("select public.audit_inventory()::jsonb", &[])
        .await
        .context("the audit does not run")?;
    let report: Value = row.get(0);
    Ok((report["open_findings"] != 0).then(|| format!("the audit finds {report}")))
}

/// Where the log of a server is now: who has been answered by then is before that.
async fn now_at(primary: &Client) -> Result<String> {
    let query = "select pg_current_wal_flush_lsn()::text";
    Ok(primary.query_one(query, &[]).await?.get(0))
}

async fn is_at(replica: &Client, at: &str) -> Result<bool> {
    let query = "select pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
    Ok(replica.query_one(query, &[&at]).await?.get(0))
}

/// What the product says of the log of a server.
async fn log_position(db: &Client) -> Result<Value> {
    let row = db.query_one("select public.log_position()", &[]).await?;
    Ok(row.get(0))
}

/// Somebody commits something: with that, all that is in the log goes to the replica.
async fn committed(primary: &Client) -> Result<()> {
    let query = "select pg_logical_emit_message(true, 'test', '')";
    primary.execute(query, &[]).await?;
    Ok(())
}

/// Whether a commit is on the disk when it is answered.
async fn commit_waits(primary: &Client, waits: bool) -> Result<()> {
    let setting = if waits { "on" } else { "off" };
    let query = format!("alter system set synchronous_commit = {setting}");
    primary.batch_execute(&query).await?;
    primary.batch_execute("select pg_reload_conf()").await?;
    reached(async || {
        let now: String = primary
            .query_one("show synchronous_commit", &[])
            .await?
            .get(0);
        anyhow::ensure!(now == setting, "synchronous_commit is {now}");
        Ok(())
    })
    .await
}

/// Waits until the replica has everything that is committed now.
async fn caught_up(primary: &Client, replica: &Client) -> Result<()> {
    let at = now_at(primary).await?;
    reached(async || {
        anyhow::ensure!(
            is_at(replica, &at).await?,
            "the replica does not come to {at}"
        );
        Ok(())
    })
    .await
}

/// Tries until it works.
async fn reached<T>(what: impl AsyncFn() -> Result<T>) -> Result<T> {
    let begun = Instant::now();
    loop {
        match what().await {
            Err(error) if begun.elapsed() > PATIENCE => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            done => return done,
        }
    }
}
