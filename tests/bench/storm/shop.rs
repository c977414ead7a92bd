//! A stack whose API has few connections and whose disk is slow, with something to sell.

use super::{HOT_CLIENTS, Path};
use crate::rows;
use anyhow::{Context, Result, bail};
use interlock_tests::harness::stack::{sign, user_claims};
use reqwest::{Method, Request, header};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// Connections of the API.
const POOL: usize = 10;
const COLD_PRODUCTS: usize = 2000;
/// More than a run can sell.
const STOCK: i32 = 10_000_000;
/// Of the hot product that has them: enough for every connection to find one of its own.
const SLOTS: i32 = 16;

/// What is bought.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Product {
    /// Any of many.
    Cold,
    Hot,
    HotInSlots,
    /// One that the gate stands before: only the function knows it.
    HotBehindGate,
    /// One that the peer keeps the stock of.
    PeerHot,
}

/// Who buys.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Buyers {
    Cold,
    Hot,
}

/// The shop, for as long as it is not closed.
pub(crate) struct Shop {
    variables: BTreeMap<String, String>,
    /// The stack's processes, by the names of its parts.
    pub(crate) pids: BTreeMap<String, u32>,
    /// Of each buyer.
    pub(crate) tokens: Vec<String>,
    /// Products of which everybody has enough.
    pub(crate) cold: Vec<Uuid>,
    hot: Uuid,
    hot_in_slots: Uuid,
    gated: Uuid,
    peer_hot: Uuid,
    admin: Client,
    // The stack's guard stops it when this closes, however this process ends.
    leash: ChildStdin,
    guard: Child,
}

impl Shop {
    /// Starts the stack and fills the shop for so many buyers.
    pub(crate) async fn open(buyers: usize) -> Result<Self> {
        let program = std::env::var_os("INTERLOCK_STACK").context(
            "INTERLOCK_STACK does not say which program starts a stack: use `npm run bench`",
        )?;
        let (guard, leash, variables, pids) = start(PathBuf::from(program)).await?;
        let admin = connect(&variables).await?;
        slow_down(&admin).await?;
        rows::lift_limits(&admin).await?;
        let users = uuids(buyers);
        admin
            .execute(
                "insert into auth.users (id, aud, role, email)
                 select id, 'authenticated', 'authenticated', id || '@bench.example'
                 from unnest($1::uuid[]) as id",
                &[&users],
            )
            .await?;
        let cold = uuids(COLD_PRODUCTS);
        let [hot, hot_in_slots, peer_hot] = [(); 3].map(|()| Uuid::new_v4());
        add_products(&admin, "interlock.products", &cold).await?;
        let gated = variable(&variables, "INTERLOCK_LOCK_PRODUCTS")?.parse()?;
        add_products(&admin, "interlock.products", &[hot, hot_in_slots, gated]).await?;
        admin
            .execute(
                "select public.set_stock_slots($1, $2)",
                &[&hot_in_slots, &SLOTS],
            )
            .await?;
        add_peer(&admin, peer_hot).await?;
        let secret = variable(&variables, "JWT_SECRET")?;
        let tokens = users
            .iter()
            .map(|user| sign(&user_claims(*user), secret))
            .collect();
        let shop = Shop {
            tokens,
            cold,
            hot,
            hot_in_slots,
            gated,
            peer_hot,
            admin,
            variables,
            pids,
            leash,
            guard,
        };
        shop.wait_for_peer().await?;
        Ok(shop)
    }

    /// Has the peers sell the cold products, too, by the reports' own checkout.
    pub(crate) async fn add_reported(&self) -> Result<()> {
        rows::add_peers(&self.admin, &[include_str!("../peers/request.sql")]).await?;
        add_products(&self.admin, "bench_peers.products", &self.cold).await?;
        rows::vacuum_what_has_rows(&self.admin).await?;
        self.admin
            .batch_execute("notify pgrst, 'reload schema'")
            .await?;
        let address = format!("{}/rest/v1/bench_products?limit=1", self.told("API_URL")?);
        let http = reqwest::Client::new();
        let mut again = tokio::time::interval(Duration::from_millis(100));
        for _ in 0..100 {
            again.tick().await;
            let request = http.get(&address).bearer_auth(&self.tokens[0]);
            let request = request.header("apikey", self.told("ANON_KEY")?);
            if request.send().await?.status().is_success() {
                return Ok(());
            }
        }
        bail!("the API does not find the peer's tables")
    }

    /// What the stack tells of itself.
    pub(crate) fn told(&self, name: &str) -> Result<&str> {
        variable(&self.variables, name)
    }

    /// Says how many checkouts of one product may run at a time.
    pub(crate) async fn limit(&self, checkouts: Option<i32>) -> Result<()> {
        let update = "update interlock.settings set checkouts_per_product = $1";
        self.admin.execute(update, &[&checkouts]).await?;
        Ok(())
    }

