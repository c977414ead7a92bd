//! A day at twenty tills: each keeps its own reckoning of what it has sold, taken back and been paid, and in the end every book
//! of the database says the same, to the cent and the gram.
//!
//! As many sales as `TILL_SALES` says at each till; without it a few, for `npm test`.

use crate::areas::inventory::rows::call;
use crate::areas::shop::model::sales::share_of;
use crate::harness::stack::{Bench, Stack};
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;
use tokio_postgres::Client;
use uuid::Uuid;

const TILLS: usize = 20;
const SALES: usize = 20;
const CUSTOMERS: usize = 8;
/// What is in the drawer at first.
const OPENING: i64 = 10_000;
/// What is there of everything, in thousandths.
const STOCK: i64 = 500_000_000;
/// Prices of pieces and of two kinds of goods that are weighed.
const PRICES: [i64; 3] = [700, 1299, 3455];
/// What is spent for a point that is earned, and what one pays.
const PER_POINT: i64 = 100;

/// A product at a location, as an inventory id.
#[derive(Clone, Copy)]
struct Shelf {
    id: Uuid,
    product: usize,
}

/// What all tills share.
struct Day {
    stack: &'static Stack,
    /// By location: the first is the web shop.
    shelves: Vec<[Shelf; 3]>,
    customers: Vec<Uuid>,
    point_value: i64,
    /// What may come back, to any till.
    returnable: Mutex<Vec<Sold>>,
    reckoning: Mutex<Reckoning>,
}

/// What has happened, by all tills.
#[derive(Debug, Default)]
struct Reckoning {
    /// By inventory id: what has gone, less what has come back, in thousandths.
    gone: BTreeMap<Uuid, i64>,
    /// By customer: points less what is owed.
    points: BTreeMap<Uuid, i64>,
    counts: BTreeMap<String, u64>,
}

/// A line that may come back, once.
#[derive(Clone, Debug)]
struct Sold {
    sale: Uuid,
    product: usize,
    quantity: i64,
    line_total: i64,
    sale_total: i64,
    earned: i64,
    customer: Option<Uuid>,
    tender: &'static str,
}

/// What a sale, a return or an exchange has changed; a void undoes all of it.
#[derive(Clone, Debug, Default)]
struct Effect {
    sale: Option<Uuid>,
    gone: Vec<(Uuid, i64)>,
    points: Vec<(Uuid, i64)>,
    tenders: BTreeMap<&'static str, i64>,
    subtotal: i64,
    returned: i64,
    sold: bool,
    came_back: bool,
}

/// A till with the reckoning of its shift.
struct Till<'a> {
    day: &'a Day,
    db: Client,
    rng: StdRng,
    register: Uuid,
    location: usize,
    shift: Uuid,
    receipts: i64,
    first_receipt: i64,
    of_shift: Vec<Effect>,
    voided: u64,
}

