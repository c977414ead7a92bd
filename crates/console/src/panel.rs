//! One side of a race, as it is shown.

use web_sys::Element;

use crate::chart;
use crate::dom::{add, around, element, text};
use crate::race::{Answer, Books, Outcome, Side, Tally};
use crate::setup::Scene;
use crate::texts;

/// A side before its first race.
pub(crate) fn empty(side: Side, scene: Scene, what: &str) -> Vec<Element> {
    vec![
        head(side, scene),
        text("p", &[("class", "empty")], what),
        steps(side, scene),
    ]
}

/// A side after a race. Its picture ends at `end`.
pub(crate) fn filled(
    side: Side,
    scene: Scene,
    outcome: &Outcome,
    tally: Tally,
    end: f64,
) -> Vec<Element> {
    let verdict = verdict(scene, outcome.books);
    add(
        &verdict,
        &[text("span", &[("class", "tally")], &texts::tally(tally))],
    );
    let counts = text("p", &[("class", "counts")], &texts::counts(outcome));
    let chart = chart::draw(outcome, end);
    let (books, each) = (books(scene, outcome.books), each(side, outcome));
    let mut all = vec![head(side, scene), verdict, chart, counts, books];
    all.extend([steps(side, scene), each]);
    all
}

/// What the books say of a side.
pub(crate) fn verdict(scene: Scene, books: Books) -> Element {
    let wrong = books.wrong();
    let class = match wrong {
        0 => "verdict exact",
        _ => "verdict lost",
    };
    let words = text("strong", &[], &texts::verdict(scene, wrong));
    around("p", &[("class", class)], &[words])
}

/// Which side it is, and where it comes from.
pub(crate) fn head(side: Side, scene: Scene) -> Element {
    let source = match side {
        Side::Report => texts::source(scene),
        Side::Interlock => "",
    };
    let title = text("h2", &[], texts::side(side));
    let source = text("p", &[("class", "source")], source);
    around("header", &[], &[title, source])
}

/// The books themselves.
pub(crate) fn books(scene: Scene, books: Books) -> Element {
    let numbers = [books.had, books.left, books.given];
    let lines = texts::books(scene).into_iter().zip(numbers);
    let lines = lines.map(|(name, number)| {
        let name = text("dt", &[], name);
        around("div", &[], &[name, text("dd", &[], &number.to_string())])
    });
    let list = around("dl", &[], &lines.collect::<Vec<_>>());
    around(
        "div",
        &[("class", "books")],
        &[text("h3", &[], texts::BOOKS), list],
    )
}

fn steps(side: Side, scene: Scene) -> Element {
    let steps = texts::steps(side, scene)
        .iter()
        .map(|step| around("li", &[], &[text("code", &[], step)]));
    let list = around("ol", &[], &steps.collect::<Vec<_>>());
    let summary = text("summary", &[], texts::STEPS);
    around("details", &[("open", "")], &[summary, list])
}

/// What the picture shows, in words.
fn each(side: Side, outcome: &Outcome) -> Element {
    let wrongly = outcome.wrongly();
    let head = texts::COLUMNS.map(|name| text("th", &[("scope", "col")], name));
    let rows = outcome.requests.iter().enumerate().map(|(index, request)| {
        let answer = match &request.answer {
            Answer::Yes(_) if wrongly.contains(&index) => texts::LEGEND_WRONG.to_owned(),
            Answer::Yes(_) => texts::LEGEND_YES.to_owned(),
            Answer::No(code) => format!("{}: {code}", texts::LEGEND_NO),
            Answer::Trouble(why) => format!("{}: {why}", texts::LEGEND_TROUBLE),
        };
        let cells = [
            (index + 1).to_string(),
            texts::milliseconds(request.start),
            texts::milliseconds(request.end() - request.start),
            answer,
        ];
        around("tr", &[], &cells.map(|cell| text("td", &[], &cell)))
    });
    let table = around(
        "table",
        &[],
        &[
            around("thead", &[], &[around("tr", &[], &head)]),
            around("tbody", &[], &rows.collect::<Vec<_>>()),
        ],
    );
    let scroll = [
        ("class", "scroll"),
        ("role", "region"),
        ("tabindex", "0"),
        ("aria-label", &texts::each_of(side)),
    ];
    let scroll = around("div", &scroll, &[table]);
    let summary = text("summary", &[], texts::EACH);
    around("details", &[], &[summary, scroll])
}

/// What the colours say.
pub(crate) fn legend() -> Element {
    let entries = [
        ("yes", texts::LEGEND_YES),
        ("wrong", texts::LEGEND_WRONG),
        ("no", texts::LEGEND_NO),
        ("trouble", texts::LEGEND_TROUBLE),
    ];
    let entries = entries.map(|(class, name)| {
        let swatch = element(
            "span",
            &[
                ("class", &format!("swatch {class}")),
                ("aria-hidden", "true"),
            ],
        );
        around("li", &[], &[swatch, text("span", &[], name)])
    });
    let list = around("ul", &[], &entries);
    let steps = text("p", &[], texts::LEGEND_STEPS);
    around("div", &[("class", "legend")], &[list, steps])
}
