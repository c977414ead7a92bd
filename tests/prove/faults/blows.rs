//! What strikes the stack while the clients are at work, one row for each kind.

use super::cards::Cards;
use super::clients::{Goods, Ledger};
use super::proxy::Strike;
use super::site::{Own, POOL, Site};
use crate::prove::own_stack::crash;
use anyhow::{Context, Result};
use interlock_domain::FUNCTIONS;
use rand::RngExt as _;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;

/// One kind of fault.
pub(crate) struct Fault {
    /// For people.
    pub(crate) name: &'static str,
    blow: Blow,
}

/// Where a proxy stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between client and gateway.
    Front,
    /// Between functions and gateway.
    Functions,
    /// Between API and database, where it sees a transaction's end.
    Database,
}

/// What is done.
#[derive(Clone, Copy)]
enum Blow {
    /// Requests at a proxy meet this.
    Requests(Place, Strike),
    /// `kill -9` of a part.
    Kill(&'static str),
    /// `kill -9` of one backend: Postgres then restarts all of them.
    KillBackend,
    /// `pg_terminate_backend` for every connection of the API.
    TerminateBackends,
    /// The database refuses new connections, and those it had are gone.
    NoConnections,
    /// Every connection of the API hangs in its commit.
    FullPool,
    /// Another session holds the rows that everybody needs.
    HeldLock,
    /// The gateway's answer takes the place of the API's, after the commit or instead of the request.
    Gateway { acts: bool },
    /// Requests for a payment by card meet this at its provider.
    Provider(Answer),
}

/// What becomes of a request at the payment provider.
#[derive(Clone, Copy)]
enum Answer {
    /// It takes effect, and nobody is told.
    Lost,
    /// It takes effect, and an error is what is told.
    Error,
    /// It takes effect, later than the function waits.
    Late,
}

const LATE: Duration = Duration::from_millis(300);

/// Every kind; each is tried alone first.
pub(crate) static FAULTS: LazyLock<Vec<Fault>> = LazyLock::new(|| {
    let of_functions = FUNCTIONS.iter().map(|function| Fault {
        name: format!("the function {} is killed", function.name).leak(),
        blow: Blow::Kill(function.name),
    });
    of_parts().into_iter().chain(of_functions).collect()
});

/// What can happen to the parts that are always there.
fn of_parts() -> Vec<Fault> {
    vec![
        requests(
            "client to gateway: the request is lost",
            Place::Front,
            Strike::LoseRequest,
        ),
        requests(
            "client to gateway: the answer is lost after the commit",
            Place::Front,
            Strike::LoseAnswer,
        ),
        requests(
            "client to gateway: the request arrives twice",
            Place::Front,
            Strike::Twice,
        ),
        requests(
            "client to gateway: the answer is late",
            Place::Front,
            Strike::DelayAnswer(LATE),
        ),
        requests(
            "client to gateway: the request arrives when its sender has given up",
            Place::Front,
            Strike::HoldRequest,
        ),
        requests(
            "function to API: the request is lost",
            Place::Functions,
            Strike::LoseRequest,
        ),
        requests(
            "function to API: the answer is lost after the commit",
            Place::Functions,
            Strike::LoseAnswer,
        ),
        requests(
            "function to API: the request arrives twice",
            Place::Functions,
            Strike::Twice,
        ),
        requests(
            "function to API: the answer is late",
            Place::Functions,
            Strike::DelayAnswer(LATE),
        ),
        requests(
            "function to API: the request arrives when its sender has given up",
            Place::Functions,
            Strike::HoldRequest,
        ),
        requests(
            "API to database: the commit is lost",
            Place::Database,
            Strike::LoseRequest,
        ),
        requests(
            "API to database: the answer to the commit is lost",
            Place::Database,
            Strike::LoseAnswer,
        ),
        requests(
            "API to database: the answer to the commit is late",
            Place::Database,
            Strike::DelayAnswer(LATE),
        ),
        Fault {
            name: "a backend of Postgres is killed",
            blow: Blow::KillBackend,
        },
        Fault {
            name: "the API's connections are terminated",
            blow: Blow::TerminateBackends,
        },
        Fault {
            name: "Postgres is killed",
            blow: Blow::Kill("postgres"),
        },
        Fault {
            name: "the API is killed",
            blow: Blow::Kill("api"),
        },
        Fault {
            name: "the database refuses connections",
            blow: Blow::NoConnections,
        },
        Fault {
            name: "the API's connection pool is full",
            blow: Blow::FullPool,
        },
        Fault {
            name: "another session holds the locks",
            blow: Blow::HeldLock,
        },
        Fault {
            name: "the gateway says 503 after the commit",
            blow: Blow::Gateway { acts: true },
        },
        Fault {
            name: "the gateway says 503 and passes nothing on",
            blow: Blow::Gateway { acts: false },
        },
        Fault {
            name: "payment provider: the answer is lost",
            blow: Blow::Provider(Answer::Lost),
        },
        Fault {
            name: "payment provider: it says 500 and has done it",
            blow: Blow::Provider(Answer::Error),
        },
        Fault {
            name: "payment provider: it does it when nobody waits for it",
            blow: Blow::Provider(Answer::Late),
        },
    ]
}

const fn requests(name: &'static str, place: Place, strike: Strike) -> Fault {
    Fault {
        name,
        blow: Blow::Requests(place, strike),
    }
}

impl Fault {
    /// Whether a stack that is not ours can be asked to bear it.
    pub(crate) fn needs_our_stack(&self) -> bool {
        !matches!(
            self.blow,
            Blow::Requests(Place::Front, _) | Blow::TerminateBackends | Blow::HeldLock
        )
    }

