//! Rows of a shop for the tests to work on, and the invariants that must hold at any moment.

use crate::harness::stack::Bench;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What every product of the tests costs, in minor units.
pub(crate) const PRICE: i64 = 700;

impl Bench {
    /// Empties the slots that a broken product has sold more from than there was: they would stop whoever
    /// settles slots next.
    #[cfg(test)]
    pub(crate) async fn mend_slots(&self) {
        self.db
            .batch_execute(
                "update interlock.counter_slots s set used = 0, granted = 0
                 where s.owner_id in (
                   select c.owner_id
                   from interlock.counter_slots c
                   left join interlock.products p on p.id = c.owner_id
                   left join interlock.promo_codes k on k.id = c.owner_id
                   group by c.owner_id
                   having sum(c.used) > min(coalesce(p.available_quantity, k.max_uses - k.used_count))
                 )",
            )
            .await
            .expect("slots can be emptied");
    }

    /// New physical products, each with that stock.
    pub async fn products(&self, count: usize, stock: i32) -> Vec<Uuid> {
        let ids: Vec<Uuid> = (0..count).map(|_| Uuid::new_v4()).collect();
        self.db
            .execute(
                "insert into interlock.products (id, name, price, currency, available_quantity)
                 select id, 'test:' || id, $2::bigint, 'USD', $3 from unnest($1::uuid[]) as id",
                &[&ids, &PRICE, &stock],
            )
            .await
            .expect("products can be inserted");
        ids
    }

    /// A new digital product with so many codes.
    pub async fn digital_product(&self, codes: i32) -> Uuid {
        let id = Uuid::new_v4();
        self.db
            .execute(
                "insert into interlock.products (id, name, price, currency, kind)
                 values ($1::uuid, 'test:' || $1::uuid, $2::bigint, 'USD', 'digital')",
                &[&id, &PRICE],
            )
            .await
            .expect("a product can be inserted");
        self.db
            .execute(
                "insert into interlock.product_codes (product_id, code)
                 select $1, 'test:' || n from generate_series(1, $2::int) as n",
                &[&id, &codes],
            )
            .await
            .expect("codes can be inserted");
        id
    }

    /// A new promo code of 10 % with these limits; its text.
    pub async fn promo(&self, max_uses: Option<i32>, max_uses_per_user: Option<i32>) -> String {
        let code = format!("T{}", Uuid::new_v4().simple()).to_uppercase();
        self.db
            .execute(
                "insert into interlock.promo_codes (code, discount_type, discount_value, max_uses, max_uses_per_user)
                 values ($1::text, 'percentage', 10, $2::int, $3::int)",
                &[&code, &max_uses, &max_uses_per_user],
            )
            .await
            .expect("a promo code can be inserted");
        code
    }

    /// Puts money into a user's wallet.
    pub async fn top_up(&self, user: Uuid, amount: i64) {
        self.db
            .execute(
                "select public.top_up_wallet($1, $2, 'USD', gen_random_uuid()::text)",
                &[&user, &amount],
            )
            .await
            .expect("a wallet can be topped up");
    }

    /// One number out of the database.
    pub async fn number(&self, query: &str, ids: &[Uuid]) -> i64 {
        let row = self.db.query_one(query, &[&ids]).await;
        row.unwrap_or_else(|error| panic!("{query}: {error}"))
            .get(0)
    }

