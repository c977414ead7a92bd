//! `cargo xtask deploy`: build, migrations, functions, in this order, by the Supabase CLI. Everything that
//! can be refused is refused before anything is changed, and the first failure stops it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::build::{self, Built};
use crate::ensure;
use crate::progress::Progress;
use crate::repo::Repo;
use crate::supabase::{Supabase, Target};
use crate::verify::{self, Thing};

/// Where to, and how.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Check everything and show what would be done; change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Let the platform bundle the functions, even where Docker runs.
    #[arg(long)]
    use_api: bool,
    /// Deploy the functions as the last build left them.
    #[arg(long)]
    no_build: bool,
    /// Push migrations that are older than the newest one of the database too.
    #[arg(long)]
    include_all: bool,
}

/// What there is to do.
struct Plan {
    /// The one list of what is deployed: shown, given to the CLI by name, and looked for afterwards.
    functions: Vec<String>,
    /// In config.toml as well, but not Interlock's.
    others: Vec<String>,
    /// File names of the migrations that the database lacks.
    migrations: Vec<String>,
}

impl Plan {
    fn describe(&self) -> String {
        let mut text = match self.migrations.as_slice() {
            [] => "migrations: none to push".to_owned(),
            files => format!(
                "migrations to push: {}\n  {}",
                files.len(),
                files.join("\n  ")
            ),
        };
        text += &match self.functions.as_slice() {
            [] => "\nfunctions: none, because no --project-ref says where to".to_owned(),
            names => format!("\nfunctions to deploy: {}", names.join(", ")),
        };
        if !self.others.is_empty() {
            let names = self.others.join(" ");
            text += &format!(
                "\nfunctions of your own, left alone: `npx supabase functions deploy --remote=REF {names}`"
            );
        }
        text
    }

    /// What the CLI is told. Without names it would take whatever config.toml declares.
    fn deploy_arguments<'a>(&'a self, project: &'a str, use_api: bool) -> Vec<&'a str> {
        let mut arguments = vec!["functions", "deploy"];
        arguments.extend(self.functions.iter().map(String::as_str));
        arguments.extend(["--yes", project]);
        if use_api {
            arguments.push("--use-api");
        }
        arguments
    }
}

/// Deploys, or says why not.
pub(crate) fn run(repo: &Repo, args: &Args) -> Result<()> {
    if args.target.project_ref.is_none() && args.target.db_url.is_none() {
        bail!(
            "where to? Name the project with --project-ref REF, or for the migrations alone the database with --db-url URL"
        );
    }
    let mut progress = Progress::of(if args.dry_run { 3 } else { 6 });
    progress.step("Tools and packages", || ensure::run_all(repo))?;
    let supabase = Supabase::find(repo, &args.target)?;
    let deployment = Deployment {
        repo,
        args,
        supabase: &supabase,
    };
    let plan = progress.step(&format!("Look at {}", args.target.shown()), || {
        deployment.plan()
    })?;
    println!("{}", plan.describe());
    // After what may be refused, a token that is none say: it takes minutes the first time.
    let made = match &repo.prebuilt {
        Some(_) => "Functions: of the release",
        None => "Functions: Rust to WASM",
    };
    progress.step(made, || modules(repo, args.no_build))?;
    if args.dry_run {
        println!("dry run: nothing was changed");
        return Ok(());
    }
    progress.step("Migrations: supabase db push", || deployment.push(&plan))?;
    progress.step("Functions: supabase functions deploy", || {
        deployment.functions(&plan)
    })?;
    progress.step("Verify", || deployment.verify())?;
    println!("deployed to {}", args.target.shown());
    if let Some(project) = args
        .target
        .project_ref
        .as_ref()
        .filter(|_| args.target.profile.is_none())
    {
        for function in &plan.functions {
            println!("  https://{project}.supabase.co/functions/v1/{function}");
        }
    }
    Ok(())
}

/// Builds the modules, or makes sure that they are there.
fn modules(repo: &Repo, no_build: bool) -> Result<()> {
    if !no_build {
        for function in build::build(repo, &build::Args::default())? {
            eprintln!("      {}", Built::describe(&function));
        }
        return Ok(());
    }
    for function in repo.functions()? {
        let module = format!("functions/{function}/core.js");
        if !repo.root.join(&module).is_file() {
            bail!(
                "{module} is missing, and without it the function cannot start: run `npm run build`, or leave --no-build out"
            );
        }
    }
    Ok(())
}

struct Deployment<'a> {
    repo: &'a Repo,
    args: &'a Args,
    supabase: &'a Supabase<'a>,
}

