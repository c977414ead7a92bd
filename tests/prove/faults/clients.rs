//! The clients: each does what an app does. It has one thing in mind at a time, sends it under a key,
//! and sends it again under that key until the answer is final. What it was told is written down.

use super::cards::Cards;
use super::site::Site;
use crate::areas::delivery::calls::CLAIM_ROUTE;
use crate::areas::promo::calls::PROMO_VALIDATE;
use crate::areas::shop::calls::{CANCEL_ORDER, CHECKOUT};
use crate::areas::shop::stripe::PAYMENT_INTENT;
use crate::harness::calls::Operation;
use crate::harness::stack::{sign, user_claims};
use anyhow::Result;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

/// How long a client tries before it calls the stack dead.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long it goes on after an answer that nobody should get.
const PATIENCE_AFTER_DEFECT: Duration = Duration::from_secs(1);
/// How long it waits for one answer: longer than a function takes in the worst case.
const ANSWER: Duration = Duration::from_secs(5);

/// Refusals that end a matter. Any other answer that is neither success nor worth a repeat is a defect.
const REFUSALS: [&str; 13] = [
    "INSUFFICIENT_FUNDS",
    "INSUFFICIENT_INVENTORY",
    "TOO_MANY_OPEN_ORDERS",
    "NO_BATCH_AVAILABLE",
    "BATCH_UNAVAILABLE",
    "DRIVER_BUSY",
    "LEASE_EXPIRED",
    "BATCH_NOT_HELD",
    "ORDER_NOT_CANCELLABLE",
    "ORDER_STATE_CONFLICT",
    "PROMO_EXHAUSTED",
    "PROMO_ALREADY_APPLIED",
    "PROMO_CHANGED",
];

/// Top-ups are keyed by their reference; only the shop makes them.
pub(crate) const TOP_UP: Operation = Operation {
    function: "",
    rpc: "top_up_wallet",
};

/// A till's sale, under its reference.
pub(crate) const SELL: Operation = Operation {
    function: "",
    rpc: "decrement_inventory",
};

/// A sale at a till, of one of what is in the store. Its key is the register's, for ever.
pub(crate) const AT_TILL: Operation = Operation {
    function: "pos-sale",
    rpc: "pos_sale",
};

/// A scan at the packing table.
pub(crate) const SCAN: Operation = Operation {
    function: "pack",
    rpc: "pack_item",
};

/// What staff change in a store.
pub(crate) const MANAGE: Operation = Operation {
    function: "inventory",
    rpc: "manage_inventory",
};

/// What the shop offers.
#[derive(Clone, Debug)]
pub(crate) struct Goods {
    /// In stock for everybody.
    pub(crate) plenty: Vec<Uuid>,
    /// Soon sold out.
    pub(crate) scarce: Uuid,
    /// Has codes.
    pub(crate) digital: Uuid,
    /// In a store, as an inventory id.
    pub(crate) in_store: Uuid,
    /// A till there, which is open.
    pub(crate) register: Uuid,
    /// A picking session, and an order in it.
    pub(crate) packing: [Uuid; 2],
    /// A promo code with fewer uses than there are takers.
    pub(crate) promo: String,
}

/// Something that a client wants done once.
#[derive(Clone, Debug)]
pub(crate) struct Intent {
    /// What.
    pub(crate) operation: Operation,
    /// Through the function, or the RPC.
    pub(crate) by_function: bool,
    /// The arguments, as an app writes them.
    pub(crate) arguments: Value,
    /// The same whenever it is sent again. Without one it may be sent again by its nature.
    pub(crate) key: Option<String>,
}

/// What a client was finally told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    /// It is done; the body.
    Done(String),
    /// It is refused, with this code.
    Refused(String),
    /// Nothing final in all that time; the last answer.
    Nothing(String),
}

/// An intent and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    /// Who wanted it.
    pub(crate) user: Uuid,
    /// What.
    pub(crate) intent: Intent,
    /// The end.
    pub(crate) told: Told,
    /// Whether an earlier try may still have been on its way when the last one was answered.
    pub(crate) doubtful: bool,
}

/// What is counted and written down by all clients.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Requests sent so far; faults begin at a number of them.
    pub(crate) requests: Count,
    /// Answers, or silences, after which a client tries again.
    pub(crate) again: Count,
    /// Answers that said they were the stored one.
    pub(crate) replays: Count,
    settled: Mutex<Vec<Settled>>,
    struck: Mutex<BTreeMap<&'static str, u64>>,
    defects: Mutex<BTreeMap<String, u64>>,
}

/// A number that can be waited for.
pub(crate) struct Count(watch::Sender<u64>);