    /// How much of the products is left, exactly.
    pub async fn stock(&self, products: &[Uuid]) -> i64 {
        self.number(
            "select sum(p.available_quantity) - coalesce(
               (select sum(s.used) from interlock.counter_slots s where s.owner_id = any ($1)), 0)
             from interlock.products p where p.id = any ($1)",
            products,
        )
        .await
    }

    /// How much of the products was sold in orders that still stand.
    pub async fn sold(&self, products: &[Uuid]) -> i64 {
        self.number(
            "select coalesce(sum(i.quantity), 0) from interlock.order_items i join interlock.orders o on o.id = i.order_id
             where i.product_id = any ($1) and o.status not in ('cancelled', 'expired', 'refunded')",
            products,
        )
        .await
    }

    /// How many orders the users have.
    pub async fn orders(&self, users: &[Uuid]) -> i64 {
        self.number(
            "select count(*) from interlock.orders where user_id = any ($1)",
            users,
        )
        .await
    }

    /// Lets the time for payment of an order be over: the row is aged, not the clock.
    pub async fn let_payment_expire(&self, order: Uuid) {
        let aged = self
            .db
            .execute(
                "update interlock.orders set payment_expires_at = now() - interval '1 second' where id = $1",
                &[&order],
            )
            .await
            .expect("the order can be aged");
        assert_eq!(aged, 1);
    }

    /// The shop expires orders and rejects the payment of this one, many times.
    pub async fn shop_endings(
        &self,
        order: Uuid,
        times: usize,
    ) -> impl Future<Output = Result<(), String>> + use<> {
        let reject = format!("select public.reject_payment('{order}')");
        let calls = ["select public.expire_orders()".to_owned(), reject];
        self.shop_calls(calls.into_iter().cycle().take(times).collect())
            .await
    }

    /// The shop makes these calls at once, each in a session of its own that is open already. Only a
    /// refusal of the catalogue is no error.
    pub async fn shop_calls(
        &self,
        calls: Vec<String>,
    ) -> impl Future<Output = Result<(), String>> + use<> {
        let mut ready = Vec::new();
        for call in calls {
            ready.push((self.stack.connect().await, call));
        }
        let calls = ready.into_iter().map(|(session, call)| async move {
            match session.batch_execute(&call).await {
                Ok(()) => Ok(()),
                Err(error)
                    if error
                        .code()
                        .is_some_and(|code| code.code().starts_with("PT4")) =>
                {
                    Ok(())
                }
                Err(error) => Err(format!("{call}: {error}")),
            }
        });
        let calls: Vec<_> = calls.collect();
        async move { futures::future::join_all(calls).await.into_iter().collect() }
    }

    /// Lets the holds on a code be over, again and again: rows are aged, not the clock.
    pub async fn expire_holds_of(
        &self,
        code: String,
        times: usize,
    ) -> impl Future<Output = ()> + use<> {
        let session = self.stack.connect().await;
        async move {
            for _ in 0..times {
                session
                    .execute(
                        "update interlock.promo_redemptions r set held_until = now() - interval '1 second'
                         from interlock.promo_codes p
                         where p.id = r.promo_id and p.code = $1 and r.status = 'held'
                           and r.id::text < '8'",
                        &[&code],
                    )
                    .await
                    .expect("holds can be aged");
            }
            session
                .execute(
                    "update interlock.promo_redemptions r set held_until = now() - interval '1 second'
                     from interlock.promo_codes p where p.id = r.promo_id and p.code = $1 and r.status = 'held'",
                    &[&code],
                )
                .await
                .expect("holds can be aged");
        }
    }

    /// How many uses of a code are redeemed.
    pub async fn redemptions(&self, code: &str) -> i64 {
        let query = "select count(*) from interlock.promo_redemptions r join interlock.promo_codes p on p.id = r.promo_id
                     where p.code = $1 and r.status = 'redeemed'";
        self.db
            .query_one(query, &[&code])
            .await
            .expect("redemptions can be counted")
            .get(0)
    }

    /// How many differences there are in the books: each view lists some and must stay empty.
    pub async fn differences(&self) -> BTreeMap<&'static str, i64> {
        let mut differences = BTreeMap::new();
        for view in [
            "stock_differences",
            "wallet_differences",
            "code_differences",
            "promo_differences",
            "packing_differences",
        ] {
            let query = format!("select count(*) from public.{view} where $1::uuid[] is not null");
            differences.insert(view, self.number(&query, &[]).await);
        }
        differences
    }
}

/// The body of a checkout.
pub(crate) fn cart(lines: &[(Uuid, u32)]) -> Value {
    let lines: Vec<Value> = lines
        .iter()
        .map(|(product, quantity)| json!({ "product_id": product, "quantity": quantity }))
        .collect();
    json!({ "cart_items": lines })
}

/// The same with more fields.
pub(crate) fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    body[field] = value.into();
    body
}
