//! An order with its whole story.

use std::rc::Rc;

use serde_json::{Value, json};
use wasm_bindgen_futures::spawn_local;
use web_sys::Element;

use crate::actions::Action;
use crate::browse::chip;
use crate::dialog;
use crate::dom::{add, around, link, text};
use crate::lists::{List, tone};
use crate::money::money;
use crate::overview::table;
use crate::route::Route;
use crate::shell::{Console, Page, heading, time};
use crate::story::{Entry, log_query, requests, tell};
use crate::texts::shop as texts;

/// Shows it.
pub(crate) fn show(console: &Rc<Console>, id: &str) {
    Page::begin(texts::ORDER).wait();
    let (console, drawing, id) = (console.clone(), console.drawing(), id.to_owned());
    spawn_local(async move {
        let answer = console
            .shop
            .rpc("order_story", &json!({ "p_order_id": id }))
            .await;
        if !console.is_shown(drawing) {
            return;
        }
        match answer {
            Ok(story) => {
                let title = texts::order(&story["order"]["number"]);
                Page::begin(&title).end(&draw(&console, &title, &story));
            }
            Err(fault) => console.fail(fault),
        }
    });
}

fn draw(console: &Rc<Console>, title: &str, story: &Value) -> Vec<Element> {
    let order = &story["order"];
    let word = |name: &str| order[name].as_str().unwrap_or_default();
    let back = link(texts::BACK_TO_ORDERS, &Route::list(List::Orders).link());
    let states =
        [word("status"), word("fulfillment")].map(|state| chip(&texts::state(state), tone(state)));
    let head = around(
        "div",
        &[("class", "row-head")],
        &[&[heading(title)][..], &states].concat(),
    );
    let mut all = vec![around("p", &[("class", "back")], &[back]), head];
    if let Some(buttons) = dialog::buttons(console, Action::of_order(order)) {
        let label = [("aria-label", texts::ACTIONS), ("class", "deeds")];
        all.push(around("section", &label, &[buttons]));
    }
    all.push(about(story));
    all.push(lines(order));
    all.extend(history(console, story));
    all
}

fn about(story: &Value) -> Element {
    let order = &story["order"];
    let word = |name: &str| order[name].as_str();
    let currency = word("currency").unwrap_or_default();
    let whole = |name: &str| order[name].as_i64().unwrap_or_default();
    let total = money(whole("total") - whole("refunded"), currency);
    let mut facts: Vec<(&str, Element)> = vec![
        (
            texts::TOTAL,
            text(
                "span",
                &[],
                &format!(
                    "{total}, {}",
                    texts::method(word("payment_method").unwrap_or_default())
                ),
            ),
        ),
        (
            texts::BUYER,
            match word("user_id") {
                Some(id) => {
                    let theirs = Route::List {
                        list: List::Orders,
                        search: id.to_owned(),
                        state: None,
                    };
                    link(id, &theirs.link())
                }
                None => text("span", &[], texts::NO_BUYER),
            },
        ),
    ];
    if matches!(word("status"), Some("pending_payment" | "confirmed"))
        && let Some(at) = word("payment_expires_at")
    {
        facts.push((texts::DEADLINE, time(at)));
    }
    for (name, said) in [
        (texts::CONTACT, &order["contact"]),
        (texts::ADDRESS, &order["shipping_address"]),
    ] {
        let lines: Vec<&str> = said
            .as_object()
            .into_iter()
            .flat_map(|said| said.values().filter_map(Value::as_str))
            .collect();
        if !lines.is_empty() {
            facts.push((name, text("span", &[], &lines.join(", "))));
        }
    }
    for (name, said) in [
        (texts::PROMO, story["promo_code"].as_str()),
        (texts::TRACKING, word("tracking")),
    ] {
        if let Some(said) = said {
            facts.push((name, text("span", &[], said)));
        }
    }
    let proofs = order["payment_proofs"].as_array();
    for proof in proofs.into_iter().flatten() {
        let path = proof["object_path"].as_str().unwrap_or_default();
        let state = texts::state(proof["status"].as_str().unwrap_or_default());
        facts.push((
            texts::PROOF,
            text("span", &[], &format!("{path} ({state})")),
        ));
    }
    let sessions = story["picking_sessions"].as_array();
    for session in sessions.into_iter().flatten() {
        let code = session["code"].as_str().unwrap_or_default();
        let page = Route::List {
            list: List::Sessions,
            search: code.to_owned(),
            state: None,
        };
        facts.push((texts::SESSIONS, link(code, &page.link())));
    }
    let facts: Vec<Element> = facts
        .into_iter()
        .map(|(name, value)| {
            let value = around("dd", &[], &[value]);
            around("div", &[], &[text("dt", &[], name), value])
        })
        .collect();
    let title = text("h2", &[("class", "unseen")], texts::ABOUT);
    around(
        "section",
        &[("class", "plain")],
        &[title, around("dl", &[("class", "about")], &facts)],
    )
}

fn lines(order: &Value) -> Element {
    let currency = order["currency"].as_str().unwrap_or_default();
    let rows: Vec<Vec<String>> = order["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|line| {
            let amount = |name: &str| money(line[name].as_i64().unwrap_or_default(), currency);
            vec![
                line["name"].as_str().unwrap_or_default().to_owned(),
                line["quantity"].to_string(),
                amount("unit_price"),
                amount("total"),
            ]
        })
        .collect();
    let title = text("h2", &[("id", "lines")], texts::LINES);
    let table = table("lines", &texts::LINE_COLUMNS, &rows);
    around("section", &[("class", "plain")], &[title, table])
}

fn history(console: &Rc<Console>, story: &Value) -> Vec<Element> {
    let told = tell(story);
    let entries: Vec<Element> = told.iter().map(|one| entry(console, one)).collect();
    let title = text("h2", &[], texts::STORY);
    let list = around("ol", &[("class", "story")], &entries);
    let mut all = vec![around("section", &[("class", "plain")], &[title, list])];
    let requests = requests(&told);
    if !requests.is_empty() {
        let query = text("code", &[("id", "log-query")], &log_query(&requests));
        let inner = [
            text("summary", &[], texts::IN_THE_LOG),
            text("p", &[], texts::IN_THE_LOG_LEAD),
            around("pre", &[("tabindex", "0")], &[query]),
        ];
        all.push(around("details", &[("class", "log")], &inner));
    }
    all
}

fn entry(console: &Rc<Console>, entry: &Entry) -> Element {
    let head = around(
        "p",
        &[("class", "entry")],
        &[
            text("span", &[("class", "book")], entry.book),
            text("strong", &[], &entry.title),
            time(&entry.at),
        ],
    );
    let notes = text("p", &[("class", "notes")], &entry.notes.join(" · "));
    if let Some(request) = &entry.request {
        let words = match entry.notes.is_empty() {
            true => format!("{} ", texts::REQUEST),
            false => format!(" · {} ", texts::REQUEST),
        };
        let code = text("code", &[("class", "request")], request);
        add(&notes, &[text("span", &[], &words), code]);
    }
    let mut inner = vec![head, notes];
    inner.extend(dialog::buttons(console, entry.actions.clone()));
    around("li", &[], &inner)
}
