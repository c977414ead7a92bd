//! Moves a shop from one database to another while it sells: nothing that was answered is lost, and the two never sell at the same time.
//!
//! A request of a shop holds an advisory lock, shared, until its transaction ends, and looks at the shop's state once it has it
//! (interlock.find_shop). So whoever has said `moving` and then has that lock alone knows that all who were let in have ended, and that
//! nobody is let in any more. Jobs do not ask; what one does meanwhile is in the snapshot that is copied, or is done again at the target.

mod accounts;
mod copy;
mod forget;
mod leave;
mod session;
mod tables;

use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use tokio_postgres::Client;

pub use self::forget::forget;
use self::session::connect;
use self::tables::{Kept, Table};

/// How long the requests that are under way may take to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// What only one may hold who moves this shop.
const MOVER: &str = "hashtext('interlock move of shop')";

/// A shop, and where it goes.
#[derive(Clone, Debug)]
pub struct Move {
    shop: i32,
    from: String,
    to: String,
    ca: Option<PathBuf>,
    again: bool,
    waits: bool,
    patience: Duration,
}

/// What has become of it.
#[derive(Clone, Debug)]
pub struct Moved {
    /// What a request may call it.
    pub handle: String,
    /// Rows of all tables.
    pub rows: u64,
    /// How long it was refused.
    pub refused: Duration,
}

/// Tells a person, or nobody, what is done next.
pub type Tell<'a> = &'a (dyn Fn(&str) + Send + Sync);

impl Move {
    /// From one database to another, by their addresses, which must not be those of a pooler in transaction mode.
    pub fn new(shop: i32, from: &str, to: &str) -> Self {
        Self {
            shop,
            from: from.to_owned(),
            to: to.to_owned(),
            ca: None,
            again: false,
            waits: true,
            patience: PATIENCE,
        }
    }

    /// The file with the certificates (PEM) of those who vouch for the two databases, without which none is reached over a network.
    #[must_use]
    pub fn ca(self, ca: Option<PathBuf>) -> Self {
        Self { ca, ..self }
    }

    /// Also if it is said to be moving: by a try that was killed, and not because it is somewhere else.
    #[must_use]
    pub fn again(self, again: bool) -> Self {
        Self { again, ..self }
    }

    /// Give requests so much time to end.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Do not wait until requests have ended, which loses what they do. For the proof, which has to notice.
    #[must_use]
    pub fn without_waiting(self) -> Self {
        Self {
            waits: false,
            ..self
        }
    }

    /// Moves it. An error means that it is where it was, as it was, unless it says otherwise. `stop` may end it while that is still so.
    pub async fn run(&self, tell: Tell<'_>, stop: impl Future<Output = ()>) -> Result<Moved> {
        let source = self.connect(&self.from).await.context("the source")?;
        let target = self.connect(&self.to).await.context("the target")?;
        tell("comparing the two databases");
        let tables = tables::same(&source, &target).await?;
        let (handle, state) = self.look(&source).await?;
        self.take_turn(&source).await?;
        self.is_free(&target, &handle, &tables).await?;
        accounts::are_there(&source, &target, self.shop).await?;
        leave::has_no_links(&source, self.shop).await?;

        tell("refusing what is new: state moving at the source");
        let closed = Instant::now();
        set_state(&source, self.shop, "moving").await?;
        let work = self.bring(&source, &target, tables, &state, tell);
        let brought = tokio::select! {
            brought = work => brought,
            () = stop => Err(anyhow!("it was told to stop")),
        };
        let rows = match brought {
            Ok(rows) => rows,
            Err(error) => {
                // What is under way there, and the locks, end with their sessions.
                drop((source, target));
                return self.put_back(&state, error).await;
            }
        };
        if let Err(error) = target.batch_execute("commit").await {
            drop(target);
            if !self.has_come(&error).await? {
                drop(source);
                return self.put_back(&state, error.into()).await;
            }
        }
        let refused = closed.elapsed();
        tell(&format!("{state} at the target"));
        Ok(Moved {
            handle,
            rows,
            refused,
        })
    }

    async fn connect(&self, url: &str) -> Result<Client> {
        connect(url, self.ca.as_deref()).await
    }

    /// Its handle and its state, which is what the target gets.
    async fn look(&self, source: &Client) -> Result<(String, String)> {
        let query = "select s.handle::text, s.state::text from interlock.shops s where s.id = $1";
        let row = source.query_opt(query, &[&self.shop]).await?;
        let row = row.with_context(|| format!("there is no shop {} at the source", self.shop))?;
        let (handle, state): (String, String) = (row.get(0), row.get(1));
        match state.as_str() {
            "moving" if self.again => Ok((handle, "open".to_owned())),
            "moving" => bail!(
                "shop {} is moving already: it has gone to another database, and --forget removes what is left; or a try was killed, \
                 and --again repeats it. Look first that no other database has it",
                self.shop
            ),
            _ => Ok((handle, state)),
        }
    }

