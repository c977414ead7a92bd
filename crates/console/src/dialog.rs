//! What is asked before something is done.

use std::rc::Rc;

use serde_json::{Value, json};
use wasm_bindgen::{JsCast as _, UnwrapThrowExt as _};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Element, HtmlDialogElement, HtmlElement, HtmlInputElement, HtmlSelectElement};

use crate::actions::{Action, Kind};
use crate::calls::fresh_id;
use crate::dom::{add, around, button, by_id, document, element, on, set, text};
use crate::shell::{Console, tell};
use crate::shop::Fault;
use crate::texts::shop as texts;

/// A button for each deed that is offered.
pub(crate) fn buttons(console: &Rc<Console>, actions: Vec<Action>) -> Option<Element> {
    if actions.is_empty() {
        return None;
    }
    let buttons: Vec<Element> = actions
        .into_iter()
        .map(|action| {
            let console = console.clone();
            let words = texts::deed(action.deed);
            let class = match action.deed.is_grave() {
                true => "small grave",
                false => "small",
            };
            let name = texts::question(action.deed, &action.to);
            let deed = action.deed.rpc();
            let button = button(words, class, move || ask(&console, &action));
            set(&button, &[("aria-label", &name), ("data-deed", deed)]);
            button
        })
        .collect();
    Some(around("div", &[("class", "buttons")], &buttons))
}

/// Asks whether it is to be done, and with what; then it is done.
fn ask(console: &Rc<Console>, action: &Action) {
    let dialog: HtmlDialogElement =
        element("dialog", &[("id", "ask"), ("aria-labelledby", "ask-title")]).unchecked_into();
    let mut inner = vec![
        text(
            "h2",
            &[("id", "ask-title")],
            &texts::question(action.deed, &action.to),
        ),
        text("p", &[], texts::effect(action.deed)),
    ];
    for (index, field) in action.deed.fields().iter().enumerate() {
        let email = console.shop.session().map(|session| session.email);
        inner.push(draw(
            index,
            field.kind,
            field.required,
            &email.unwrap_or_default(),
        ));
        if field.kind == Kind::Driver {
            let console = console.clone();
            spawn_local(async move { fill_drivers(&console, &id(index)).await });
        }
    }
    let error = text(
        "p",
        &[("class", "error"), ("role", "alert"), ("id", "ask-error")],
        "",
    );
    let closing = dialog.clone();
    let cancel = button(texts::CLOSE, "", move || closing.close());
    let class = match action.deed.is_grave() {
        true => "primary grave",
        false => "primary",
    };
    let submit = [("type", "submit"), ("class", class), ("id", "ask-yes")];
    let submit = text("button", &submit, texts::deed(action.deed));
    inner.push(error);
    inner.push(around(
        "div",
        &[("class", "buttons")],
        &[cancel, submit.clone()],
    ));
    let form = around("form", &[("novalidate", "")], &inner);

    // One id for all that is sent from this question: sent again after a lost answer, it acts once.
    let fresh = fresh_id();
    let (console, action, open) = (console.clone(), action.clone(), dialog.clone());
    on(&form, "submit", move |event| {
        event.prevent_default();
        if submit.get_attribute("aria-disabled").is_some() {
            return;
        }
        let typed: Vec<String> = (0..action.deed.fields().len())
            .map(|index| value(&id(index)))
            .collect();
        let arguments = match action.fill(&typed, &fresh) {
            Ok(arguments) => arguments,
            Err(kind) => {
                say(&texts::does_not_fit(kind));
                return;
            }
        };
        set(&submit, &[("aria-disabled", "true")]);
        let (console, action) = (console.clone(), action.clone());
        let (dialog, submit) = (open.clone(), submit.clone());
        spawn_local(async move {
            let outcome = console.shop.act(action.deed.rpc(), &arguments).await;
            let _ = submit.remove_attribute("aria-disabled");
            match outcome {
                Ok(_) => {
                    dialog.close();
                    console.again();
                    tell(&texts::done(action.deed, &action.to));
                }
                Err(Fault::Refused(why)) => say(&why),
                Err(fault) => {
                    dialog.close();
                    console.fail(fault);
                }
            }
        });
    });
    let gone = dialog.clone();
    on(&dialog, "close", move |_| gone.remove());
    add(&dialog, &[form]);
    add(
        &document().body().expect_throw("a page has a body"),
        &[dialog.clone().into()],
    );
    // It is in the document and not open, the two things that could be wrong.
    let _ = dialog.show_modal();
}

fn say(what: &str) {
    by_id::<HtmlElement>("ask-error").set_text_content(Some(what));
}

fn id(index: usize) -> String {
    format!("ask-{index}")
}

fn draw(index: usize, kind: Kind, required: bool, email: &str) -> Element {
    let id = id(index);
    let label = text("label", &[("for", &id)], texts::field(kind));
    if kind.is_tick() {
        let input = element("input", &[("type", "checkbox"), ("id", &id)]);
        return around("div", &[("class", "tick")], &[input, label]);
    }
    let input = match kind {
        Kind::Driver => element("select", &[("id", &id)]),
        _ => element(
            "input",
            &[("type", "text"), ("id", &id), ("autocomplete", "off")],
        ),
    };
    if required {
        set(&input, &[("aria-required", "true")]);
    }
    match kind {
        Kind::Change => set(&input, &[("inputmode", "text")]),
        Kind::Amount => set(&input, &[("inputmode", "numeric")]),
        Kind::Name => set(&input, &[("value", email)]),
        _ => {}
    }
    around("div", &[("class", "field")], &[label, input])
}

/// What is in a field, whatever it is.
fn value(id: &str) -> String {
    let field = by_id::<Element>(id);
    match field.dyn_ref::<HtmlSelectElement>() {
        Some(select) => select.value(),
        None => {
            let input: HtmlInputElement = field.unchecked_into();
            match (input.type_().as_str(), input.checked()) {
                ("checkbox", true) => "true".to_owned(),
                ("checkbox", false) => String::new(),
                _ => input.value(),
            }
        }
    }
}

async fn fill_drivers(console: &Console, id: &str) {
    let arguments = json!({ "p_list": "drivers", "p_state": "active", "p_limit": 100 });
    let drivers = match console.shop.rpc("browse_shop", &arguments).await {
        Ok(drivers) => drivers,
        Err(Fault::Refused(why)) => return say(&why),
        Err(Fault::Ended) => return say(texts::SESSION_OVER),
    };
    let Some(select) = document().get_element_by_id(id) else {
        return;
    };
    for driver in drivers["rows"].as_array().into_iter().flatten() {
        let text_of = |name: &str| driver[name].as_str().unwrap_or_default();
        let words = texts::driver(text_of("email"), driver["batch_id"] != Value::Null);
        add(
            &select,
            &[text("option", &[("value", text_of("id"))], &words)],
        );
    }
}
