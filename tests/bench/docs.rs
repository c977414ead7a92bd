//! The last run, as docs/benchmarks.md and docs/bench/ show it.

use crate::figure::Figure;
use crate::report::Report;
use crate::{plot, table};
use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- begin: npm run bench -- --write-docs -->\n";
const END: &str = "<!-- end -->\n";

/// Draws the plots, and writes the part of the page that shows a run.
pub(crate) fn write(report: &Report) -> Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let folder = docs.join("bench");
    fs::create_dir_all(&folder)?;
    let page = docs.join("benchmarks.md");
    let old = fs::read_to_string(&page).with_context(|| page.display().to_string())?;
    // Not what else lies there.
    for file in shown(&old)? {
        let file = folder.join(file);
        if file.exists() {
            fs::remove_file(file)?;
        }
    }
    let mut text = format!("{}\n\n{}\n", report.about(), report.goals());
    for (name, groups) in plots(&report.figures) {
        let file = format!("{}.svg", name.replace(' ', "-"));
        fs::write(folder.join(&file), plot::bars(&groups))?;
        writeln!(text, "![{name}](bench/{file})\n")?;
    }
    let tables = table::figures(&report.figures);
    write!(
        text,
        "<details>\n<summary>All figures</summary>\n\n{tables}</details>\n"
    )?;
    fs::write(&page, replaced(&old, &text)?)?;
    Ok(())
}

/// The scenarios of each plot: one for a section, or several for the largest.
fn plots(figures: &[Figure]) -> Vec<(String, Vec<Vec<&Figure>>)> {
    let mut plots: Vec<(String, Vec<Vec<&Figure>>)> = Vec::new();
    for group in table::scenarios(figures) {
        let name = match (group[0].section, group[0].scenario.split_once(',')) {
            (section @ "database", Some((what, _))) => format!("{section} {what}"),
            (section, _) => section.to_owned(),
        };
        match plots.iter_mut().find(|plot| plot.0 == name) {
            Some((_, groups)) => groups.push(group),
            None => plots.push((name, vec![group])),
        }
    }
    plots
}

/// The plots of the last run.
fn shown(page: &str) -> Result<Vec<&str>> {
    let [_, run, _] = parts(page)?;
    Ok(run
        .split("](bench/")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0))
        .collect())
}

/// The page with other text between its marks.
fn replaced(page: &str, text: &str) -> Result<String> {
    let [before, _, after] = parts(page)?;
    Ok(format!("{before}{BEGIN}\n{text}\n{END}{after}"))
}

/// What stands before, between and after the marks.
fn parts(page: &str) -> Result<[&str; 3]> {
    let (before, rest) = page.split_once(BEGIN).context("the page has no begin")?;
    let (run, after) = rest.split_once(END).context("the page has no end")?;
    Ok([before, run, after])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let page = format!("a\n{BEGIN}old\n{END}b\n");
        let once = replaced(&page, "new").expect("marks");
        assert_eq!(once, format!("a\n{BEGIN}\nnew\n{END}b\n"));
        assert_eq!(replaced(&once, "new").expect("marks"), once);
    }

    #[test]
    fn only_plots_between_the_marks_are_those_of_the_run() {
        let page =
            format!("![x](bench/x.svg)\n{BEGIN}![a](bench/a.svg)\n\n![b](bench/b.svg)\n{END}");
        assert_eq!(shown(&page).expect("marks"), ["a.svg", "b.svg"]);
    }
}
