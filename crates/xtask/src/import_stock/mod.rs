//! `cargo xtask import-stock`: the stock that a shop has, from a CSV file, in one transaction.

mod csv;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use self::csv::Row;
use crate::ensure;
use crate::repo::Repo;
use crate::shop::{Shop, quoted};
use crate::supabase::{Supabase, Target};

/// As many lines are brought to the database at once.
const PIECE: usize = 5000;
/// As many problems are told.
const SHOWN: usize = 100;

/// Which file, into which database, and whether to do it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A CSV file with the headers product_id, quantity and, where it is not the web shop, location (its id or its name).
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    shop: Shop,
    /// Do nothing: tell every problem, by line, and what would change.
    #[arg(long)]
    dry_run: bool,
    /// Also overwrite stock that is not empty.
    #[arg(long)]
    replace: bool,
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
}

/// Imports, and tells; an error means that nothing was done.
pub(crate) fn run(repo: &Repo, args: &Args) -> Result<()> {
    ensure::run_all(repo)?;
    let bytes =
        fs::read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let text = std::str::from_utf8(&bytes)
        .with_context(|| format!("{} is not UTF-8", args.file.display()))?;
    let file = csv::read(text)?;
    if file.rows.is_empty() && file.problems.is_empty() {
        bail!("{} has no lines below its headers", args.file.display());
    }
    let target = args.target.or_local(repo);
    let supabase = Supabase::find(repo, &target)?;

    // What cannot be read is told together with what the database finds of the rest.
    let reference = format!("file {}", digest(&bytes)?);
    stage(repo, &supabase, &args.shop, &reference, &file.rows)?;
    let dry_run = args.dry_run || !file.problems.is_empty();
    let mut outcome = take(&supabase, args, &reference, dry_run)?;
    if let Value::Array(problems) = &mut outcome["problems"] {
        problems.extend(
            file.problems
                .iter()
                .map(|(line, message)| json!({"line": line, "message": message})),
        );
        problems.sort_by_key(|problem| problem["line"].as_u64());
    }
    if !file.problems.is_empty() {
        outcome["success"] = false.into();
        outcome["dry_run"] = args.dry_run.into();
    }

    if args.json {
        println!("{outcome}");
    } else {
        print!("{}", as_text(&outcome, &args.shop.shown(&target.shown())));
    }
    if outcome["success"] != true {
        bail!("{} has problems; nothing was imported", args.file.display());
    }
    Ok(())
}

/// What is in the file, in short: the same file is imported once.
fn digest(bytes: &[u8]) -> Result<String> {
    use std::io::Write as _;
    let mut node = std::process::Command::new("node")
        .args([
            "-e",
            "const h = require('crypto').createHash('sha256'); process.stdin.on('data', (d) => h.update(d)).on('end', () => console.log(h.digest('hex')))",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start node; Interlock needs Node.js 20 or later on PATH")?;
    node.stdin
        .take()
        .context("its input is piped")?
        .write_all(bytes)?;
    let output = node.wait_with_output()?;
    if !output.status.success() {
        bail!("node cannot digest the file");
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Brings the lines to the database, in pieces.
fn stage(
    repo: &Repo,
    supabase: &Supabase<'_>,
    shop: &Shop,
    reference: &str,
    rows: &[Row],
) -> Result<()> {
    let folder = repo.target.join("import-stock");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("piece-{}.sql", std::process::id()));
    let path = file
        .to_str()
        .context("the target directory has a name that is no text")?;
    for (number, piece) in rows.chunks(PIECE).enumerate() {
        let lines: Vec<Value> = piece
            .iter()
            .map(|row| json!([row.line, row.product, row.location, row.quantity]))
            .collect();
        let call = format!(
            "select interlock.stage_stock({}, {}, {})",
            quoted(reference),
            quoted(&Value::from(lines).to_string()),
            number == 0
        );
        fs::write(&file, shop.query(&call))?;
        let staged = supabase
            .execute_file(path)
            .context("the lines cannot be brought to the database; `npm run verify` says whether the migrations are in place");
        fs::remove_file(&file)?;
        staged?;
        if rows.len() > PIECE {
            eprintln!(
                "{} of {} lines are in the database",
                (number * PIECE) + piece.len(),
                rows.len()
            );
        }
    }
    if rows.len() > PIECE {
        eprintln!("looking at all of them, and taking them in one transaction");
    }
    Ok(())
}

/// Takes what was brought.
fn take(supabase: &Supabase<'_>, args: &Args, reference: &str, dry_run: bool) -> Result<Value> {
    let call = format!(
        "select interlock.import_stock({}, {}, {dry_run}) as outcome",
        quoted(reference),
        args.replace
    );
    supabase
        .write(&args.shop.query(&call))?
        .pop()
        .map(|mut row| row["row"]["outcome"].take())
        .context("the database did not answer what it has done")
}

/// For people.
fn as_text(outcome: &Value, place: &str) -> String {
    let mut text = String::new();
    let problems = outcome["problems"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    for problem in problems.iter().take(SHOWN) {
        // Nothing fails that writes to a string.
        let _ = writeln!(
            text,
            "line {}: {}",
            problem["line"],
            problem["message"].as_str().unwrap_or_default()
        );
    }
    if problems.len() > SHOWN {
        let _ = writeln!(text, "… and {} more", problems.len() - SHOWN);
    }
    let sums = format!(
        "{} of {} stocks, {} units in all, in {place}",
        outcome["changed"], outcome["lines"], outcome["units"]
    );
    let verdict = if outcome["again"] == true {
        format!("this file was imported before, and nothing was done again; it had changed {sums}")
    } else if outcome["success"] != true {
        format!("{} problems in {place}", problems.len())
    } else if outcome["dry_run"] == true {
        format!("nothing was done; it would change {sums}")
    } else {
        format!("imported: changed {sums}")
    };
    text + &verdict + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_what_was_done_or_why_not() {
        let outcome = |success: bool, dry_run: bool, problems: Value| json!({"success": success, "dry_run": dry_run, "lines": 3, "changed": 2, "units": 12.5, "problems": problems});
        assert_eq!(
            as_text(&outcome(true, false, json!([])), "x"),
            "imported: changed 2 of 3 stocks, 12.5 units in all, in x\n"
        );
        assert_eq!(
            as_text(&outcome(true, true, json!([])), "x"),
            "nothing was done; it would change 2 of 3 stocks, 12.5 units in all, in x\n"
        );
        assert_eq!(
            as_text(
                &outcome(false, false, json!([{"line": 7, "message": "no"}])),
                "x"
            ),
            "line 7: no\n1 problems in x\n"
        );
        let many: Vec<Value> = (0..102)
            .map(|line| json!({"line": line, "message": "no"}))
            .collect();
        let told = as_text(&outcome(false, false, many.into()), "x");
        assert!(
            told.ends_with("… and 2 more\n102 problems in x\n"),
            "{told}"
        );
        let mut again = outcome(true, false, json!([]));
        again["again"] = true.into();
        assert!(as_text(&again, "x").starts_with("this file was imported before"));
    }

    #[test]
    fn the_same_bytes_are_the_same_file() {
        assert_eq!(
            digest(b"abc").unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
