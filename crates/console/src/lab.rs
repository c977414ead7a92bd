//! The race lab: what is chosen, the run, and what is shown of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::Value;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Element, HtmlButtonElement, HtmlElement, HtmlInputElement, HtmlSelectElement};

use crate::calls::{Trouble, pause};
use crate::dom::{add, around, by_id, document, element, on, replace, set, text, window};
use crate::race::{Side, Tally};
use crate::setup::{FEWEST, MOST, Mode, Scene, Setup};
use crate::{panel, run, steps, texts};

/// What of the page is not in its elements.
#[derive(Default)]
struct Page {
    setup: Cell<Setup>,
    tallies: RefCell<Tallies>,
    /// Both sides step by step, if they have been begun.
    plays: RefCell<[Value; 2]>,
}

/// Both sides, as the page shows them.
const SIDES: [Side; 2] = [Side::Report, Side::Interlock];

/// How often each side has lost, since another race was chosen.
#[derive(Default)]
struct Tallies {
    /// The scene, and how many at once.
    kind: Option<(Scene, u32)>,
    sides: [Tally; 2],
}

/// The lab, for as long as the console is open.
#[derive(Clone, Default)]
pub(crate) struct Lab(Rc<Page>);

impl Lab {
    /// Draws the page and waits for what is done to it.
    pub(crate) fn show(&self) {
        let page = self.0.clone();
        page.setup.set(Setup::read(&hash()));
        draw();
        page.show_setup();
        page.clear();

        let listen = |id: &str, event: &str, act: fn(&Rc<Page>)| {
            let page = page.clone();
            on(&by_id::<HtmlElement>(id), event, move |_| act(&page));
        };
        listen("setup", "input", |page| page.choose());
        listen("copy", "click", |_| spawn_local(copy()));
        on(&by_id::<HtmlElement>("setup"), "submit", move |event| {
            event.prevent_default();
            let page = page.clone();
            spawn_local(async move { page.busy(page.run()).await });
        });
    }

    /// Takes over another link of the lab.
    pub(crate) fn follow(&self) {
        let page = &self.0;
        if hash() != page.setup.get().link() {
            page.setup.set(Setup::read(&hash()));
            page.show_setup();
            page.clear();
        }
    }
}

fn hash() -> String {
    window().location().hash().unwrap_or_default()
}

impl Page {
    /// Takes over what is chosen in the elements.
    fn choose(&self) {
        let before = self.setup.get();
        let scene = Scene::ALL
            .into_iter()
            .find(|scene| by_id::<HtmlInputElement>(scene.name()).checked());
        let number = |id: &str| by_id::<HtmlInputElement>(id).value().parse().ok();
        let mode = Mode::named(&by_id::<HtmlSelectElement>("mode").value());
        let setup = Setup {
            mode: mode.unwrap_or(before.mode),
            scene: scene.unwrap_or(before.scene),
            at_once: number("at-once").map_or(before.at_once, Setup::bounded),
            seed: number("seed").unwrap_or(before.seed),
        };
        self.setup.set(setup);
        by_id::<HtmlElement>("at-once-shown").set_text_content(Some(&setup.at_once.to_string()));
        self.show_mode();
        self.link();
        if (setup.scene, setup.mode) != (before.scene, before.mode) {
            self.clear();
        }
    }

    /// Lets the elements say what is chosen.
    fn show_setup(&self) {
        let setup = self.setup.get();
        by_id::<HtmlInputElement>(setup.scene.name()).set_checked(true);
        self.show_mode();
        by_id::<HtmlInputElement>("at-once").set_value(&setup.at_once.to_string());
        by_id::<HtmlInputElement>("seed").set_value(&setup.seed.to_string());
        by_id::<HtmlElement>("at-once-shown").set_text_content(Some(&setup.at_once.to_string()));
        self.link();
    }

    /// Lets the elements be those of the mode.
    fn show_mode(&self) {
        let setup = self.setup.get();
        by_id::<HtmlSelectElement>("mode").set_value(setup.mode.name());
        set(&by_id("setup"), &[("data-mode", setup.mode.name())]);
        by_id::<HtmlElement>("run").set_text_content(Some(match setup.mode {
            Mode::Race => texts::RUN,
            Mode::Steps => texts::BEGIN,
        }));
    }