impl Default for Count {
    fn default() -> Self {
        Count(watch::channel(0).0)
    }
}

impl Count {
    fn add(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    /// The number now.
    pub(crate) fn get(&self) -> u64 {
        *self.0.borrow()
    }

    /// Returns when the number has grown by so much.
    pub(crate) async fn grows_by(&self, more: u64) {
        let goal = self.get() + more;
        let mut count = self.0.subscribe();
        // The sender lives as long as this borrow.
        let _ = count.wait_for(|count| *count >= goal).await;
    }
}

impl Ledger {
    /// Everything that is settled so far.
    pub(crate) fn settled(&self) -> Vec<Settled> {
        self.settled.lock().expect("nothing panics with it").clone()
    }

    /// Faults that have struck, those of the proxies apart.
    pub(crate) fn struck(&self) -> BTreeMap<&'static str, u64> {
        self.struck.lock().expect("nothing panics with it").clone()
    }

    /// A fault has struck.
    pub(crate) fn strike(&self, what: &'static str) {
        let mut struck = self.struck.lock().expect("nothing panics with it");
        *struck.entry(what).or_default() += 1;
    }

    /// Answers that no client should get, and how often.
    pub(crate) fn defects(&self) -> BTreeMap<String, u64> {
        self.defects.lock().expect("nothing panics with it").clone()
    }

    fn defect(&self, what: String) {
        let mut defects = self.defects.lock().expect("nothing panics with it");
        *defects.entry(what).or_default() += 1;
    }
}

/// What came of one try.
enum Try {
    Done(String),
    Refused(String),
    /// Worth another try. Whether this one may yet have its effect is not known.
    Again(String),
    /// Neither of these: a defect.
    Wrong(String),
}

/// One app with one user, who buys and drives.
pub(crate) struct Client {
    site: Arc<Site>,
    ledger: Arc<Ledger>,
    http: reqwest::Client,
    /// Whose app it is.
    pub(crate) user: Uuid,
    token: String,
    staff: String,
    service: String,
    anon: String,
    rng: StdRng,
    held: Option<Uuid>,
    open_orders: Vec<Uuid>,
    cards: Option<Arc<Cards>>,
    /// Whether something got no final answer: then the stack is broken, and that is told.
    gave_up: bool,
}

impl Client {
    /// The app of a signed-in user.
    pub(crate) fn new(
        site: Arc<Site>,
        ledger: Arc<Ledger>,
        cards: Option<Arc<Cards>>,
        user: Uuid,
        seed: u64,
    ) -> Result<Self> {
        Ok(Client {
            http: reqwest::Client::builder().timeout(ANSWER).build()?,
            token: sign(&user_claims(user), site.variable("JWT_SECRET")?),
            staff: sign(&staff_claims(user), site.variable("JWT_SECRET")?),
            service: site.variable("SERVICE_ROLE_KEY")?.to_owned(),
            anon: site.variable("ANON_KEY")?.to_owned(),
            rng: StdRng::seed_from_u64(seed),
            site,
            ledger,
            user,
            held: None,
            open_orders: Vec::new(),
            cards,
            gave_up: false,
        })
    }

    /// Does so many things, one after the other.
    pub(crate) async fn live(&mut self, things: usize, goods: &Goods) {
        for _ in 0..things {
            match self.rng.random_range(0..100) {
                0..30 => self.buy(goods).await,
                30..40 => self.buy_by_card(goods).await,
                40..50 => self.buy_with_promo(goods).await,
                50..60 => self.cancel().await,
                60..65 => self.top_up().await,
                65..75 => self.take_in_store(goods).await,
                _ => self.drive().await,
            }
            if self.gave_up {
                return;
            }
        }
    }

    /// Lines of a cart: one product, mostly one of which there is plenty.
    fn fill_cart(&mut self, goods: &Goods) -> Value {
        let product = match self.rng.random_range(0..10) {
            0 => goods.scarce,
            1 => goods.digital,
            _ => goods.plenty[self.rng.random_range(0..goods.plenty.len())],
        };
        json!([{ "product_id": product, "quantity": self.rng.random_range(1..3) }])
    }

    async fn buy(&mut self, goods: &Goods) {
        let lines = self.fill_cart(goods);
        self.check_out(json!({ "cart_items": lines })).await;
    }

