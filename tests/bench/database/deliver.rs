//! Events on their way: what a poll costs that finds nothing, and what a delivery does, claimed and recorded.

use super::Shop;
use crate::figure::Figure;
use crate::load::{Argument, Call, Load, Step};
use crate::series::{Scenario, Variant};
use anyhow::Result;
use tokio_postgres::Client;

const SECRET: &str = "the-secret-of-the-worker-of-the-bench";
/// Each is sent so many at a time, so a call has that many of each.
const ENDPOINTS: usize = 4;
const AT_A_TIME: f64 = 5.0;
/// More than a sample can deliver.
const EVENTS: usize = 6_000;

pub(super) async fn prepare(admin: &Client) -> Result<()> {
    admin
        .batch_execute(&format!(
            "select public.set_deliver_secret('{SECRET}');
             select public.create_webhook_endpoint('https://receiver.example/' || n, p_event_types => '{{bench.told}}')
             from generate_series(1, {ENDPOINTS}) n;
             insert into interlock.outbox (type, subject, payload)
             select 'bench.old', n::text, '{{}}' from generate_series(1, 50000) n"
        ))
        .await?;
    Ok(())
}

/// Everything, by one worker; receivers take no time.
pub(super) async fn measure(shop: &Shop<'_>) -> Result<Vec<Figure>> {
    let nothing = "delete from interlock.deliveries;
        update interlock.delivery_cursor set seen = interlock.committed_snapshot(), target = null, position = 0;";
    // Made beforehand, so that what is measured is sending: the first calls of a worker make a thousand events' each.
    let much = format!(
        "begin;
         {nothing}
         insert into interlock.outbox (type, subject, payload)
         select 'bench.told', n::text, jsonb_build_object('n', n) from generate_series(1, {EVENTS}) n;
         commit;
         select interlock.make_deliveries({EVENTS})"
    );
    let idle = Variant {
        before: shop.before(nothing.to_owned()),
        ..shop.variant("interlock", 1, poll())
    };
    let mut figures = shop.cpu("poll that finds nothing", vec![idle]).await?;
    for (name, unit, measure) in [
        (
            "CPU of a delivery",
            "µs",
            (|load| load.busy_us() / (ENDPOINTS as f64 * AT_A_TIME)) as fn(&Load) -> f64,
        ),
        ("deliveries, one worker", "per second", |load| {
            load.per_second() * ENDPOINTS as f64 * AT_A_TIME
        }),
    ] {
        let variant = Variant {
            before: shop.before(much.clone()),
            ..shop.variant("interlock", 1, poll())
        };
        let scenario = Scenario {
            section: "database",
            name: format!("{name}, {}", shop.commit.name()),
            unit,
            measure,
            seconds: shop.options.seconds * 0.3,
            variants: vec![variant],
        };
        figures.extend(scenario.measure(shop.options).await?);
    }
    Ok(figures)
}

fn poll() -> Call {
    Box::new(|_| {
        Some(vec![Step {
            sql: "select bench_peers.deliver($1)",
            arguments: vec![Argument::value(SECRET.to_owned())],
        }])
    })
}
