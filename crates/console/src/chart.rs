//! Requests as bars on a line of time.

use web_sys::Element;

use crate::dom::{add, around, shape, text};
use crate::race::{Answer, Outcome};
use crate::texts;

/// How wide the picture is in its own units.
const WIDTH: f64 = 1000.0;

/// The bars of one side; `end` is the right edge, the same for both.
pub(crate) fn draw(outcome: &Outcome, end: f64) -> Element {
    let count = outcome.requests.len();
    let row: f64 = match count {
        0..=8 => 20.0,
        9..=16 => 13.0,
        17..=32 => 8.0,
        _ => 5.0,
    };
    let height = row * count as f64;
    let picture = shape(
        "svg",
        &[
            ("class", "bars"),
            ("role", "img"),
            ("aria-label", &texts::picture(outcome)),
            ("viewBox", &format!("0 0 {WIDTH} {height}")),
            ("preserveAspectRatio", "none"),
            ("height", &height.to_string()),
        ],
    );
    let scale = WIDTH / end.max(1.0);
    for quarter in 1..4 {
        let x = (WIDTH / 4.0 * f64::from(quarter)).to_string();
        let line = [
            ("class", "grid"),
            ("x1", x.as_str()),
            ("x2", &x),
            ("y1", "0"),
            ("y2", &height.to_string()),
        ];
        add(&picture, &[shape("line", &line)]);
    }
    let wrongly = outcome.wrongly();
    for (index, request) in outcome.requests.iter().enumerate() {
        let class = match request.answer {
            Answer::Yes(_) if wrongly.contains(&index) => "bar wrong",
            Answer::Yes(_) => "bar yes",
            Answer::No(_) => "bar no",
            Answer::Trouble(_) => "bar trouble",
        };
        let mut from = request.start;
        let calls = request.answered.len();
        for (call, to) in request.answered.iter().enumerate() {
            let class = match call + 1 == calls {
                true => class.to_owned(),
                false => format!("{class} look{}", (calls - call - 1).min(2)),
            };
            let part = [
                ("class", class.as_str()),
                ("x", &format!("{:.1}", from * scale)),
                ("y", &format!("{:.1}", row * index as f64 + row * 0.12)),
                ("width", &format!("{:.1}", ((to - from) * scale).max(2.0))),
                ("height", &format!("{:.1}", row * 0.76)),
            ];
            add(&picture, &[shape("rect", &part)]);
            from = *to;
        }
    }
    let marks = (0..=2).map(|half| {
        let time = end / 2.0 * f64::from(half);
        text("span", &[], &texts::milliseconds(time))
    });
    let axis = around(
        "div",
        &[("class", "axis"), ("aria-hidden", "true")],
        &marks.collect::<Vec<_>>(),
    );
    around("div", &[("class", "chart")], &[picture, axis])
}