fn kilos(thousandths: i64) -> String {
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

fn price(product: usize, quantity: i64) -> i64 {
    (quantity * PRICES[product] + 500) / 1000
}

fn id_of(body: &Value, what: &str) -> Uuid {
    let id = body[what]["id"].as_str().and_then(|id| id.parse().ok());
    id.unwrap_or_else(|| panic!("no {what} in {body}"))
}

impl Day {
    async fn open(bench: &Bench) -> Self {
        let products = join_all(PRICES.iter().enumerate().map(|(n, price)| async move {
            let insert = "with rule as (
                   insert into interlock.points_rules (currency, loyalty_class, per_amount, points)
                   values ('USD', 'test-day', $3::bigint, 1) on conflict do nothing
                 )
                 insert into interlock.products (name, price, currency, decimals, available_quantity, loyalty_class)
                 values ('test', $1::bigint, 'USD', $2::bigint, $4::bigint, 'test-day') returning id";
            let decimals = if n == 0 { 0_i64 } else { 3 };
            let units = STOCK / 1000;
            bench
                .db
                .query_one(insert, &[price, &decimals, &PER_POINT, &units])
                .await
                .expect("a product can be inserted")
                .get::<_, Uuid>(0)
        }))
        .await;
        let mut shelves = vec![[0, 1, 2].map(|n| Shelf {
            id: products[n],
            product: n,
        })];
        for _ in 0..2 {
            let insert = "with l as (insert into interlock.locations (name) values ('test') returning id)
                 insert into interlock.inventory (product_id, location_id, quantity)
                 select p, l.id, $2::bigint::numeric / 1000 from unnest($1::uuid[]) with ordinality as u (p, n), l
                 order by u.n returning product_id, id";
            let rows = bench.db.query(insert, &[&products, &STOCK]).await;
            let rows = rows.expect("stock can be inserted");
            let rows: BTreeMap<Uuid, Uuid> =
                rows.iter().map(|row| (row.get(0), row.get(1))).collect();
            shelves.push([0, 1, 2].map(|n| Shelf {
                id: rows[&products[n]],
                product: n,
            }));
        }
        let customers = bench
            .db
            .query(
                "insert into interlock.customers (name)
                 select 'test' from generate_series(1, $1::bigint) returning id",
                &[&(CUSTOMERS as i64)],
            )
            .await
            .expect("customers can be inserted");
        let value = "with new as (
               insert into interlock.points_values (currency, value) values ('USD', 10) on conflict do nothing returning value
             )
             select value::bigint from new union all
             select value::bigint from interlock.points_values where currency = 'USD'";
        let value = bench.db.query_one(value, &[]).await;
        Day {
            stack: bench.stack,
            shelves,
            customers: customers.iter().map(|row| row.get(0)).collect(),
            point_value: value.expect("points are worth something").get(0),
            returnable: Mutex::default(),
            reckoning: Mutex::default(),
        }
    }

    fn count(&self, what: &str) {
        let mut reckoning = self.reckoning.lock().expect("no till panics");
        *reckoning.counts.entry(what.to_owned()).or_default() += 1;
    }

    fn book(&self, effect: &Effect, sign: i64) {
        let mut reckoning = self.reckoning.lock().expect("no till panics");
        for (shelf, quantity) in &effect.gone {
            *reckoning.gone.entry(*shelf).or_default() += sign * quantity;
        }
        for (customer, points) in &effect.points {
            *reckoning.points.entry(*customer).or_default() += sign * points;
        }
    }
}

impl<'a> Till<'a> {
    async fn open(day: &'a Day, n: usize) -> Self {
        let location = n % day.shelves.len();
        let db = day.stack.connect().await;
        let register = db
            .query_one(
                "insert into interlock.registers (location_id, name, currency)
                 select location_id, 'test', 'USD' from interlock.inventory_items
                 where id = $1 returning id",
                &[&day.shelves[location][0].id],
            )
            .await
            .expect("a register can be inserted")
            .get(0);
        let mut till = Till {
            day,
            db,
            rng: StdRng::seed_from_u64(n as u64),
            register,
            location,
            shift: Uuid::nil(),
            receipts: 0,
            first_receipt: 1,
            of_shift: Vec::new(),
            voided: 0,
        };
        till.open_shift().await;
        till
    }

    /// The same call again, as a client does, if it says that nothing has happened.
    async fn ask(&self, sql: &str) -> Result<Value, String> {
        for _ in 0..20 {
            match call(&self.db, sql).await {
                Err(state) if ["55P03", "40P01"].contains(&state.as_str()) => {
                    self.day.count(&state)
                }
                answer => return answer,
            }
        }
        Err(format!("nobody lets it through: {sql}"))
    }

    async fn open_shift(&mut self) {
        let opened = format!("public.open_shift('{}', {OPENING})", self.register);
        let opened = self.ask(&opened).await.expect("no shift is open");
        self.shift = id_of(&opened, "shift");
        self.first_receipt = self.receipts + 1;
        self.of_shift.clear();
        self.voided = 0;
    }

