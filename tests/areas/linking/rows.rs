//! Tables as a shop has them, linked: of products, of customers and of orders.

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

/// A table of customers, in a schema of its own.
pub(crate) struct People {
    schema: String,
}

impl People {
    /// Linked without a row: what does not fit is left out, and who is taken out is cleared.
    pub(crate) async fn link(bench: &Bench) -> Self {
        let people = People {
            schema: format!("linked_{}", Uuid::new_v4().simple()),
        };
        let (schema, table) = (&people.schema, people.table());
        bench
            .db
            .batch_execute(&format!(
                "create schema {schema};
                 create table {table} (id bigint primary key, name text, email text);
                 select interlock.link_customers(
                   '{table}', '{{\"id\": \"id\", \"name\": \"name\", \"email\": \"email\"}}', p_unfit => 'leave_out', p_on_erase => 'clear'
                 )"
            ))
            .await
            .expect("a table can be linked");
        people
    }

    /// Its name.
    pub(crate) fn table(&self) -> String {
        format!("{}.people", self.schema)
    }

    /// The customer of a row, their name and their address.
    pub(crate) async fn customer(
        &self,
        db: &Client,
        id: i64,
    ) -> (Uuid, Option<String>, Option<String>) {
        let row = db
            .query_one(
                &format!(
                    "select c.id, c.name::text, c.email::text
                     from interlock.linked_customers m
                     join interlock.customer_links l on l.id = m.link_id
                     join interlock.customers c on c.id = m.customer_id
                     where l.source = '{}'::regclass and m.source_id = '{id}'",
                    self.table()
                ),
                &[],
            )
            .await
            .expect("it has a customer");
        (row.get(0), row.get(1), row.get(2))
    }

    /// Whether the table and the customers say the same.
    pub(crate) async fn agrees(&self, db: &Client) -> Verdict {
        let drift: Option<String> = db
            .query_one(
                &format!(
                    "select string_agg(concat_ws(' ', d.source_id, d.what, d.in_source, d.in_interlock), ', ')
                     from interlock.customer_drift('{}') d",
                    self.table()
                ),
                &[],
            )
            .await
            .expect("drift can be asked for")
            .get(0);
        require!(drift.is_none(), "{drift:?}");
        Ok(())
    }

    /// Unlinks the table and takes it away; its customers stay.
    pub(crate) async fn drop(self, bench: &Bench) {
        bench
            .db
            .batch_execute(&format!(
                "select interlock.unlink_customers('{table}', true); drop schema {schema} cascade",
                table = self.table(),
                schema = self.schema
            ))
            .await
            .expect("it can be unlinked");
    }
}

/// A table of orders, in a schema of its own.
pub(crate) struct Sales {
    schema: String,
}

impl Sales {
    /// Linked for what is placed from now on.
    pub(crate) async fn link(bench: &Bench) -> Self {
        let sales = Sales {
            schema: format!("linked_{}", Uuid::new_v4().simple()),
        };
        let (schema, table) = (&sales.schema, sales.table());
        bench
            .db
            .batch_execute(&format!(
                "create schema {schema};
                 create table {table} (id uuid primary key, state text not null, total numeric not null, user_id uuid, note text);
                 select interlock.link_orders(
                   '{table}', '{{\"id\": \"id\", \"status\": \"state\", \"total\": \"total\", \"unit\": \"major\", \"user\": \"user_id\"}}', p_since => now()
                 )"
            ))
            .await
            .expect("a table can be linked");
        sales
    }

    /// Its name.
    pub(crate) fn table(&self) -> String {
        format!("{}.sales", self.schema)
    }

    /// How many rows it has.
    pub(crate) async fn rows(&self, db: &Client) -> i64 {
        db.query_one(&format!("select count(*) from {}", self.table()), &[])
            .await
            .expect("it can be read")
            .get(0)
    }

    /// Does what the job does with orders that wait, and then whether table and orders say the same.
    pub(crate) async fn agrees(&self, db: &Client) -> Verdict {
        db.batch_execute(
            "select interlock.write_order_out(w.order_id) from interlock.order_write_outs w",
        )
        .await
        .expect("what waits can be written");
        let drift: Option<String> = db
            .query_one(
                &format!(
                    "select string_agg(concat_ws(' ', d.what, d.in_target, d.in_interlock, d.todo), ', ')
                     from interlock.order_drift('{}') d",
                    self.table()
                ),
                &[],
            )
            .await
            .expect("drift can be asked for")
            .get(0);
        require!(drift.is_none(), "{drift:?}");
        let waiting: i64 = db
            .query_one("select count(*) from interlock.order_write_outs", &[])
            .await
            .expect("it can be read")
            .get(0);
        require!(waiting == 0, "{waiting} orders wait");
        Ok(())
    }

    /// Unlinks the table and takes it away; the orders stay.
    pub(crate) async fn drop(self, bench: &Bench) {
        bench
            .db
            .batch_execute(&format!(
                "select interlock.unlink_orders('{table}'); drop schema {schema} cascade",
                table = self.table(),
                schema = self.schema
            ))
            .await
            .expect("it can be unlinked");
    }
}
