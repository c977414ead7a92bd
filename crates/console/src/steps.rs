//! The same race step by step: two sessions of the database on each side, a button for each of them, and what each has done.

use serde_json::Value;
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement, RequestInit};

use crate::calls::{Trouble, fetch};
use crate::dom::{around, button, by_id, document, replace, set, text};
use crate::race::{Books, Side};
use crate::setup::Scene;
use crate::{panel, texts};

/// Begins on one side.
pub(crate) async fn begin(scene: Scene, side: Side) -> Result<Value, Trouble> {
    post(&format!("/steps/{}/{}", scene.name(), name(side))).await
}

/// Lets a session do its next statement.
pub(crate) async fn step(play: &Value, who: usize) -> Result<Value, Trouble> {
    let id = play["id"].as_str().unwrap_or_default();
    post(&format!("/steps/{id}/{who}")).await
}

async fn post(url: &str) -> Result<Value, Trouble> {
    let request = RequestInit::new();
    request.set_method("POST");
    match fetch(url, &request).await? {
        (200, told) => Ok(told),
        (status, _) => Err(Trouble(format!("{url}: {status}"))),
    }
}

/// The side's name in the page and in addresses.
pub(crate) fn name(side: Side) -> &'static str {
    match side {
        Side::Report => "report",
        Side::Interlock => "interlock",
    }
}

/// What a side has come to, in words.
pub(crate) fn told(side: Side, scene: Scene, play: &Value) -> String {
    let progress = [0, 1].map(|who| progress(scene, &play["sessions"][who], who));
    let verdict = books(play).map(|books| texts::verdict(scene, books.wrong()));
    texts::stepped(side, &progress, verdict.as_deref())
}

fn progress(scene: Scene, session: &Value, who: usize) -> String {
    let word = |name: &str| session[name].as_str().unwrap_or_default();
    texts::progress(scene, word("state"), who, word("answer"))
}

/// The books, once both sessions are over.
fn books(play: &Value) -> Option<Books> {
    let promised = [0, 1]
        .iter()
        .filter(|who| play["sessions"][**who]["state"] == "yes");
    Books::read(&play["books"], promised.count())
}

/// Shows a side. Who was at a button stays at it.
pub(crate) fn show(side: Side, scene: Scene, play: &Value, act: impl Fn(usize) + Clone + 'static) {
    let focused = document().active_element().map(|element| element.id());
    let mut all = vec![panel::head(side, scene)];
    let books = books(play);
    all.extend(books.map(|books| panel::verdict(scene, books)));
    let sessions = [0, 1].map(|who| session(side, scene, who, &play["sessions"][who], act.clone()));
    all.push(around("div", &[("class", "sessions")], &sessions));
    all.extend(books.map(|books| panel::books(scene, books)));
    replace(&by_id::<Element>(name(side)), &all);
    let again = focused.filter(|id| !id.is_empty());
    if let Some(again) = again.and_then(|id| document().get_element_by_id(&id)) {
        // Where it was not replaced, it has it still.
        let _ = again.unchecked_into::<HtmlElement>().focus();
    }
}

fn session(
    side: Side,
    scene: Scene,
    who: usize,
    session: &Value,
    act: impl Fn(usize) + 'static,
) -> Element {
    let state = session["state"].as_str().unwrap_or_default();
    let chip = text(
        "span",
        &[("class", &format!("chip {state}"))],
        &progress(scene, session, who),
    );
    let title = text("h3", &[], &texts::session_title(who));
    // The latest first: it stands where the next one stood.
    let done = session["done"].as_array().into_iter().flatten().rev();
    let done = done.enumerate().map(|(index, told)| {
        let class = match (state, index) {
            ("waits", 0) => "waits",
            _ => "",
        };
        around("li", &[("class", class)], &statement(told))
    });
    let done = around(
        "ol",
        &[
            ("class", "done"),
            ("reversed", ""),
            ("aria-label", &texts::session_of(side, who)),
        ],
        &done.collect::<Vec<_>>(),
    );
    let next = &session["next"];
    let press = button(texts::NEXT, "small", move || act(who));
    let id = format!("{}-{who}", name(side));
    set(
        &press,
        &[("id", &id), ("aria-label", &texts::next_of(side, who))],
    );
    if next.is_null() {
        set(&press, &[("aria-disabled", "true")]);
    }
    let mut inner = vec![around("header", &[], &[title, chip])];
    if !next.is_null() {
        inner.push(around("div", &[("class", "next")], &statement(next)));
    }
    inner.extend([press, done]);
    around("section", &[("class", "session")], &inner)
}

/// A statement: when it was done, what it is, where it stands, what it read or wrote.
fn statement(told: &Value) -> Vec<Element> {
    let mut all = Vec::new();
    if let Some(n) = told["n"].as_u64() {
        all.push(text("span", &[("class", "n")], &n.to_string()));
    }
    let sql = told["sql"].as_str().unwrap_or_default();
    all.push(text("code", &[], sql));
    if let Some(value) = told["value"].as_str() {
        all.push(text("span", &[("class", "value")], &texts::value(value)));
    }
    if let Some(function) = told["in"].as_str().filter(|name| !name.is_empty()) {
        all.push(text("span", &[("class", "place")], &texts::place(function)));
    }
    all
}
