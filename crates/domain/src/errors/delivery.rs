//! What the database raises about batches and their drivers.

use crate::shape::Shape;

/// What a refused driver may know of a batch.
const BATCH_STATE: &[(&str, Shape)] = &[
    ("batch_id", Shape::Uuid),
    ("status", Shape::Text),
    ("lease_expires_at", Shape::OrNull(&Shape::Time)),
];

super::codes! {
    NotADriver 403 Final "NOT_A_DRIVER"
        "This user is not an active driver."
        "Ask the shop to add this user to its drivers, or to activate the driver again."
        Null;

    DriverNotFound 404 Final "DRIVER_NOT_FOUND"
        "There is no active driver with this id."
        "Check the user id, and that the shop's drivers have this user as active."
        known(&[("driver_user_id", Uuid)]);

    BatchNotFound 404 Final "BATCH_NOT_FOUND"
        "There is no such batch."
        "Check batch_id, or send {} to claim the next available batch."
        known(&[("batch_id", Uuid)]);

    BatchUnavailable 409 Final "BATCH_UNAVAILABLE"
        "This batch cannot be claimed now."
        "Take another batch: send {} to claim the next available one."
        known(BATCH_STATE);

    BatchFinished 409 Final "BATCH_FINISHED"
        "This batch is completed or cancelled."
        "Assign another batch: this one is at its end, as details.status says."
        known(BATCH_STATE);

    NoBatchAvailable 409 Final "NO_BATCH_AVAILABLE"
        "No batch is waiting for a driver."
        "Ask again when new batches come in."
        Null;

    DriverBusy 409 Final "DRIVER_BUSY"
        "This driver already holds another batch."
        "Complete or release the batch in details.batch_id first."
        known(BATCH_STATE);

    LeaseExpired 409 Final "LEASE_EXPIRED"
        "The lease on this batch is over."
        "Claim the batch again; if another driver has it by then, take another one."
        known(BATCH_STATE);

    BatchNotHeld 409 Final "BATCH_NOT_HELD"
        "This driver does not hold this batch."
        "Claim the batch before you renew, release, start or complete it."
        known(&[("batch_id", Uuid), ("status", Text)]);
}
