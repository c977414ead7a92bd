//! Fewer units than buyers: each buyer who gets one gives it back, so that it stays that way.

use super::{Shop, cart, checkout_step};
use crate::figure::Figure;
use crate::load::{Argument, Call, Step};
use crate::rows::{self, Kind};
use anyhow::Result;
use tokio_postgres::Client;

const CLIENTS: usize = 16;
const UNITS: i32 = 8;
/// One product for each variant, because the slots are a property of the product.
const PLAIN: u64 = 1000;
const SLOTTED: u64 = 1001;
/// A checkout that answers which order it is.
const ORDER_ID: &str =
    "select public.checkout($1, p_idempotency_key => $2)::jsonb #>> '{order,id}'";

pub(super) async fn prepare(admin: &Client) -> Result<()> {
    for product in [PLAIN, SLOTTED] {
        rows::add_product(admin, Kind::Hot, product, UNITS).await?;
    }
    rows::set_stock_slots(admin, Kind::Hot.id(SLOTTED), 16).await
}

/// A sale counts together with its cancellation.
pub(super) async fn measure(shop: &Shop<'_>) -> Result<Vec<Figure>> {
    let variants = vec![
        shop.variant("interlock, 16 slots", CLIENTS, buy_and_cancel(SLOTTED)),
        shop.variant("interlock, no slots", CLIENTS, buy_and_cancel(PLAIN)),
    ];
    shop.throughput(&format!("nearly gone, {CLIENTS} clients"), variants)
        .await
}

fn buy_and_cancel(product: u64) -> Call {
    Box::new(move |_| {
        Some(vec![
            checkout_step(ORDER_ID, cart(&[Kind::Hot.id(product)])),
            Step {
                sql: "select public.cancel_order($1::text::uuid)::text",
                arguments: vec![Argument::Answer],
            },
        ])
    })
}
