//! Two drivers, or a driver and the shop.

use crate::meanwhile::{By, End, Scene, Wait};

/// Ann and Bob as drivers, and two batches.
pub(crate) const ROWS: &str = "
insert into interlock.drivers (user_id) values ('{ann}'), ('{bob}');
insert into interlock.batches (id, reference, created_at)
  values ('{batch}', 'test:1', now() - interval '2 min'), ('{batch2}', 'test:2', now() - interval '1 min');
";

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "a batch handed to another driver meanwhile is not completed",
        before: &[(By::Ann, "select public.claim_route('{batch}')")],
        meanwhile: (
            By::Shop,
            "update interlock.batches set status = 'available' where id = '{batch}';
             update interlock.batches set status = 'claimed', driver_id = '{bob}' where id = '{batch}'",
        ),
        call: (By::Ann, "select public.claim_route('{batch}', 'complete')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "BATCH_NOT_HELD",
        then: "(status, driver_id) = ('claimed', '{bob}') from interlock.batches where id = '{batch}'",
    },
    Scene {
        name: "a lease that is over meanwhile ends the right to renew",
        before: &[(By::Ann, "select public.claim_route('{batch}')")],
        meanwhile: (
            By::Shop,
            "update interlock.batches set claimed_at = now() - interval '1 hour',
               lease_expires_at = now() - interval '1 hour' where id = '{batch}'",
        ),
        call: (By::Ann, "select public.claim_route('{batch}', 'renew')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "LEASE_EXPIRED",
        then: "status = 'claimed' from interlock.batches where id = '{batch}'",
    },
    Scene {
        name: "a batch that another driver takes meanwhile is not completed late",
        before: &[
            (By::Ann, "select public.claim_route('{batch}')"),
            (By::Shop, "update interlock.batches set claimed_at = now() - interval '1 hour', lease_expires_at = now() - interval '1 hour' where id = '{batch}'"),
        ],
        meanwhile: (By::Bob, "select public.claim_route('{batch}')"),
        call: (By::Ann, "select public.claim_route('{batch}', 'complete')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "BATCH_NOT_HELD",
        then: "(status, driver_id) = ('claimed', '{bob}') from interlock.batches where id = '{batch}'",
    },
    Scene {
        name: "a batch that is completed late meanwhile is nobody's to claim",
        before: &[
            (By::Ann, "select public.claim_route('{batch}')"),
            (By::Shop, "update interlock.batches set claimed_at = now() - interval '1 hour', lease_expires_at = now() - interval '1 hour' where id = '{batch}'"),
        ],
        meanwhile: (By::Ann, "select public.claim_route('{batch}', 'complete')"),
        call: (By::Bob, "select public.claim_route('{batch}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "BATCH_UNAVAILABLE",
        then: "(status, driver_id) = ('completed', '{ann}') from interlock.batches where id = '{batch}'",
    },
    Scene {
        name: "a batch given to another driver meanwhile is not completed",
        before: &[(By::Ann, "select public.claim_route('{batch}')")],
        meanwhile: (By::Shop, "set local role service_role; select public.assign_batch('{batch}', '{bob}')"),
        call: (By::Ann, "select public.claim_route('{batch}', 'complete')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "BATCH_NOT_HELD",
        then: "(status, driver_id) = ('claimed', '{bob}') from interlock.batches where id = '{batch}'",
    },
    Scene {
        name: "a batch completed meanwhile is given to nobody",
        before: &[(By::Ann, "select public.claim_route('{batch}')")],
        meanwhile: (By::Ann, "select public.claim_route('{batch}', 'complete')"),
        call: (By::Shop, "set local role service_role; select public.assign_batch('{batch}', '{bob}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "BATCH_FINISHED",
        then: "(status, driver_id) = ('completed', '{ann}') from interlock.batches where id = '{batch}'",
    },
    Scene {
        name: "a batch deleted meanwhile is not there to be given",
        before: &[],
        meanwhile: (By::Shop, "delete from interlock.batches where id = '{batch}'"),
        call: (By::Shop, "set local role service_role; select public.assign_batch('{batch}', '{bob}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "BATCH_NOT_FOUND",
        then: "not exists (select from interlock.batches where driver_id = '{bob}')",
    },
    Scene {
        name: "a batch renewed meanwhile is given all the same",
        before: &[(By::Ann, "select public.claim_route('{batch}')")],
        meanwhile: (By::Ann, "select public.claim_route('{batch}', 'start')"),
        call: (By::Shop, "set local role service_role; select public.assign_batch('{batch}', '{bob}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "{batch}",
        then: "(status, driver_id, started_at is null) = ('claimed', '{bob}', true) from interlock.batches where id = '{batch}'",
    },
    Scene {
        name: "a driver who claims another batch meanwhile is given none",
        before: &[],
        meanwhile: (By::Bob, "select public.claim_route('{batch2}')"),
        call: (By::Shop, "set local role service_role; select public.assign_batch('{batch}', '{bob}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "DRIVER_BUSY",
        then: "status = 'available' from interlock.batches where id = '{batch}'",
    },
    Scene {
        name: "who is given a batch claims no other meanwhile",
        before: &[],
        meanwhile: (By::Shop, "set local role service_role; select public.assign_batch('{batch}', '{bob}')"),
        call: (By::Bob, "select public.claim_route('{batch2}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "DRIVER_BUSY",
        then: "status = 'available' from interlock.batches where id = '{batch2}'",
    },
    Scene {
        name: "a driver made inactive meanwhile is given nothing",
        before: &[],
        meanwhile: (By::Shop, "update interlock.drivers set active = false where user_id = '{bob}'"),
        call: (By::Shop, "set local role service_role; select public.assign_batch('{batch}', '{bob}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "DRIVER_NOT_FOUND",
        then: "status = 'available' from interlock.batches where id = '{batch}'",
    },
    Scene {
        name: "who is given a batch waits for no stale one of their own",
        before: &[
            (By::Ann, "select public.claim_route('{batch2}')"),
            (By::Shop, "update interlock.batches set claimed_at = now() - interval '1 hour', lease_expires_at = now() - interval '1 hour' where id = '{batch2}'"),
        ],
        meanwhile: (By::Bob, "select public.claim_route('{batch2}')"),
        call: (By::Shop, "set local role service_role; select public.assign_batch('{batch}', '{ann}')"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "55P03",
        then: "status = 'available' from interlock.batches where id = '{batch}'",
    },
    Scene {
        name: "a driver made inactive meanwhile claims nothing",
        before: &[],
        meanwhile: (By::Shop, "update interlock.drivers set active = false where user_id = '{ann}'"),
        call: (By::Ann, "select public.claim_route('{batch}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "NOT_A_DRIVER",
        then: "status = 'available' from interlock.batches where id = '{batch}'",
    },
    Scene {
        name: "a batch claimed meanwhile is refused with its state",
        before: &[],
        meanwhile: (By::Bob, "select public.claim_route('{batch}')"),
        call: (By::Ann, "select public.claim_route('{batch}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "BATCH_UNAVAILABLE",
        then: "(driver_id, version) = ('{bob}', 2) from interlock.batches where id = '{batch}'",
    },
    Scene {
        name: "nobody waits for their own stale batch",
        before: &[
            (By::Ann, "select public.claim_route('{batch2}')"),
            (By::Shop, "update interlock.batches set claimed_at = now() - interval '1 hour', lease_expires_at = now() - interval '1 hour' where id = '{batch2}'"),
        ],
        meanwhile: (By::Bob, "select public.claim_route('{batch2}')"),
        call: (By::Ann, "select public.claim_route('{batch}')"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "55P03",
        then: "status = 'available' from interlock.batches where id = '{batch}'",
    },
    Scene {
        name: "the next batch is the first that nobody is locking",
        before: &[],
        meanwhile: (By::Bob, "select public.claim_route()"),
        call: (By::Ann, "select public.claim_route()"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "{batch2}",
        then: "count(distinct driver_id) = 2 from interlock.batches where id in ('{batch}', '{batch2}')",
    },
    Scene {
        name: "the next lease that is over is the first that nobody is locking",
        before: &[
            (By::Ann, "select public.claim_route('{batch}')"),
            (By::Bob, "select public.claim_route('{batch2}')"),
            (By::Shop, "update interlock.batches set claimed_at = now() - interval '1 hour', lease_expires_at = now() - interval '1 hour' where id in ('{batch}', '{batch2}');
              insert into auth.users (id, aud, role, email) values ('{id}', 'authenticated', 'authenticated', '{id}@test.example');
              insert into interlock.drivers (user_id) values ('{id}')"),
        ],
        meanwhile: (By::Shop, "select 1 from interlock.batches where id = '{batch}' for update"),
        call: (By::Shop, "select set_config('request.jwt.claims', '{\"sub\": \"{id}\"}', true);
          select public.claim_route()"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "{batch2}",
        then: "driver_id = '{id}' from interlock.batches where id = '{batch2}'",
    },
    Scene {
        name: "when all are locked the first of the queue is waited for",
        before: &[],
        meanwhile: (By::Shop, "select 1 from interlock.batches where id in ('{batch}', '{batch2}') for update"),
        call: (By::Ann, "select public.claim_route()"),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "{batch}",
        then: "driver_id = '{ann}' from interlock.batches where id = '{batch}'",
    },
    Scene {
        name: "when all batches go meanwhile there is none",
        before: &[],
        meanwhile: (By::Shop, "update interlock.batches set status = 'cancelled' where id in ('{batch}', '{batch2}')"),
        call: (By::Ann, "select public.claim_route()"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "NO_BATCH_AVAILABLE",
        then: "count(*) = 2 from interlock.batches where id in ('{batch}', '{batch2}') and driver_id is null",
    },
    Scene {
        name: "who gives back a stale batch waits for the batch they claim and for no other",
        before: &[
            (By::Ann, "select public.claim_route('{batch2}')"),
            (By::Shop, "update interlock.batches set claimed_at = now() - interval '1 hour', lease_expires_at = now() - interval '1 hour' where id = '{batch2}';
              insert into interlock.batches (id, reference) values ('{id}', 'test:3')"),
        ],
        meanwhile: (By::Shop, "select 1 from interlock.batches where id = '{id}' for update"),
        call: (By::Ann, "select public.claim_route('{batch}')"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "{batch}",
        then: "status = 'available' from interlock.batches where id = '{batch2}'",
    },
];

crate::meanwhile::test_scenes!(SCENES);