impl Deployment<'_> {
    fn plan(&self) -> Result<Plan> {
        let (functions, others) = if self.args.target.project_ref.is_some() {
            (
                self.repo.functions()?,
                self.repo.declared_functions()?.others,
            )
        } else {
            (Vec::new(), Vec::new())
        };
        self.refuse_obstacles()?;
        let report = self.db_push(&["--dry-run"])?;
        Ok(Plan {
            functions,
            others,
            migrations: pushed(&report),
        })
    }

    fn push(&self, plan: &Plan) -> Result<()> {
        let report = self.db_push(&["--yes"]).context(
            "the migrations before it are applied, it and those after it are not; mend the cause and run the same command again",
        )?;
        let done = pushed(&report).len();
        if done != plan.migrations.len() {
            bail!(
                "{done} migrations were pushed where {} were announced; does somebody else push too?",
                plan.migrations.len()
            );
        }
        eprintln!("      {done} pushed");
        Ok(())
    }

    fn functions(&self, plan: &Plan) -> Result<()> {
        if plan.functions.is_empty() {
            eprintln!("      none");
            return Ok(());
        }
        let project = self.project_flag();
        let arguments = plan.deploy_arguments(&project, self.args.use_api);
        self.supabase.json(&arguments).context(
            "the migrations are pushed; functions that were deployed before still run. Mend the cause and run the same command again",
        )?;
        // The CLI succeeds even where it uploads nothing, so the platform is asked.
        let active = self.listed_functions()?;
        let missing: Vec<&str> = plan
            .functions
            .iter()
            .filter(|name| !active.contains(*name))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            bail!(
                "the CLI reported success, and yet the project has no active {}; look at `npx supabase functions deploy --debug`",
                missing.join(", ")
            );
        }
        eprintln!("      active: {}", plan.functions.join(", "));
        Ok(())
    }

    fn verify(&self) -> Result<()> {
        let report = verify::look(self.repo, &self.args.target)?;
        println!("{}", report.as_text(&self.args.target));
        if !report.findings.is_empty() {
            bail!(
                "everything is deployed, and {} things are not as the migrations make them",
                report.findings.len()
            );
        }
        Ok(())
    }

    fn project_flag(&self) -> String {
        let project = self.args.target.project_ref.as_deref().unwrap_or_default();
        format!("--remote={project}")
    }

    /// Names of the project's active functions.
    fn listed_functions(&self) -> Result<BTreeSet<String>> {
        let listed = self
            .supabase
            .json(&["functions", "list", &self.project_flag()])
            .map_err(|error| explain_access(&error))?;
        Ok(functions_in(&listed))
    }

    fn migrations(&self) -> Result<Value> {
        self.supabase
            .json(&["migration", "list", &self.args.target.database()])
            .context("the database cannot be reached; with --project-ref set SUPABASE_DB_PASSWORD, or give --db-url the address that the dashboard shows under Connect, Session pooler")
    }

    fn db_push(&self, arguments: &[&str]) -> Result<Value> {
        let database = self.args.target.database();
        let mut all = vec!["db", "push", &database];
        all.extend(arguments);
        if self.args.include_all {
            all.push("--include-all");
        }
        self.supabase.json(&all)
    }

    /// Everything that is in the way is told at once: who mends one thing should not have to come back to hear of the next.
    fn refuse_obstacles(&self) -> Result<()> {
        let mut obstacles = Vec::new();
        if self.args.target.project_ref.is_some() {
            // Asks for nothing but needs the same token and project.
            if let Err(error) = self.listed_functions() {
                obstacles.push(format!("{error:#}"));
            }
        }
        match self.migrations() {
            Err(error) => obstacles.push(format!("{error:#}")),
            Ok(listed) => {
                let history = History::read(&listed)?;
                obstacles.extend(history.unknown());
                obstacles.extend(self.taken(&history)?);
                if !self.args.include_all {
                    obstacles.extend(history.gaps());
                }
            }
        }
        if obstacles.is_empty() {
            return Ok(());
        }
        bail!("{}\nNothing was changed", obstacles.join("\n"))
    }

    /// What has a name of ours before the migration that makes ours is somebody else's.
    fn taken(&self, history: &History) -> Result<Option<String>> {
        let pending = history.pending();
        if pending.is_empty() {
            return Ok(None);
        }
        let made = made_by(&self.repo.root, &pending)?;
        let taken = taken_names(
            &made,
            &verify::expected(self.repo)?,
            &verify::inventory(self.supabase)?,
        );
        Ok((!taken.is_empty()).then(|| {
            format!(
                "the database has {} already, and not from these migrations: rename yours first (docs/adopting.md)",
                taken.join(", ")
            )
        }))
    }
}

