//! pgTAP files on a broken product: the mutant lives in the transaction that the file rolls back.

use super::sites::Mutant;
use crate::harness::stack::Stack;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// What a mutant's tests found.
pub(super) enum Found {
    /// A test fails.
    Failure(String),
    /// No test fails.
    Nothing,
    /// The mutant cannot run.
    NotSql(String),
}

/// Syntax errors, unknown or ambiguous names, wrong types.
const NOT_SQL: [&str; 6] = ["42601", "42702", "42703", "42804", "42883", "42P01"];

/// They read the source of functions, so they may notice what they do not reach.
const READ_SOURCES: [&str; 2] = ["07-function-settings.sql", "25-one-deadline.sql"];

/// A pgTAP file, and what a run on the whole product tells of it.
struct File {
    name: String,
    sql: String,
    time: Duration,
}

/// The pgTAP files and which of them are about what.
pub(super) struct DatabaseTests {
    /// The quickest first.
    files: Vec<File>,
    /// By object, the files that the migrations name for it.
    named: BTreeMap<String, Vec<String>>,
    /// By function, the files that call it. What Postgres inlines is called by none.
    reached: BTreeMap<String, BTreeSet<String>>,
    /// By kind and object, the file that noticed the last mutant.
    last: BTreeMap<(&'static str, String), String>,
}

impl DatabaseTests {
    /// Reads supabase/, and runs each file once: what fails anyway notices nothing.
    pub(super) async fn measure(stack: &Stack) -> Self {
        let supabase = Path::new(env!("CARGO_MANIFEST_DIR")).join("../supabase");
        let mut named = BTreeMap::new();
        for path in sql_files(&supabase.join("migrations")) {
            read_headers(&read(&path), &mut named);
        }
        let mut reached: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut files = Vec::new();
        for path in sql_files(&supabase.join("tests")) {
            let (name, sql) = (file_name(&path), read(&path));
            let start = Instant::now();
            for function in calls(stack, &name, &sql).await {
                reached.entry(function).or_default().insert(name.clone());
            }
            let time = start.elapsed();
            files.push(File { name, sql, time });
        }
        files.sort_by_key(|file| file.time);
        Self {
            files,
            named,
            reached,
            last: BTreeMap::new(),
        }
    }

    /// Runs the files that can notice the mutant until one fails.
    pub(super) async fn find_failure(&mut self, stack: &Stack, mutant: &Mutant) -> Found {
        let (found, by) = find_failure(&self.about(mutant), stack, &mutant.sql).await;
        if let Some(by) = by {
            self.last.insert((mutant.kind, mutant.object.clone()), by);
        }
        found
    }

