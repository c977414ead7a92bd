//! The nine scenarios of incident report 001, over HTTP, RPC and SQL. A scenario returns what is wrong.

use crate::harness::calls::{Adapter, Answer, Caller, Operation, together};
use crate::harness::races::{Verdict, require};
use crate::harness::stack::Bench;
use interlock_domain::pos::pos_sale::POS_SALE;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

const SELL: Operation = Operation::of(&POS_SALE);

/// The scenarios, by the names that the report gives them.
#[derive(Clone, Copy, Debug)]
enum Scenario {
    NewCustomer,
    RepeatCustomer,
    WalkIn,
    SeveralItems,
    LowInventory,
    OversellingPrevention,
    TierUpgrade,
    ConcurrentSales,
    CrmSync,
}

/// A till in a store that has 11.52 of a product at 7.00, and who works there.
struct Shop<'a> {
    bench: &'a Bench,
    register: Uuid,
    inventory: Uuid,
    cashier: Arc<Caller>,
    adapter: Adapter,
}

impl Shop<'_> {
    async fn open(bench: &Bench, adapter: Adapter) -> Shop<'_> {
        let rules = "insert into interlock.points_rules (currency, points) values ('USD', 1) on conflict do nothing;
             insert into interlock.tiers (name, threshold) values ('report silver', 10000) on conflict do nothing";
        bench
            .db
            .batch_execute(rules)
            .await
            .expect("rules can be made");
        let inventory = bench.inventory("11.52").await;
        let register = bench.till(inventory).await.register;
        let cashier = bench.users(1).await[0];
        Shop {
            bench,
            register,
            inventory,
            cashier: Arc::new(Caller::in_role(bench.stack, adapter, cashier, "cashier").await),
            adapter,
        }
    }

    fn line(&self, quantity: f64) -> Value {
        json!({ "inventory_id": self.inventory, "quantity": quantity })
    }

    /// Sells lines for that much cash, to whom it says.
    async fn sell(&self, lines: Value, cash: u64, customer: Option<Value>) -> Answer {
        let mut sale = json!({
            "register_id": self.register, "lines": lines, "tenders": [{ "type": "cash", "amount": cash }],
        });
        if let Some(customer) = customer {
            sale["customer"] = customer;
        }
        self.cashier.invoke(SELL, sale, None).await
    }

    /// So much of another product at 7.00, in the same store.
    async fn another(&self, quantity: &str) -> Uuid {
        let elsewhere = self.bench.inventory("1").await;
        let insert = "insert into interlock.inventory (product_id, location_id, quantity)
             select i.product_id, r.location_id, $3::text::numeric
             from interlock.inventory i, interlock.registers r where i.id = $1 and r.id = $2 returning id";
        let row = self
            .bench
            .db
            .query_one(insert, &[&elsewhere, &self.register, &quantity])
            .await;
        row.expect("stock can be inserted").get(0)
    }

    async fn left(&self) -> String {
        self.bench.quantity(self.inventory).await
    }
}

impl Scenario {
    async fn run(self, bench: &Bench, adapter: Adapter) -> Verdict {
        let shop = Shop::open(bench, adapter).await;
        let ada = json!({ "create": { "name": "Ada", "email": format!("{}@test.example", Uuid::new_v4()) } });
        match self {
            Self::NewCustomer => new_customer(&shop, ada).await,
            Self::RepeatCustomer => repeat_customer(&shop, ada).await,
            Self::WalkIn => walk_in(&shop).await,
            Self::SeveralItems => several_items(&shop).await,
            Self::LowInventory => low_inventory(&shop).await,
            Self::OversellingPrevention => overselling_prevention(&shop).await,
            Self::TierUpgrade => tier_upgrade(&shop, ada).await,
            Self::ConcurrentSales => concurrent_sales(&shop).await,
            Self::CrmSync => crm_sync(&shop, ada).await,
        }
    }
}

async fn new_customer(shop: &Shop<'_>, ada: Value) -> Verdict {
    let answer = shop.sell(json!([shop.line(1.0)]), 700, Some(ada)).await;
    let sale = &answer.body["sale"];
    require!(
        sale["customer"]["name"] == "Ada"
            && sale["loyalty"]["earned"] == 7
            && sale["loyalty"]["balance"] == 7,
        "{answer:?}"
    );
    Ok(())
}

async fn repeat_customer(shop: &Shop<'_>, ada: Value) -> Verdict {
    let first = shop
        .sell(json!([shop.line(1.0)]), 700, Some(ada.clone()))
        .await;
    let named = json!({ "email": ada["create"]["email"] });
    let second = shop.sell(json!([shop.line(2.0)]), 1400, Some(named)).await;
    require!(
        first.body["sale"]["customer"]["id"] == second.body["sale"]["customer"]["id"]
            && second.body["sale"]["loyalty"]["balance"] == 21,
        "{first:?}, then {second:?}"
    );
    Ok(())
}

async fn walk_in(shop: &Shop<'_>) -> Verdict {
    let answer = shop.sell(json!([shop.line(1.0)]), 1000, None).await;
    let sale = &answer.body["sale"];
    require!(
        answer.is_success()
            && sale["customer"].is_null()
            && sale["loyalty"].is_null()
            && sale["change_due"] == 300,
        "{answer:?}"
    );
    Ok(())
}

