//! What is around the pages: where the project is, who is signed in, which page is shown.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Element, HtmlElement, HtmlInputElement, RequestInit};

use crate::calls::fetch;
use crate::dom::{
    add, around, button, by_id, document, element, link, on, replace, set, text, window,
};
use crate::lab::Lab;
use crate::lists::List;
use crate::route::Route;
use crate::shop::{Fault, Shop};
use crate::texts;
use crate::texts::shop as words;
use crate::{browse, order, overview};

/// The console.
pub(crate) struct Console {
    pub(crate) shop: Shop,
    lab: Option<Lab>,
    shown: RefCell<Option<Route>>,
    /// Which drawing of a page it is: an answer that comes after the next one is nobody's.
    drawing: Cell<u32>,
}

/// Begins.
#[wasm_bindgen(start)]
pub(crate) fn start() {
    spawn_local(async {
        match fetch("config.json", &RequestInit::new()).await {
            Ok((200, config)) => {
                let setting = |name: &str| config[name].as_str().unwrap_or_default();
                Rc::new(Console {
                    shop: Shop::new(setting("url"), setting("key"), config["replica"].as_str()),
                    lab: (config["lab"] == true).then(Lab::default),
                    shown: RefCell::default(),
                    drawing: Cell::new(0),
                })
                .open();
            }
            _ => Page::begin(words::SIGN_IN).end(&[text("p", &[], words::NO_SETTINGS)]),
        }
    });
}

/// A page that is being drawn.
pub(crate) struct Page {
    main: Element,
}

impl Page {
    /// The page of that name; the window has its title from now on.
    pub(crate) fn begin(title: &str) -> Self {
        let main = by_id::<Element>("page");
        // Tests, and whoever reads along, wait for it.
        let _ = main.remove_attribute("data-ready");
        document().set_title(&words::window(title));
        Self { main }
    }

    /// Says that it is on its way.
    pub(crate) fn wait(&self) {
        replace(&self.main, &[heading(words::LOADING)]);
    }

    /// Shows it.
    pub(crate) fn end(&self, inner: &[Element]) {
        // Who waited at the heading goes on at the one that takes its place.
        let focused = document().active_element();
        let is_here = focused.is_some_and(|focused| self.main.contains(Some(&focused)));
        replace(&self.main, inner);
        if is_here {
            go_to_heading();
        }
        self.ready();
    }

    /// Says that all is there.
    pub(crate) fn ready(&self) {
        set(&self.main, &[("data-ready", "")]);
    }
}

/// A heading of a page, which is where who reads along goes on.
pub(crate) fn heading(title: &str) -> Element {
    text("h1", &[("tabindex", "-1")], title)
}

/// Says something, also to who cannot see it.
pub(crate) fn tell(what: &str) {
    by_id::<HtmlElement>("told").set_text_content(Some(what));
}

impl Console {
    fn open(self: Rc<Self>) {
        let console = self.clone();
        on(&window(), "hashchange", move |_| {
            tell("");
            console.follow(true);
        });
        self.follow(false);
    }

    fn route(&self) -> Route {
        let hash = window().location().hash().unwrap_or_default();
        Route::read(&hash, self.lab.is_some())
    }

    /// Shows the page that the address is of. `moves` where somebody has come from another one.
    fn follow(self: &Rc<Self>, moves: bool) {
        let route = self.route();
        let before = self.shown.borrow_mut().replace(route.clone());
        self.draw_top();
        self.drawing.set(self.drawing.get() + 1);
        if let (Route::Lab, Some(lab)) = (&route, &self.lab) {
            match before {
                Some(Route::Lab) => lab.follow(),
                _ => {
                    let page = Page::begin(texts::TITLE);
                    lab.show();
                    page.ready();
                }
            }
            return;
        }
        if !self.may_see() {
            return;
        }
        let is_same_list = matches!(
            (&before, &route),
            (Some(Route::List { list: one, .. }), Route::List { list: other, .. }) if one == other
        ) && document().get_element_by_id("find").is_some();
        match route {
            Route::List {
                list,
                search,
                state,
            } => browse::show(self, list, &search, state, is_same_list),
            Route::Order(id) => order::show(self, &id),
            Route::Health | Route::Lab => overview::show(self),
        }
        if moves && !is_same_list {
            go_to_heading();
        }
    }

    /// Draws the page again, after something was done.
    pub(crate) fn again(self: &Rc<Self>) {
        self.shown.borrow_mut().take();
        self.follow(true);
    }

    /// Whether somebody is signed in who may see the shop; else the page says so.
    fn may_see(self: &Rc<Self>) -> bool {
        match self.shop.session() {
            None => {
                self.ask_who("");
                false
            }
            Some(session) if !session.is_staff() => {
                Page::begin(words::NO_RIGHTS_TITLE).end(&[
                    heading(words::NO_RIGHTS_TITLE),
                    text("p", &[("class", "lead")], &words::no_rights(&session.email)),
                ]);
                false
            }
            Some(_) => true,
        }
    }

    /// Takes what went wrong with a call, which was made for that drawing of a page.
    pub(crate) fn fail(self: &Rc<Self>, fault: Fault) {
        match fault {
            Fault::Ended => {
                self.draw_top();
                self.ask_who(words::SESSION_OVER);
            }
            Fault::Refused(why) => {
                let again = self.clone();
                Page::begin(words::SHOP).end(&[
                    heading(words::SHOP),
                    text("p", &[("class", "error"), ("role", "alert")], &why),
                    button(words::REFRESH, "", move || again.again()),
                ]);
            }
        }
    }

