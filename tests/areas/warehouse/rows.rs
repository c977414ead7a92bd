//! Rows that the tests of the warehouse need.

use crate::areas::inventory::rows::call;
use crate::harness::stack::Bench;
use uuid::Uuid;

/// A picking session that is being packed.
pub(crate) struct Packing {
    pub(crate) id: Uuid,
    pub(crate) product: Uuid,
    /// One of each buyer, in the order in which they were asked for.
    pub(crate) orders: Vec<Uuid>,
    /// The line of each order.
    pub(crate) lines: Vec<Uuid>,
}

impl Bench {
    /// An order of so many units of a product, cash on delivery, of a new buyer.
    pub(crate) async fn order_of(&self, product: Uuid, units: u32) -> Uuid {
        let buyer = self.users(1).await[0];
        let buy = format!(
            r#"select set_config('role', 'authenticated', true),
                 set_config('request.jwt.claims', '{{"sub": "{buyer}", "role": "authenticated"}}', true);
               select public.checkout('[{{"product_id": "{product}", "quantity": {units}}}]', p_payment_method => 'cash_on_delivery')"#
        );
        let session = self.stack.connect().await;
        session
            .batch_execute(&format!("begin; {buy}; commit"))
            .await
            .expect("it can be ordered");
        let order = "select id from interlock.orders where user_id = $1";
        let row = self.db.query_one(order, &[&buyer]).await;
        row.expect("there is an order").get(0)
    }

    /// A session with an order of each so many units, of which so many were picked.
    pub(crate) async fn packing(&self, units: &[u32], picked: u32) -> Packing {
        let product = self.products(1, 1000).await[0];
        let mut orders = Vec::new();
        for units in units {
            orders.push(self.order_of(product, *units).await);
        }
        self.packing_of(product, orders, picked).await
    }

    /// A session with these orders of a product.
    pub(crate) async fn packing_of(
        &self,
        product: Uuid,
        orders: Vec<Uuid>,
        picked: u32,
    ) -> Packing {
        let list: Vec<String> = orders.iter().map(|order| format!("'{order}'")).collect();
        let create = format!(
            "public.create_picking_session(array[{}]::uuid[])",
            list.join(", ")
        );
        let session = call(&self.db, &create)
            .await
            .expect("a session can be made");
        let id: Uuid = session["session"]["id"]
            .as_str()
            .and_then(|id| id.parse().ok())
            .expect("it has an id");
        for sql in [
            format!("public.pick_item('{id}', '{product}', p_quantity => {picked})"),
            format!("public.start_packing('{id}')"),
        ] {
            call(&self.db, &sql).await.expect("it can be picked");
        }
        let mut lines = Vec::new();
        for order in &orders {
            let line = "select id from interlock.packing_progress where order_id = $1";
            let row = self.db.query_one(line, &[order]).await;
            lines.push(row.expect("it has a line").get(0));
        }
        Packing {
            id,
            product,
            orders,
            lines,
        }
    }

    /// What is packed of each order, in their order.
    pub(crate) async fn packed(&self, packing: &Packing) -> Vec<i64> {
        let mut packed = Vec::new();
        for order in &packing.orders {
            let query = "select sum(quantity_packed) from interlock.packing_progress where order_id = any ($1)";
            packed.push(self.number(query, &[*order]).await);
        }
        packed
    }
}

impl Packing {
    /// A scan for one of the orders, as the function's RPC takes it.
    pub(crate) fn scan(&self, order: usize, more: &str) -> String {
        format!(
            "public.pack_item('{}', '{}', '{}'{more})",
            self.id, self.orders[order], self.product
        )
    }

    /// The end of an order.
    pub(crate) fn complete(&self, order: usize) -> String {
        format!(
            "public.pack_item('{}', '{}', p_action => 'complete')",
            self.id, self.orders[order]
        )
    }
}
