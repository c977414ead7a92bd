//! The wait for requests that were let in is taken out, at either end: each must be noticed by the storm, else it proves nothing.

use super::Mover;
use super::places::Places;
use crate::prove::own_stack::connect;
use anyhow::Result;

/// One of them.
pub(super) struct Mutant {
    pub(super) name: &'static str,
    pub(super) mover: Mover,
    /// Shops of an own storm have ids from here on.
    pub(super) first_shop: i32,
    /// What stands in interlock.find_shop, and what instead.
    change: Option<(&'static str, &'static str)>,
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "whoever moves a shop does not wait for its requests",
        mover: Mover::Hasty,
        first_shop: 100,
        change: None,
    },
    Mutant {
        name: "find_shop: a request does not hold its shop",
        mover: Mover::Plain,
        first_shop: 200,
        change: Some((
            "not pg_try_advisory_xact_lock_shared(hashtext('interlock shop'), v_shop.id)",
            "false",
        )),
    },
];

/// The functions as they were.
pub(super) struct Mends(Vec<String>);

impl Mutant {
    /// Breaks the product, at both databases.
    pub(super) async fn apply(&self, places: &Places) -> Result<Mends> {
        let mut mends = Vec::new();
        let Some((from, to)) = self.change else {
            return Ok(Mends(mends));
        };
        for url in &places.urls {
            let db = connect(url).await?;
            let query = "select pg_get_functiondef('interlock.find_shop'::regproc)";
            let source: String = db.query_one(query, &[]).await?.get(0);
            anyhow::ensure!(source.contains(from), "{}: `{from}` is gone", self.name);
            db.batch_execute(&source.replace(from, to)).await?;
            mends.push(source);
        }
        Ok(Mends(mends))
    }
}

impl Mends {
    /// Mends it again.
    pub(super) async fn mend(&self, places: &Places) -> Result<()> {
        for (url, source) in places.urls.iter().zip(&self.0) {
            connect(url).await?.batch_execute(source).await?;
        }
        Ok(())
    }
}
