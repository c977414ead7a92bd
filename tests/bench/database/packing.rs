//! Scans at a packing table, beside incident report 003's own function.

use super::{Shop, UNCHECKED};
use crate::figure::Figure;
use crate::load::{Argument, Call, Commit, Session, Step};
use crate::rows::{self, Kind};
use crate::series::Variant;
use anyhow::Result;
use tokio_postgres::Client;

/// Orders of a session, each with a product of its own.
const ORDERS: u64 = 64;

const PACK: &str = "select public.pack_item($1, $2, $3)::text";
const REPORTED: &str = "select public.update_packing_progress_atomic($1, $2, $3)::text";
const PEER: &str = "select bench_peers.update_packing_progress_atomic($1, $2, $3)";
const PACK_UNCHECKED: &str = "select bench_peers.pack_unchecked($1, $2, $3)";

pub(super) async fn prepare(admin: &Client) -> Result<()> {
    rows::add_picking_sessions(admin, ORDERS, ORDERS).await
}

/// Everything, by sessions of staff.
pub(super) async fn measure(shop: &Shop<'_>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let variants = || {
        let told = |name, call, told| Variant {
            before: shop.before(with_realtime(told)),
            ..shop.variant(name, 1, call)
        };
        [
            told("interlock", scan(PACK, any), false),
            told(
                "interlock, by the report's function",
                scan(REPORTED, any),
                false,
            ),
            told("report 003", scan(PEER, any), false),
            told(UNCHECKED, scan(PACK_UNCHECKED, any), false),
            told(
                "interlock, by the report's function, broadcast",
                scan(REPORTED, any),
                true,
            ),
        ]
    };
    let [ours, reported, _, unchecked, _] = variants();
    ours.writes_what(&unchecked).await?;
    reported.writes_what(&unchecked).await?;
    figures.extend(shop.time("scan, one worker", variants().into()).await?);
    if shop.commit == Commit::Fast {
        figures.extend(shop.cpu("scan, one worker", variants().into()).await?);
    }
    shop.admin.batch_execute(&with_realtime(false)).await?;
    for (name, workers, place) in [
        (
            "scans, 16 workers on one session, each its own product",
            16,
            own as Place,
        ),
        ("scans, 16 workers on one product", 16, one),
        ("scans, 64 workers on 64 sessions", 64, apart),
    ] {
        let variants = vec![
            shop.variant("interlock", workers, scan(PACK, place)),
            shop.variant(
                "interlock, by the report's function",
                workers,
                scan(REPORTED, place),
            ),
            shop.variant("report 003", workers, scan(PEER, place)),
        ];
        figures.extend(shop.throughput(name, variants).await?);
    }
    Ok(figures)
}

/// With the platform's realtime each scan writes a broadcast, too. The report's function has none: its screens ask.
fn with_realtime(there: bool) -> String {
    let (from, to) = if there {
        ("send_off", "send")
    } else {
        ("send", "send_off")
    };
    format!(
        "do $$
         begin
           if to_regprocedure('realtime.{from}(jsonb,text,text,boolean)') is not null then
             alter function realtime.{from}(jsonb, text, text, boolean) rename to {to};
           end if;
         end
         $$"
    )
}

/// Which session a worker scans in, and which of its orders and products.
type Place = fn(&Session) -> (u64, u64);

fn any(session: &Session) -> (u64, u64) {
    (0, session.random(ORDERS))
}

fn own(session: &Session) -> (u64, u64) {
    (0, session.number as u64)
}

/// Orders of the last session are all of one product.
fn one(session: &Session) -> (u64, u64) {
    (ORDERS, session.number as u64)
}

fn apart(session: &Session) -> (u64, u64) {
    (session.number as u64, 0)
}

fn scan(sql: &'static str, place: Place) -> Call {
    Box::new(move |session| {
        let (number, order) = place(session);
        let product = if number == ORDERS { 0 } else { order };
        Some(vec![Step {
            sql,
            arguments: vec![
                Argument::value(Kind::PickingSession.id(number)),
                Argument::value(Kind::Packed.id(number * ORDERS + order)),
                Argument::value(Kind::Cold.id(product)),
            ],
        }])
    })
}
