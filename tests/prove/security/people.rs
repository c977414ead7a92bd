//! A user with rows everywhere, whose every value is a secret, and those who must not see them.

use crate::areas::delivery::calls::CLAIM_ROUTE;
use crate::areas::promo::calls::PROMO_VALIDATE;
use crate::areas::shop::calls::CHECKOUT;
use crate::areas::shop::rows::{cart, with};
use crate::harness::calls::{Adapter, Caller};
use crate::harness::stack::{Bench, Stack, staff_claims};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use uuid::Uuid;

/// The cast of the checks.
pub(super) struct Cast {
    /// Has rows in every table.
    pub(super) owner: Uuid,
    /// Has none but a wallet and the right to drive.
    pub(super) stranger: Uuid,
    /// Staff by token.
    pub(super) staff: Uuid,
    pub(super) secrets: Vec<Secret>,
    /// The key of an answered request of the owner, and the request.
    pub(super) used_key: (String, serde_json::Value),
    /// The owner's batch, while it is held.
    pub(super) batch: Uuid,
    /// The promo code that is named for the owner.
    pub(super) promo: String,
    /// An order of the owner that could be cancelled.
    pub(super) open_order: Uuid,
    /// What the owner's order has, and everybody may buy.
    pub(super) product: Uuid,
}

/// Something of the owner that nobody else may read.
#[derive(Clone, Debug)]
pub(super) struct Secret {
    pub(super) what: &'static str,
    pub(super) text: String,
}

impl Cast {
    /// Makes the users and the owner's rows.
    pub(super) async fn new(bench: &Bench) -> Result<Self> {
        let users = bench.drivers(2).await;
        let staff = bench.users(1).await[0];
        let [owner, stranger] = users[..] else {
            unreachable!("two drivers were asked for")
        };
        bench.top_up(stranger, 1).await;
        let caller = Caller::new(bench.stack, Adapter::Rpc, owner).await;
        let mark = Uuid::new_v4().simple().to_string();

        let batch = bench.batches(1).await[0];
        let claim = caller
            .invoke(CLAIM_ROUTE, json!({ "batch_id": batch }), None)
            .await;
        ensure!(claim.is_success(), "the owner claims a batch: {claim:?}");

        let reference = Uuid::new_v4().to_string();
        bench
            .db
            .execute(
                "select public.top_up_wallet($1, 100000, 'USD', $2)",
                &[&owner, &reference],
            )
            .await?;
        let product = bench.digital_product(3).await;
        let code = format!("test:code:{mark}");
        bench
            .db
            .execute(
                "update interlock.product_codes set code = $2::text
                 where id = (select min(id) from interlock.product_codes where product_id = $1)",
                &[&product, &code],
            )
            .await?;
        let promo = format!("TEST{mark}").to_uppercase();
        let promo_id: Uuid = bench
            .db
            .query_one(
                "insert into interlock.promo_codes (code, discount_type, discount_value, user_id)
                 values ($1::text, 'percentage', 10, $2) returning id",
                &[&promo, &owner],
            )
            .await?
            .get(0);

        let cart_id = Uuid::new_v4();
        let used_key = (
            format!("test:key:{mark}"),
            with(
                with(
                    with(cart(&[(product, 1)]), "payment_method", "wallet"),
                    "cart_id",
                    json!(cart_id),
                ),
                "promo_code",
                promo.clone(),
            ),
        );
        let bought = caller
            .invoke(CHECKOUT, used_key.1.clone(), Some(&used_key.0))
            .await;
        ensure!(bought.is_success(), "the owner buys: {bought:?}");
        let order = id(&bought.body["order"]["id"]).context("an order has an id")?;

        let held_cart = Uuid::new_v4();
        let hold = json!({ "code": promo, "subtotal": 1000, "cart_id": held_cart });
        let held = caller.invoke(PROMO_VALIDATE, hold, None).await;
        ensure!(held.is_success(), "the owner holds a code: {held:?}");

        let open = with(cart(&[(product, 1)]), "payment_method", "bank_transfer");
        let open = caller.invoke(CHECKOUT, open, None).await;
        ensure!(
            open.is_success(),
            "the owner buys by bank transfer: {open:?}"
        );
        let open_order = id(&open.body["order"]["id"]).context("an order has an id")?;
        let proof = format!("{owner}/{open_order}/test-{mark}.pdf");
        bench
            .db
            .execute(
                "insert into interlock.payment_proofs (order_id, object_path) values ($1, $2::text)",
                &[&open_order, &proof],
            )
            .await?;

        let secrets = [
            ("the user's id", owner.to_string()),
            ("a batch that is held", batch.to_string()),
            ("the reference of a top-up", reference.to_string()),
            ("a product code", code),
            ("the code of a promo", promo.clone()),
            ("the id of a promo", promo_id.to_string()),
            ("a cart", cart_id.to_string()),
            ("a cart with a held code", held_cart.to_string()),
            ("an idempotency key", used_key.0.clone()),
            ("a paid order", order.to_string()),
            ("an order that waits", open_order.to_string()),
            ("the path of a payment proof", proof),
        ]
        .map(|(what, text)| Secret { what, text })
        .to_vec();
        Ok(Cast {
            owner,
            stranger,
            staff,
            secrets,
            used_key,
            batch,
            promo,
            open_order,
            product,
        })
    }

    /// Every kind of caller: a name, the database role, API key and token.
    pub(super) fn everybody(
        &self,
        stack: &Stack,
    ) -> [(&'static str, &'static str, String, Option<String>); 5] {
        let anon = || stack.anon_key.clone();
        let service = || stack.service_role_key.clone();
        [
            ("anon", "anon", anon(), None),
            (
                "the owner",
                "authenticated",
                anon(),
                Some(stack.user_token(self.owner)),
            ),
            (
                "a stranger",
                "authenticated",
                anon(),
                Some(stack.user_token(self.stranger)),
            ),
            (
                "staff",
                "authenticated",
                anon(),
                Some(self.staff_token(stack)),
            ),
            ("the shop", "service_role", service(), Some(service())),
        ]
    }

    /// A token of staff.
    pub(super) fn staff_token(&self, stack: &Stack) -> String {
        stack.token(&staff_claims(self.staff))
    }

    /// The secrets in a text, but for those that the caller has sent.
    pub(super) fn secrets_in(&self, text: &str, sent: &str) -> Vec<&'static str> {
        let (text, sent) = (text.to_lowercase(), sent.to_lowercase());
        self.secrets
            .iter()
            .filter(|secret| {
                let secret = secret.text.to_lowercase();
                text.contains(&secret) && !sent.contains(&secret)
            })
            .map(|secret| secret.what)
            .collect()
    }
}

fn id(value: &serde_json::Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}
