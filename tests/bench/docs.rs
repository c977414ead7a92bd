//! The last run, as docs/benchmarks.md and docs/bench/ show it.

use crate::figure::Figure;
use crate::flame::Flame;
use crate::report::Report;
use crate::{flame, plot, profile, table};
use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const RUN: &str = "<!-- begin: npm run bench -- --write-docs -->\n";
const PROFILE: &str = "<!-- begin: npm run bench -- --only profile --write-docs -->\n";
const END: &str = "<!-- end -->\n";

/// Draws what was measured, and writes the parts of the page that show it.
pub(crate) fn write(report: &Report) -> Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let folder = docs.join("bench");
    fs::create_dir_all(&folder)?;
    let page = docs.join("benchmarks.md");
    let mut text = fs::read_to_string(&page).with_context(|| page.display().to_string())?;
    if !report.figures.is_empty() {
        text = rewritten(&text, RUN, &folder, || run(report, &folder))?;
    }
    if !report.flames.is_empty() {
        text = rewritten(&text, PROFILE, &folder, || flames(report, &folder))?;
    }
    fs::write(&page, text)?;
    Ok(())
}

/// The page with what is written anew between its marks, whose old pictures are taken away, and nothing else that lies there.
fn rewritten(
    page: &str,
    begin: &str,
    folder: &Path,
    write: impl FnOnce() -> Result<String>,
) -> Result<String> {
    for file in shown(page, begin)? {
        let file = folder.join(file);
        if file.exists() {
            fs::remove_file(file)?;
        }
    }
    replaced(page, begin, &write()?)
}

fn run(report: &Report, folder: &Path) -> Result<String> {
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
    Ok(text)
}

fn flames(report: &Report, folder: &Path) -> Result<String> {
    let mut text = format!("{}.\n\n", report.machine.describe());
    for (name, shown) in profile::PICTURES {
        let shown: Vec<&Flame> = shown.iter().map(|&place| &report.flames[place]).collect();
        let titles: Vec<&str> = shown.iter().map(|flame| flame.title.as_str()).collect();
        let file = format!("flame-{name}.svg");
        fs::write(folder.join(&file), flame::draw(&shown))?;
        writeln!(text, "![{}](bench/{file})\n", titles.join("; "))?;
    }
    let trees: Vec<String> = report.flames.iter().map(Flame::text).collect();
    write!(
        text,
        "<details>\n<summary>The same in words</summary>\n\n```text\n{}```\n\n</details>\n",
        trees.join("\n")
    )?;
    Ok(text)
}

/// The scenarios of each plot: one for a section, or several for the largest.
fn plots(figures: &[Figure]) -> Vec<(String, Vec<Vec<&Figure>>)> {
    let mut plots: Vec<(String, Vec<Vec<&Figure>>)> = Vec::new();
    for group in table::scenarios(figures) {
        let name = match (group[0].section, group[0].scenario.split_once(',')) {
            (section @ "database", Some((what, _))) => {
                let what = if what.starts_with("CPU of ") {
                    "CPU"
                } else {
                    what
                };
                format!("{section} {what}")
            }
            (section, _) => section.to_owned(),
        };
        match plots.iter_mut().find(|plot| plot.0 == name) {
            Some((_, groups)) => groups.push(group),
            None => plots.push((name, vec![group])),
        }
    }
    plots
}

/// The pictures of the last run, or of the last profile.
fn shown<'a>(page: &'a str, begin: &str) -> Result<Vec<&'a str>> {
    let [_, run, _] = parts(page, begin)?;
    Ok(run
        .split("](bench/")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0))
        .collect())
}

/// The page with other text between its marks.
fn replaced(page: &str, begin: &str, text: &str) -> Result<String> {
    let [before, _, after] = parts(page, begin)?;
    Ok(format!("{before}{begin}\n{text}\n{END}{after}"))
}

/// What stands before, between and after the marks.
fn parts<'a>(page: &'a str, begin: &str) -> Result<[&'a str; 3]> {
    let (before, rest) = page.split_once(begin).context("the page has no begin")?;
    let (run, after) = rest.split_once(END).context("the page has no end")?;
    Ok([before, run, after])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let page = format!("a\n{RUN}old\n{END}b\n{PROFILE}other\n{END}c\n");
        let once = replaced(&page, RUN, "new").expect("marks");
        assert_eq!(
            once,
            format!("a\n{RUN}\nnew\n{END}b\n{PROFILE}other\n{END}c\n")
        );
        assert_eq!(replaced(&once, RUN, "new").expect("marks"), once);
        let twice = replaced(&once, PROFILE, "graph").expect("marks");
        let end = format!("{END}b\n{PROFILE}\ngraph\n{END}c\n");
        assert!(twice.ends_with(&end), "{twice}");
    }

    #[test]
    fn what_is_alike_is_in_one_plot() {
        let figures = [
            ("database", "claims, 64 drivers"),
            ("database", "CPU of a sale, one till"),
            ("database", "CPU of a scan, one worker"),
            ("growth", "checkout of 1 line"),
        ]
        .map(|(section, scenario)| Figure::new(section, scenario, "interlock", "µs"));
        let plots = plots(&figures);
        let names: Vec<_> = plots.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["database claims", "database CPU", "growth"]);
        assert_eq!(plots[1].1.len(), 2);
    }

    #[test]
    fn only_plots_between_the_marks_are_those_of_the_run() {
        let page = format!(
            "![x](bench/x.svg)\n{RUN}![a](bench/a.svg)\n\n![b](bench/b.svg)\n{END}\n\
             {PROFILE}![c](bench/c.svg)\n{END}"
        );
        assert_eq!(shown(&page, RUN).expect("marks"), ["a.svg", "b.svg"]);
        assert_eq!(shown(&page, PROFILE).expect("marks"), ["c.svg"]);
    }
}
