//! Everybody uses the same promo code with a limit, each on another product.

use super::{Shop, cart, checkout_step, cold_product};
use crate::figure::Figure;
use crate::load::{Argument, Call};
use crate::rows;
use anyhow::Result;
use tokio_postgres::Client;

const CLIENTS: usize = 16;
/// Interlock's checkout with a promo code.
const CHECKOUT: &str =
    "select public.checkout($1, p_promo_code => $3, p_idempotency_key => $2)::text";
const SELECT_FOR_UPDATE: &str = "select bench_peers.checkout_with_promo($1, $2, $3)";
/// The code that everybody uses, with its total in one row and in slots.
const PLAIN: &str = "BENCH-PLAIN";
const SLOTTED: &str = "BENCH-SLOTS";

pub(super) async fn prepare(admin: &Client) -> Result<()> {
    let own = (0..CLIENTS).map(own_code);
    let shared = [PLAIN, SLOTTED].map(str::to_owned);
    for code in own.chain(shared) {
        rows::add_promo(admin, &code).await?;
    }
    rows::set_promo_slots(admin, SLOTTED, 16).await
}

pub(super) async fn measure(shop: &Shop<'_>) -> Result<Vec<Figure>> {
    let variant = |name, call| shop.variant(name, CLIENTS, call);
    let hot = |sql, code: &'static str| with_code(sql, |_| code.to_owned());
    let variants = vec![
        variant("interlock, 16 slots", hot(CHECKOUT, SLOTTED)),
        variant("interlock, no slots", hot(CHECKOUT, PLAIN)),
        variant("interlock, a code each", with_code(CHECKOUT, own_code)),
        variant("select-for-update", hot(SELECT_FOR_UPDATE, PLAIN)),
    ];
    shop.throughput(&format!("promo code, {CLIENTS} clients"), variants)
        .await
}

fn own_code(client: usize) -> String {
    format!("BENCH-{client}")
}

/// A checkout of a cold product under the code of the client of that number.
fn with_code(sql: &'static str, code: impl Fn(usize) -> String + 'static) -> Call {
    Box::new(move |session| {
        let mut step = checkout_step(sql, cart(&[cold_product(session)]));
        step.arguments.push(Argument::value(code(session.number)));
        Some(vec![step])
    })
}