    /// Its report is what has happened since it was opened.
    async fn close_shift(&mut self) {
        let sum = |of: &dyn Fn(&Effect) -> i64| self.of_shift.iter().map(of).sum::<i64>();
        let by = |kind: &str| sum(&|effect| effect.tenders.get(kind).copied().unwrap_or(0));
        let (subtotal, returned) = (sum(&|e| e.subtotal), sum(&|e| e.returned));
        let cash = OPENING + by("cash");
        let none = self.receipts < self.first_receipt;
        let expected = json!({
            "id": self.shift, "register_id": self.register, "opening_cash": OPENING,
            "sales": sum(&|e| e.sold.into()), "returns": sum(&|e| e.came_back.into()), "voided": self.voided,
            "first_receipt": (!none).then_some(self.first_receipt), "last_receipt": (!none).then_some(self.receipts),
            "subtotal": subtotal, "discount": 0, "tax": 0, "returned": returned, "total": subtotal - returned,
            "tenders": { "cash": by("cash"), "card": by("card"), "points": by("points"), "wallet": 0 },
            "parked": 0, "paid_in": 0, "paid_out": 0, "expected_cash": cash, "counted_cash": cash, "difference": 0,
        });
        let closed = format!("public.close_shift('{}', {cash})", self.shift);
        let closed = self.ask(&closed).await.expect("the shift is open");
        let mut report = closed["shift"].as_object().cloned().unwrap_or_default();
        for time in ["opened_at", "closed_at"] {
            report.remove(time);
        }
        if self.location == 0 {
            // Others may have parked something in the web shop.
            report.insert("parked".to_owned(), json!(0));
        }
        assert_eq!(Value::Object(report), expected, "what a shift comes to");
        self.day.count("shifts");
    }

    /// What is sold: the lines as they are sent, what they change, and the first as it may come back.
    fn lines(&mut self) -> (Vec<Value>, Effect, (usize, i64, i64)) {
        let mut effect = Effect {
            sold: true,
            ..Effect::default()
        };
        let mut lines = Vec::new();
        let mut first = None;
        for _ in 0..self.rng.random_range(1..4) {
            let shelf = self.day.shelves[self.location][self.rng.random_range(0..3)];
            let quantity = match (shelf.product, self.location) {
                (0, _) | (_, 0) => self.rng.random_range(1..4) * 1000,
                _ => self.rng.random_range(5..2500),
            };
            let total = price(shelf.product, quantity);
            first.get_or_insert((shelf.product, quantity, total));
            effect.subtotal += total;
            effect.gone.push((shelf.id, quantity));
            let quantity: serde_json::Number = kilos(quantity).parse().expect("it is a number");
            lines.push(json!({ "inventory_id": shelf.id, "quantity": quantity }));
        }
        (lines, effect, first.expect("there is a line"))
    }

    /// Sends a sale; what was done is booked, and its receipt is the next.
    async fn send(
        &mut self,
        mut effect: Effect,
        arguments: &Map<String, Value>,
    ) -> Result<Uuid, String> {
        let named = |(name, value): (&String, &Value)| match value {
            Value::Null => format!("p_{name} => null"),
            value => format!("p_{name} => '{value}'"),
        };
        let named: Vec<String> = arguments.iter().map(named).collect();
        let sql = format!("public.pos_sale('{}', {})", self.register, named.join(", "));
        let body = self.ask(&sql).await?;
        self.receipts += 1;
        assert_eq!(
            body["sale"]["receipt_number"],
            json!(self.receipts),
            "a receipt is missing"
        );
        let total = effect.subtotal - effect.returned;
        assert_eq!(
            body["sale"]["total"],
            json!(total),
            "another total for {sql}"
        );
        let id = id_of(&body, "sale");
        effect.sale = Some(id);
        self.day.book(&effect, 1);
        self.of_shift.push(effect);
        Ok(id)
    }

