//! Depots to work on, and what callers do there. They are small: few drivers, few batches, so that callers get in
//! each other's way.

use super::model::{Action, Batch, Call, Depot};
use crate::prove::histories::{
    AnyWorld, Kind, Played, Request, World, array, new_users, pick, present,
};
use crate::prove::model::keys::Keys;
use crate::prove::model::{Clock, Moment};
use anyhow::Result;
use futures::FutureExt as _;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_postgres::Client;
use uuid::Uuid;

/// For the rounds.
pub(crate) const DEPOT: Kind = Kind {
    weight: 1,
    counts: &[1],
    others: "select exists (select from interlock.batches where status = 'available')",
    open: |db, rng, clock| {
        async move { Ok(Box::new(open(db, rng, clock).await?) as Box<dyn AnyWorld>) }.boxed()
    },
    close: &["update interlock.batches set status = 'cancelled'
              where id = any ($1) and status in ('available', 'claimed', 'in_progress')"],
};

/// What callers choose from.
#[derive(Default)]
pub(crate) struct Known {
    /// Calls that were made under a key.
    keyed: Vec<Call>,
    /// How many batches were offered.
    offered: usize,
}

impl Played for Depot {
    type Known = Known;

    fn choose(rng: &mut StdRng, world: &World<Self>, everything: bool) -> Call {
        choose(rng, world, everything)
    }

    fn request(&self, call: &Call) -> Request {
        request(call, self)
    }

    fn learns(_: &World<Self>, _: &Call, _: &serde_json::Value) {}

    fn look() -> Call {
        Call::Look
    }

    fn clock_moves(to: Moment) -> Call {
        Call::ClockMoves { to }
    }

    fn users(&self) -> Vec<Uuid> {
        self.drivers.keys().copied().collect()
    }
}

/// A depot with six drivers and four batches, and more to come.
async fn open(db: &Client, rng: &mut StdRng, clock: Clock) -> Result<World<Depot>> {
    const OFFERED: usize = 4;
    const ALL: usize = 60;
    let mut names = BTreeMap::new();
    let drivers: Vec<Uuid> = (1..=6).map(|_| Uuid::new_v4()).collect();
    let all: Vec<Uuid> = (0..ALL).map(|_| Uuid::new_v4()).collect();
    for (number, id) in (1..).zip(&drivers) {
        names.insert(*id, format!("<driver {number}>"));
    }
    for (number, id) in (1..).zip(&all) {
        names.insert(*id, format!("<batch {number}>"));
    }
    new_users(db, &drivers).await?;
    db.execute(
        "insert into interlock.drivers (user_id) select unnest($1::uuid[])",
        &[&drivers],
    )
    .await?;
    let mut batches = BTreeMap::new();
    for (place, id) in (0..).zip(&all[..OFFERED]) {
        let priority: i32 = rng.random_range(0..2);
        let place: Moment = place;
        db.execute(
            "insert into interlock.batches (id, reference, priority, created_at)
             values ($1::uuid, 'test:' || $1::uuid, $2,
               timestamptz '2001-01-01 00:00:00+00' + $3::bigint * interval '1 second')",
            &[id, &priority, &place],
        )
        .await?;
        batches.insert(*id, Batch::offered(i64::from(priority), place));
    }
    let start = Depot {
        all: Arc::new(all),
        clock,
        drivers: drivers.into_iter().map(|driver| (driver, true)).collect(),
        batches,
        keys: Keys::default(),
    };
    let known = Known {
        offered: OFFERED,
        ..Known::default()
    };
    Ok(World::new(start, names, known))
}

/// The next call on a depot.
fn choose(rng: &mut StdRng, world: &World<Depot>, everything: bool) -> Call {
    let drivers: Vec<Uuid> = world.start.drivers.keys().copied().collect();
    let mut known = world.known.lock().expect("no caller panics");
    if !known.keyed.is_empty() && rng.random_ratio(1, 12) {
        return pick_late(rng, &known.keyed);
    }
    let driver = pick(rng, &drivers);
    // The latest ones; now and then one that is still to come.
    let latest = (known.offered + 1).min(world.start.all.len());
    let batch = world.start.all[rng.random_range(latest.saturating_sub(4)..latest)];
    let call = match rng.random_range(0..100) {
        0..85 => {
            let action = match rng.random_range(0..20) {
                0..9 => Action::Claim,
                9..12 => Action::Renew,
                12..15 => Action::Release,
                15..18 => Action::Start,
                _ => Action::Complete,
            };
            let next = action == Action::Claim && everything && rng.random_ratio(1, 3);
            Call::Route {
                driver,
                batch: (!next).then_some(batch),
                action,
                key: rng.random_ratio(1, 5).then(|| Uuid::new_v4().to_string()),
            }
        }
        85..89 if known.offered < world.start.all.len() => {
            let place = i64::try_from(known.offered).unwrap_or(i64::MAX);
            known.offered += 1;
            Call::Offer {
                batch: world.start.all[known.offered - 1],
                priority: rng.random_range(0..2),
                place,
            }
        }
        89..90 => Call::TakeBack {
            batch: world.start.all[0],
        },
        90..91 => Call::Withdraw {
            batch: world.start.all[1],
        },
        91..93 => Call::Employ {
            driver,
            active: rng.random_ratio(3, 4),
        },
        93..96 => Call::Assign { batch, driver },
        _ => Call::Look,
    };
    if let Call::Route { key: Some(_), .. } = call {
        known.keyed.push(call.clone());
    }
    call
}

fn pick_late<T: Clone>(rng: &mut StdRng, from: &[T]) -> T {
    let late = from.len().saturating_sub(12);
    from[rng.random_range(late..from.len())].clone()
}

/// Sends a call of a depot.
fn request(call: &Call, world: &Depot) -> Request {
    match call {
        Call::Route {
            driver,
            batch,
            action,
            key,
        } => Request::Call {
            function: Some("claim-route"),
            rpc: "claim_route",
            caller: Some(*driver),
            arguments: present(json!({ "batch_id": batch, "action": action.name() })),
            key: key.clone(),
            rows: false,
        },
        Call::Assign { batch, driver } => Request::Call {
            function: None,
            rpc: "assign_batch",
            caller: None,
            arguments: json!({ "batch_id": batch, "driver_user_id": driver }),
            key: None,
            rows: false,
        },
        Call::Offer {
            batch,
            priority,
            place,
        } => Request::Own(format!(
            "insert into interlock.batches (id, reference, priority, created_at)
             values ('{batch}', 'test:{batch}', {priority},
               timestamptz '2001-01-01 00:00:00+00' + interval '{place} seconds')
             returning to_json(true)"
        )),
        Call::TakeBack { batch } => Request::Own(changed(
            *batch,
            "available",
            "status in ('claimed', 'in_progress')",
        )),
        Call::Withdraw { batch } => Request::Own(changed(
            *batch,
            "cancelled",
            "status in ('available', 'claimed', 'in_progress')",
        )),
        Call::Employ { driver, active } => Request::Own(format!(
            "update interlock.drivers set active = {active} where user_id = '{driver}' returning to_json(true)"
        )),
        Call::Look | Call::ClockMoves { .. } => Request::Own(format!(
            "select coalesce(json_object_agg(id, json_build_array(status, driver_id, version)), '{{}}')
             from interlock.batches where id = any ({})",
            array(world.all.iter())
        )),
    }
}

fn changed(batch: Uuid, status: &str, only_if: &str) -> String {
    format!(
        "with changed as (update interlock.batches set status = '{status}'
           where id = '{batch}' and {only_if} returning 1)
         select to_json(count(*) > 0) from changed"
    )
}
