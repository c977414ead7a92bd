//! A shop that has as many requests under way as it may have, and another one that goes on.

use super::places::Places;
use crate::prove::own_stack::connect;
use anyhow::Result;
use tokio_postgres::{Client, Error};

const NOISY: i32 = 900;
const QUIET: i32 = 901;
const LIMIT: i32 = 3;

/// What does not hold.
pub(super) async fn hold(places: &Places) -> Result<Vec<String>> {
    let url = &places.urls[0];
    let db = connect(url).await?;
    for shop in [NOISY, QUIET] {
        let add = format!(
            "alter table interlock.shops alter id restart with {shop};
             select interlock.add_shop('limited-{shop}')"
        );
        db.batch_execute(&add).await?;
    }
    let limit = "select interlock.set_shop($1, p_requests_at_once => $2)";
    db.execute(limit, &[&NOISY, &LIMIT]).await?;

    let mut failures = Vec::new();
    let mut is_so = |holds: bool, what: &str| {
        if !holds {
            failures.push(what.to_owned());
        }
    };
    let mut under_way = Vec::new();
    for _ in 0..LIMIT {
        let session = connect(url).await?;
        is_so(
            begin(&session, NOISY).await.is_ok(),
            "a shop has as many requests under way as it may have",
        );
        under_way.push(session);
    }
    let one_more = connect(url).await?;
    is_so(
        is_busy(&begin(&one_more, NOISY).await),
        "one more is refused with SHOP_BUSY",
    );
    one_more.batch_execute("rollback").await?;
    is_so(
        begin(&one_more, QUIET).await.is_ok(),
        "another shop goes on beside it",
    );
    one_more.batch_execute("rollback").await?;
    under_way[0].batch_execute("commit").await?;
    is_so(
        begin(&one_more, NOISY).await.is_ok(),
        "when one has ended, the next is let in",
    );
    is_so(
        is_busy(&begin(&under_way[0], NOISY).await),
        "and no more than that",
    );
    Ok(failures)
}

/// A request that is under way until its transaction ends.
async fn begin(session: &Client, shop: i32) -> Result<(), Error> {
    let request = format!(
        "begin;
         set local role authenticated;
         set local request.headers = '{{\"x-shop\": \"{shop}\"}}';
         select count(*) from public.products"
    );
    session.batch_execute(&request).await
}

fn is_busy(answer: &Result<(), Error>) -> bool {
    let message = answer.as_ref().err().and_then(Error::as_db_error);
    message.is_some_and(|error| error.message() == "SHOP_BUSY")
}
