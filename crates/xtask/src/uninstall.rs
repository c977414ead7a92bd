//! `cargo xtask uninstall`: takes Interlock out of a database again, by the rollback scripts that are tested with the
//! migrations, and its functions off the project. The database is left as it was, or wholly as it is.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::ensure;
use crate::progress::Progress;
use crate::repo::Repo;
use crate::supabase::{Supabase, Target};

/// Whose rows go, in the order in which a shop would miss them.
const ROWS: [(&str, &str); 7] = [
    ("interlock.orders", "orders"),
    ("interlock.sales", "sales at tills"),
    ("interlock.wallets", "wallets"),
    ("interlock.payments", "payments by card"),
    ("interlock.customers", "customers of tills"),
    ("interlock.products", "products"),
    ("interlock.batches", "delivery batches"),
];

/// Quotes a script, and the statement around all of them. The scripts themselves quote without a name.
const QUOTE: &str = "$interlock_script$";
const OUTER: &str = "$interlock_uninstall$";

/// From where, and how.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Tell what would go; change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask: for scripts.
    #[arg(long)]
    yes: bool,
}

/// Tells what goes, asks, and takes it out.
pub(crate) fn run(repo: &Repo, args: &Args) -> Result<()> {
    if args.target.project_ref.is_none() && args.target.db_url.is_none() {
        bail!(
            "from where? Name the project with --project-ref REF, or for the database alone its address with --db-url URL"
        );
    }
    ensure::run_all(repo)?;
    let supabase = Supabase::find(repo, &args.target)?;
    let plan = Plan::make(repo, &supabase, &args.target)?;
    print!("{}", plan.describe());
    if args.dry_run {
        println!("dry run: nothing was changed");
        return Ok(());
    }
    if plan.versions.is_empty() && plan.functions.is_empty() {
        println!("there is nothing to take out");
        return Ok(());
    }
    if !args.yes {
        confirm(&args.target)?;
    }
    let mut progress = Progress::of(2);
    progress.step("Database: the rollback scripts, newest first", || {
        roll_back(repo, &supabase, &plan.versions)
    })?;
    progress.step("Functions: supabase functions delete", || {
        delete_functions(&supabase, &args.target, &plan.functions)
    })?;
    println!(
        "Interlock is no longer in {}. Users, files and secrets are as they were: docs/uninstalling.md",
        args.target.shown()
    );
    Ok(())
}

/// What there is to take out.
struct Plan {
    /// Of our migrations those that the database has, newest first.
    versions: Vec<String>,
    /// Of our functions those that the project has.
    functions: Vec<String>,
    /// How many rows go, and of what.
    rows: Vec<(i64, &'static str)>,
}

impl Plan {
    fn make(repo: &Repo, supabase: &Supabase<'_>, target: &Target) -> Result<Self> {
        let pushed = pushed(supabase)?;
        let mut versions: Vec<String> = scripts(repo)?
            .into_iter()
            .filter(|version| pushed.contains(version))
            .collect();
        versions.reverse();
        let functions = match &target.project_ref {
            None => Vec::new(),
            Some(project) => {
                let listed =
                    supabase.json(&["functions", "list", &format!("--remote={project}")])?;
                let there = slugs(&listed);
                let mut ours = repo.functions()?;
                ours.retain(|name| there.contains(name));
                ours
            }
        };
        let rows = if versions.is_empty() {
            Vec::new()
        } else {
            rows(supabase)?
        };
        Ok(Self {
            versions,
            functions,
            rows,
        })
    }

