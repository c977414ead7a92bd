//! What every race is made of. A scenario states the invariant and the number of winners, and returns what is
//! wrong instead of panicking, so that the mutants can demand that it finds something.

use crate::harness::calls::{Adapter, Answer};
use crate::harness::stack::Bench;
use futures::future::BoxFuture;
use std::collections::BTreeMap;

/// What a scenario found wrong.
pub(crate) type Verdict = Result<(), String>;

/// Fails with the text unless the condition holds.
macro_rules! require {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+));
        }
    };
}

/// A race that a mutant can name.
pub(crate) trait Race: Sync {
    /// Runs it.
    fn play<'a>(&'a self, bench: &'a Bench, adapter: Adapter) -> BoxFuture<'a, Verdict>;
}

/// How often each code came up.
pub(crate) fn tally(answers: &[Answer]) -> BTreeMap<&str, usize> {
    let mut tally = BTreeMap::new();
    for answer in answers {
        *tally.entry(answer.code.as_str()).or_insert(0) += 1;
    }
    tally
}

/// How many answers have that code.
pub(crate) fn count(answers: &[Answer], code: &str) -> usize {
    answers.iter().filter(|answer| answer.code == code).count()
}

/// Runs a call against an open transaction of another session: the call starts once the transaction
/// has done its work, and the transaction ends once the call waits for it (or has not waited).
pub(crate) async fn against_open_transaction(
    bench: &Bench,
    work: &str,
    end: &str,
    call: impl Future<Output = Answer> + Send + 'static,
) -> Answer {
    let other = bench.stack.connect().await;
    other
        .batch_execute(&format!("begin; {work}"))
        .await
        .expect("the other session does its work");
    let mut call = tokio::spawn(call);
    while !bench.somebody_waits().await {
        let pause = tokio::time::sleep(std::time::Duration::from_millis(2));
        tokio::select! {
            answer = &mut call => {
                other.batch_execute(end).await.expect("the other session ends");
                return answer.expect("a call does not panic");
            }
            () = pause => {}
        }
    }
    other
        .batch_execute(end)
        .await
        .expect("the other session ends");
    call.await.expect("a call does not panic")
}

/// A test for each scenario and adapter.
macro_rules! over_every_adapter {
    ($($name:ident: $scenario:expr;)+) => {
        $(mod $name {
            use super::*;

            async fn check(adapter: Adapter) {
                let bench = crate::harness::stack::Bench::take().await;
                if let Err(error) = $scenario.run(&bench, adapter).await {
                    panic!("{adapter:?}: {error}");
                }
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn over_http() {
                check(Adapter::Function).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn over_rpc() {
                check(Adapter::Rpc).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn over_sql() {
                check(Adapter::Sql).await;
            }
        })+
    };
}

pub(crate) use {over_every_adapter, require};
