//! Every answer of `claim-route` that docs/openapi.json tells of.

use crate::harness::stack::Bench;
use crate::openapi::{Scene, Sent};
use serde_json::{Value, json};
use uuid::Uuid;

/// `claim-route`.
pub(crate) async fn claim_route(bench: &Bench) -> (String, Value) {
    bench.needs_no_other_batches().await;
    let mut scene = Scene::new(bench, "claim-route");
    let drivers = bench.drivers(2).await;
    let buyer = bench.users(1).await[0];
    scene.refuses_what_all_refuse(drivers[0]).await;
    scene
        .expect("NO_BATCH_AVAILABLE", drivers[0], &json!({}))
        .await;

    let batch = bench.batches(1).await[0];
    let named = json!({ "batch_id": batch });
    scene.expect("NOT_A_DRIVER", buyer, &named).await;
    let unknown = json!({ "batch_id": Uuid::new_v4() });
    scene.expect("BATCH_NOT_FOUND", drivers[0], &unknown).await;
    scene.expect("claimed", drivers[0], &named).await;
    scene.expect("DRIVER_BUSY", drivers[0], &json!({})).await;
    scene.expect("BATCH_UNAVAILABLE", drivers[1], &named).await;
    let act = |action: &str| json!({ "batch_id": batch, "action": action });
    scene
        .expect("BATCH_NOT_HELD", drivers[1], &act("start"))
        .await;
    scene.expect("started", drivers[0], &act("start")).await;
    bench.expire_lease(batch).await;
    scene
        .expect("LEASE_EXPIRED", drivers[0], &act("renew"))
        .await;
    scene.expect("claimed again", drivers[0], &named).await;

    let key = Some("a key");
    let first = scene.request(drivers[0], &act("renew"));
    scene.expect_of("renewed", Sent { key, ..first }).await;
    let other = scene.request(drivers[0], &act("release"));
    scene
        .expect_of("IDEMPOTENCY_KEY_REUSED", Sent { key, ..other })
        .await;
    scene.expect("released", drivers[0], &act("release")).await;
    scene.end()
}