    async fn sell(&mut self) {
        let (lines, mut effect, (product, quantity, line_total)) = self.lines();
        let total = effect.subtotal;
        let customer = self.rng.random_bool(0.6).then(|| {
            *self
                .day
                .customers
                .choose(&mut self.rng)
                .expect("there are some")
        });
        let points = self.rng.random_range(1..6);
        let by_points = points * self.day.point_value;
        let mut kind = *["cash", "card", "points"]
            .choose(&mut self.rng)
            .expect("there are some");
        if kind == "points" && (customer.is_none() || by_points >= total) {
            kind = "cash";
        }
        loop {
            let (tenders, spent) = match kind {
                "card" => (json!([{ "type": "card", "amount": total }]), 0),
                "points" => (
                    json!([{ "type": "points", "amount": by_points }, { "type": "cash", "amount": total + 500 }]),
                    by_points,
                ),
                _ => (json!([{ "type": "cash", "amount": total + 300 }]), 0),
            };
            let earned = if customer.is_some() {
                (total - spent) / PER_POINT
            } else {
                0
            };
            effect.tenders = [
                (if kind == "card" { "card" } else { "cash" }, total - spent),
                ("points", spent),
            ]
            .into();
            effect.points = customer
                .map(|id| (id, earned - spent / self.day.point_value))
                .into_iter()
                .collect();
            let mut arguments = json!({ "lines": lines, "tenders": tenders });
            if let Some(id) = customer {
                arguments["customer"] = json!({ "id": id });
            }
            let arguments = arguments.as_object().expect("it is one");
            match self.send(effect.clone(), arguments).await {
                Ok(sale) => {
                    self.day.count("sales");
                    if kind != "points" {
                        self.day
                            .returnable
                            .lock()
                            .expect("no till panics")
                            .push(Sold {
                                sale,
                                product,
                                quantity,
                                line_total,
                                sale_total: total,
                                earned,
                                customer,
                                tender: if kind == "card" { "card" } else { "cash" },
                            });
                    }
                    return;
                }
                Err(refusal) => {
                    assert_eq!(refusal, "INSUFFICIENT_POINTS");
                    self.day.count(&refusal);
                    kind = "cash";
                }
            }
        }
    }

    /// Something comes back that any till has sold, perhaps for something else.
    async fn take_back(&mut self) {
        let sold = {
            let mut returnable = self.day.returnable.lock().expect("no till panics");
            if returnable.is_empty() {
                return;
            }
            let n = self.rng.random_range(0..returnable.len());
            returnable.swap_remove(n)
        };
        let quantity = match sold.product {
            0 => self.rng.random_range(1..=sold.quantity / 1000) * 1000,
            _ => self.rng.random_range(1..=sold.quantity),
        };
        // The web shop's stock is in whole units.
        let restock = self.rng.random_bool(0.8) && (self.location > 0 || quantity % 1000 == 0);
        let worth = share_of(sold.line_total, quantity, sold.quantity);
        let (lines, mut effect) = match self.rng.random_bool(0.4) {
            true => {
                let (lines, effect, _) = self.lines();
                (json!(lines), effect)
            }
            false => (Value::Null, Effect::default()),
        };
        effect.came_back = true;
        effect.returned = worth;
        if restock {
            effect
                .gone
                .push((self.day.shelves[self.location][sold.product].id, -quantity));
        }
        let taken = (sold.earned * worth + sold.sale_total - 1) / sold.sale_total;
        let earned = effect.subtotal / PER_POINT;
        effect.points = sold
            .customer
            .map(|id| (id, earned - taken))
            .into_iter()
            .collect();
        let due = effect.subtotal - worth;
        let (kind, tenders) = match due {
            0 => ("cash", json!([])),
            1.. => ("cash", json!([{ "type": "cash", "amount": due + 700 }])),
            _ => (
                sold.tender,
                json!([{ "type": sold.tender, "amount": -due }]),
            ),
        };
        effect.tenders = [(kind, due)].into();
        let exchange = effect.sold;
        let quantity: serde_json::Number = kilos(quantity).parse().expect("it is a number");
        let back = json!([{ "sale_id": sold.sale, "line": 0, "quantity": quantity, "restock": restock, "reason": "test" }]);
        let arguments = json!({ "lines": lines, "tenders": tenders, "returns": back });
        match self
            .send(effect, arguments.as_object().expect("it is one"))
            .await
        {
            Ok(_) => self
                .day
                .count(if exchange { "exchanges" } else { "returns" }),
            Err(refusal) => {
                assert_eq!(refusal, "SALE_VOIDED");
                self.day.count(&refusal);
            }
        }
    }