    async fn buy_with_promo(&mut self, goods: &Goods) {
        let (lines, cart) = (self.fill_cart(goods), Uuid::new_v4());
        let hold = Intent {
            operation: PROMO_VALIDATE,
            by_function: true,
            arguments: json!({ "code": goods.promo, "cart_items": lines, "cart_id": cart }),
            key: None,
        };
        if let Told::Done(_) = self.settle(hold).await {
            self.check_out(
                json!({ "cart_items": lines, "cart_id": cart, "promo_code": goods.promo }),
            )
            .await;
        }
    }

    /// Sometimes the buyer gives it up in the meantime, and their money comes all the same.
    async fn buy_by_card(&mut self, goods: &Goods) {
        let Some(cards) = self.cards.clone() else {
            return self.buy(goods).await;
        };
        let wanted = json!({ "cart_items": self.fill_cart(goods), "payment_method": "card" });
        let Told::Done(body) = self.settle_keyed(CHECKOUT, wanted).await else {
            return;
        };
        let Some(order) = id(&body, "order") else {
            return;
        };
        let begin = Intent {
            operation: PAYMENT_INTENT,
            by_function: true,
            arguments: json!({ "order_id": order }),
            key: None,
        };
        let Told::Done(payment) = self.settle(begin).await else {
            return;
        };
        if self.rng.random_range(0..4) == 0 {
            self.open_orders.push(order);
            self.cancel().await;
        }
        if let Err(error) = cards.pay(&payment).await {
            self.ledger.defect(error.to_string());
        }
    }

    async fn check_out(&mut self, mut arguments: Value) {
        let method = ["wallet", "bank_transfer", "cash_on_delivery"][self.rng.random_range(0..3)];
        arguments["payment_method"] = json!(method);
        if let Told::Done(body) = self.settle_keyed(CHECKOUT, arguments).await
            && method != "wallet"
        {
            self.open_orders.extend(id(&body, "order"));
        }
    }

    async fn cancel(&mut self) {
        if let Some(order) = self.open_orders.pop() {
            self.settle_keyed(CANCEL_ORDER, json!({ "order_id": order }))
                .await;
        }
    }

    async fn top_up(&mut self) {
        let arguments = json!({
            "user_id": self.user, "amount": self.rng.random_range(1..30) * 100, "currency": "USD",
            "reference": Uuid::new_v4(),
        });
        self.settle(Intent {
            operation: TOP_UP,
            by_function: false,
            arguments,
            key: None,
        })
        .await;
    }

    /// One of what is in the store, at the till or by hand; or a scan at the packing table.
    async fn take_in_store(&mut self, goods: &Goods) {
        let stock = goods.in_store;
        match self.rng.random_range(0..5) {
            4 => {
                let [session, order] = goods.packing;
                let scan = json!({ "session_id": session, "order_id": order, "product_id": goods.plenty[0] });
                self.settle_keyed(SCAN, scan).await;
                return;
            }
            0 => {
                let lines = json!([{ "inventory_id": stock, "delta": -1 }]);
                self.settle_keyed(MANAGE, json!({ "action": "adjust", "lines": lines }))
                    .await;
                return;
            }
            1 => {}
            _ => {
                let sale = json!({
                    "register_id": goods.register, "lines": [{ "inventory_id": stock, "quantity": 1 }],
                    "tenders": [{ "type": "cash", "amount": 1000 }],
                });
                self.settle_keyed(AT_TILL, sale).await;
                return;
            }
        }
        self.settle(Intent {
            operation: SELL,
            by_function: false,
            arguments: json!({ "inventory_id": stock, "quantity": 1, "reference": Uuid::new_v4() }),
            key: None,
        })
        .await;
    }

    async fn drive(&mut self) {
        let Some(batch) = self.held else {
            if let Told::Done(body) = self.settle_keyed(CLAIM_ROUTE, json!({})).await {
                self.held = id(&body, "batch");
            }
            return;
        };
        let action = ["renew", "complete", "release"][self.rng.random_range(0..3)];
        let told = self
            .settle_keyed(CLAIM_ROUTE, json!({ "batch_id": batch, "action": action }))
            .await;
        if action != "renew" || !matches!(told, Told::Done(_)) {
            self.held = None;
        }
    }

    async fn settle_keyed(&mut self, operation: Operation, arguments: Value) -> Told {
        let intent = Intent {
            operation,
            by_function: !operation.function.is_empty() && self.rng.random_range(0..4) > 0,
            arguments,
            key: Some(Uuid::new_v4().to_string()),
        };
        self.settle(intent).await
    }

