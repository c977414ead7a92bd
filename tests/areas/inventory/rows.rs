//! Rows that the tests of stock at locations need, and what they ask of them.

use crate::harness::stack::Bench;
use serde_json::Value;
use tokio_postgres::Client;
use uuid::Uuid;

/// A call of a function in `public` as the shop, with its answer or the code of its refusal.
pub(crate) async fn call(session: &Client, sql: &str) -> Result<Value, String> {
    match session
        .query_one(&format!("select ({sql})::jsonb"), &[])
        .await
    {
        Ok(row) => Ok(row.get(0)),
        Err(error) => match error.as_db_error() {
            Some(refusal) if refusal.code().code().starts_with("PT") => {
                Err(refusal.message().to_owned())
            }
            Some(refusal) => Err(refusal.code().code().to_owned()),
            None => Err(error.to_string()),
        },
    }
}

/// Four products in the web shop and two stores.
#[derive(Clone)]
pub(crate) struct Stocks {
    pub(crate) products: Vec<Uuid>,
    /// By product and place: the inventory id, and how a line names it.
    pub(crate) ids: Vec<Vec<Uuid>>,
    pub(crate) lines: Vec<Vec<String>>,
}

impl Bench {
    /// Thirty of everything; the second product is sold from slots.
    pub(crate) async fn stocks(&self) -> Stocks {
        let products = self.products(4, 64).await;
        let stores =
            "insert into interlock.locations (name) values ('test'), ('test') returning id";
        let stores = self
            .db
            .query(stores, &[])
            .await
            .expect("locations can be inserted");
        let stores: Vec<Uuid> = stores.iter().map(|row| row.get(0)).collect();
        let slots = "select public.set_stock_slots($1, 4)";
        self.db
            .execute(slots, &[&products[1]])
            .await
            .expect("it can have slots");
        let mut stocks = Stocks {
            products: products.clone(),
            ids: Vec::new(),
            lines: Vec::new(),
        };
        for product in products {
            let mut ids = vec![product];
            let mut lines = vec![format!(r#""inventory_id": "{product}""#)];
            for store in &stores {
                let insert = "insert into interlock.inventory (product_id, location_id, quantity) values ($1, $2, 30) returning id";
                let row = self.db.query_one(insert, &[&product, store]).await;
                ids.push(row.expect("stock can be inserted").get(0));
                lines.push(format!(
                    r#""product_id": "{product}", "location_id": "{store}""#
                ));
            }
            stocks.ids.push(ids);
            stocks.lines.push(lines);
        }
        stocks
    }

    /// Stock of a new product of three decimals at a new location: its inventory id.
    pub(crate) async fn inventory(&self, quantity: &str) -> Uuid {
        let insert =
            "with l as (insert into interlock.locations (name) values ('test') returning id),
             p as (insert into interlock.products (name, price, currency, unit, decimals)
               values ('test', 700, 'USD', 'g', 3) returning id)
             select p.id, l.id from p, l";
        let row = self
            .db
            .query_one(insert, &[])
            .await
            .expect("rows can be inserted");
        let (product, location): (Uuid, Uuid) = (row.get(0), row.get(1));
        self.db
            .query_one(
                &format!(
                    "insert into interlock.inventory (product_id, location_id, quantity)
                     values ($1, $2, {quantity}) returning id"
                ),
                &[&product, &location],
            )
            .await
            .expect("stock can be inserted")
            .get(0)
    }

    /// What is there, as text.
    pub(crate) async fn quantity(&self, inventory: Uuid) -> String {
        self.db
            .query_one(
                "select quantity_available::text from interlock.inventory_items where id = $1",
                &[&inventory],
            )
            .await
            .expect("stock can be read")
            .get(0)
    }
}