    /// The next checkout of a client: one unit under a key of its own.
    pub(crate) fn checkout(
        &self,
        path: Path,
        buyers: Buyers,
        client: usize,
        product: Product,
    ) -> Result<Request> {
        let product = match product {
            Product::Cold => self.cold[Uuid::new_v4().as_u128() as usize % self.cold.len()],
            Product::Hot => self.hot,
            Product::HotInSlots => self.hot_in_slots,
            Product::HotBehindGate => self.gated,
            Product::PeerHot => self.peer_hot,
        };
        let key = Uuid::new_v4().to_string();
        let cart = json!([{ "product_id": product, "quantity": 1 }]);
        let arguments = json!({ "p_cart_items": cart, "p_idempotency_key": key });
        let (address, body) = match path {
            Path::Function => ("/functions/v1/checkout", json!({ "cart_items": cart })),
            Path::Rpc => ("/rest/v1/rpc/checkout", arguments),
            Path::PeerRpc => ("/rest/v1/rpc/bench_select_for_update", arguments),
        };
        let api = variable(&self.variables, "API_URL")?;
        let mut request = Request::new(Method::POST, format!("{api}{address}").parse()?);
        let headers = request.headers_mut();
        let client = match buyers {
            Buyers::Hot => client,
            Buyers::Cold => HOT_CLIENTS + client,
        };
        let authorization = format!("Bearer {}", self.tokens[client]);
        headers.insert(header::AUTHORIZATION, authorization.parse()?);
        headers.insert(header::CONTENT_TYPE, "application/json".parse()?);
        headers.insert("apikey", variable(&self.variables, "ANON_KEY")?.parse()?);
        if matches!(path, Path::Function) {
            headers.insert("idempotency-key", key.parse()?);
        }
        *request.body_mut() = Some(body.to_string().into());
        Ok(request)
    }

    /// Returns when the API has noticed that the peer is there.
    async fn wait_for_peer(&self) -> Result<()> {
        let http = reqwest::Client::new();
        let mut again = tokio::time::interval(Duration::from_millis(100));
        for _ in 0..100 {
            again.tick().await;
            let request = self.checkout(Path::PeerRpc, Buyers::Hot, 0, Product::PeerHot)?;
            if http.execute(request).await?.status().is_success() {
                return Ok(());
            }
        }
        bail!("the API does not find the peer's function")
    }

    /// Stops the stack and waits until it has stopped.
    pub(crate) async fn close(self) -> Result<()> {
        let Shop {
            leash, mut guard, ..
        } = self;
        drop(leash);
        guard.wait().await?;
        Ok(())
    }
}

fn uuids(count: usize) -> Vec<Uuid> {
    (0..count).map(|_| Uuid::new_v4()).collect()
}

type Started = (
    Child,
    ChildStdin,
    BTreeMap<String, String>,
    BTreeMap<String, u32>,
);

async fn start(program: PathBuf) -> Result<Started> {
    let folder = program
        .ancestors()
        .nth(2)
        .context("the stack's program lies in the target directory")?
        .join("storm-stack");
    let log = folder.with_extension("log");
    let mut guard = Command::new(&program)
        .args(["guard", "--stop", "term", "--pid-file"])
        .arg(folder.with_extension("pid"))
        .arg("--lock-file")
        .arg(folder.with_extension("lock"))
        .arg("--")
        .arg(&program)
        .args([
            "up",
            "--fresh",
            "--no-seed",
            "--no-storage",
            "--json",
            "--with=redis",
        ])
        .args(["--api-port=0", "--db-port=0"])
        .arg(format!("--api-pool={POOL}"))
        .arg("--dir")
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::create(&log).with_context(|| format!("cannot write {}", log.display()))?)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let leash = guard.stdin.take().context("its input is piped")?;
    let stdout = guard.stdout.take().context("its output is piped")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).await?;
    let status: Value = serde_json::from_str(&line).with_context(|| {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        format!("the stack for the storm did not start; it said:\n{said}")
    })?;
    let variables = status
        .as_object()
        .context("a status is an object")?
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect();
    let pids = serde_json::from_value(status["pids"].clone()).context("the parts' processes")?;
    Ok((guard, leash, variables, pids))
}

fn variable<'a>(variables: &'a BTreeMap<String, String>, name: &str) -> Result<&'a str> {
    let value = variables.get(name).map(String::as_str);
    value.with_context(|| format!("the stack does not tell {name}"))
}

/// A session of the superuser, who alone may slow commits down.
async fn connect(variables: &BTreeMap<String, String>) -> Result<Client> {
    let url = variable(variables, "INTERLOCK_ADMIN_DB_URL")?;
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Every commit takes two milliseconds longer, as on a disk in a network, in sessions that are open
/// already too; commits of the same moment share them.
async fn slow_down(admin: &Client) -> Result<()> {
    for statement in [
        "alter system set commit_delay = 2000",
        "alter system set commit_siblings = 0",
        "select pg_reload_conf()",
    ] {
        admin.batch_execute(statement).await?;
    }
    Ok(())
}

async fn add_products(admin: &Client, table: &str, ids: &[Uuid]) -> Result<()> {
    let insert = format!(
        "insert into {table} (id, name, price, currency, available_quantity)
         select id, 'bench ' || id, 700, 'USD', {STOCK} from unnest($1::uuid[]) as id"
    );
    admin.execute(&insert, &[&ids]).await?;
    Ok(())
}

/// The incident reports' own checkout, where the API finds it.
async fn add_peer(admin: &Client, hot: Uuid) -> Result<()> {
    let peers = [
        include_str!("../peers/schema.sql"),
        include_str!("../peers/select_for_update.sql"),
        include_str!("../peers/storm.sql"),
    ];
    rows::add_peers(admin, &peers).await?;
    add_products(admin, "bench_peers.products", &[hot]).await
}