    async fn take_turn(&self, source: &Client) -> Result<()> {
        let query = format!("select pg_try_advisory_lock({MOVER}, $1)");
        let is_ours: bool = source.query_one(&query, &[&self.shop]).await?.get(0);
        anyhow::ensure!(is_ours, "somebody else is moving shop {}", self.shop);
        Ok(())
    }

    /// Nothing of it may be at the target but its name, left by an earlier try.
    async fn is_free(&self, target: &Client, handle: &str, tables: &[Table]) -> Result<()> {
        let query = "select s.id, s.state::text from interlock.shops s where s.id = $1 or s.handle::text = $2";
        for row in target.query(query, &[&self.shop, &handle]).await? {
            let (id, state): (i32, String) = (row.get(0), row.get(1));
            if id != self.shop {
                bail!("shop {id} of the target is called {handle}, too");
            }
            if state != "moving" {
                bail!("the target has a shop {id}, which is {state}");
            }
        }
        for table in tables.iter().filter(|table| !table.is_list()) {
            if table.has_rows(target, self.shop).await? {
                bail!(
                    "{} of the target has rows of shop {}: --forget there first",
                    table.name,
                    self.shop
                );
            }
        }
        Ok(())
    }

    /// Everything up to the commit at the target, whose transaction stays open.
    async fn bring(
        &self,
        source: &Client,
        target: &Client,
        tables: Vec<Table>,
        state: &str,
        tell: Tell<'_>,
    ) -> Result<u64> {
        if self.waits {
            tell("waiting until the requests that were let in have ended");
            leave::wait(source, self.shop, self.patience).await?;
        }
        leave::make_deliveries(source, self.shop, self.waits).await?;
        accounts::are_there(source, target, self.shop).await?;

        // Ids of transactions mean nothing elsewhere. This one has ended before anything is copied.
        let query = "select pg_current_xact_id()::text";
        let ended: String = target.query_one(query, &[]).await?.get(0);
        source
            .batch_execute("begin isolation level repeatable read, read only")
            .await?;
        target
            .batch_execute("begin; set local session_replication_role = replica; set local lock_timeout = '10s'")
            .await
            .context("triggers must not write ledgers again, so they have to be switched off")?;
        let query = format!("select pg_advisory_xact_lock({MOVER}, $1)");
        target.execute(&query, &[&self.shop]).await?;
        let query = "select pg_current_snapshot()::text";
        let snapshot: String = target.query_one(query, &[]).await?.get(0);
        let kept = Kept {
            transaction: &ended,
            snapshot: &snapshot,
            state,
        };
        target
            .execute(
                "delete from interlock.shops s where s.id = $1",
                &[&self.shop],
            )
            .await?;
        tell("copying");
        let mut rows = 0;
        for table in &tables {
            let copied = table.copy(source, target, self.shop, &kept).await;
            rows += copied.with_context(|| format!("copying {}", table.name))?;
        }
        tell(&format!("{rows} rows copied; comparing"));
        copy::compare(source, target, &tables, self.shop).await?;
        copy::raise_sequences(source, target, &tables, self.shop).await?;
        Ok(rows)
    }

    /// Whether the target has it after all, once the transaction that brought it has ended in one way or the other.
    async fn has_come(&self, error: &tokio_postgres::Error) -> Result<bool> {
        let asked = async {
            let target = self.connect(&self.to).await?;
            target.batch_execute("set lock_timeout = '30s'").await?;
            let query = format!("select pg_advisory_lock({MOVER}, $1)");
            target.execute(&query, &[&self.shop]).await?;
            let query = "select exists (select from interlock.shops s where s.id = $1)";
            anyhow::Ok(target.query_one(query, &[&self.shop]).await?.get(0))
        };
        asked.await.with_context(|| {
            format!(
                "the target was lost at the commit ({error}), and nobody knows whether shop {0} is there. It stays `moving` at the source. \
                 If the target has it, all is done; if not, `select interlock.set_shop({0}, 'open')` at the source",
                self.shop
            )
        })
    }

    async fn put_back(&self, state: &str, error: anyhow::Error) -> Result<Moved> {
        let back = async {
            let source = self.connect(&self.from).await?;
            set_state(&source, self.shop, state).await
        };
        match back.await {
            Ok(()) => Err(error.context(format!("shop {} was not moved, and is {state} at the source", self.shop))),
            Err(second) => Err(error.context(format!(
                "shop {0} was not moved, and is still `moving` at the source ({second:#}): `select interlock.set_shop({0}, '{state}')`",
                self.shop
            ))),
        }
    }
}

async fn set_state(source: &Client, shop: i32, state: &str) -> Result<()> {
    let query = "select interlock.set_shop($1, $2)";
    source.execute(query, &[&shop, &state]).await?;
    Ok(())
}