/// Which migrations this checkout and the database know.
struct History {
    both: Vec<String>,
    local: Vec<String>,
    remote: Vec<String>,
}

impl History {
    fn read(listed: &Value) -> Result<Self> {
        let rows = listed["migrations"]
            .as_array()
            .context("`supabase migration list` has no migrations")?;
        let mut history = Self {
            both: Vec::new(),
            local: Vec::new(),
            remote: Vec::new(),
        };
        for row in rows {
            let version = |side: &str| {
                row[side]
                    .as_str()
                    .filter(|text| !text.is_empty())
                    .map(str::to_owned)
            };
            match (version("local"), version("remote")) {
                (Some(local), Some(_)) => history.both.push(local),
                (Some(local), None) => history.local.push(local),
                (None, Some(remote)) => history.remote.push(remote),
                (None, None) => {}
            }
        }
        Ok(history)
    }

    fn pending(&self) -> BTreeSet<&str> {
        self.local.iter().map(String::as_str).collect()
    }

    fn unknown(&self) -> Option<String> {
        let versions = self.remote.join(" ");
        (!versions.is_empty()).then(|| {
            format!(
                "the database has migrations that this checkout lacks: {versions}. If they come from a newer Interlock, \
                 update this checkout. If they are your project's own, fetch them beside ours with `npx supabase migration \
                 fetch`, or keep ours among yours (docs/adopting.md)"
            )
        })
    }

    fn gaps(&self) -> Option<String> {
        let newest = self.both.iter().max();
        let earlier: Vec<&str> = self
            .local
            .iter()
            .filter(|version| Some(*version) < newest)
            .map(String::as_str)
            .collect();
        (!earlier.is_empty()).then(|| {
            format!(
                "the migrations {} are older than the newest one of the database: if that is right, as beside migrations \
                 of your own, add --include-all",
                earlier.join(", ")
            )
        })
    }
}

fn pushed(report: &Value) -> Vec<String> {
    let files = report["migrations"].as_array();
    let name = |file: &Value| {
        let path = file
            .as_str()
            .or_else(|| file["path"].as_str())
            .or_else(|| file["name"].as_str())?;
        Some(path.rsplit('/').next().unwrap_or(path).to_owned())
    };
    files.into_iter().flatten().filter_map(name).collect()
}

fn functions_in(listed: &Value) -> BTreeSet<String> {
    let functions = listed["functions"].as_array().or_else(|| listed.as_array());
    functions
        .into_iter()
        .flatten()
        .filter(|function| function["status"] == "ACTIVE")
        .filter_map(|function| function["slug"].as_str().map(str::to_owned))
        .collect()
}

