//! Runs a race: sets it up, lets all set out on one side and then on the other, and reads the books.

use futures::future::join_all;
use serde_json::{Value, json};
use web_sys::RequestInit;

use crate::calls::{Api, CONNECTIONS, Lane, Racer, Trouble, fetch, fresh_id, now, pause};
use crate::race::{Answer, Books, Outcome, Request, Side};
use crate::setup::Setup;
use crate::{ours, theirs};

/// What both sides have made of the same race.
pub(crate) struct Race {
    pub(crate) report: Outcome,
    pub(crate) interlock: Outcome,
}

/// Runs it.
pub(crate) async fn run(setup: Setup) -> Result<Race, Trouble> {
    let scene = setup.scene;
    let id = fresh_id();
    let place = scene.has_place().then_some(id.as_str());
    let (mut api, racers) = racers(scene.people(setup.at_once), scene.role(), place).await?;
    api.many_names = finds_itself(&api).await;

    let first = racers.first().ok_or(Trouble("nobody races".to_owned()))?;
    let desk = Lane::new(&api, 0, first);
    // One for each name of the API, so that what a browser does once for each is done before the race.
    let names = (0..setup.at_once as usize).step_by(CONNECTIONS);
    let lanes: Vec<Lane> = names.map(|name| Lane::new(&api, name, first)).collect();
    for warm in join_all(lanes.iter().map(|lane| theirs::warm_up(scene, lane, &id))).await {
        warm?;
    }
    let users: Vec<&str> = racers.iter().map(|racer| racer.id.as_str()).collect();
    let arguments = json!({ "p_scene": scene.name(), "p_id": id, "p_users": users, "p_at_once": setup.at_once });
    let made = desk.rpc("prepare", &arguments).await?;

    let report = side(Side::Report, setup, &api, &racers, (&id, &made)).await;
    for warm in join_all(lanes.iter().map(|lane| ours::warm_up(scene, lane, &made))).await {
        warm?;
    }
    let interlock = side(Side::Interlock, setup, &api, &racers, (&id, &made)).await;

    let arguments = json!({ "p_scene": scene.name(), "p_id": id, "p_ours": made });
    let books = desk.rpc("books", &arguments).await?;
    let outcome = |requests: Vec<Request>, books: &Value| {
        let promised = requests.iter().filter(|request| request.is_yes()).count();
        let books = Books::read(books, promised);
        let books = books.ok_or(Trouble("the books cannot be read".to_owned()))?;
        Ok::<_, Trouble>(Outcome { requests, books })
    };
    Ok(Race {
        report: outcome(report, &books["theirs"])?,
        interlock: outcome(interlock, &books["ours"])?,
    })
}

/// All requests of one side, which set out together.
async fn side(
    side: Side,
    setup: Setup,
    api: &Api,
    racers: &[Racer],
    (id, made): (&str, &Value),
) -> Vec<Request> {
    let begin = now();
    let delays = setup.delays();
    let requests = delays.into_iter().enumerate().map(async |(number, delay)| {
        let lane = Lane::new(api, number, &racers[number % racers.len()]);
        pause(delay).await;
        let start = now() - begin;
        let answer = match side {
            Side::Report => theirs::run(setup.scene, &lane, id).await,
            Side::Interlock => ours::run(setup.scene, &lane, made).await,
        };
        let mut answered = lane.answered();
        if answered.is_empty() {
            answered.push(now());
        }
        Request {
            start,
            answered: answered.into_iter().map(|at| at - begin).collect(),
            answer: answer.unwrap_or_else(|trouble| Answer::Trouble(trouble.0)),
        }
    });
    let mut requests = join_all(requests).await;
    requests.sort_by(|one, other| one.start.total_cmp(&other.start));
    requests
}

/// New people from the stack that serves this page.
async fn racers(
    count: u32,
    role: Option<&str>,
    location: Option<&str>,
) -> Result<(Api, Vec<Racer>), Trouble> {
    let mut url = format!("/racers?count={count}");
    for (name, value) in [("role", role), ("location", location)] {
        if let Some(value) = value {
            url += &format!("&{name}={value}");
        }
    }
    let (status, answer) = fetch(&url, &RequestInit::new()).await?;
    if status != 200 {
        return Err(Trouble(format!("{url}: {status}")));
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let api = Api {
        port: u16::try_from(answer["api_port"].as_u64().unwrap_or_default()).unwrap_or_default(),
        key: text(&answer["key"]),
        many_names: false,
    };
    let racers = answer["racers"].as_array().into_iter().flatten();
    let racers = racers.map(|racer| Racer {
        id: text(&racer["id"]),
        token: text(&racer["token"]),
    });
    Ok((api, racers.collect()))
}

/// Whether every name below `localhost` is this machine: so it is in most browsers, and in none by way of DNS.
async fn finds_itself(api: &Api) -> bool {
    let url = format!("http://lab-0.localhost:{}/health", api.port);
    matches!(fetch(&url, &RequestInit::new()).await, Ok((200, _)))
}