    /// The address is the link, without an entry in the history for each choice.
    fn link(&self) {
        let link = self.setup.get().link();
        if let Ok(history) = window().history() {
            let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&link));
        }
    }

    /// Nothing has been run of what is chosen.
    fn clear(&self) {
        let Setup { scene, mode, .. } = self.setup.get();
        let (empty, ready) = match mode {
            Mode::Race => (texts::TIMELINE_EMPTY, texts::READY),
            Mode::Steps => (texts::STEPS_EMPTY, texts::STEPS_READY),
        };
        for side in SIDES {
            let id = steps::name(side);
            replace(&by_id::<Element>(id), &panel::empty(side, scene, empty));
        }
        tell(ready);
    }

    /// Does one thing at a time, and says why it came to nothing.
    async fn busy(&self, what: impl Future<Output = Result<(), Trouble>>) {
        let button = by_id::<HtmlButtonElement>("run");
        if button.get_attribute("aria-disabled").is_some() {
            return;
        }
        // It keeps the focus, which a button that is disabled loses.
        let _ = button.set_attribute("aria-disabled", "true");
        if let Err(trouble) = what.await {
            tell(&texts::failed(&trouble.0));
        }
        let _ = button.remove_attribute("aria-disabled");
    }

    async fn run(self: &Rc<Self>) -> Result<(), Trouble> {
        match self.setup.get().mode {
            Mode::Race => self.run_all().await,
            Mode::Steps => self.begin_steps().await,
        }
    }

    /// Begins both sides step by step.
    async fn begin_steps(self: &Rc<Self>) -> Result<(), Trouble> {
        let scene = self.setup.get().scene;
        for (index, side) in SIDES.into_iter().enumerate() {
            let play = steps::begin(scene, side).await?;
            self.plays.borrow_mut()[index] = play;
            self.show_steps(index);
        }
        tell(texts::BEGUN);
        show();
        Ok(())
    }

    /// Lets a session do its next statement.
    async fn step(self: &Rc<Self>, index: usize, who: usize) -> Result<(), Trouble> {
        let play = self.plays.borrow()[index].clone();
        if play["sessions"][who]["next"].is_null() {
            return Ok(());
        }
        let play = steps::step(&play, who).await?;
        tell(&steps::told(SIDES[index], self.setup.get().scene, &play));
        self.plays.borrow_mut()[index] = play;
        self.show_steps(index);
        Ok(())
    }

    fn show_steps(self: &Rc<Self>, index: usize) {
        let setup = self.setup.get();
        let play = self.plays.borrow()[index].clone();
        let is_chosen = setup.mode == Mode::Steps && play["scene"] == setup.scene.name();
        if !is_chosen || document().get_element_by_id("setup").is_none() {
            // Something else is shown by now.
            return;
        }
        let page = self.clone();
        let act = move |who| {
            let page = page.clone();
            spawn_local(async move { page.busy(page.step(index, who)).await });
        };
        steps::show(SIDES[index], setup.scene, &play, act);
    }

    async fn run_all(&self) -> Result<(), Trouble> {
        let chosen = self.setup.get();
        let races = by_id::<HtmlSelectElement>("races").value();
        let races: u32 = races.parse().unwrap_or(1);
        for number in 0..races {
            tell(&texts::running(number + 1, races));
            let setup = Setup {
                seed: chosen.seed.wrapping_add(number),
                ..chosen
            };
            let race = run::run(setup).await?;
            if document().get_element_by_id("setup").is_none() {
                // Another page is shown by now.
                return Ok(());
            }
            let kind = Some((setup.scene, setup.at_once));
            let tallies = {
                let mut tallies = self.tallies.borrow_mut();
                if tallies.kind != kind {
                    *tallies = Tallies {
                        kind,
                        ..Tallies::default()
                    };
                }
                let [report, interlock] = &mut tallies.sides;
                report.count(race.report.books);
                interlock.count(race.interlock.books);
                tallies.sides
            };
            let end = race.report.end().max(race.interlock.end());
            let sides = [
                ("report", Side::Report, &race.report),
                ("interlock", Side::Interlock, &race.interlock),
            ];
            for ((id, side, outcome), tally) in sides.into_iter().zip(tallies) {
                let all = panel::filled(side, setup.scene, outcome, tally, end);
                replace(&by_id::<Element>(id), &all);
            }
            if number + 1 == races {
                let [report, interlock] =
                    [&race.report, &race.interlock].map(|side| side.books.wrong());
                tell(&texts::done(setup.scene, report, interlock));
                show();
            }
        }
        Ok(())
    }
}

