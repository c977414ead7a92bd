//! What the database raises about batches and their drivers.

super::codes! {
    NotADriver 403 Final "NOT_A_DRIVER"
        "This user is not an active driver."
        "Ask the shop to add this user to its drivers, or to activate the driver again."

    BatchNotFound 404 Final "BATCH_NOT_FOUND"
        "There is no such batch."
        "Check batch_id, or send {} to claim the next available batch."

    BatchUnavailable 409 Final "BATCH_UNAVAILABLE"
        "This batch cannot be claimed now."
        "Take another batch: send {} to claim the next available one."

    NoBatchAvailable 409 Final "NO_BATCH_AVAILABLE"
        "No batch is waiting for a driver."
        "Ask again when new batches come in."

    DriverBusy 409 Final "DRIVER_BUSY"
        "This driver already holds another batch."
        "Complete or release the batch in details.batch_id first."

    LeaseExpired 409 Final "LEASE_EXPIRED"
        "The lease on this batch is over."
        "Claim the batch again; if another driver has it by then, take another one."

    BatchNotHeld 409 Final "BATCH_NOT_HELD"
        "This driver does not hold this batch."
        "Claim the batch before you renew, release, start or complete it."
}
