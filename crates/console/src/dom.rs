//! Elements, with as few words as a page needs.

use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::*;
use web_sys::{Document, Element, Event, Window};

/// The window; without one there is no page.
pub(crate) fn window() -> Window {
    js_sys::global().unchecked_into()
}

pub(crate) fn document() -> Document {
    window().document().expect_throw("a page has a document")
}

/// An element of the page by its id.
pub(crate) fn by_id<T: JsCast>(id: &str) -> T {
    let element = document().get_element_by_id(id);
    element.expect_throw(id).unchecked_into()
}

/// A new element.
pub(crate) fn element(name: &str, attributes: &[(&str, &str)]) -> Element {
    let element = document().create_element(name).expect_throw(name);
    set(&element, attributes);
    element
}

/// A new element of a picture.
pub(crate) fn shape(name: &str, attributes: &[(&str, &str)]) -> Element {
    let space = Some("http://www.w3.org/2000/svg");
    let element = document().create_element_ns(space, name);
    let element = element.expect_throw(name);
    set(&element, attributes);
    element
}

/// A new element with a text.
pub(crate) fn text(name: &str, attributes: &[(&str, &str)], text: &str) -> Element {
    let element = element(name, attributes);
    element.set_text_content(Some(text));
    element
}

/// A new element with others in it.
pub(crate) fn around(name: &str, attributes: &[(&str, &str)], inner: &[Element]) -> Element {
    let element = element(name, attributes);
    add(&element, inner);
    element
}

pub(crate) fn add(element: &Element, inner: &[Element]) {
    for inner in inner {
        element.append_child(inner).expect_throw("it can be added");
    }
}

pub(crate) fn set(element: &Element, attributes: &[(&str, &str)]) {
    for (name, value) in attributes {
        element.set_attribute(name, value).expect_throw(name);
    }
}

/// Puts others in the place of what is in an element.
pub(crate) fn replace(element: &Element, inner: &[Element]) {
    element.set_text_content(None);
    add(element, inner);
}

/// Calls that whenever it happens, as long as the page is there.
pub(crate) fn on(target: &web_sys::EventTarget, event: &str, act: impl FnMut(Event) + 'static) {
    let act = Closure::<dyn FnMut(Event)>::new(act);
    target
        .add_event_listener_with_callback(event, act.as_ref().unchecked_ref())
        .expect_throw(event);
    act.forget();
}

/// A button that does something.
pub(crate) fn button(words: &str, class: &str, act: impl FnMut() + 'static) -> Element {
    let button = text("button", &[("type", "button"), ("class", class)], words);
    let mut act = act;
    on(&button, "click", move |_| act());
    button
}

/// A link within the console.
pub(crate) fn link(words: &str, to: &str) -> Element {
    text("a", &[("href", to)], words)
}