    fn describe(&self) -> String {
        let mut text = format!("migrations to roll back: {}\n", self.versions.len());
        for (count, what) in &self.rows {
            let _ = writeln!(text, "  with {count} {what}");
        }
        let functions = match self.functions.as_slice() {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        let _ = writeln!(text, "functions to delete: {functions}");
        text
    }
}

/// Versions of the migrations that this checkout can undo, oldest first.
fn scripts(repo: &Repo) -> Result<Vec<String>> {
    let mut versions = Vec::new();
    for entry in fs::read_dir(repo.root.join("supabase/rollback"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(".sql") {
            versions.push(name.split('_').next().unwrap_or(name).to_owned());
        }
    }
    versions.sort();
    Ok(versions)
}

/// Versions of all migrations that the database has, the project's own included.
fn pushed(supabase: &Supabase<'_>) -> Result<Vec<String>> {
    let there = supabase.select(
        "select to_regclass('supabase_migrations.schema_migrations') is not null as there",
    )?;
    if there.first().is_none_or(|row| row["there"] != true) {
        return Ok(Vec::new());
    }
    let rows = supabase.select("select version from supabase_migrations.schema_migrations")?;
    Ok(rows
        .iter()
        .filter_map(|row| row["version"].as_str().map(str::to_owned))
        .collect())
}

fn slugs(listed: &Value) -> Vec<String> {
    let functions = listed["functions"].as_array().or_else(|| listed.as_array());
    functions
        .into_iter()
        .flatten()
        .filter_map(|function| function["slug"].as_str().map(str::to_owned))
        .collect()
}

/// How many rows there are, of tables that have any. A database that has only some of the migrations has only some of them.
fn rows(supabase: &Supabase<'_>) -> Result<Vec<(i64, &'static str)>> {
    let names: Vec<String> = ROWS
        .iter()
        .map(|(table, _)| format!("to_regclass('{table}') is not null as \"{table}\""))
        .collect();
    let there = supabase.select(&format!("select {}", names.join(", ")))?;
    let there = there.first().context("the database does not answer")?;
    let counts: Vec<String> = ROWS
        .iter()
        .filter(|(table, _)| there[table] == true)
        .map(|(table, _)| format!("(select count(*) from {table})::text as \"{table}\""))
        .collect();
    if counts.is_empty() {
        return Ok(Vec::new());
    }
    let counted = supabase.select(&format!("select {}", counts.join(", ")))?;
    let counted = counted.first().context("the database does not answer")?;
    Ok(ROWS
        .iter()
        .filter_map(|(table, what)| {
            let count = counted[table].as_str()?.parse().ok()?;
            (count > 0).then_some((count, *what))
        })
        .collect())
}

/// Asks for the name of what is about to be emptied: a yes is typed too easily.
fn confirm(target: &Target) -> Result<()> {
    let name = match (&target.project_ref, &target.db_url) {
        (Some(project), _) => project.clone(),
        (None, Some(url)) => url.shown().to_owned(),
        (None, None) => bail!("from where?"),
    };
    if !io::stdin().is_terminal() {
        bail!("nobody is there to be asked: add --yes. Nothing was changed");
    }
    print!("Everything above goes, and only a backup brings it back. Type {name} to go on: ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() != name {
        bail!("that is not {name}. Nothing was changed");
    }
    Ok(())
}

/// In one transaction: what is in the way of one script leaves all of it as it was.
fn roll_back(repo: &Repo, supabase: &Supabase<'_>, versions: &[String]) -> Result<()> {
    if versions.is_empty() {
        eprintln!("      none");
        return Ok(());
    }
    let folder = repo.root.join("supabase/rollback");
    let mut text = format!("do {OUTER}\ndeclare\n  v_detail text;\nbegin\n");
    for version in versions {
        let entry = fs::read_dir(&folder)?
            .filter_map(Result::ok)
            .find(|entry| {
                let name = entry.file_name();
                name.to_string_lossy().split('_').next() == Some(version)
            })
            .with_context(|| format!("no rollback for {version}"))?;
        let script = fs::read_to_string(entry.path())?;
        let _ = write!(text, "execute {QUOTE}\n{script}\n{QUOTE};\n");
    }
    // What hangs on something of ours is named in the detail of the error, which the CLI leaves out.
    let _ = write!(
        text,
        "delete from supabase_migrations.schema_migrations where version in ('{}');
exception when dependent_objects_still_exist then
  get stacked diagnostics v_detail = pg_exception_detail;
  raise exception 'something of yours depends on something of ours: %', v_detail;
end
{OUTER};
",
        versions.join("', '")
    );
    let file = repo
        .target
        .join(format!("uninstall-{}.sql", std::process::id()));
    fs::write(&file, text)?;
    let path = file
        .to_str()
        .context("the target directory has a name that is no text")?;
    let done = supabase.execute_file(path);
    fs::remove_file(&file)?;
    done.context(
        "nothing was changed. What of yours depends on something of ours (a view, a foreign key, a policy) is yours to drop or \
         change first; if a lock was not to be had, try again",
    )?;
    eprintln!("      {} rolled back", versions.len());
    Ok(())
}

fn delete_functions(supabase: &Supabase<'_>, target: &Target, functions: &[String]) -> Result<()> {
    let Some(project) = target
        .project_ref
        .as_ref()
        .filter(|_| !functions.is_empty())
    else {
        eprintln!("      none");
        return Ok(());
    };
    let remote = format!("--remote={project}");
    for name in functions {
        supabase
            .json(&["functions", "delete", name, "--yes", &remote])
            .context("the database is as it was before Interlock; run the same command again for the functions that are left")?;
        eprintln!("      {name}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_goes_is_told_with_its_rows() {
        let plan = Plan {
            versions: vec!["2".to_owned(), "1".to_owned()],
            functions: vec!["checkout".to_owned()],
            rows: vec![(3, "orders")],
        };
        assert_eq!(
            plan.describe(),
            "migrations to roll back: 2\n  with 3 orders\nfunctions to delete: checkout\n"
        );
    }

    #[test]
    fn functions_are_known_by_their_slugs() {
        assert_eq!(slugs(&json!([{"slug": "a"}, {"name": "b"}])), ["a"]);
        assert_eq!(slugs(&json!({"functions": [{"slug": "a"}]})), ["a"]);
    }
}
