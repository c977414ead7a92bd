//! Bar charts as SVG: one for each scenario, its variants beside each other. Colours follow the
//! reader's light or dark theme.

use crate::figure::Figure;
use crate::table::number;
use std::fmt::Write as _;

const ROW: f64 = 26.0;
const LABELS: f64 = 300.0;
const BARS: f64 = 340.0;
const NUMBERS: f64 = 90.0;
const TITLE: f64 = 34.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#24292f}.t{font-weight:600}\
.i{fill:#2f81f7}.p{fill:#8c959f}.s{stroke:#24292f}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{stroke:#e6edf3}.p{fill:#6e7681}}";

/// Groups of figures of one unit, drawn below each other. Bars of one group share a scale; the thin
/// line at the end of a bar reaches from the smallest to the largest round.
pub(crate) fn bars(groups: &[Vec<&Figure>]) -> String {
    let mut body = String::new();
    let mut y = 0.0;
    for group in groups {
        let largest = group
            .iter()
            .flat_map(|figure| &figure.samples)
            .fold(0.0_f64, |most, &sample| most.max(sample));
        let Some(first) = group.first() else { continue };
        let title = escaped(&format!("{} ({})", first.scenario, first.unit));
        let _ = write!(
            body,
            "<text class=\"t\" x=\"0\" y=\"{}\">{title}</text>",
            y + 20.0
        );
        y += TITLE;
        for figure in group {
            row(&mut body, figure, y, BARS / largest.max(f64::MIN_POSITIVE));
            y += ROW;
        }
        y += 10.0;
    }
    let width = LABELS + BARS + NUMBERS;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {y}\" width=\"{width}\" height=\"{y}\" role=\"img\"><style>{STYLE}</style>{body}</svg>\n"
    )
}

fn row(body: &mut String, figure: &Figure, y: f64, scale: f64) {
    let median = figure.median();
    let class = if figure.variant.starts_with("interlock") {
        "i"
    } else {
        "p"
    };
    let (low, high) = figure
        .samples
        .iter()
        .fold((f64::MAX, f64::MIN), |(low, high), &sample| {
            (low.min(sample), high.max(sample))
        });
    let _ = write!(
        body,
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
         <rect class=\"{class}\" x=\"{LABELS:.0}\" y=\"{:.0}\" width=\"{:.1}\" height=\"{:.0}\" rx=\"2\"/>\
         <path class=\"s\" d=\"M{:.1} {:.0}H{:.1}\"/>\
         <text x=\"{:.1}\" y=\"{:.0}\">{}</text>",
        LABELS - 8.0,
        y + 15.0,
        escaped(&figure.variant),
        y + 1.0,
        median * scale,
        ROW - 6.0,
        LABELS + low * scale,
        y + ROW / 2.0 - 2.0,
        LABELS + high * scale,
        LABELS + high.max(median) * scale + 8.0,
        y + 15.0,
        number(median),
    );
}

/// As text of an SVG.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_round_fills_the_width() {
        let mut figure = Figure::new("database", "a < b", "interlock", "ms");
        figure.samples = vec![1.0, 2.0, 4.0];
        let svg = bars(&[vec![&figure]]);
        assert!(svg.contains("a &lt; b (ms)"), "{svg}");
        assert!(svg.contains(&format!("H{:.1}", LABELS + BARS)), "{svg}");
        assert!(
            svg.contains(&format!("width=\"{:.1}\"", BARS / 2.0)),
            "{svg}"
        );
    }
}
