//! What a call does that meets the work of somebody else half-way. Each scene is one interleaving:
//! somebody has done something and not committed; a call comes, and waits or does not; they commit or
//! roll back; then the call has its answer and the database its state.
//!
//! All scenes play on the same stage. `{ann}` and `{bob}` are buyers, drivers and owners of a wallet
//! of 10,000. Of the two batches `{batch}` is the first in the queue. Two products cost 700 and have 10
//! in stock, their ids in order; the digital one has three codes. `{promo}` gives 10 % to at most
//! 3 uses, `{promo2}` 10 % to first orders; their texts are `P{promo}` and `P{promo2}`.

use crate::areas::AREAS;
use crate::harness::calls::Adapter;
use crate::harness::races::{Race, Verdict};
use crate::harness::stack::{Bench, user_claims};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_postgres::Client;
use uuid::Uuid;

/// Who speaks: a signed-in buyer or driver, or the shop (the owner of the database).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Ann,
    Bob,
    Shop,
}

/// How the other transaction ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Commit,
    Rollback,
}

/// Whether the call is to wait for the other transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Waits,
    DoesNot,
    /// Waits, and while it does others can lock this row.
    WaitsWithout(&'static str),
}

/// One interleaving.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    /// Done and committed first.
    pub(crate) before: &'static [(By, &'static str)],
    /// Done by the other transaction, which stays open.
    pub(crate) meanwhile: (By, &'static str),
    pub(crate) call: (By, &'static str),
    pub(crate) wait: Wait,
    pub(crate) end: End,
    /// A part of the answer, or the code of the error.
    pub(crate) answer: &'static str,
    /// What is true afterwards.
    pub(crate) then: &'static str,
}

/// Who is on the stage; the rest is what each area adds.
const PEOPLE: &str = "
insert into auth.users (id, aud, role, email)
  select id, 'authenticated', 'authenticated', id || '@test.example' from unnest(array['{ann}', '{bob}']::uuid[]) id;
";

impl Scene {
    /// Plays the scene over SQL.
    pub(crate) async fn run(self, bench: &Bench) -> Verdict {
        let verdict = self.play(bench).await;
        for mend in AREAS.iter().map(|area| area.after_scene) {
            let mended = bench.db.batch_execute(mend).await;
            mended.expect("what a scene has changed can be put back");
        }
        verdict.map_err(|error| format!("{}: {error}", self.name))
    }

    async fn play(self, bench: &Bench) -> Verdict {
        let stage = Stage::new();
        let owner = bench.stack.connect().await;
        stage.act(&owner, By::Shop, PEOPLE).await?;
        for rows in AREAS.iter().map(|area| area.scene_rows) {
            stage.act(&owner, By::Shop, rows).await?;
        }
        for (by, sql) in self.before {
            let session = bench.stack.connect().await;
            stage.act(&session, *by, sql).await?;
        }
        let other = bench.stack.connect().await;
        other.batch_execute("begin").await.expect("it begins");
        stage
            .act(&other, self.meanwhile.0, self.meanwhile.1)
            .await?;

        let session = bench.stack.connect().await;
        let (by, sql) = self.call;
        let texts = stage.clone();
        let mut call = tokio::spawn(async move { texts.act(&session, by, sql).await });
        let mut answer = None;
        while !bench.somebody_waits().await {
            let pause = tokio::time::sleep(std::time::Duration::from_millis(2));
            tokio::select! {
                early = &mut call => {
                    answer = Some(early.expect("a call does not panic"));
                    break;
                }
                () = pause => {}
            }
        }
        if let (Wait::WaitsWithout(row), None) = (self.wait, &answer) {
            let probe = format!("select 1 from {row} for update nowait");
            stage.act(&owner, By::Shop, &probe).await?;
        }
        let end = match self.end {
            End::Commit => "commit",
            End::Rollback => "rollback",
        };
        other.batch_execute(end).await.expect("it ends");
        let waited = answer.is_none();
        let answer = match answer {
            Some(answer) => answer,
            None => call.await.expect("a call does not panic"),
        };
        let answer = match answer {
            Ok(answer) | Err(answer) => answer,
        };
        if !answer.contains(&stage.fill(self.answer)) {
            return Err(format!("the answer is {answer}"));
        }
        if waited != (self.wait != Wait::DoesNot) {
            return Err(format!(
                "it {}",
                if waited { "waited" } else { "did not wait" }
            ));
        }
        let holds = stage.fill(&format!("select {}", self.then));
        let holds: bool = match owner.query_one(&holds, &[]).await {
            Ok(row) => row.get(0),
            Err(error) => return Err(format!("{holds}: {error}")),
        };
        if !holds {
            return Err(format!("afterwards it is not so that {}", self.then));
        }
        Ok(())
    }
}

/// The scene of this name, as a race.
pub(crate) struct InScene(pub(crate) &'static str);

impl Race for InScene {
    fn play<'a>(&'a self, bench: &'a Bench, _: Adapter) -> BoxFuture<'a, Verdict> {
        scene(self.0).run(bench).boxed()
    }
}

/// The names of a scene and what they stand for.
#[derive(Clone)]
struct Stage {
    ids: Vec<(&'static str, String)>,
}

impl Stage {
    fn new() -> Self {
        let mut new: Vec<String> = (0..12).map(|_| Uuid::new_v4().to_string()).collect();
        new.sort();
        let names = [
            "{ann}",
            "{bob}",
            "{batch}",
            "{batch2}",
            "{product}",
            "{product2}",
            "{ebook}",
            "{promo}",
            "{promo2}",
            "{cart}",
            "{cart2}",
            "{id}",
        ];
        Self {
            ids: names.into_iter().zip(new).collect(),
        }
    }

    fn fill(&self, text: &str) -> String {
        self.ids
            .iter()
            .fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
    }

    /// Does something as somebody; the answer as text, or the error.
    async fn act(&self, session: &Client, by: By, sql: &str) -> Result<String, String> {
        let user = match by {
            By::Ann => Some(self.fill("{ann}")),
            By::Bob => Some(self.fill("{bob}")),
            By::Shop => None,
        };
        let claims = user
            .map(|user| user_claims(user.parse().expect("it is a UUID")).to_string())
            .unwrap_or_default();
        // A call that would never end is ended.
        let settings = "select set_config('request.jwt.claims', $1, false), set_config('statement_timeout', '10s', false)";
        session
            .execute(settings, &[&claims])
            .await
            .expect("claims can be set");
        let messages = session.simple_query(&self.fill(sql)).await;
        let messages = messages.map_err(|error| match error.as_db_error() {
            Some(error) => format!("{} {}", error.code().code(), error.message()),
            None => error.to_string(),
        })?;
        let texts = messages.iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        Ok(texts.collect::<Vec<_>>().join(" "))
    }
}

/// All scenes.
pub(crate) fn scenes() -> impl Iterator<Item = Scene> {
    AREAS
        .iter()
        .flat_map(|area| area.scenes)
        .flat_map(|scenes| scenes.iter())
        .copied()
}

/// The scene of that name.
pub(crate) fn scene(name: &str) -> Scene {
    scenes()
        .find(|scene| scene.name == name)
        .unwrap_or_else(|| panic!("there is no scene `{name}`"))
}

/// Plays scenes, each with a clean queue; what is wrong with them is told together.
pub(crate) async fn end_as_they_must(scenes: &[Scene]) {
    let bench = Bench::take().await;
    bench.needs_no_other_batches().await;
    let mut wrong = Vec::new();
    for scene in scenes {
        bench.clear().await;
        if let Err(error) = scene.run(&bench).await {
            wrong.push(error);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The test of an area's scenes.
macro_rules! test_scenes {
    ($scenes:expr) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn calls_that_meet_half_way_end_as_they_must() {
            crate::meanwhile::end_as_they_must($scenes).await;
        }
    };
}

pub(crate) use test_scenes;
