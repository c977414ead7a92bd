//! Tables that read well in a terminal and as Markdown.

use crate::figure::Figure;
use crate::goals::Verdict;

/// Rows of text under a heading, as a Markdown table with aligned columns.
pub(crate) fn render(heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .chain([heading[column].chars().count()])
            // A rule has a dash, also under a heading without text and rows.
            .fold(1, usize::max)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    // Text to the left, numbers to the right.
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| {
                if is_text(column) {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            })
            .collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule: Vec<String> = widths
        .iter()
        .enumerate()
        .map(|(column, &width)| {
            if is_text(column) {
                "-".repeat(width)
            } else {
                format!("{}:", "-".repeat(width - 1))
            }
        })
        .collect();
    let heading: Vec<String> = heading.iter().map(|&cell| cell.to_owned()).collect();
    let mut table = line(&heading);
    table.push_str(&line(&rule));
    table.extend(rows.iter().map(|row| line(row)));
    table
}

fn is_text(column: usize) -> bool {
    column == 0
}

/// The goals, what was measured and whether that is enough.
pub(crate) fn goals(verdicts: &[&Verdict]) -> String {
    let rows: Vec<Vec<String>> = verdicts
        .iter()
        .map(|verdict| {
            vec![
                verdict.what.to_owned(),
                verdict.goal.clone(),
                verdict.measured.map_or("–".to_owned(), number),
                match verdict.met {
                    Some(true) => "met",
                    Some(false) => "missed",
                    None => "not measured",
                }
                .to_owned(),
            ]
        })
        .collect();
    render(&["figure", "goal", "measured", ""], &rows)
}

/// One table for each scenario: its variants, and how many times the first one each is.
pub(crate) fn figures(figures: &[Figure]) -> String {
    let mut text = String::new();
    for group in scenarios(figures) {
        let first = group[0].median();
        let rows: Vec<Vec<String>> = group
            .iter()
            .map(|figure| {
                vec![
                    figure.variant.clone(),
                    number(figure.median()),
                    format!("{:.2} ×", figure.median() / first),
                    per_cent(figure.spread()),
                ]
            })
            .collect();
        let heading = [group[0].scenario.as_str(), group[0].unit, "", "spread"];
        text.push_str(&render(&heading, &rows));
        text.push('\n');
    }
    text
}

/// Figures of the same section, scenario and unit, in the order of their first one.
pub(crate) fn scenarios(figures: &[Figure]) -> Vec<Vec<&Figure>> {
    let mut groups: Vec<Vec<&Figure>> = Vec::new();
    for figure in figures {
        let same = |group: &&mut Vec<&Figure>| {
            let first = group[0];
            (first.section, &first.scenario, first.unit)
                == (figure.section, &figure.scenario, figure.unit)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(figure),
            None => groups.push(vec![figure]),
        }
    }
    groups
}

/// A share; a dash for what has none, such as the spread of rounds that are all zero.
fn per_cent(share: f64) -> String {
    if share.is_finite() {
        format!("{:.0} %", share * 100.0)
    } else {
        "–".to_owned()
    }
}

/// Three significant digits, and never fewer than the whole part.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => {
            let digits = format!("{value:.0}");
            // Groups of three from the right.
            let start = digits.len() % 3;
            let (head, tail) = digits.split_at(start);
            let groups = tail.as_bytes().chunks(3).map(String::from_utf8_lossy);
            let parts: Vec<_> = Some(head.into())
                .filter(|_| start > 0)
                .into_iter()
                .chain(groups)
                .collect();
            parts.join(",")
        }
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_of_nothing_but_zeros_is_a_dash() {
        assert_eq!(per_cent(0.256), "26 %");
        assert_eq!(per_cent(f64::NAN), "–");
    }

    #[test]
    fn numbers_have_three_digits_or_all_of_them() {
        assert_eq!(number(1.234), "1.23");
        assert_eq!(number(12.34), "12.3");
        assert_eq!(number(123.4), "123");
        assert_eq!(number(1234.0), "1,234");
        assert_eq!(number(1_234_567.0), "1,234,567");
    }

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["é".to_owned(), "1".to_owned()],
            vec!["long".to_owned(), "22".to_owned()],
        ];
        assert_eq!(
            render(&["a", "b"], &rows),
            "| a    |  b |\n| ---- | -: |\n| é    |  1 |\n| long | 22 |\n"
        );
    }

    #[test]
    fn a_scenario_is_compared_with_its_first_variant() {
        let mut ours = Figure::new("database", "hot", "ours", "per second");
        ours.samples = vec![30.0];
        let mut theirs = Figure::new("database", "hot", "theirs", "per second");
        theirs.samples = vec![10.0];
        let text = figures(&[ours, theirs]);
        assert!(text.contains("0.33 ×"), "{text}");
    }
}
