//! Rows of delivery for the tests to work on.

use crate::harness::stack::Bench;
use uuid::Uuid;

/// Takes the tests' own batches out of the queue: one that a test offers is the next one of every other.
pub(crate) const BEFORE_TEST: &str = "
update interlock.batches set status = 'cancelled'
where status in ('available', 'claimed', 'in_progress') and reference like 'test:%'";

impl Bench {
    /// Fails if the database has claimable batches that are not the tests' own.
    #[cfg(test)]
    pub(crate) async fn needs_no_other_batches(&self) {
        let row = self
            .db
            .query_one(
                "select count(*) from interlock.batches where status = 'available'
                 or (status in ('claimed', 'in_progress') and lease_expires_at <= now())",
                &[],
            )
            .await
            .expect("batches can be counted");
        let others: i64 = row.get(0);
        assert_eq!(
            others, 0,
            "this test needs a database without claimable batches of others"
        );
    }

    /// New active drivers.
    pub(crate) async fn drivers(&self, count: usize) -> Vec<Uuid> {
        let users = self.users(count).await;
        self.db
            .execute(
                "insert into interlock.drivers (user_id) select unnest($1::uuid[])",
                &[&users],
            )
            .await
            .expect("drivers can be inserted");
        users
    }

    /// New available batches.
    pub(crate) async fn batches(&self, count: usize) -> Vec<Uuid> {
        let batches: Vec<Uuid> = (0..count).map(|_| Uuid::new_v4()).collect();
        self.db
            .execute(
                "insert into interlock.batches (id, reference) select id, 'test:' || id from unnest($1::uuid[]) as id",
                &[&batches],
            )
            .await
            .expect("batches can be inserted");
        batches
    }

    /// Lets the lease on a batch be over: the row is aged, not the clock.
    #[cfg(test)]
    pub(crate) async fn expire_lease(&self, batch: Uuid) {
        let aged = self
            .db
            .execute(
                "update interlock.batches set claimed_at = now() - interval '1 hour',
                 lease_expires_at = now() - interval '1 second' where id = $1",
                &[&batch],
            )
            .await
            .expect("the batch can be aged");
        assert_eq!(aged, 1);
    }

    /// The holder, status and version of a batch.
    #[cfg(test)]
    pub(crate) async fn batch(&self, batch: Uuid) -> (Option<Uuid>, String, i64) {
        let row = self
            .db
            .query_one(
                "select driver_id, status, version from interlock.batches where id = $1",
                &[&batch],
            )
            .await
            .expect("the batch exists");
        (row.get(0), row.get(1), row.get(2))
    }

    /// The events of a batch in order, with the driver concerned.
    #[cfg(test)]
    pub(crate) async fn events(&self, batch: Uuid) -> Vec<(String, Option<Uuid>)> {
        let rows = self
            .db
            .query(
                "select event, driver_id from interlock.batch_events where batch_id = $1 order by id",
                &[&batch],
            )
            .await
            .expect("events can be read");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}