    /// Sends it until the answer is final, and writes that down.
    pub(crate) async fn settle(&mut self, intent: Intent) -> Told {
        let mut end = Instant::now() + PATIENCE;
        let mut tries = 0_u32;
        let told = loop {
            match self.send(&intent).await {
                Try::Done(body) => break Told::Done(body),
                Try::Refused(code) => break Told::Refused(code),
                Try::Again(why) | Try::Wrong(why) if Instant::now() > end => {
                    break Told::Nothing(why);
                }
                Try::Again(_) => {}
                Try::Wrong(_) => end = end.min(Instant::now() + PATIENCE_AFTER_DEFECT),
            }
            self.ledger.again.add();
            let longest = 30 << tries.min(5);
            tries += 1;
            tokio::time::sleep(Duration::from_millis(self.rng.random_range(0..longest))).await;
        };
        self.gave_up = matches!(told, Told::Nothing(_));
        let settled = Settled {
            user: self.user,
            intent,
            told: told.clone(),
            doubtful: tries > 0,
        };
        let mut all = self.ledger.settled.lock().expect("nothing panics with it");
        all.push(settled);
        told
    }

    /// Asks once more for something that is settled; the answer, and whether it said it was stored.
    pub(crate) async fn ask_again(&self, intent: &Intent) -> Result<(u16, String, bool)> {
        let answer = self.request(intent).send().await?;
        let replayed = answer.headers().contains_key("idempotent-replayed");
        Ok((answer.status().as_u16(), answer.text().await?, replayed))
    }

    fn request(&self, intent: &Intent) -> reqwest::RequestBuilder {
        let Intent {
            operation,
            arguments,
            key,
            ..
        } = intent;
        self.ledger.requests.add();
        let token = match operation.rpc {
            rpc if rpc == TOP_UP.rpc => &self.service,
            rpc if [SELL.rpc, MANAGE.rpc, AT_TILL.rpc, SCAN.rpc].contains(&rpc) => &self.staff,
            _ => &self.token,
        };
        let post = |path: String| {
            self.http
                .post(format!("{}{path}", self.site.url()))
                .header("apikey", &self.anon)
                .bearer_auth(token)
        };
        if intent.by_function {
            let request = post(format!("/functions/v1/{}", operation.function)).json(arguments);
            return match key {
                Some(key) => request.header("idempotency-key", key),
                None => request,
            };
        }
        let mut named = serde_json::Map::new();
        for (name, value) in arguments.as_object().into_iter().flatten() {
            named.insert(format!("p_{name}"), value.clone());
        }
        named.extend(
            key.iter()
                .map(|key| ("p_idempotency_key".to_owned(), json!(key))),
        );
        post(format!("/rest/v1/rpc/{}", operation.rpc)).json(&named)
    }

    async fn send(&self, intent: &Intent) -> Try {
        let answer = match self.request(intent).send().await {
            Ok(answer) => answer,
            Err(error) => return Try::Again(format!("no answer: {error}")),
        };
        let status = answer.status().as_u16();
        if answer.headers().contains_key("idempotent-replayed") {
            self.ledger.replays.add();
        }
        let body = match answer.text().await {
            Ok(body) => body,
            Err(error) => return Try::Again(format!("half an answer: {error}")),
        };
        if status == 200 {
            return Try::Done(body);
        }
        let error: Value = serde_json::from_str(&body).unwrap_or_default();
        // The catalogue's code: a field of its own from functions and gateway, the message from the RPC.
        let said = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
        let ours = error.get("retryable").is_some();
        let code = if ours { said("error") } else { said("message") };
        if REFUSALS.contains(&code.as_str()) {
            return Try::Refused(code);
        }
        let why = format!("{status} {code} {}", said("code"));
        // What PostgREST says with 5xx is passing or of unknown outcome, and the key is in the body. A
        // function and the gateway say what may be repeated; that a hold may be, only its client knows.
        let again = match (intent.by_function, &intent.key) {
            (true, Some(_)) => error["retryable"] == true,
            (true, None) => error["retryable"] == true || status == 504,
            (false, _) => error["retryable"] == true || status >= 500,
        };
        if again {
            return Try::Again(why);
        }
        let way = if intent.by_function {
            "function"
        } else {
            "RPC"
        };
        let details = &error["details"];
        self.ledger.defect(format!(
            "{} by {way} was answered {why} as if that were final ({details})",
            intent.operation.rpc
        ));
        Try::Wrong(why)
    }
}

/// Those of the same user as staff.
fn staff_claims(user: Uuid) -> Value {
    let mut claims = user_claims(user);
    claims["app_metadata"] = json!({ "role": "staff" });
    claims
}

/// The id of the order or batch in an answer.
fn id(body: &str, what: &str) -> Option<Uuid> {
    let body: Value = serde_json::from_str(body).ok()?;
    body[what]["id"].as_str()?.parse().ok()
}
