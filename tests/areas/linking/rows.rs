//! A table of products as a shop has it, linked.

use crate::harness::races::{Verdict, require};
use crate::harness::stack::Bench;
use tokio_postgres::Client;
use uuid::Uuid;

/// What a row has at first.
pub(crate) const STOCK: i64 = 1000;

/// The table, in a schema of its own.
#[derive(Clone)]
pub(crate) struct Goods {
    schema: String,
}

impl Goods {
    /// So many rows, of which the first `filled` are taken over at once.
    pub(crate) async fn link(bench: &Bench, rows: i32, filled: i32) -> Self {
        let goods = Goods {
            schema: format!("linked_{}", Uuid::new_v4().simple()),
        };
        let (schema, table) = (&goods.schema, goods.table());
        bench
            .db
            .batch_execute(&format!(
                "create schema {schema};
                 create table {table} (id bigint primary key, title text not null, price numeric(10, 2) not null, stock int not null, note text);
                 insert into {table} select n, 'thing ' || n, 1.5, {STOCK} from generate_series(1, {rows}) n;
                 select interlock.link_products(
                   '{table}',
                   '{{\"id\": \"id\", \"name\": \"title\", \"price\": \"price\", \"price_unit\": \"major\", \"currency\": {{\"is\": \"EUR\"}}, \"quantity\": \"stock\"}}',
                   true, p_fill => {filled}
                 )"
            ))
            .await
            .expect("a table can be linked");
        goods
    }

    /// Its name.
    pub(crate) fn table(&self) -> String {
        format!("{}.goods", self.schema)
    }

    /// The product of a row that was taken over.
    pub(crate) async fn product(&self, db: &Client, id: i64) -> Uuid {
        db.query_one(
            &format!(
                "select m.product_id from interlock.linked_products m join interlock.product_links l on l.id = m.link_id
                 where l.source = '{}'::regclass and m.source_id = '{id}'",
                self.table()
            ),
            &[],
        )
        .await
        .expect("it has a product")
        .get(0)
    }

    /// The stock of a row.
    pub(crate) async fn stock(&self, db: &Client, id: i64) -> i32 {
        db.query_one(
            &format!("select stock from {} where id = {id}", self.table()),
            &[],
        )
        .await
        .expect("it can be read")
        .get(0)
    }

    /// Whether the table and the products say the same, once everything is written back.
    pub(crate) async fn agrees(&self, db: &Client) -> Verdict {
        let wrong: Option<String> = db
            .query_one(
                &format!(
                    "select string_agg(concat_ws(' ', g.id, g.stock, p.available_quantity), ', ')
                     from {table} g
                     left join interlock.linked_products m
                       on m.source_id = g.id::text
                       and m.link_id = (select l.id from interlock.product_links l where l.source = '{table}'::regclass)
                     left join interlock.products p on p.id = m.product_id
                     where g.stock is distinct from p.available_quantity",
                    table = self.table()
                ),
                &[],
            )
            .await
            .expect("both can be read")
            .get(0);
        require!(
            wrong.is_none(),
            "row, its stock and its product's: {wrong:?}"
        );
        let drift: i64 = db
            .query_one(
                &format!(
                    "select count(*) from interlock.product_drift('{}')",
                    self.table()
                ),
                &[],
            )
            .await
            .expect("drift can be asked for")
            .get(0);
        require!(drift == 0, "{drift} differences");
        Ok(())
    }

    /// Unlinks the table and takes it away; its products stay.
    pub(crate) async fn drop(self, bench: &Bench) {
        bench
            .db
            .batch_execute(&format!(
                "select interlock.unlink_products('{table}', true); drop schema {schema} cascade",
                table = self.table(),
                schema = self.schema
            ))
            .await
            .expect("it can be unlinked");
    }
}