    /// One of the latest of this shift is void.
    async fn void(&mut self) {
        let many = self.of_shift.len();
        if many == 0 {
            return;
        }
        let n = many - 1 - self.rng.random_range(0..many.min(5));
        let id = self.of_shift[n].sale.expect("it was made");
        match self.ask(&format!("public.void_sale('{id}', 'test')")).await {
            Ok(_) => {
                let effect = self.of_shift.swap_remove(n);
                self.day.book(&effect, -1);
                self.voided += 1;
                self.day.count("voids");
            }
            Err(refusal) => {
                assert_eq!(refusal, "SALE_RETURNED");
                self.day.count(&refusal);
            }
        }
    }

    async fn work(&mut self, sales: usize) {
        for _ in 0..sales {
            self.sell().await;
            match self.rng.random_range(0..100) {
                0..12 => self.take_back().await,
                12..20 => self.void().await,
                20..22 => {
                    self.close_shift().await;
                    self.open_shift().await;
                }
                _ => {}
            }
        }
        self.close_shift().await;
    }
}

/// Where a book of the database says something else than the tills.
async fn differences(
    bench: &Bench,
    day: &Day,
    reckoning: &Reckoning,
    registers: &[Uuid],
) -> Vec<String> {
    let mut differences = Vec::new();
    for shelf in day.shelves.iter().flatten() {
        let row = bench
            .db
            .query_one(
                "select (1000 * n.quantity_available)::bigint, (
                   select 1000 * sum(m.delta) from interlock.stock_movements m
                   where m.product_id = n.product_id and m.location_id = n.location_id
                 )::bigint
                 from interlock.inventory_items n where n.id = $1",
                &[&shelf.id],
            )
            .await
            .expect("stock can be read");
        let left = STOCK - reckoning.gone.get(&shelf.id).copied().unwrap_or(0);
        let seen: (i64, i64) = (row.get(0), row.get(1));
        if seen != (left, left) {
            differences.push(format!(
                "{left} g must be left, stock and ledger say {seen:?}"
            ));
        }
    }
    for customer in &day.customers {
        let row = bench
            .db
            .query_one(
                "select (a.balance - a.owed)::bigint, (
                   select sum(m.points - m.owed) from interlock.points_movements m where m.customer_id = a.customer_id
                 )::bigint
                 from interlock.points_accounts a where a.customer_id = $1",
                &[customer],
            )
            .await
            .expect("points can be read");
        let points = reckoning.points.get(customer).copied().unwrap_or(0);
        let seen: (i64, i64) = (row.get(0), row.get(1));
        if seen != (points, points) {
            differences.push(format!("{points} points, account and ledger say {seen:?}"));
        }
    }
    call(&bench.db, "public.audit_inventory(true)")
        .await
        .expect("nobody else audits");
    let found = bench
        .number(
            "select count(*) from interlock.inventory_findings f
             where f.status = 'open'
               and (f.subject_id = any ($1) or f.subject_id in (select id from interlock.sales where register_id = any ($1))
                 or f.product_id in (
                   select l.product_id from interlock.sale_lines l join interlock.sales s on s.id = l.sale_id
                   where s.register_id = any ($1)
                 ))",
            registers,
        )
        .await;
    if found > 0 {
        differences.push(format!("the audit has found {found}"));
    }
    differences
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_tills_end_a_day_with_equal_books() {
    let bench = Bench::take().await;
    let sales = std::env::var("TILL_SALES").ok();
    let sales = sales.map_or(SALES, |text| text.parse().expect("TILL_SALES is a number"));
    let day = Day::open(&bench).await;
    let mut tills = join_all((0..TILLS).map(|n| Till::open(&day, n))).await;
    let deadlocks = bench.deadlocks().await;
    let begun = Instant::now();
    join_all(tills.iter_mut().map(|till| till.work(sales))).await;
    let seconds = begun.elapsed().as_secs_f64();
    let registers: Vec<Uuid> = tills.iter().map(|till| till.register).collect();
    let reckoning = std::mem::take(&mut *day.reckoning.lock().expect("no till panics"));
    let differences = differences(&bench, &day, &reckoning, &registers).await;
    let counts = &reckoning.counts;
    println!(
        "{TILLS} tills in {seconds:.1} s: {counts:?}, {} differences",
        differences.len()
    );
    assert!(differences.is_empty(), "{differences:#?}");
    let deadlocks = bench.deadlocks().await - deadlocks;
    assert_eq!(deadlocks, 0, "tills have waited for each other");
}
