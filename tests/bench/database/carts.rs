//! Carts of many lines, one client: what a line costs.

use super::{CHECKOUT, COLD_PRODUCTS, SELECT_FOR_UPDATE, Shop, cart, checkout, checkout_step};
use crate::figure::Figure;
use crate::load::{Argument, Call, Commit, Session, Step};
use crate::rows::Kind;
use anyhow::Result;
use uuid::Uuid;

/// Has no factor in common with the number of products, so no cart has one twice.
const STRIDE: u64 = 997;

pub(super) async fn measure(shop: &Shop<'_>) -> Result<Vec<Figure>> {
    let sizes: &[u64] = if shop.options.quick {
        &[1, 50]
    } else {
        &[1, 5, 20, 50]
    };
    let mut figures = Vec::new();
    for &lines in sizes {
        let of_a_cart = |sql| checkout(sql, move |session| cart(&products(session, lines)));
        let variants = || {
            vec![
                shop.variant("interlock", 1, of_a_cart(CHECKOUT)),
                shop.variant("select-for-update", 1, of_a_cart(SELECT_FOR_UPDATE)),
                shop.variant("one call per line", 1, one_call_per_line(lines)),
            ]
        };
        let plural = if lines == 1 { "" } else { "s" };
        let name = format!("cart, {lines} line{plural}, one client");
        figures.extend(shop.time(&name, variants()).await?);
        if shop.commit == Commit::Fast {
            let mut variants = variants();
            if lines == 1 {
                let hot = checkout(CHECKOUT, |_| cart(&[Kind::Hot.id(16)]));
                variants.push(shop.variant("interlock, 16 slots", 1, hot));
            }
            figures.extend(shop.cpu(&name, variants).await?);
        }
    }
    Ok(figures)
}

fn products(session: &Session, lines: u64) -> Vec<Uuid> {
    let first = session.random(COLD_PRODUCTS);
    (0..lines)
        .map(|line| Kind::Cold.id((first + line * STRIDE) % COLD_PRODUCTS))
        .collect()
}

/// The order first, then its stock line by line, each call a transaction.
fn one_call_per_line(lines: u64) -> Call {
    Box::new(move |session| {
        let products = products(session, lines);
        let mut steps = vec![checkout_step(
            "select bench_peers.create_order($1, $2)",
            cart(&products),
        )];
        steps.extend(products.into_iter().map(|product| Step {
            sql: "select bench_peers.decrement_inventory($1, $2, $3)",
            arguments: vec![
                Argument::value(product),
                Argument::value(1_i32),
                Argument::Answer,
            ],
        }));
        Some(steps)
    })
}
