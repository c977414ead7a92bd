//! Everybody uses the same promo code with a limit, each on another product.

use super::{Shop, UNCHECKED, cart, checkout_step, cold_product};
use crate::figure::Figure;
use crate::load::{Argument, Call, Commit, Step};
use crate::rows;
use crate::series::Variant;
use anyhow::Result;
use tokio_postgres::Client;
use uuid::Uuid;

const CLIENTS: usize = 16;
/// Interlock's checkout with a promo code.
const CHECKOUT: &str =
    "select public.checkout($1, p_promo_code => $3, p_idempotency_key => $2)::text";
const SELECT_FOR_UPDATE: &str = "select bench_peers.checkout_with_promo($1, $2, $3)";
/// The code that everybody uses, with its total in one row and in slots.
const PLAIN: &str = "BENCH-PLAIN";
const SLOTTED: &str = "BENCH-SLOTS";

const HOLD: &str = "select public.validate_promo($1, $2, p_cart_id => $3)::text";
const HOLD_UNCHECKED: &str = "select bench_peers.hold_unchecked($1, $2, $3)::text";
/// Codes of which a customer holds each once: more than one client can hold in a sample.
const HELD: u64 = 2_000;
/// As if none of them was ever held.
const FORGET_HOLDS: &str = "
    delete from interlock.promo_redemptions where status = 'held';
    delete from interlock.promo_user_uses u using interlock.promo_codes p
    where p.id = u.promo_id and p.code like 'BENCH-HELD-%';
    update interlock.promo_codes set used_count = 0 where used_count > 0 and code like 'BENCH-HELD-%'";

pub(super) async fn prepare(admin: &Client) -> Result<()> {
    let own = (0..CLIENTS).map(own_code);
    let shared = [PLAIN, SLOTTED].map(str::to_owned);
    for code in own.chain(shared).chain((0..HELD).map(held_code)) {
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
    let mut figures = shop
        .throughput(&format!("promo code, {CLIENTS} clients"), variants)
        .await?;
    if shop.commit == Commit::Fast {
        let of = |name, sql| Variant {
            before: shop.before(FORGET_HOLDS.to_owned()),
            ..shop.variant(name, 1, hold(sql))
        };
        let ours = of("interlock", HOLD);
        let peer = of(UNCHECKED, HOLD_UNCHECKED);
        let name = "hold of a promo code, one client";
        figures.extend(shop.cpu_beside_unchecked(name, ours, peer).await?);
    }
    Ok(figures)
}

/// Holds the next code for a cart of its own.
fn hold(sql: &'static str) -> Call {
    Box::new(move |session| {
        let code = session.calls.get();
        (code < HELD).then(|| {
            vec![Step {
                sql,
                arguments: vec![
                    Argument::value(held_code(code)),
                    Argument::value(cart(&[cold_product(session)])),
                    Argument::value(Uuid::new_v4()),
                ],
            }]
        })
    })
}

fn held_code(n: u64) -> String {
    format!("BENCH-HELD-{n}")
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