/// Says what is going on, also to who cannot see it.
fn tell(what: &str) {
    if let Some(status) = document().get_element_by_id("status") {
        status.set_text_content(Some(what));
    }
}

/// On a small screen the results are below what is chosen.
fn show() {
    let status = by_id::<HtmlElement>("status");
    let top = status.get_bounding_client_rect().top();
    let height = window()
        .inner_height()
        .ok()
        .and_then(|height| height.as_f64());
    if top > height.unwrap_or(f64::MAX) * 0.75 {
        status.scroll_into_view();
    }
}

async fn copy() {
    let href = window().location().href().unwrap_or_default();
    let written = window().navigator().clipboard().write_text(&href);
    let button = by_id::<HtmlElement>("copy");
    button.set_text_content(Some(match JsFuture::from(written).await {
        Ok(_) => texts::COPIED,
        Err(_) => texts::NOT_COPIED,
    }));
    pause(2000).await;
    button.set_text_content(Some(texts::COPY));
}

/// The elements that are there from the beginning.
fn draw() {
    let scenes = Scene::ALL.map(|scene| {
        let choice = [
            ("type", "radio"),
            ("name", "scene"),
            ("id", scene.name()),
            ("value", scene.name()),
        ];
        around(
            "label",
            &[("class", "scene"), ("for", scene.name())],
            &[
                element("input", &choice),
                text("strong", &[], texts::title(scene)),
                text("span", &[], texts::story(scene)),
            ],
        )
    });
    let mut fields = vec![text("legend", &[], texts::SCENES)];
    fields.extend(scenes);
    let scenes = around("fieldset", &[("class", "scenes")], &fields);

    let (least, most) = (FEWEST.to_string(), MOST.to_string());
    let range = [
        ("type", "range"),
        ("id", "at-once"),
        ("min", least.as_str()),
        ("max", &most),
    ];
    let at_once = around(
        "div",
        &[("class", "field wide of-race")],
        &[
            text("label", &[("for", "at-once")], texts::AT_ONCE),
            around(
                "div",
                &[("class", "range")],
                &[
                    element("input", &range),
                    text("output", &[("id", "at-once-shown"), ("for", "at-once")], ""),
                ],
            ),
        ],
    );
    let modes = Mode::ALL.map(|mode| text("option", &[("value", mode.name())], texts::mode(mode)));
    let mode = around(
        "div",
        &[("class", "field")],
        &[
            text("label", &[("for", "mode")], texts::MODE),
            around("select", &[("id", "mode")], &modes),
        ],
    );
    let choices = ["1", "5", "20"].map(|races| text("option", &[("value", races)], races));
    let races = around(
        "div",
        &[("class", "field of-race")],
        &[
            text("label", &[("for", "races")], texts::RACES),
            around("select", &[("id", "races")], &choices),
        ],
    );
    let number = [
        ("type", "number"),
        ("id", "seed"),
        ("min", "0"),
        ("max", "4294967295"),
        ("title", texts::SEED_HINT),
        ("aria-description", texts::SEED_HINT),
    ];
    let seed = around(
        "div",
        &[("class", "field of-race")],
        &[
            text("label", &[("for", "seed")], texts::SEED),
            element("input", &number),
        ],
    );
    let buttons = around(
        "div",
        &[("class", "buttons")],
        &[
            text(
                "button",
                &[("type", "submit"), ("id", "run"), ("class", "primary")],
                texts::RUN,
            ),
            text("button", &[("type", "button"), ("id", "copy")], texts::COPY),
        ],
    );
    let controls = around(
        "div",
        &[("class", "controls")],
        &[mode, at_once, races, seed, buttons],
    );
    let form = around("form", &[("id", "setup")], &[scenes, controls]);

    let lead = around(
        "header",
        &[("class", "lead")],
        &[text("h1", &[], texts::TITLE), text("p", &[], texts::LEAD)],
    );
    let status = text("p", &[("id", "status"), ("role", "status")], "");
    let sides = around(
        "div",
        &[("class", "sides")],
        &[
            element("article", &[("id", "report"), ("class", "side")]),
            element("article", &[("id", "interlock"), ("class", "side")]),
        ],
    );
    let results = around(
        "section",
        &[("aria-label", texts::RESULTS)],
        &[status, sides, panel::legend()],
    );
    let foot = text("p", &[("class", "foot")], texts::FOOT);
    let page = by_id::<Element>("page");
    replace(&page, &[]);
    add(&page, &[lead, form, results, foot]);
}
