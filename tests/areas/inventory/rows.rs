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

impl Bench {
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
