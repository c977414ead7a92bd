//! A list, what is looked for in it, and a page of it after the other.

use std::rc::Rc;

use serde_json::{Value, json};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Element, HtmlElement, HtmlInputElement, HtmlSelectElement};

use crate::dialog;
use crate::dom::{add, around, button, by_id, element, link, on, replace, text, window};
use crate::lists::{List, Row, Tone, row};
use crate::overview::fact;
use crate::route::Route;
use crate::shell::{Console, Page, heading};
use crate::texts::shop as texts;

/// Rows of a page.
const ROWS: usize = 25;

/// Shows a list. `is_drawn` where only what is looked for has changed.
pub(crate) fn show(
    console: &Rc<Console>,
    list: List,
    search: &str,
    state: Option<&'static str>,
    is_drawn: bool,
) {
    let page = Page::begin(texts::list(list));
    if !is_drawn {
        draw(list);
    }
    by_id::<HtmlInputElement>("search").set_value(search);
    by_id::<HtmlSelectElement>("state").set_value(state.unwrap_or_default());
    replace(&by_id::<Element>("rows"), &[]);
    by_id::<HtmlElement>("count").set_text_content(Some(texts::LOADING));
    load(console, list, page, None);
}

fn draw(list: List) {
    let search = [
        ("type", "search"),
        ("id", "search"),
        ("maxlength", "200"),
        ("aria-describedby", "search-hint"),
    ];
    let search = around(
        "div",
        &[("class", "field wide")],
        &[
            text("label", &[("for", "search")], texts::SEARCH),
            element("input", &search),
        ],
    );
    let mut options = vec![text("option", &[("value", "")], texts::ANY)];
    options.extend(
        list.states()
            .iter()
            .map(|name| text("option", &[("value", name)], &texts::state(name))),
    );
    let state = around(
        "div",
        &[("class", "field")],
        &[
            text("label", &[("for", "state")], texts::STATE),
            around("select", &[("id", "state")], &options),
        ],
    );
    let find = text(
        "button",
        &[("type", "submit"), ("class", "primary")],
        texts::FIND,
    );
    let hint = text(
        "p",
        &[("class", "hint"), ("id", "search-hint")],
        texts::search_hint(list),
    );
    let controls = around(
        "div",
        &[("class", "controls")],
        &[search, state.clone(), find],
    );
    let form = around(
        "form",
        &[("id", "find"), ("role", "search")],
        &[controls, hint],
    );
    let go = move || {
        let chosen = by_id::<HtmlSelectElement>("state").value();
        let route = Route::List {
            list,
            search: by_id::<HtmlInputElement>("search")
                .value()
                .trim()
                .to_owned(),
            state: list.states().iter().copied().find(|state| *state == chosen),
        };
        // The address is what is shown.
        let _ = window().location().set_hash(&route.link());
    };
    on(&form, "submit", move |event| {
        event.prevent_default();
        go();
    });
    on(&state, "change", move |_| go());
    let mut inner = vec![heading(texts::list(list)), form];
    if list == List::Promos {
        inner.push(text("p", &[("class", "hint")], texts::NO_PROMO_ACTIONS));
    }
    inner.extend([
        text("p", &[("id", "count"), ("role", "status")], ""),
        element("ul", &[("id", "rows"), ("class", "rows")]),
        element("div", &[("id", "more")]),
    ]);
    replace(&by_id::<Element>("page"), &inner);
}

fn load(console: &Rc<Console>, list: List, page: Page, after: Option<String>) {
    let (console, drawing) = (console.clone(), console.drawing());
    // What is not given is left out: not every API server tells null from a text.
    let mut arguments = json!({ "p_list": list.name(), "p_limit": ROWS });
    let given = [
        ("p_search", by_id::<HtmlInputElement>("search").value()),
        ("p_state", by_id::<HtmlSelectElement>("state").value()),
        ("p_after", after.unwrap_or_default()),
    ];
    for (name, text) in given {
        if !text.is_empty() {
            arguments[name] = Value::from(text);
        }
    }
    replace(&by_id::<Element>("more"), &[]);
    spawn_local(async move {
        let answer = console.shop.read("browse_shop", &arguments).await;
        if !console.is_shown(drawing) {
            return;
        }
        let answer = match answer {
            Ok(answer) => answer,
            Err(fault) => return console.fail(fault),
        };
        let rows = by_id::<Element>("rows");
        let first_new = rows.child_element_count();
        for value in answer["rows"].as_array().into_iter().flatten() {
            add(&rows, &[item(&console, &row(list, value))]);
        }
        let next = answer["next"].as_str().map(str::to_owned);
        let count = rows.child_element_count() as usize;
        let words = texts::shown(count, next.is_none());
        by_id::<HtmlElement>("count").set_text_content(Some(&words));
        if let Some(next) = next {
            let words = match list {
                List::Stock => texts::MORE_STOCK,
                _ => texts::MORE,
            };
            let more = button(words, "", move || {
                load(
                    &console,
                    list,
                    Page::begin(texts::list(list)),
                    Some(next.clone()),
                );
            });
            replace(&by_id::<Element>("more"), &[more]);
        }
        // Who has asked for more goes on where it begins.
        if arguments["p_after"].is_string() {
            let new = rows.children().item(first_new);
            if let Some(new) = new.and_then(|new| new.dyn_into::<HtmlElement>().ok()) {
                let _ = new.focus();
            }
        }
        page.ready();
    });
}

/// A row, as it is shown.
fn item(console: &Rc<Console>, row: &Row) -> Element {
    let title = match &row.page {
        Some(page) => link(&row.title, &page.link()),
        None => text("span", &[], &row.title),
    };
    let head = around(
        "div",
        &[("class", "row-head")],
        &[around("h2", &[], &[title]), chip(&row.state.0, row.state.1)],
    );
    let facts: Vec<Element> = row
        .facts
        .iter()
        .map(|one| around("li", &[], &[fact(one)]))
        .collect();
    let facts = around("ul", &[("class", "facts")], &facts);
    let mut inner = vec![head, facts];
    inner.extend(dialog::buttons(console, row.actions.clone()));
    around("li", &[("tabindex", "-1")], &inner)
}

/// How something stands.
pub(crate) fn chip(words: &str, tone: Tone) -> Element {
    let class = match tone {
        Tone::Plain => "chip",
        Tone::Good => "chip good",
        Tone::Waiting => "chip waiting",
        Tone::Bad => "chip bad",
    };
    text("span", &[("class", class)], words)
}