    /// Whether it breaks something that must mend by itself.
    pub(crate) fn breaks(&self) -> bool {
        !matches!(
            self.blow,
            Blow::Requests(..) | Blow::HeldLock | Blow::Gateway { .. } | Blow::Provider(_)
        )
    }

    /// What is counted, unless a proxy counts it.
    fn counts_as(&self) -> Option<&'static str> {
        match self.blow {
            // The proxy and the gateway count.
            Blow::Requests(..) | Blow::Gateway { .. } => None,
            Blow::Kill("postgres") => Some("times Postgres was killed"),
            Blow::Kill("api") => Some("times the API was killed"),
            Blow::Kill(_) => Some("times a function was killed"),
            Blow::KillBackend => Some("times a backend was killed"),
            Blow::TerminateBackends => Some("times all connections were terminated"),
            Blow::NoConnections => Some("times the database refused connections"),
            Blow::FullPool => Some("times the connection pool was full"),
            Blow::HeldLock => Some("times another session held the locks"),
            Blow::Provider(_) => Some("times the payment provider failed for a while"),
        }
    }

    /// Strikes, and returns when a fault that lasts has lasted long enough.
    pub(crate) async fn strike(&self, on: &Target<'_>, rng: &mut StdRng) -> Result<()> {
        on.ledger.requests.grows_by(rng.random_range(4..24)).await;
        match self.blow {
            Blow::Requests(place, strike) => {
                let link = match place {
                    Place::Front => &on.site.front,
                    Place::Functions => &on.own()?.functions,
                    Place::Database => &on.own()?.database,
                };
                link.arm(strike, rng.random_range(6..16));
                if strike == Strike::HoldRequest {
                    on.clients_try_again(4).await;
                    link.calm();
                }
            }
            Blow::Kill(part) => on.own()?.kill(part)?,
            Blow::KillBackend => {
                let pid: i32 = on
                    .site
                    .connect_as_admin()
                    .await?
                    .query_one(
                        "select pid from pg_stat_activity where usename = 'authenticator'
                         order by state = 'active' desc, random() limit 1",
                        &[],
                    )
                    .await
                    .context("the API has connections")?
                    .get(0);
                crash(pid)?;
            }
            Blow::TerminateBackends => on.terminate().await?,
            Blow::NoConnections => {
                on.site
                    .connect_as_admin()
                    .await?
                    .batch_execute("alter role authenticator connection limit 0")
                    .await?;
                on.terminate().await?;
                on.clients_try_again(8).await;
                on.release().await?;
            }
            Blow::FullPool => {
                on.own()?.database.arm(Strike::HoldRequest, POOL);
                on.clients_try_again(8).await;
                on.own()?.database.calm();
            }
            Blow::HeldLock => {
                let mut session = on.site.connect().await?;
                let lock = session.transaction().await?;
                lock.execute(
                    "select from interlock.products where id = any ($1) for update",
                    &[&on.goods.plenty],
                )
                .await?;
                tokio::join!(on.clients_try_again(6), tokio::time::sleep(on.hold));
                lock.rollback().await?;
            }
            Blow::Gateway { acts } => {
                let times = rng.random_range(6..16);
                let fault =
                    json!({ "times": times, "path": "/rest/v1/rpc/", "status": 503, "acts": acts });
                on.own()?.tell_gateway(Method::POST, &fault).await?;
                on.clients_try_again(4).await;
            }
            Blow::Provider(answer) => {
                let fault = match answer {
                    Answer::Lost => json!({ "hangs_up": true }),
                    Answer::Error => json!({ "status": 500 }),
                    Answer::Late => json!({ "delay_ms": 4_000 }),
                };
                on.cards()?.fail(rng.random_range(2..6), fault).await;
                on.clients_try_again(2).await;
            }
        }
        if let Some(what) = self.counts_as() {
            on.ledger.strike(what);
        }
        Ok(())
    }
}

/// What is struck.
pub(crate) struct Target<'a> {
    /// The stack.
    pub(crate) site: &'a Site,
    /// What the clients count.
    pub(crate) ledger: &'a Ledger,
    /// What they want.
    pub(crate) goods: &'a Goods,
    /// How long a lock is held at least.
    pub(crate) hold: Duration,
    /// The payment provider.
    pub(crate) cards: Option<&'a Cards>,
}

impl Target<'_> {
    /// Ends whatever lasts, also what a strike that was given up has left behind.
    pub(crate) async fn release(&self) -> Result<()> {
        self.site.calm();
        if let Some(cards) = self.cards {
            cards.calm().await;
        }
        if let Some(own) = &self.site.own {
            let said = own.tell_gateway(Method::DELETE, &Value::Null).await?;
            for _ in 0..said["given"].as_u64().unwrap_or_default() {
                self.ledger
                    .strike("answers that the gateway gave in the API's stead");
            }
            self.site
                .connect_as_admin()
                .await?
                .batch_execute("alter role authenticator connection limit -1")
                .await?;
        }
        Ok(())
    }

    fn cards(&self) -> Result<&Cards> {
        self.cards.context("there is no payment provider")
    }

    fn own(&self) -> Result<&Own> {
        self.site.own.as_ref().context("the stack is not ours")
    }

    /// Waits until clients have felt it so many times.
    async fn clients_try_again(&self, times: u64) {
        self.ledger.again.grows_by(times).await;
    }

    async fn terminate(&self) -> Result<()> {
        self.site
            .connect_as_admin()
            .await?
            .execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'authenticator'",
                &[],
            )
            .await?;
        Ok(())
    }
}