    /// The file that noticed the last mutant of the object first, then those about the object, then all others
    /// that may notice it.
    fn about(&self, mutant: &Mutant) -> Vec<&File> {
        let last = self.last.get(&(mutant.kind, mutant.object.clone()));
        let named = self.named.get(&mutant.object).into_iter().flatten();
        // Where most of a kind are noticed.
        let usual = match mutant.kind {
            "access" => Some("05-rights.sql"),
            "setting" => Some("07-function-settings.sql"),
            "function" => None,
            _ => Some("06-constraints.sql"),
        };
        let named = named.filter(|_| !matches!(mutant.kind, "access" | "setting"));
        let reached = self.reached.get(&mutant.object);
        let reached = reached.filter(|_| mutant.kind == "function");
        let may_notice = |name: &str| {
            READ_SOURCES.contains(&name) || reached.is_none_or(|reached| reached.contains(name))
        };
        let all = self.files.iter().map(|file| file.name.as_str());
        let first = last.into_iter().chain(named).map(String::as_str);
        let mut files: Vec<&File> = Vec::new();
        for name in first
            .chain(usual)
            .chain(all)
            .filter(|name| may_notice(name))
        {
            let file = self.files.iter().find(|file| file.name == name);
            files.extend(file.filter(|_| files.iter().all(|other| other.name != name)));
        }
        files
    }
}

/// Runs a file on the whole product: the functions of schema `interlock` that it calls, those included that
/// refuse. Only an administrator may have them counted; without one each file counts as calling all.
async fn calls(stack: &Stack, name: &str, sql: &str) -> Vec<String> {
    let client = match std::env::var("INTERLOCK_ADMIN_DB_URL") {
        Ok(url) => {
            let owner = stack.connect().await;
            let owner = owner.query_one("select current_user::text", &[]).await;
            let owner: String = owner.expect("it has a name").get(0);
            let client = connect(&url).await;
            let count = format!("set track_functions = 'all'; set session authorization {owner}");
            execute(&client, &count).await;
            client
        }
        Err(_) => stack.connect().await,
    };
    let (sql, _) = sql.rsplit_once("rollback;").expect("a file rolls back");
    let report = pgtap::run(&client, sql).await;
    let report = report.expect("the files are SQL and nothing else");
    if let Some(failure) = report.failures.iter().chain(&report.problems).next() {
        panic!("without any mutant: {name}: {failure}");
    }
    let counted = "reset role; select funcname from pg_stat_xact_user_functions where schemaname = 'interlock'";
    let rows = client.simple_query(counted).await;
    let rows = rows.expect("the transaction goes on");
    let called = rows.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    called.collect()
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .unwrap_or_else(|error| panic!("cannot connect as administrator: {error}"));
    tokio::spawn(connection);
    client
}

/// Runs files until one fails, each on the product with this change; which one it was.
async fn find_failure(files: &[&File], stack: &Stack, change: &str) -> (Found, Option<String>) {
    let client = stack.connect().await;
    for File { name, sql, .. } in files {
        // What loops for ever is stopped, and noticed.
        let begin = format!("begin; set local statement_timeout = '5s'; {change}");
        if let Err(error) = client.batch_execute(&begin).await {
            return (Found::NotSql(format!("{error:?}")), None);
        }
        let report = pgtap::run(&client, sql).await;
        let report = report.expect("the files are SQL and nothing else");
        let said = || report.failures.iter().chain(&report.problems);
        if let Some(not_sql) = said().find(|text| is_not_sql(text)) {
            return (Found::NotSql(format!("{name}: {not_sql}")), None);
        }
        if let Some(first) = said().next() {
            let first = first.lines().next().unwrap_or_default();
            let failure = Found::Failure(format!("{name}: {first}"));
            return (failure, Some(name.clone()));
        }
        execute(&client, "rollback").await;
    }
    (Found::Nothing, None)
}

/// Whether the error says that the mutant is no SQL that could run: it would prove nothing.
fn is_not_sql(text: &str) -> bool {
    NOT_SQL
        .iter()
        .any(|code| text.contains(&format!(" {code} ")) || text.contains(&format!(" {code}:")))
}

async fn execute(client: &Client, sql: &str) {
    client
        .batch_execute(sql)
        .await
        .expect("the session goes on");
}

/// Each function's own `Tests:` line; for tables that of the whole migration.
fn read_headers(migration: &str, named: &mut BTreeMap<String, Vec<String>>) {
    let mut tests: Vec<String> = Vec::new();
    for line in migration.lines() {
        if let Some(list) = line.strip_prefix("-- Tests: ") {
            tests = list
                .split(", ")
                .map(|name| file_name(Path::new(name)))
                .collect();
        }
        let object = ["create function ", "create table "]
            .iter()
            .find_map(|create| line.strip_prefix(create))
            .and_then(|rest| rest.split(['(', ' ']).next())
            .and_then(|name| name.split('.').nth(1));
        if let Some(object) = object {
            named.insert(object.to_owned(), tests.clone());
        }
    }
}

/// The SQL files of a folder and of its folders.
fn sql_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("supabase/ stands beside tests/");
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            files.extend(sql_files(&path));
        } else if path.extension().is_some_and(|end| end == "sql") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .expect("it was listed by name")
        .to_string_lossy()
        .into_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
