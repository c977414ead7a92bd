//! The page that says how the shop is.

use std::rc::Rc;

use serde_json::{Value, json};
use wasm_bindgen_futures::spawn_local;
use web_sys::Element;

use crate::dialog;
use crate::dom::{add, around, button, link, set, text};
use crate::health::{Part, parts, refusals, troubles};
use crate::lists::{Fact, Tone};
use crate::shell::{Console, Page, after, heading, time};
use crate::texts::shop as texts;

/// Shows it.
pub(crate) fn show(console: &Rc<Console>) {
    Page::begin(texts::HEALTH).wait();
    look(console, false);
}

/// Looks at the shop; with the books compared, if that is wanted.
fn look(console: &Rc<Console>, with_books: bool) {
    let page = Page::begin(texts::HEALTH);
    let (console, drawing) = (console.clone(), console.drawing());
    spawn_local(async move {
        let answer = console
            .shop
            .rpc("shop_health", &json!({ "p_books": with_books }))
            .await;
        if !console.is_shown(drawing) {
            return;
        }
        match answer {
            Ok(health) => page.end(&draw(&console, &health)),
            Err(fault) => console.fail(fault),
        }
    });
}

fn draw(console: &Rc<Console>, health: &Value) -> Vec<Element> {
    let parts = parts(health);
    let bad = troubles(&parts);
    let verdict = heading(&texts::verdict(bad));
    let at = time(health["at"].as_str().unwrap_or_default());
    let again = console.clone();
    let refresh = button(texts::REFRESH, "small", move || look(&again, false));
    let books = console.clone();
    let compare = button(texts::COMPARE, "small", move || look(&books, true));
    let head = around(
        "header",
        &[(
            "class",
            if bad == 0 {
                "verdict exact"
            } else {
                "verdict lost"
            },
        )],
        &[verdict, at],
    );
    let tools = around("div", &[("class", "buttons tools")], &[refresh, compare]);
    let cards: Vec<Element> = parts.iter().map(|part| card(console, part)).collect();
    let list = around("ul", &[("class", "parts")], &cards);

    let lines: Vec<Element> = refusals(health)
        .iter()
        .map(|line| text("li", &[], line))
        .collect();
    let refused = around(
        "section",
        &[("class", "plain")],
        &[
            text("h2", &[], texts::REFUSALS),
            text("p", &[], texts::REFUSALS_LEAD),
            around("ul", &[], &lines),
            text("p", &[("class", "hint")], texts::LOG_HINT),
        ],
    );
    vec![
        head,
        tools,
        text("h2", &[("class", "unseen")], texts::BY_PART),
        list,
        refused,
        hot(&health["hot"]),
    ]
}

fn card(console: &Rc<Console>, part: &Part) -> Element {
    let class = match part.tone {
        Tone::Bad => "part bad",
        _ => "part good",
    };
    let mut inner = vec![text("h3", &[], part.name)];
    inner.extend(part.words.iter().map(|words| text("p", &[], words)));
    inner.extend(part.facts.iter().map(fact));
    if let Some((words, page)) = &part.page {
        inner.push(around("p", &[], &[link(words, &page.link())]));
    }
    inner.extend(dialog::buttons(console, part.actions.clone()));
    around("li", &[("class", class)], &inner)
}

/// A fact, in an element of its own.
pub(crate) fn fact(fact: &Fact) -> Element {
    match fact {
        Fact::Words(words) => text("span", &[], words),
        Fact::Time(words, at) => after(words, time(at)),
        Fact::Id(words, id) => after(words, text("code", &[], id)),
        Fact::Link(words, page) => link(words, &page.link()),
    }
}

fn hot(rows: &Value) -> Element {
    let title = text("h2", &[("id", "hot")], texts::HOT);
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        let nothing = text("p", &[], texts::NOTHING_HOT);
        return around("section", &[("class", "plain")], &[title, nothing]);
    }
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let product = row["product"].as_str().or(row["product_id"].as_str());
            vec![
                product.unwrap_or_default().to_owned(),
                row["movements"].to_string(),
                row["slots"].as_i64().unwrap_or_default().to_string(),
            ]
        })
        .collect();
    let table = table("hot", &texts::HOT_COLUMNS, &rows);
    around("section", &[("class", "plain")], &[title, table])
}

/// A table that can be scrolled by itself, named by that element.
pub(crate) fn table(named_by: &str, columns: &[&str], rows: &[Vec<String>]) -> Element {
    let head = columns
        .iter()
        .map(|name| text("th", &[("scope", "col")], name));
    let head = around("tr", &[], &head.collect::<Vec<_>>());
    let rows: Vec<Element> = rows
        .iter()
        .map(|cells| {
            let cells: Vec<Element> = cells.iter().map(|cell| text("td", &[], cell)).collect();
            around("tr", &[], &cells)
        })
        .collect();
    let table = around(
        "table",
        &[],
        &[around("thead", &[], &[head]), around("tbody", &[], &rows)],
    );
    let scroll = around("div", &[("class", "scroll")], &[]);
    set(
        &scroll,
        &[
            ("role", "region"),
            ("tabindex", "0"),
            ("aria-labelledby", named_by),
        ],
    );
    add(&scroll, &[table]);
    scroll
}