    /// Which drawing of a page this is.
    pub(crate) fn drawing(&self) -> u32 {
        self.drawing.get()
    }

    /// Whether that drawing is still the one that is shown.
    pub(crate) fn is_shown(&self, drawing: u32) -> bool {
        self.drawing.get() == drawing
    }

    fn draw_top(self: &Rc<Self>) {
        let shown = self.shown.borrow().clone();
        let mut pages = Vec::new();
        let is_staff = self.shop.session().is_some_and(|who| who.is_staff());
        if self.lab.is_some() {
            pages.push((texts::TITLE, Route::Lab));
        }
        match is_staff {
            true => {
                pages.push((words::HEALTH, Route::Health));
                pages.extend(List::ALL.map(|list| (words::short(list), Route::list(list))));
            }
            false => pages.push((words::SHOP, Route::Health)),
        }
        let items: Vec<Element> = pages
            .into_iter()
            .map(|(title, route)| {
                let item = link(title, &route.link());
                let is_current = match (&shown, &route) {
                    (Some(Route::List { list: one, .. }), Route::List { list: other, .. }) => {
                        one == other
                    }
                    (Some(Route::Order(_)), Route::List { list, .. }) => *list == List::Orders,
                    (Some(shown), route) => shown == route,
                    (None, _) => false,
                };
                if is_current {
                    set(&item, &[("aria-current", "page")]);
                }
                around("li", &[], &[item])
            })
            .collect();
        let nav = around(
            "nav",
            &[("aria-label", words::PAGES)],
            &[around("ul", &[], &items)],
        );
        let mut top = vec![text("span", &[("class", "name")], texts::NAME), nav];
        if let Some(session) = self.shop.session() {
            let console = self.clone();
            let out = button(words::SIGN_OUT, "quiet", move || {
                let console = console.clone();
                spawn_local(async move {
                    console.shop.sign_out().await;
                    tell(words::SIGNED_OUT);
                    console.again();
                });
            });
            let who = [text("span", &[("class", "email")], &session.email), out];
            top.push(around("div", &[("class", "who")], &who));
        }
        replace(&by_id::<Element>("top"), &top);
    }

    /// The page where somebody signs in.
    fn ask_who(self: &Rc<Self>, why: &str) {
        let page = Page::begin(words::SIGN_IN);
        let field = |id: &str, label: &str, kind: &str, complete: &str| {
            let input = [
                ("id", id),
                ("type", kind),
                ("autocomplete", complete),
                ("required", ""),
            ];
            around(
                "div",
                &[("class", "field")],
                &[
                    text("label", &[("for", id)], label),
                    element("input", &input),
                ],
            )
        };
        let error = text(
            "p",
            &[
                ("id", "sign-in-error"),
                ("class", "error"),
                ("role", "alert"),
            ],
            why,
        );
        let submit = [("type", "submit"), ("class", "primary"), ("id", "sign-in")];
        let form = around(
            "form",
            &[("class", "sign-in")],
            &[
                field("email", words::EMAIL, "email", "username"),
                field("password", words::PASSWORD, "password", "current-password"),
                error,
                text("button", &submit, words::SIGN_IN),
            ],
        );
        let console = self.clone();
        on(&form, "submit", move |event| {
            event.prevent_default();
            let console = console.clone();
            spawn_local(async move { console.sign_in().await });
        });
        page.end(&[
            heading(words::SIGN_IN),
            text("p", &[("class", "lead")], words::SIGN_IN_LEAD),
            form,
        ]);
    }

    async fn sign_in(self: Rc<Self>) {
        let button = by_id::<Element>("sign-in");
        if button.get_attribute("aria-disabled").is_some() {
            return;
        }
        set(&button, &[("aria-disabled", "true")]);
        let [email, password] =
            ["email", "password"].map(|id| by_id::<HtmlInputElement>(id).value());
        let outcome = self.shop.sign_in(email.trim(), &password).await;
        let _ = button.remove_attribute("aria-disabled");
        match outcome {
            Ok(()) => self.again(),
            Err(why) => {
                by_id::<HtmlElement>("sign-in-error").set_text_content(Some(&why));
                let password = by_id::<HtmlInputElement>("password");
                password.set_value("");
                let _ = password.focus();
            }
        }
    }
}

/// Where a new page begins.
fn go_to_heading() {
    if let Ok(Some(heading)) = document().query_selector("#page h1") {
        let heading: HtmlElement = heading.unchecked_into();
        let _ = heading.focus();
    }
}

/// A time, as it is where the reader is.
pub(crate) fn time(at: &str) -> Element {
    let options = js_sys::Object::new();
    for (name, value) in [("dateStyle", "medium"), ("timeStyle", "short")] {
        // An object of its own takes any member.
        let _ = js_sys::Reflect::set(&options, &name.into(), &value.into());
    }
    let date = js_sys::Date::new(&at.into());
    let shown = match date.get_time().is_nan() {
        true => at.to_owned(),
        false => String::from(date.to_locale_string("en-GB", &options)),
    };
    text("time", &[("datetime", at), ("title", at)], &shown)
}

/// Adds what follows a word of its own.
pub(crate) fn after(words: &str, inner: Element) -> Element {
    let span = text("span", &[], &format!("{words} "));
    add(&span, &[inner]);
    span
}