async fn several_items(shop: &Shop<'_>) -> Verdict {
    let other = shop.another("1").await;
    let too_much =
        json!([shop.line(1.52), { "inventory_id": other, "quantity": 2 }, shop.line(100.0)]);
    let refused = shop.sell(too_much, 100_000, None).await;
    require!(
        refused.code == "INSUFFICIENT_INVENTORY"
            && refused.details["shortages"].as_array().map(Vec::len) == Some(2)
            && shop.left().await == "11.52",
        "{refused:?}"
    );
    let lines = json!([shop.line(1.52), { "inventory_id": other, "quantity": 1 }]);
    let answer = shop.sell(lines, 1764, None).await;
    require!(
        answer.body["sale"]["total"] == 1764 && shop.left().await == "10",
        "{answer:?}, {} left",
        shop.left().await
    );
    Ok(())
}

async fn low_inventory(shop: &Shop<'_>) -> Verdict {
    let answer = shop.sell(json!([shop.line(11.5)]), 8050, None).await;
    require!(
        answer.is_success() && shop.left().await == "0.02",
        "{answer:?}"
    );
    let refused = shop.sell(json!([shop.line(0.03)]), 21, None).await;
    require!(
        refused.details["shortages"][0]["available"] == json!(0.02),
        "{refused:?}"
    );
    let last = shop.sell(json!([shop.line(0.02)]), 14, None).await;
    require!(last.is_success() && shop.left().await == "0", "{last:?}");
    Ok(())
}

async fn overselling_prevention(shop: &Shop<'_>) -> Verdict {
    let refused = shop.sell(json!([shop.line(12.0)]), 8400, None).await;
    require!(
        refused.status == 409
            && refused.code == "INSUFFICIENT_INVENTORY"
            && refused.details["shortages"][0]["requested"] == 12
            && refused.details["shortages"][0]["available"] == json!(11.52)
            && shop.left().await == "11.52",
        "{refused:?}"
    );
    Ok(())
}

async fn tier_upgrade(shop: &Shop<'_>, ada: Value) -> Verdict {
    let lots = shop.another("2000").await;
    let lines = json!([{ "inventory_id": lots, "quantity": 1428 }]);
    let below = shop.sell(lines, 999_600, Some(ada.clone())).await;
    require!(below.body["sale"]["loyalty"]["tier"].is_null(), "{below:?}");
    let above = shop.sell(json!([shop.line(1.0)]), 700, Some(ada)).await;
    let loyalty = &above.body["sale"]["loyalty"];
    require!(
        loyalty["balance"] == 10_003
            && loyalty["tier"] == "report silver"
            && loyalty["tier_before"].is_null(),
        "{above:?}"
    );
    Ok(())
}

async fn concurrent_sales(shop: &Shop<'_>) -> Verdict {
    let mut cashiers = Vec::new();
    for user in shop.bench.users(5).await {
        let cashier = Caller::in_role(shop.bench.stack, shop.adapter, user, "cashier").await;
        cashiers.push(Arc::new(cashier));
    }
    let sale = json!({
        "register_id": shop.register, "lines": [shop.line(1.0)], "tenders": [{ "type": "cash", "amount": 700 }],
    });
    let answers = together(cashiers.into_iter().map(|cashier| {
        let sale = sale.clone();
        async move { cashier.invoke(SELL, sale, None).await }
    }))
    .await;
    require!(
        answers.iter().all(Answer::is_success) && shop.left().await == "6.52",
        "{} left of 11.52 after five sales: {answers:?}",
        shop.left().await
    );
    Ok(())
}

/// What a CRM is told stands in the outbox with the sale, and is shaped as the report's takes it.
async fn crm_sync(shop: &Shop<'_>, ada: Value) -> Verdict {
    let answer = shop.sell(json!([shop.line(1.52)]), 1064, Some(ada)).await;
    let id = answer.body["sale"]["id"].as_str().unwrap_or_default();
    let told = "select public.alpine_iq_sale(subject::uuid), public.alpine_iq_member((payload ->> 'customer_id')::uuid)
         from interlock.events where type = 'sale.completed' and subject = $1";
    let row = shop.bench.db.query_one(told, &[&id]).await;
    let Ok(row) = row else {
        return Err(format!("nothing is told of {answer:?}"));
    };
    let (visit, member): (Value, Value) = (row.get(0), row.get(1));
    require!(
        visit["visit"]["pos_id"] == id
            && visit["visit"]["transaction_total"] == json!(10.64)
            && visit["visit"]["visit_details_attributes"][0]["quantity"] == json!(1.52)
            && visit["visit"]["pos_user"] == member["pos_user"]
            && member["firstName"] == "Ada",
        "{visit}, {member}"
    );
    Ok(())
}

crate::harness::races::over_every_adapter! {
    a_new_customer: Scenario::NewCustomer;
    a_repeat_customer: Scenario::RepeatCustomer;
    a_walk_in_customer: Scenario::WalkIn;
    a_purchase_of_several_items: Scenario::SeveralItems;
    low_inventory_is_sold_to_the_last_gram: Scenario::LowInventory;
    overselling_is_prevented: Scenario::OversellingPrevention;
    a_tier_is_upgraded: Scenario::TierUpgrade;
    concurrent_sales_all_count: Scenario::ConcurrentSales;
    a_crm_is_told: Scenario::CrmSync;
}