/// The schema and the functions in public that some of the migrations create; those by their names alone.
fn made_by(root: &Path, versions: &BTreeSet<&str>) -> Result<BTreeSet<String>> {
    let mut made = BTreeSet::new();
    for entry in fs::read_dir(root.join("supabase/migrations"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name
            .split('_')
            .next()
            .is_some_and(|version| versions.contains(version))
        {
            made.extend(created_in(&fs::read_to_string(&path)?));
        }
    }
    Ok(made)
}

/// What is in the way of what is yet to be made: a schema of our name, or a function with the name and the
/// arguments of ours. Tables and indexes are in a schema of our own, and a view gives way to what has its name.
fn taken_names(made: &BTreeSet<String>, expected: &[Thing], found: &[Thing]) -> Vec<String> {
    let in_the_way = |thing: &&Thing| match thing.kind.as_str() {
        "schema" => made.contains(&thing.name),
        "function" => {
            let name = thing.name.split('(').next().unwrap_or_default();
            let is_ours = |ours: &Thing| ours.kind == "function" && ours.name == thing.name;
            made.contains(name) && expected.iter().any(is_ours)
        }
        _ => false,
    };
    let named = |thing: &Thing| format!("the {} {}", thing.kind, thing.name);
    found.iter().filter(in_the_way).map(named).collect()
}

fn created_in(sql: &str) -> Vec<String> {
    sql.lines()
        .filter_map(|line| {
            line.strip_prefix("create schema ")
                .or_else(|| line.strip_prefix("create function "))
        })
        .filter_map(|rest| rest.split([' ', '(', ';']).next())
        .filter(|name| !name.starts_with("interlock."))
        .map(str::to_owned)
        .collect()
}

/// What to do when the project refuses or does not answer.
fn explain_access(error: &anyhow::Error) -> anyhow::Error {
    let told = format!("{error:#}");
    let advice = if told.contains("Access token not provided") {
        "no access token: run `npx supabase login`, or set SUPABASE_ACCESS_TOKEN to a token from https://supabase.com/dashboard/account/tokens"
    } else if told.contains("Invalid access token") {
        "SUPABASE_ACCESS_TOKEN is not an access token: one looks like sbp_ and 40 hexadecimal digits; make one at https://supabase.com/dashboard/account/tokens"
    } else if told.contains("status 401") || told.contains("status 403") {
        "the platform refuses the access token: make a new one, as a member of the project's organisation"
    } else if told.contains("status 404") {
        "no such project: check --project-ref, and that the access token belongs to a member of its organisation"
    } else {
        "the platform did not answer as expected"
    };
    anyhow!("{advice}\n{told}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn history(rows: &[(&str, &str)]) -> History {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(local, remote)| json!({"local": local, "remote": remote}))
            .collect();
        History::read(&json!({ "migrations": rows })).expect("the list is well formed")
    }

    #[test]
    fn a_version_that_only_the_database_has_is_refused_by_name() {
        let history = history(&[("1", "1"), ("", "2")]);
        let told = history.unknown().expect("2 is unknown");
        assert!(told.contains("lacks: 2."), "{told}");
    }

    #[test]
    fn an_older_version_than_the_newest_pushed_one_needs_consent() {
        assert_eq!(history(&[("1", "1"), ("2", "")]).gaps(), None);
        let told = history(&[("1", ""), ("2", "2")])
            .gaps()
            .expect("1 came late");
        assert!(told.contains("migrations 1 are older"), "{told}");
    }

    /// A repository with the crate `checkout` and that configuration.
    fn repo_with(name: &str, config: &str) -> Repo {
        let name = format!("interlock-deploy-{name}-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(root.join("supabase")).expect("it can be made");
        fs::write(root.join("supabase/config.toml"), config).expect("it can be written");
        Repo {
            root: root.clone(),
            target: root,
            packages: vec!["checkout".to_owned()],
            prebuilt: None,
        }
    }

    #[test]
    fn what_is_shown_is_what_is_deployed() {
        let repo = repo_with("own", "[functions.checkout]\n[functions.newsletter]\n");
        let declared = repo.declared_functions().expect("it can be read");
        fs::remove_dir_all(&repo.root).expect("it is ours");
        let plan = Plan {
            functions: declared.ours,
            others: declared.others,
            migrations: Vec::new(),
        };
        let told = plan.describe();
        assert!(told.contains("functions to deploy: checkout\n"), "{told}");
        assert!(
            told.contains("left alone: `npx supabase functions deploy --remote=REF newsletter`")
        );
        assert_eq!(
            plan.deploy_arguments("--remote=REF", true),
            [
                "functions",
                "deploy",
                "checkout",
                "--yes",
                "--remote=REF",
                "--use-api"
            ]
        );
    }

    #[test]
    fn a_module_that_was_not_built_is_named() {
        let repo = repo_with("unbuilt", "[functions.checkout]\n");
        let told = modules(&repo, true)
            .expect_err("nothing is built")
            .to_string();
        fs::remove_dir_all(&repo.root).expect("it is ours");
        assert!(
            told.contains("functions/checkout/core.js is missing"),
            "{told}"
        );
        assert!(told.contains("npm run build"), "{told}");
    }

    #[test]
    fn what_a_migration_creates_is_read_from_it() {
        let sql = "create schema interlock;\ncreate table interlock.a (\n  x int\n);\n-- create function public.b (\n\
                   create function interlock.c(p int)\ncreate function public.c(\n";
        assert_eq!(created_in(sql), ["interlock", "public.c"]);
    }

    #[test]
    fn a_schema_and_a_function_of_ours_are_in_the_way_and_nothing_else() {
        let thing = |kind: &str, name: &str| Thing {
            kind: kind.to_owned(),
            name: name.to_owned(),
            definition: "there".to_owned(),
        };
        let expected = [
            thing("schema", "interlock"),
            thing("view", "public.orders"),
            thing("function", "public.checkout(jsonb, text)"),
        ];
        let made = BTreeSet::from(["interlock".to_owned(), "public.checkout".to_owned()]);
        let theirs = [
            thing("table", "public.orders"),
            thing("function", "public.checkout(bigint)"),
        ];
        assert_eq!(taken_names(&made, &expected, &theirs), [""; 0]);
        assert_eq!(
            taken_names(&made, &expected, &expected),
            [
                "the schema interlock",
                "the function public.checkout(jsonb, text)"
            ]
        );
    }

    #[test]
    fn only_active_functions_count() {
        let listed = json!([{"slug": "a", "status": "ACTIVE"}, {"slug": "b", "status": "REMOVED"}]);
        assert_eq!(functions_in(&listed), BTreeSet::from(["a".to_owned()]));
    }
}
