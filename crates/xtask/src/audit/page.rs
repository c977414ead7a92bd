//! The report as a page of its own: a table of the findings, and an SVG plot of how many were open over time.

use serde_json::Value;

use super::{Report, decision, headline, plain, time};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 200.0;
/// Room for the numbers beside and below the plot.
const LEFT: f64 = 50.0;
const BELOW: f64 = 30.0;

impl Report {
    /// A page that needs nothing else.
    pub(super) fn as_html(&self, place: &str) -> String {
        let verdict = match self.open().count() {
            0 => "The books agree".to_owned(),
            1 => "1 finding is open".to_owned(),
            open => format!("{open} findings are open"),
        };
        let rows: String = self.findings.iter().map(row).collect();
        let table = if rows.is_empty() {
            String::new()
        } else {
            format!(
                "<table>\n<tr><th>What</th><th>Size</th><th>Since</th><th>Probable cause</th><th>Status</th><th>Id</th></tr>\n\
                 {rows}</table>\n"
            )
        };
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Audit of the stock</title>\n<style>\n\
             body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}\n\
             table {{ border-collapse: collapse }}\n\
             td, th {{ text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #ddd }}\n\
             td.open {{ color: #b00020 }}\n\
             svg text {{ font-size: 12px; fill: #555 }}\n\
             </style>\n<h1>{verdict}</h1>\n<p>Audits of the stock in {}</p>\n{}{table}</html>\n",
            escape(place),
            plot(&self.audits)
        )
    }
}

fn row(finding: &Value) -> String {
    let status = plain(&finding["status"]);
    format!(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}{}</td><td class=\"{status}\">{status}</td><td><code>{}</code></td></tr>\n",
        escape(&headline(finding)),
        plain(&finding["size"]),
        time(&finding["since"]),
        escape(&plain(&finding["cause"])),
        escape(&decision(finding)),
        plain(&finding["id"])
    )
}

/// Open findings after each audit; a point says when it was and what they came to.
fn plot(audits: &[Value]) -> String {
    let (Some(first), Some(last)) = (audits.first(), audits.last()) else {
        return String::new();
    };
    let open = |audit: &Value| audit["open_findings"].as_f64().unwrap_or_default();
    let most = audits.iter().map(open).fold(1.0, f64::max);
    let step = (WIDTH - LEFT) / (audits.len() as f64 - 1.0).max(1.0);
    let points: Vec<(f64, f64)> = audits
        .iter()
        .enumerate()
        .map(|(index, audit)| {
            let share = open(audit) / most;
            (
                (index as f64).mul_add(step, LEFT),
                (HEIGHT - 10.0).mul_add(1.0 - share, 10.0),
            )
        })
        .collect();
    let line: Vec<String> = points
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let circles: String = points
        .iter()
        .zip(audits)
        .map(|((x, y), audit)| {
            format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#b00020\"><title>{}: {} open, {} units</title></circle>\n",
                time(&audit["started_at"]),
                plain(&audit["open_findings"]),
                plain(&audit["open_units"])
            )
        })
        .collect();
    format!(
        "<svg viewBox=\"0 0 {} {}\" width=\"100%\" role=\"img\" aria-label=\"Open findings over time\">\n\
         <line x1=\"{LEFT}\" y1=\"{HEIGHT}\" x2=\"{WIDTH}\" y2=\"{HEIGHT}\" stroke=\"#999\"/>\n\
         <text x=\"{}\" y=\"15\" text-anchor=\"end\">{most}</text>\n\
         <text x=\"{}\" y=\"{HEIGHT}\" text-anchor=\"end\">0</text>\n\
         <text x=\"{LEFT}\" y=\"{}\">{}</text>\n\
         <text x=\"{WIDTH}\" y=\"{}\" text-anchor=\"end\">{}</text>\n\
         <polyline points=\"{}\" fill=\"none\" stroke=\"#b00020\" stroke-width=\"2\"/>\n{circles}</svg>\n",
        WIDTH + 10.0,
        HEIGHT + BELOW,
        LEFT - 8.0,
        LEFT - 8.0,
        HEIGHT + 20.0,
        time(&first["started_at"]),
        HEIGHT + 20.0,
        time(&last["started_at"]),
        line.join(" ")
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
